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
from batchconnect.model.outcome import Rejected, Status
from batchconnect.model.reference import LookedUp, Reference, StoredSecret
from batchconnect.model.secret import Secret
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
