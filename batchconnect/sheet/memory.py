"""
A sheet that a program holds: mappings or a pandas DataFrame, for those who call us from Python.

The same rules hold as for a file: a value of ours is a text (or a `Secret`), or the row is refused.
"""

import hashlib
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from batchconnect.model.column import Column
from batchconnect.model.errors import SheetError
from batchconnect.model.row import Cell, Header, NotText, Row
from batchconnect.model.secret import MASK, Secret
from batchconnect.model.value import replace
from batchconnect.sheet.block import Block
from batchconnect.sheet.header import NOTHING_RENAMED, Renamed, find
from batchconnect.sheet.layout import is_blank
from batchconnect.sheet.not_text import kind_and_text

_HEADER_ROW = 0
"""The rows count from 1: there is no line above them."""


class MemorySheet:
    """
    Rows in memory.

    Args:
        rows: Mappings from header to value, or a DataFrame, of whose index the named levels are columns too.
            None and NaN are blank. They are taken at once, so a generator will do.
        name: For messages and reports.
        renamed: What `--map` says.
    Raises:
        SheetError: A column is missing, or two mean the same.
    """

    def __init__(
        self,
        rows: Iterable[Mapping[str, object]],
        *,
        name: str = "rows",
        renamed: Renamed = NOTHING_RENAMED,
    ) -> None:
        self.name = name
        self.blank_rows = 0
        self.template_rows = 0
        titles, table = _table(rows)
        self._layout = find(
            [(_HEADER_ROW, titles)], place=name, line=lambda _: f"{name}, columns", renamed=renamed
        )
        columns = {position: column for column, position in self._layout.header.columns.items()}
        self._rows = [
            [_cell(value, columns.get(position)) for position, value in enumerate(values)]
            for values in table
        ]
        self.sha256 = _digest(titles, self._rows)

    @property
    def header(self) -> Header:
        """Which position holds which column."""
        return self._layout.header

    @property
    def warnings(self) -> tuple[str, ...]:
        """One line for each column that is not carried."""
        return self._layout.warnings

    def rows(self) -> Iterator[Row]:
        """Every row that is not blank, in the order given."""
        self.blank_rows = self.template_rows = 0
        for offset in range(len(self._rows)):
            row = self._row(offset)
            if row is None:
                self.blank_rows += 1
                self.template_rows += not is_blank(self._rows[offset])
            else:
                yield row

    def blocks(self) -> Iterator[Block | Row]:
        """The same: what a program holds may be no text."""
        return self.rows()

    def at(self, offset: int) -> Row:
        """
        A row once more.

        Raises:
            SheetError: The row is blank.
        """
        row = self._row(offset)
        if row is None:
            raise SheetError(f"{self.name}: row {offset + 1} is blank")
        return row

    def leave_out(self, carried: Collection[int], *, warnings: Sequence[str]) -> None:
        """Read some of the carried columns no more."""
        self._layout = self._layout.without(carried)
        self._layout = replace(self._layout, warnings=(*self._layout.warnings, *warnings))

    def close(self) -> None:
        """Let go of every cell."""
        self._rows = []

    def _row(self, offset: int) -> Row | None:
        return self._layout.row(offset + 1, self._rows[offset], offset)


def _table(
    rows: Iterable[Mapping[str, object]],
) -> tuple[list[str], list[Sequence[object]]]:
    """The titles, and each row's values in their order."""
    pandas = sys.modules.get("pandas")  # whoever has a DataFrame has imported it already
    if pandas is not None and isinstance(rows, pandas.DataFrame):
        # `read_csv(…, index_col="name")`, or a group of `groupby`: what has a name is a column, wherever it is kept.
        levels = [one for one in rows.index.names if one is not None and one not in rows.columns]
        frame = rows.reset_index(level=levels) if levels else rows
        titles = [str(column) for column in frame.columns]
        return titles, list(frame.itertuples(index=False, name=None))
    mappings = list(rows)
    for number, row in enumerate(mappings, start=1):
        if not isinstance(row, Mapping):
            raise SheetError(
                f"row {number} is a {type(row).__name__}, not a mapping from column to value",
                hint="Give each row as a dict: {'name': 'Acme', 'endpoint': ...}.",
            )
    keys = list(dict.fromkeys(key for row in mappings for key in row))
    return [str(key) for key in keys], [[row.get(key) for key in keys] for row in mappings]


def _cell(value: object, column: Column | None) -> Cell:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Secret):
        if column is Column.SERVICE_PRINCIPAL_KEY:
            return value
        return MASK if column is None else NotText("secret")
    # NaN differs from itself; pandas' own two say so by their names.
    if value is None or type(value).__name__ in {"NAType", "NaTType"} or value != value:  # noqa: PLR0124
        return ""
    kind, text = kind_and_text(value)
    return text if column is None else NotText(kind)


def _digest(titles: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """SHA-256 over every cell, each with its length and its sort."""
    digest = hashlib.sha256()
    for cells in (titles, *rows):
        digest.update(len(cells).to_bytes(4, "big"))
        for cell in cells:
            text = cell.reveal() if isinstance(cell, Secret) else str(cell)
            raw = text.encode("utf-8", "surrogatepass")
            sort = b"n" if isinstance(cell, NotText) else b"t"
            digest.update(sort + len(raw).to_bytes(4, "big") + raw)
    return digest.hexdigest()
