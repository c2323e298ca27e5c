"""
Rows that were read together: a sheet may have a million, and whatever is made for each of them a million pay for.

What surely is fine is told by whole columns; a `Row` is only made of those that somebody has to look at.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from batchconnect.model.row import Row
from batchconnect.model.value import Value

Make = Callable[[int, Sequence[str], int], Row | None]
"""Makes a row of its number, its cells and its place; None: it is blank, or the template's own, and is counted so."""


class Block(Value, kw_only=False):
    """Rows below each other, every cell a text as it was typed, without a NUL; blank rows may be among them."""

    numbers: Sequence[int]
    """Of the rows, in ascending order."""
    columns: Sequence[Sequence[str]]
    """The cells of each position of the sheet, from the first to the last that has a header at least."""
    places: Callable[[], Sequence[int]]
    """Where the sheet finds each row again."""
    make: Make

    def row(self, at: int) -> Row | None:
        """One of the rows; None where it is blank."""
        cells = [column[at] for column in self.columns]
        return self.make(self.numbers[at], cells, self.places()[at])


def together(rows: Sequence[tuple[int, int, Sequence[str]]], make: Make) -> Iterator[Block]:
    """
    A block of rows that were read one by one, where there are any.

    Args:
        rows: Number, place and cells of each; all have as many cells.
        make: Of the block.
    """
    if rows:
        numbers, places, cells = zip(*rows, strict=True)
        yield Block(numbers, list(zip(*cells, strict=True)), lambda: places, make)


def rows_of(pieces: Iterable[Block | Row]) -> Iterator[Row]:
    """Every row that is not blank, by itself."""
    for piece in pieces:
        if isinstance(piece, Row):
            yield piece
            continue
        cells = zip(*piece.columns, strict=True)
        for row in map(piece.make, piece.numbers, cells, piece.places()):
            if row is not None:
                yield row
