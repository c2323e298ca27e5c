"""
The OLE2 container around an XLS workbook: its streams by place, and a plain container for one of them.

A container may hold others, as a workbook that was embedded as an object; only what lies at its root is
the workbook itself. Source: [MS-CFB], section 2.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence

from batchconnect.model.value import Value

_END_OF_CHAIN, _FREE, _NO_ENTRY = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFF
_LARGEST_SECTOR = 0xFFFFFFFA
"""This and larger numbers name no sector."""
_STREAM = 2
_SHIFT = 12
"""Sectors of 4096 bytes in the container that we write."""


class _Entry(Value):
    name: str
    kind: int
    left: int
    right: int
    child: int
    start: int
    length: int


def root_streams(container: bytes) -> Mapping[str, bytes]:
    """
    The streams at the root of a container, by their names in lower case.

    Raises:
        ValueError, struct.error: The container is cut, or a chain in it has no end.
    """
    shift, mini_shift = struct.unpack_from("<2H", container, 30)
    (directory_start,) = struct.unpack_from("<I", container, 48)
    cutoff, mini_fat_start = struct.unpack_from("<2I", container, 56)
    size = 1 << shift

    def sector(number: int) -> bytes:
        return container[(number + 1) * size : (number + 2) * size]

    fat_sectors = [n for n in struct.unpack_from("<109I", container, 76) if n < _LARGEST_SECTOR]
    (more,) = struct.unpack_from("<I", container, 68)
    for _ in range(len(container) // size):
        if more >= _LARGEST_SECTOR:
            break
        *listed, more = _numbers(sector(more))
        fat_sectors += [number for number in listed if number < _LARGEST_SECTOR]
    fat = [entry for number in fat_sectors for entry in _numbers(sector(number))]

    def chain(start: int) -> bytes:
        return b"".join(sector(number) for number in _chain(start, fat))

    raw = chain(directory_start)
    entries = [_entry(raw[at : at + 128]) for at in range(0, len(raw) - 127, 128)]
    if not entries:
        raise ValueError("no directory in the container")

    def content(entry: _Entry) -> bytes:
        if entry.length >= cutoff:
            return chain(entry.start)[: entry.length]
        mini, mini_size = chain(entries[0].start), 1 << mini_shift
        mini_fat = _numbers(chain(mini_fat_start))
        parts = (mini[n * mini_size : (n + 1) * mini_size] for n in _chain(entry.start, mini_fat))
        return b"".join(parts)[: entry.length]

    return {
        entry.name.casefold(): content(entry)
        for entry in _siblings(entries, entries[0].child)
        if entry.kind == _STREAM
    }


def container_of(name: str, stream: bytes) -> bytes:
    """A container with one stream."""
    size = 1 << _SHIFT
    count = max(1, -(-len(stream) // size))  # at least one sector, so that none is a mini one
    fat_count = 1
    while fat_count * size // 4 < fat_count + 2 + count:
        fat_count += 1
    # Behind the table of sectors: the directory, one sector of small streams (there are none), the stream.
    fat = [0xFFFFFFFD] * fat_count + [_END_OF_CHAIN] * 2
    first = len(fat)
    fat += [*range(first + 1, first + count), _END_OF_CHAIN]
    fat += [_FREE] * (fat_count * size // 4 - len(fat))
    header = bytearray(size)
    header[:8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    struct.pack_into("<5H", header, 24, 0x3E, 4, 0xFFFE, _SHIFT, 6)
    struct.pack_into("<3I", header, 40, 1, fat_count, fat_count)
    struct.pack_into("<5I", header, 56, size, _END_OF_CHAIN, 0, _END_OF_CHAIN, 0)
    struct.pack_into("<109I", header, 76, *range(fat_count), *[_FREE] * (109 - fat_count))
    directory = _raw("Root Entry", 5, first - 1, 0, 1)
    directory += _raw(name, _STREAM, first, count * size, _NO_ENTRY)
    return b"".join(
        (
            header,
            struct.pack(f"<{len(fat)}I", *fat),
            directory.ljust(2 * size, b"\0"),
            stream.ljust(count * size, b"\0"),
        )
    )


LARGEST_STREAM = 109 * (1 << _SHIFT) // 4 * (1 << _SHIFT) - (1 << 20)
"""Bytes that a container of ours can hold: some 450 MB."""


def _raw(name: str, kind: int, start: int, length: int, child: int) -> bytes:
    raw = bytearray(128)
    raw[: 2 * len(name)] = name.encode("utf-16-le")
    struct.pack_into("<HBB3I", raw, 64, 2 * len(name) + 2, kind, 1, _NO_ENTRY, _NO_ENTRY, child)
    struct.pack_into("<2I", raw, 116, start, length)
    return bytes(raw)


def _entry(raw: bytes) -> _Entry:
    length, kind, _, left, right, child = struct.unpack_from("<HBB3I", raw, 64)
    start, size = struct.unpack_from("<2I", raw, 116)
    return _Entry(
        name=raw[: max(0, min(length, 64) - 2)].decode("utf-16-le", "replace"),
        kind=kind,
        left=left,
        right=right,
        child=child,
        start=start,
        length=size,
    )


def _siblings(entries: Sequence[_Entry], first: int) -> Iterator[_Entry]:
    """All entries of one storage: a tree, of which a broken file makes a circle."""
    seen: set[int] = set()
    waiting = [first]
    while waiting:
        number = waiting.pop()
        if number < len(entries) and number not in seen:
            seen.add(number)
            entry = entries[number]
            waiting += [entry.left, entry.right]
            yield entry


def _numbers(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(data) // 4}I", data[: len(data) // 4 * 4])


def _chain(start: int, fat: Sequence[int]) -> Iterator[int]:
    number = start
    for _ in fat:
        if number >= _LARGEST_SECTOR:
            return
        if number >= len(fat):
            raise ValueError("a sector is missing")
        yield number
        number = fat[number]
    if number < _LARGEST_SECTOR:
        raise ValueError("a chain of sectors has no end")
