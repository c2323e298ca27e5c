"""
A workbook's plain row, written as the XML that it is, past XlsxWriter's cells.

Cell by cell the library takes 9 us each, most of what all reports cost. A row without comments and odd
characters needs none of its care: put together at once, it takes a tenth. Its bytes are those that the
library writes; whatever is not plain is left to it.
"""

from collections.abc import Sequence
from typing import Any, Final

from batchconnect.model.row import letters
from batchconnect.reports.workbook.layout import LONGEST_TEXT

_SEAM: Final = "|"
_BLANK_BEFORE, _BLANK_BEHIND = f"{_SEAM} ", f" {_SEAM}"


class PlainRow:
    """
    Writes rows of one kind, each below the one before.

    Args:
        sheet: XlsxWriter's worksheet, in its `constant_memory` mode.
        styles: Formats of the cells, from the first column on.
        blank: The column whose empty cell is drawn all the same; None: there is none.
    """

    def __init__(self, sheet: Any, styles: Sequence[Any], *, blank: int | None = None) -> None:
        self._sheet = sheet
        self._styles = styles
        self._blank = blank
        self._cells: list[tuple[str, str]] = []
        """What stands before and behind the row's number in each."""
        self._texts: list[tuple[str, str]] = []
        """The same of one that has a text."""

    def write(self, index: int, texts: Sequence[str]) -> bool:
        """
        Write a row; False: it is not plain, and nothing of it was written.

        Args:
            index: The row's, 0-based.
            texts: One for each cell; where it is "", there is no cell.
        """
        joined = _SEAM.join(("", *texts, ""))
        # What has to be escaped, or looks as if it were; and blanks at a text's ends. All else that the
        # library spells in its own way is not printable.
        if (
            not joined.isprintable()
            # A character may count twice in Excel's limit, so half of it is always safe.
            or len(joined) > LONGEST_TEXT // 2
            # In a row of `or`s: a loop over them takes 1 us.
            or "<" in joined
            or ">" in joined
            or "_x" in joined
            or _BLANK_BEFORE in joined
            or _BLANK_BEHIND in joined
        ):
            return False
        if "&" in joined:
            texts = [text.replace("&", "&amp;") for text in texts]
        self._sheet._write_single_row(index)  # noqa: SLF001 - what it still holds of the row above
        # The library numbers a format when it first writes it: not before the row above is written.
        self._cells = self._cells or [
            (f'<c r="{letters(column)}', f'" s="{style._get_xf_index()}"')  # noqa: SLF001 - likewise
            for column, style in enumerate(self._styles)
        ]
        self._texts = self._texts or [
            (begin, f'{style} t="inlineStr"><is><t>') for begin, style in self._cells
        ]
        number = index + 1
        cells = [
            f"{begin}{number}{style}{text}</t></is></c>" if text else ""
            for (begin, style), text in zip(self._texts, texts, strict=True)
        ]
        if self._blank is not None:
            begin, style = self._cells[self._blank]
            cells[self._blank] = f"{begin}{number}{style}/>"
        self._sheet.fh.write(f'<row r="{number}">{"".join(cells)}</row>')
        self._sheet.dim_rowmax = index
        return True


def is_known(sheet: Any, style: Any) -> bool:
    """Whether the library is one with these rooms inside; another one draws all rows itself, slower."""
    rooms = all(hasattr(sheet, name) for name in ("_write_single_row", "fh", "dim_rowmax"))
    return rooms and hasattr(style, "_get_xf_index")
