"""Drift as a file, for who works through it: a line for each row or connection that parts from the other side."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from batchconnect.reports.csv import BOM, lines
from batchconnect.reports.workbook.layout import cut
from batchconnect.reports.workbook.styles import OWN_HEADING_INK, WIDTHS
from batchconnect.reports.workbook.workbook import drawn
from batchconnect.run.export.drift import Drift

COLUMNS: Final = ("drift", "row", "name", "org", "sandbox", "connection_id", "columns", "why")


def cells_of(drift: Drift) -> list[str]:
    """One line of it."""
    return [
        drift.kind.value,
        "" if drift.row is None else str(drift.row),
        drift.name,
        drift.org,
        drift.sandbox,
        drift.connection_id,
        " ".join(drift.columns),
        drift.why,
    ]


def render_csv(drift: Sequence[Drift]) -> Iterator[bytes]:
    """As CSV, with formulas quoted as in our reports."""
    yield BOM + lines([COLUMNS, *map(cells_of, drift)])


def render_xlsx(drift: Sequence[Drift]) -> Iterator[bytes]:
    """As a workbook, every cell a text."""

    def draw(book: Any) -> Iterator[bytes]:
        sheet = book.add_worksheet("drift")
        text = {"num_format": "@", "valign": "top"}
        plain = book.add_format(text)
        head = book.add_format({**text, "bold": True, **OWN_HEADING_INK})
        for position, name in enumerate(COLUMNS):
            sheet.set_column(position, position, WIDTHS.get(name, 16), plain)
            sheet.write_string(0, position, name, head)
        for index, one in enumerate(drift, 1):
            for position, cell in enumerate(cells_of(one)):
                sheet.write_string(index, position, cut(cell), plain)
            yield b""
        sheet.freeze_panes(1, 0)
        sheet.autofilter(0, 0, len(drift), len(COLUMNS) - 1)

    yield from drawn(draw)
