"""What a process needs to work a run together with others: the ledger, its leases, and which lanes it takes."""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

import anyio

from batchconnect.lane.lane import Lane
from batchconnect.ledger.interface import LaneKey
from batchconnect.ledger.lease import Lease
from batchconnect.ledger.lease_keeper import LeaseKeeper
from batchconnect.ledger.team import Holding, LaneRow, TeamLedger
from batchconnect.model.errors import InterruptedEarlyError
from batchconnect.model.value import Value
from batchconnect.run.stop import Stop
from batchconnect.transport.interface import Permit


def interrupted_early() -> InterruptedEarlyError:
    """What ends a command that was asked to end before it held what it needs."""
    return InterruptedEarlyError(
        "asked to end while it waited for its turn on the ledger; nothing was begun"
    )


class Team(Value):
    """What a process needs to work with others."""

    ledger: TeamLedger
    keeper: LeaseKeeper
    new_lane: Callable[[str, Permit], Lane]
    """A lane of an org's settings key that nobody had before."""
    key_of: Callable[[str], LaneKey]
    """What an org's lane is called in the ledger."""
    pinned: Callable[[str], bool] | None = None
    """Whether an org's lane is one of those that this worker takes alone (`work --only org=`); None: it takes any."""
    poll_s: float = 1.0
    """Seconds between two looks at who holds what."""

    @property
    def name(self) -> str:
        """What this process is called in the ledger."""
        return self.ledger.leases.name

    def is_held(self, row: LaneRow) -> bool:
        """Whether somebody else holds it, as far as this process has seen."""
        return row.holder not in {"", self.name} and not self.keeper.is_over(row)

    def blocker(self, key: LaneKey, rows: Sequence[LaneRow]) -> LaneRow | None:
        """Which lane somebody else holds so that this one is not to be had: itself, or another client's of its org."""
        lane = Holding(key=key)
        held = [row for row in rows if lane.is_one_right_with(row.holding) and self.is_held(row)]
        return min(held, key=lambda row: row.holding != lane, default=None)

    async def say_here(self, run: int, *, wants: bool, pins: Collection[int] | None = None) -> None:
        """Have the ledger know that this process is at work on a run; as of `WorkerRow`."""
        say = partial(self.ledger.leases.here, run, wants=wants, terms=self.keeper.terms, pins=pins)
        await anyio.to_thread.run_sync(say)

    async def arrive(
        self, run: int, *, wants: bool, pins: Collection[int] | None = None
    ) -> Mapping[int, int]:
        """As `say_here`, at first; tells the number of each lane's last line."""
        say = partial(
            self.ledger.leases.arrive, run, wants=wants, terms=self.keeper.terms, pins=pins
        )
        return await anyio.to_thread.run_sync(say)

    async def hold(self, holding: Holding, stop: Stop, *, run: int | None = None) -> Lease | None:
        """Wait until it is free, and take it; None: the stop was asked for meanwhile."""
        while not stop.reason:
            lease = await self.take(holding, run=run)
            if lease is not None:
                return lease
            await anyio.sleep(self.poll_s / 4)
        return None

    async def take(self, holding: Holding, *, run: int | None = None) -> Lease | None:
        """Take a run as a whole, or the right to open one; None: somebody holds it."""
        # Mostly nobody does, and then nobody has to look first.
        lease = await self.keeper.take(holding, (), run=run)
        if lease is not None:
            return lease
        rows = await self.keeper.look(holding.run_id)
        return await self.keeper.take(holding, rows, run=run)
