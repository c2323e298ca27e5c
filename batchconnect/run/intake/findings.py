"""What was found about a sheet's cells, by kind: a fault of a thousand cells is one line for a person."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, final

from batchconnect.model.event import SheetWarned
from batchconnect.model.outcome import Problem, Severity
from batchconnect.model.row_place import own_number
from batchconnect.model.value import replace

MOST_PLACES: Final = 12
MOST_ALIKE: Final = 4
"""Findings of one code in one column that are told each by itself; more of them are one line with an example."""
_FOLDED: Final = ""
_WEIGHT: Final = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}


@dataclass(slots=True)
class FindingKind:
    """One kind of finding: what is wrong, and where it is."""

    problem: Problem
    """The first of its kind."""
    varies: bool = False
    """Whether others of it have other words: the first is an example then."""
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
        if self.varies:
            problem = replace(problem, what=f"for example, {problem.what}")
        return with_column(problem)

    @property
    def told(self) -> str:
        """Where, and what is wrong; a finding about a row as a whole names its row itself."""
        return placed(self.where, self.what)

    def add(self, place: str) -> None:
        """Another one, at this place."""
        self.count += 1
        if len(self.places) < MOST_PLACES:
            self.places.append(place)


@final
@dataclass(slots=True)
class FindingKinds:
    """Findings as they come, grouped: by their words, and where those differ too often, by their code."""

    _kinds: dict[tuple[Severity, str | None, str], dict[str, FindingKind]] = field(
        default_factory=dict
    )
    """By severity, column and code: by words; under "" those that are told as one."""

    def add(self, number: int, problem: Problem) -> None:
        """Take in a finding about the row of this number."""
        place = problem.cell or f"row {own_number(number)}"
        alike = self._kinds.setdefault((problem.severity, problem.column, problem.code), {})
        kind = alike.get(_FOLDED) or alike.get(problem.what)
        if kind is None:
            kind = alike[problem.what] = FindingKind(problem)
        kind.add(place)
        if len(alike) > MOST_ALIKE:
            folded = _folded(list(alike.values()))
            alike.clear()
            alike[_FOLDED] = folded

    def add_warnings(self, number: int, problems: Iterable[Problem]) -> None:
        """Take in those that are warnings."""
        for problem in problems:
            if problem.severity is Severity.WARNING:
                self.add(number, problem)

    def sorted(self) -> list[FindingKind]:
        """Errors first, the most frequent first."""
        kinds = [kind for alike in self._kinds.values() for kind in alike.values()]
        return sorted(kinds, key=lambda kind: (_WEIGHT[kind.problem.severity], -kind.count))


def _folded(kinds: list[FindingKind]) -> FindingKind:
    """Several kinds as one; the first stands for all."""
    one = FindingKind(kinds[0].problem, varies=True, count=sum(kind.count for kind in kinds))
    one.places = [place for kind in kinds for place in kind.places][:MOST_PLACES]
    return one


def placed(where: str, what: str) -> str:
    """A finding behind its place, which is not said twice: `row 26 repeats the header`."""
    return what if what.startswith(f"{where} ") else f"{where}: {what}"


def with_column(problem: Problem) -> str:
    """What is wrong, with the column."""
    return f"{problem.column}: {problem.what}" if problem.column else problem.what


def sheet_warned(problem: Problem) -> SheetWarned:
    """What is odd about rows taken together, as it is told."""
    return SheetWarned(
        cells=problem.cell or "",
        code=problem.code,
        what=with_column(problem),
        remedy=problem.remedy,
    )
