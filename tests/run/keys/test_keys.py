"""Keys that stand elsewhere: each is looked up once, in the lane, before its row's intent."""

from collections import Counter
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

import anyio
import pytest

from batchconnect.ledger.entry import Sending
from batchconnect.model.column import Column
from batchconnect.model.errors import ExitCode
from batchconnect.model.event import FaultMet
from batchconnect.model.outcome import Rejected, Status, Works
from batchconnect.model.reference import LookedUp, Reference, StoredSecret
from batchconnect.model.secret import Secret
from batchconnect.model.store import StoreKind, StoreProfile
from batchconnect.run.exit_code import INTERRUPTED
from batchconnect.run.stop import Stop
from batchconnect.run.task import verification
from batchconnect.sheet.memory import MemorySheet
from batchconnect.validation.connection import parse
from batchconnect.validation.finding import error
from batchconnect.validation.key import Keys
from batchconnect.validation.org_registry import OrgRegistry
from batchconnect.validation.reference import References
from tests.fake_service import ACME, BETA, Bench, FakeService, cells, lost

pytestmark = pytest.mark.anyio


class Store:
    """
    A store of secrets that answers in its own time.

    Args:
        missing: Texts of references that it knows nothing of.
        broken: Fails in a way that nobody foresaw.
    """

    def __init__(self, *missing: str, broken: bool = False) -> None:
        self.asked: Counter[str] = Counter()
        self.at_once = 0
        self.most_at_once = 0
        self._missing = missing
        self._broken = broken

    async def resolve(self, references: Collection[Reference]) -> Mapping[Reference, LookedUp]:
        self.asked.update(reference.text for reference in references)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await anyio.sleep(0.02)
        self.at_once -= 1
        if self._broken:
            raise KeyError("canary~secret-0001")
        return {reference: self._one(reference.text) for reference in references}

    def _one(self, text: str) -> LookedUp:
        if text in self._missing:
            return error(
                Column.SERVICE_PRINCIPAL_KEY, "reference_unset", "it is gone", "Put it back."
            )
        return StoredSecret(value=Secret(f"canary~secret-{text[-1]}"))


def rows(count: int) -> list[dict[str, str]]:
    return [cells(n, servicePrincipalKey=f"env:KEY_{n}") for n in range(1, count + 1)]


async def run(bench: Bench, sheet: list[dict[str, str]], store: Store) -> Any:
    """A run whose intake judges the form alone, as of a store that is not this machine."""
    memory = MemorySheet(sheet)
    by_form = partial(
        parse,
        header=memory.header,
        orgs=OrgRegistry([ACME, BETA]),
        org=None,
        sandbox=None,
        references=References(allow=True, refs_dir=None, environ={}),
    )
    keys = Keys(store, header=memory.header)
    return await bench.run(memory, parse=by_form, ready=keys.ready)


async def test_each_key_is_looked_up_once_beside_the_others() -> None:
    """Neither the intake nor the plan asks; a slow store holds up no other row."""
    store, bench = Store(), Bench()

    state = await run(bench, rows(8), store)

    assert bench.statuses(state) == [Status.CREATED] * 8
    assert store.asked == {f"env:KEY_{n}": 1 for n in range(1, 9)}
    assert store.most_at_once > 1
    assert "canary" not in bench.dump()


async def test_a_key_that_is_gone_by_then_rejects_its_row_alone() -> None:
    """With its cell, before its intent; exit 4, and the others are created."""
    bench = Bench()

    state = await run(bench, rows(3), Store("env:KEY_2"))

    assert bench.statuses(state) == [Status.CREATED, Status.REJECTED, Status.CREATED]
    rejected = bench.rows(state)[1].shown
    assert isinstance(rejected, Rejected)
    assert [(one.code, one.column) for one in rejected.problems] == [
        ("reference_unset", "servicePrincipalKey")
    ]
    assert len(bench.lines(Sending)) == 2
    assert state.ended.exit_code == ExitCode.UNFINISHED


async def test_a_row_that_is_sent_again_looks_its_key_up_again() -> None:
    """No value is kept while the row is in doubt."""
    met: set[str | None] = set()

    def first_is_lost(seen: Any) -> Any:
        is_first = seen.marker not in met
        met.add(seen.marker)
        return lost(applied_s=None) if seen.marker and is_first else None

    store, bench = Store(), Bench(service=FakeService(first_is_lost))

    state = await run(bench, rows(1), store)

    assert bench.statuses(state) == [Status.CREATED]
    assert store.asked == {"env:KEY_1": 2}


async def test_a_store_that_fails_unforeseen_is_before_the_send() -> None:
    """Not attempted; type and place are told, and nothing of what the store had in hand."""
    bench = Bench()

    state = await run(bench, rows(2), Store(broken=True))

    assert bench.codes(state) == ["internal_fault"] * 2
    assert bench.statuses(state) == [Status.NOT_ATTEMPTED] * 2
    assert not bench.service.posts
    assert {event.fault.type for event in bench.heard(FaultMet)} == {"KeyError"}
    assert "canary" not in bench.dump() + repr(bench.events)
    assert not bench.lines(Sending)


def in_store(count: int) -> list[dict[str, str]]:
    return [cells(n, servicePrincipalKey=f"kv:key-{n}") for n in range(1, count + 1)]


async def verify(bench: Bench, sheet: list[dict[str, str]], store: Any, **changes: Any) -> Any:
    """`verify` of a sheet whose keys are in a store that is open to sheets."""
    memory = MemorySheet(sheet)
    kv = StoreProfile(name="kv", kind=StoreKind.EXEC, url="", auth="", is_open=True)
    references = References(allow=False, refs_dir=None, environ={}, stores=[kv]).unneeded()
    orgs = OrgRegistry([ACME, BETA])
    by_form = partial(
        parse, header=memory.header, orgs=orgs, org=None, sandbox=None, references=references
    )
    keys = Keys(store, header=memory.header)
    chosen = {"task": verification(), "looks_at_keys": True, "parse": by_form, "ready": keys.ready}
    return await bench.run(memory, **{**chosen, **changes})


async def test_a_verification_asks_for_the_keys_of_connections_alone_and_sends_none() -> None:
    """Row 3 has none yet; each key once, its refusal beside a connection that works, exit 4."""
    store, bench = Store("kv:key-2"), Bench()
    await bench.run([cells(1), cells(2)])
    posts = len(bench.service.posts)

    state = await verify(bench, in_store(3), store)

    assert store.asked == {"kv:key-1": 1, "kv:key-2": 1}
    first, second, third = bench.rows(state)
    assert first.key_told is not None
    assert first.key_refusal is third.key_refusal is None
    assert isinstance(second.key_refusal, Rejected)
    assert second.tested is not None
    assert second.tested.works is Works.YES
    assert (len(bench.service.posts), bench.service.updates) == (posts, [])
    assert state.ended.exit_code == ExitCode.UNFINISHED
    assert "canary" not in bench.dump()


async def test_a_verification_that_is_stopped_at_a_silent_store_asks_the_rest_when_it_goes_on() -> (
    None
):
    """The stop waits for no store; what was told is not asked again."""
    stop, bench = Stop(), Bench()
    await bench.run([cells(1), cells(2), cells(3)])

    class Silent(Store):
        async def resolve(self, references: Collection[Reference]) -> Mapping[Reference, LookedUp]:
            if any(reference.text != "kv:key-1" for reference in references):
                await anyio.sleep(1)
                stop.ask(INTERRUPTED)
                await anyio.sleep_forever()
            return await super().resolve(references)

    cut_off = await verify(bench, in_store(3), Silent(), stop=stop)
    store = Store()
    state = await verify(bench, in_store(3), store)

    assert cut_off.ended.exit_code == ExitCode.INTERRUPTED
    assert state.number == cut_off.number
    assert store.asked == {"kv:key-2": 1, "kv:key-3": 1}
    assert all(row.key_told for row in bench.rows(state))
    assert state.ended.exit_code == ExitCode.OK


async def test_a_store_that_fails_unforeseen_costs_a_verification_its_answer_alone() -> None:
    """A fault of ours, told once by type and place; the connections were tested."""
    bench = Bench()
    await bench.run([cells(1), cells(2)])

    state = await verify(bench, in_store(2), Store(broken=True))

    assert {event.fault.type for event in bench.heard(FaultMet)} == {"KeyError"}
    assert [row.tested and row.tested.works for row in bench.rows(state)] == [Works.YES] * 2
    assert state.ended.exit_code == ExitCode.UNFINISHED
    assert "canary" not in bench.dump() + repr(bench.events)
