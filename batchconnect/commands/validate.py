"""Offline: every problem of a sheet with its cell; nothing is sent, and no setting is needed."""

import os
import shlex
import textwrap
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Final

from batchconnect.cli_options import OutputOptions, PlaceOptions, SheetOptions
from batchconnect.commands.console import Console
from batchconnect.commands.start import choices_of, settings_of, sheet_of
from batchconnect.connection import BaseConnection, parse
from batchconnect.directory import Orgs, SimulatedOrgs
from batchconnect.errors import ExitCode
from batchconnect.inert import inert
from batchconnect.outcome import Problem, Rejected, Severity
from batchconnect.reference import References
from batchconnect.survey import examine

_NOWHERE: Final = "https://localhost"
_MOST_KINDS: Final = 200
_MOST_PLACES: Final = 12
_WEIGHT: Final = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}


def run(
    output: OutputOptions, places: PlaceOptions, sheet_options: SheetOptions, *, sheet: str
) -> int:
    """Judge every row, and show what is wrong with it."""
    console = Console(output)
    settings = settings_of(places, os.environ, sheet=sheet_options, offline=True)
    choices = choices_of(settings, places, sheet=sheet_options)
    console.warn(settings.warnings)
    if settings.orgs and not places.simulate:
        orgs = Orgs(settings.orgs)
    else:
        orgs = SimulatedOrgs(settings.orgs, url=_NOWHERE)
        if not places.simulate:
            console.warn(["no org is set, so the org cells are not checked"])
    with sheet_of(sheet, sheet_options, console) as opened:
        judge = partial(
            parse,
            header=opened.header,
            orgs=orgs,
            org=choices.org,
            sandbox=choices.sandbox,
            references=References(
                allow=choices.allow_refs, refs_dir=choices.refs_dir, environ=os.environ
            ),
            strict=choices.strict,
        )
        found = Findings(each=console.json)
        for row, judged in examine(opened, judge, is_selected=choices.selector(orgs)):
            found.add(row.number, judged, is_again=not row.cells)
        blank = opened.blank_rows
    console.result(found.document(sheet, blank), found.lines(sheet, blank))
    return ExitCode.SHEET if found.rejected else ExitCode.OK


@dataclass(slots=True)
class Kind:
    """One kind of finding: what is wrong, and where it is."""

    problem: Problem
    """The first of its kind."""
    count: int = 0
    places: list[str] = field(default_factory=list)
    """Cells, as far as a person reads them."""


class Findings:
    """What was found, grouped by kind for a person, and one by one for programs."""

    def __init__(self, *, each: bool) -> None:
        self.rows = 0
        self.rejected: set[int] = set()
        self._each = each
        self._found: list[tuple[int, Problem]] = []
        self._kinds: dict[tuple[Severity, str | None, str], Kind] = {}

    def add(self, number: int, judged: BaseConnection | Rejected | None, *, is_again: bool) -> None:
        """Take one judged row in; a double is judged again."""
        self.rows += not is_again
        problems: Iterable[Problem] = ()
        match judged:
            case Rejected(problems=problems):
                self.rejected.add(number)
            case BaseConnection(findings=problems):
                pass
            case None:
                pass
        for problem in problems:
            if self._each:
                self._found.append((number, problem))
            key = (problem.severity, problem.column, problem.what)
            kind = self._kinds.get(key)
            if kind is None:
                kind = self._kinds[key] = Kind(problem)
            kind.count += 1
            if len(kind.places) < _MOST_PLACES:
                kind.places.append(problem.cell or f"row {number}")

    def document(self, sheet: str, blank: int) -> dict[str, object]:
        """The result for programs: every finding."""
        return {
            "sheet": sheet,
            "rows": self.rows,
            "blank_rows": blank,
            "valid": self.rows - len(self.rejected),
            "rejected": len(self.rejected),
            "problems": [{"row": number, **asdict(problem)} for number, problem in self._found],
        }

    def lines(self, sheet: str, blank: int) -> list[str]:
        """The result for a person: errors first, the most frequent first, each with its cells."""
        kinds = sorted(
            self._kinds.values(), key=lambda kind: (_WEIGHT[kind.problem.severity], -kind.count)
        )
        lines = [line for kind in kinds[:_MOST_KINDS] for line in _told(kind)]
        if len(kinds) > _MOST_KINDS:
            lines.append(f"and {len(kinds) - _MOST_KINDS} more kinds: --json shows all of them")
        fine = self.rows - len(self.rejected)
        skipped = f", {blank} blank rows skipped" if blank else ""
        lines.append(
            f"{sheet}: {self.rows} rows, {fine} fine, {len(self.rejected)} rejected{skipped}"
        )
        if not self.rejected and self.rows:
            lines.append(f"next:   {shlex.join(['batchconnect', 'plan', sheet])}")
        return [inert(line) for line in lines]


def _told(kind: Kind) -> list[str]:
    problem = kind.problem
    places = ", ".join(kind.places)
    if kind.count > len(kind.places):
        places += f" and {kind.count - len(kind.places)} more"
    what = f"{problem.column}: {problem.what}" if problem.column else problem.what
    lines = textwrap.wrap(f"{problem.severity}: {places}: {what}", 80, subsequent_indent="    ")
    if problem.severity is not Severity.NOTE:
        lines += textwrap.wrap(
            problem.remedy, 80, initial_indent="    -> ", subsequent_indent="       "
        )
    return lines
