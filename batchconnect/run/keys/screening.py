"""
Looks for keys where nobody would: in the columns that reports carry, in headers, a file's name, a note.

They would go into the ledger with the run's first line, so the sheet is looked through before that is
written. A carried column that holds one key is taken for a column of keys, whatever its header says.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from batchconnect.model.column import Column
from batchconnect.model.errors import SheetError, UsageError
from batchconnect.model.row import Row, letters
from batchconnect.model.secret import SHORTEST_REDACTED, is_entra_secret
from batchconnect.run.keys.other_rows_keys import KeysAndWords, first_cell, of_ours, words_of
from batchconnect.run.opening.sheet_name import NameHoldsKeyError, check_name, full_name, is_named
from batchconnect.sheet.block import Block
from batchconnect.sheet.interface import Sheet
from batchconnect.sheet.several import parts_of
from batchconnect.validation.misplaced_key import holds_key, key_of

_SORTED: Final = (
    "Look whether a column was shifted, or sorted by itself: its neighbours may be wrong as well. A key that stood where"
    " others could read it should be replaced by a new one."
)
_NOTE: Final = "Give the number of the change alone: ledger and reports show it."


def screen(sheet: Sheet, *, note: str = "") -> None:
    """
    Leave out the carried columns that hold keys; the sheet's warnings name them.

    Args:
        sheet: An open sheet; it is read once.
        note: `--note`.

    Raises:
        UsageError: The note holds a key.
        SheetError: The sheet's name does, or a cell that is sent or shown the key of another row; or it cannot be
            read to its end.
    """
    if is_entra_secret(note):
        raise _in_note()
    looks = _looks(sheet, note)
    for look in looks:
        for _ in look.through():
            pass
    _judge_together(looks)


def screened(sheet: Sheet) -> Iterator[Block | Row]:
    """
    The rows of a sheet, looked through as by `screen` on the way of somebody who tells of none before the last.

    For one that carries no columns: of those it is known at the end only which are to be left out.

    Raises:
        SheetError: As of `screen`; where a key stands in another row, behind the last one.
    """
    looks = _looks(sheet, note="")
    for look in looks:
        yield from look.through()
    _judge_together(looks)


def _looks(sheet: Sheet, note: str) -> list["_Look"]:
    # Whatever sheet a key is of, it may stand in the name of another, and in its cells.
    name, seen = full_name(sheet), KeysAndWords()
    for part in parts_of(sheet):
        check_name(part.name)
    return [_Look(part, note, name, seen) for part in parts_of(sheet)]


def _judge_together(looks: Sequence["_Look"]) -> None:
    numbers = looks[0].seen.common()
    if numbers:
        keys = frozenset(key for look in looks for key in look.keys_of(numbers))
        for look in looks:
            look.of_others(keys)
    for look in looks:
        look.leave_out()


def _in_note() -> UsageError:
    """The note cannot be kept."""
    return UsageError("--note holds a key", hint=_NOTE)


class _Look:
    """One look at every row of one sheet."""

    def __init__(self, sheet: Sheet, note: str, name: str, seen: KeysAndWords) -> None:
        self.in_columns: set[int] = set()
        """Places in `Header.carried` of the columns that hold a key, or are called like one."""
        self.seen = seen
        """What all sheets of the look have shown."""
        self._sheet = sheet
        self._header = sheet.header
        self._note = note
        self._titles = self._header.carried
        self._bare_titles: set[int] = set()
        """Of those, the ones whose title may be a key itself."""
        self._ours = of_ours(self._header)
        self._key_at = self._header.columns[Column.SERVICE_PRINCIPAL_KEY]
        self._name = name
        self._texts = "\0".join((note, self._name, *self._titles))
        """All that is looked through for each row's key at once."""

    def through(self) -> Iterator[Block | Row]:
        """Look at each block, and hand it on."""
        for piece in self._sheet.blocks():
            if isinstance(piece, Row):
                self._row(piece)
            else:
                self._block(piece)
            yield piece

    def _block(self, block: Block) -> None:
        """Rows as bare cells; nothing is made of them."""
        keys = [*map(str.strip, block.columns[self._key_at])]
        self.seen.add_keys(keys)
        for _, at in self._ours:
            self.seen.add_texts(block.columns[at])
        texts = self._texts
        for key in [key for key in keys if len(key) >= SHORTEST_REDACTED and key in texts]:
            self._judge_texts(key)
        if self._titles:
            carried = [block.columns[at] for at in self._header.carried_at]
            for cells in carried:
                self.seen.add_carried(cells)
            for key, row in zip(keys, zip(*carried, strict=True), strict=True):
                self._judge_carried(key, row)

    def _row(self, row: Row) -> None:
        """A row whose bare cells could not be had."""
        key = key_of(row).strip()
        self.seen.add_keys((key,))
        self.seen.add_texts([text for _, text in self._texts_of(row)])
        self.seen.add_carried(row.carried)
        if len(key) >= SHORTEST_REDACTED and key in self._texts:
            self._judge_texts(key)
        self._judge_carried(key, row.carried)

    def keys_of(self, numbers: frozenset[int]) -> Iterator[str]:
        """The keys that have one of these numbers."""
        for row in self._sheet.rows():
            key = key_of(row).strip()
            if hash(key) in numbers:
                yield key

    def of_others(self, keys: frozenset[str]) -> None:
        """
        Look where a key of another row stands.

        Raises:
            SheetError: In a cell that would be sent, or shown.
        """
        for row in self._sheet.rows():
            own = key_of(row).strip()
            column = first_cell(self._texts_of(row), own, keys)
            if column is not None:
                where = self._header.address(column, row.number)
                raise SheetError(
                    f"{self._sheet.name}: {where}: `{column.value}` holds the key of another row",
                    hint=_SORTED,
                )
            for at, text in enumerate(row.carried):
                if text.strip() in keys or not keys.isdisjoint(words_of(text)):
                    self.in_columns.add(at)

    def leave_out(self) -> None:
        """Carry the columns no more that hold keys."""
        if self.in_columns:
            self._sheet.leave_out(self.in_columns, warnings=self._warnings())

    def _texts_of(self, row: Row) -> list[tuple[Column, str]]:
        cells = ((column, row.cells.get(column)) for column, _ in self._ours)
        return [(column, cell) for column, cell in cells if isinstance(cell, str)]

    def _warnings(self) -> list[str]:
        """One line for each column that is left out."""
        return [
            f"{self._sheet.name}: column {letters(self._header.carried_at[at])}{self._title(at)} "
            "holds a key; it is not carried into the reports"
            for at in sorted(self.in_columns)
        ]

    def _judge_carried(self, key: str, carried: Sequence[str]) -> None:
        for at, text in enumerate(carried):
            if at not in self.in_columns and text and holds_key(text, key):
                self.in_columns.add(at)

    def _judge_texts(self, key: str) -> None:
        """The cases that are no chance: the whole of a note or title, or a long key within one."""
        if holds_key(self._note, key):
            raise _in_note()
        if is_named(self._name, key):
            raise NameHoldsKeyError
        named = {at for at, title in enumerate(self._titles) if holds_key(title, key)}
        self.in_columns |= named
        self._bare_titles |= named

    def _title(self, at: int) -> str:
        is_harmless = at not in self._bare_titles and not is_entra_secret(self._titles[at])
        return f" (`{self._titles[at]}`)" if is_harmless else ""
