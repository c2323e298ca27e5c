"""
Looks for keys where nobody would: in the columns that reports carry, in headers, a file's name, a note.

They would go into the ledger with the run's first line, so the sheet is looked through before that is
written. A carried column that holds one key is taken for a column of keys, whatever its header says.
"""

from collections.abc import Sequence
from itertools import repeat
from typing import Final

from batchconnect.model.column import Column
from batchconnect.model.errors import UsageError
from batchconnect.model.row import Row, letters
from batchconnect.model.secret import SHORTEST_REDACTED, is_entra_secret
from batchconnect.run.opening.sheet_name import NameHoldsKeyError, check_name, full_name, is_named
from batchconnect.sheet.block import Block
from batchconnect.sheet.interface import Sheet
from batchconnect.sheet.several import parts_of
from batchconnect.validation.misplaced_key import holds_key, key_of

_NOTE: Final = "Give the number of the change alone: ledger and reports show it."


def screen(sheet: Sheet, *, note: str = "") -> None:
    """
    Leave out the carried columns that hold keys; the sheet's warnings name them.

    Args:
        sheet: An open sheet; it is read once.
        note: `--note`.

    Raises:
        UsageError: The note holds a key.
        SheetError: The sheet's name does; or it cannot be read to its end.
    """
    if is_entra_secret(note):
        raise _in_note()
    # Whatever sheet a key is of, it may stand in the name of another.
    name = full_name(sheet)
    for part in parts_of(sheet):
        check_name(part.name)
        look = _Look(part, note, name)
        for piece in part.blocks():
            if isinstance(piece, Row):
                look.row(piece)
            else:
                look.block(piece)
        if look.in_columns:
            part.leave_out(look.in_columns, warnings=look.warnings())


def screen_carried(sheet: Sheet) -> None:
    """As `screen`, where the rows are read and shown in one: without carried columns none is read before."""
    if sheet.header.carried:
        screen(sheet)


def _in_note() -> UsageError:
    """The note cannot be kept."""
    return UsageError("--note holds a key", hint=_NOTE)


class _Look:
    """One look at every row of one sheet."""

    def __init__(self, sheet: Sheet, note: str, name: str) -> None:
        self.in_columns: set[int] = set()
        """Places in `Header.carried` of the columns that hold a key, or are called like one."""
        self._sheet = sheet
        self._header = sheet.header
        self._note = note
        self._titles = self._header.carried
        self._bare_titles: set[int] = set()
        """Of those, the ones whose title may be a key itself."""
        self._key_at = self._header.columns[Column.SERVICE_PRINCIPAL_KEY]
        self._name = name
        self._texts = "\0".join((note, self._name, *self._titles))
        """All that is looked through for each row's key at once."""

    def block(self, block: Block) -> None:
        """Rows as bare cells; nothing is made of them."""
        keys = block.columns[self._key_at]
        carried = zip(*(block.columns[at] for at in self._header.carried_at), strict=True)
        for key, texts in zip(keys, carried if self._titles else repeat(()), strict=False):
            self._judge(key, texts)

    def row(self, row: Row) -> None:
        """A row whose bare cells could not be had."""
        self._judge(key_of(row), row.carried)

    def warnings(self) -> list[str]:
        """One line for each column that is left out."""
        return [
            f"{self._sheet.name}: column {letters(self._header.carried_at[at])}{self._title(at)} "
            "holds a key; it is not carried into the reports"
            for at in sorted(self.in_columns)
        ]

    def _judge(self, key: str, carried: Sequence[str]) -> None:
        bare = key.strip()
        if len(bare) >= SHORTEST_REDACTED and bare in self._texts:
            self._judge_texts(bare)
        for at, text in enumerate(carried):
            if at not in self.in_columns and text and holds_key(text, bare):
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
