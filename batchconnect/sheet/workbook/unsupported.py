"""
What a second look at a workbook's own data finds, since calamine shows these cells as blank.

A blank cell lets a default speak for it; an error, a formula without a value or the covered part of a
merged cell must not.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from batchconnect.model.row import letters

FARTHEST = 20_000_000
"""Cells of the rectangle from A1 to the last cell; a reader reserves memory for each."""
MOST_MERGED = 200_000
"""Covered cells that are kept."""

TABBED = "text with a tab"
"""A kind: ODS only."""


class FarCellError(Exception):
    """A cell so far out that no reader can hold what lies before it; the text is its address."""


class ForbiddenXmlError(Exception):
    """XML with a document type: entities, external files. No spreadsheet writes it."""


@dataclass(slots=True)
class UnsupportedCells:
    """The unsupported cells of one tab: row, column (0-based) and kind, `error`, `formula` or `merged`."""

    kinds: dict[int, dict[int, str]] = field(default_factory=dict)
    last_row: int = -1
    """0-based, of the cells that hold something."""
    last_column: int = -1
    _merged: int = 0

    def saw(self, row: int, column: int, kind: str | None) -> None:
        """
        Note a cell that holds something.

        Raises:
            FarCellError: It lies too far out; nothing is noted.
        """
        last_row, last_column = max(self.last_row, row), max(self.last_column, column)
        if (last_row + 1) * (last_column + 1) > FARTHEST:
            raise FarCellError(f"{letters(column)}{row + 1}")
        self.last_row, self.last_column = last_row, last_column
        if kind is not None:
            self.kinds.setdefault(row, {})[column] = kind

    def merge(self, top: int, left: int, bottom: int, right: int) -> None:
        """Note a merged range: all of it but the first cell is covered. Call it after the cells."""
        for row in range(top, min(bottom, self.last_row) + 1):
            for column in range(left, min(right, self.last_column) + 1):
                if (row, column) != (top, left) and self._merged < MOST_MERGED:
                    self._merged += 1
                    self.kinds.setdefault(row, {}).setdefault(column, "merged")


Tabs = Mapping[str, UnsupportedCells]
"""By the name of the tab."""
