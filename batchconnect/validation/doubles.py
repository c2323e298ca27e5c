"""
Rows of one sheet that ask for the same connection, or give one name to two targets.

Which of them is meant only a person knows, so all rows of such a group are rejected. A sheet may
hold a million rows: each costs 32 bytes while it is read, and a group is only built where one is.
"""

from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from itertools import islice
from struct import Struct
from typing import NamedTuple

from batchconnect.model.column import Column
from batchconnect.model.identity import canonical_name
from batchconnect.model.outcome import Problem
from batchconnect.model.row import Header
from batchconnect.validation.connection import BaseConnection
from batchconnect.validation.finding import NOTHING, Problems, error, located

MOST_NAMED = 10
"""Other rows that one finding names at most."""

_DIGEST = 16
_RECORD = Struct(f"{_DIGEST}sqq")
"""Digest of (org, sandbox, name); hash of the target, which tells apart rows of one name; number of the row."""
_NAME = Struct(f"{_DIGEST}s{_RECORD.size - _DIGEST}x")
"""The same record, for its digest alone."""


class _Group(NamedTuple):
    """Where one row stands in a group of rows with one name."""

    same: list[int]
    """The rows with this row's key, itself among them."""
    named: list[list[int]]
    """All rows with its name, by target."""


class Doubled:
    """
    The findings of the rows that are doubled, worded when they are asked for.

    Args:
        places: Of each row that belongs to a group.
        header: For the addresses of cells.
    """

    def __init__(self, places: Mapping[int, _Group], header: Header) -> None:
        self._places = places
        self._header = header

    def get(self, row_number: int) -> Problems:
        """Why a row is rejected; empty where it is not doubled."""
        place = self._places.get(row_number)
        if place is None:
            return NOTHING
        return located(self._problems(row_number, place), self._header, row_number)

    def __contains__(self, row_number: int) -> bool:
        return row_number in self._places

    def __iter__(self) -> Iterator[int]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def _problems(self, row_number: int, place: _Group) -> Iterator[Problem]:
        if len(place.same) > 1:
            others = (number for number in place.same if number != row_number)
            told = self._rows(others, len(place.same) - 1)
            yield Problem(
                code="row_doubled",
                what=f"the same connection is asked for by {told}",
                remedy="Keep one of these rows, or correct what should differ.",
            )
        if len(place.named) > 1:
            others = (row for rows in place.named if rows is not place.same for row in rows)
            total = sum(map(len, place.named)) - len(place.same)
            yield error(
                Column.NAME,
                "name_doubled",
                f"the same name in the same sandbox, but with another target, is given by "
                f"{self._rows(others, total)}",
                "Give each connection of a sandbox a name of its own.",
            )

    def _rows(self, numbers: Iterable[int], total: int) -> str:
        shown = sorted(islice(numbers, MOST_NAMED))
        rest = f" and {total - len(shown)} more" if total > len(shown) else ""
        return f"{self._header.told(shown)}{rest}"


class Doubles:
    """
    Sees every valid row of a sheet once, in any order, and finds the groups at the end.

    Args:
        header: For the addresses of cells.
    """

    def __init__(self, header: Header) -> None:
        self._header = header
        # By the first byte of the digest, so that looking for groups unpacks a 256th at a time.
        self._buckets = [bytearray() for _ in range(256)]

    def add(self, connection: BaseConnection) -> None:
        """Remember one row; nothing of the connection itself is kept."""
        self.enter(
            connection.row,
            name_scope(connection.org.org_id, connection.sandbox),
            canonical_name(connection.name),
            connection.target.compared(),
        )

    def enter(self, row: int, place: blake2b, name: str, target: tuple[str, ...]) -> None:
        """
        Remember what one row asks for.

        Args:
            row: Its number.
            place: As `name_scope` gives it.
            name: As names are compared.
            target: As `Target.compared` gives it; a bare tuple of the same parts is its equal.
        """
        of_name = place.copy()
        of_name.update(name.encode())
        digest = of_name.digest()
        self._buckets[digest[0]] += _RECORD.pack(digest, hash(target), row)

    def groups(self) -> Doubled:
        """The rows that are doubled, whatever number of rows was added."""
        places: dict[int, _Group] = {}
        for bucket in self._buckets:
            for keys in _named_twice(bucket):
                named = list(keys.values())
                for same in named:
                    place = _Group(same=same, named=named)
                    places.update(dict.fromkeys(same, place))
        return Doubled(places, self._header)


def name_scope(org_id: str, sandbox: str) -> blake2b:
    """Where a name may stand once only, as `Doubles.enter` takes it: what is made for each name is less then."""
    return blake2b(f"{org_id}\0{sandbox}\0".encode(), digest_size=_DIGEST)


def _named_twice(bucket: bytearray) -> Iterator[dict[int, list[int]]]:
    """The groups of two or more rows with one name: the numbers of their rows by target."""
    # One look at the whole bucket: most often no name in it stands twice.
    if len(set(_NAME.iter_unpack(bucket))) * _RECORD.size == len(bucket):
        return
    named: dict[bytes, dict[int, list[int]]] = {}
    for name, target, row in _RECORD.iter_unpack(bucket):
        named.setdefault(name, {}).setdefault(target, []).append(row)
    for rows in named.values():
        if len(rows) > 1 or any(len(same) > 1 for same in rows.values()):
            yield rows
