"""
The template, filled with what stands somewhere: a sheet that makes the same connections where it is run.

Every cell is a text that our reader gives back as it stands there. Keys are blank, since no service shows
them, and so is where to: what a sheet says of that would win over `--org` and `--sandbox`.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from batchconnect.model.column import Column
from batchconnect.model.report_columns import EXPORT_COLUMNS, FORMULA_QUOTES, USED_BY
from batchconnect.reports.columns import iso
from batchconnect.reports.csv import BOM, lines, quote_formula
from batchconnect.reports.fan_out import batches
from batchconnect.reports.workbook.layout import LAST_ROW, fits
from batchconnect.reports.workbook.styles import KEY_INK, OWN_HEADING_INK
from batchconnect.reports.workbook.template import draw_head
from batchconnect.reports.workbook.workbook import drawn
from batchconnect.run.export.export import Exported

MOST_IN_WORKBOOK: Final = LAST_ROW - 1
"""Rows below the header, up to Excel's last one."""
_KEY: Final = list(Column).index(Column.SERVICE_PRINCIPAL_KEY)
_WIDTH: Final = 24

Cells = Sequence[str]
"""Of one row, in the order of the columns."""


def columns(*, usage: bool) -> tuple[str, ...]:
    """
    The columns of the sheet.

    Args:
        usage: Whether it was counted who uses each connection.
    """
    return (*(column.value for column in Column), *EXPORT_COLUMNS, *([USED_BY] if usage else []))


def holds(text: str) -> bool:
    """Whether a cell of a sheet gives a text back as it is, in a CSV and in a workbook alike."""
    # Line breaks and controls alone are a blank cell to one reader of workbooks, and none to another.
    is_blank_to_some = text.isspace() and not text.isprintable()
    return "\0" not in text and fits(text) and not is_blank_to_some


def cells_of(row: Exported, *, keep_target: bool, usage: bool) -> list[str]:
    """
    The cells of one connection, but for what a cell cannot hold.

    Args:
        row: The connection.
        keep_target: Fill in where it stands, so that the sheet is run there whatever the options say.
        usage: As of `columns`.
    """
    found = row.standing
    target = {Column.ORG: row.org, Column.SANDBOX: row.sandbox} if keep_target else {}
    cells = {**row.cells, **target}
    own = (
        found.state or "",
        _time(found.created_at_ms),
        _time(found.updated_at_ms),
        found.id,
        "no" if found.marker is None else "yes",
        row.org,
        row.sandbox,
        *([""] if usage and row.used_by is None else [str(row.used_by)] if usage else []),
    )
    texts = (*(cells.get(column, "") for column in Column), *own)
    return [text if holds(text) else "" for text in texts]


def _time(at_ms: int | None) -> str:
    try:
        return iso(at_ms) or ""
    except OverflowError:
        return ""  # no time that a calendar has


def render_csv(rows: Iterable[Cells], *, usage: bool) -> Iterator[bytes]:
    """The sheet as CSV: UTF-8 with a byte order mark, formulas quoted, and said in which rows."""
    yield BOM + lines([[*columns(usage=usage), FORMULA_QUOTES]])
    for batch in batches(rows):
        yield lines([[*cells, "yes" if _has_formula(cells) else "no"] for cells in batch])


def _has_formula(cells: Cells) -> bool:
    return any(quote_formula(text) != text for text in cells)


def render_xlsx(rows: Iterable[Cells], *, usage: bool) -> Iterator[bytes]:
    """The sheet as a workbook with one tab, every cell a text; nothing is quoted there."""

    def draw(book: Any) -> Iterator[bytes]:
        sheet = book.add_worksheet("connections")
        plain = draw_head(book, sheet)
        text = {"num_format": "@", "valign": "top"}
        own = book.add_format({**text, "bold": True, "border": 1, **OWN_HEADING_INK})
        wanted = book.add_format({**text, **KEY_INK})
        names = columns(usage=usage)
        for position, name in enumerate(names[len(Column) :], len(Column)):
            sheet.set_column(position, position, _WIDTH, plain)
            sheet.write_string(0, position, name, own)
        last = 0
        for last, cells in enumerate(rows, 1):
            for position, cell in enumerate(cells):
                if cell:
                    sheet.write_string(last, position, cell, plain)
            sheet.write_blank(last, _KEY, None, wanted)
            yield b""
        sheet.autofilter(0, 0, last, len(names) - 1)

    yield from drawn(draw)
