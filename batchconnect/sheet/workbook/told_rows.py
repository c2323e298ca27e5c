"""
The rows that a child told: kept as bytes, by themselves or in blocks, and made cells of when they are asked for.

The file that they come from may be hostile, so nothing in them is taken on trust.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import orjson

from batchconnect.model.errors import SheetError
from batchconnect.sheet.workbook.inspected import (
    BROKEN,
    BY_NUMBER,
    MARKED,
    MISREAD,
    TABBED,
    UNCLEAR,
)

if TYPE_CHECKING:
    import msgspec

ToldCell = str | tuple[str, str]
"""A cell: its text, or kind and text where it is not text."""
Columns = Sequence[Sequence[str]]
"""The cells of rows below each other, by position."""

_KINDS = frozenset(
    (
        *("number", "date", "boolean", "error", "formula", "merged"),
        *(TABBED, BROKEN, MARKED, MISREAD, BY_NUMBER, UNCLEAR),
    )
)
_LAST_ROW, _MOST_COLUMNS = 1 << 20, 1 << 14
_ONLY_TEXT = frozenset({str})
_MOST_KEPT = 16
"""Blocks whose cells are kept for those who ask for one row after another."""


class ToldRow(NamedTuple):
    """One row."""

    offset: int
    """Its place among all rows that were told."""
    number: int
    cells: list[ToldCell]

    @property
    def last(self) -> int:
        """Number of the last row: its own."""
        return self.number


class ToldBlock(NamedTuple):
    """Rows below each other whose cells are all texts."""

    offset: int
    number: int
    """Of the first of them."""
    columns: Columns

    @property
    def last(self) -> int:
        """Number of the last of them."""
        return self.number + len(self.columns[0]) - 1

    def rows(self) -> Iterator[ToldRow]:
        """Each by itself."""
        for at, cells in enumerate(zip(*self.columns, strict=True)):
            yield ToldRow(self.offset + at, self.number + at, list(cells))


class _Packed(NamedTuple):
    rows: int
    data: bytes


class ToldRows:
    """The rows of one tab, in their order."""

    def __init__(self) -> None:
        self._pieces: list[bytes | _Packed] = []
        self._offsets: list[int] = []
        self._rows = 0
        self._kept: dict[int, ToldBlock] = {}

    def __bool__(self) -> bool:
        return self._rows > 0

    def add(self, line: bytes) -> None:
        """A row by itself: `["row", number, cells]`."""
        self._add(line, 1)

    def add_block(self, rows: int, data: bytes) -> None:
        """A block of so many rows: number of the first and columns, in MessagePack."""
        self._add(_Packed(rows, data), rows)

    def _add(self, piece: bytes | _Packed, rows: int) -> None:
        self._pieces.append(piece)
        self._offsets.append(self._rows)
        self._rows += rows

    def pieces(self, place: str) -> Iterator[ToldRow | ToldBlock]:
        """
        The rows as they were told.

        Args:
            place: The tab, for messages.

        Raises:
            SheetError: What was told makes no sense.
        """
        before = 0
        for offset, piece in zip(self._offsets, self._pieces, strict=True):
            told = _parsed(piece, offset, place, after=before)
            before = told.last
            yield told

    def rows(self, place: str) -> Iterator[ToldRow]:
        """
        Each row by itself.

        Raises:
            SheetError: As of `pieces`.
        """
        for told in self.pieces(place):
            if isinstance(told, ToldBlock):
                yield from told.rows()
            else:
                yield told

    def at(self, offset: int, place: str) -> ToldRow:
        """
        One row by its place.

        Raises:
            SheetError: As of `pieces`.
        """
        at = bisect_right(self._offsets, offset) - 1
        told = self._kept.get(at) or _parsed(self._pieces[at], self._offsets[at], place, after=0)
        if isinstance(told, ToldRow):
            return told
        if at not in self._kept:
            if len(self._kept) >= _MOST_KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[at] = told
        within = offset - told.offset
        return ToldRow(offset, told.number + within, [column[within] for column in told.columns])


def texts_of(cells: Sequence[ToldCell]) -> list[str]:
    """What stands in cells, whatever they are."""
    return [cell if isinstance(cell, str) else cell[1] for cell in cells]


def _parsed(piece: bytes | _Packed, offset: int, place: str, *, after: int) -> ToldRow | ToldBlock:
    try:
        told = _row(piece, offset) if isinstance(piece, bytes) else _block(piece, offset)
    except ValueError:
        told = None
    if told is not None and after < told.number <= told.last <= _LAST_ROW:
        return told
    raise SheetError(
        f"{place}: the workbook was read, but what was read makes no sense behind row {after}",
        hint="Save the sheet as `CSV UTF-8` and use that file.",
    )


def _row(line: bytes, offset: int) -> ToldRow:
    _, number, cells = orjson.loads(line)
    if type(number) is not int or type(cells) is not list or len(cells) > _MOST_COLUMNS:
        raise ValueError
    if not _ONLY_TEXT.issuperset(map(type, cells)):
        cells = [_cell(cell) for cell in cells]
    return ToldRow(offset, number, cells)


def _block(packed: _Packed, offset: int) -> ToldBlock:
    number, columns = _decoder().decode(packed.data)
    if not 0 < len(columns) <= _MOST_COLUMNS or {*map(len, columns)} != {packed.rows}:
        raise ValueError
    return ToldBlock(offset, number, columns)


@cache
def _decoder() -> "msgspec.msgpack.Decoder[tuple[int, list[list[str]]]]":
    import msgspec  # noqa: PLC0415 - a sheet of another kind needs none

    return msgspec.msgpack.Decoder(tuple[int, list[list[str]]])


def _cell(cell: object) -> ToldCell:
    match cell:
        case str():
            return cell
        case [str(kind), str(text)]:
            return (kind if kind in _KINDS else "error"), text
        case _:
            raise ValueError
