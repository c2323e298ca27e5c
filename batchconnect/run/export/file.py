"""What stands there as a new file, a sheet in the template's form; or the drift, as a table."""

import shlex
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

from batchconnect.model.column import Column
from batchconnect.model.errors import UsageError
from batchconnect.reports.new_file import refuse_existing, write_new
from batchconnect.run.export import drift_table, filled_template
from batchconnect.run.export.export import Exported
from batchconnect.run.export.export_run import Export
from batchconnect.sheet.template import is_template_row

_FIRST_ROW: Final = 2
"""Of the sheet that is written, below its header."""


def check_out(out: Path) -> None:
    """
    See that an export can be written to a file, before anything is asked of anybody.

    Raises:
        UsageError: It is neither CSV nor a workbook, or something stands there.
    """
    _form(out)
    refuse_existing(out)


def write_export(out: Path, found: Export, *, usage: bool, keep_target: bool) -> None:
    """
    Write the drift, where a sheet was compared; else the connections as a sheet, keys blank.

    Args:
        out: A new file, as `check_out` saw it.
        found: What was found.
        usage: Whether it was counted who uses each connection.
        keep_target: Fill in where each stands.

    Raises:
        UsageError: The file exists by now or cannot be written, or a workbook has too few rows.
    """
    is_workbook = _form(out) == ".xlsx"
    if found.drift is not None:
        draw = drift_table.render_xlsx if is_workbook else drift_table.render_csv
        write_new(out, draw(found.drift))
        return
    count = sum(len(one.rows) for one in found.sandboxes)
    if is_workbook and count > filled_template.MOST_IN_WORKBOOK:
        raise UsageError(
            f"{out}: {count:,} connections are more than a workbook has rows",
            hint=f"batchconnect export {shlex.quote(str(out.with_suffix('.csv')))}",
        )
    cells = partial(filled_template.cells_of, keep_target=keep_target, usage=usage)
    rows = (cells(row) for _, row in _exported(found))
    render = filled_template.render_xlsx if is_workbook else filled_template.render_csv
    write_new(out, render(rows, usage=usage))


def odd_cells(found: Export) -> Iterator[tuple[int, str, str]]:
    """Cells of the sheet that are not as they stand there: row of the sheet, column, why."""
    for number, row in _exported(found):
        for column in row.repeats:
            yield number, column.value, "it repeats a credential, so it is left blank"
        for column, text in row.cells.items():
            if not filled_template.holds(text):
                yield number, column.value, "no cell of a sheet holds it, so it is left blank"
        if is_template_row(row.cells.get(Column.NAME, "")):
            yield (
                number,
                Column.NAME.value,
                "it begins as a row of the template, which readers skip",
            )


def _exported(found: Export) -> Iterator[tuple[int, Exported]]:
    """Every connection, with the row that it gets."""
    yield from enumerate((row for one in found.sandboxes for row in one.rows), _FIRST_ROW)


def _form(out: Path) -> str:
    form = out.suffix.lower()
    if form not in {".csv", ".xlsx"}:
        raise UsageError(
            f"{out}: an export is written as .csv or .xlsx",
            hint=f"batchconnect export {shlex.quote(str(out.with_suffix('.xlsx')))}",
        )
    return form
