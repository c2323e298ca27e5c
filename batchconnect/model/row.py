"""
One line of the sheet, every cell as it was typed.

Nothing is judged here. A cell of the key column is a `Secret` from its first moment; a cell that a
workbook holds as something other than text says so instead of giving a value that a reader guessed.
"""

from collections.abc import Iterable, Mapping

from batchconnect.model.column import Column
from batchconnect.model.row_place import own_number, place_of
from batchconnect.model.secret import Secret
from batchconnect.model.value import Value


class NotText(Value, kw_only=False):
    """A cell that a workbook does not hold as text; what was typed can no longer be known."""

    kind: str
    """
    `number`, `date`, `boolean`, `error`, `formula` (one without a stored text), `merged` (what a merged
    cell covers), `text with a tab`, `text with a line break` or `text with marks` (ODS), `misread` (a
    text of XLS or XLSB that its reader takes for another), `letters by number` (XLSX), `unclear` (two readers do not see the same), or
    `secret` (from Python, in a column that holds none).
    """


Cell = str | Secret | NotText


class Row(Value, kw_only=False):
    """One line of the sheet with its number as the user's spreadsheet shows it."""

    number: int
    """
    1-based; the header most often is row 1. Blank rows count, as they do in a spreadsheet. Where a run has several
    sheets, the place of the row's own stands above it: `model.row_place`.
    """
    cells: Mapping[Column, Cell]
    """The known columns that the sheet has; a blank cell is `""`. The key's cell is a `Secret`."""
    carried: tuple[str, ...] = ()
    """The texts of the unknown columns, in the order of `Header.carried`."""
    offset: int = 0
    """Where to find the row again with `Sheet.at`; opaque to everyone but the sheet."""


class Header(Value):
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

    def row_address(self, row_number: int) -> str | None:  # noqa: ARG002 - see below
        """The row as a spreadsheet names it, where its number alone does not tell it; None: it does."""
        return None

    def span(self, column: Column, first: int, last: int) -> str:
        """Cells of a column below each other, as `G12:G14`."""
        return f"{self.address(column, first)}:{letters(self.columns[column])}{last}"

    def told(self, numbers: Iterable[int]) -> str:
        """Rows for a person, as `row 12` or `rows 12, 14`."""
        shown = list(map(str, numbers))
        return f"row{'s' if len(shown) > 1 else ''} {', '.join(shown)}"

    def told_span(self, first: int, last: int) -> str:
        """Rows below each other, as `rows 12 to 14`."""
        return f"rows {first} to {last}"


class SeveralHeaders(Header):
    """
    The headers of several sheets that make one run.

    Known and carried columns are those of any of them; a position is that of the first sheet that has the column.
    """

    parts: tuple[Header, ...]
    labels: tuple[str, ...]
    """What a person calls each sheet: its tab, or its file."""

    def address(self, column: Column, row_number: int) -> str | None:
        """The cell as a spreadsheet names it in another sheet, as `EMEA!G12`."""
        place = place_of(row_number)
        cell = self.parts[place].address(column, own_number(row_number))
        return None if cell is None else f"{self.labels[place]}!{cell}"

    def row_address(self, row_number: int) -> str:
        """The row as a spreadsheet names it in another sheet, as `EMEA!12:12`."""
        own = own_number(row_number)
        return f"{self.labels[place_of(row_number)]}!{own}:{own}"

    def span(self, column: Column, first: int, last: int) -> str:
        """Cells of one sheet, as `EMEA!G12:G14`."""
        at = letters(self.parts[place_of(first)].columns[column])
        return f"{self.address(column, first)}:{at}{own_number(last)}"

    def told(self, numbers: Iterable[int]) -> str:
        """Rows with their sheets, as `rows 12, 14 of EMEA, row 3 of APAC`."""
        by_place: dict[int, list[int]] = {}
        for number in numbers:
            by_place.setdefault(place_of(number), []).append(own_number(number))
        return ", ".join(
            f"{Header.told(self, own)} of {self.labels[place]}" for place, own in by_place.items()
        )

    def told_span(self, first: int, last: int) -> str:
        """Rows of one sheet, as `rows 12 to 14 of EMEA`."""
        own = Header.told_span(self, own_number(first), own_number(last))
        return f"{own} of {self.labels[place_of(first)]}"


def letters(position: int) -> str:
    """The spreadsheet's name of a 0-based column position: 0 is `A`, 26 is `AA`."""
    name = ""
    position += 1
    while position:
        position, rest = divmod(position - 1, 26)
        name = chr(ord("A") + rest) + name
    return name
