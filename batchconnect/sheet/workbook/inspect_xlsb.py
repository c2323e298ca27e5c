"""
The second look at XLSB: the binary records of each tab; and its short records, written in full.

SheetJS leaves the column out of a cell that follows its neighbour. Excel reads that, calamine does not.

Source: [MS-XLSB], sections 2.1.4 (records), 2.4 (BrtCell..., BrtFmla..., BrtRowHdr, BrtMergeCell, BrtBundleSh,
BrtSSTItem); for the short ones SheetJS's own, `BrtShort...`.
"""

import io
import posixpath
import struct
import zipfile
from collections.abc import Iterator, Mapping
from typing import IO

from batchconnect.sheet.workbook.inspect_xlsx import relations
from batchconnect.sheet.workbook.inspected import MISREAD, WHITE, InspectedTab, is_misread

_WORKBOOK = "xl/workbook.bin"
_ROW, _BLANK, _ERROR, _TEXT, _SHARED = 0, 1, 3, 6, 7
_FORMULA_TEXT, _FORMULA_ERROR, _LAST_CELL, _RICH_TEXT = 8, 11, 11, 62
_SHORT_BLANK, _SHORT_SHARED, _SHORT = 12, 18, 11
"""The short records, and how far their numbers are from those in full."""
_SHARED_TEXT, _MERGE, _TAB = 19, 176, 156
_HIDDEN = 0x10
_NOTHING = "nothing"
"""Of a text: it is white space, or not there at all."""


def inspect_xlsb(file: IO[bytes]) -> Iterator[tuple[str, InspectedTab]]:
    """
    Look at every tab of a workbook whose records are all in full.

    Raises:
        ValueError, struct.error: A record is cut.
    """
    with zipfile.ZipFile(file) as archive:
        odd = _odd_texts(archive)
        for name, part in _tabs(archive):
            yield name, _inspect(archive.read(part), odd)


def with_full_records(data: bytes) -> bytes:
    """The same workbook, with no short record in its tabs."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        written = {
            part: b"".join(_in_full(raw))
            for _, part in _tabs(archive)
            if _has_short(raw := archive.read(part))
        }
        if not written:
            return data
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as copy:
            for name in archive.namelist():
                copy.writestr(name, written.get(name) or archive.read(name))
        return file.getvalue()


def _tabs(archive: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    """The name of each tab and the part that holds it."""
    targets = relations(archive, "xl/_rels/workbook.bin.rels")
    members = set(archive.namelist())
    for kind, data in _records(archive.read(_WORKBOOK)):
        if kind == _TAB:
            relation, rest = _text(data[8:])
            name, _ = _text(rest)
            what, target = targets.get(relation, ("", ""))
            part = posixpath.normpath(posixpath.join("xl", target)).lstrip("/")
            if what == "worksheet" and part in members:
                yield name, part


def _odd_texts(archive: zipfile.ZipFile) -> dict[int, str]:
    """Number of each shared text that is white space or nothing, or not shown as it is; and which."""
    found: dict[int, str] = {}
    for what, target in relations(archive, "xl/_rels/workbook.bin.rels").values():
        part = posixpath.normpath(posixpath.join("xl", target)).lstrip("/")
        if what == "sharedStrings" and part in archive.namelist():
            items = (data for kind, data in _records(archive.read(part)) if kind == _SHARED_TEXT)
            for number, data in enumerate(items):
                odd = _oddity(data[1:])
                if odd is not None:
                    found[number] = odd
    return found


def _inspect(part: bytes, odd: Mapping[int, str]) -> InspectedTab:
    tab, row, column = InspectedTab(), -1, -1
    merged: list[tuple[int, ...]] = []
    for kind, data in _records(part):
        if _BLANK <= kind <= _LAST_CELL or kind == _RICH_TEXT:
            (column,) = struct.unpack_from("<I", data)
        if kind == _ROW:
            row, column = struct.unpack_from("<I", data)[0], -1
            if data[11] & _HIDDEN:
                tab.hidden.add(row)
        elif _BLANK < kind <= _LAST_CELL or kind == _RICH_TEXT:
            what = _what(kind, data[8:], odd)
            if what != _NOTHING:
                tab.saw(row, column, what)
        elif kind == _MERGE:
            merged.append(struct.unpack_from("<4I", data))
    for top, bottom, left, right in merged:
        tab.merge(top, left, bottom, right)
    return tab


def _what(kind: int, value: bytes, odd: Mapping[int, str]) -> str | None:
    """Why a cell is refused, if it is; `_NOTHING` where it holds nothing."""
    if kind in (_ERROR, _FORMULA_ERROR):
        return "error"
    if kind == _SHARED:
        return odd.get(struct.unpack_from("<I", value)[0])
    if kind in (_TEXT, _FORMULA_TEXT):
        return _oddity(value)
    return _oddity(value[1:]) if kind == _RICH_TEXT else None


def _oddity(text: bytes) -> str | None:
    if not _text(text)[0].strip(WHITE):
        return _NOTHING
    (length,) = struct.unpack_from("<I", text)
    return MISREAD if is_misread(text[4 : 4 + 2 * length], width=2) else None


def _has_short(part: bytes) -> bool:
    return any(_SHORT_BLANK <= kind <= _SHORT_SHARED for kind, _ in _records(part))


def _in_full(part: bytes) -> Iterator[bytes]:
    column = -1
    for kind, data in _records(part):
        if _SHORT_BLANK <= kind <= _SHORT_SHARED:
            column += 1
            yield _record(kind - _SHORT, struct.pack("<I", column) + data)
        else:
            if kind == _ROW:
                column = -1
            elif _BLANK <= kind <= _LAST_CELL or kind == _RICH_TEXT:
                (column,) = struct.unpack_from("<I", data)
            yield _record(kind, data)


def _record(kind: int, data: bytes) -> bytes:
    head = bytes([kind]) if kind < 0x80 else bytes([kind & 0x7F | 0x80, kind >> 7])  # noqa: PLR2004 - see `_number`
    size = len(data)
    while size > 0x7F:  # noqa: PLR2004 - see `_number`
        head += bytes([size & 0x7F | 0x80])
        size >>= 7
    return head + bytes([size]) + data


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Kind and content of each record; both lengths are numbers of seven bits a byte."""
    at = 0
    while at < len(data):
        kind, at = _number(data, at, most=2)
        size, at = _number(data, at, most=4)
        yield kind, data[at : at + size]
        at += size


def _number(data: bytes, at: int, *, most: int) -> tuple[int, int]:
    value = 0
    for position in range(most):
        byte = data[at + position]
        value |= (byte & 0x7F) << 7 * position
        if byte < 0x80:  # noqa: PLR2004 - the high bit says that another byte follows
            return value, at + position + 1
    return value, at + most


def _text(data: bytes) -> tuple[str, bytes]:
    """A text with its length before it, and what stands behind it."""
    (length,) = struct.unpack_from("<I", data)
    end = 4 + 2 * length
    return data[4:end].decode("utf-16-le", "replace"), data[end:]
