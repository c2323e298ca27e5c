"""
One line of the sheet, every cell as it was typed.

Nothing is judged here. A cell of the key column is a `Secret` from its first moment; a cell that a
workbook holds as something other than text says so instead of giving a value that a reader guessed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from batchconnect.model.column import Column
from batchconnect.model.secret import Secret


@dataclass(frozen=True, slots=True)
class NotText:
    """A cell that a workbook does not hold as text; what was typed can no longer be known."""

    kind: str
    """
    `number`, `date`, `boolean`, `error`, `formula` (one without a stored text), `merged` (what a merged
    cell covers), `text with a tab`, `text with a line break` or `text with marks` (ODS), `misread` (a
    text of XLS or XLSB that its reader takes for another), `unclear` (two readers do not see the same), or
    `secret` (from Python, in a column that holds none).
    """


Cell = str | Secret | NotText


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the sheet with its number as the user's spreadsheet shows it."""

    number: int
    """1-based; the header most often is row 1. Blank rows count, as they do in a spreadsheet."""
    cells: Mapping[Column, Cell]
    """The known columns that the sheet has; a blank cell is `""`. The key's cell is a `Secret`."""
    carried: tuple[str, ...] = ()
    """The texts of the unknown columns, in the order of `Header.carried`."""
    offset: int = 0
    """Where to find the row again with `Sheet.at`; opaque to everyone but the sheet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Which position of the sheet holds which column."""

    row_number: int
    """The header's own row, 1-based."""
    columns: Mapping[Column, int]
    """Position of each known column, 0-based."""
    carried: tuple[str, ...] = ()
    """Unknown columns, carried into the reports, as typed; none of them looks like a secret."""
    carried_at: tuple[int, ...] = ()
    """Position of each of them."""

    def address(self, column: Column, row_number: int) -> str | None:
        """The cell as a spreadsheet names it, as `G12`; None where the sheet lacks the column."""
        position = self.columns.get(column)
        return None if position is None else f"{letters(position)}{row_number}"


def letters(position: int) -> str:
    """The spreadsheet's name of a 0-based column position: 0 is `A`, 26 is `AA`."""
    name = ""
    position += 1
    while position:
        position, rest = divmod(position - 1, 26)
        name = chr(ord("A") + rest) + name
    return name
