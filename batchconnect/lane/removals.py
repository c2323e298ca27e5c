"""
One lane's part of an undo: its connections deleted one after the other, at the lane's own pace.

What has to wait, for a delete that was taken on or whose answer was lost, holds no place: another one goes
on meanwhile.
"""

from collections import deque
from collections.abc import Callable, Iterable

import anyio
from anyio.abc import TaskGroup

from batchconnect.flow_service import NotFound, Unreadable
from batchconnect.flow_service.change import DeleteAnswer, SentChange
from batchconnect.flow_service.listing import Found
from batchconnect.lane.lane import Lane
from batchconnect.lane.plan import stopped_by, unwritable
from batchconnect.lane.pool import Pool
from batchconnect.lane.removal import Begun, Ended, Removal
from batchconnect.lane.why_kept import Made
from batchconnect.ledger.run_writer import RunWriter
from batchconnect.model.errors import LedgerError
from batchconnect.model.event import Event, FaultMet, RowInDoubt, RowSettled, RowStarted
from batchconnect.model.fault import Fault, fault_of
from batchconnect.model.outcome import InDoubt
from batchconnect.model.value import Value


class Doomed(Value):
    """A connection that is to be deleted."""

    made: Made
    begun: Begun | None = None
    """What an earlier process left in doubt."""
    may_send: bool = True
    """False: it is only found out what became of that."""


class LaneLooks:
    """
    A lane as whoever deletes asks it: what refuses to show a connection refuses them all.

    Args:
        lane: It is stopped by such an answer, or its sandbox is.
    """

    def __init__(self, lane: Lane) -> None:
        self._lane = lane

    def is_stopped(self, sandbox: str) -> bool:
        """Whether nothing more is sent there."""
        lane = self._lane
        return lane.is_halted or lane.is_stopped or lane.is_sandbox_stopped(sandbox)

    async def get(self, sandbox: str, connection_id: str) -> Found | NotFound | Unreadable:
        """One connection."""
        found = await self._lane.get(sandbox, connection_id)
        if isinstance(found, Unreadable) and found.refusal is not None:
            self._lane.refuse(found.refusal, sandbox)
        return found

    async def usage(self, sandbox: str, connection_id: str) -> int | Unreadable:
        """How many source connections use it; a refusal is a reason to keep it, and no more."""
        return await self._lane.usage(sandbox, connection_id)

    async def delete(self, sandbox: str, connection_id: str) -> SentChange[DeleteAnswer]:
        """Delete a connection."""
        return await self._lane.delete(sandbox, connection_id)


class LaneRemovals:
    """
    Carries out one lane's part of an undo.

    Args:
        lane: Its stack, its breaker, its pace.
        doomed: What is to be deleted; those in doubt first.
        ledger: The run writer.
        settle_s: How long a delete whose answer was lost may still be applied.
        most_sends: How often it is sent at the most.
        on_event: Told of everything.
    """

    def __init__(
        self,
        *,
        lane: Lane,
        doomed: Iterable[Doomed],
        ledger: RunWriter,
        settle_s: float,
        most_sends: int,
        on_event: Callable[[Event], None],
    ) -> None:
        self.lane = lane
        self.broken: LedgerError | None = None
        """Why the ledger could not be written for this lane, if it could not."""
        self.in_flight = 0
        """Connections that are on their way out."""
        self._looks = LaneLooks(lane)
        self._waiting = deque(doomed)
        self._sandboxes = {one.made.sandbox for one in self._waiting}
        self._ledger = ledger
        self._settle_s = settle_s
        self._most_sends = most_sends
        self._on_event = on_event
        self._pauses: set[anyio.CancelScope] = set()
        self._pool = Pool(take=self._take, more=_no_more, work=self._begin, capacity=lane.capacity)
        self._tasks: TaskGroup | None = None

    @property
    def is_refused(self) -> bool:
        """Whether the service refused the lane, or each of its sandboxes."""
        return self.lane.is_refused(self._sandboxes)

    async def run(self) -> None:
        """Return when each of the lane's connections has an outcome, or the lane is stopped."""
        self.lane.on_change = self._lane_changed
        self.lane.on_admitted = self._pool.recheck
        self.lane.on_event = self._on_event
        async with anyio.create_task_group() as self._tasks:
            await self._pool.run()

    def _lane_changed(self) -> None:
        if self.lane.is_halted:
            for scope in self._pauses:
                scope.cancel()
        self._pool.recheck()

    def _take(self) -> Doomed | None:
        # What is in doubt is looked at although the lane is refused; what is not sent is left where it is.
        while self._waiting and not self.lane.is_halted:
            doomed = self._waiting.popleft()
            if doomed.begun is not None or not self._looks.is_stopped(doomed.made.sandbox):
                return doomed
        return None

    async def _begin(self, doomed: Doomed) -> None:
        """Go on with it until it has to wait: then its place is free."""
        assert self._tasks is not None
        let_go = anyio.Event()
        self._tasks.start_soon(self._carry_out, doomed, let_go)
        await let_go.wait()

    async def _carry_out(self, doomed: Doomed, let_go: anyio.Event) -> None:
        async def pause(seconds: float) -> bool:
            let_go.set()
            return await self._pause(seconds)

        self.in_flight += 1
        made = doomed.made
        org, row, sandbox = self.lane.org.key, made.row, made.sandbox
        if doomed.begun is None:
            self._on_event(RowStarted(row=row, org=org, sandbox=sandbox))
        else:
            self._tell_doubt(made, doomed.begun.outcome)
        began_s = anyio.current_time()
        removal = Removal(
            made,
            service=self._looks,
            ledger=self._ledger,
            settle_s=self._settle_s,
            pause=pause,
            is_stopped=lambda: self._looks.is_stopped(sandbox),
            begun=doomed.begun,
            most_sends=self._most_sends,
            may_send=doomed.may_send,
            on_doubt=lambda doubt: self._tell_doubt(made, doubt),
            on_fault=lambda fault: self._tell_fault(made, fault),
        )
        try:
            self._tell_end(made, await removal.run(), anyio.current_time() - began_s)
        except LedgerError as error:
            self.broken = self.broken or error
            why = unwritable(self.lane, error)
            self.lane.stop(why)
            self.lane.halt(why.code)
        except Exception as error:  # noqa: BLE001 - what is no row's own fault is no row's end
            fault = fault_of(error)
            self._tell_fault(made, fault)
            self.lane.stop(stopped_by(fault, self.lane))
        finally:
            self.in_flight -= 1
            let_go.set()

    async def _pause(self, seconds: float) -> bool:
        if self.lane.is_halted:
            return False
        with anyio.CancelScope() as scope:
            self._pauses.add(scope)
            try:
                await anyio.sleep(seconds)
            finally:
                self._pauses.discard(scope)
        return not self.lane.is_halted

    def _tell_end(self, made: Made, ended: Ended, took_s: float) -> None:
        if ended is None or (isinstance(ended, InDoubt) and self.lane.is_halted):
            return  # it was cut off, and the next command goes on with it
        self._on_event(
            RowSettled(
                row=made.row,
                org=self.lane.org.key,
                sandbox=made.sandbox,
                outcome=ended,
                duration_ms=round(took_s * 1000),
            )
        )

    def _tell_doubt(self, made: Made, doubt: InDoubt) -> None:
        org = self.lane.org.key
        self._on_event(RowInDoubt(row=made.row, org=org, sandbox=made.sandbox, code=doubt.code))

    def _tell_fault(self, made: Made, fault: Fault) -> None:
        self._on_event(
            FaultMet(
                fault=fault,
                where="row",
                org=self.lane.org.key,
                sandbox=made.sandbox,
                rows=(made.row,),
            )
        )


async def _no_more() -> bool:
    """All that is to be deleted is known from the first."""
    return False
