"""Where a run's sheet is found again: its path in the ledger."""

import os
from pathlib import Path

import pytest

from batchconnect.run.opening.header import _kept, sheet_file


@pytest.mark.parametrize(
    "name", [b"clients.csv", "Süd #1 %FC.csv".encode(), b"cl\xfcents.csv", b"a%\xff b.csv"]
)
def test_a_sheets_path_survives_the_ledger_byte_for_byte(name: bytes) -> None:
    """Whatever its name is encoded in: the ledger holds UTF-8 only."""
    path = Path("/data", os.fsdecode(name))
    kept = _kept(path)

    assert kept.encode()
    assert os.fsencode(sheet_file(kept)) == os.fsencode(path)
    if name.isascii() and b"%" not in name:
        assert kept == str(path)
