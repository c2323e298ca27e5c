"""The door: what sqlite3 and the file system raise, as an error that says what to do."""

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from batchconnect.model.errors import LedgerError

NOT_LOCAL = "The place has no memory that processes share, as some network shares have none."
_FULL = frozenset({os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT)})


@contextmanager
def translated(path: str) -> Iterator[None]:
    """The door: what sqlite3 and the file system raise becomes a `LedgerError` that says what to do."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        hint = _hint(str(error), getattr(error, "sqlite_errorname", ""))
        raise LedgerError(f"the ledger {path}: {error}", hint=hint) from None
    except OSError as error:
        # NOTE: str(error) ends with the path, which may hold any word that `_hint` looks for.
        text = error.strerror or type(error).__name__
        raise LedgerError(f"the ledger {path}: {text}", hint=_hint(text)) from None


def _hint(text: str, name: str = "") -> str:
    """
    What to do.

    Args:
        text: What SQLite or the system says.
        name: SQLite's own name of the error, which says more.
    """
    if name.startswith("SQLITE_IOERR_SHM") or name == "SQLITE_PROTOCOL":
        return f"{NOT_LOCAL} Name a local path with --ledger."
    if "is full" in text or text in _FULL:
        return "Free disk space, then give the same command again: it goes on where it stopped."
    if "malformed" in text or "not a database" in text:
        return "The file is kept as it is. Restore it from a backup, or name another --ledger."
    if any(word in text for word in ("readonly", "Permission", "permitted", "Read-only")):
        return "Name a ledger that you may write, with --ledger."
    if "locked" in text:
        return "Another program has the file open: close it, then give the same command again."
    return "The file is kept as it is. Look at the disk, then give the same command again."
