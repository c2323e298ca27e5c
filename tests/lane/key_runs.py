"""Runs whose keys stand in a store that answers in its own time; for tests of them, and for the benchmark."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from random import Random
from typing import Any

import anyio

from batchconnect.ledger.run_state import RunState
from batchconnect.model.reference import Place, StoredSecret
from batchconnect.model.secret import Secret
from batchconnect.model.store import StoreKind, StoreProfile
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
async def opened(
    store: FakeStore, *, name: str = "kv", rate: float = 50.0
) -> AsyncIterator[StoreLine]:
    profile = StoreProfile(name=name, kind=StoreKind.VAULT, is_open=True, rate=rate)
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
    one: Bench,
    rows: list[dict[str, str]],
    store: FakeStore,
    *,
    other: FakeStore | None = None,
    rate: float = 50.0,
    **changes: Any,
) -> RunState:
    """A run over rows whose keys stand in `kv`, the store; and in `ok`, the other one."""
    sheet = MemorySheet(rows)
    async with (
        opened(store, rate=rate) as line,
        opened(other or FakeStore(), name="ok") as second,
    ):
        profiles = [line.profile, second.profile]
        references = References(allow=True, refs_dir=None, environ={}, stores=profiles)
        resolver = StoreResolver({"kv": line, "ok": second}, LocalResolver(references))
        keys = Keys(resolver, header=sheet.header)
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
            ready=keys.ready,
            trouble=keys.trouble,
            **changes,
        )


def makespan(one: Bench) -> float:
    """From the first create to the last."""
    at = [seen.at for seen in one.service.posts]
    return at[-1] - at[0]
