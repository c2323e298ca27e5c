"""What is advised when the ledger fails: by its cause, and a full disk only where it is full."""

import errno
import os
import sqlite3

import pytest

from batchconnect.ledger.sqlite.trouble import translated
from batchconnect.model.errors import LedgerError


def advice(error: Exception) -> str:
    with pytest.raises(LedgerError) as caught, translated("ledger.sqlite3"):
        raise error
    return caught.value.hint or ""


def of_sqlite(text: str, name: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorname = name
    return error


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_and_a_spent_quota_are_to_be_freed(number: int) -> None:
    assert "Free disk space" in advice(OSError(number, os.strerror(number)))


@pytest.mark.parametrize(
    "error",
    [OSError(errno.EIO, os.strerror(errno.EIO)), of_sqlite("disk I/O error", "SQLITE_IOERR_FSYNC")],
)
def test_another_fault_of_a_disk_is_not(error: Exception) -> None:
    assert "Free disk space" not in advice(error)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("disk I/O error", "SQLITE_IOERR_SHMMAP"),
        ("disk I/O error", "SQLITE_IOERR_SHMOPEN"),
        ("locking protocol", "SQLITE_PROTOCOL"),
    ],
)
def test_a_place_without_shared_memory_is_to_be_another_one(text: str, name: str) -> None:
    """A write-ahead log needs it, and some network shares have none."""
    assert "Name a local path" in advice(of_sqlite(text, name))
