"""
Keys from a store cost a run no time: looked up a few rows ahead, in order, and no more are held than need be.

Virtual time: the ratios are exact, whatever the machine.
"""

import gc
import weakref
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager

import anyio
import pytest

from batchconnect.lane.lane import Limits
from batchconnect.ledger.entry import Sending
from batchconnect.model.event import LaneStopped, RowSettled
from batchconnect.model.outcome import NotAttempted, Status
from batchconnect.model.reference import KeyOrigin, LookedUp, Reference
from batchconnect.model.secret import Secret
from batchconnect.run.exit_code import INTERRUPTED
from batchconnect.run.stop import Stop
from batchconnect.sheet.memory import MemorySheet
from batchconnect.validation.key import Keys
from tests.lane.key_runs import FakeStore, Held, bench, makespan, many, run

pytestmark = pytest.mark.anyio


@pytest.mark.slow
async def test_four_lanes_at_their_limit_are_as_quick_as_with_keys_in_the_cells() -> None:
    """A store that answers in 20 ms, each row with a key of its own: a tenth longer at most."""
    plain, kept, store = bench(), bench(), FakeStore()

    await run(plain, many(800, is_kept=False), FakeStore())
    state = await run(kept, many(800), store)

    assert kept.statuses(state) == [Status.CREATED] * 800
    assert makespan(plain) == pytest.approx(19.9, abs=0.5)
    assert makespan(kept) <= 1.1 * makespan(plain)
    assert len(store.asked) == 800


@pytest.mark.slow
async def test_a_store_that_takes_a_second_holds_up_nobody_either() -> None:
    """The window ahead grows as far as keys come late."""
    plain, kept = bench(lanes=["acme"]), bench(lanes=["acme"])

    await run(plain, many(300, is_kept=False, lanes=["acme"]), FakeStore())
    await run(kept, many(300, lanes=["acme"]), FakeStore(answers_s=0.5), rate=1000)

    assert makespan(kept) <= 1.1 * makespan(plain)


@pytest.mark.slow
async def test_one_key_of_eight_hundred_rows_is_asked_for_once_a_minute() -> None:
    """By four lanes, over a minute and a half; once the last row is done, nobody holds it any more."""
    one, store = bench(rate=2.5), FakeStore()
    rows = many(800)
    for row in rows:
        row["servicePrincipalKey"] = "kv:shared"
    given: list[weakref.ref[Secret]] = []
    held = Held()

    def holding(secret: Secret) -> AbstractContextManager[None]:
        given.append(weakref.ref(secret))
        return held(secret)

    state = await run(one, rows, store, holding=holding)

    assert one.statuses(state) == [Status.CREATED] * 800
    assert 75 < makespan(one) < 90
    assert store.asked == ["shared"] * 2
    assert len(given) >= 800
    gc.collect()
    assert {key() for key in given} == {None}


async def test_keys_are_looked_up_in_the_order_in_which_rows_are_sent() -> None:
    """But for those that begin in one instant: trio, other than asyncio, draws lots among them."""
    one, store = bench(lanes=["acme"]), FakeStore()

    await run(one, many(100, lanes=["acme"]), store)

    places = {name: at for at, name in enumerate(store.asked, start=1)}
    assert len(places) == 100
    assert max(abs(at - int(name[-5:])) for name, at in places.items()) < 8


@pytest.mark.slow
async def test_no_more_keys_are_held_than_twice_the_rows_that_may_be_in_flight() -> None:
    """However slow the service is, and however quick the store."""
    held = Held()
    one = bench(lanes=["acme"], rate=100.0, limits=Limits(concurrency=8))

    await run(one, many(400, lanes=["acme"]), FakeStore(answers_s=0.3), rate=1000, holding=held)

    assert 8 < held.most <= 16
    assert held.now == 0


@pytest.mark.parametrize("rate", [5.0])
async def test_a_store_s_limit_is_the_pace_of_the_creates(rate: float) -> None:
    """Evenly: five keys a second make five creates a second."""
    one, store = bench(), FakeStore()

    await run(one, many(60), store, rate=rate)

    assert 59 / makespan(one) == pytest.approx(rate, rel=0.05)


@pytest.mark.slow
async def test_a_store_that_is_down_for_a_while_costs_no_row() -> None:
    """Nothing is in doubt: no intent was written for a row without its key."""
    one = bench()

    state = await run(one, many(200), FakeStore(down=(1.0, 21.0)))

    assert one.statuses(state) == [Status.CREATED] * 200
    assert not one.doubts()
    assert makespan(one) < 45


@pytest.mark.slow
async def test_a_store_in_trouble_holds_up_no_row_of_another() -> None:
    """They stand between its rows, in the same lane; its own come back in their order, and count once."""
    one = bench(lanes=["acme"])
    rows = many(120, lanes=["acme"])
    for row in rows[1::2]:
        row["servicePrincipalKey"] = row["servicePrincipalKey"].replace("kv:", "ok:")
    done: dict[int, float] = {}

    def hear(event: object) -> None:
        if isinstance(event, RowSettled):
            done[event.row] = anyio.current_time()

    one.on_event = hear

    state = await run(one, rows, FakeStore(down=(2.0, 100.0)), max_rows=120)

    assert one.statuses(state) == [Status.CREATED] * 120
    at = [done[row.number] for row in one.rows(state)]
    assert max(at[1::2]) < 20
    assert sum(moment > 100 for moment in at[0::2]) > 30
    assert not one.doubts()


async def test_a_store_that_is_given_up_ends_its_rows_and_no_others() -> None:
    """Not attempted, with the store's name: one incident, whatever number of rows."""
    one = bench(lanes=["acme"])
    rows = many(60, lanes=["acme"])
    for row in rows[1::2]:
        row["servicePrincipalKey"] = row["servicePrincipalKey"].replace("kv:", "ok:")

    state = await run(one, rows, FakeStore(down=(2.0, 5000.0)))

    left = [row.shown for row in one.rows(state)[0::2]]
    stopped = [outcome for outcome in left if isinstance(outcome, NotAttempted)]
    assert len(stopped) > 10
    assert {(outcome.code, outcome.store) for outcome in stopped} == {("store_down", "kv")}
    assert one.statuses(state)[1::2] == [Status.CREATED] * 30
    assert not one.doubts()


async def test_a_key_that_is_missing_rejects_its_row_alone() -> None:
    one = bench(lanes=["acme"])
    rows = many(20, lanes=["acme"])
    rows[4]["servicePrincipalKey"] = "kv:none"

    state = await run(one, rows, FakeStore())

    found = one.statuses(state)
    assert found[4] == Status.REJECTED
    assert found.count(Status.CREATED) == 19
    origins = [line.entry.key for line in one.lines(Sending) if isinstance(line.entry, Sending)]
    assert len(origins) == 19
    assert KeyOrigin(reference="kv:key-00001", version="1") in origins


async def test_a_stop_does_not_wait_for_a_store() -> None:
    """Ctrl-C while it is down: what waits for its key was never begun."""
    one, stop = bench(), Stop()

    async with anyio.create_task_group() as tasks:

        async def ask() -> None:
            await anyio.sleep(5)
            stop.ask(INTERRUPTED)

        tasks.start_soon(ask)
        state = await run(one, many(200), FakeStore(down=(0.5, 900.0)), stop=stop)

    assert anyio.current_time() < 10
    assert set(one.codes(state)) == {"", "interrupted"}
    assert not one.doubts()


async def test_a_lane_that_stops_does_not_wait_for_a_store_either() -> None:
    """And others do not notice."""
    one = bench(lanes=["acme", "beta"])
    store = FakeStore(down=(3.0, 60.0))

    def hear(event: object) -> None:
        if isinstance(event, LaneStopped):
            stopped_at.append(anyio.current_time())

    stopped_at: list[float] = []
    one.on_event = hear

    async with anyio.create_task_group() as tasks:

        async def refuse() -> None:
            await anyio.sleep(5)
            one.lanes["acme"].stop(
                LaneStopped(org="acme", sandbox=None, code="x", title="No", detail="")
            )

        tasks.start_soon(refuse)
        state = await run(one, many(100, lanes=["acme", "beta"]), store)

    found = one.statuses(state)
    assert stopped_at == [5]
    assert found.count(Status.NOT_ATTEMPTED) > 0
    assert all(
        status == Status.CREATED for status, row in zip(found, one.rows(state), strict=True)
        if row.planned and row.planned.org == "beta"
    )  # fmt: skip


async def test_a_sheet_without_references_is_not_read_ahead() -> None:
    """Whoever keeps keys in the cells pays nothing."""
    asked: list[Reference] = []

    class Nobody:
        async def resolve(self, references: Collection[Reference]) -> Mapping[Reference, LookedUp]:
            asked.extend(references)
            return {}

    one = bench(lanes=["acme"])
    rows = many(20, is_kept=False, lanes=["acme"])
    sheet = MemorySheet(rows)
    state = await one.run(sheet, ready=Keys(Nobody(), header=sheet.header).ready)

    assert one.statuses(state) == [Status.CREATED] * 20
    assert asked == []
