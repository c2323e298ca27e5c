"""
Rows of one sheet that ask for the same connection, or give one name to two targets.

Which of them is meant only a person knows, so all rows of such a group are rejected. A sheet may
hold a million rows: each costs 32 bytes while it is read, and a group is only built where one is.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from operator import add
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

_PARTS = 256
"""In so many parts the names are looked through at the end: what that takes for each name is held for few of them."""


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
        self._rows = array("q")
        # Two hashes of a name are one of 128 bits; its second half is only asked where the first one comes twice.
        self._names = array("q")
        self._halves = array("q")
        self._targets = array("q")

    def add(self, connection: BaseConnection) -> None:
        """Remember one row; nothing of the connection itself is kept."""
        name = canonical_name(connection.name)
        scope = name_scope(connection.org.org_id, connection.sandbox)
        self.add_all([connection.row], [scope], [name], [connection.target.compared()])

    def add_all(
        self,
        rows: Iterable[int],
        scopes: Sequence[str],
        names: Sequence[str],
        targets: Iterable[tuple[str, ...]],
    ) -> None:
        """
        Remember what rows ask for.

        Args:
            rows: Their numbers.
            scopes: Of each name, as `name_scope` gives it.
            names: As names are compared.
            targets: As `Target.compared` gives them; a bare tuple of the same parts is its equal.
        """
        pack = Struct(f"{len(names)}q").pack  # an array's own way takes twice as long
        self._rows.frombytes(pack(*rows))
        self._names.frombytes(pack(*map(hash, map(add, scopes, names))))
        self._halves.frombytes(pack(*map(hash, zip(names, scopes, strict=True))))
        self._targets.frombytes(pack(*map(hash, targets)))

    def groups(self) -> Doubled:
        """The rows that are doubled, whatever number of rows was added."""
        named: dict[tuple[int, int], dict[int, list[int]]] = {}
        if twice := self._twice():
            seen = zip(self._names, self._halves, self._targets, self._rows, strict=True)
            for name, half, target, row in seen:
                if name in twice:
                    named.setdefault((name, half), {}).setdefault(target, []).append(row)
        places: dict[int, _Group] = {}
        for keys in named.values():
            rows = list(keys.values())
            if sum(map(len, rows)) > 1:
                for same in rows:
                    places.update(dict.fromkeys(same, _Group(same=same, named=rows)))
        return Doubled(places, self._header)

    def _twice(self) -> set[int]:
        """The hashes of names that come more than once: most often none."""
        parts = [array("q") for _ in range(_PARTS)]
        keep = [part.append for part in parts]
        for name in self._names:
            keep[name % _PARTS](name)
        return {
            name
            for part in parts
            if len(set(part)) < len(part)
            for name, times in Counter(part).items()
            if times > 1
        }


def name_scope(org_id: str, sandbox: str) -> str:
    """Where a name may stand once only."""
    return f"{org_id}\0{sandbox}\0"
