"""
Which row of a parent run a row of today's sheet stands for, where its key is not the parent's.

Cells get corrected, and with them the key changes. A number never says which row it was: sheets are
sorted, shortened and replaced. What says so is the name, or the whole target; and only where one row
fits one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set as AbstractSet

from batchconnect.ledger.entry import RowPlanned
from batchconnect.ledger.row_state import RowState
from batchconnect.model.column import Column
from batchconnect.model.identity import canonical_name
from batchconnect.model.outcome import Rejected
from batchconnect.model.row import Row
from batchconnect.model.target import TARGET_COLUMNS, Target
from batchconnect.model.value import Value
from batchconnect.run.intake.accounting import as_typed
from batchconnect.run.intake.same_run import is_typed_alike
from batchconnect.validation.connection import BaseConnection
from batchconnect.validation.rules import RULES


class Stranger(Value):
    """A row of today's sheet whose key the parent does not know."""

    number: int
    place: tuple[str, str]
    """Org and sandbox: as settings keys where the row is valid, else as typed."""
    typed_place: tuple[str, str]
    name: str
    target: tuple[str, ...] | None
    typed: RowPlanned | None
    """Of a row that is rejected today, what may be shown of it."""


def stranger_of(row: Row, judged: BaseConnection | Rejected) -> Stranger:
    """What a row is recognised by that has no key of the parent's."""
    typed_place = (_text(row, Column.ORG), _text(row, Column.SANDBOX))
    if isinstance(judged, BaseConnection):
        return Stranger(
            number=row.number,
            place=(judged.org.key, judged.sandbox),
            typed_place=typed_place,
            name=canonical_name(judged.name),
            target=shared_target(judged.target),
            typed=None,
        )
    return Stranger(
        number=row.number,
        place=typed_place,
        typed_place=typed_place,
        name=canonical_name(_text(row, Column.NAME)),
        target=shared_target(typed_target(row)),
        typed=as_typed(row, judged.problems),
    )


def typed_target(row: Row) -> Target:
    """The target as it is typed; what is no text is blank."""
    return Target(*(_text(row, column) for column in TARGET_COLUMNS))


def shared_target(target: Target) -> tuple[str, ...] | None:
    """A target as two rows share it; None where a part of it is not known."""
    parts = tuple(
        RULES[column].canonical(part) for column, part in zip(TARGET_COLUMNS, target, strict=True)
    )
    return parts if all(parts) else None


def _text(row: Row, column: Column) -> str:
    cell = row.cells.get(column, "")
    return cell if isinstance(cell, str) else ""


def _likeness(one: Stranger, before: RowState) -> frozenset[str]:
    """In what a row of today is like one of the parent's; nothing: it cannot be that one."""
    planned = before.planned
    assert planned is not None
    name = bool(one.name) and canonical_name(planned.name) == one.name
    target = one.target is not None and shared_target(planned.target) == one.target
    # Rejected then and now, at one place and with the same cells: nobody has touched it.
    untouched = (
        one.typed is not None
        and before.marker is None
        and before.number == one.number
        and is_typed_alike(planned, one.typed)
    )
    place = (planned.org, planned.sandbox) in {one.place, one.typed_place}
    found = {"name": name, "target": target, "untouched": untouched}
    found["place"] = place and any(found.values())
    return frozenset(word for word, holds in found.items() if holds)


_Pair = tuple[int, int]
"""Numbers of a row of today and of one of the parent's."""


def _closest(likenesses: Mapping[_Pair, frozenset[str]]) -> Iterator[_Pair]:
    """The pairs of which each is, for the other, like it in all that any other one is, and in more."""
    by_row: dict[tuple[int, int], list[_Pair]] = {}
    for pair in likenesses:
        for side in (0, 1):
            by_row.setdefault((side, pair[side]), []).append(pair)
    for pair, likeness in likenesses.items():
        rivals = (other for side in (0, 1) for other in by_row[side, pair[side]] if other != pair)
        if all(likenesses[other] < likeness for other in rivals):
            yield pair


class Kin:
    """
    The rows of a parent that have no connection yet.

    Args:
        rows: Planned ones.
    """

    def __init__(self, rows: Iterable[RowState]) -> None:
        self._by_name: dict[str, list[RowState]] = {}
        self._by_target: dict[tuple[str, ...], list[RowState]] = {}
        self._keyless: dict[int, RowState] = {}
        for row in rows:
            assert row.planned is not None
            if name := canonical_name(row.planned.name):
                self._by_name.setdefault(name, []).append(row)
            if target := shared_target(row.planned.target):
                self._by_target.setdefault(target, []).append(row)
            if row.marker is None:
                self._keyless[row.number] = row

    def has_any(self, stranger: Stranger) -> bool:
        """Whether a row could be one of them at all."""
        return bool(self._near(stranger))

    def _near(self, stranger: Stranger) -> Mapping[int, RowState]:
        near = {
            row.number: row
            for row in (
                *self._by_name.get(stranger.name, ()),
                *self._by_target.get(stranger.target or (), ()),
            )
        }
        unchanged = self._keyless.get(stranger.number)
        if unchanged is not None and "untouched" in _likeness(stranger, unchanged):
            near[unchanged.number] = unchanged
        return near

    def corrected(
        self, strangers: Sequence[Stranger], taken: AbstractSet[int]
    ) -> Mapping[int, RowState]:
        """
        Bring rows of today together with those that they stand for.

        Args:
            strangers: Rows whose keys the parent does not know.
            taken: Numbers of the parent's rows whose keys the sheet still has.

        Returns:
            By number of today's row. Where several fit one another alike, none: a person has to say.
        """
        found: dict[int, RowState] = {}
        rows: dict[int, RowState] = {}
        likenesses: dict[_Pair, frozenset[str]] = {}
        for one in strangers:
            for row in self._near(one).values():
                if row.number not in taken:
                    rows[row.number] = row
                    likenesses[one.number, row.number] = _likeness(one, row)
        while pairs := list(_closest(likenesses)):
            for today, before in pairs:
                found[today] = rows[before]
            # Those that are brought together leave fewer for the others to be.
            todays, befores = {pair[0] for pair in pairs}, {pair[1] for pair in pairs}
            likenesses = {
                pair: like
                for pair, like in likenesses.items()
                if pair[0] not in todays and pair[1] not in befores
            }
        return found
