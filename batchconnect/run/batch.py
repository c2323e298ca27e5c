"""
One run over one sheet: account for every row, give each lane its rows, stop when asked, close.

All it needs is passed in. It sees lanes and rows, never a ring; the life of one row is `onboarding`'s,
the work of one lane `lane/work`'s.
"""

from contextlib import suppress
from math import inf

from batchconnect.lane.lane import SOMEBODY_ELSE
from batchconnect.ledger.entry import (
    ROTATE,
    FaultFound,
    Line,
    RunEnded,
    RunIdentified,
    RunResumed,
)
from batchconnect.ledger.run_state import RunState, fold_run
from batchconnect.ledger.run_writer import RunWriter
from batchconnect.model.errors import ExitCode, LedgerError, SheetError
from batchconnect.model.event import (
    CellsWarned,
    FaultMet,
    Planned,
    RunFinished,
    RunStarted,
)
from batchconnect.model.fault import fault_of
from batchconnect.run.budget import Budget
from batchconnect.run.exit_code import (
    INTERRUPTED,
    LEDGER_GONE,
    MAX_FAILURES,
    MAX_ROWS,
    REJECTED_ROWS,
    TERMINATED,
    count_ends,
    exit_code,
)
from batchconnect.run.fault_record import FaultRecord
from batchconnect.run.findings import sheet_warned
from batchconnect.run.intake import take_in
from batchconnect.run.job import Job
from batchconnect.run.known_rows import KnownRun, known_of
from batchconnect.run.lane_group import LaneGroup
from batchconnect.run.lane_lines import LaneLines
from batchconnect.run.same_run import Identity, command_of


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
        self._budget: Budget | None = None
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
        known = known_of(job.ledger, self._number if job.resumed is not None else None)
        budget = self._budget = self._budget_of(known)
        identity = Identity(job.opened)
        found = await take_in(
            job.sheet,
            job.parse,
            ledger=writer,
            known=known.rows,
            is_selected=job.is_selected,
            carry_over=job.carry_over,
            is_stopped=lambda: bool(job.stop.reason),
            fast_scan=job.fast_scan,
            identity=identity,
            strict=job.strict,
        )
        for problem in found.about_rows:
            job.on_event(sheet_warned(problem))
        if job.stop.reason:
            return await self._close(writer, job.stop.reason)
        await self._identify(identity.made(), writer)
        gone = [row for row in job.gone() if not known.rows.get(row.number)]
        new = [row for row in gone if row.number not in known.rows]
        await writer.write([line for row in new for line in row.lines(writer)])
        for kind in found.warnings.sorted():
            job.on_event(
                CellsWarned(
                    what=kind.what, where=kind.where, cells=kind.count, code=kind.problem.code
                )
            )
        if found.rejected and not job.bounds.skip_invalid:
            return await self._close(writer, REJECTED_ROWS)
        limit = job.bounds.max_failures
        budget.failures_allowed = inf if limit is None else limit.of(found.to_do)
        lanes = self._lanes = LaneGroup(
            job,
            number=self._number,
            found=found,
            known=known,
            writer=writer,
            budget=budget,
            lane_lines=self._lane_lines,
            tell=self._tell,
            lane_of=job.lane_of,
        )
        await lanes.share_out(found.offsets, gone)
        self._tell(
            Planned(
                to_create=found.to_do,
                settled=found.rows - found.to_do,
                to_settle=len(known.plan.open),
                left_out=tuple(found.left_out),
            )
        )
        await lanes.work()
        lanes.raise_if_all_broke()
        await lanes.look_again(found.orgs, is_new=job.resumed is None)
        return await self._close(writer, job.stop.reason)

    def _budget_of(self, known: KnownRun) -> Budget:
        job = self._job
        # What was asked for before was done: a run that --max-rows ended, and that goes on, has the number anew.
        before = job.resumed.ended if job.resumed is not None else None
        is_anew = before is not None and before.reason == MAX_ROWS
        return Budget(
            most_rows=job.bounds.max_rows,
            begun=0 if is_anew else known.begun,
            on_failures=lambda: job.stop.ask(MAX_FAILURES),
        )

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
        self._tell(
            RunStarted(
                run_id=(resumed.opened if resumed else job.opened).run_id,
                resumed=resumed is not None,
                simulated=job.opened.simulated,
                places=(resumed.opened if resumed else job.opened).places,
                left_open=tuple(
                    f"{left.opened.run_id}: {command_of(left.opened)}" for left in job.left_open
                ),
            )
        )
        return self._number

    async def _identify(self, now: RunIdentified, writer: RunWriter) -> None:
        """Have it in the ledger which rows the run is over, before one of them is sent."""
        job = self._job
        if job.identified is not None and job.identified != now:
            raise SheetError(
                f"{job.sheet.name}: the file has changed since it was opened",
                hint="Start the command again; what is done already is not done twice.",
            )
        if job.resumed is None or job.resumed.identified != now:
            await writer.write([writer.line(now)])

    # Closing --------------------------------------------------------------------------------------

    async def _close(self, writer: RunWriter, reason: str) -> RunState:
        if not reason and self._budget is not None and self._budget.is_over:
            reason = MAX_ROWS
        if self._lanes is not None:
            self._lanes.count()
        await self._lane_lines.write(writer)
        ledger = self._job.ledger
        state = fold_run(ledger.run_lines(self._number))
        code = exit_code(
            count_ends(state, ledger.ends(self._number)),
            reason=reason,
            every_lane_refused=self._lanes is not None and self._lanes.every_lane_refused,
            somebody_else=any(stop.code == SOMEBODY_ELSE for stop in state.stops),
            swept=state.swept,
        )
        # An interrupted run stays open, so that the same command goes on with it.
        is_cut_off = code in {ExitCode.INTERRUPTED, ExitCode.TERMINATED}
        # So does a rotation that --max-rows ended: a new one could not tell which keys were sent already.
        is_cut_off |= reason == MAX_ROWS and self._job.opened.command == ROTATE
        is_closed = not is_cut_off and reason != LEDGER_GONE
        ended = RunEnded(exit_code=code, closed=is_closed, reason=reason)
        await writer.write([writer.line(ended)])
        ended_state = fold_run(ledger.run_lines(self._number))
        # The time of day may have been set back meanwhile.
        duration_s = max(0, ended_state.last_at_ms - ended_state.opened_at_ms) / 1000
        self._tell(RunFinished(run_id=state.opened.run_id, exit_code=code, duration_s=duration_s))
        return ended_state
