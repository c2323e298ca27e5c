"""One store as all lanes share it: single flight, its pace, its pauses, and what ends it. Virtual time."""

import gc
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import chain, repeat
from random import Random
from typing import Any

import anyio
import pytest

from batchconnect.model.event import Event, StorePaused, StoreStopped
from batchconnect.model.reference import Place, StoredSecret
from batchconnect.model.secret import Secret
from batchconnect.model.store import StoreKind, StoreProfile
from batchconnect.stores.interface import Answer, Refusal, Trouble, TroubleKind
from batchconnect.stores.line import StoreLine

pytestmark = pytest.mark.anyio

DOWN = Trouble(kind=TroubleKind.DOWN, detail="It answered 503.")
Mood = Callable[[float], Trouble | None]


class FakeStore:
    """
    A store that answers in its own time.

    Args:
        mood: By the time, whether it is in trouble.
        answers_s: How long it takes.
        batch: How many names at once.
    """

    def __init__(
        self, mood: Mood = lambda now: None, *, answers_s: float = 0.02, batch: int = 1
    ) -> None:
        self.mood = mood
        self.batch = batch
        self.asked: Counter[Place] = Counter()
        self.at: list[float] = []
        self.sizes: list[int] = []
        self.most_at_once = 0
        self._at_once = 0
        self._answers_s = answers_s

    async def fetch(self, places: Sequence[Place]) -> Mapping[Place, Answer] | Trouble:
        self.at.append(anyio.current_time())
        self.sizes.append(len(places))
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        await anyio.sleep(self._answers_s)
        self._at_once -= 1
        trouble = self.mood(anyio.current_time())
        if trouble is not None:
            return trouble
        self.asked.update(places)
        return {
            place: Refusal.NOT_FOUND
            if place.name == "none"
            else StoredSecret(value=Secret(f"value~of~{place.name}"))
            for place in places
        }

    async def check(self) -> Trouble | None:
        return self.mood(anyio.current_time())

    async def close(self) -> None:
        pass


@asynccontextmanager
async def line(
    store: FakeStore,
    *,
    patience_s: float = 900,
    rate: float = 50,
    events: list[Event] | None = None,
) -> AsyncIterator[StoreLine]:
    profile = StoreProfile(name="kv", kind=StoreKind.VAULT, rate=rate)
    async with anyio.create_task_group() as tasks:
        yield StoreLine(
            profile,
            store,
            tasks=tasks,
            patience_s=patience_s,
            rng=Random(0),
            on_event=(events if events is not None else []).append,
        )
        tasks.cancel_scope.cancel()


async def look_up(one: StoreLine, *names: str) -> list[Answer | Trouble]:
    """All of them at once, in the order of their names."""
    found: dict[int, Answer | Trouble] = {}

    async def ask(at: int, name: str) -> None:
        found[at] = await one.look_up(Place(name))

    async with anyio.create_task_group() as tasks:
        for at, name in enumerate(names):
            tasks.start_soon(ask, at, name)
    return [found[at] for at in range(len(names))]


async def test_whoever_wants_the_same_waits_for_one_answer() -> None:
    """A hundred rows with one key cost one request, and so does the next while somebody holds it."""
    store = FakeStore()
    async with line(store) as one:
        held = await look_up(one, *["acme"] * 100)
        again = await one.look_up(Place("acme"))

    assert store.asked == {Place("acme"): 1}
    assert again == held[0]


async def test_a_secret_that_nobody_holds_is_kept_by_nobody() -> None:
    """And one that is held for long is looked at again."""
    store = FakeStore()
    gc.freeze()  # only what is made from here on has to be searched
    async with line(store) as one:
        await one.look_up(Place("acme"))
        gc.collect()
        held = await one.look_up(Place("acme"))
        await anyio.sleep(61)
        again = await one.look_up(Place("acme"))

    assert store.asked == {Place("acme"): 3}
    assert held == again


async def test_it_is_asked_at_its_rate_and_eight_at_once() -> None:
    """Evenly, without a salvo."""
    quick, slow = FakeStore(), FakeStore(answers_s=2)
    async with line(quick, rate=5) as one:
        await look_up(one, *(f"n{number}" for number in range(21)))
    async with line(slow, rate=1000) as one:
        await look_up(one, *(f"n{number}" for number in range(40)))

    gaps = [after - before for before, after in zip(quick.at, quick.at[1:], strict=False)]
    assert min(gaps) == pytest.approx(0.2)
    assert quick.at[-1] - quick.at[0] == pytest.approx(4.0)
    assert slow.most_at_once == 8


async def test_what_waits_is_asked_in_batches_where_the_store_can() -> None:
    store = FakeStore(batch=20)
    async with line(store, rate=10) as one:
        found = await look_up(one, *(f"n{number}" for number in range(100)))

    assert len(found) == 100
    assert sum(store.sizes) == 100
    assert max(store.sizes) == 20
    assert len(store.sizes) <= 6


async def test_a_store_that_is_down_is_tried_by_one_and_then_goes_on() -> None:
    """Twenty seconds: all answers come in the end, and it is said once that they are waited for."""
    store, events = FakeStore(lambda now: DOWN if 1 < now < 21 else None), list[Event]()
    async with line(store, events=events) as one:
        await look_up(one, *(f"n{number}" for number in range(40)))
        await anyio.sleep_until(2)
        found = await look_up(one, *(f"m{number}" for number in range(40)))

    assert all(isinstance(answer, StoredSecret) for answer in found)
    assert {type(event) for event in events} == {StorePaused}
    tries = [at for at in store.at if 3 < at < 20]
    assert len(tries) < 10
    assert anyio.current_time() < 60


async def test_a_store_that_stays_down_is_given_up_after_the_patience() -> None:
    """Whoever waits is answered, whoever comes later at once; one event says so."""
    store, events = FakeStore(lambda now: DOWN), list[Event]()
    async with line(store, patience_s=60, events=events) as one:
        found = await look_up(one, *(f"n{number}" for number in range(40)))
        gave_up_at = anyio.current_time()
        later = await look_up(one, "later")

    assert set(map(repr, found)) == {repr(DOWN)}
    assert later == [DOWN]
    assert gave_up_at < 65
    assert [type(event) for event in events].count(StoreStopped) == 1


async def test_a_patience_of_a_day_is_waited_out() -> None:
    """Thousands of pauses, none of them longer than half a minute: it is tried to the end, and answers then."""
    day_s, events = 86_400, list[Event]()
    store = FakeStore(lambda now: DOWN if now < day_s else None)
    async with line(store, patience_s=2 * day_s, events=events) as one:
        (found,) = await look_up(one, "acme")

    assert isinstance(found, StoredSecret)
    pauses = [event.pause_s for event in events if isinstance(event, StorePaused)]
    assert len(pauses) > 2_000
    assert max(pauses) <= 30
    assert anyio.current_time() < day_s + 60


@pytest.mark.parametrize("rows", [500, pytest.param(10_000, marks=pytest.mark.slow)])
async def test_a_store_that_is_given_up_answers_at_no_pace(rows: int) -> None:
    """Ten thousand rows more are told so at once, and a request that was on its way pauses nothing any more."""
    trouble, events = Trouble(kind=TroubleKind.UNUSABLE, detail="No."), list[Event]()
    troubles = chain([trouble], repeat(DOWN))
    store = FakeStore(lambda now: next(troubles), answers_s=1)
    async with line(store, events=events) as one:
        assert await look_up(one, *(f"n{number}" for number in range(20))) == [trouble] * 20
        gave_up_at = anyio.current_time()
        more = await look_up(one, *(f"m{number}" for number in range(rows)))
        assert anyio.current_time() == gave_up_at

    assert more == [trouble] * rows
    assert [type(event) for event in events] == [StoreStopped]
    assert len(store.at) < 20


@pytest.mark.parametrize("kind", [TroubleKind.SIGNED_OUT, TroubleKind.UNUSABLE])
async def test_what_no_later_try_could_help_is_given_up_at_once(kind: TroubleKind) -> None:
    """A sign-in that was never taken is wrong."""
    trouble = Trouble(kind=kind, detail="No.")
    store = FakeStore(lambda now: trouble)
    async with line(store) as one:
        assert await look_up(one, "a", "b") == [trouble, trouble]

    assert anyio.current_time() < 1


async def test_a_sign_in_that_was_taken_before_is_waited_for() -> None:
    """Its token may be renewed meanwhile."""
    out = Trouble(kind=TroubleKind.SIGNED_OUT, detail="Ran out.")
    store = FakeStore(lambda now: out if 1 < now < 30 else None)
    async with line(store) as one:
        await look_up(one, "a")
        await anyio.sleep_until(2)
        (found,) = await look_up(one, "b")

    assert isinstance(found, StoredSecret)


async def test_it_is_left_alone_for_as_long_as_it_asks() -> None:
    """And given up where that is longer than the patience."""
    slow = Trouble(kind=TroubleKind.THROTTLED, detail="429.", retry_after_s=40)
    store = FakeStore(lambda now: slow if now < 5 else None)
    async with line(store) as one:
        (found,) = await look_up(one, "a")
    assert isinstance(found, StoredSecret)
    assert 40 < anyio.current_time() < 41

    async with line(FakeStore(lambda now: slow), patience_s=30) as one:
        assert await look_up(one, "a") == [slow]


async def test_a_fault_of_ours_costs_those_who_wait_for_it_alone() -> None:
    class Broken(FakeStore):
        async def fetch(self, places: Sequence[Place]) -> Any:
            if places[0].name == "bad":
                raise KeyError("canary~secret")
            return await super().fetch(places)

    async with line(Broken()) as one:
        with pytest.raises(KeyError):
            await one.look_up(Place("bad"))
        (found,) = await look_up(one, "good")

    assert isinstance(found, StoredSecret)


async def test_a_fault_of_ours_while_it_is_in_trouble_ends_the_trouble() -> None:
    """Whoever waits for its end comes back: nobody asks in the name of rows that were put aside."""
    answers: list[Trouble | Exception] = [DOWN, KeyError("canary~secret")]

    class Broken(FakeStore):
        async def fetch(self, places: Sequence[Place]) -> Any:
            if answers:
                answer = answers.pop(0)
                if isinstance(answer, Exception):
                    raise answer
                return answer
            return await super().fetch(places)

    async with line(Broken()) as one:
        over: anyio.Event | None = None

        async def put_aside() -> None:
            nonlocal over
            await anyio.sleep(0.1)
            over = one.trouble

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(put_aside)
            with pytest.raises(KeyError):
                await one.look_up(Place("bad"))
        assert over is not None
        with anyio.fail_after(60):
            await over.wait()
        (found,) = await look_up(one, "parked")

        assert one.trouble is None
        assert isinstance(found, StoredSecret)
