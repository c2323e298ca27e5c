"""
What a second look at a workbook's own data finds in a tab: which cells hold something, and which oddly.

A blank cell lets a default speak for it; an error, a formula without a value or the covered part of a
merged cell must not. So a cell that calamine shows as blank is blank for the look too, or is refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import reduce
from operator import or_

from batchconnect.model.row import letters

FARTHEST = 20_000_000
"""Cells of the rectangle around all that is filled; a reader reserves memory for each."""
MOST_BLANK = 4_000_000
"""Blank cells of a rectangle: some 128 MB that hold nothing. More need enough filled ones beside them."""
MOST_SPARSE = 8
"""Cells of the rectangle for each filled one, where more than `MOST_BLANK` are blank."""
MOST_MERGED = 200_000
"""Covered cells that are kept."""

TABBED, BROKEN, MARKED = "text with a tab", "text with a line break", "text with marks"
"""Kinds: ODS only."""
UNCLEAR = "unclear"
"""A kind: two looks at the cell do not see the same."""
MISREAD = "misread"
"""A kind: a text that calamine does not show as it stands there; XLS and XLSB only."""
WHITE = " \t\r\n\0"
"""What makes a cell blank to each look if nothing else stands in it; a space that does not break is a letter."""
BY_NUMBER = "letters by number"
"""A kind: `_x20AC_` stands in a text of XLSX for a letter that Excel shows and calamine does not."""
_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
"""Of byte order, at the beginning of a text: letters like any others in a cell."""


class FarCellError(Exception):
    """A cell so far out that no reader can hold what lies before it; the text is its address."""


class ForbiddenXmlError(Exception):
    """XML with a document type: entities, external files. No spreadsheet writes it."""


class NotInspectedError(Exception):
    """Calamine reads a tab that the look did not find, so nobody knows what it does not show."""


def is_misread(text: bytes, *, width: int) -> bool:
    """
    Whether calamine shows a text of XLS or XLSB as another one.

    Args:
        text: As it is stored: UTF-16, or in the workbook's code page.
        width: Bytes of a letter, 2 or 1.

    NOTE: It takes a mark of byte order for one wherever a text begins: off it goes, and what follows is read
    as that encoding. And half of a character becomes U+FFFD, also where a record ends within a pair.
    """
    if width == 1:
        return text.startswith(_MARKS)
    try:
        return text.decode("utf-16-le").startswith(("\ufeff", "\ufffe"))
    except UnicodeDecodeError:
        return True


@dataclass(slots=True)
class InspectedTab:
    """The cells of one tab; rows and columns count from 0."""

    kinds: dict[int, dict[int, str]] = field(default_factory=dict)
    """Row, column and kind of each cell that is refused, most of which calamine shows as blank."""
    filled: dict[int, int] = field(default_factory=dict)
    """Of each row with cells that hold something, a bit for each of them."""
    hidden: set[int] = field(default_factory=set)
    """Rows that nobody sees: hidden, filtered, collapsed or without height."""
    notes: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """Cells that are read as the spreadsheet shows them and not as they were written: row and column."""
    _merged: int = 0

    def saw(self, row: int, column: int, kind: str | None) -> None:
        """Note a cell that holds something."""
        seen, bit = self.filled.get(row, 0), 1 << column
        self.filled[row] = seen | bit
        if seen & bit:
            kind = UNCLEAR  # an address that comes twice
        if kind is not None:
            self.kinds.setdefault(row, {})[column] = kind

    def note(self, row: int, column: int, what: str) -> None:
        """Note a cell about which there is something to say."""
        self.notes.setdefault(what, []).append((row, column))

    def merge(self, top: int, left: int, bottom: int, right: int) -> None:
        """Note a merged range: all of it but the first cell is covered. Call it after the cells."""
        _, last_row, _, last_column = self._corners()
        for row in range(top, min(bottom, last_row) + 1):
            for column in range(left, min(right, last_column) + 1):
                if (row, column) != (top, left) and self._merged < MOST_MERGED:
                    self._merged += 1
                    self.kinds.setdefault(row, {}).setdefault(column, "merged")

    @property
    def last_row(self) -> int:
        """The last row that holds something; -1 where none does."""
        return max(self.filled, default=-1)

    def area(self) -> int:
        """Cells of the rectangle around all that is filled."""
        return _area(*self._corners())

    def count(self) -> int:
        """Cells that hold something."""
        return sum(map(int.bit_count, self.filled.values()))

    def far_cell(self) -> str:
        """The address of the cell that makes the rectangle too large; else of the last one."""
        far = (
            (row, column)
            for row, column, area, count in self._growth()
            if _is_too_large(area, count)
        )
        row, column = next(far, (self.last_row, self._corners()[3]))
        return f"{letters(column)}{row + 1}"

    def _corners(self) -> tuple[int, int, int, int]:
        columns = reduce(or_, self.filled.values(), 0)
        return min(self.filled, default=0), self.last_row, *_ends(columns)

    def _growth(self) -> Iterator[tuple[int, int, int, int]]:
        """Of each row: its last cell, and what the rectangle is down to it, and its filled cells."""
        count = columns = 0
        first_row = min(self.filled)
        for row in sorted(self.filled):
            mask = self.filled[row]
            count, columns = count + mask.bit_count(), columns | mask
            yield row, mask.bit_length() - 1, _area(first_row, row, *_ends(columns)), count


def check(*tabs: InspectedTab) -> None:
    """
    Look whether a reader can hold the rectangles around all that is filled, of all the tabs together.

    Raises:
        FarCellError: They are too large, or far too much of them is blank.
    """
    areas = [tab.area() for tab in tabs]
    if _is_too_large(sum(areas), sum(tab.count() for tab in tabs)):
        raise FarCellError(max(tabs, key=lambda tab: tab.area() - tab.count()).far_cell())


def _ends(columns: int) -> tuple[int, int]:
    """The first and the last bit that is set; -1 where none is."""
    return (columns & -columns).bit_length() - 1, columns.bit_length() - 1


def _area(top: int, bottom: int, left: int, right: int) -> int:
    return 0 if bottom < 0 else (bottom - top + 1) * (right - left + 1)


def _is_too_large(area: int, count: int) -> bool:
    return area > FARTHEST or (area - count > MOST_BLANK and area > MOST_SPARSE * count)
