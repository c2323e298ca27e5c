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
from batchconnect.ledger.lease import Lease, Terms
from batchconnect.ledger.lease_keeper import Arm, LeaseKeeper
from batchconnect.ledger.run_state import RunState, planned_rows
from batchconnect.ledger.team import Holding, LaneRow, TeamLedger
from batchconnect.model.errors import LedgerError, LedgerInUseError
from batchconnect.run.boot_clock import boot_s
from batchconnect.run.service import ConnectedService
from batchconnect.transport.interface import LEASE_OVER

_POLL_S: Final = 0.5
_HAND_BACK_S: Final = 5.0
"""How long the ledger may take to be told."""


class HeldLanes:
    """
    Holds what a command names, until the end of its block.

    Args:
        keeper: Renews; None: the ledger is a file.
        service: Whose lanes they are; what they send is asked for the lease.
        name: What this process is called in the ledger.
    """

    def __init__(self, keeper: LeaseKeeper | None, service: ConnectedService, name: str) -> None:
        self._keeper = keeper
        self._service = service
        self._name = name
        self._leases: list[Lease] = []

    async def hold(self, run_id: str | None, orgs: Iterable[str] = ()) -> None:
        """
        Take the run as a whole, and the lanes of these orgs; what is held already stays so.

        Args:
            run_id: The run that is written to; None: one that this process begins itself.
            orgs: Settings keys; those that the settings do not know are left out.

        Raises:
            LedgerInUseError: A living process holds one of them.
        """
        if self._keeper is None:
            return
        if run_id is not None:
            await self._take(Holding(run_id=run_id), run_id, lambda: None)
        for org in dict.fromkeys(orgs):
            if self._service.orgs.find(org) is None:
                continue
            lane = self._service.lane_of(org)
            halt = partial(lane.halt, LEASE_OVER)
            lease = await self._take(Holding(key=lane.key), run_id or "", halt)
            if lease is not None:
                self._service.permits[org] = partial(self._keeper.may_send, lease)

    async def _take(
        self, holding: Holding, run_id: str, on_lost: Callable[[], None]
    ) -> Lease | None:
        """Take one thing; None: this process holds it already."""
        keeper = self._keeper
        assert keeper is not None
        first: LaneRow | None = None
        while True:
            rows = await keeper.look(run_id)
            row = next((row for row in rows if row.holding == holding), None)
            if row is not None and row.holder == self._name:
                return None
            lease = await keeper.take(holding, rows, run=None, on_lost=on_lost)
            if lease is not None:
                self._leases.append(lease)
                return lease
            first = first or row
            # Dead or not is known when its lease is over; one that is renewed meanwhile is alive.
            if row is not None and first is not None and row.sighting != first.sighting:
                raise _in_use(row)
            await anyio.sleep(_POLL_S)

    async def hand_back(self) -> None:
        """Let go of all of it."""
        if self._keeper is None:
            return
        with anyio.move_on_after(_HAND_BACK_S, shield=True):
            for lease in self._leases:
                await self._keeper.hand_back(lease)


def _in_use(row: LaneRow) -> LedgerError:
    what = f"run {row.holding.run_id}" if row.holding.run_id else "a lane of it"
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
    ledger: TeamLedger | None, service: ConnectedService, *, lease_s: float, arm: Arm
) -> AsyncIterator[HeldLanes]:
    """
    What may be held for as long as the block goes on.

    Args:
        ledger: A team's; None: it is a file.
        service: Whose lanes they are.
        lease_s: Of each lease, in seconds.
        arm: The kernel's timer.
    """
    if ledger is None:
        yield HeldLanes(None, service, "")
        return
    terms = Terms(ttl_s=lease_s)
    async with LeaseKeeper(ledger.leases, terms=terms, boot_s=boot_s, arm=arm) as keeper:
        held = HeldLanes(keeper, service, ledger.leases.name)
        try:
            yield held
        finally:
            await held.hand_back()
