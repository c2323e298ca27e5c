"""
The second look at XLSB: the binary records of each tab.

Source: [MS-XLSB], sections 2.1.4 (records), 2.4 (BrtCell..., BrtFmla..., BrtMergeCell, BrtBundleSh).
"""

import posixpath
import struct
import zipfile
from collections.abc import Iterator
from typing import IO

from batchconnect.sheet.workbook.inspect_xlsx import relations
from batchconnect.sheet.workbook.unsupported import UnsupportedCells

_WORKBOOK = "xl/workbook.bin"
_ROW, _BLANK, _ERROR, _FORMULA_ERROR, _LAST_CELL, _MERGE, _TAB = 0, 1, 3, 11, 11, 176, 156


def inspect_xlsb(file: IO[bytes]) -> Iterator[tuple[str, UnsupportedCells]]:
    """
    Look at every tab of a workbook.

    Raises:
        FarCellError: A cell lies too far out.
        ValueError, struct.error: A record is cut.
    """
    with zipfile.ZipFile(file) as archive:
        targets = relations(archive, "xl/_rels/workbook.bin.rels")
        members = set(archive.namelist())
        for kind, data in _records(archive.read(_WORKBOOK)):
            if kind == _TAB:
                relation, rest = _text(data[8:])
                name, _ = _text(rest)
                what, target = targets.get(relation, ("", ""))
                part = posixpath.normpath(posixpath.join("xl", target)).lstrip("/")
                if what == "worksheet" and part in members:
                    yield name, _inspect(archive.read(part))


def _inspect(part: bytes) -> UnsupportedCells:
    unsupported, row = UnsupportedCells(), -1
    merged: list[tuple[int, ...]] = []
    for kind, data in _records(part):
        if kind == _ROW:
            (row,) = struct.unpack_from("<I", data)
        elif _BLANK < kind <= _LAST_CELL:
            (column,) = struct.unpack_from("<I", data)
            unsupported.saw(row, column, "error" if kind in (_ERROR, _FORMULA_ERROR) else None)
        elif kind == _MERGE:
            merged.append(struct.unpack_from("<4I", data))
    for top, bottom, left, right in merged:
        unsupported.merge(top, left, bottom, right)
    return unsupported


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
    return data[4:end].decode("utf-16-le"), data[end:]
