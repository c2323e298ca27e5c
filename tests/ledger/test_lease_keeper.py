"""What a process holds is renewed as long as its loop lives, and let go in good order before it ends."""

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import anyio
import pytest

from batchconnect.ledger.interface import LaneKey
from batchconnect.ledger.lease import Lease, Sighting, Terms
from batchconnect.ledger.lease_keeper import LeaseKeeper
from batchconnect.ledger.team import Company, Holding, LaneRow, WorkerRow
from batchconnect.model.errors import LedgerError

pytestmark = pytest.mark.anyio

TERMS = Terms(ttl_s=3600)
"""So long that the thread, which has a clock of its own, never renews within a test."""
LANE = Holding(key=LaneKey("h", "o", "c"))


@dataclass
class FakeLeases:
    """One lane in memory."""

    name: str = "us"
    holder: str = ""
    is_away: bool = False
    still: bool = True
    renewals: int = 0
    handed_back: list[float | None] = field(default_factory=list)
    on_take: Callable[[], None] = lambda: None
    goes_on: threading.Event = field(default_factory=threading.Event)
    """While it is not set, the server says nothing to who hands back."""

    def __post_init__(self) -> None:
        self.goes_on.set()

    def lanes(self, run_id: str = "") -> Sequence[LaneRow]:
        return [
            LaneRow(
                lane=1, holding=LANE, sighting=Sighting(1, 1), holder=self.holder, terms=TERMS,
                run=None, held_s=0, silent_s=0, waits_s=0, failures=0,
            )
        ]  # fmt: skip

    def workers(self) -> Sequence[WorkerRow]:
        return []

    def company(self, run_id: str) -> Company:
        return Company(lanes=self.lanes(run_id), workers=self.workers())

    def make(self, keys: Collection[LaneKey]) -> None:
        pass

    def take(
        self, holding: Holding, *, over: Collection[LaneRow], terms: Terms, run: int | None
    ) -> tuple[int, int] | None:
        del holding, terms, run
        self.on_take()
        if self.holder not in {"", self.name} and not over:
            return None
        self.holder = self.name
        return 1, 2

    def renew(self, leases: Collection[Lease]) -> Collection[int]:
        if self.is_away:
            raise LedgerError("away")
        self.renewals += 1
        return {lease.lane for lease in leases} if self.still else set()

    def hand_back(self, lease: Lease, *, back_off_s: float | None = None) -> None:
        self.goes_on.wait()
        self.handed_back.append(back_off_s)
        self.holder = ""

    def release(self, lane: int) -> None:
        pass

    def here(
        self, run: int, *, wants: bool, terms: Terms, pins: Collection[int] | None = None
    ) -> None:
        pass

    def arrive(
        self, run: int, *, wants: bool, terms: Terms, pins: Collection[int] | None = None
    ) -> Mapping[int, int]:
        return {}

    def leave(self, leases: Collection[Lease]) -> None:
        for lease in leases:
            self.hand_back(lease)


class Clock:
    """The boot clock of a test; the thread of `to_thread` asks it, too."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def kept(leases: FakeLeases, clock: Clock, armed: list[float | None] | None = None) -> LeaseKeeper:
    told: list[float | None] = [] if armed is None else armed
    return LeaseKeeper(leases, terms=TERMS, boot_s=clock, arm=told.append)


async def test_a_free_lane_is_taken_and_the_kernel_told_until_when(clock: Clock) -> None:
    armed: list[float | None] = []
    async with kept(FakeLeases(), clock, armed) as keeper:
        lease = await keeper.take(LANE, await keeper.look(), run=None)

        assert lease is not None
        assert keeper.may_send(lease)
        assert armed[-1] == 3600
    assert armed[-1] is None
    assert not keeper.may_send(lease)


async def test_a_lane_of_another_one_is_taken_only_when_its_lease_is_seen_to_be_over(
    clock: Clock,
) -> None:
    leases = FakeLeases(holder="them")
    async with kept(leases, clock) as keeper:
        assert await keeper.take(LANE, await keeper.look(), run=None) is None
        clock.now_s = TERMS.take_after_s - 1
        assert await keeper.take(LANE, await keeper.look(), run=None) is None
        clock.now_s = TERMS.take_after_s
        assert await keeper.take(LANE, await keeper.look(), run=None) is not None


async def test_it_is_renewed_only_if_the_loop_had_its_turn(clock: Clock) -> None:
    """A process whose loop hangs does not keep its lanes."""
    leases = FakeLeases()
    async with kept(leases, clock) as keeper:
        lease = await keeper.take(LANE, await keeper.look(), run=None)
        assert lease is not None
        clock.now_s = 600
        keeper.renew()
        clock.now_s = 1200
        keeper.renew()

        assert leases.renewals == 1
        assert lease.until_s == 600 + 3600


async def test_a_ledger_that_is_away_costs_nothing_until_the_lease_is_over(clock: Clock) -> None:
    """Then it is let go, in the loop, before the kernel would end the process."""
    leases, lost = FakeLeases(), []
    armed: list[float | None] = []
    async with kept(leases, clock, armed) as keeper:
        lease = await keeper.take(
            LANE, await keeper.look(), run=None, on_lost=lambda: lost.append(True)
        )
        assert lease is not None
        leases.is_away = True
        keeper.renew()
        assert keeper.may_send(lease)
        clock.now_s = 3600 - TERMS.guard_s
        await anyio.sleep(TERMS.renew_every_s)

        assert not keeper.may_send(lease)
        assert lost == [True]
        assert armed[-1] is None, "nothing is held any more, so nobody has to be ended"


async def test_a_lane_that_somebody_else_has_by_now_is_let_go(clock: Clock) -> None:
    leases, lost = FakeLeases(), []
    async with kept(leases, clock) as keeper:
        lease = await keeper.take(
            LANE, await keeper.look(), run=None, on_lost=lambda: lost.append(True)
        )
        assert lease is not None
        leases.still = False
        keeper.renew()

        assert not keeper.may_send(lease), "at once, before the loop's next turn"
        await anyio.sleep(TERMS.renew_every_s)
        assert lost == [True]


async def test_what_failed_is_handed_back_with_the_time_for_which_it_is_left_alone(
    clock: Clock,
) -> None:
    leases = FakeLeases()
    async with kept(leases, clock) as keeper:
        lease = await keeper.take(LANE, await keeper.look(), run=None)
        assert lease is not None
        await keeper.hand_back(lease, back_off_s=4.0)

        assert leases.handed_back == [4.0]
        assert not keeper.may_send(lease)


async def test_a_ledger_that_says_nothing_keeps_nobody_from_leaving(clock: Clock) -> None:
    """What was held is let go at once, and whoever leaves waits for a short time only."""
    leases, armed = FakeLeases(), list[float | None]()
    async with kept(leases, clock, armed) as keeper:
        held = [await keeper.take(LANE, await keeper.look(), run=None) for _ in range(2)]
        leases.goes_on.clear()
        began_s = anyio.current_time()
        await keeper.leave([lease for lease in held if lease])

        assert anyio.current_time() - began_s <= 5
        assert armed[-1] is None
        assert not any(lease and keeper.may_send(lease) for lease in held)
        leases.goes_on.set()


async def test_a_lease_whose_answer_came_after_its_end_is_none(clock: Clock) -> None:
    """The server was away for longer than it runs: the kernel would end the process at once."""
    leases, armed = FakeLeases(), list[float | None]()

    def away() -> None:
        clock.now_s += 3600

    leases.on_take = away
    async with kept(leases, clock, armed) as keeper:
        assert await keeper.take(LANE, await keeper.look(), run=None) is None

        assert [seconds for seconds in armed if seconds is not None] == []
        assert leases.handed_back == [None]
