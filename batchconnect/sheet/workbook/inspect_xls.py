"""
The second look at XLS: the BIFF records of each tab, in a stream of an OLE2 container.

Source: [MS-XLS], section 2.4 (BoundSheet8, BoolErr, Formula, MergeCells); [MS-CFB], section 2.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import IO

from batchconnect.sheet.workbook.unsupported import UnsupportedCells

_BOF, _EOF, _TAB, _ERROR, _FORMULAS, _MERGES = 0x809, 0x0A, 0x85, 0x205, (6, 0x206, 0x406), 0xE5
_LABELS_AND_NUMBERS = frozenset({0xFD, 0x203, 0x204, 0x27E, 0xBD, 0xD6})
_END_OF_CHAIN = 0xFFFFFFFA
"""This and larger numbers name no sector."""


def inspect_xls(file: IO[bytes]) -> Iterator[tuple[str, UnsupportedCells]]:
    """
    Look at every tab of a workbook.

    Raises:
        FarCellError: A cell lies too far out.
        ValueError, struct.error: The container or a record is cut.
    """
    stream = workbook_stream(file.read())
    for kind, data in _records(stream, 0):
        if kind == _TAB:
            (start,) = struct.unpack_from("<I", data)
            yield _name(data), _inspect(stream, start)


def _inspect(stream: bytes, start: int) -> UnsupportedCells:
    unsupported = UnsupportedCells()
    merged: list[tuple[int, ...]] = []
    for kind, data in _records(stream, start):
        if kind == _ERROR:
            row, column, _, _, is_error = struct.unpack_from("<3H2B", data)
            unsupported.saw(row, column, "error" if is_error else None)
        elif kind in _FORMULAS:
            row, column, _, what, _, _, _, _, _, mark = struct.unpack_from("<3H6BH", data)
            unsupported.saw(row, column, "error" if (mark, what) == (0xFFFF, 2) else None)
        elif kind in _LABELS_AND_NUMBERS:
            row, column = struct.unpack_from("<2H", data)
            unsupported.saw(row, column, None)
        elif kind == _MERGES:
            (count,) = struct.unpack_from("<H", data)
            merged += [struct.unpack_from("<4H", data, 2 + 8 * i) for i in range(count)]
    for top, bottom, left, right in merged:
        unsupported.merge(top, left, bottom, right)
    return unsupported


def _records(stream: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """Kind and content of each record up to the end of this part; inner parts (charts) are left out."""
    depth = 0
    while at + 4 <= len(stream):
        kind, size = struct.unpack_from("<2H", stream, at)
        if kind == _BOF:
            depth += 1
        elif kind == _EOF:
            depth -= 1
            if depth <= 0:
                return
        elif depth == 1:
            yield kind, stream[at + 4 : at + 4 + size]
        at += 4 + size


def _name(data: bytes) -> str:
    """The name of a tab: one byte a character, or two where the flag says so."""
    length, is_wide = data[6], data[7] & 1
    return data[8 : 8 + length * (1 + is_wide)].decode("utf-16-le" if is_wide else "latin-1")


def workbook_stream(container: bytes) -> bytes:
    """
    The stream `Workbook` (or `Book`) of an OLE2 container.

    Raises:
        ValueError: There is none, or its chain of sectors has no end.
    """
    shift, mini_shift = struct.unpack_from("<2H", container, 30)
    (directory_start,) = struct.unpack_from("<I", container, 48)
    cutoff, mini_fat_start = struct.unpack_from("<2I", container, 56)
    size = 1 << shift

    def sector(number: int) -> bytes:
        return container[(number + 1) * size : (number + 2) * size]

    fat_sectors = [n for n in struct.unpack_from("<109I", container, 76) if n < _END_OF_CHAIN]
    (more,) = struct.unpack_from("<I", container, 68)
    for _ in range(len(container) // size):
        if more >= _END_OF_CHAIN:
            break
        *listed, more = _numbers(sector(more))
        fat_sectors += [number for number in listed if number < _END_OF_CHAIN]
    fat = [entry for number in fat_sectors for entry in _numbers(sector(number))]

    def stream(start: int) -> bytes:
        return b"".join(sector(number) for number in _chain(start, fat))

    entries = stream(directory_start)
    found = [entries[at : at + 128] for at in range(0, len(entries) - 127, 128)]
    by_name = {entry[: max(0, entry[64] - 2)].decode("utf-16-le"): entry for entry in found}
    entry = by_name.get("Workbook") or by_name.get("Book")
    if entry is None:
        raise ValueError("no workbook in the container")
    start, length = struct.unpack_from("<2I", entry, 116)
    if length >= cutoff:
        return stream(start)[:length]
    (root_start,) = struct.unpack_from("<I", found[0], 116)
    mini, mini_size = stream(root_start), 1 << mini_shift
    mini_fat = _numbers(stream(mini_fat_start))
    parts = (mini[n * mini_size : (n + 1) * mini_size] for n in _chain(start, mini_fat))
    return b"".join(parts)[:length]


def _numbers(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(data) // 4}I", data[: len(data) // 4 * 4])


def _chain(start: int, fat: Sequence[int]) -> Iterator[int]:
    number = start
    for _ in fat:
        if number >= _END_OF_CHAIN:
            return
        if number >= len(fat):
            raise ValueError("a sector is missing")
        yield number
        number = fat[number]
    if number < _END_OF_CHAIN:
        raise ValueError("a chain of sectors has no end")
