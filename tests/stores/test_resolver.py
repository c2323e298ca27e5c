"""Each reference goes to the store that it names; what comes back is a secret, or words for its row."""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from random import Random

import anyio
import pytest

from batchconnect.model.outcome import NotAttempted, Problem
from batchconnect.model.reference import LookedUp, Reference, StoredSecret
from batchconnect.model.secret import Secret
from batchconnect.model.store import StoreKind, StoreProfile
from batchconnect.stores.interface import Trouble, TroubleKind
from batchconnect.stores.line import StoreLine
from batchconnect.stores.resolver import STORES_ALONE, StoreResolver
from tests.stores.test_line import FakeStore

pytestmark = pytest.mark.anyio

DOWN = Trouble(kind=TroubleKind.DOWN, detail="It answered 503.")


class Variables:
    """What names no store is looked up here."""

    def __init__(self) -> None:
        self.asked: list[Reference] = []

    async def resolve(self, references: Collection[Reference]) -> Mapping[Reference, LookedUp]:
        self.asked += references
        return {one: StoredSecret(value=Secret(f"here {one.text}")) for one in references}


@asynccontextmanager
async def lines(**stores: FakeStore) -> AsyncIterator[Mapping[str, StoreLine]]:
    async with anyio.create_task_group() as tasks:
        yield {
            name: StoreLine(
                StoreProfile(name=name, kind=StoreKind.VAULT), store, tasks=tasks, patience_s=9,
                rng=Random(0), on_event=lambda _event: None,
            )
            for name, store in stores.items()
        }  # fmt: skip
        tasks.cancel_scope.cancel()


def value_of(found: LookedUp) -> str:
    assert isinstance(found, StoredSecret)
    return found.value.reveal()


async def test_many_references_are_asked_for_side_by_side_each_at_its_place() -> None:
    """A slow store holds up no other, and what several rows name is asked for once."""
    slow, quick, here = FakeStore(answers_s=5), FakeStore(answers_s=1), Variables()
    names = ("slow:a", "quick:b", "quick:c", "env:KEY", "slow:a")
    held: list[str] = []
    async with lines(slow=slow, quick=quick) as of:
        resolver = StoreResolver(of, here, hold=lambda secret: held.append(secret.reveal()))
        began_s = anyio.current_time()
        found = await resolver.resolve([*map(Reference, names)])

    assert anyio.current_time() - began_s == pytest.approx(5, abs=0.5)
    assert {one.text: value_of(secret) for one, secret in found.items()} == {
        "slow:a": "value~of~a",
        "quick:b": "value~of~b",
        "quick:c": "value~of~c",
        "env:KEY": "here env:KEY",
    }
    assert slow.asked.total() == 1
    assert [one.text for one in here.asked] == ["env:KEY"]
    assert sorted(held) == ["value~of~a", "value~of~b", "value~of~c"]


async def test_what_a_store_has_not_is_a_problem_and_a_store_in_trouble_is_none_of_the_rows() -> (
    None
):
    async with lines(kv=FakeStore(), down=FakeStore(mood=lambda now: DOWN)) as of:
        resolver = StoreResolver(of, Variables())
        found = await resolver.resolve([Reference("kv:none"), Reference("down:a")])

    assert isinstance(found[Reference("kv:none")], Problem)
    away = found[Reference("down:a")]
    assert isinstance(away, NotAttempted)
    assert away.store == "down"


async def test_only_a_store_that_is_known_can_be_in_trouble() -> None:
    async with lines(kv=FakeStore()) as of:
        resolver = StoreResolver(of, Variables())

        assert resolver.trouble_of(Reference("env:KEY")) is None
        assert resolver.trouble_of(Reference("kv:a")) is None


async def test_where_stores_alone_may_be_named_a_variable_is_not_read() -> None:
    """The address of a channel, say: its settings were judged before, so that this is a fault of ours."""
    with pytest.raises(LookupError):
        await StoreResolver({}, STORES_ALONE).resolve([Reference("env:KEY")])
