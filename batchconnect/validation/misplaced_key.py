"""
A key in a column where it does not belong: columns get swapped, shifted, and copied beside the sheet.

A name or a description would be sent and shown as it is, so a cell that holds a key is refused before
anybody asks what else may be wrong with it.
"""

from batchconnect.model.column import Column
from batchconnect.model.outcome import Problem
from batchconnect.model.row import Cell, Row
from batchconnect.model.secret import SHORTEST_REDACTED, Secret, is_entra_secret
from batchconnect.validation.finding import error

OPTIONAL_PLACES = frozenset({Column.ORG, Column.SANDBOX})
"""Columns whose blank cells mean something: an option or the settings speak for them."""
SURELY_NO_WORD = 16
"""Characters of a key that stands within another text by no chance; a shorter one may be a word of it."""


def holds_key(text: str, key: str) -> bool:
    """
    Whether a text is, or surely holds, a key.

    Args:
        text: Of any cell but the key's, a header, a note.
        key: The row's key as typed; equality counts from `SHORTEST_REDACTED` characters on.
    """
    bare = key.strip()
    if len(bare) >= SHORTEST_REDACTED and bare in text:
        return len(bare) >= SURELY_NO_WORD or bare == text.strip()
    return is_entra_secret(text)


def key_of(row: Row) -> str:
    """The row's key as typed; "" where it has none."""
    cell = row.cells.get(Column.SERVICE_PRINCIPAL_KEY)
    return cell.reveal() if isinstance(cell, Secret) else ""


def is_misplaced(column: Column, cell: Cell, key: str) -> bool:
    """Whether the cell of a column that holds no keys holds one."""
    return (
        column is not Column.SERVICE_PRINCIPAL_KEY
        and isinstance(cell, str)
        and holds_key(cell, key)
    )


def length_of(text: str) -> str:
    """What is shown in place of a refused cell of `OPTIONAL_PLACES`: no org and no sandbox is called so."""
    return f"({len(text)} characters)"


def misplaced(column: Column, text: str, key: str) -> Problem:
    """The finding for such a cell; nothing of it is told but its length."""
    is_own = len(key.strip()) >= SHORTEST_REDACTED and key.strip() in text
    seen = "holds the row's key" if is_own else "has the shape of a client secret"
    what = f"the cell of {len(text)} characters {seen}"
    fix = (
        "Look whether columns are swapped or shifted: keys belong into `servicePrincipalKey` alone. "
        "A key that stood where others could read it should be replaced by a new one."
    )
    return error(column, "cell_holds_key", what, fix)
