"""XLS and XLSB: binary records, the same rules (faults 49, 50). Both are written here by hand."""

import io
import struct
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from batchconnect.model.column import Column
from batchconnect.model.row import NotText, Row
from batchconnect.sheet import open_sheet
from batchconnect.sheet.workbook.inspect_xls import inspect_xls, workbook_stream

pytestmark = pytest.mark.usefixtures("in_process")
NAMES = [str(column) for column in Column]
ROW: list[object] = ["Acme", "", "https://a", "00123", "t", "i", "FAKE~k", "acme", "prod"]
Write = Callable[..., Path]
Cell = object
"""A text, a number, or bytes: the content of an error record."""
ERROR, FORMULA_ERROR = b"error", b"formula"


def biff(kind: int, data: bytes = b"") -> bytes:
    return struct.pack("<2H", kind, len(data)) + data


def biff_cell(row: int, column: int, value: Cell) -> bytes:
    at = struct.pack("<3H", row, column, 0)
    match value:
        case str():
            return biff(0x204, at + struct.pack("<HB", len(value), 1) + value.encode("utf-16-le"))
        case bytes() if value == ERROR:
            return biff(0x205, at + b"\x2a\x01")
        case bytes():
            return biff(6, at + b"\x02\x00\x2a\x00\x00\x00\xff\xff" + b"\0" * 8)
        case _:
            return biff(0x203, at + struct.pack("<d", value))


def xls(
    rows: Sequence[Sequence[Cell]], merge: tuple[int, int, int, int] | None = None, pad: int = 0
) -> bytes:
    """An OLE2 container: header, one sector of FAT, one of directory, the stream (small: in the mini one)."""
    begin = struct.pack("<2H", 0x600, 5) + b"\0" * 12
    tab = biff(0x809, struct.pack("<2H", 0x600, 0x10) + b"\0" * 12)
    for r, row in enumerate(rows):
        tab += b"".join(biff_cell(r, c, v) for c, v in enumerate(row) if v != "")
    if merge is not None:
        tab += biff(0xE5, struct.pack("<H4H", 1, *merge))
    tab += biff(0x0A) + b"\0" * pad
    head = biff(0x809, begin) + biff(0x42, struct.pack("<H", 1200))
    name = "Süd"
    size = len(head) + 4 + 8 + 2 * len(name) + 4
    bound = struct.pack("<IBBBB", size, 0, 0, len(name), 1) + name.encode("utf-16-le")
    return container(head + biff(0x85, bound) + biff(0x0A) + tab)


def container(stream: bytes) -> bytes:
    end, free = 0xFFFFFFFE, 0xFFFFFFFF
    count = -(-len(stream) // 512)
    is_mini = len(stream) < 4096
    fat = [0xFFFFFFFD, end, *range(3, 2 + count), end]
    minis = -(-len(stream) // 64)
    if is_mini:
        fat.append(end)
    fat += [free] * (128 - len(fat))
    header = bytearray(512)
    header[:8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    struct.pack_into("<5H", header, 24, 0x3E, 3, 0xFFFE, 9, 6)
    struct.pack_into("<I", header, 44, 1)
    struct.pack_into("<I", header, 48, 1)
    struct.pack_into("<5I", header, 56, 4096, 2 + count if is_mini else end, int(is_mini), end, 0)
    struct.pack_into("<109I", header, 76, 0, *[free] * 108)

    def entry(name: str, kind: int, start: int, length: int, child: int = free) -> bytes:
        raw = bytearray(128)
        raw[: 2 * len(name)] = name.encode("utf-16-le")
        struct.pack_into("<HBB3I", raw, 64, 2 * len(name) + 2, kind, 1, free, free, child)
        struct.pack_into("<2I", raw, 116, start, length)
        return bytes(raw)

    root = entry("Root Entry", 5, 2 if is_mini else end, count * 512 if is_mini else 0, 1)
    book = entry("Workbook", 2, 0 if is_mini else 2, len(stream))
    directory = root + book + b"\0" * 256
    mini_fat = (
        struct.pack(f"<{minis}I", *range(1, minis), end).ljust(512, b"\xff") if is_mini else b""
    )
    body = stream.ljust(count * 512, b"\0")
    return bytes(header) + struct.pack("<128I", *fat) + directory + body + mini_fat


def brt(kind: int, data: bytes = b"") -> bytes:
    number = bytes([kind]) if kind < 128 else bytes([kind & 0x7F | 0x80, kind >> 7])
    size, length = b"", len(data)
    while length > 0x7F:
        size += bytes([length & 0x7F | 0x80])
        length >>= 7
    return number + size + bytes([length]) + data


def wide(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def brt_cell(column: int, value: Cell) -> bytes:
    at = struct.pack("<2I", column, 0)
    match value:
        case str():
            return brt(6, at + wide(value))
        case bytes() if value == ERROR:
            return brt(3, at + b"\x2a")
        case bytes():
            return brt(11, at + b"\x2a" + struct.pack("<HII", 0, 0, 0))
        case _:
            return brt(5, at + struct.pack("<d", value))


def xlsb(rows: Sequence[Sequence[Cell]], merge: tuple[int, int, int, int] | None = None) -> bytes:
    tab = brt(129) + brt(148, struct.pack("<4I", 0, len(rows), 0, 16)) + brt(145)
    for r, row in enumerate(rows):
        tab += brt(0, struct.pack("<I", r) + b"\0" * 21)
        tab += b"".join(brt_cell(c, v) for c, v in enumerate(row) if v != "")
    tab += brt(146)
    if merge is not None:
        tab += brt(177, struct.pack("<I", 1)) + brt(176, struct.pack("<4I", *merge)) + brt(178)
    tab += brt(130)
    book = brt(131) + brt(143) + brt(156, struct.pack("<2I", 0, 1) + wide("rId1") + wide("Süd"))
    book += brt(144) + brt(132)
    schema = "http://schemas.openxmlformats.org"
    relation = (
        f'<Relationships xmlns="{schema}/package/2006/relationships"><Relationship Id="rId1" '
        f'Type="{schema}/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.bin"/>'
        "</Relationships>"
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("xl/workbook.bin", book)
        archive.writestr("xl/_rels/workbook.bin.rels", relation)
        archive.writestr("xl/worksheets/sheet1.bin", tab)
    return file.getvalue()


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

    assert len(workbook_stream(large)) - len(workbook_stream(small)) == 8000
    assert len(read(write(large, "clients.xls"))) == 1


def test_a_chain_without_an_end_is_an_error() -> None:
    """No loop for ever."""
    raw = bytearray(xls([NAMES, ROW], pad=8000))
    struct.pack_into("<I", raw, 512 + 4 * 2, 2)

    with pytest.raises(ValueError, match="no end"):
        workbook_stream(bytes(raw))
    struct.pack_into("<I", raw, 512 + 4 * 2, 5000)
    with pytest.raises(ValueError, match="missing"):
        list(inspect_xls(io.BytesIO(bytes(raw))))
