"""Texts and tables of old programs that bear the name of a CSV."""

from pathlib import Path

import pytest

from batchconnect.model.errors import SheetError
from batchconnect.sheet.kind import Kind, kind_of
from batchconnect.sheet.source import MemorySource

CSV = Path("clients.csv")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'ID;PWXL;N;E\r\nP;PGeneral\r\nC;Y1;X1;K"name"\r\nE\r\n', "SYLK"),
        (b'ID;PSCALC3\nF;P0\nC;X1;Y1;K"name"\n', "SYLK"),
        (b'TABLE\r\n0,1\r\n"EXCEL"\r\n', "DIF"),
        (b"\x03\x7e\x0b\x1e\x05\x00\x00\x00" + b"\0" * 24, "a dBase file"),
    ],
)
def test_a_sheet_of_an_old_program_is_called_by_its_name(content: bytes, words: str) -> None:
    """With the way to a sheet that can be read."""
    with pytest.raises(SheetError, match=words) as caught:
        kind_of(MemorySource(content), CSV)
    assert "save it as XLSX or `CSV UTF-8`" in str(caught.value.hint)


@pytest.mark.parametrize(
    "content",
    [b"ID;Project;name\r\n1;Pilot;Acme\r\n", b"table,name\n0,1\n", "表計,name\n".encode("cp932")],
)
def test_a_text_that_only_begins_alike_is_a_text(content: bytes) -> None:
    """`ID` and `table` are words, and a first letter may have any byte."""
    assert kind_of(MemorySource(content), CSV) is Kind.CSV
