"""Writes small XLS and XLSB workbooks by hand, record by record."""

import io
import struct
import zipfile
from collections.abc import Container, Sequence

Cell = object
"""A text, a number, the name of an error record, or a function that makes the record itself."""
ERROR, FORMULA_ERROR = b"error", b"formula"


def biff(kind: int, data: bytes = b"") -> bytes:
    return struct.pack("<2H", kind, len(data)) + data


def biff_cell(row: int, column: int, value: Cell, *, is_biff8: bool = True) -> bytes:
    at = struct.pack("<3H", row, column, 0)
    match value:
        case str() if is_biff8:
            letters = value.encode("utf-16-le")
            return biff(0x204, at + struct.pack("<HB", len(letters) // 2, 1) + letters)
        case str():
            return biff(0x204, at + struct.pack("<H", len(value)) + value.encode("cp1252"))
        case bytes() if value == ERROR:
            return biff(0x205, at + b"\x2a\x01")
        case bytes():
            return biff(6, at + b"\x02\x00\x2a\x00\x00\x00\xff\xff" + b"\0" * 8)
        case int() | float():
            return biff(0x203, at + struct.pack("<d", value))
        case _ if callable(value):
            return bytes(value(at))
        case _:
            raise TypeError


def xls_stream(
    rows: Sequence[Sequence[Cell]],
    merge: tuple[int, int, int, int] | None = None,
    pad: int = 0,
    *,
    hidden: Container[int] = (),
    is_biff8: bool = True,
    code_page: int = 1200,
    shared: bytes = b"",
) -> bytes:
    """The records: of the workbook, then of its one tab; *shared*: more of the workbook's own."""
    version = 0x600 if is_biff8 else 0x500
    begin = struct.pack("<2H", version, 5) + b"\0" * (12 if is_biff8 else 4)
    tab = biff(0x809, struct.pack("<2H", version, 0x10) + b"\0" * (12 if is_biff8 else 4))
    for r, row in enumerate(rows):
        tab += biff(0x208, struct.pack("<4H4xHH", r, 0, 16, 255, 0x20 if r in hidden else 0, 15))
        cells = (biff_cell(r, c, v, is_biff8=is_biff8) for c, v in enumerate(row) if v != "")
        tab += b"".join(cells)
    if merge is not None:
        tab += biff(0xE5, struct.pack("<H4H", 1, *merge))
    tab += biff(0x0A) + b"\0" * pad
    head = biff(0x809, begin) + biff(0x42, struct.pack("<H", code_page)) + shared
    name = "Süd".encode("utf-16-le" if is_biff8 else "cp1252")
    name = b"\x03\x01" + name if is_biff8 else b"\x03" + name
    size = len(head) + 4 + 6 + len(name) + 4
    return head + biff(0x85, struct.pack("<IBB", size, 0, 0) + name) + biff(0x0A) + tab


def xls(
    rows: Sequence[Sequence[Cell]],
    merge: tuple[int, int, int, int] | None = None,
    pad: int = 0,
    *,
    hidden: Container[int] = (),
) -> bytes:
    """A workbook in a container of its own."""
    return container(xls_stream(rows, merge, pad, hidden=hidden))


def container(
    stream: bytes, name: str = "Workbook", inner: bytes = b"", *, is_inner_first: bool = False
) -> bytes:
    """
    An OLE2 container: header, one sector of FAT, one of directory, the stream (small: in the mini one).

    *inner* is a stream `Workbook` in a storage of its own, as an object that was embedded.
    """
    end, free = 0xFFFFFFFE, 0xFFFFFFFF
    if inner:
        stream, inner = (part.ljust(4096, b"\0") for part in (stream, inner))
    count, inner_count = (-(-len(part) // 512) for part in (stream, inner))
    is_mini = len(stream) < 4096
    fat = [0xFFFFFFFD, end, *range(3, 2 + count), end]
    if inner:
        fat += [*range(3 + count, 2 + count + inner_count), end]
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

    def entry(
        name: str, kind: int, start: int, length: int, *, child: int = free, right: int = free
    ) -> bytes:
        raw = bytearray(128)
        raw[: 2 * len(name)] = name.encode("utf-16-le")
        struct.pack_into("<HBB3I", raw, 64, 2 * len(name) + 2, kind, 1, free, right, child)
        struct.pack_into("<2I", raw, 116, start, length)
        return bytes(raw)

    of_inner, of_book = (1, 3) if is_inner_first else (3, 1)
    parts = {
        0: entry(
            "Root Entry", 5, 2 if is_mini else end, count * 512 if is_mini else 0, child=of_book
        ),
        of_book: entry(name, 2, 0 if is_mini else 2, len(stream), right=2 if inner else free),
        2: entry("MBD0001", 1, 0, 0, child=of_inner) if inner else b"\0" * 128,
        of_inner: entry("Workbook", 2, 2 + count, len(inner)) if inner else b"\0" * 128,
    }
    directory = b"".join(parts[number] for number in range(4))
    mini_fat = (
        struct.pack(f"<{minis}I", *range(1, minis), end).ljust(512, b"\xff") if is_mini else b""
    )
    body = stream.ljust(count * 512, b"\0") + inner.ljust(inner_count * 512, b"\0")
    return bytes(header) + struct.pack("<128I", *fat) + directory + body + mini_fat


def brt(kind: int, data: bytes = b"") -> bytes:
    number = bytes([kind]) if kind < 128 else bytes([kind & 0x7F | 0x80, kind >> 7])
    size, length = b"", len(data)
    while length > 0x7F:
        size += bytes([length & 0x7F | 0x80])
        length >>= 7
    return number + size + bytes([length]) + data


def wide(text: str) -> bytes:
    letters = text.encode("utf-16-le", "surrogatepass")
    return struct.pack("<I", len(letters) // 2) + letters


def brt_cell(column: int, value: Cell) -> bytes:
    at = struct.pack("<2I", column, 0)
    match value:
        case str():
            return brt(6, at + wide(value))
        case bytes() if value == ERROR:
            return brt(3, at + b"\x2a")
        case bytes():
            return brt(11, at + b"\x2a" + struct.pack("<HII", 0, 0, 0))
        case int() | float():
            return brt(5, at + struct.pack("<d", value))
        case _ if callable(value):
            return bytes(value(at))
        case _:
            raise TypeError


def xlsb(
    rows: Sequence[Sequence[Cell]],
    merge: tuple[int, int, int, int] | None = None,
    *,
    hidden: Container[int] = (),
    shared: Sequence[str] = (),
) -> bytes:
    tab = brt(129) + brt(148, struct.pack("<4I", 0, len(rows), 0, 16)) + brt(145)
    for r, row in enumerate(rows):
        look = b"\x10" if r in hidden else b"\0"
        tab += brt(0, struct.pack("<I", r) + b"\0" * 7 + look + b"\0" * 13)
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
        f'<Relationship Id="rId2" Type="{schema}/officeDocument/2006/relationships/sharedStrings" '
        'Target="sharedStrings.bin"/></Relationships>'
    )
    texts = brt(159, struct.pack("<2I", len(shared), len(shared)))
    texts += b"".join(brt(19, b"\0" + wide(text)) for text in shared) + brt(160)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("xl/workbook.bin", book)
        archive.writestr("xl/_rels/workbook.bin.rels", relation)
        archive.writestr("xl/worksheets/sheet1.bin", tab)
        archive.writestr("xl/sharedStrings.bin", texts)
    return file.getvalue()
