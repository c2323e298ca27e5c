"""
Reads CSV, TSV and their kin: streamed, strict, every cell exactly as typed.

`csv_records` knows at which byte each row begins, so that one row can be read again without keeping any.
"""

import csv
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cache
from itertools import count

from batchconnect.model.errors import SheetError
from batchconnect.model.row import Header, Row, letters
from batchconnect.sheet.block import Block, rows_of, together
from batchconnect.sheet.csv_records import (
    BLOCK,
    MOST_ROWS,
    ONE_ROW,
    PlainLines,
    Record,
    Records,
    Start,
)
from batchconnect.sheet.csv_trouble import (
    DELIMITERS,
    hidden_columns,
    looked_for,
    quoted_behind_blanks,
    too_few,
    too_many,
)
from batchconnect.sheet.header import (
    LOOK_AT,
    MOST_COLUMNS,
    NOTHING_RENAMED,
    REQUIRED,
    Renamed,
    find,
    read,
)
from batchconnect.sheet.layout import Layout, is_blank
from batchconnect.sheet.read_ahead import ReadAhead
from batchconnect.sheet.source import Source
from batchconnect.sheet.text import Lines, utf8

_SEP_LINE = re.compile(r'"?sep=([^\r\n"])"?[\r\n]*', re.IGNORECASE)
_NUMBER_BITS = (MOST_ROWS - 1).bit_length()
"""`place` holds the row's number in its low bits and the row's offset above them."""


class CsvSheet:
    """
    A text with delimiters.

    Args:
        source: The input's bytes.
        name: For messages: the path as given, or `-`.
        encoding: What `--encoding` says.
        renamed: What `--map` says.
    Raises:
        SheetError: The encoding is wrong, or there is no header.
    """

    def __init__(
        self,
        source: Source,
        *,
        name: str,
        encoding: str | None = None,
        renamed: Renamed = NOTHING_RENAMED,
    ) -> None:
        self.name = name
        self._renamed = renamed
        self.blank_rows = 0
        self.template_rows = 0
        self._origin = source
        self._text, offset, warnings = utf8(source, place=name, encoding=encoding)
        start = Start(offset=offset, line=1, number=1)
        delimiters: Sequence[str] = DELIMITERS
        if said := self._sep_line(start):
            # Excel takes such a line as an order: it shows the header as row 1.
            delimiters, offset = said
            start = Start(offset=offset, line=2, number=1)
        self._warnings = [*source.warnings, *warnings]
        self._delimiter, self._layout, self._body = self._find_header(start, delimiters)
        self._ahead = ReadAhead(self._text, source.check)
        self._warnings += self._layout.warnings
        self._nameless = set(self._layout.nameless)

    @property
    def sha256(self) -> str:
        """Hex digest of the input's bytes."""
        return self._origin.sha256

    @property
    def header(self) -> Header:
        """Which position holds which column."""
        return self._layout.header

    @property
    def warnings(self) -> tuple[str, ...]:
        """One line each; complete once `rows` has come to its end."""
        return tuple(self._warnings)

    def rows(self) -> Iterator[Row]:
        """
        Every row that is not blank, in input order.

        Raises:
            SheetError: A ragged row, an unterminated quote, a wrong encoding, with its line.
        """
        return rows_of(self.blocks())

    def blocks(self) -> Iterator[Block | Row]:
        """
        Every row, in blocks; by itself where its cells are not as they were typed (our own reports).

        Raises:
            SheetError: As of `rows`.
        """
        self._origin.check()
        self.blank_rows = self.template_rows = 0
        records = self._records(self._body, self._delimiter, block=BLOCK)
        width = self._layout.width
        while records.has_more():
            plain = None if self._layout.is_quoted else records.plain_lines(width)
            if plain is not None:
                yield self._block_of(plain)
            else:
                yield from self._gathered(records.others())
        self._origin.check()

    def at(self, offset: int) -> Row:
        """
        A row once more.

        Raises:
            SheetError: The file has changed before the row's block was read.
        """
        number = offset & ((1 << _NUMBER_BITS) - 1)
        row = self._layout.row(number, self._cells_at(offset >> _NUMBER_BITS, number), offset)
        if row is None:
            raise SheetError(f"{self.name}: row {number} is blank")
        return row

    def leave_out(self, carried: Collection[int], *, warnings: Sequence[str]) -> None:
        """Read some of the carried columns no more."""
        self._layout = self._layout.without(carried)
        self._warnings += warnings

    def close(self) -> None:
        """Let go of the file and of every cell."""
        self._ahead.close()
        self._text.close()
        self._origin.close()

    def _cells_at(self, offset: int, number: int) -> list[str]:
        """The cells of a row that was read before."""
        if line := self._ahead.line(offset):
            try:
                text = line.decode()
                if '"' not in text and "\r" not in text[:-2]:
                    return text.rstrip("\r\n").split(self._delimiter)
                return next(csv.reader((text,), delimiter=self._delimiter, strict=True))
            except (csv.Error, UnicodeDecodeError):
                pass  # it takes more than one line, or ends in a CR alone
        start = Start(offset=offset, line=number, number=number)
        *_, cells = next(iter(self._records(start, self._delimiter)))
        self._origin.check()
        return cells

    def _records(self, start: Start, delimiter: str, *, block: int = 0) -> Records:
        return Records(self._text, start, delimiter, place=self.name, block=block or ONE_ROW)

    def _block_of(self, plain: PlainLines) -> Block:
        """Lines with a cell for each of the header's."""
        start, columns = plain.start, plain.columns
        numbers = range(start.number, start.number + len(columns[0]))
        if any(any(map(str.strip, columns[position])) for position in self._nameless):
            for line, number, *cells in zip(count(start.line), numbers, *columns, strict=False):
                self._judge_width(line, number, cells)

        @cache
        def places() -> list[int]:
            return [
                offset << _NUMBER_BITS | number
                for offset, number in zip(plain.offsets(), numbers, strict=True)
            ]

        return Block(numbers, columns, places, self._made)

    def _gathered(self, records: Iterable[Record]) -> Iterator[Block | Row]:
        """Records that were read one by one: together again, as far as their cells are as they were typed."""
        layout, is_exact = self._layout, not self._layout.nameless
        gathered: list[tuple[int, int, list[str]]] = []
        try:
            for offset, line, number, cells in records:
                if len(cells) != layout.named or not is_exact:
                    self._judge_width(line, number, cells)
                place = offset << _NUMBER_BITS | number
                is_whole = len(cells) >= layout.named and is_blank(cells[layout.named :])
                if is_whole and not layout.is_quoted:
                    gathered.append((number, place, cells[: layout.named]))
                elif (row := self._made(number, cells, place)) is not None:
                    yield from together(gathered, self._made)
                    gathered = []
                    yield row
        except SheetError:
            yield from together(gathered, self._made)
            raise
        yield from together(gathered, self._made)

    def _made(self, number: int, cells: Sequence[str], place: int) -> Row | None:
        row = self._layout.row(number, cells, place)
        if row is None:
            self.blank_rows += 1
            self.template_rows += not is_blank(cells)
        return row

    def _sep_line(self, start: Start) -> tuple[Sequence[str], int] | None:
        """The delimiter that a first line `sep=;` orders, and the offset behind that line."""
        lines = Lines(
            self._text, start=start.offset, line=start.line, place=self.name, block=ONE_ROW
        )
        found = _SEP_LINE.fullmatch(next(iter(lines), ""))
        return None if found is None else ((found[1],), lines.end)

    def _find_header(self, start: Start, delimiters: Sequence[str]) -> tuple[str, Layout, Start]:
        """Try each delimiter on the first rows; the one that shows the most columns is meant."""
        best: tuple[int, str, list[Record], SheetError | None] | None = None
        for delimiter in delimiters:
            head, error = self._head(start, delimiter)
            known = max(
                (len(read(cells[:MOST_COLUMNS], self._renamed).known) for *_, cells in head),
                default=0,
            )
            if best is None or known > best[0]:
                best = known, delimiter, head, error
        assert best is not None
        known, delimiter, head, error = best
        if error is not None and known < len(REQUIRED):
            raise error
        line_of = {number: line for _, line, number, _ in head}
        try:
            layout = find(
                [(number, cells) for _, _, number, cells in head],
                place=self.name,
                line=lambda number: f"{self.name}, line {line_of[number]}",
                renamed=self._renamed,
            )
        except SheetError as no_header:
            is_wide = any(len(cells) > MOST_COLUMNS for *_, cells in head)
            if known > 1 or is_wide or all(is_blank(cells) for *_, cells in head):
                raise
            rows = [(line, number, cells) for _, line, number, cells in head]
            hidden = hidden_columns(rows, tried=delimiters, place=self.name)
            hint = f"{looked_for(delimiters)} {no_header.hint}"
            raise hidden or SheetError(no_header.message, hint=hint) from None
        titles = next(cells for *_, number, cells in head if number == layout.header.row_number)
        if quoted_behind_blanks(titles):
            self._warnings.append(
                f"{self.name}: blanks stand before quotes, so the quotes are part of the cells and are "
                "sent with names and keys; remove the blanks between delimiter and quote"
            )
        body = layout.header.row_number + 1
        for offset, line, number, _ in head:
            if number == body:
                return delimiter, layout, Start(offset=offset, line=line, number=number)
        return delimiter, layout, self._end_of(head, start, delimiter)

    def _end_of(self, head: Sequence[Record], start: Start, delimiter: str) -> Start:
        """Where the row behind the last one of the head begins."""
        offset, line, number, _ = head[-1] if head else (start.offset, start.line, start.number, [])
        lines = Lines(self._text, start=offset, line=line, place=self.name, block=ONE_ROW)
        next(csv.reader(lines, delimiter=delimiter, strict=True), None)
        return Start(offset=lines.end, line=lines.line, number=number + 1)

    def _head(self, start: Start, delimiter: str) -> tuple[list[Record], SheetError | None]:
        """The first rows, and what ended them before their time."""
        head: list[Record] = []
        try:
            for record in self._records(start, delimiter):
                head.append(record)
                if len(head) == LOOK_AT:
                    break
        except SheetError as error:
            return head, error
        return head, None

    def _judge_width(self, line: int, number: int, cells: Sequence[str]) -> None:
        """
        Look whether the row has as many cells as the header.

        A blank row may have any number, and blank cells behind the last column say nothing. Cells
        that are left out at the end are an error all the same: the delimiter that is missing may
        be one in the middle, and then each cell behind it stands in a wrong column.
        """
        layout = self._layout
        if is_blank(cells):
            return
        place = f"{self.name}, line {line} (row {number})"
        if len(cells) < layout.named:
            raise _ragged(place, cells, layout.named, too_few(cells, delimiter=self._delimiter))
        if any(cell.strip() for cell in cells[layout.width :]):
            raise _ragged(place, cells, layout.width, too_many(cells))
        for position in self._nameless.copy():
            if position < len(cells) and cells[position].strip():
                self._nameless.discard(position)
                self._warnings.append(
                    f"{place}: column {letters(position)} has no header, so its cells are not read"
                )


def _ragged(place: str, cells: Sequence[str], wanted: int, why: tuple[str, str]) -> SheetError:
    what, remedy = why
    count = f"{len(cells)} cell{'s' * (len(cells) != 1)}, but the header has {wanted}"
    return SheetError(f"{place}: {count}{': ' * bool(what)}{what}", hint=remedy)
