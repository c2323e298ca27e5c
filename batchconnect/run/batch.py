"""
One run over one sheet: account for every row, give each lane its rows, stop when asked, close.

All it needs is passed in. It sees lanes and rows, never a ring; the life of one row is `onboarding`'s,
the work of one lane `lane/work`'s.
"""

from contextlib import suppress

from batchconnect.ledger.entry import (
    FaultFound,
    Line,
    RunEnded,
    RunResumed,
)
from batchconnect.ledger.run_state import RunState, fold_run
from batchconnect.ledger.run_writer import RunWriter
from batchconnect.model.errors import ExitCode, LedgerError
from batchconnect.model.event import (
    FaultMet,
)
from batchconnect.model.fault import fault_of
from batchconnect.run.budget import Budget
from batchconnect.run.closing import close, tell_end
from batchconnect.run.exit_code import (
    INTERRUPTED,
    MAX_FAILURES,
    MAX_ROWS,
    TERMINATED,
)
from batchconnect.run.fault_record import FaultRecord
from batchconnect.run.job import Job
from batchconnect.run.lanes.lane_group import LaneGroup
from batchconnect.run.lanes.lane_lines import LaneLines
from batchconnect.run.survey import survey


class Batch:
    """Carries out one run."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._number = job.resumed.number if job.resumed else 0
        self._lane_lines = LaneLines()
        self._record = FaultRecord(
            job.on_event,
            keep=self._lane_lines.keep,
            on_raised=lambda: job.stop.ask(INTERRUPTED),
        )
        self._tell = self._record.tell
        self._budget = Budget(
            most_rows=job.bounds.max_rows, on_failures=lambda: job.stop.ask(MAX_FAILURES)
        )
        self._lanes: LaneGroup | None = None

    async def run(self) -> RunState:
        """
        Return when the run has ended, in whichever way; its state says how.

        Raises:
            Exception: Whatever the listener raised, once no row is on its way.
            SheetError: The sheet cannot be read to its end; nothing was sent.
            LedgerError: The ledger cannot be written; what was sent stands in it as an intent.
        """
        state = await self._run()
        self._record.check()
        return state

    async def _run(self) -> RunState:
        job = self._job
        writer = job.writer(self._open())
        seen = await survey(job, number=self._number, writer=writer, budget=self._budget)
        if seen.reason:
            return await self._close(writer, seen.reason)
        lanes = self._lanes = LaneGroup(
            job,
            number=self._number,
            found=seen.intake,
            known=seen.known,
            writer=writer,
            budget=self._budget,
            lane_lines=self._lane_lines,
            tell=self._tell,
            lane_of=job.lane_of,
        )
        await lanes.share_out(seen.intake.offsets, seen.gone)
        self._tell(seen.planned)
        await lanes.work()
        lanes.raise_if_all_broke()
        await lanes.look_again(seen.intake.orgs, is_new=job.resumed is None)
        return await self._close(writer, job.stop.reason)

    def abandon(self) -> RunState:
        """End a run that was cut off; what was in flight stands in the ledger as an intent."""
        reason = self._job.stop.reason or INTERRUPTED
        code = ExitCode.TERMINATED if reason == TERMINATED else ExitCode.INTERRUPTED
        ended = RunEnded(exit_code=code, closed=False, reason=reason)
        line = Line(entry=ended, run=self._number, at_ms=self._job.clock.now_ms())
        self._job.ledger.append([line])
        return fold_run(self._job.ledger.run_lines(self._number))

    def record(self, error: Exception) -> None:
        """Keep what ended the run unforeseen, for the log and for the report of the resumed run."""
        if error is self._record.raised:
            return  # it is the listener's
        event = FaultMet(fault=fault_of(error), where="run")
        self._tell(event)
        if self._number:
            line = Line(
                entry=FaultFound(event=event), run=self._number, at_ms=self._job.clock.now_ms()
            )
            with suppress(LedgerError):  # it may be the ledger that fails
                self._job.ledger.append([line])

    # Opening ------------------------------------------------------------------------------------

    def _open(self) -> int:
        job = self._job
        resumed = job.resumed
        if resumed is None:
            line = Line(entry=job.opened, at_ms=job.clock.now_ms())
            self._number = job.ledger.append([line])
        else:
            entry = RunResumed(
                operator=job.opened.operator,
                machine=job.opened.machine,
                tool_version=job.opened.tool_version,
                crashed=resumed.ended is None,
            )
            line = Line(entry=entry, run=self._number, at_ms=job.clock.now_ms())
            job.ledger.append([line])
        self._tell(job.started)
        return self._number

    # Closing --------------------------------------------------------------------------------------

    async def _close(self, writer: RunWriter, reason: str) -> RunState:
        if not reason and self._budget.is_over:
            reason = MAX_ROWS
        if self._lanes is not None:
            self._lanes.count()
        await self._lane_lines.write(writer)
        state = await close(
            self._job,
            number=self._number,
            writer=writer,
            reason=reason,
            every_lane_refused=self._lanes is not None and self._lanes.every_lane_refused,
        )
        tell_end(self._tell, state)
        return state
