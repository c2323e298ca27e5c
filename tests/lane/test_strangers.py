"""Whether others create the rows of this sheet: what makes a run wait, and what stops it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from batchconnect.flow_service.listing import Found, Listing, Shown
from batchconnect.lane.matching import wanted
from batchconnect.lane.planner import Known, Rules, StatesOf
from batchconnect.lane.strangers import Arrived, arrived, must_wait, strangers_in
from batchconnect.ledger.row_state import RowState
from batchconnect.model.identity import canonical_name
from batchconnect.validation.connection import BaseConnection
from tests.fake_service import cells, judged

pytestmark = pytest.mark.anyio

ROWS = [judged(cells(number)) for number in range(1, 5)]
FOREIGN = judged(cells(99))


def found(connection: BaseConnection, *, age_s: float | None = 30, **changes: object) -> Found:
    item = Found(
        id=f"id-{connection.name}",
        etag=None,
        name=canonical_name(connection.name),
        marker=connection.marker,
        shown=Shown(*wanted(connection).target),
        is_our_kind=True,
        created_at_ms=None if age_s is None else round(-age_s * 1000),
    )
    return replace(item, **changes)  # type: ignore[arg-type]


def listing(*items: Found) -> Listing:
    return Listing(sandbox="prod", items=items, served_at_ms=0)


def having_sent(*rows: BaseConnection, sends: int = 1) -> Known:
    """A ledger that knows these rows, and no other."""
    return Known(
        states_of=knowing({row.marker: RowState(number=1, marker="", sends=sends) for row in rows})
    )


def knowing(states: Mapping[str, RowState]) -> StatesOf:
    async def states_of(markers: Sequence[str]) -> Mapping[str, RowState]:
        return {marker: states[marker] for marker in markers if marker in states}

    return states_of


ALWAYS = Rules(settle_first=True)


@pytest.mark.parametrize(
    ("stands", "known", "rules", "waits"),
    [
        (listing(), Known(), Rules(), False),
        (listing(found(ROWS[0])), Known(), Rules(), True),
        (listing(found(ROWS[0], age_s=None)), Known(), Rules(), True),
        (listing(found(ROWS[0], age_s=181)), Known(), Rules(), False),
        (listing(found(ROWS[0])), having_sent(ROWS[0]), Rules(), False),
        (listing(*map(found, ROWS[:2])), having_sent(ROWS[0]), Rules(), True),
        (listing(found(ROWS[0])), having_sent(ROWS[0], sends=0), Rules(), True),
        (listing(found(ROWS[0])), having_sent(ROWS[1]), Rules(), True),
        (listing(found(FOREIGN)), Known(), Rules(), False),
        (listing(*map(found, ROWS)), Known(), Rules(), False),
        (listing(), Known(), ALWAYS, True),
        (listing(*map(found, ROWS)), Known(), ALWAYS, False),
    ],
    ids=[
        "nothing stands there",
        "a young marker of this sheet",
        "its age is not told",
        "an old one",
        "one that this ledger sent",
        "one that it sent, one that it did not",
        "one that it knows, and never sent",
        "an old copy of the ledger, brought back",
        "a marker of another sheet",
        "nothing is to be created",
        "always, where that is asked for",
        "always, and yet nothing is to be created",
    ],
)
async def test_a_sandbox_is_waited_for_where_strangers_create_rows_of_this_sheet(
    stands: Listing, known: Known, rules: Rules, *, waits: bool
) -> None:
    """Young ones alone, of rows of this very sheet, never sent by this ledger; and only to create."""
    asked = must_wait(range(len(ROWS)), stands, load=ROWS.__getitem__, known=known, rules=rules)

    assert waits == await asked


@pytest.mark.parametrize(
    ("stands", "known", "expected"),
    [
        (listing(found(ROWS[0])), Known(), None),
        (listing(found(ROWS[0]), found(FOREIGN)), Known(), None),
        (listing(*map(found, ROWS[:2])), having_sent(ROWS[1]), None),
        (
            listing(found(ROWS[0]), found(ROWS[1], age_s=12), found(ROWS[2], age_s=50)),
            Known(),
            Arrived(count=2, newest_s=12.0),
        ),
    ],
    ids=["nothing new", "another sheet's", "our own, applied late", "two of this sheet"],
)
async def test_what_came_meanwhile_counts_where_it_is_of_this_sheet(
    stands: Listing, known: Known, expected: Arrived | None
) -> None:
    before = {ROWS[0].marker}
    came = arrived(range(len(ROWS)), stands, load=ROWS.__getitem__, known=known, before=before)

    assert expected == await came


async def test_the_ledger_is_asked_for_many_strangers_at_once() -> None:
    """A sandbox may bear a hundred thousand of ours, and a ledger be a round trip away."""
    asked: list[int] = []

    async def states_of(markers: Sequence[str]) -> Mapping[str, RowState]:
        asked.append(len(markers))
        return {marker: RowState(number=1, marker=marker, sends=1) for marker in markers}

    rows = [judged(cells(number)) for number in range(1, 1202)]
    stands = listing(*map(found, rows[:-1]))
    known = Known(states_of=states_of, states_now=states_of)

    assert not await must_wait(
        range(len(rows)), stands, load=rows.__getitem__, known=known, rules=Rules()
    )
    assert (await strangers_in(stands, known, Listing(sandbox="prod"))).items == ()
    assert asked == [500, 500, 200] * 2


async def test_a_row_that_is_not_to_be_looked_at_is_none_of_them() -> None:
    """`plan` leaves out what is rejected."""
    stands = listing(*map(found, ROWS))
    known = Known()
    offsets = range(700)

    assert await arrived(offsets, stands, load=lambda _: None, known=known) is None
    assert not await must_wait(offsets, stands, load=lambda _: None, known=known, rules=ALWAYS)


def test_people_are_told_how_many_and_how_new() -> None:
    told = Arrived(count=3, newest_s=12.4).detail

    assert "(3, newest 12 s ago)" in told
    assert "somebody" in told.lower()
    assert "died" in told
