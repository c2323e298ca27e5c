"""Offline: every problem of a sheet with its cell; nothing is sent, and no setting is needed."""

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from batchconnect.cli.options import Given, OutputOptions
from batchconnect.cli.screen.console import Console, counted
from batchconnect.cli.screen.finding_lines import error_lines, finding_lines
from batchconnect.cli.start import (
    judging_flags,
    options_of,
    place_flags,
    settings_of,
    sheet_flags,
    sheet_of,
)
from batchconnect.model.errors import ExitCode, UsageError
from batchconnect.model.escape import escape_control
from batchconnect.model.value import by_name
from batchconnect.reports.new_file import new_beside, refuse_existing, write_new
from batchconnect.run.validate_run import Findings, judging, validate_sheet
from batchconnect.sheet import STDIN, Sheet
from batchconnect.sheet.several import places_of


def run(
    output: OutputOptions,
    given: Given,
    *,
    sheets: Sequence[str],
    annotate: Path | None = None,
    keep_keys: bool = False,
) -> int:
    """Judge every row, and show what is wrong with it, on the screen and in a workbook."""
    console = Console(output)
    if annotate is not None:
        _check_new(annotate, sheets)
    keys_in = _folder_of_keys(sheets[0], annotate) if keep_keys else None
    settings = settings_of(given, os.environ, offline=True)
    options = options_of(settings, given)
    console.warn(settings.warnings)
    with sheet_of(sheets, options, console, checks_name=True) as opened:
        how = judging(
            opened, settings=settings, options=options, environ=os.environ, reads_once=True
        )
        found = validate_sheet(opened, how, options, keeps_each=console.json)
        if annotate is not None:
            # Whoever wants no workbook does not wait a fifth of a second for what writes one.
            from batchconnect.cli.files.annotate import annotated, beyond_words  # noqa: PLC0415 - brings xlsxwriter

            chunks = annotated(
                opened,
                how.judge,
                doubled=found.doubled,
                is_selected=how.is_selected,
                keys_in=keys_in,
                on_beyond=lambda beyond: console.warn([f"{annotate}: {beyond_words(beyond)}"]),
            )
            write_new(annotate, chunks)
    document = _document(found, opened)
    lines = [
        *finding_lines(found.kinds, width=console.width),
        *_lines(
            found,
            sheets,
            again=[*place_flags(given), *sheet_flags(given)],
            annotates=annotate is None and len(sheets) == 1 and sheets[0] != STDIN,
        ),
    ]
    if annotate is not None:
        document["annotated"] = str(annotate.absolute())
        tabs = ["--all-worksheets"] if places_of(opened).are_several else []
        flags = [*tabs, *place_flags(given), *judging_flags(given)]
        has_file = sheets[0] != STDIN
        lines += _next_steps(annotate, flags, has_keys=keep_keys, has_file=has_file)
    errors = error_lines(found.kinds, width=console.width)
    console.result(document, lines, errors=errors)
    if not how.checks_orgs:
        console.say("note: no org is set, so the org cells are not checked")
    return ExitCode.SHEET if found.rejected else ExitCode.OK


def _check_new(path: Path, sheets: Sequence[str]) -> None:
    if len(sheets) > 1:
        raise UsageError(
            f"--annotate {path}: one sheet is annotated at a time",
            hint="Give the command once for each, with an OUT.xlsx of its own.",
        )
    if path.suffix.lower() != ".xlsx":
        raise UsageError(
            f"--annotate {path}: the annotated sheet is an Excel workbook",
            hint=f"--annotate {shlex.quote(str(path.with_suffix('.xlsx')))}",
        )
    refuse_existing(path)


def _folder_of_keys(sheet: str, out: Path | None) -> Path:
    """
    Where a copy with keys is written: beside the sheet that has them, and nowhere else.

    Raises:
        UsageError: It would be written elsewhere, or there is no sheet to write it beside.
    """
    if out is None:
        raise UsageError(
            "--keep-keys without --annotate",
            hint="It keeps the keys in the copy that --annotate OUT.xlsx writes.",
        )
    if sheet == "-":
        raise UsageError(
            "--keep-keys with a sheet from standard input",
            hint="A copy with keys stands beside the sheet that has them: name the file.",
        )
    folder = Path(sheet).resolve().parent
    if out.absolute().parent.resolve() != folder:
        beside = Path(sheet).parent / out.name
        raise UsageError(
            f"--keep-keys --annotate {out}: a copy with keys stands beside its sheet, and nowhere else",
            hint=f"--annotate {shlex.quote(str(beside))}",
        )
    return folder


def _next_steps(path: Path, flags: Sequence[str], *, has_keys: bool, has_file: bool) -> list[str]:
    again = shlex.join(["batchconnect", "validate", str(path), *flags])
    keys = "WITH YOUR KEYS, for your eyes only (0600)" if has_keys else "without keys"
    kept = " (--keep-keys keeps them)" if has_file else ""
    fill_in = "" if has_keys else f"fill in the keys again{kept}, "
    return [
        escape_control(f"{path}: the sheet with its problems in colour, {keys}"),
        escape_control(f"        correct it, {fill_in}then: {again}"),
    ]


def _document(found: Findings, sheet: Sheet) -> dict[str, object]:
    """The result for programs: every finding."""
    places = places_of(sheet)
    return {
        "sheet": ", ".join(places.sheets),
        "sheets": [{"sheet": name, "worksheet": tab or None} for name, tab in places.named],
        "rows": found.rows,
        "blank_rows": found.blank_rows,
        "valid": found.rows - len(found.rejected),
        "rejected": len(found.rejected),
        "problems": [
            {**places.keys(number), **by_name(problem)} for number, problem in found.found
        ],
    }


def _lines(
    found: Findings, sheets: Sequence[str], *, again: Sequence[str], annotates: bool
) -> list[str]:
    """What the findings add up to, for a person."""
    fine = found.rows - len(found.rejected)
    blank = found.blank_rows
    skipped = f", {counted(blank, 'blank row')} skipped" if blank else ""
    named = ", ".join(sheets)
    lines = [
        f"{named}: {counted(found.rows, 'row')}, {fine} fine, {len(found.rejected)} rejected{skipped}"
    ]
    if not found.rows:
        lines.append("no rows yet: there is nothing to check below the header")
    if found.rejected and annotates:
        annotating = ["validate", sheets[0], "--annotate", new_beside(sheets[0])]
        lines.append(f"next:   {shlex.join(['batchconnect', *annotating, *again])}")
    if not found.rejected and found.rows:
        lines.append(f"next:   {shlex.join(['batchconnect', 'plan', *sheets, *again])}")
    return [escape_control(line) for line in lines]
