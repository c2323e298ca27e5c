"""
One process's part of a run on a team ledger: it surveys the rows, works lanes, and closes the run.

Any number of processes do the same beside it. Which lanes are through, and whether the run is, is told by the
ledger alone; who finds the last lane closed closes the run. All of it is one process's work too, where it is
alone: then it takes every lane.
"""

from collections.abc import Sequence
from functools import partial

import anyio

from batchconnect.ledger.aside import run_state_of
from batchconnect.ledger.entry import FaultFound, LanesOpened, Line, RunEnded, RunLane
from batchconnect.ledger.run_lanes import fold_lanes
from batchconnect.ledger.run_state import RunState, fold_run
from batchconnect.ledger.run_writer import RunWriter
from batchconnect.ledger.team import Holding
from batchconnect.model.errors import ExitCode
from batchconnect.model.event import Event, FaultMet
from batchconnect.model.exception_group import unwrap_exception_group
from batchconnect.model.fault import fault_of
from batchconnect.model.value import replace
from batchconnect.run.budget import Budget
from batchconnect.run.closing import close, tell_end
from batchconnect.run.exit_code import INTERRUPTED, MAX_FAILURES, MAX_ROWS, TERMINATED
from batchconnect.run.fault_record import FaultRecord
from batchconnect.run.survey import Survey, survey
from batchconnect.run.team.lanes import TeamLanes
from batchconnect.run.team.opening import OpenedRun
from batchconnect.run.team.team import Team


class TeamRun:
    """
    Carries out one process's part of a run.

    Args:
        team: The ledger, and who we are.
        opened: The run.
    """

    def __init__(self, team: Team, opened: OpenedRun) -> None:
        job = opened.job
        self._team = team
        self._job = job
        self._number = opened.number
        self._run_id = opened.run_id
        self._lease = opened.lease
        self._faults: list[FaultMet] = []
        self._record = FaultRecord(
            job.on_event, keep=self._keep, on_raised=lambda: job.stop.ask(INTERRUPTED)
        )
        self._budget = Budget(
            most_rows=job.bounds.max_rows, on_failures=lambda: job.stop.ask(MAX_FAILURES)
        )
        self._lanes = TeamLanes(
            team,
            job,
            number=opened.number,
            run_id=opened.run_id,
            budget=self._budget,
            record=self._record,
        )

    async def run(self) -> RunState:
        """
        Return when the run is closed, by whomever, or this process is asked to end; its state says how.

        Raises:
            SheetError: The sheet cannot be read to its end, or is another one than the run's.
            LedgerError: The ledger is away, or does not take what is to be written.
        """
        try:
            state = await self._run()
        finally:
            held = [lease for _part, lease in self._lanes.parts.values()]
            await self._team.keeper.leave([*held, *([self._lease] if self._lease else [])])
        self._record.check()
        return state

    async def _run(self) -> RunState:
        job, is_driver = self._job, self._lease is not None
        self._record.tell(job.started)
        writer = job.writer(self._number)
        # Lanes that only this worker is to have are left to others until it can work them.
        pins = None if self._team.pinned is None else ()
        arrive = partial(self._team.arrive, self._number, wants=pins is None, pins=pins)
        counted = partial(self._lanes.count.begin, arrive)
        if not is_driver:
            # What others settle while the rows are looked through is counted, and not twice.
            await counted()
        with unwrap_exception_group():
            async with anyio.create_task_group() as beside:
                if is_driver:
                    # Nobody works them yet, so nothing is lost by asking beside it.
                    beside.start_soon(counted)
                found = await survey(
                    job,
                    number=self._number,
                    writer=writer,
                    budget=self._budget,
                    joins=not is_driver,
                    opening=partial(self._lanes_opened, writer=writer),
                )
        if found.reason:
            return await self._stop(found.reason)
        self._record.tell(found.planned)
        await self._let_go()
        self._lanes.plan(found)
        while not job.stop.reason:
            await self._lanes.work()
            state = await self._close()
            if state is not None:
                return state
        return await self._stop(job.stop.reason)

    async def _lanes_opened(self, found: Survey, *, writer: RunWriter) -> Sequence[Line]:
        """What says which lanes there are, so that others find them; they are made first."""
        # A row that is gone and settled has nothing left to do, and names its org as somebody typed it.
        sheet, gone = found.intake, {row.org: None for row in found.gone if row.orphan is not None}
        orgs = dict.fromkeys([*(org for org, _sandbox in sheet.offsets), *gone, *sheet.numbers])
        keys = {org: self._team.key_of(org) for org in orgs if org in sheet.orgs or org in gone}
        await anyio.to_thread.run_sync(self._team.ledger.leases.make, list(keys.values()))
        lanes = tuple(
            RunLane(org=org, host=key.host, org_id=key.org_id, client_id=key.client_id)
            for org, key in keys.items()
        )
        return [writer.line(LanesOpened(lanes=lanes))]

    # Closing --------------------------------------------------------------------------------------

    async def _close(self) -> RunState | None:
        """
        Write the run's end, unless another process is quicker.

        None: its lanes are not through any more. While this process was frozen, another one may have resumed it.
        """
        while not self._job.stop.reason:
            if await self._holds_run():
                state = await self._end("")
                if state is None:
                    await self._let_go()
                return state
            lanes = fold_lanes(
                await anyio.to_thread.run_sync(self._team.ledger.steps, self._number)
            )
            if lanes.is_closed:
                return await self._ended()
            if not lanes.are_through:
                return None
            await anyio.sleep(self._team.poll_s)
        return None

    async def _let_go(self) -> None:
        """Hand the run as a whole back."""
        if self._lease is not None:
            await self._team.keeper.hand_back(self._lease)
            self._lease = None

    async def _stop(self, reason: str) -> RunState:
        """End this process's part for this reason."""
        state = await self._end(reason)
        assert state is not None, "only a run that is through ends without a reason"
        return state

    async def _end(self, reason: str) -> RunState | None:
        """
        Write how the run ended, as far as it did; None: there is no reason to, and it is not through.

        Cases, in order:
            1. Others are at work on it: this process leaves, and the run goes on.
            2. It is through, or has come to its bound: it is closed.
            3. It was interrupted: it stays open, and the same command goes on with it.
        """
        job = self._job
        holds_run = await self._holds_run()
        lines = await anyio.to_thread.run_sync(job.ledger.run_lines, self._number)
        lanes = fold_lanes(lines)
        if lanes.is_closed:
            return self._told(fold_run(lines))
        if not holds_run or (reason and await self._is_worked_elsewhere()):
            return await self._left(reason)
        if not reason and not lanes.are_through:
            return None
        if not reason and self._budget.is_over:
            reason = MAX_ROWS
        writer = job.writer(self._number)
        faults = [writer.line(FaultFound(event=fault)) for fault in self._faults]
        # The lease of the run is renewed meanwhile: to count a million rows takes longer than it runs.
        state = await close(
            job,
            number=self._number,
            writer=writer,
            reason=reason,
            every_lane_refused=lanes.every_lane_refused,
            lines=lines,
            last_lines=faults,
        )
        return self._told(state)

    async def _holds_run(self) -> bool:
        """Whether this process speaks for the run as a whole, which it may if nobody else does."""
        if self._lease is None:
            self._lease = await self._team.take(Holding(run_id=self._run_id), run=self._number)
        return self._lease is not None

    async def _is_worked_elsewhere(self) -> bool:
        workers = await anyio.to_thread.run_sync(self._team.ledger.leases.workers)
        return any(
            one.run == self._number and one.is_alive and one.name != self._team.name
            for one in workers
        )

    async def _left(self, reason: str) -> RunState:
        """How the run stands when this process leaves it to others."""
        code = ExitCode.TERMINATED if reason == TERMINATED else ExitCode.INTERRUPTED
        ended = RunEnded(exit_code=code, closed=False, reason=reason)
        return self._told(replace(await run_state_of(self._job.ledger, self._number), ended=ended))

    async def _ended(self) -> RunState:
        """How another process closed it."""
        return self._told(await run_state_of(self._job.ledger, self._number))

    def _told(self, state: RunState) -> RunState:
        tell_end(self._record.tell, state)
        return state

    # What is told ---------------------------------------------------------------------------------

    def _keep(self, event: Event) -> None:
        """Have the ledger hear of a fault: with the lines of its lane, or those of the run."""
        assert isinstance(event, FaultMet)
        part = self._lanes.parts.get(event.org)
        if part is not None:
            part[0].lines.keep(event)
        else:
            self._faults.append(event)

    async def abandoned(self) -> RunState:
        """How the run stands that this process was cut off from; what it held is handed back."""
        return await self._left(self._job.stop.reason or INTERRUPTED)

    def record(self, error: Exception) -> None:
        """Tell what ended this process's part unforeseen."""
        if error is not self._record.raised:
            self._record.tell(FaultMet(fault=fault_of(error), where="run"))
