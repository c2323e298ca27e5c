"""What a command over a past run holds, and whom it meets where that is not free."""

from collections.abc import Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING, Any, cast

import anyio
import pytest

from batchconnect.ledger.interface import LaneKey
from batchconnect.ledger.lease import Terms
from batchconnect.ledger.lease_keeper import LeaseKeeper
from batchconnect.ledger.team import Holding, LaneRow
from batchconnect.model.errors import InterruptedEarlyError, LedgerInUseError
from batchconnect.model.event import Event, LaneAwaited
from batchconnect.run.exit_code import INTERRUPTED
from batchconnect.run.opening.service import ConnectedService
from batchconnect.run.stop import Stop
from batchconnect.run.team.held_lanes import HeldLanes
from batchconnect.validation.org_registry import OrgRegistry
from tests.fake_service import ACME, BETA, HOST, Bench
from tests.memory_team import TERMS, Lanes, MemoryLeases

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.asyncio
"""Virtual time outruns the threads in which a server is asked."""

OTHER_CLIENT = Holding(key=LaneKey(HOST, ACME.org_id, "another client"))
TAKEN_OVER_S = TERMS.take_after_s


class Watched(MemoryLeases):
    """Leases beside which something happens with every look."""

    def __init__(self, lanes: Lanes) -> None:
        super().__init__(lanes, "us")
        self.looks = 0
        self.on_look: Any = lambda: None

    def lanes(self, run_id: str = "") -> Sequence[LaneRow]:
        self.looks += 1
        self.on_look()
        return super().lanes(run_id)


class Place:
    """One process, and what others hold meanwhile."""

    def __init__(self) -> None:
        self.table = Lanes()
        self.leases = Watched(self.table)
        self.others = MemoryLeases(self.table, "them")
        self.events: list[Event] = []
        self.stop = Stop()
        self.now_s = 0.0

    def theirs(self, holding: Holding) -> LaneRow:
        """Have another process take it."""
        taken = self.others.take(holding, over=(), terms=TERMS, run=None)
        assert taken is not None
        return self.table.row(holding)

    @asynccontextmanager
    async def held(self) -> "AsyncIterator[HeldLanes]":
        bench = Bench()
        service = ConnectedService(
            orgs=OrgRegistry((ACME, BETA)),
            host=HOST,
            settle_s=180,
            wire=cast("Any", bench.service),
            limits=bench.limits,
            slots=anyio.CapacityLimiter(4),
            rng=Random(0),
            on_event=bench.hear,
        )
        with anyio.fail_after(60):
            async with LeaseKeeper(
                self.leases, terms=Terms(ttl_s=3600), boot_s=lambda: self.now_s
            ) as keeper:
                yield HeldLanes(
                    keeper, service, "us", stop=self.stop, on_event=self.events.append, poll_s=0.001
                )


@pytest.fixture
def place() -> Place:
    return Place()


async def test_what_is_free_is_held_once_and_handed_back(place: Place) -> None:
    async with place.held() as held:
        await held.hold("run-1", ["acme", "acme", "nobody knows it"])
        await held.hold("run-1", ["acme"])

        assert [row.holder for row in place.table.rows.values()] == ["us", "us"]
        assert place.events == []
        await held.hand_back()
    assert [row.holder for row in place.table.rows.values()] == ["", ""]


@pytest.mark.parametrize(
    ("theirs", "what"),
    [
        (Holding(key=Bench().lane(ACME).key), "a lane of org acme"),
        (OTHER_CLIENT, "a lane of org acme"),
        (Holding(run_id="run-1"), "run run-1"),
    ],
    ids=["the lane", "another client of its org", "the run"],
)
async def test_who_is_alive_is_not_waited_for(place: Place, theirs: Holding, what: str) -> None:
    """Whatever of it stands in the way: two clients of one org are one right."""
    row = place.theirs(theirs)

    def beat() -> None:
        place.table.change(place.table.row(theirs), beat=True)

    place.leases.on_look = beat
    async with place.held() as held:
        with pytest.raises(LedgerInUseError, match=f"^{what} is held by them, which is at work"):
            await held.hold("run-1", ["acme"])

    told = [event for event in place.events if isinstance(event, LaneAwaited)]
    assert [event.holder for event in told] == ["them"], "and it was said for whom it waits"
    assert told[0].at_most_s == row.terms.take_after_s


@pytest.mark.parametrize(
    "theirs", [Holding(key=Bench().lane(ACME).key), OTHER_CLIENT], ids=["the lane", "other client"]
)
async def test_who_is_dead_is_waited_for_until_that_is_known(place: Place, theirs: Holding) -> None:
    place.theirs(theirs)

    def later() -> None:
        place.now_s += TAKEN_OVER_S / 3

    place.leases.on_look = later
    async with place.held() as held:
        await held.hold(None, ["acme"])

        assert place.table.row(Holding(key=Bench().lane(ACME).key)).holder == "us"
    assert len(place.events) == 1, "said once"


async def test_a_lane_that_failed_is_waited_for_and_it_is_said_how_long(place: Place) -> None:
    """Nobody holds it then, so nobody is named."""
    lane = Holding(key=Bench().lane(ACME).key)
    place.table.rows[lane] = place.table.change(place.table.row(lane), waits_s=12.0)

    def at_last() -> None:
        if place.leases.looks == 4:
            place.table.change(place.table.row(lane), waits_s=0.0)

    place.leases.on_look = at_last
    async with place.held() as held:
        await held.hold(None, ["acme"])

    assert place.events == [LaneAwaited(org="acme", holder="", at_most_s=12.0)]


async def test_a_stop_ends_the_waiting(place: Place) -> None:
    place.theirs(OTHER_CLIENT)
    place.stop.ask(INTERRUPTED)
    async with place.held() as held:
        with pytest.raises(InterruptedEarlyError):
            await held.hold(None, ["acme"])
