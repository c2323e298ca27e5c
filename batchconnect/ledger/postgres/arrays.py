"""
Columns of lines as PostgreSQL's own binary arrays: a group of fifty lines costs what a single one does.

psycopg makes such arrays element by element, in Python; that alone would cost more than the commit.
"""

import struct
from collections.abc import Sequence
from typing import Final

from psycopg import Connection
from psycopg.adapt import Dumper
from psycopg.pq import Format

from batchconnect.model.value import Value

_TEXT: Final = 25
_TEXT_ARRAY: Final = 1009
_INT8: Final = 20
_INT8_ARRAY: Final = 1016
_INT4: Final = 23
_INT4_ARRAY: Final = 1007
"""Type numbers of PostgreSQL's catalogue, which never change."""
_HEAD: Final = struct.Struct("!iiIii")
"""Dimensions (one), whether there are nulls, type of the elements; how many, numbered from."""
_LENGTH: Final = struct.Struct("!i")
_NULL: Final = _LENGTH.pack(-1)


class Texts(Value, kw_only=False):
    """A `text[]`, packed."""

    data: bytes


class Longs(Value, kw_only=False):
    """A `bigint[]`, packed."""

    data: bytes


class Numbers(Value, kw_only=False):
    """An `integer[]`, packed."""

    data: bytes


def texts(values: Sequence[bytes | None]) -> Texts:
    """An array of texts in UTF-8; None is a null."""
    length = _LENGTH.pack
    parts = [_NULL if value is None else length(len(value)) + value for value in values]
    return Texts(_head(_TEXT, len(parts)) + b"".join(parts))


def longs(values: Sequence[int | None]) -> Longs:
    """An array of numbers of eight bytes; None is a null."""
    return Longs(_head(_INT8, len(values)) + _packed(values, "iq", 8))


def numbers(values: Sequence[int | None]) -> Numbers:
    """An array of numbers of four bytes; None is a null."""
    return Numbers(_head(_INT4, len(values)) + _packed(values, "ii", 4))


def teach(connection: Connection) -> None:
    """Let a connection take packed arrays for values."""
    for dumper in (_TextsDumper, _LongsDumper, _NumbersDumper):
        connection.adapters.register_dumper(dumper.of, dumper)


def _head(of: int, count: int) -> bytes:
    return _HEAD.pack(1, 1, of, count, 1)


def _packed(values: Sequence[int | None], of_one: str, size: int) -> bytes:
    if None in values:
        one = struct.Struct(f"!{of_one}")
        return b"".join(_NULL if value is None else one.pack(size, value) for value in values)
    flat = [number for value in values for number in (size, value)]
    return struct.pack(f"!{of_one * len(values)}", *flat)


class _PackedDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Texts | Longs | Numbers) -> bytes:
        """What is sent: the array as it was packed."""
        return obj.data


class _TextsDumper(_PackedDumper):
    oid = _TEXT_ARRAY
    of = Texts


class _LongsDumper(_PackedDumper):
    oid = _INT8_ARRAY
    of = Longs


class _NumbersDumper(_PackedDumper):
    oid = _INT4_ARRAY
    of = Numbers
