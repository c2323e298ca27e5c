"""Whatever a reader stumbles over is told as a reason, in words for whoever sent the workbook."""

import struct
import zipfile
import zlib
from collections.abc import Callable
from xml.parsers.expat import ExpatError, ParserCreate

import pytest

from batchconnect.sheet.workbook.damage import reason_of


def cut_xml() -> None:
    ParserCreate().Parse(b"<a>\n <b></a>", True)


@pytest.mark.parametrize(
    ("fail", "reason"),
    [
        (lambda: zlib.decompress(b"x"), "its zip is cut or damaged"),
        (
            lambda: dict[str, bytes]()["xl/workbook.bin"],
            "a part that every workbook has is missing",
        ),
        (cut_xml, "its XML is not well-formed (line 2, column 7)"),
        (lambda: struct.unpack("<I", b"x"), "a record in it is cut or damaged"),
        (lambda: b""[1], "a record in it is cut or damaged"),
    ],
)
def test_the_reason_is_a_clause_that_a_person_understands(
    fail: Callable[[], object], reason: str
) -> None:
    with pytest.raises((LookupError, struct.error, zlib.error, ExpatError)) as raised:
        fail()

    assert reason_of(raised.value).startswith(reason)


def test_a_zip_that_was_cut_and_an_error_without_a_reason() -> None:
    assert "not copied to its end" in reason_of(zipfile.BadZipFile())
    assert reason_of(KeyboardInterrupt()) == ""  # type: ignore[arg-type]
