"""
An undo, as a run of its own: what it is over, each lane's part of it, and how it ended.

It accounts for what it leaves as well, with the reason. Which connections go is written down, and agreed on,
before one of them is touched; the same command goes on with what is left.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from hashlib import sha256
from typing import Final

import anyio

from batchconnect.lane.lane import Lane
from batchconnect.lane.reconciler import MOST_SENDS, take_up
from batchconnect.lane.removal import Begun
from batchconnect.lane.removals import Doomed, LaneRemovals
from batchconnect.ledger import Ledger
from batchconnect.ledger.aside import aside, run_state_of
from batchconnect.ledger.entry import (
    ChangeDoubted,
    Deleting,
    FaultFound,
    Left,
    Line,
    RunEnded,
    RunIdentified,
    RunOpened,
    RunResumed,
)
from batchconnect.ledger.row_state import RowState
from batchconnect.ledger.run_state import RunState, planned_rows
from batchconnect.ledger.run_writer import Clock, RunWriter
from batchconnect.model.errors import ExitCode, LedgerError
from batchconnect.model.event import (
    Draining,
    Event,
    FaultMet,
    LanePaused,
    LaneStopped,
    PaceChanged,
    Planned,
    RunFinished,
    RunStarted,
)
from batchconnect.model.fault import fault_of
from batchconnect.model.value import Value
from batchconnect.run.exit_code import (
    INTERRUPTED,
    LEDGER_GONE,
    TERMINATED,
    count_statuses,
    exit_code,
)
from batchconnect.run.fault_record import FaultRecord
from batchconnect.run.lanes.lane_lines import LaneLines
from batchconnect.run.stop import Stop
from batchconnect.run.team.team import interrupted_early
from batchconnect.run.undo.undo_plan import UndoPlan, UndoRow

_NEW: Final = RowState(number=0, marker=None)
"""What an undo that has not begun knows of its rows."""


class UndoJob(Value):
    """All that one undo is made of."""

    plan: UndoPlan
    """What is to be deleted. Of an undo that goes on: what it can be, for its own lines say what is left."""
    ledger: Ledger
    writer: Callable[[int], RunWriter]
    """The run writer, once its number is known."""
    clock: Clock
    opened: RunOpened
    lane_of: Callable[[str], Lane]
    settle_s: float
    """How long a delete whose answer was lost may still be applied."""
    most_sends: int = MOST_SENDS
    """How often it is sent at the most; 1: `--on-doubt hold`."""
    on_event: Callable[[Event], None] = lambda event: None
    stop: Stop


class UndoRun:
    """Carries out one undo."""

    def __init__(self, job: UndoJob) -> None:
        self._job = job
        self._resumed = job.plan.begun
        self._number = self._resumed.number if self._resumed else 0
        self._lane_lines = LaneLines()
        self._record = FaultRecord(
            job.on_event,
            keep=self._lane_lines.keep,
            on_raised=lambda: job.stop.ask(INTERRUPTED),
        )
        self._tell = self._record.tell
        self._works: list[LaneRemovals] = []

    async def run(self) -> RunState:
        """
        Return when the undo has ended, in whichever way; its state says how.

        Raises:
            Exception: Whatever the listener raised, once no row is on its way.
            LedgerError: The ledger cannot be written; what was sent stands in it as an intent.
        """
        job = self._job
        writer = job.writer(await self._open())
        to_do = await self._account(writer)
        lanes = {org: job.lane_of(org) for org in to_do}
        self._works = [
            LaneRemovals(
                lane=lanes[org],
                doomed=doomed,
                ledger=writer.of_lane(lanes[org].key),
                settle_s=job.settle_s,
                most_sends=job.most_sends,
                on_event=self._hear,
            )
            for org, doomed in to_do.items()
        ]
        await self._work(writer)
        self._raise_if_all_broke()
        state = await self._close(writer, job.stop.reason)
        self._record.check()
        return state

    async def abandon(self) -> RunState:
        """
        End an undo that was cut off; what was in flight stands in the ledger as an intent.

        Raises:
            InterruptedEarlyError: It was cut off before it was opened.
        """
        if not self._number:
            raise interrupted_early()
        reason = self._job.stop.reason or INTERRUPTED
        code = ExitCode.TERMINATED if reason == TERMINATED else ExitCode.INTERRUPTED
        await self._append(RunEnded(exit_code=code, closed=False, reason=reason))
        return await run_state_of(self._job.ledger, self._number)

    async def record(self, error: Exception) -> None:
        """Keep what ended the undo unforeseen."""
        if error is self._record.raised:
            return  # it is the listener's
        event = FaultMet(fault=fault_of(error), where="run")
        self._tell(event)
        if self._number:
            with suppress(LedgerError):  # it may be the ledger that fails
                await self._append(FaultFound(event=event))

    async def _append(self, entry: RunOpened | RunResumed | RunEnded | FaultFound) -> int:
        ledger = self._job.ledger
        line = Line(entry=entry, run=self._number, at_ms=self._job.clock.now_ms())
        return await aside(ledger, lambda: ledger.append([line]))

    # Opening --------------------------------------------------------------------------------------

    async def _open(self) -> int:
        opened, resumed = self._job.opened, self._resumed
        if resumed is None:
            self._number = await self._append(opened)
        else:
            await self._append(
                RunResumed(
                    operator=opened.operator,
                    machine=opened.machine,
                    tool_version=opened.tool_version,
                    crashed=resumed.ended is None,
                )
            )
        self._tell(
            RunStarted(
                run_id=(resumed.opened if resumed else opened).run_id,
                resumed=resumed is not None,
                simulated=opened.simulated,
                places=opened.places,
            )
        )
        return self._number

    async def _account(self, writer: RunWriter) -> Mapping[str, list[Doomed]]:
        """
        Write down what goes and what stays, all of it or nothing, and say what is left to do in each org.

        An undo that was cut off before that begins anew, for it has touched nothing.
        """
        plan, ledger = self._job.plan, self._job.ledger
        is_new = plan.agreed is None
        mine: dict[int, RowState] = {}
        if not is_new:
            mine = await aside(
                ledger,
                lambda: {row.number: row for row in planned_rows(ledger.row_lines(self._number))},
            )
        lines: list[Line] = []
        to_do: defaultdict[str, list[Doomed]] = defaultdict(list)
        for row in plan.rows:
            before = _NEW if is_new else mine.get(row.number)
            if before is None or before.is_settled:
                continue
            if is_new:
                lines.append(writer.line(row.planned, row=row.number, marker=row.marker))
            begun = self._begun(row)
            if begun is not None:
                # Whatever the look said: what became of that delete is still to be found out.
                lines += _taken_up(row, before, begun, writer)
            elif row.kept is not None:
                lines.append(writer.line(Left(outcome=row.kept), row=row.number))
                continue
            to_do[row.planned.org].append(self._doomed(row, begun))
        if is_new:
            lines.append(writer.line(_identified(plan)))
        await writer.write(lines)
        waiting = sum(map(len, to_do.values()))
        in_doubt = sum(one.begun is not None for doomed in to_do.values() for one in doomed)
        total = len(plan.rows) if is_new else len(mine)
        self._tell(Planned(to_create=waiting, settled=total - waiting, to_settle=in_doubt))
        for doomed in to_do.values():
            doomed.sort(key=lambda one: one.begun is None)  # what is in doubt first
        return to_do

    def _begun(self, row: UndoRow) -> ChangeDoubted | None:
        """What an earlier process left in doubt, as this one goes on with it."""
        return take_up(row.doubt, self._job.clock, ChangeDoubted) if row.is_begun else None

    def _doomed(self, row: UndoRow, doubt: ChangeDoubted | None) -> Doomed:
        assert row.made is not None
        if doubt is None:
            return Doomed(made=row.made)
        ago_s = self._job.clock.elapsed_s(doubt.moment)
        return Doomed(
            made=row.made,
            begun=Begun(outcome=doubt.outcome, ago_s=ago_s),
            may_send=row.kept is None,
        )

    # Working --------------------------------------------------------------------------------------

    async def _work(self, writer: RunWriter) -> None:
        async with anyio.create_task_group() as beside:
            beside.start_soon(self._lane_lines.write_now_and_then, writer)
            beside.start_soon(self._end_when_asked)
            async with anyio.create_task_group() as lanes:
                for work in self._works:
                    lanes.start_soon(work.run)
            beside.cancel_scope.cancel()
        for work in self._works:
            self._lane_lines.keep(work.lane.counted())
        await self._lane_lines.try_to_write(writer)

    async def _end_when_asked(self) -> None:
        reason = await self._job.stop.wait()
        self._tell(Draining(reason=reason, in_flight=sum(work.in_flight for work in self._works)))
        for work in self._works:
            work.lane.halt(reason)

    def _hear(self, event: Event) -> None:
        if isinstance(event, LanePaused | PaceChanged | LaneStopped):
            self._lane_lines.keep(event)
            if isinstance(event, LaneStopped) and event.code == LEDGER_GONE:
                self._job.stop.ask(LEDGER_GONE)
        self._tell(event)

    def _raise_if_all_broke(self) -> None:
        """Where no lane could write, the undo ends as one whose ledger is unusable: it stays open."""
        if self._job.stop.reason == LEDGER_GONE:
            return  # what is held of it can be written still, and so can the report
        broken = [work.broken for work in self._works if work.broken is not None]
        if broken and len(broken) == len(self._works):
            raise broken[0]

    # Closing --------------------------------------------------------------------------------------

    async def _close(self, writer: RunWriter, reason: str) -> RunState:
        await self._lane_lines.write(writer)
        ledger = self._job.ledger
        state = await run_state_of(self._job.ledger, self._number)
        counts = await aside(
            ledger, lambda: count_statuses(state.rows(ledger.row_lines(self._number)))
        )
        code = exit_code(
            counts,
            reason=reason,
            every_lane_refused=bool(self._works) and all(one.is_refused for one in self._works),
            swept=None,
        )
        is_cut_off = code in {ExitCode.INTERRUPTED, ExitCode.TERMINATED}
        is_closed = not is_cut_off and reason != LEDGER_GONE
        await writer.write([writer.line(RunEnded(exit_code=code, closed=is_closed, reason=reason))])
        ended = await run_state_of(self._job.ledger, self._number)
        duration_s = max(0, ended.last_at_ms - ended.opened_at_ms) / 1000
        self._tell(RunFinished(run_id=state.opened.run_id, exit_code=code, duration_s=duration_s))
        return ended


def _taken_up(
    row: UndoRow, before: RowState, doubt: ChangeDoubted, writer: RunWriter
) -> Iterator[Line]:
    """Have this undo's own lines say what an earlier process left in doubt, whichever undo that was of."""
    assert row.made is not None
    if before.change is None:
        intent = Deleting(connection_id=row.made.connection_id)
        yield writer.line(intent, row=row.number, marker=row.marker)
    if before.change is None or before.change_doubt != doubt:
        yield writer.line(doubt, row=row.number, marker=row.marker)


def _identified(plan: UndoPlan) -> RunIdentified:
    digest = sha256(plan.run.opened.run_id.encode())
    for row in plan.rows:
        digest.update(f"\n{row.number} {row.marker}".encode())
    return RunIdentified(identity=digest.hexdigest(), rows=len(plan.rows), agreed=plan.to_delete)
