"""XLS and XLSB: binary records, the same rules (faults 49, 50). Both are written by hand."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from batchconnect.model.column import Column
from batchconnect.model.errors import SheetError
from batchconnect.model.row import NotText, Row
from batchconnect.sheet import open_sheet
from batchconnect.sheet.workbook.inspect_xls import XlsWorkbook
from batchconnect.sheet.workbook.ole import root_streams
from tests.sheet.workbook.records import (
    ERROR,
    FORMULA_ERROR,
    biff,
    brt,
    container,
    wide,
    xls,
    xls_stream,
    xlsb,
)

pytestmark = pytest.mark.usefixtures("in_process")
NAMES = [str(column) for column in Column]
ROW: list[object] = ["Acme", "", "https://a", "00123", "t", "i", "FAKE~k", "acme", "prod"]
Write = Callable[..., Path]
MAKERS = pytest.mark.parametrize("make", [xls, xlsb])
Make = Callable[..., bytes]


def read(path: Path) -> list[Row]:
    return list(open_sheet(path).rows())


@MAKERS
def test_texts_are_as_typed_and_errors_are_seen(write: Write, make: Make) -> None:
    """Calamine shows an error as blank, and a blank sandbox would get a default."""
    broken = [*ROW[:7], FORMULA_ERROR, ERROR]
    path = write(make([NAMES, ROW, broken, [*ROW[:3], 7.0, *ROW[4:]]]), "clients.bin")

    good, bad, number = read(path)

    assert (good.cells[Column.DATABASE], good.cells[Column.SANDBOX]) == ("00123", "prod")
    assert bad.cells[Column.ORG] == bad.cells[Column.SANDBOX] == NotText("error")
    assert number.cells[Column.DATABASE] == NotText("number")
    assert open_sheet(path).name.endswith("#Süd")


@MAKERS
def test_merged_cells_are_seen(write: Write, make: Make) -> None:
    """As in XLSX."""
    path = write(make([NAMES, ROW, [*ROW[:8], ""]], (1, 2, 8, 8)), "clients.bin")

    _, covered = read(path)

    assert covered.cells[Column.SANDBOX] == NotText("merged")


def test_a_large_xls_has_its_stream_in_whole_sectors(write: Write) -> None:
    """From 4096 bytes on; below, it lies in the mini stream."""
    small, large = xls([NAMES, ROW]), xls([NAMES, ROW], pad=8000)

    lengths = [len(root_streams(raw)["workbook"]) for raw in (small, large)]
    assert lengths[1] - lengths[0] == 8000
    assert len(read(write(large, "clients.xls"))) == 1


def test_a_chain_without_an_end_is_an_error() -> None:
    """No loop for ever."""
    raw = bytearray(xls([NAMES, ROW], pad=8000))
    struct.pack_into("<I", raw, 512 + 4 * 2, 2)

    with pytest.raises(ValueError, match="no end"):
        XlsWorkbook(bytes(raw))
    struct.pack_into("<I", raw, 512 + 4 * 2, 5000)
    with pytest.raises(ValueError, match="missing"):
        XlsWorkbook(bytes(raw))


@MAKERS
def test_rows_that_nobody_sees_are_named(write: Write, make: Make) -> None:
    """As in XLSX."""
    sheet = open_sheet(write(make([NAMES, ROW, ROW, ROW], hidden={2}), "clients.bin"))

    assert [row.number for row in sheet.rows()] == [2, 3, 4]
    assert "1 row is hidden or filtered out" in sheet.warnings[0]
    assert ": row 3; --visible-only" in sheet.warnings[0]


@pytest.mark.parametrize("is_inner_first", [True, False])
def test_a_workbook_that_is_embedded_is_not_the_sheet(
    write: Write, *, is_inner_first: bool
) -> None:
    """An object in a cell is a workbook too; the sheet is the one at the root, with its errors."""
    inner = xls_stream([NAMES, ["Other", *ROW[1:]]])
    book = xls_stream([NAMES, ROW, [*ROW[:8], ERROR]])
    path = write(container(book, inner=inner, is_inner_first=is_inner_first), "clients.xls")

    good, bad = read(path)

    assert good.cells[Column.NAME] == "Acme"
    assert bad.cells[Column.SANDBOX] == NotText("error")


@pytest.mark.parametrize("name", ["Workbook", "WORKBOOK", "workbook", "Book", "BOOK"])
def test_the_name_of_the_stream_may_be_in_any_letters(write: Write, name: str) -> None:
    """Programs write it as they like."""
    assert len(read(write(container(xls_stream([NAMES, ROW]), name), "clients.xls"))) == 1


def test_excel_95_is_read_with_its_errors(write: Write) -> None:
    """Its texts and the names of its tabs are in a code page."""
    stream = xls_stream(
        [NAMES, ["Söhne", *ROW[1:]], [*ROW[:8], FORMULA_ERROR]], is_biff8=False, code_page=1252
    )
    sheet = open_sheet(write(container(stream, "Book"), "clients.xls"))

    good, bad = sheet.rows()

    assert sheet.name.endswith("#Süd")
    assert good.cells[Column.NAME] == "Söhne"
    assert bad.cells[Column.SANDBOX] == NotText("error")


def test_texts_of_excel_97_are_unicode_whatever_the_code_page_says(write: Write) -> None:
    """Some programs name one; their texts of one byte a letter are Latin-1 all the same."""

    def narrow(at: bytes) -> bytes:
        return biff(0x204, at + b"\x06\x00\x00" + "Müller".encode("latin-1"))

    stream = xls_stream([NAMES, [narrow, *ROW[1:]]], code_page=1252)

    (row,) = read(write(container(stream), "clients.xls"))

    assert row.cells[Column.NAME] == "Müller"


def test_a_shared_text_that_is_empty_is_a_blank_cell(write: Write) -> None:
    """Java programs write such; a shared text may go on in another record, in letters of another width."""
    texts = b"\x00\x00\x00" + b"\x03\x00\x00abc" + b"\x06\x00\x00xyz"
    table = biff(0xFC, struct.pack("<2I", 3, 3) + texts)
    table += biff(0x3C, b"\x01" + "Süd".encode("utf-16-le"))

    def shared(index: int) -> Callable[[bytes], bytes]:
        return lambda at: biff(0xFD, at + struct.pack("<I", index))

    row = [shared(2), shared(0), *ROW[2:7], shared(0), shared(1)]
    (found,) = read(write(container(xls_stream([NAMES, row], shared=table)), "clients.xls"))

    assert found.cells[Column.NAME] == "xyzSüd"
    assert (found.cells[Column.DESCRIPTION], found.cells[Column.ORG]) == ("", "")
    assert found.cells[Column.SANDBOX] == "abc"


def test_excel_95_with_the_cells_of_excel_97_is_named(write: Write) -> None:
    """SheetJS writes so, and not the texts themselves; the sheet is not empty, and saving it anew helps nobody."""
    label = lambda at: biff(0xFD, at + b"\0\0\0\0")  # noqa: E731 - a cell of the table below
    stream = xls_stream([[label] * len(NAMES)] * 2, is_biff8=False, code_page=1252)

    with pytest.raises(SheetError, match="cells refer to shared texts") as caught:
        read(write(container(stream, "Book"), "clients.xls"))

    assert "let it write XLSX" in (caught.value.hint or "")


@pytest.mark.parametrize("cell", [ERROR, FORMULA_ERROR])
def test_a_sheet_of_cells_without_a_text_is_not_called_empty(write: Write, cell: bytes) -> None:
    """A cell is named, with what may be the matter."""
    path = write(xls([[""] * 3, ["", *[cell] * len(NAMES)]]), "clients.xls")

    with pytest.raises(SheetError, match="its first rows hold cells, B2 among them"):
        read(path)


def test_short_records_of_an_xlsb_are_read(write: Write) -> None:
    """SheetJS leaves the column out of a cell that follows its neighbour."""

    def short(text: str) -> Callable[[bytes], bytes]:
        return lambda _: brt(17, b"\0" * 4 + wide(text))

    titles = [NAMES[0], *map(short, NAMES[1:])]
    cells = [
        "Acme",
        *map(short, ["Süd", *map(str, ROW[2:8])]),
        lambda _: brt(14, b"\0" * 4 + b"\x2a"),
    ]
    (row,) = read(write(xlsb([titles, cells]), "clients.xlsb"))

    assert row.cells[Column.DESCRIPTION] == "Süd"
    assert row.cells[Column.DATABASE] == "00123"
    assert row.cells[Column.SANDBOX] == NotText("error")


def test_numbers_and_results_of_an_xls_are_refused_wherever_they_stand(write: Write) -> None:
    """Several numbers in one record, and formulas whose result is a number, a boolean, or a text."""

    def formula(result: bytes) -> Callable[[bytes], bytes]:
        return lambda at: biff(6, at + result + b"\0" * 8)

    def two_numbers(at: bytes) -> bytes:
        number = b"\0\0" + struct.pack("<I", 7 << 2 | 2)
        return biff(0xBD, at[:4] + 2 * number + struct.pack("<H", 4))

    row = [*ROW[:3], two_numbers, "", formula(struct.pack("<d", 7.0)), ROW[6]]
    row += [formula(b"\x01\0\x01\0\0\0\xff\xff"), "prod"]
    (found,) = read(write(xls([NAMES, row]), "clients.xls"))

    assert found.cells[Column.DATABASE] == found.cells[Column.TENANT] == NotText("number")
    assert isinstance(found.cells[Column.SERVICE_PRINCIPAL_ID], NotText)
    assert isinstance(found.cells[Column.ORG], NotText)
    assert found.cells[Column.SANDBOX] == "prod"


@pytest.mark.parametrize("is_short", [False, True])
def test_shared_texts_of_an_xlsb_are_as_typed_and_white_space_is_nothing(
    write: Write, is_short: bool
) -> None:
    """As Excel itself writes them; what cannot be shown as it is is refused with its cell."""

    def shared(index: int) -> Callable[[bytes], bytes]:
        told = struct.pack("<I", index)
        return lambda at: brt(18, b"\0" * 4 + told) if is_short else brt(7, at + told)

    row = ["Acme", shared(1), "https://a", shared(0), "t", "i", shared(2), "acme", shared(1)]
    texts = ["00123", " \u00a0", "FAKE\ud800key"]
    (found,) = read(write(xlsb([NAMES, row], shared=texts), "clients.xlsb"))

    assert found.cells[Column.DATABASE] == "00123"
    assert not str(found.cells[Column.DESCRIPTION]).strip()
    assert isinstance(found.cells[Column.SERVICE_PRINCIPAL_KEY], NotText)


def test_a_tab_that_the_look_does_not_find_is_never_clean(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever calamine shows of it: nobody knows what it leaves out."""
    monkeypatch.setattr("batchconnect.sheet.workbook.child.inspect_xlsb", lambda _: iter(()))

    with pytest.raises(SheetError, match="the tab `Süd` cannot be looked at"):
        open_sheet(write(xlsb([NAMES, ROW]), "clients.xlsb"))
