"""Keys that a run sent and never heard of again, settled without being sent: told by the connections themselves."""

from collections.abc import Callable, Mapping

from anyio.abc import TaskGroup

from batchconnect.lane.keys import LaneKeys
from batchconnect.lane.recipient import Address
from batchconnect.lane.reconciler import Policy
from batchconnect.ledger.entry import LEFT, Left, Updated, Updating
from batchconnect.ledger.row_state import RowState
from batchconnect.ledger.run_writer import Clock, RunWriter
from batchconnect.model import outcome as o
from batchconnect.model.errors import LedgerError
from batchconnect.model.event import Event, RowSettled
from batchconnect.run.opening.service import ConnectedService
from batchconnect.run.rerun.rerun import wanted_of


class LostKeys:
    """
    Gathers such rows, lane by lane, and settles them.

    Args:
        service: Whose connections are read.
        ledger: The run writer.
        clock: The run's clocks.
        policy: Sends nothing.
        on_event: Told of each verdict.
        on_broken: Told that a verdict cannot be written.
    """

    def __init__(
        self,
        *,
        service: ConnectedService,
        ledger: RunWriter,
        clock: Clock,
        policy: Policy,
        on_event: Callable[[Event], None],
        on_broken: Callable[[LedgerError], None],
    ) -> None:
        self._service = service
        self._ledger = ledger
        self._clock = clock
        self._policy = policy
        self._on_event = on_event
        self._on_broken = on_broken
        self._lanes: dict[str, LaneKeys] = {}
        self._rows: list[tuple[LaneKeys, Address, RowState]] = []

    @property
    def lanes(self) -> Mapping[str, LaneKeys]:
        """All that have any, by their org's settings key."""
        return self._lanes

    async def add(self, org: str, row: RowState, whole: RowState) -> None:
        """
        Take a row in, or settle it by what another run found out.

        Args:
            org: Its org's settings key.
            row: What the run knows of it.
            whole: What all runs know of its identity.

        Raises:
            LedgerError: The verdict cannot be written.
        """
        assert isinstance(row.change, Updating)
        assert row.planned is not None
        assert row.marker is not None
        address = Address(
            row=row.number,
            wanted=wanted_of(row.marker, row.planned),
            sandbox=row.planned.sandbox,
            connection_id=row.change.connection_id,
            # The process that sent the key looked whose it is; since then its etag tells.
            is_adopted=True,
        )
        end = _end_of(whole)
        if end is not None:
            # Without the marker: another run found it out, and more may be known by now.
            await self._ledger.end_change(row.number, None, end)
            self._on_event(
                RowSettled(row=row.number, org=org, sandbox=address.sandbox, outcome=end.outcome)
            )
            return
        state = whole if isinstance(whole.change, Updating) else row
        self._rows.append((self._lane(org), address, state))

    async def begin(self, tasks: TaskGroup) -> None:
        """
        Settle all of them in this group.

        Raises:
            LedgerError: The recovery cannot be written.
        """
        for lane in self._lanes.values():
            lane.begin(tasks)
        for lane, address, state in self._rows:
            await lane.take_up(address, state)

    def _lane(self, org: str) -> LaneKeys:
        if org not in self._lanes:
            self._lanes[org] = LaneKeys(
                lane=self._service.lane_of(org),
                ledger=self._ledger,
                clock=self._clock,
                policy=self._policy,
                on_event=self._on_event,
                on_broken=self._on_broken,
            )
        return self._lanes[org]


def _end_of(whole: RowState) -> Updated | Left | None:
    """What another run found out of the key; None: nothing."""
    outcome = whole.change_outcome if whole.change is None else None
    if isinstance(outcome, o.Updated):
        return Updated(outcome=outcome)
    return Left(outcome=outcome) if isinstance(outcome, LEFT) else None
