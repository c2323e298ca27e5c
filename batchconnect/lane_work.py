"""
One lane's part of a run: decide for each of its rows, send what is missing, settle what is in doubt.

The lane goes at its own pace and waits for no other. A sandbox that has to wait delays no row of the
lane's other sandboxes.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, aclosing, contextmanager
from dataclasses import dataclass, replace
from typing import Final

import anyio
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint

from batchconnect.connection import BaseConnection
from batchconnect.errors import LedgerError, SheetError
from batchconnect.event import (
    Event,
    LanePaused,
    LaneStopped,
    RowInDoubt,
    RowSettled,
    RowStarted,
    SandboxListed,
    Settling as SettlingEvent,
)
from batchconnect.flow_service.listing import Listing
from batchconnect.lane import Lane
from batchconnect.ledger.entry import Doubted, Line, Settled
from batchconnect.ledger.row_state import UNANSWERED, RowState
from batchconnect.ledger.run_ledger import Clock, RunLedger
from batchconnect.matching import Wanted, wanted
from batchconnect.onboarding import Turn, onboard
from batchconnect.orphan import Orphan
from batchconnect.outcome import Created, InDoubt, Outcome
from batchconnect.plan import (
    Decided,
    Known,
    Rules,
    Send,
    Settle,
    SettleFirst,
    decide,
    read_sandbox,
)
from batchconnect.pool import Pool
from batchconnect.reconcile import Doubt, Policy, Reconciler, settle_moment
from batchconnect.secret import Secret

_CHUNK: Final = 500
"""Rows decided between two commits, and between two turns of the other tasks."""

Holding = Callable[[Secret], AbstractContextManager[None]]
"""`Redactor.holding`: what leaves the process meanwhile does not show the secret."""

Load = Callable[[int], BaseConnection | None]
"""Reads a row again by its place; None: leave it alone. A `SheetError` says that the sheet changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A row that is to be sent; its cells, secret included, are read when its turn comes."""

    place: int
    number: int = 1
    """Which send of the row it will be."""
    warnings: tuple[str, ...] = ()


class LaneWork:
    """
    Carries out one lane's part of a run.

    Args:
        lane: Its stack, its breaker, its pace.
        places: Per sandbox, where its rows stand in the sheet.
        orphans: Rows in doubt that are settled without being sent.
        load: Reads a row again.
        ledger: The run's pen.
        known: What the ledger knew before.
        clock: The run's clocks.
        rules: How the plan judges.
        policy: How doubts are settled.
        may_begin: Asked before each new row; False: the run's budget is spent (`--max-rows`).
        on_event: Told of everything.
        on_broken: Told that the ledger cannot be written; the lane takes no further row.
        holding: Keeps a row's secret out of every text while the row is in flight.
    """

    def __init__(
        self,
        *,
        lane: Lane,
        places: Mapping[str, Sequence[int]],
        load: Load,
        ledger: RunLedger,
        known: Known,
        clock: Clock,
        rules: Rules,
        policy: Policy,
        orphans: tuple[Orphan, ...],
        may_begin: Callable[[], bool],
        on_event: Callable[[Event], None],
        on_broken: Callable[[LedgerError], None],
        holding: Holding,
    ) -> None:
        self.lane = lane
        self.had_doubts = bool(orphans)
        """Whether the run has to be swept."""
        self._places = places
        self._orphans = orphans
        self._load = load
        self._ledger = ledger
        self._known = known
        self._clock = clock
        self._rules = rules
        self._policy = policy
        self._may_begin = may_begin
        self._on_event = on_event
        self._on_broken = on_broken
        self._holding = holding
        self._queue: deque[Waiting] = deque()
        self._busy = 0
        self._plans: set[anyio.CancelScope] = set()
        self._looks: set[anyio.CancelScope] = set()
        self._reconcilers: dict[str, Reconciler] = {}
        self._reconciling: set[str] = set()
        self._changed = anyio.Event()
        self._tasks: TaskGroup | None = None
        self._pool = Pool(take=self._take, work=self._carry_out, capacity=lane.capacity)

    @property
    def in_flight(self) -> int:
        """Rows that are on their way."""
        return self._pool.active

    @property
    def is_refused(self) -> bool:
        """Whether the service refused the lane, or each of its sandboxes: nothing of it can be done."""
        sandboxes = {orphan.sandbox for orphan in self._orphans} | self._places.keys()
        return self.lane.is_refused(sandboxes)

    async def run(self) -> None:
        """Return when each of the lane's rows is settled, or the lane is stopped."""
        self.lane.on_change = self._lane_changed
        self.lane.on_admitted = self._pool.recheck
        self.lane.on_event = self._on_event
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            try:
                for orphan in self._orphans:
                    marker, of_parent = orphan.wanted.marker, replace(orphan.state, planned=None)
                    state = self._known.open.get(marker, of_parent)
                    await self._doubt_again(orphan.row, orphan.sandbox, orphan.wanted, state)
            except LedgerError as error:
                self._on_broken(error)
            for sandbox, places in self._places.items():
                self._busy += 1
                tasks.start_soon(self._plan, sandbox, places)
            await self._pool.run()
            self._stop_reading()

    def _lane_changed(self) -> None:
        # A refused lane plans no further, yet it settles its doubts as far as it is let.
        self._cut_off(self._plans)
        if self.lane.is_halted:
            self._stop_reading()
        self._wake()

    def _stop_reading(self) -> None:
        """Let all reading end: what it finds would not be acted upon."""
        self._cut_off(self._plans)
        self._cut_off(self._looks)
        for reconciler in self._reconcilers.values():
            reconciler.stop()
        self._wake()

    def _cut_off(self, scopes: set[anyio.CancelScope]) -> None:
        for scope in scopes:
            scope.cancel()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
        self._pool.recheck()

    @contextmanager
    def _reading(self, scopes: set[anyio.CancelScope]) -> Iterator[None]:
        """What is in here may be cut off when the lane stops, and the lane waits for it otherwise."""
        with anyio.CancelScope() as scope:
            scopes.add(scope)
            try:
                yield
            finally:
                scopes.discard(scope)
                self._busy -= 1
                self._wake()

    # The plan -------------------------------------------------------------------------------------

    async def _plan(self, sandbox: str, places: Sequence[int]) -> None:
        with self._reading(self._plans):
            listing = await read_sandbox(
                self.lane, sandbox, known=self._known, rules=self._rules, waits=self._tell_waiting
            )
            self._tell_listed(sandbox, listing)
            if not listing.complete:
                self._give_up(sandbox, listing)
                return
            rows = 0
            lines: list[Line] = []
            told: list[Event] = []
            decisions = decide(
                places,
                listing,
                load=self._load,
                reads=self.lane,
                known=self._known,
                rules=self._rules,
            )
            try:
                async with aclosing(decisions):
                    async for decided in decisions:
                        await self._act(decided, lines, told)
                        rows += 1
                        if rows % _CHUNK == 0:
                            await self._write(lines, told)
                await self._write(lines, told)
            except SheetError as error:
                self._sheet_changed(error)
            except LedgerError as error:
                self._on_broken(error)

    async def _act(self, decided: Decided, lines: list[Line], told: list[Event]) -> None:
        connection = decided.connection
        match decided.decision:
            case Send(warnings=warnings):
                number = self._known.sends.get(connection.marker, 0) + 1
                self._queue.append(Waiting(place=decided.place, number=number, warnings=warnings))
                self._wake()
            case Settle(outcome=outcome, warnings=warnings):
                settled = Settled(outcome=outcome, warnings=warnings)
                lines.append(
                    self._ledger.line(settled, row=connection.row, marker=connection.marker)
                )
                told.append(self._settled_event(connection.row, connection.sandbox, outcome))
            case SettleFirst(state=state):  # pragma: no branch - the last of a closed set
                await self._doubt_again(
                    connection.row,
                    connection.sandbox,
                    wanted(connection),
                    state,
                    place=decided.place,
                )

    async def _write(self, lines: list[Line], told: list[Event]) -> None:
        if lines:
            await self._ledger.write(lines)
        for event in told:
            self._on_event(event)
        lines.clear()
        told.clear()
        await checkpoint()

    def _give_up(self, sandbox: str, listing: Listing) -> None:
        if listing.refusal is not None:
            self.lane.refuse(listing.refusal, sandbox)
        elif listing.fault is not None and not self.lane.is_stopped:
            stopped = LaneStopped(
                org=self.lane.org.key,
                sandbox=sandbox,
                code="listing_failed",
                title="The sandbox could not be read",
                detail=f"{listing.fault.code}: {listing.fault.detail}",
            )
            self.lane.stop_sandbox(stopped)

    def _sheet_changed(self, error: SheetError) -> None:
        stopped = LaneStopped(
            org=self.lane.org.key,
            sandbox=None,
            code="sheet_changed",
            title="The sheet changed during the run",
            detail=error.message,
        )
        self.lane.stop(stopped)

    def _tell_waiting(self, seconds: float) -> None:
        self._on_event(
            LanePaused(
                org=self.lane.org.key,
                host=self.lane.host,
                pause_s=seconds,
                reason="waits_for_settle",
            )
        )

    def _tell_listed(self, sandbox: str, listing: Listing) -> None:
        why = listing.refusal or listing.fault
        self._on_event(
            SandboxListed(
                org=self.lane.org.key,
                sandbox=sandbox,
                connections=len(listing.items),
                complete=listing.complete,
                detail=why.detail if why else "",
            )
        )

    # The rows -------------------------------------------------------------------------------------

    async def _take(self) -> Waiting | None:
        while not self.lane.is_halted:
            while self._queue and not self.lane.is_stopped:
                waiting = self._queue.popleft()
                # A row that was begun is in the budget already.
                if waiting.number > 1 or self._may_begin():
                    self._busy += 1
                    return waiting
            if not self._busy and not self._reconciling:
                return None
            await self._changed.wait()
        return None

    async def _carry_out(self, waiting: Waiting) -> None:
        try:
            connection = self._load(waiting.place)
            if connection is not None and not self.lane.is_sandbox_stopped(connection.sandbox):
                with self._holding(connection.service_principal_key):
                    await self._onboard(connection, waiting)
        except SheetError as error:
            self._sheet_changed(error)
        except LedgerError as error:
            self._on_broken(error)
        finally:
            self._busy -= 1
            self._wake()

    async def _onboard(self, connection: BaseConnection, waiting: Waiting) -> None:
        row, sandbox = connection.row, connection.sandbox
        self._on_event(RowStarted(row=row, org=self.lane.org.key, sandbox=sandbox))
        turn = Turn(connection=connection, number=waiting.number, warnings=waiting.warnings)
        began = self._clock.monotonic_s()
        outcome = await onboard(turn, create=self.lane.create, ledger=self._ledger)
        if isinstance(outcome, InDoubt):
            doubt = Doubt(
                row=row,
                wanted=wanted(connection),
                outcome=outcome,
                moment=self._clock.moment(),
                sends=waiting.number,
                place=waiting.place,
            )
            self._reconcile(sandbox, doubt)
        else:
            duration_ms = round((self._clock.monotonic_s() - began) * 1000)
            self._on_event(self._settled_event(row, sandbox, outcome, duration_ms))

    def _settled_event(
        self, row: int, sandbox: str, outcome: Outcome, duration_ms: int | None = None
    ) -> RowSettled:
        return RowSettled(
            row=row,
            org=self.lane.org.key,
            sandbox=sandbox,
            outcome=outcome,
            duration_ms=duration_ms,
        )

    # The doubts -----------------------------------------------------------------------------------

    async def _doubt_again(
        self,
        row: int,
        sandbox: str,
        what: Wanted,
        state: RowState,
        *,
        place: int | None = None,
    ) -> None:
        """Take up a doubt of an earlier process: its window counts from the recovery, once."""
        stored = state.doubt
        if stored is None:
            taken_up = Doubted(outcome=UNANSWERED, moment=self._clock.moment())
        else:
            moment = settle_moment(stored.moment, self._clock)
            taken_up = replace(stored, moment=moment, attempts=0, throttled=0)
        is_of_this_run = state.planned is not None
        if stored is None or taken_up.moment != stored.moment or not is_of_this_run:
            # Another run's doubt becomes this one's, for this one accounts for the row now.
            await self._ledger.write([self._ledger.line(taken_up, row=row, marker=what.marker)])
        doubt = Doubt(
            row=row,
            wanted=what,
            outcome=taken_up.outcome,
            moment=taken_up.moment,
            sends=state.spent,
            place=place,
        )
        self._reconcile(sandbox, doubt)

    def _reconcile(self, sandbox: str, doubt: Doubt) -> None:
        self.had_doubts = True
        self._on_event(
            RowInDoubt(
                row=doubt.row, org=self.lane.org.key, sandbox=sandbox, code=doubt.outcome.code
            )
        )
        reconciler = self._reconcilers.get(sandbox)
        if reconciler is None:
            reconciler = self._reconcilers[sandbox] = self._reconciler(sandbox)
        reconciler.add(doubt)
        if sandbox not in self._reconciling and not self.lane.is_halted:
            assert self._tasks is not None
            self._reconciling.add(sandbox)
            self._tasks.start_soon(self._run_reconciler, sandbox, reconciler)

    async def _run_reconciler(self, sandbox: str, reconciler: Reconciler) -> None:
        self._busy += 1
        try:
            with self._reading(self._looks):
                await reconciler.run()
        except LedgerError as error:
            self._on_broken(error)
        finally:
            self._reconciling.discard(sandbox)
            self._wake()

    def _reconciler(self, sandbox: str) -> Reconciler:
        def settled(doubt: Doubt, outcome: Outcome) -> None:
            self._on_event(self._settled_event(doubt.row, sandbox, outcome))
            if isinstance(outcome, Created):
                self.lane.count_created()

        def resend(doubt: Doubt) -> None:
            assert doubt.place is not None
            self._queue.append(Waiting(place=doubt.place, number=doubt.sends + 1))
            self._wake()

        def looked(waiting: int, left_s: float) -> None:
            self._on_event(
                SettlingEvent(
                    org=self.lane.org.key, sandbox=sandbox, waiting=waiting, left_s=left_s
                )
            )

        return Reconciler(
            look=self._looker(sandbox),
            ledger=self._ledger,
            clock=self._clock,
            policy=self._policy,
            settled=settled,
            resend=resend,
            looked=looked,
        )

    def _looker(self, sandbox: str) -> Callable[[], Awaitable[Listing]]:
        async def look() -> Listing:
            listing = await self.lane.list(sandbox)
            if listing.refusal is not None:
                self.lane.refuse(listing.refusal, sandbox)
            return listing

        return look
