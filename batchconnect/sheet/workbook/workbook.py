"""
Reads XLSX, XLSM, XLS, XLSB and ODS without opening them: a child process does, in tight limits.

What comes back is kept as bytes, and becomes a `Row` only when it is asked for.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from batchconnect.model.errors import SheetError
from batchconnect.model.row import Header, NotText, Row, letters
from batchconnect.sheet.block import Block, rows_of, together
from batchconnect.sheet.header import LOOK_AT, NOTHING_RENAMED, Renamed, find
from batchconnect.sheet.layout import is_blank
from batchconnect.sheet.source import FileSource
from batchconnect.sheet.workbook.hidden_rows import HiddenRows, listed
from batchconnect.sheet.workbook.process import Tab
from batchconnect.sheet.workbook.told_rows import ToldBlock, ToldCell, ToldRow, ToldRows, texts_of

_NOTES = {
    "escaped": "holds `_x` and a number, which a workbook takes for a letter; it is read as Excel shows it",
    "cut": "has blanks at an end that the file does not say to keep; it is read without, as in Excel",
}
"""What a cell is like that is not read as it was written."""
_ONLY_TEXT = frozenset({str})
_TOGETHER = 512
"""Rows that were told by themselves and are handed on together."""
_SHOWN = 5
"""Cells that a warning names."""


class WorkbookSheet:
    """
    One tab of a workbook.

    Args:
        source: The workbook's bytes.
        path: As given, for messages.
        tab: As the child told it.
        warnings: What there is to say of the other tabs.
        hidden: What becomes of rows that nobody sees.
        renamed: What `--map` says.
    Raises:
        SheetError: The tab has not our columns.
    """

    def __init__(
        self,
        source: FileSource,
        *,
        path: str,
        tab: Tab,
        warnings: Sequence[str] = (),
        hidden: HiddenRows = HiddenRows.READ,
        renamed: Renamed = NOTHING_RENAMED,
    ) -> None:
        self.blank_rows = 0
        self.template_rows = 0
        self._source = source
        self.worksheet = tab.name
        self.name = f"{path}#{tab.name}"
        self._told = tab.rows
        self._layout = find(
            head_of(tab, self.name), place=self.name, line=line_of(self.name), renamed=renamed
        )
        self._warnings = [*source.warnings, *warnings, *self._layout.warnings]
        self._known = frozenset(self._layout.header.columns.values())
        self._named_or_told = set(range(self._layout.named)) - set(self._layout.nameless)
        self._all_named = 0 if self._layout.nameless else self._layout.named
        """Cells from the first on that all have a header."""
        self._left_out = self._judge(self._hidden(tab.hidden), hidden)
        self._warnings += self._noted(tab.notes)

    @property
    def sha256(self) -> str:
        """Hex digest of the input's bytes."""
        return self._source.sha256

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
        Every row that is not blank, in the order of the tab.

        Raises:
            SheetError: The reader's answer makes no sense.
        """
        return rows_of(self.blocks())

    def blocks(self) -> Iterator[Block | Row]:
        """
        Every row, in blocks; by itself where a cell of it holds no text.

        Raises:
            SheetError: As of `rows`.
        """
        self.blank_rows = self.template_rows = 0
        last, header_row = 0, self._layout.header.row_number
        alone: list[ToldRow] = []
        for told in self._told.pieces(self.name):
            if told.last > header_row:
                self.blank_rows += max(0, told.number - max(last, header_row) - 1)
            last = told.last
            if isinstance(told, ToldRow):
                alone.append(told)
                if len(alone) < _TOGETHER:
                    continue
            yield from self._by_themselves(alone)
            alone = []
            if isinstance(told, ToldRow):
                continue
            if self._is_plain(told):
                yield self._block_of(told)
            else:
                yield from self._by_themselves(told.rows())
        yield from self._by_themselves(alone)

    def _is_plain(self, told: ToldBlock) -> bool:
        """Whether no row of a block is to be looked at by itself."""
        header = self._layout.header
        return (
            told.number > header.row_number
            and not self._layout.is_quoted
            and self._left_out.isdisjoint(range(told.number, told.last + 1))
            and not any("\0" in "".join(column) for column in told.columns)
        )

    def _block_of(self, told: ToldBlock) -> Block:
        numbers = range(told.number, told.last + 1)
        columns, missing = list(told.columns), self._layout.named - len(told.columns)
        columns += [[""] * len(numbers)] * missing
        if len(columns) > self._all_named:
            for number, cells in zip(numbers, zip(*columns, strict=True), strict=True):
                self._tell_nameless(number, cells)
        places = range(told.offset, told.offset + len(numbers))
        return Block(numbers, columns, lambda: places, self._made)

    def _by_themselves(self, rows: Iterable[ToldRow]) -> Iterator[Block | Row]:
        """Rows that were told one by one: together again, as far as all of their cells are texts."""
        gathered: list[tuple[int, int, list[str]]] = []
        for offset, number, told in rows:
            if number <= self._layout.header.row_number:
                continue
            cells = self._cells(number, told)
            is_left_out = number in self._left_out
            is_text = cells is told and "\0" not in "".join(cells)  # the very list: all are texts
            is_whole = is_text and len(cells) == self._layout.named
            if is_whole and not self._layout.is_quoted and not is_left_out:
                gathered.append((number, offset, cells))
                continue
            row = self._made(number, cells, offset)
            if row is not None and not is_left_out:
                yield from together(gathered, self._made)
                gathered = []
                yield row
        yield from together(gathered, self._made)

    def at(self, offset: int) -> Row:
        """
        A row once more.

        Raises:
            SheetError: The file has changed since it was opened.
        """
        self._source.check()
        _, number, cells = self._told.at(offset, self.name)
        row = self._layout.row(number, self._cells(number, cells), offset)
        if row is None:
            raise SheetError(f"{self.name}: row {number} is blank")
        return row

    def leave_out(self, carried: Collection[int], *, warnings: Sequence[str]) -> None:
        """Read some of the carried columns no more."""
        self._layout = self._layout.without(carried)
        self._warnings += warnings

    def close(self) -> None:
        """Let go of the file and of every cell."""
        self._told = ToldRows()
        self._source.close()

    def _made(self, number: int, cells: Sequence[Any], offset: int) -> Row | None:
        row = self._layout.row(number, cells, offset)
        if row is None:
            self.blank_rows += 1
            self.template_rows += not is_blank(cells)
        return row

    def _hidden(self, told: frozenset[int]) -> list[int]:
        """Numbers of the rows below the header that hold a row of ours and that nobody sees."""
        if not told:
            return []
        header_row = self._layout.header.row_number
        return [
            number
            for offset, number, cells in self._told.rows(self.name)
            if number in told
            and number > header_row
            and self._layout.row(number, self._cells(number, cells), offset)
        ]

    def _judge(self, hidden: Sequence[int], policy: HiddenRows) -> frozenset[int]:
        """The rows to leave out; what is done with them is said."""
        if not hidden:
            return frozenset()
        many = len(hidden) > 1
        which = f"{len(hidden)} rows are hidden" if many else "1 row is hidden"
        which += f" or filtered out, so that nobody sees {'them' if many else 'it'}"
        if policy is HiddenRows.REFUSE:
            raise SheetError(
                f"{self.name}: {which}: {listed(hidden)}",
                hint="Show them (Home > Format > Unhide Rows; Data > Clear), delete them, or leave "
                "them out with --visible-only.",
            )
        if policy is HiddenRows.LEAVE_OUT:
            done = "are left out" if many else "is left out"
            self._warnings.append(
                f"{self.name}: {len(hidden)} hidden or filtered {'rows' if many else 'row'} {done} "
                f"(--visible-only): {listed(hidden)}"
            )
            return frozenset(hidden)
        self._warnings.append(
            f"{self.name}: {which}, yet {'they are' if many else 'it is'} read like all others: "
            f"{listed(hidden)}; --visible-only leaves {'them' if many else 'it'} out"
        )
        return frozenset()

    def _noted(self, notes: Mapping[str, Sequence[tuple[int, int]]]) -> Iterator[str]:
        """What there is to say of cells of ours that are not read as they were written."""
        for what, meaning in _NOTES.items():
            cells = [
                f"{letters(position)}{row}"
                for row, position in notes.get(what, ())
                if position in self._known and row > self._layout.header.row_number
            ]
            if cells:
                more = f" and {len(cells) - _SHOWN} more" if len(cells) > _SHOWN else ""
                yield f"{self.name}: {', '.join(cells[:_SHOWN])}{more} {meaning}"

    def _cells(self, number: int, cells: list[ToldCell]) -> list[Any]:
        """The cells of a row, one for each column at least."""
        if len(cells) > self._all_named:
            self._tell_nameless(number, cells)
        row: list[Any] = cells
        if not _ONLY_TEXT.issuperset(map(type, cells)):
            row = [
                cell
                if isinstance(cell, str)
                else (NotText(cell[0]) if position in self._known else cell[1])
                for position, cell in enumerate(cells)
            ]
        if len(row) < self._layout.named:
            row += [""] * (self._layout.named - len(row))
        return row

    def _tell_nameless(self, number: int, cells: Sequence[ToldCell]) -> None:
        for position, text in enumerate(texts_of(cells)):
            if position not in self._named_or_told and text.strip():
                self._named_or_told.add(position)
                self._warnings.append(
                    f"{self.name}, row {number}: column {letters(position)} has no header, "
                    "so its cells are not read"
                )


def unread(tab: Tab, place: str) -> SheetError | None:
    """What to say of a tab that is not empty, though none of its first cells shows a text."""
    found: str | None = None
    for _, number, cells in islice(tab.rows.rows(place), LOOK_AT):
        if any(text.strip() for text in texts_of(cells)):
            return None
        position = next((at for at, cell in enumerate(cells) if not isinstance(cell, str)), None)
        if position is not None and found is None:
            found = f"{letters(position)}{number}"
    if found is None:
        return None
    return SheetError(
        f"{place}: its first rows hold cells, {found} among them, whose texts cannot be read",
        hint="They are errors, formulas that were never calculated, or written in a form that programs read "
        "in different ways. Open it in a spreadsheet program and save it anew as XLSX.",
    )


def head_of(tab: Tab, place: str) -> list[tuple[int, list[str]]]:
    """The first rows of a tab, as texts."""
    head: list[tuple[int, list[str]]] = []
    for _, number, cells in islice(tab.rows.rows(place), LOOK_AT):
        if number <= LOOK_AT:
            head.append((number, texts_of(cells)))
    return head


def line_of(place: str) -> Callable[[int], str]:
    """How a row of this tab is called, by its number."""
    return lambda number: f"{place}, row {number}"
