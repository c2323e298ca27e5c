"""
The fixed sheet, `results.xlsx`: the user's own columns and rows, with what became of each row behind them.

The wrong cells are coloured and say why; the keys are blank, for no report holds one. With them filled in
again it is a sheet: `rerun --sheet results.xlsx` takes it back.
"""

import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Final

from batchconnect.ledger.entry import RunOpened
from batchconnect.model.column import Column
from batchconnect.model.outcome import Problem, Status, Works
from batchconnect.model.report_columns import PLACE_COLUMNS
from batchconnect.model.source_remedies import is_of_key
from batchconnect.model.value import replace
from batchconnect.reports.advice import placing
from batchconnect.reports.columns import cells_of, iso, sheet_cells_of
from batchconnect.reports.next_step import forgotten
from batchconnect.reports.result import Result, is_unfinished, lacks_key, reason_of, what_is_wrong
from batchconnect.reports.summary import Summary
from batchconnect.reports.workbook.layout import LAST_ROW, ShownRow, Tone, layout_of
from batchconnect.reports.workbook.workbook import Facts, RowsTab, render as draw

_TONES: Final = {
    Status.CREATED: Tone.GOOD,
    Status.EXISTING: Tone.GOOD,
    Status.FAILED: Tone.BAD,
    Status.REJECTED: Tone.BAD,
    Status.CONFLICT: Tone.BAD,
    Status.IN_DOUBT: Tone.LOOK,
    Status.NOT_ATTEMPTED: Tone.QUIET,
    Status.UPDATED: Tone.GOOD,
    Status.UNCHANGED: Tone.GOOD,
    Status.DELETED: Tone.GOOD,
    Status.KEPT: Tone.LOOK,
}
_WORKS_TONES: Final = {
    Works.YES: Tone.GOOD,
    Works.NO: Tone.BAD,
    Works.NOT_TESTED: Tone.LOOK,
}


def render(summary: Summary) -> Iterator[bytes]:
    """`results.xlsx`: every row at its own number, up to Excel's last one."""
    results = summary.rows()
    first = next(results, None)
    rows = chain(() if first is None else (first,), results)
    columns = summary.opened.columns
    are_several = summary.opened.places.are_several
    layout = layout_of(
        None if columns is None else {Column(name): place for name, place in columns.items()},
        summary.carried,
        places=PLACE_COLUMNS if are_several else (),
        # Rows from a program count from 1, and the header needs a line of its own.
        header_row=0 if first is not None and first.row < 2 else 1,  # noqa: PLR2004 - header's row
    )
    advice = placing(summary.place_flags)
    shown = (
        _several(rows, len(summary.carried), advice)
        if are_several
        else (_shown(result, advice) for result in rows)
    )
    yield from draw(
        [RowsTab(layout=layout, rows=shown)],
        about=lambda beyond: _facts(summary, beyond),
        created=datetime.fromtimestamp(summary.started_at_ms // 1000, UTC).replace(tzinfo=None),
    )


def _several(
    rows: Iterable[Result], width: int, advice: Callable[[str], str]
) -> Iterator[ShownRow]:
    """The rows of several sheets below each other, each with where it stands."""
    for number, result in enumerate(rows, 2):
        shown = _shown(result, advice)
        place = (result.sheet, result.worksheet, str(result.row))
        yield replace(shown, number=number, carried=(*cells_of(result, width), *place))


def _shown(result: Result, advice: Callable[[str], str]) -> ShownRow:
    works = result.works
    return ShownRow(
        number=result.row,
        cells=sheet_cells_of(result),
        carried=result.carried,
        status=str(result.status),
        tone=_TONES[result.status],
        works="" if works is None else works.replace("_", " "),
        works_tone=None if works is None else _WORKS_TONES[works],
        connection_id=result.connection_id or "",
        error=what_is_wrong(result),
        hint=advice(result.hint),
        problems=(*result.problems, *_at_key(result, advice)),
        wants_key=is_unfinished(result) and result.status is not Status.KEPT,
    )


def _at_key(result: Result, advice: Callable[[str], str]) -> Iterator[Problem]:
    """A connection that exists has all that the sheet says but the key: that is the cell to correct, if any."""
    if result.works is Works.NO and is_of_key(result.works_error or ""):
        yield Problem(
            code=result.works_error or "",
            column=Column.SERVICE_PRINCIPAL_KEY.value,
            cell=None,
            what=f"The connection does not work: {reason_of(result)}.",
            remedy=advice(result.hint),
        )
    elif lacks_key(result) and result.error_column == Column.SERVICE_PRINCIPAL_KEY:
        yield Problem(
            code=result.error_code or "",
            column=Column.SERVICE_PRINCIPAL_KEY.value,
            cell=None,
            what=result.error or "",
            remedy=advice(result.hint),
        )


def _again(opened: RunOpened, place: Sequence[str]) -> str:
    """The command that takes the workbook back; "" where none does."""
    match opened.command, opened.parent_run_id:
        case ("undo", _):
            return ""
        case ("run", _):
            words = f"rerun {opened.run_id} --sheet results.xlsx"
        case ("verify", str() as parent):
            words = f"rerun {parent} --sheet results.xlsx"
        case _:
            words = "rotate results.xlsx --failing"
    return shlex.join(["batchconnect", *words.split(), *place])


def _facts(summary: Summary, beyond: int) -> Facts:
    opened = summary.opened
    counts = ", ".join(f"{count} {status}" for status, count in summary.counts.items() if count)
    works = ", ".join(
        f"{count} {word.value.replace('_', ' ')}"
        for word in Works
        if (count := summary.works.get(word))
    )
    mode = " (simulated)" if opened.simulated else ""
    again = _again(opened, summary.place_flags)
    lost = " and ".join(forgotten(summary))
    kept = f" and the {lost} of this run again" if lost else ""
    how = f"with this file's path{kept}"
    todo = f"Correct the red cells, fill in the keys, save, and run, {how}: {again}"
    facts = [
        (
            opened.command.capitalize(),
            f"{opened.run_id}{mode}, by batchconnect {opened.tool_version}".rstrip(", "),
        ),
        ("Sheet", ", ".join(opened.places.known)),
        ("Started", iso(summary.started_at_ms) or ""),
        ("Host", opened.platform_host),
        ("By", " on ".join(part for part in (opened.operator, opened.machine) if part)),
        ("Note", opened.note),
        ("Rows", f"{summary.total}: {counts}" if counts else "0"),
        ("Works", works),
        ("What to do", todo if again else ""),
    ]
    if beyond:
        text = f"{beyond:,} rows are not here: Excel ends at row {LAST_ROW:,}. results.csv has all."
        facts.insert(0, ("Not complete", text))
    return [(label, text) for label, text in facts if text]
