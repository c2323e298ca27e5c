"""
One lane's part of a run: what its plan says is to be sent, sent at the lane's own pace.

The lane waits for no other, and a sandbox that has to wait delays no row of the lane's other sandboxes.
The plan is `lane_plan`'s, the doubts are `lane_doubts`'s; both go on beside the rows.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain

import anyio
from anyio.lowlevel import checkpoint

from batchconnect.lane.decision import Decided, SendKey
from batchconnect.lane.doubts import LaneDoubts
from batchconnect.lane.key_ahead import Holding, InTrouble, KeysAhead, Ready
from batchconnect.lane.keys import LaneKeys
from batchconnect.lane.lane import Lane
from batchconnect.lane.matching import wanted
from batchconnect.lane.onboarding import Turn, onboard
from batchconnect.lane.orphan import Orphan
from batchconnect.lane.parking import Parking
from batchconnect.lane.plan import LanePlan, Load, Waiting, sheet_changed, stopped_by, unwritable
from batchconnect.lane.planner import Known, Rules
from batchconnect.lane.pool import Pool
from batchconnect.lane.reconciler import CAME_LATE, Doubt, Policy
from batchconnect.ledger.entry import Doubted, Left, Settled
from batchconnect.ledger.row_state import RowState
from batchconnect.ledger.run_writer import Clock, RunWriter
from batchconnect.model.errors import LedgerError, SheetError
from batchconnect.model.event import (
    Event,
    FaultMet,
    RowInDoubt,
    RowSettled,
    RowStarted,
)
from batchconnect.model.fault import INTERNAL_FAULT, Fault, fault_of
from batchconnect.model.outcome import InDoubt, NotAttempted, Rejected, Unchanged
from batchconnect.model.value import replace
from batchconnect.validation.connection import BaseConnection


class LaneWork:
    """
    Carries out one lane's part of a run.

    Args:
        lane: Its stack, its breaker, its pace.
        offsets: Per sandbox, where its rows stand in the sheet.
        orphans: Rows in doubt that are settled without being sent.
        load: Reads a row again.
        ready: Looks up the key of a row whose turn has come.
        trouble: Whether the store of a row's key is in trouble.
        ledger: The run writer.
        known: What the ledger knew before.
        clock: The run's clocks.
        rules: How the plan judges.
        policy: How doubts are settled.
        may_begin: Asked before each new row; False: the run's budget is spent (`--max-rows`).
        on_event: Told of everything.
        holding: Keeps a row's secret out of every text while the row is in flight.
    """

    def __init__(
        self,
        *,
        lane: Lane,
        offsets: Mapping[str, Sequence[int]],
        load: Load,
        ready: Ready,
        trouble: InTrouble = lambda connection: None,
        ledger: RunWriter,
        known: Known,
        clock: Clock,
        rules: Rules,
        policy: Policy,
        orphans: tuple[Orphan, ...],
        may_begin: Callable[[], bool],
        on_event: Callable[[Event], None],
        holding: Holding,
    ) -> None:
        self.lane = lane
        self._sandboxes = offsets
        self._orphans = orphans
        self._ready = ready
        self._ahead = KeysAhead(
            load=load,
            ready=self._with_key,
            trouble=trouble,
            holding=holding,
            most=lane.most_at_once,
        )
        self._parking = Parking(self._unpark)
        self._ledger = ledger
        self._known = known
        self._clock = clock
        self._may_begin = may_begin
        self._on_event = on_event
        self.broken: LedgerError | None = None
        """Why the ledger could not be written for this lane, if it could not."""
        self._holding = holding
        self._places: deque[int] = deque()
        """Rows that are sent for the first time; a million of them are a million numbers."""
        self._queue: deque[Waiting] = deque()
        """Rows of which more is known; they go first, since most of them have waited already."""
        self._busy = 0
        self._changed: anyio.Event | None = None
        """Of the pool, while it waits for a further row."""
        self._pool = Pool(
            take=self._take, more=self._more, work=self._carry_out, capacity=lane.capacity
        )
        self._plan = LanePlan(
            lane=lane,
            load=load,
            ledger=ledger,
            known=known,
            rules=rules,
            send=self._enqueue,
            settle_first=self._settle_first,
            on_event=on_event,
            on_broken=self._break,
        )
        self._doubts = LaneDoubts(
            lane=lane,
            ledger=ledger,
            clock=clock,
            policy=policy,
            resend=self._resend,
            on_event=on_event,
            on_broken=self._break,
            on_refused=lane.refuse,
            on_change=self._wake,
        )

        self._keys = LaneKeys(
            lane=lane,
            ledger=ledger,
            clock=clock,
            policy=policy,
            resend=self._enqueue,
            on_event=on_event,
            on_broken=self._break,
            on_change=self._wake,
        )
        self._creates = rules.creates

    @property
    def had_doubts(self) -> bool:
        """Whether the run has to be swept."""
        return bool(self._orphans) or self._doubts.were_any

    @property
    def in_flight(self) -> int:
        """Rows that are on their way."""
        return self._pool.active

    @property
    def is_refused(self) -> bool:
        """Whether the service refused the lane, or each of its sandboxes: nothing of it can be done."""
        sandboxes = {orphan.sandbox for orphan in self._orphans} | self._sandboxes.keys()
        return self.lane.is_refused(sandboxes)

    async def run(self) -> None:
        """Return when each of the lane's rows is settled, or the lane is stopped."""
        self.lane.on_change = self._lane_changed
        self.lane.on_admitted = self._pool.recheck
        self.lane.on_event = self._on_event
        async with anyio.create_task_group() as tasks:
            self._doubts.begin(tasks)
            self._keys.begin(tasks)
            self._ahead.begin(tasks)
            self._parking.begin(tasks)
            await self._take_up_orphans()
            for sandbox, offsets in self._sandboxes.items():
                self._busy += 1
                tasks.start_soon(self._plan_one, sandbox, offsets)
            tasks.start_soon(self._hold_until_looked_at)
            await self._pool.run()
            self._plan.stop()
            self._doubts.stop()
            self._keys.stop()
            self._ahead.stop()
            self._parking.stop()

    def _break(self, error: LedgerError) -> None:
        """Let finish what is in flight, then end."""
        self.broken = self.broken or error
        why = unwritable(self.lane, error)
        self.lane.stop(why)
        self.lane.halt(why.code)

    def _lane_changed(self) -> None:
        # A refused lane plans no further, yet it settles its doubts as far as it is let.
        self._plan.stop()
        if self.lane.is_stopped or self.lane.is_halted:
            self._ahead.stop()
            self._parking.stop()
        if self.lane.is_halted:
            self._doubts.stop()
            self._keys.stop()
        self._wake()

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set()
        self._pool.recheck()

    async def _hold_until_looked_at(self) -> None:
        await self._plan.until_looked_at(len(self._sandboxes))
        self._wake()

    async def _plan_one(self, sandbox: str, offsets: Sequence[int]) -> None:
        try:
            await self._plan.carry_out(sandbox, offsets)
        finally:
            self._busy -= 1
            self._wake()

    # The rows -------------------------------------------------------------------------------------

    def _enqueue(self, waiting: Waiting) -> None:
        if waiting == Waiting(offset=waiting.offset):
            self._places.append(waiting.offset)
        else:
            self._queue.append(waiting)
        self._wake()

    def _has_waiting(self) -> bool:
        return bool(self._queue or self._places)

    def _take(self) -> Waiting | None:
        if self._plan.is_on_hold:
            return None
        while self._has_waiting() and not (self.lane.is_stopped or self.lane.is_halted):
            if self._queue:
                waiting = self._queue.popleft()
            else:
                waiting = Waiting(offset=self._places.popleft())
            # A row that was begun is in the budget already.
            if waiting.number > 1 or waiting.is_begun or self._may_begin():
                self._busy += 1
                if self._ahead.is_wanted:
                    self._ahead.look(self._next_places())
                return waiting
        return None

    def _unpark(self, rows: list[Waiting]) -> None:
        self._queue.extendleft(reversed(rows))
        self._wake()

    def _next_places(self) -> Iterator[int]:
        """Where the rows stand that are taken next, in their order."""
        return chain((waiting.offset for waiting in self._queue), self._places)

    async def _more(self) -> bool:
        while not self.lane.is_halted:
            is_due = self._has_waiting() and not self.lane.is_stopped
            if is_due and not self._plan.is_on_hold:
                return True
            waits = self._doubts.are_open or self._keys.are_open or self._parking.are_any
            if not (is_due or self._busy or waits):
                return False
            self._changed = anyio.Event()
            await self._changed.wait()
            self._changed = None
        return False

    async def _carry_out(self, waiting: Waiting) -> None:
        try:
            connection = self._ahead.connection(waiting.offset)
            if self.lane.is_sandbox_stopped(connection.sandbox):
                await checkpoint()  # there may be half a million more of them
            else:
                await self._carry_on(connection, waiting)
        except SheetError as error:
            self.lane.stop(sheet_changed(self.lane, error))
        except LedgerError as error:
            self._break(error)
        except Exception as error:  # noqa: BLE001 - what is no row's own fault is no row's end
            fault = fault_of(error)
            self._tell_fault(fault)
            self.lane.stop(stopped_by(fault, self.lane))
        finally:
            self._ahead.forget(waiting.offset)
            self._busy -= 1
            self._wake()

    async def _carry_on(self, connection: BaseConnection, waiting: Waiting) -> None:
        # The key first: it may take as long as its store is down, and the look at the sandbox grows old.
        ready = await self._ahead.key_of(waiting.offset, connection)
        if ready is None:
            return  # the lane was stopped meanwhile
        if isinstance(ready, anyio.Event):
            self._parking.park(replace(waiting, is_begun=True), ready)
            return
        if not isinstance(ready, BaseConnection):
            await self._settle_unsent(connection, ready)
            return
        key_to = waiting.key_to
        unchanged = key_to.unless_changed(ready.key_origin) if key_to is not None else None
        if unchanged is not None:
            await self._settle_unsent(connection, unchanged)
            return
        with self._holding(ready.secret):
            self._ahead.forget(waiting.offset)
            if key_to is not None:
                await self._send_key(ready, waiting)
            elif not await self._plan.is_absent_still(ready):
                pass  # the lane, or its sandbox, is stopped
            elif waiting.number > 1 and self._plan.has_come(ready):
                await self._doubt_again(ready, waiting)
            else:
                await self._onboard(ready, waiting)

    def _tell_fault(self, fault: Fault, connection: BaseConnection | None = None) -> None:
        self._on_event(
            FaultMet(
                fault=fault,
                where="row",
                org=self.lane.org.key,
                sandbox=connection.sandbox if connection else "",
                rows=(connection.row,) if connection else (),
            )
        )

    async def _with_key(
        self, connection: BaseConnection
    ) -> BaseConnection | Rejected | NotAttempted:
        try:
            return await self._ready(connection)
        except Exception as error:  # noqa: BLE001 - nothing was sent: it costs this row its turn
            fault = fault_of(error)
            self._tell_fault(fault, connection)
            return NotAttempted(code=INTERNAL_FAULT, detail=fault.label)

    async def _settle_unsent(
        self, connection: BaseConnection, outcome: Rejected | NotAttempted | Unchanged
    ) -> None:
        row, sandbox = connection.row, connection.sandbox
        if self._creates:
            await self._ledger.settle(row, connection.marker, Settled(outcome=outcome))
        else:
            await self._ledger.end_change(row, None, Left(outcome=outcome))
        self._on_event(RowSettled(row=row, org=self.lane.org.key, sandbox=sandbox, outcome=outcome))

    async def _send_key(self, connection: BaseConnection, waiting: Waiting) -> None:
        sandbox = connection.sandbox
        self._on_event(RowStarted(row=connection.row, org=self.lane.org.key, sandbox=sandbox))
        await self._keys.send(connection, waiting)

    async def _onboard(self, connection: BaseConnection, waiting: Waiting) -> None:
        row, org, sandbox = connection.row, self.lane.org.key, connection.sandbox
        self._on_event(RowStarted(row=row, org=org, sandbox=sandbox))
        turn = Turn(connection=connection, number=waiting.number, warnings=waiting.warnings)
        began = self._clock.monotonic_s()
        outcome = await onboard(
            turn,
            create=self.lane.create,
            ledger=self._ledger,
            on_fault=lambda fault: self._tell_fault(fault, connection),
        )
        if isinstance(outcome, InDoubt):
            doubt = Doubt(
                row=row,
                wanted=wanted(connection),
                outcome=outcome,
                moment=self._clock.moment(),
                sends=waiting.number,
                offset=waiting.offset,
            )
            self._tell_doubt(sandbox, doubt)
            self._doubts.add(sandbox, doubt)
        else:
            took_ms = round((self._clock.monotonic_s() - began) * 1000)
            self._on_event(
                RowSettled(row=row, org=org, sandbox=sandbox, outcome=outcome, duration_ms=took_ms)
            )

    # The doubts -----------------------------------------------------------------------------------

    async def _take_up_orphans(self) -> None:
        try:
            for orphan in self._orphans:
                of_parent = replace(orphan.state, planned=None)
                state = self._known.open.get(orphan.wanted.marker, of_parent)
                doubt = await self._doubts.add_again(
                    orphan.row, orphan.sandbox, orphan.wanted, state
                )
                self._tell_doubt(orphan.sandbox, doubt)
        except LedgerError as error:
            self._break(error)

    async def _settle_first(self, decided: Decided, state: RowState) -> None:
        connection, decision = decided.connection, decided.decision
        if isinstance(decision, SendKey):
            key_to = replace(decision, first=None)
            self._keys.outlast(connection, Waiting(offset=decided.offset, key_to=key_to), decision)
            return
        doubt = await self._doubts.add_again(
            connection.row, connection.sandbox, wanted(connection), state, offset=decided.offset
        )
        self._tell_doubt(connection.sandbox, doubt)

    async def _doubt_again(self, connection: BaseConnection, waiting: Waiting) -> None:
        """Settle a row by its marker that came later than its absence was proven, instead of sending it once more."""
        doubt = Doubt(
            row=connection.row,
            wanted=wanted(connection),
            outcome=CAME_LATE,
            moment=self._clock.moment(),
            sends=waiting.number - 1,
            offset=waiting.offset,
        )
        taken_up = Doubted(outcome=doubt.outcome, moment=doubt.moment, attempts=0)
        line = self._ledger.line(taken_up, row=doubt.row, marker=connection.marker)
        await self._ledger.write([line])
        self._tell_doubt(connection.sandbox, doubt)
        self._doubts.add(connection.sandbox, doubt)

    def _tell_doubt(self, sandbox: str, doubt: Doubt) -> None:
        org, code = self.lane.org.key, doubt.outcome.code
        self._on_event(RowInDoubt(row=doubt.row, org=org, sandbox=sandbox, code=code))

    def _resend(self, doubt: Doubt) -> None:
        assert doubt.offset is not None
        self._plan.send_again(doubt.wanted.marker)
        self._enqueue(Waiting(offset=doubt.offset, number=doubt.sends + 1))
