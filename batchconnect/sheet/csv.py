"""
Reads CSV, TSV and their kin: streamed, strict, every cell exactly as typed.

The standard `csv` module parses; this room feeds it line by line, so that it knows at which byte each
row begins and can read one row again without keeping any.
"""

import csv
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from batchconnect.model.errors import SheetError
from batchconnect.model.row import Header, Row, letters
from batchconnect.sheet.csv_trouble import (
    DELIMITERS,
    hidden_columns,
    looked_for,
    quoted_behind_blanks,
    swallowed,
    too_few,
    too_many,
)
from batchconnect.sheet.header import (
    LOOK_AT,
    MOST_COLUMNS,
    NOTHING_RENAMED,
    REQUIRED,
    Layout,
    Renamed,
    find,
    is_blank,
    read,
)
from batchconnect.sheet.interface import Take, Taken
from batchconnect.sheet.read_ahead import ReadAhead
from batchconnect.sheet.source import BLOCK, Source
from batchconnect.sheet.text import Lines, utf8

_SEP_LINE = re.compile(r'"?sep=(.)"?[\r\n]*', re.IGNORECASE)
_ONE_ROW = 1 << 13
"""Bytes to read at once where one row is wanted."""
_NUMBER_BITS = 24
"""`place` holds the row's number in its low bits and the row's offset above them."""

_Record = tuple[int, int, int, list[str]]
"""Offset, line and row number of a record, and its cells. A tuple: there may be millions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Start:
    """Where reading begins."""

    offset: int
    line: int
    number: int


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
        start = _Start(offset=offset, line=1, number=1)
        delimiters: Sequence[str] = DELIMITERS
        if said := self._sep_line(start):
            # Excel takes such a line as an order: it shows the header as row 1.
            delimiters, offset = said
            start = _Start(offset=offset, line=2, number=1)
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
        return self.others(lambda _number, _cells, _place: False)

    def others(self, takes: Take[Taken]) -> Iterator[Row | Taken]:
        """
        Every row that is not blank, or what somebody makes of its bare cells.

        Args:
            takes: Is given each line that has a cell for every column; where it takes it, no `Row` is
                made. Never asked where cells are not as they were typed (our own reports).
        Raises:
            SheetError: As of `rows`.
        """
        self._origin.check()
        self.blank_rows = self.template_rows = 0
        make, width = self._layout.row, self._layout.named
        exact, is_typed = not self._layout.nameless, not self._layout.is_quoted
        for offset, line, number, cells in self._records(self._body, self._delimiter):
            if len(cells) != width or not exact:
                self._judge_width(line, number, cells)
            place = offset << _NUMBER_BITS | number
            if is_typed and len(cells) >= width:
                taken = takes(number, cells, place)
                if taken is True:
                    continue
                if taken is not False:
                    yield taken
                    continue
            row = make(number, cells, place)
            if row is None:
                self.blank_rows += 1
                self.template_rows += not is_blank(cells)
            else:
                yield row
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
        start = _Start(offset=offset, line=number, number=number)
        *_, cells = next(self._records(start, self._delimiter, block=_ONE_ROW))
        self._origin.check()
        return cells

    def _records(self, start: _Start, delimiter: str, *, block: int = BLOCK) -> Iterator[_Record]:
        lines = Lines(self._text, start=start.offset, line=start.line, place=self.name, block=block)
        texts = iter(lines)
        quoted = _Quoted(texts)
        reader = csv.reader(quoted, delimiter=delimiter, strict=True)
        number, longest = start.number, csv.field_size_limit()
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
                    raise self._malformed(offset, line, number, delimiter) from None
                if lines.line > line + 1:
                    self._judge_long(cells, line, number, delimiter)
            yield offset, line, number, cells
            number += 1
            if number >> _NUMBER_BITS:
                raise SheetError(
                    f"{self.name}: more than {1 << _NUMBER_BITS:,} rows",
                    hint="Split the sheet; each part gets a run of its own.",
                )
            offset, line = lines.end, lines.line

    def _sep_line(self, start: _Start) -> tuple[Sequence[str], int] | None:
        """The delimiter that a first line `sep=;` orders, and the offset behind that line."""
        lines = Lines(
            self._text, start=start.offset, line=start.line, place=self.name, block=_ONE_ROW
        )
        found = _SEP_LINE.fullmatch(next(iter(lines), ""))
        return None if found is None else ((found[1],), lines.end)

    def _find_header(self, start: _Start, delimiters: Sequence[str]) -> tuple[str, Layout, _Start]:
        """Try each delimiter on the first rows; the one that shows the most columns is meant."""
        best: tuple[int, str, list[_Record], SheetError | None] | None = None
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
                return delimiter, layout, _Start(offset=offset, line=line, number=number)
        return delimiter, layout, self._end_of(head, start, delimiter)

    def _end_of(self, head: Sequence[_Record], start: _Start, delimiter: str) -> _Start:
        """Where the row behind the last one of the head begins."""
        offset, line, number, _ = head[-1] if head else (start.offset, start.line, start.number, [])
        lines = Lines(self._text, start=offset, line=line, place=self.name, block=_ONE_ROW)
        next(csv.reader(lines, delimiter=delimiter, strict=True), None)
        return _Start(offset=lines.end, line=lines.line, number=number + 1)

    def _head(self, start: _Start, delimiter: str) -> tuple[list[_Record], SheetError | None]:
        """The first rows, and what ended them before their time."""
        head: list[_Record] = []
        try:
            for record in self._records(start, delimiter, block=_ONE_ROW):
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

    def _judge_long(self, cells: Sequence[str], line: int, number: int, delimiter: str) -> None:
        """Look whether a row of several lines has swallowed others: its key would be sent as a text."""
        for position in swallowed(cells, delimiter):
            raise SheetError(
                f"{self.name}, line {line} (row {number}): the quoted cell {letters(position)}{number} "
                f"of {len(cells[position]):,} characters holds whole rows",
                hint="A quote is too many or too few in this row, so what stands below it became one "
                "cell. A quote inside a quoted cell is written twice.",
            )

    def _malformed(self, offset: int, line: int, number: int, delimiter: str) -> SheetError:
        """Say what is wrong with the quotes of the record that begins at *offset*."""
        limit = csv.field_size_limit()
        lines = Lines(self._text, start=offset, line=line, place=self.name, block=_ONE_ROW)
        opened, at_start, quoted, length = 0, True, False, 0
        for count, text in enumerate(lines):
            position = 0
            while position < len(text):
                char = text[position]
                if quoted and char == '"' and text[position + 1 : position + 2] == '"':
                    position += 1
                elif quoted and char == '"':
                    quoted = False
                    if text[position + 1 : position + 2] not in (delimiter, "\r", "\n", ""):
                        return SheetError(
                            f"{self.name}, line {line + count} (row {number}): text follows a "
                            f"closing quote; the quoted cell begins in line {opened}",
                            hint='A quote inside a quoted cell is written twice: `"a ""b"" c"`.',
                        )
                elif not quoted and at_start and char == '"':
                    opened, quoted = line + count, True
                at_start = not quoted and char == delimiter
                length = 0 if at_start else length + 1
                position += 1
            if not quoted or length > limit:
                break
        if quoted:
            return SheetError(
                f"{self.name}, line {opened} (row {number}): a quoted cell begins here "
                "and is never closed",
                hint='Close it with `"`; a quote inside a quoted cell is written twice.',
            )
        return SheetError(
            f"{self.name}, line {line} (row {number}): a cell has more than {limit:,} characters",
            hint="No column of ours needs that; is a quote or a delimiter missing?",
        )


def _ragged(place: str, cells: Sequence[str], wanted: int, why: tuple[str, str]) -> SheetError:
    what, remedy = why
    count = f"{len(cells)} cell{'s' * (len(cells) != 1)}, but the header has {wanted}"
    return SheetError(f"{place}: {count}{': ' * bool(what)}{what}", hint=remedy)
