"""
One run over one sheet: account for every row, give each lane its rows, stop when asked, close.

All it needs is passed in. It sees lanes and rows, never a ring; the life of one row is `onboarding`'s,
the work of one lane `lane/work`'s.
"""

from collections.abc import Mapping, Sequence, Set as AbstractSet
from contextlib import suppress
from math import inf

import anyio

from batchconnect.lane.lane import SOMEBODY_ELSE, Lane
from batchconnect.lane.orphan import MissingRow, Orphan, sent_elsewhere
from batchconnect.lane.work import LaneWork
from batchconnect.ledger.entry import (
    ROTATE,
    FaultFound,
    Line,
    RunEnded,
    RunIdentified,
    RunResumed,
)
from batchconnect.ledger.row_state import fold_rows
from batchconnect.ledger.run_state import RunState, fold_run
from batchconnect.ledger.run_writer import RunWriter
from batchconnect.model.errors import ExitCode, LedgerError, SheetError
from batchconnect.model.event import (
    CellsWarned,
    Draining,
    Event,
    FaultMet,
    LanePaused,
    LaneStopped,
    PaceChanged,
    Planned,
    RowSettled,
    RunFinished,
    RunStarted,
    SheetWarned,
)
from batchconnect.model.fault import fault_of
from batchconnect.model.outcome import Created, Failed
from batchconnect.run.accounting import Intake
from batchconnect.run.exit_code import (
    INTERRUPTED,
    LEDGER_GONE,
    MAX_FAILURES,
    MAX_ROWS,
    REJECTED_ROWS,
    TERMINATED,
    count_statuses,
    exit_code,
)
from batchconnect.run.fault_record import FaultRecord
from batchconnect.run.intake import take_in
from batchconnect.run.job import Job
from batchconnect.run.known_rows import KnownRun, known_of
from batchconnect.run.lane_lines import LaneLines
from batchconnect.run.same_run import Identity, command_of
from batchconnect.run.shared_rows import shared_rows
from batchconnect.run.sweep import expected, sweep_until
from batchconnect.run.sweep_findings import write_findings
from batchconnect.run.verification import Verification, again_after_s, to_test
from batchconnect.validation.connection import BaseConnection


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
        self._works: list[LaneWork] = []
        self._lanes: dict[str, Lane] = {}
        """All that were asked for anything."""
        self._deleted: AbstractSet[str] = frozenset()
        self._failures = 0
        self._created = 0
        self._failures_allowed = inf
        self._begun = 0
        self._is_over_budget = False
        self._found = Intake()

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
        self._deleted = known.deleted
        # What was asked for before was done: a run that --max-rows ended, and that goes on, has the number anew.
        before = job.resumed.ended if job.resumed is not None else None
        self._begun = 0 if before is not None and before.reason == MAX_ROWS else known.begun
        identity = Identity(job.opened)
        found = self._found = await take_in(
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
            job.on_event(
                SheetWarned(
                    cells=problem.cell or "",
                    code=problem.code,
                    what=problem.what,
                    remedy=problem.remedy,
                )
            )
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
        self._failures_allowed = inf if limit is None else limit.of(found.to_do)
        self._works = self._share_out(found, gone, known, writer)
        self._tell(
            Planned(
                to_create=found.to_do,
                settled=found.rows - found.to_do,
                to_settle=len(known.plan.open),
                left_out=tuple(found.left_out),
            )
        )
        await self._work(self._works, writer)
        await self._settle_shared(known, writer)
        self._raise_if_all_broke()
        if self._must_sweep() and not job.stop.reason:
            await self._sweep(writer, found.orgs)
        if not job.stop.reason:
            await self._test(writer)
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
        self._tell(
            RunStarted(
                run_id=(resumed.opened if resumed else job.opened).run_id,
                resumed=resumed is not None,
                simulated=job.opened.simulated,
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

    # Working --------------------------------------------------------------------------------------

    def _share_out(
        self, found: Intake, gone: Sequence[MissingRow], known: KnownRun, writer: RunWriter
    ) -> list[LaneWork]:
        """Give each lane its rows; this is the one place that does."""
        offsets: dict[str, dict[str, Sequence[int]]] = {}
        for (org, sandbox), of_sandbox in found.offsets.items():
            offsets.setdefault(org, {})[sandbox] = self._without(found.doubles, of_sandbox)
        orphans: dict[str, list[Orphan]] = {}
        for row in gone:
            if row.orphan is not None:
                elsewhere = sent_elsewhere(row.number, row.planned, self._lane_of(row.org).org)
                if elsewhere is not None:
                    raise elsewhere
                orphans.setdefault(row.org, []).append(row.orphan)
        return [
            self._lane_work(org, offsets.get(org, {}), orphans.get(org, ()), known, writer)
            for org in dict.fromkeys([*offsets, *orphans])
        ]

    def _lane_work(
        self,
        org: str,
        offsets: Mapping[str, Sequence[int]],
        orphans: Sequence[Orphan],
        known: KnownRun,
        writer: RunWriter,
    ) -> LaneWork:
        lane = self._lane_of(org)
        return LaneWork(
            lane=lane,
            offsets=offsets,
            orphans=tuple(orphans),
            load=self._load,
            ready=self._job.ready,
            ledger=writer.of_lane(lane.key),
            known=known.plan,
            clock=self._job.clock,
            rules=self._job.rules,
            policy=self._job.policy,
            may_begin=self._may_begin,
            on_event=self._hear,
            holding=self._job.holding,
        )

    def _lane_of(self, org: str) -> Lane:
        lane = self._lanes[org] = self._job.lane_of(org)
        lane.deleted = self._deleted
        return lane

    def _without(self, doubles: set[int], offsets: Sequence[int]) -> Sequence[int]:
        """Doubles are known when the sheet was read to its end, so their offsets are taken out here."""
        if not doubles:
            return offsets
        return [offset for offset in offsets if self._job.sheet.at(offset).number not in doubles]

    def _load(self, offset: int) -> BaseConnection:
        row = self._job.sheet.at(offset)
        judged = self._job.parse(row)
        if not isinstance(judged, BaseConnection):
            raise SheetError(
                f"row {row.number} of {self._job.sheet.name} was valid when the run began, "
                "and is not any more",
                hint="Do not change the sheet while a run goes on.",
            )
        if not self._found.has(judged, offset):
            raise SheetError(
                f"row {row.number} of {self._job.sheet.name} asks for another connection than when "
                "the run began",
                hint="Do not change the sheet while a run goes on; start the command again.",
            )
        return judged

    async def _settle_shared(self, known: KnownRun, writer: RunWriter) -> None:
        """
        Look for the rows that were created, and whose id another row was answered with since.

        Rows of earlier runs stay in doubt: the next command that accounts for them looks.
        """
        orphans = shared_rows(self._job.ledger, self._number, writer.put_in_doubt)
        if self._job.stop.reason:
            return
        works = [self._lane_work(org, {}, of_org, known, writer) for org, of_org in orphans.items()]
        self._works += works
        await self._work(works, writer)

    async def _work(self, works: Sequence[LaneWork], writer: RunWriter) -> None:
        async with anyio.create_task_group() as beside:
            beside.start_soon(self._lane_lines.write_now_and_then, writer)
            beside.start_soon(self._end_when_asked)
            async with anyio.create_task_group() as lanes:
                for work in works:
                    lanes.start_soon(work.run)
            beside.cancel_scope.cancel()
        await self._lane_lines.try_to_write(writer)

    async def _end_when_asked(self) -> None:
        reason = await self._job.stop.wait()
        in_flight = sum(work.in_flight for work in self._works)
        self._tell(Draining(reason=reason, in_flight=in_flight))
        for work in self._works:
            work.lane.halt(reason)

    def _may_begin(self) -> bool:
        limit = self._job.bounds.max_rows
        if limit is not None and self._begun >= limit:
            self._is_over_budget = True
            return False
        self._begun += 1
        return True

    def _raise_if_all_broke(self) -> None:
        """Where no lane could write, the run ends as one whose ledger is unusable: it stays open."""
        if self._job.stop.reason == LEDGER_GONE:
            return  # what is held of it can be written still, and so can the report
        broken = [work.broken for work in self._works if work.broken is not None]
        if broken and len(broken) == len(self._works):
            raise broken[0]

    def _hear(self, event: Event) -> None:
        match event:
            case LanePaused() | PaceChanged() | LaneStopped():
                self._lane_lines.keep(event)
                if isinstance(event, LaneStopped) and event.code == LEDGER_GONE:
                    self._job.stop.ask(LEDGER_GONE)
            case RowSettled(outcome=Created()):
                self._created += 1
            case RowSettled(outcome=Failed()):
                self._failures += 1
                if self._failures >= self._failures_allowed:
                    self._job.stop.ask(MAX_FAILURES)
            case _:
                pass
        self._tell(event)

    # Closing --------------------------------------------------------------------------------------

    def _must_sweep(self) -> bool:
        """
        Whether this run may have made something that nobody looked for yet.

        One that goes on is swept as a whole: the process before may have ended before its sweep.
        """
        is_new = self._job.resumed is None
        made = self._created > 0 or any(work.had_doubts or work.broken for work in self._works)
        return self._job.bounds.sweep and (made or not is_new)

    async def _sweep(self, writer: RunWriter, orgs: AbstractSet[str]) -> None:
        # Of all rows, also of lanes where nothing was left to do: a crash may have come late.
        orgs = {*orgs, *(work.lane.org.key for work in self._works)}
        lanes = {org: self._lane_of(org) for org in sorted(orgs)}
        wanted = expected(fold_rows(self._job.ledger.row_lines(self._number)))
        wanted = {where: want for where, want in wanted.items() if where[0] in lanes}
        found = await sweep_until(
            self._job.stop,
            lanes,
            wanted,
            lag_s=self._job.policy.lag_s,
            now_ms=self._job.clock.now_ms(),
            on_fault=self._tell,
        )
        if found is not None:
            await write_findings(found, wanted, writer, on_event=self._tell)

    async def _test(self, writer: RunWriter) -> None:
        """Ask whether the run's connections work, as far as it is asked for."""
        tests, ledger = self._job.tests, self._job.ledger
        rows = to_test(fold_rows(ledger.row_lines(self._number)), tests)
        if rows:
            verification = Verification(
                self._lane_of,
                writer=writer,
                again_after_s=again_after_s(self._job.policy.settle_s),
                on_event=self._tell,
            )
            await verification.run(rows, ledger=ledger, stop=self._job.stop)

    async def _close(self, writer: RunWriter, reason: str) -> RunState:
        if not reason and self._is_over_budget:
            reason = MAX_ROWS
        for lane in self._lanes.values():
            self._lane_lines.keep(lane.counted())
        await self._lane_lines.write(writer)
        ledger = self._job.ledger
        state = fold_run(ledger.run_lines(self._number))
        code = exit_code(
            count_statuses(state.rows(ledger.row_lines(self._number))),
            reason=reason,
            every_lane_refused=bool(self._works) and all(w.is_refused for w in self._works),
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
