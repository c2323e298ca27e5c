"""
Several sheets, or tabs of a workbook, as one: their rows one after the other, in the order in which they were named.

Every sheet keeps its own header, its own numbers and its own way to read a row again; here stands only which of them
is asked. A column that one sheet carries and another has not is blank in the other's rows.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cache, partial
from pathlib import PurePath
from typing import Final

from batchconnect.model.column import Column
from batchconnect.model.errors import SheetError
from batchconnect.model.row import Header, Row, SeveralHeaders
from batchconnect.model.row_place import Places, numbered, own_number
from batchconnect.sheet.block import Block, rows_of
from batchconnect.sheet.interface import Sheet
from batchconnect.sheet.workbook.workbook import WorkbookSheet

_OFFSET_BITS: Final = 63
"""Of an offset: a run keeps a million of them as 64-bit numbers."""

Carry = Callable[[tuple[str, ...]], tuple[str, ...]]
"""Brings a row's carried cells into the order of all sheets together."""


class SeveralSheets:
    """
    Open sheets as one.

    Args:
        parts: At least two; a row's place is that of its sheet among them.
        labels: What a person calls each.
    """

    def __init__(self, parts: Sequence[Sheet], labels: Sequence[str]) -> None:
        self.parts = tuple(parts)
        self.labels = tuple(labels)
        self.name = ", ".join(part.name for part in parts)
        self._shift = _OFFSET_BITS - max(1, (len(parts) - 1).bit_length())
        self._headers: tuple[Header, ...] = ()
        self._header = self._of_all()

    @property
    def sha256(self) -> str:
        """Hex digest of the digests, in their order."""
        return hashlib.sha256("".join(part.sha256 for part in self.parts).encode()).hexdigest()

    @property
    def header(self) -> SeveralHeaders:
        """The headers of all."""
        # A sheet's own header changes where carried columns are left out.
        if self._headers != tuple(part.header for part in self.parts):
            self._header = self._of_all()
        return self._header

    @property
    def warnings(self) -> tuple[str, ...]:
        """Those of all sheets; what two tabs say of one file is said once."""
        return tuple(dict.fromkeys(one for part in self.parts for one in part.warnings))

    @property
    def blank_rows(self) -> int:
        """Blank rows skipped so far."""
        return sum(part.blank_rows for part in self.parts)

    @property
    def template_rows(self) -> int:
        """Of these, the template's own."""
        return sum(part.template_rows for part in self.parts)

    def rows(self) -> Iterator[Row]:
        """
        Every row that is not blank, sheet by sheet.

        Raises:
            SheetError: As of the sheets.
        """
        return rows_of(self.blocks())

    def rows_of(self, place: int) -> Iterator[Row]:
        """
        As `rows`, of one sheet.

        Args:
            place: Of the sheet.

        Raises:
            SheetError: As of the sheet.
        """
        return rows_of(self.blocks_of(place))

    def blocks(self) -> Iterator[Block | Row]:
        """
        As `rows`, in blocks where the sheets are read so; the columns of a block are those of its sheet.

        Raises:
            SheetError: As of the sheets.
        """
        for place in range(len(self.parts)):
            yield from self.blocks_of(place)

    def blocks_of(self, place: int) -> Iterator[Block | Row]:
        """
        As `blocks`, of one sheet.

        Args:
            place: Of the sheet.

        Raises:
            SheetError: As of the sheet.
        """
        placed = partial(self._placed, place, carry=self.carry(place))
        for piece in self.parts[place].blocks():
            yield (
                placed(piece)
                if isinstance(piece, Row)
                else self._placed_block(place, piece, placed)
            )

    def at(self, offset: int) -> Row:
        """
        A row once more.

        Raises:
            SheetError: Its file has changed since it was opened.
        """
        place = offset >> self._shift
        row = self.parts[place].at(offset & ((1 << self._shift) - 1))
        return self._placed(place, row, self.carry(place))

    def offset(self, place: int, own: int) -> int:
        """
        Where a row is found again that its own sheet finds at *own*.

        Raises:
            SheetError: The sheets are too many and too long to be one.
        """
        if own >> self._shift:
            raise SheetError(
                f"{self.parts[place].name}: it is too long to be read beside {len(self.parts) - 1} others",
                hint="Give it a run of its own.",
            )
        return place << self._shift | own

    def carry(self, place: int) -> Carry:
        """What brings the carried cells of one sheet into the order of all."""
        own = self.parts[place].header.carried
        order = self.header.carried
        if own == order:
            return lambda cells: cells
        at = {title: position for position, title in enumerate(own)}
        positions = [at.get(title) for title in order]
        return lambda cells: tuple(
            ["" if position is None else cells[position] for position in positions]
        )

    def leave_out(self, carried: Collection[int], *, warnings: Sequence[str]) -> None:
        """
        Read some of the carried columns no more, in whichever sheet they stand.

        Args:
            carried: Their places in `header.carried`.
            warnings: Why, one line each.
        """
        titles = {self.header.carried[at] for at in carried}
        told = list(warnings)
        for part in self.parts:
            own = {at for at, title in enumerate(part.header.carried) if title in titles}
            if own:
                part.leave_out(own, warnings=told)
                told = []

    def close(self) -> None:
        """Let go of all of them."""
        for part in self.parts:
            part.close()

    def _placed_block(self, place: int, block: Block, placed: Callable[[Row], Row]) -> Block:
        """A block of one sheet, as one of all; what is made of its rows is still made by the sheet."""

        def make(number: int, cells: Sequence[str], offset: int) -> Row | None:
            row = block.make(own_number(number), cells, offset & ((1 << self._shift) - 1))
            return None if row is None else placed(row)

        return Block(
            numbers=[numbered(place, number) for number in block.numbers],
            columns=block.columns,
            places=cache(lambda: [self.offset(place, own) for own in block.places()]),
            make=make,
        )

    def _placed(self, place: int, row: Row, carry: Carry) -> Row:
        offset = self.offset(place, row.offset)
        return Row(numbered(place, row.number), row.cells, carry(row.carried), offset)

    def _of_all(self) -> SeveralHeaders:
        self._headers = headers = tuple(part.header for part in self.parts)
        columns = {
            column: next(one.columns[column] for one in headers if column in one.columns)
            for column in Column
            if any(column in one.columns for one in headers)
        }
        carried: dict[str, int] = {}
        for one in headers:
            for title, at in zip(one.carried, one.carried_at, strict=True):
                carried.setdefault(title, at)
        return SeveralHeaders(
            row_number=headers[0].row_number,
            columns=columns,
            carried=tuple(carried),
            carried_at=tuple(carried.values()),
            parts=headers,
            labels=self.labels,
        )


def parts_of(sheet: Sheet) -> tuple[Sheet, ...]:
    """The sheets that one is made of: itself, where it is one."""
    return sheet.parts if isinstance(sheet, SeveralSheets) else (sheet,)


def places_of(sheet: Sheet) -> Places:
    """The sheets that one is made of, by which its rows are told to a person."""
    parts = parts_of(sheet)
    return Places(tuple(part.name for part in parts), tuple(map(worksheet_of, parts)))


def worksheet_of(sheet: Sheet) -> str:
    """The tab that a sheet is; "" where it has none."""
    return sheet.worksheet if isinstance(sheet, WorkbookSheet) else ""


def labels_of(names: Sequence[str]) -> list[str]:
    """
    The shortest name for each sheet by which none is taken for another: its tab, its file, or both with the folder.

    Args:
        names: As given, with `#tab` behind a workbook's.
    """
    short = [_shortest(name) for name in names]
    middle = [PurePath(name).name for name in names]
    for labels in (short, middle):
        if len({label.casefold() for label in labels}) == len(labels):
            return labels
    return list(names)


def _shortest(name: str) -> str:
    path, _, tab = name.rpartition("#")
    return tab if path else PurePath(name).name
