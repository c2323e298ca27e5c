"""Offline: every problem of a sheet with its cell; nothing is sent, and no setting is needed."""

import os
import shlex
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Final

from batchconnect.cli.commands.console import Console, counted
from batchconnect.cli.commands.new_file import refuse_existing, write_new
from batchconnect.cli.commands.start import (
    judging_flags,
    options_of,
    place_flags,
    settings_of,
    sheet_flags,
    sheet_of,
)
from batchconnect.cli.options import Given, OutputOptions
from batchconnect.model.errors import ExitCode, UsageError
from batchconnect.model.escape import escape_control
from batchconnect.model.outcome import Problem, Rejected, Severity
from batchconnect.run.findings import FindingKind, FindingKinds
from batchconnect.run.intake import examine
from batchconnect.run.screening import screen_carried
from batchconnect.run.selection import selector
from batchconnect.run.sheet_name import check_row
from batchconnect.validation.connection import BaseConnection, parse
from batchconnect.validation.fast_scan import FastScan
from batchconnect.validation.org_registry import OrgRegistry, SimulatedOrgRegistry
from batchconnect.validation.reference import References
from batchconnect.validation.series import Warned

_NOWHERE: Final = "https://localhost"
_MOST_KINDS: Final = 200


def run(
    output: OutputOptions,
    given: Given,
    *,
    sheet: str,
    annotate: Path | None = None,
) -> int:
    """Judge every row, and show what is wrong with it, on the screen and in a workbook."""
    console = Console(output)
    if annotate is not None:
        _check_new(annotate)
    settings = settings_of(given, os.environ, offline=True)
    options = options_of(settings, given)
    console.warn(settings.warnings)
    if settings.orgs and not options.simulate:
        orgs = OrgRegistry(settings.orgs)
    else:
        orgs = SimulatedOrgRegistry(settings.orgs, url=_NOWHERE)
        if not options.simulate:
            console.warn(["no org is set, so the org cells are not checked"])
    with sheet_of(sheet, options, console, checks_name=True) as opened:
        screen_carried(opened)
        judge = partial(
            parse,
            header=opened.header,
            orgs=orgs,
            org=options.org,
            sandbox=options.sandbox,
            references=References(
                allow=options.allow_refs,
                refs_dir=options.refs_dir,
                environ=os.environ,
                stores=settings.stores,
            ),
            strict=options.strict,
        )
        found = Findings(each=console.json)
        is_selected = selector(options, orgs)
        fast_scan = None
        if not options.only:
            fast_scan = FastScan(
                opened.header,
                orgs=orgs,
                org=options.org,
                sandbox=options.sandbox,
                strict=options.strict,
                told=opened.name,
            )
        doubled: dict[int, tuple[Problem, ...]] = {}
        for row, judged in examine(
            opened, judge, is_selected=is_selected, fast_scan=fast_scan, strict=options.strict
        ):
            is_again = not row.cells
            check_row(opened, row)
            found.add(row.number, judged, is_again=is_again)
            if is_again and isinstance(judged, Rejected):
                doubled[row.number] = judged.problems
        found.rows += fast_scan.rows if fast_scan else 0
        blank = opened.blank_rows
        if annotate is not None:
            # Whoever wants no workbook does not wait a fifth of a second for what writes one.
            from batchconnect.cli.annotate import annotated, beyond_words  # noqa: PLC0415

            chunks = annotated(
                opened,
                judge,
                doubled=doubled,
                is_selected=is_selected,
                on_beyond=lambda beyond: console.warn([f"{annotate}: {beyond_words(beyond)}"]),
            )
            write_new(annotate, chunks)
    document, lines = (
        found.document(sheet, blank),
        found.lines(sheet, blank, again=[*place_flags(given), *sheet_flags(given)]),
    )
    if annotate is not None:
        document["annotated"] = str(annotate.absolute())
        lines += _next_steps(annotate, [*place_flags(given), *judging_flags(given)])
    console.result(document, lines)
    return ExitCode.SHEET if found.rejected else ExitCode.OK


def _check_new(path: Path) -> None:
    if path.suffix.lower() != ".xlsx":
        raise UsageError(
            f"--annotate {path}: the annotated sheet is an Excel workbook",
            hint=f"--annotate {shlex.quote(str(path.with_suffix('.xlsx')))}",
        )
    refuse_existing(path)


def _next_steps(path: Path, flags: Sequence[str]) -> list[str]:
    again = shlex.join(["batchconnect", "validate", str(path), *flags])
    return [
        escape_control(f"{path}: the sheet with its problems in colour, without keys"),
        escape_control(f"        correct it, fill in the keys again, then: {again}"),
    ]


class Findings:
    """What was found, grouped by kind for a person, and one by one for programs."""

    def __init__(self, *, each: bool) -> None:
        self.rows = 0
        self.rejected: set[int] = set()
        self._each = each
        self._found: list[tuple[int, Problem]] = []
        self._kinds = FindingKinds()

    def add(
        self, number: int, judged: BaseConnection | Rejected | Warned | None, *, is_again: bool
    ) -> None:
        """Take one judged row in; a double, or a row of a series, is judged again."""
        self.rows += not is_again
        problems: Iterable[Problem] = ()
        match judged:
            case Rejected(problems=problems):
                self.rejected.add(number)
            case BaseConnection(findings=problems):
                pass
            case Warned(problem=problem):
                problems = (problem,)
            case None:
                pass
        for problem in problems:
            if self._each:
                self._found.append((number, problem))
            self._kinds.add(number, problem)

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

    def lines(self, sheet: str, blank: int, *, again: Sequence[str] = ()) -> list[str]:
        """The result for a person: errors first, the most frequent first, each with its cells."""
        kinds = self._kinds.sorted()
        lines = [line for kind in kinds[:_MOST_KINDS] for line in _told(kind)]
        if len(kinds) > _MOST_KINDS:
            lines.append(f"and {len(kinds) - _MOST_KINDS} more kinds: --json shows all of them")
        fine = self.rows - len(self.rejected)
        skipped = f", {counted(blank, 'blank row')} skipped" if blank else ""
        lines.append(
            f"{sheet}: {counted(self.rows, 'row')}, {fine} fine, {len(self.rejected)} rejected{skipped}"
        )
        if not self.rows:
            lines.append("no rows yet: there is nothing to check below the header")
        if not self.rejected and self.rows:
            lines.append(f"next:   {shlex.join(['batchconnect', 'plan', sheet, *again])}")
        return [escape_control(line) for line in lines]


def _told(kind: FindingKind) -> list[str]:
    problem = kind.problem
    told = f"{problem.severity}: {kind.where}: {kind.what}"
    lines = textwrap.wrap(told, 80, subsequent_indent="    ")
    if problem.severity is not Severity.NOTE:
        lines += textwrap.wrap(
            problem.remedy, 80, initial_indent="    -> ", subsequent_indent="       "
        )
    return lines
