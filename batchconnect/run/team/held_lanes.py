"""
What a command over a run of the ledger holds while it works: the run as a whole, and the lanes of its orgs.

With a ledger that is a file nothing has to be held: one process has it.
"""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import anyio

from batchconnect.ledger import LedgerReader
from batchconnect.ledger.lease import Lease, Sighting, Terms
from batchconnect.ledger.lease_keeper import Arm, LeaseKeeper
from batchconnect.ledger.run_state import RunState, planned_rows
from batchconnect.ledger.team import Holding, LaneRow, TeamLedger
from batchconnect.model.errors import LedgerError, LedgerInUseError
from batchconnect.model.event import Event, LaneAwaited
from batchconnect.run.opening.service import ConnectedService
from batchconnect.run.stop import Stop
from batchconnect.run.team.boot_clock import boot_s
from batchconnect.run.team.team import interrupted_early
from batchconnect.transport.interface import LEASE_OVER

_POLL_S: Final = 0.5


class HeldLanes:
    """
    Holds what a command names, until the end of its block.

    Args:
        keeper: Renews; None: the ledger is a file.
        service: Whose lanes they are; what they send is asked for the lease.
        name: What this process is called in the ledger.
        stop: Ends the waiting.
        on_event: Told for whom is waited.
        poll_s: Seconds between two looks at what is not free.
    """

    def __init__(
        self,
        keeper: LeaseKeeper | None,
        service: ConnectedService,
        name: str,
        *,
        stop: Stop,
        on_event: Callable[[Event], None],
        poll_s: float = _POLL_S,
    ) -> None:
        self._keeper = keeper
        self._service = service
        self._name = name
        self._stop = stop
        self._on_event = on_event
        self._poll_s = poll_s
        self._leases: list[Lease] = []

    async def hold(self, run_id: str | None, orgs: Iterable[str] = ()) -> None:
        """
        Take the run as a whole, and the lanes of these orgs; what is held already stays so.

        Args:
            run_id: The run that is written to; None: one that this process begins itself.
            orgs: Settings keys; those that the settings do not know are left out.

        Raises:
            LedgerInUseError: A living process holds one of them, or another lane of such an org.
            InterruptedEarlyError: The stop was asked for meanwhile.
        """
        if self._keeper is None:
            return
        if run_id is not None:
            await self._take(Holding(run_id=run_id), run_id)
        for org in dict.fromkeys(orgs):
            if self._service.orgs.find(org) is None:
                continue
            lane = self._service.lane_of(org)
            halt = partial(lane.halt, LEASE_OVER)
            lease = await self._take(Holding(key=lane.key), run_id or "", org=org, on_lost=halt)
            if lease is not None:
                self._service.permits[org] = partial(self._keeper.may_send, lease)

    async def _take(
        self,
        holding: Holding,
        run_id: str,
        *,
        org: str = "",
        on_lost: Callable[[], None] = lambda: None,
    ) -> Lease | None:
        """Take one thing; None: this process holds it already."""
        keeper = self._keeper
        assert keeper is not None
        mine = {lease.lane for lease in self._leases}
        seen: dict[int, Sighting] = {}
        told: LaneAwaited | None = None
        while True:
            rows = await keeper.look(run_id)
            if any(row.holding == holding and row.lane in mine for row in rows):
                return None
            lease = await keeper.take(holding, rows, run=None, on_lost=on_lost)
            if lease is not None:
                self._leases.append(lease)
                return lease
            for row in rows:
                if not holding.is_one_right_with(row.holding):
                    continue
                awaited = self._awaited(row, holding, org)
                # Dead or not is known when its lease is over; one that is renewed meanwhile is alive.
                if (
                    awaited
                    and awaited.holder
                    and seen.setdefault(row.lane, row.sighting) != row.sighting
                ):
                    raise _in_use(row, org)
                if awaited and told is None:
                    told = awaited
                    self._on_event(told)
            if self._stop.reason:
                raise interrupted_early()
            await anyio.sleep(self._poll_s)

    def _awaited(self, row: LaneRow, holding: Holding, org: str) -> LaneAwaited | None:
        """Why what this row says stands in the way; None: it does not."""
        if row.holder not in {"", self._name}:
            return LaneAwaited(org=org, holder=row.holder, at_most_s=row.terms.take_after_s)
        if row.waits_s and row.holding == holding:
            return LaneAwaited(org=org, holder="", at_most_s=row.waits_s)
        return None

    async def hand_back(self) -> None:
        """Let go of all of it: nothing more is sent, and no lease ends while a long report is made."""
        if self._keeper is None:
            return
        leases, self._leases = self._leases, []
        if leases:
            await self._keeper.leave(leases)


def _in_use(row: LaneRow, org: str) -> LedgerError:
    what = f"run {row.holding.run_id}" if row.holding.run_id else f"a lane of org {org}"
    return LedgerInUseError(
        f"{what} is held by {row.holder}, which is at work",
        hint="Wait until that has ended; `batchconnect lanes` shows who holds what.",
    )


def orgs_of(ledger: LedgerReader, run: RunState) -> list[str]:
    """Settings keys of the orgs that a run's rows name."""
    rows = planned_rows(ledger.row_lines(run.number))
    return sorted({row.planned.org for row in rows if row.planned is not None})


@asynccontextmanager
async def held_lanes(
    ledger: TeamLedger | None,
    service: ConnectedService,
    *,
    lease_s: float,
    arm: Arm,
    stop: Stop,
    on_event: Callable[[Event], None],
) -> AsyncIterator[HeldLanes]:
    """
    What may be held for as long as the block goes on.

    Args:
        ledger: A team's; None: it is a file.
        service: Whose lanes they are.
        lease_s: Of each lease, in seconds.
        arm: The kernel's timer.
        stop: Ends the waiting for them.
        on_event: Told for whom is waited.
    """
    if ledger is None:
        yield HeldLanes(None, service, "", stop=stop, on_event=on_event)
        return
    terms = Terms(ttl_s=lease_s)
    async with LeaseKeeper(ledger.leases, terms=terms, boot_s=boot_s, arm=arm) as keeper:
        held = HeldLanes(keeper, service, ledger.leases.name, stop=stop, on_event=on_event)
        try:
            yield held
        finally:
            await held.hand_back()
