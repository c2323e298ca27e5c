"""What was found about a sheet's cells, by kind: a fault of a thousand cells is one line for a person."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, final

from batchconnect.model.outcome import Problem, Severity

MOST_PLACES: Final = 12
_WEIGHT: Final = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}


@dataclass(slots=True)
class FindingKind:
    """One kind of finding: what is wrong, and where it is."""

    problem: Problem
    """The first of its kind."""
    count: int = 0
    places: list[str] = field(default_factory=list)
    """Cells, as far as a person reads them."""

    @property
    def where(self) -> str:
        """The cells, and how many more there are."""
        places = ", ".join(self.places)
        more = self.count - len(self.places)
        return f"{places} and {more} more" if more else places

    @property
    def what(self) -> str:
        """What is wrong, with its column."""
        problem = self.problem
        return f"{problem.column}: {problem.what}" if problem.column else problem.what


@final
@dataclass(slots=True)
class FindingKinds:
    """Findings as they come, grouped."""

    _kinds: dict[tuple[Severity, str | None, str], FindingKind] = field(default_factory=dict)

    def add(self, number: int, problem: Problem) -> None:
        """Take in a finding about the row of this number."""
        key = (problem.severity, problem.column, problem.what)
        kind = self._kinds.get(key)
        if kind is None:
            kind = self._kinds[key] = FindingKind(problem)
        kind.count += 1
        if len(kind.places) < MOST_PLACES:
            kind.places.append(problem.cell or f"row {number}")

    def add_warnings(self, number: int, problems: Iterable[Problem]) -> None:
        """Take in those that are warnings."""
        for problem in problems:
            if problem.severity is Severity.WARNING:
                self.add(number, problem)

    def sorted(self) -> list[FindingKind]:
        """Errors first, the most frequent first."""
        return sorted(
            self._kinds.values(), key=lambda kind: (_WEIGHT[kind.problem.severity], -kind.count)
        )
