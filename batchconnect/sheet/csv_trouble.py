"""
What is wrong with a text whose cells do not stand where they should, in words that name the cause.

No text of a line is ever shown: columns get shifted, and any cell may be the key.
"""

import csv
import re
from collections.abc import Iterator, Sequence

from batchconnect.model.errors import SheetError
from batchconnect.sheet.header import SURE, read

DELIMITERS = (",", ";", "\t", "|")
"""Looked for in a sheet that does not say `sep=`."""

_OTHERS = ("^", "~", ":", "\x1f", "\xa6", "#", "/", "\uff0c", "\u060c", "  ")
"""Seen as delimiters elsewhere, and never taken for one here."""
_SWALLOWED = 5
"""Delimiters inside one cell that goes over several lines: as many as the shortest row of ours has."""
_CREDENTIAL = re.compile(r"https?://|[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")
_QUOTE_BEHIND_BLANKS = re.compile(r'[ \u00a0]+"')
_CTRL_Z = "\x1a"
_WRITE_DELIMITERS = (
    "Write a delimiter for each cell, blank ones too. Excel leaves some out at the "
    "end of rows: save the sheet as XLSX, or move a column without blanks to the end."
)
_FEW = 2
"""Filled cells of a line that is no row, but a total, a footer or a remark."""


def hidden_columns(
    head: Sequence[tuple[int, int, Sequence[str]]], *, tried: Sequence[str], place: str
) -> SheetError | None:
    """
    Say why no column is seen in a text that has some.

    Args:
        head: Line, row number and cells of the first rows.
        tried: The delimiters that were looked for.
        place: The sheet, for messages.

    Returns:
        None where no delimiter shows columns of ours.
    """
    for line, _, cells in head:
        filled = [cell for cell in cells if cell.strip()]
        if len(filled) != 1:
            continue
        for delimiter in (*DELIMITERS, *_OTHERS):
            if len(read(_parts(filled[0], delimiter)).known) >= SURE:
                return _hidden(delimiter, tried=tried, place=f"{place}, line {line}")
    return None


def looked_for(tried: Sequence[str]) -> str:
    """The delimiters that were looked for, as a sentence."""
    if len(tried) == 1:
        return f"The line `sep=` says that {named(tried[0])} stands between the cells."
    *most, last = map(named, tried)
    return f"What may stand between the cells: {', '.join(most)} or {last}."


def named(delimiter: str) -> str:
    """A delimiter as a person reads it."""
    if not delimiter.strip(" \t"):
        return "a tab" if delimiter == "\t" else "blanks"
    return f"`{delimiter}`" if delimiter.isprintable() else f"the character {ord(delimiter):#04x}"


def _hidden(delimiter: str, *, tried: Sequence[str], place: str) -> SheetError:
    if delimiter in tried:
        return SheetError(
            f"{place}: the line is one quoted cell, so no {named(delimiter)} in it separates cells",
            hint="Quotes were put around whole lines, as when a CSV was exported once more as one column. "
            "Remove the quotes around the lines, or export the sheet again as `CSV UTF-8`.",
        )
    if len(tried) == 1:
        return SheetError(
            f"{place}: the columns are separated by {named(delimiter)}, but line 1 says that "
            f"{named(tried[0])} separates them",
            hint="Correct the line `sep=`, or delete it.",
        )
    return SheetError(
        f"{place}: the columns seem to be separated by {named(delimiter)}",
        hint=f"{looked_for(tried)} Export the sheet again as `CSV UTF-8`.",
    )


def _parts(text: str, delimiter: str) -> list[str]:
    if len(delimiter) > 1:
        return re.split(r"\s{2,}", text)
    try:
        return next(csv.reader((text,), delimiter=delimiter), [])
    except csv.Error:
        return text.split(delimiter)


def too_few(cells: Sequence[str], *, delimiter: str) -> tuple[str, str]:
    """
    Why a line has fewer cells than the header: what it is, after its place, and what to do.

    Args:
        cells: At least one of them is not blank.
        delimiter: Of the sheet.
    """
    filled = [cell.strip() for cell in cells if cell.strip()]
    if filled == [_CTRL_Z]:
        return "this is the end mark of old DOS programs (Ctrl-Z), not a row", "Delete this line."
    if len(cells) == 1 and delimiter in filled[0]:
        return (
            "the line is one quoted cell",
            "Remove the quotes around the whole line; a cell that holds the delimiter has its own.",
        )
    for other in DELIMITERS:
        if len(cells) == 1 and filled[0].count(other) >= _SWALLOWED:
            return (
                f"its cells are separated by {named(other)}, those of the header by {named(delimiter)}",
                "Separate all lines alike.",
            )
    if any("\n" in cell or "\r" in cell for cell in cells):
        return (
            "a quoted cell of it goes over several lines",
            "Look for a quote too many or too few in this row: it may swallow those below it.",
        )
    if len(filled) <= _FEW:
        return (
            f"{_cells(len(filled))} filled in: a total, a footer or a remark, it seems, not a row",
            "Delete this line, or fill in its cells. Where it belongs to the sheet, keep it elsewhere.",
        )
    return "", _WRITE_DELIMITERS


def _cells(count: int) -> str:
    return "only one cell is" if count == 1 else f"only {count} cells are"


def too_many(cells: Sequence[str]) -> tuple[str, str]:
    """As `too_few`, of a line that has more cells than the header."""
    if any(_QUOTE_BEHIND_BLANKS.match(cell) for cell in cells):
        return (
            "a blank stands before a quote, so the quote encloses nothing",
            'Remove the blanks between delimiter and quote: `,"Acme, Inc."`, not `, "Acme, Inc."`.',
        )
    return "", 'A cell that holds the delimiter needs quotes: `"Acme, Inc."`.'


def quoted_behind_blanks(header: Sequence[object]) -> bool:
    """Whether the cells of a header stand in quotes that a blank before them makes part of the cell."""
    return any(isinstance(cell, str) and _QUOTE_BEHIND_BLANKS.match(cell) for cell in header)


def swallowed(cells: Sequence[str], delimiter: str) -> Iterator[int]:
    """Positions of the cells that hold whole rows, credentials among them: a quote too many or too few."""
    for position, cell in enumerate(cells):
        has_lines = "\n" in cell or "\r" in cell
        if has_lines and cell.count(delimiter) >= _SWALLOWED and _CREDENTIAL.search(cell):
            yield position
