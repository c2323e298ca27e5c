"""
The records of a CSV: one by one by the standard `csv` module, or a block of plain lines by its columns.

Each is known by the byte at which it begins, so that one row can be read again without keeping any.
"""

import csv
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from batchconnect.model.errors import SheetError
from batchconnect.model.row import letters
from batchconnect.model.value import Value
from batchconnect.sheet.csv_trouble import swallowed
from batchconnect.sheet.source import Source
from batchconnect.sheet.text import Lines

ONE_ROW = 1 << 13
"""Bytes to read at once where one row is wanted."""
BLOCK = 120 << 10
"""Bytes to read at once where all are: with the rest of a line before them still no longer than one cell may be."""
MOST_ROWS = 1 << 24

Record = tuple[int, int, int, list[str]]
"""Offset, line and row number of a record, and its cells. A tuple: there may be millions."""


class Start(Value):
    """Where reading begins."""

    offset: int
    line: int
    number: int


class PlainLines(NamedTuple):
    """Lines that are a record each."""

    start: Start
    raw: bytes
    columns: list[list[str]]
    """The cells of each position."""

    def offsets(self) -> Iterator[int]:
        """Where each of them begins."""
        lengths = map(len, self.raw.splitlines(keepends=True)[:-1])
        return accumulate(lengths, initial=self.start.offset)


class _Quoted:
    """The lines of one row that has quotes: the first one was looked at, the others follow."""

    def __init__(self, others: Iterator[str]) -> None:
        self.first: str | None = None
        self._others = others

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        first, self.first = self.first, None
        return next(self._others) if first is None else first


class Records:
    """
    The records of a text from one place on, each handed out once.

    Args:
        text: Bytes in UTF-8.
        start: Where the first one begins.
        delimiter: Between cells.
        place: The sheet, for messages.
        block: Bytes to read at once.
    """

    def __init__(
        self, text: Source, start: Start, delimiter: str, *, place: str, block: int
    ) -> None:
        self._text = text
        self._delimiter = delimiter
        self._place = place
        self._lines = Lines(text, start=start.offset, line=start.line, place=place, block=block)
        self._number = start.number
        self._all = self._read()

    def __iter__(self) -> Iterator[Record]:
        return self._all

    def has_more(self) -> bool:
        """Whether any line is left."""
        return bool(self._lines.block())

    def plain_lines(self, width: int) -> PlainLines | None:
        """
        The next lines at once.

        Args:
            width: Cells that each of them must have.

        Returns:
            None where one of them has to be looked at by itself; then none is handed out.
        """
        lines = self._lines
        raw = lines.block()
        columns = _columns(raw, self._delimiter, width)
        if columns is None or self._number + len(columns[0]) >= MOST_ROWS:
            return None
        start = Start(offset=lines.end, line=lines.line, number=self._number)
        lines.skip(len(columns[0]))
        self._number += len(columns[0])
        return PlainLines(start, raw, columns)

    def others(self) -> Iterator[Record]:
        """The records of the next lines, where they have to be looked at one by one."""
        for record in self._all:
            yield record
            if not self._lines.is_in_block:
                return

    def _read(self) -> Iterator[Record]:
        lines, delimiter = self._lines, self._delimiter
        texts = iter(lines)
        quoted = _Quoted(texts)
        reader = csv.reader(quoted, delimiter=delimiter, strict=True)
        longest = csv.field_size_limit()
        offset, line = lines.end, lines.line
        for text in texts:
            # Without a quote a line is a row and a delimiter ends a cell: a third of the reader's time.
            if '"' not in text and len(text) <= longest:
                cells = text.rstrip("\r\n").split(delimiter)
            else:
                quoted.first = text
                try:
                    cells = next(reader)
                except csv.Error:
                    raise self._malformed(offset, line) from None
                if lines.line > line + 1:
                    self._judge_long(cells, line)
            self._number += 1
            yield offset, line, self._number - 1, cells
            if self._number >= MOST_ROWS:
                raise SheetError(
                    f"{self._place}: more than {MOST_ROWS:,} rows",
                    hint="Split the sheet; each part gets a run of its own.",
                )
            offset, line = lines.end, lines.line

    def _judge_long(self, cells: Sequence[str], line: int) -> None:
        """Look whether a row of several lines has swallowed others: its key would be sent as a text."""
        for position in swallowed(cells, self._delimiter):
            number = self._number
            raise SheetError(
                f"{self._place}, line {line} (row {number}): the quoted cell {letters(position)}{number} "
                f"of {len(cells[position]):,} characters holds whole rows",
                hint="A quote is too many or too few in this row, so what stands below it became one "
                "cell. A quote inside a quoted cell is written twice.",
            )

    def _malformed(self, offset: int, line: int) -> SheetError:
        """Say what is wrong with the quotes of the record that begins at *offset*."""
        limit, row = csv.field_size_limit(), f"(row {self._number})"
        lines = Lines(self._text, start=offset, line=line, place=self._place, block=ONE_ROW)
        opened, at_start, quoted, length = 0, True, False, 0
        for count, text in enumerate(lines):
            position = 0
            while position < len(text):
                char = text[position]
                if quoted and char == '"' and text[position + 1 : position + 2] == '"':
                    position += 1
                elif quoted and char == '"':
                    quoted = False
                    if text[position + 1 : position + 2] not in (self._delimiter, "\r", "\n", ""):
                        return SheetError(
                            f"{self._place}, line {line + count} {row}: text follows a "
                            f"closing quote; the quoted cell begins in line {opened}",
                            hint='A quote inside a quoted cell is written twice: `"a ""b"" c"`.',
                        )
                elif not quoted and at_start and char == '"':
                    opened, quoted = line + count, True
                at_start = not quoted and char == self._delimiter
                length = 0 if at_start else length + 1
                position += 1
            if not quoted or length > limit:
                break
        if quoted:
            return SheetError(
                f"{self._place}, line {opened} {row}: a quoted cell begins here and is never closed",
                hint='Close it with `"`; a quote inside a quoted cell is written twice.',
            )
        return SheetError(
            f"{self._place}, line {line} {row}: a cell has more than {limit:,} characters",
            hint="No column of ours needs that; is a quote or a delimiter missing?",
        )


def _columns(raw: bytes, delimiter: str, width: int) -> list[list[str]] | None:
    """
    The cells of lines without a quote, by their position; None where a line has not *width* cells, or may not.

    Each line's end becomes a delimiter with a NUL behind it, which no text has. So all lines split into cells at
    once, and every NUL begins a cell: the first one of each line, unless a line is too long or too short.
    """
    if b'"' in raw or b"\0" in raw or len(raw) > csv.field_size_limit():
        return None
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return None
    text = text.replace("\r\n" if "\r" in text else "\n", delimiter + "\0")
    if "\r" in text or "\n" in text:
        return None
    cells = text.split(delimiter)
    lines = len(cells) // width
    firsts = "".join(cells[width::width])
    if len(cells) != lines * width + 1 or not firsts.count("\0") == text.count("\0") == lines:
        return None
    first = (cells[0] + firsts).split("\0")[:-1]
    return [first, *(cells[position:-1:width] for position in range(1, width))]
