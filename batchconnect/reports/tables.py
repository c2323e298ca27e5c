"""
The tables that the connections of a run see, as `tables.csv` and `tables.jsonl` in the run's folder.

Beside the reports and not one of them: what a source shows today is no function of the ledger.
"""

from collections.abc import Iterable, Iterator, Sequence

import orjson

from batchconnect.model.value import Value, by_name
from batchconnect.reports.csv import BOM, lines
from batchconnect.reports.fan_out import batches

COLUMNS = (
    "row",
    "connection_id",
    "path",
    "name",
    "column",
    "type",
    "maybe_cut",
    "error_code",
    "sheet",
    "worksheet",
)
"""Of `tables.csv`: a line for each table, with `--columns` for each column of it."""


class SeenColumn(Value):
    """One column of a table."""

    name: str
    type: str


class SeenTable(Value):
    """One table that a connection sees; or, without a path, that it sees none."""

    row: int
    """Of the sheet, as its run has it."""
    connection_id: str
    path: str | None = None
    """What the table is asked for by."""
    name: str | None = None
    columns: tuple[SeenColumn, ...] | None = None
    """None: nobody asked, or there was no answer."""
    maybe_cut: bool = False
    """The connection's list of tables has a length at which a service may cut it."""
    error_code: str | None = None
    """Why it could not be read: the connection's tables, or, with a path, this table's columns."""
    sheet: str = ""
    """The file that the row stands in; "" where that is not known."""
    worksheet: str = ""
    """The tab; "" of a sheet without tabs."""


def render_csv(tables: Iterable[SeenTable]) -> Iterator[bytes]:
    """`tables.csv`, for spreadsheets."""
    yield BOM + lines([COLUMNS])
    for batch in batches(tables):
        yield lines([record for table in batch for record in _records(table)])


def _records(table: SeenTable) -> Iterator[Sequence[str | int | None]]:
    head = (table.row, table.connection_id, table.path, table.name)
    tail = ("yes" if table.maybe_cut else "no", table.error_code, table.sheet, table.worksheet)
    for column in table.columns or (None,):
        name, kind = (None, None) if column is None else (column.name, column.type)
        yield (*head, name, kind, *tail)


def render_jsonl(tables: Iterable[SeenTable]) -> Iterator[bytes]:
    """`tables.jsonl`: one object per table."""
    for batch in batches(tables):
        yield b"".join(orjson.dumps(table, by_name, orjson.OPT_APPEND_NEWLINE) for table in batch)


FORMATS = {"tables.csv": render_csv, "tables.jsonl": render_jsonl}
"""Every file of an exploration by name."""
