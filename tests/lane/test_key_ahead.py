"""
Keys from a store cost a run no time: looked up a few rows ahead, in order, and no more are held than need be.

Virtual time: the ratios are exact, whatever the machine.
"""

from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from random import Random
from typing import Any

import anyio
import pytest

from batchconnect.lane.lane import Limits
from batchconnect.ledger.entry import Sending
from batchconnect.ledger.run_state import RunState
from batchconnect.model.event import LaneStopped
from batchconnect.model.outcome import Status
from batchconnect.model.reference import KeyOrigin, LookedUp, Place, Reference, StoredSecret
from batchconnect.model.secret import Secret
from batchconnect.model.store import StoreKind, StoreProfile
from batchconnect.run.exit_code import INTERRUPTED
from batchconnect.run.stop import Stop
from batchconnect.sheet.memory import MemorySheet
from batchconnect.stores.interface import Answer, Refusal, Trouble, TroubleKind
from batchconnect.stores.line import StoreLine
from batchconnect.stores.resolver import StoreResolver
from batchconnect.validation.connection import parse
from batchconnect.validation.key import Keys
from batchconnect.validation.local_resolver import LocalResolver
from batchconnect.validation.org_registry import OrgRegistry
from batchconnect.validation.reference import References
from tests.fake_service import Bench, FakeService, Fate, cells, org

pytestmark = pytest.mark.anyio

DOWN = Trouble(kind=TroubleKind.DOWN, detail="It answered 503.")


class FakeStore:
    """Answers each name with a key of its own, after a while."""

    batch = 1

    def __init__(self, *, answers_s: float = 0.02, down: tuple[float, float] = (0, 0)) -> None:
        self.asked: list[str] = []
        self.at: list[float] = []
        self._answers_s = answers_s
        self._down = down

    async def fetch(self, places: Sequence[Place]) -> Mapping[Place, Answer] | Trouble:
        (place,) = places
        await anyio.sleep(self._answers_s)
        if self._down[0] < anyio.current_time() < self._down[1]:
            return DOWN
        self.asked.append(place.name)
        self.at.append(anyio.current_time())
        if place.name == "none":
            return {place: Refusal.NOT_FOUND}
        return {place: StoredSecret(value=Secret(f"canary~{place.name}"), version="1")}

    async def check(self) -> Trouble | None:
        return None

    async def close(self) -> None:
        pass


class Held:
    """Counts the keys that are held out of texts: each one that is looked up, until its row is done."""

    def __init__(self) -> None:
        self.now = 0
        self.most = 0

    @contextmanager
    def __call__(self, _secret: Secret) -> Iterator[None]:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            yield
        finally:
            self.now -= 1


LANES = ["acme", "beta", "gamma", "delta"]


def many(count: int, *, is_kept: bool = True, lanes: Sequence[str] = LANES) -> list[dict[str, str]]:
    """Rows of as many orgs, each in turn, each with a key of its own."""
    return [
        cells(
            number,
            org=lanes[number % len(lanes)],
            servicePrincipalKey=f"kv:key-{number:05d}" if is_kept else f"canary~key-{number:05d}",
        )
        for number in range(1, count + 1)
    ]


def bench(*, rate: float | None = 10.0, lanes: Sequence[str] = LANES, **choices: Any) -> Bench:
    orgs = [
        org(name, org_id=f"{number:024X}@AdobeOrg", rate=rate)
        for number, name in enumerate(lanes, start=0xA)
    ]
    service = FakeService(lambda seen: Fate(answered_s=0.2) if seen.marker else None)
    return Bench(service=service, orgs=orgs, **choices)


@asynccontextmanager
async def opened(store: FakeStore, *, rate: float = 50.0) -> AsyncIterator[StoreLine]:
    profile = StoreProfile(name="kv", kind=StoreKind.VAULT, is_open=True, rate=rate)
    async with anyio.create_task_group() as tasks:
        yield StoreLine(
            profile,
            store,
            tasks=tasks,
            patience_s=900,
            rng=Random(0),
            on_event=lambda event: None,
        )
        tasks.cancel_scope.cancel()


async def run(
    one: Bench, rows: list[dict[str, str]], store: FakeStore, *, rate: float = 50.0, **changes: Any
) -> RunState:
    sheet = MemorySheet(rows)
    async with opened(store, rate=rate) as line:
        references = References(allow=True, refs_dir=None, environ={}, stores=[line.profile])
        resolver = StoreResolver({"kv": line}, LocalResolver(references))
        return await one.run(
            sheet,
            parse=partial(
                parse,
                header=sheet.header,
                orgs=OrgRegistry(one.orgs),
                org=None,
                sandbox=None,
                references=references,
            ),
            ready=Keys(resolver, header=sheet.header).ready,
            **changes,
        )


def makespan(one: Bench) -> float:
    """From the first create to the last."""
    at = [seen.at for seen in one.service.posts]
    return at[-1] - at[0]


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


async def test_a_store_that_takes_a_second_holds_up_nobody_either() -> None:
    """The window ahead grows as far as keys come late."""
    plain, kept = bench(lanes=["acme"]), bench(lanes=["acme"])

    await run(plain, many(300, is_kept=False, lanes=["acme"]), FakeStore())
    await run(kept, many(300, lanes=["acme"]), FakeStore(answers_s=0.5), rate=1000)

    assert makespan(kept) <= 1.1 * makespan(plain)


async def test_keys_are_looked_up_in_the_order_in_which_rows_are_sent() -> None:
    """But for those that begin in one instant: trio, other than asyncio, draws lots among them."""
    one, store = bench(lanes=["acme"]), FakeStore()

    await run(one, many(100, lanes=["acme"]), store)

    places = {name: at for at, name in enumerate(store.asked, start=1)}
    assert len(places) == 100
    assert max(abs(at - int(name[-5:])) for name, at in places.items()) < 8


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

    await run(one, many(300), store, rate=rate)

    assert 299 / makespan(one) == pytest.approx(rate, rel=0.05)


async def test_a_store_that_is_down_for_a_while_costs_no_row() -> None:
    """Nothing is in doubt: no intent was written for a row without its key."""
    one = bench()

    state = await run(one, many(200), FakeStore(down=(1.0, 21.0)))

    assert one.statuses(state) == [Status.CREATED] * 200
    assert not one.doubts()
    assert makespan(one) < 45


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
