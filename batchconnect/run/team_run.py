"""
One process's part of a run on a team ledger: it takes lanes, works them, hands them back, and closes the run.

Any number of processes do the same beside it. Which lanes are through, and whether the run is, is told by the
ledger alone; who finds the last lane closed closes the run. All of it is one process's work too, where it is
alone: then it takes every lane.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from math import ceil, inf
from typing import Final

import anyio
from anyio.abc import TaskGroup

from batchconnect.lane.lane import SOMEBODY_ELSE
from batchconnect.lane.orphan import MissingRow
from batchconnect.ledger.aside import aside
from batchconnect.ledger.entry import (
    FaultFound,
    LanesOpened,
    Line,
    RunEnded,
    RunIdentified,
    RunLane,
)
from batchconnect.ledger.lease import Lease, back_off_s
from batchconnect.ledger.run_lanes import fold_lanes
from batchconnect.ledger.run_state import RunState, fold_run
from batchconnect.ledger.run_writer import RunWriter
from batchconnect.ledger.team import Holding, LaneRow
from batchconnect.model.errors import ExitCode, LedgerError, SheetError
from batchconnect.model.event import (
    CellsWarned,
    Draining,
    Event,
    FaultMet,
    LanesHeld,
    Planned,
    RunFinished,
    RunStarted,
)
from batchconnect.model.fault import fault_of
from batchconnect.run.accounting import Intake
from batchconnect.run.budget import Budget
from batchconnect.run.exit_code import (
    INTERRUPTED,
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
from batchconnect.run.known_rows import known_of
from batchconnect.run.lane_part import LanePart, PartEnd
from batchconnect.run.same_run import Identity, command_of
from batchconnect.run.team import Team
from batchconnect.run.team_opening import OpenedRun

_MOST_FAILURES: Final = 3
"""How often one lane may fail here, one time after the other, until the process gives up."""
_AWAY_S: Final = 60.0
"""How long the ledger may be away while nothing is under way."""


class _Nowhere:
    """Where a process writes what another one has accounted for already."""

    async def append(self, lines: Sequence[Line]) -> None:
        """Forget the lines."""

    def of_lane(self, _lane: object) -> "_Nowhere":
        """It is the same everywhere."""
        return self


class TeamRun:
    """
    Carries out one process's part of a run.

    Args:
        team: The ledger, and who we are.
        opened: The run.
    """

    def __init__(self, team: Team, opened: OpenedRun) -> None:
        self._team = team
        self._job = opened.job
        self._number = opened.number
        self._run_id = opened.run_id
        self._lease = opened.lease
        self._lanes = opened.lanes
        self._is_new = opened.job.resumed is None
        self._faults: list[FaultMet] = []
        self._parts: dict[str, tuple[LanePart, Lease]] = {}
        """Lanes that are worked here, by org."""
        self._failures: dict[str, int] = {}
        self._changed = anyio.Event()
        self._held: LanesHeld | None = None
        self._record = FaultRecord(
            self._job.on_event,
            keep=self._keep,
            on_raised=lambda: self._job.stop.ask(INTERRUPTED),
        )
        self._found = Intake()
        self._gone: dict[str, list[MissingRow]] = {}
        self._budget = Budget(
            most_rows=self._job.bounds.max_rows,
            begun=0,
            on_failures=lambda: self._job.stop.ask(MAX_FAILURES),
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
            held = [lease for _part, lease in self._parts.values()]
            await self._team.keeper.leave([*held, *([self._lease] if self._lease else [])])
        self._record.check()
        return state

    async def _run(self) -> RunState:
        job, is_driver = self._job, self._lease is not None
        await self._say_here(wants=True)
        self._tell_started()
        reason = await self._take_in(is_driver=is_driver)
        if reason:
            return await self._end(reason)
        if self._lease is not None:
            await self._team.keeper.hand_back(self._lease)
            self._lease = None
        if not job.stop.reason:
            await self._work()
        if job.stop.reason:
            return await self._end(job.stop.reason)
        return await self._close()

    # The rows -------------------------------------------------------------------------------------

    async def _take_in(self, *, is_driver: bool) -> str:
        """Account for the rows, or see how another process did; returns why nothing is to be sent."""
        job = self._job
        writer = job.writer(self._number)
        ask = partial(
            known_of, job.ledger, None if self._is_new else self._number, joins=not is_driver
        )
        known = await anyio.to_thread.run_sync(ask)
        before = job.resumed.ended if job.resumed is not None else None
        if not (before is not None and before.reason == MAX_ROWS):
            self._budget.count_begun(known.begun)
        identity = Identity(job.opened)
        found = self._found = await take_in(
            job.sheet,
            job.parse,
            ledger=writer if is_driver else RunWriter(_Nowhere(), run=0, clock=job.clock),
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
            return job.stop.reason
        gone = [row for row in job.gone() if not known.rows.get(row.number)]
        for row in gone:
            self._gone.setdefault(row.org, []).append(row)
        if is_driver:
            await self._identify(identity.made(), writer)
            new = [row for row in gone if row.number not in known.rows]
            await writer.write([line for row in new for line in row.lines(writer)])
        else:
            self._check_identity(identity.made())
        for kind in found.warnings.sorted():
            job.on_event(
                CellsWarned(
                    what=kind.what, where=kind.where, cells=kind.count, code=kind.problem.code
                )
            )
        if is_driver and found.rejected and not job.bounds.skip_invalid:
            return REJECTED_ROWS
        limit = job.bounds.max_failures
        self._budget.failures_allowed = inf if limit is None else limit.of(found.to_do)
        if is_driver:
            await self._open_lanes(writer)
        self._record.tell(
            Planned(
                to_create=found.to_do,
                settled=found.rows - found.to_do,
                # What others have on its way is no doubt of this process.
                to_settle=len(known.plan.open) if is_driver else 0,
                left_out=tuple(found.left_out),
            )
        )
        return ""

    async def _identify(self, now: RunIdentified, writer: RunWriter) -> None:
        job = self._job
        if job.identified is not None and job.identified != now:
            raise SheetError(
                f"{job.sheet.name}: the file has changed since it was opened",
                hint="Start the command again; what is done already is not done twice.",
            )
        if job.resumed is None or job.resumed.identified != now:
            await writer.write([writer.line(now)])

    def _check_identity(self, now: RunIdentified) -> None:
        of_run = self._job.resumed.identified if self._job.resumed else None
        if of_run != now:
            raise LedgerError(
                f"{self._job.sheet.name} is not the sheet of run {self._run_id}: "
                "other rows, or other orgs and sandboxes by these settings",
                hint="Work it with a copy of the run's sheet and the same settings; nothing was sent.",
            )

    async def _open_lanes(self, writer: RunWriter) -> None:
        """Say which lanes there are, so that others find them."""
        orgs = dict.fromkeys(
            [*(org for org, _sandbox in self._found.offsets), *self._gone, *self._found.numbers]
        )
        keys = {
            org: self._team.key_of(org)
            for org in orgs
            if org in self._found.orgs or org in self._gone
        }
        await anyio.to_thread.run_sync(self._team.ledger.leases.make, list(keys.values()))
        lanes = tuple(
            RunLane(org=org, host=key.host, org_id=key.org_id, client_id=key.client_id)
            for org, key in keys.items()
        )
        await writer.write([writer.line(LanesOpened(lanes=lanes))])

    # The lanes ------------------------------------------------------------------------------------

    async def _work(self) -> None:
        """Take lanes and work them until all of the run's are through, or the stop is asked for."""
        async with anyio.create_task_group() as beside:
            beside.start_soon(self._end_when_asked)
            async with anyio.create_task_group() as tasks:
                there_s = anyio.current_time()
                while not self._job.stop.reason:
                    try:
                        if await self._look(tasks):
                            break
                        there_s = anyio.current_time()
                    except LedgerError:
                        # What is held runs on as long as its lease; a server that restarts is back in seconds.
                        if not self._parts and anyio.current_time() - there_s > _AWAY_S:
                            raise
                    await self._wait()
            beside.cancel_scope.cancel()

    async def _wait(self) -> None:
        self._changed = anyio.Event()
        with anyio.move_on_after(self._team.poll_s):
            await self._changed.wait()

    async def _look(self, tasks: TaskGroup) -> bool:
        """Take what is to be taken, give what others should have; whether nothing is left to do."""
        team = self._team
        rows = await team.keeper.look(self._run_id)
        steps = await anyio.to_thread.run_sync(team.ledger.steps, self._number)
        lanes = self._lanes = fold_lanes(steps)
        if not self._parts and (lanes.is_closed or lanes.are_through):
            return True
        others = [
            one
            for one in await anyio.to_thread.run_sync(team.ledger.leases.workers)
            if one.run == self._number and one.is_alive and one.name != team.name
        ]
        by_key = {row.holding.key: row for row in rows if row.holding.key is not None}
        mine = [lane for lane in lanes.open if team.takes(lane.org)]
        # Each works its share while somebody has too few; what nobody wants, whoever comes first: a worker
        # that is pinned to lanes takes no other, and a share that is kept for it would be worked by nobody.
        is_wanted = any(one.wants for one in others)
        share = ceil(len(lanes.open) / (1 + len(others))) if is_wanted else len(lanes.open)
        free = [
            (lane, row)
            for lane in mine
            if (row := by_key.get(team.key_of(lane.org))) is not None
            and lane.org not in self._parts
            and not row.waits_s
            and not team.is_held(row)
        ]
        for lane, row in free:
            if len(self._parts) >= share or self._job.stop.reason:
                break
            await self._take(lane, row, rows, tasks)
        self._give(len(self._parts) - share)
        await self._say_here(wants=len(self._parts) < len(mine) // (1 + len(others)))
        self._tell_held(
            LanesHeld(
                mine=len(self._parts),
                open=len(lanes.open),
                total=len(lanes.lanes or ()),
                workers=1 + len(others),
            )
        )
        return False

    async def _take(
        self, lane: RunLane, row: LaneRow, rows: list[LaneRow], tasks: TaskGroup
    ) -> None:
        team, org = self._team, lane.org
        held: list[Lease] = []
        part = LanePart(
            org,
            team.new_lane(org, lambda: bool(held) and team.keeper.may_send(held[0])),
            job=self._job,
            number=self._number,
            found=self._found,
            gone=self._gone.get(org, ()),
            budget=self._budget,
            record=self._record,
            worker=team.name,
        )
        lease = await team.keeper.take(
            Holding(key=part.lane.key), rows, run=self._number, on_lost=part.lost
        )
        if lease is None:
            return
        held.append(lease)
        self._parts[org] = (part, lease)
        try:
            # Who took it before, and whether it was through by then, is told by the ledger as it is now.
            lanes = fold_lanes(await anyio.to_thread.run_sync(team.ledger.steps, self._number))
        except Exception:
            # Held and not worked, it would be renewed for ever, and nobody else could take it.
            await self._give_back(org)
            raise
        if org in lanes.closed:
            await self._give_back(org)
            return
        is_new = org not in lanes.taken and self._is_new
        tasks.start_soon(partial(self._carry_out, part, lease, row, is_new=is_new))

    async def _give_back(self, org: str, *, back_off_s: float | None = None) -> None:
        """Let go of a lane that is not worked here, or no more; it may be taken again."""
        _part, lease = self._parts[org]
        try:
            await self._team.keeper.hand_back(lease, back_off_s=back_off_s)
        finally:
            del self._parts[org]

    async def _carry_out(self, part: LanePart, lease: Lease, row: LaneRow, *, is_new: bool) -> None:
        end = await part.carry_out(lease, is_new=is_new, resumes=self._lanes.resumes)
        pause_s = None
        if end is PartEnd.FAILED:
            failures = self._failures[part.org] = self._failures.get(part.org, 0) + 1
            pause_s = back_off_s(row.failures + failures)
        else:
            self._failures.pop(part.org, None)
        await self._give_back(part.org, back_off_s=pause_s)
        self._changed.set()
        if part.error is not None and self._failures.get(part.org, 0) >= _MOST_FAILURES:
            raise part.error

    def _give(self, count: int) -> None:
        """Have so many lanes handed back that were begun last, for others who have too few."""
        for part, _lease in [*self._parts.values()][-count:] if count > 0 else ():
            part.leave()

    async def _end_when_asked(self) -> None:
        reason = await self._job.stop.wait()
        in_flight = sum(part.in_flight for part, _lease in self._parts.values())
        self._record.tell(Draining(reason=reason, in_flight=in_flight))
        self._changed.set()

    async def _say_here(self, *, wants: bool) -> None:
        team = self._team
        say = partial(team.ledger.leases.here, self._number, wants=wants, terms=team.keeper.terms)
        await anyio.to_thread.run_sync(say)

    # Closing --------------------------------------------------------------------------------------

    async def _close(self) -> RunState:
        """Write the run's end, unless another process is quicker."""
        stop = self._job.stop
        while not stop.reason:
            lanes = fold_lanes(
                await anyio.to_thread.run_sync(self._team.ledger.steps, self._number)
            )
            if lanes.is_closed:
                return await self._ended()
            rows = await self._team.keeper.look(self._run_id)
            lease = await self._team.keeper.take(
                Holding(run_id=self._run_id), rows, run=self._number
            )
            if lease is not None:
                self._lease = lease
                return await self._end("")
            await self._wait()
        return await self._end(stop.reason)

    async def _end(self, reason: str) -> RunState:
        """
        Write how the run ended, as far as it did.

        Cases, in order:
            1. Others are at work on it: this process leaves, and the run goes on.
            2. It is through, or has come to its bound: it is closed.
            3. It was interrupted: it stays open, and the same command goes on with it.
        """
        job, team = self._job, self._team
        if self._lease is None:
            rows = await team.keeper.look(self._run_id)
            self._lease = await team.keeper.take(
                Holding(run_id=self._run_id), rows, run=self._number
            )
        steps = await anyio.to_thread.run_sync(team.ledger.steps, self._number)
        lanes = fold_lanes(steps)
        if lanes.is_closed:
            return await self._ended()
        if self._lease is None or (reason and await self._is_worked_elsewhere()):
            return await self._left(reason)
        if not reason and self._budget.is_over:
            reason = MAX_ROWS
        writer = job.writer(self._number)
        state = await self._state()
        # The lease of the run is renewed meanwhile: of a million rows this takes longer than it runs.
        counts = await aside(job.ledger, lambda: count_ends(state, job.ledger.ends(self._number)))
        code = exit_code(
            counts,
            reason=reason,
            every_lane_refused=lanes.every_lane_refused,
            somebody_else=any(stop.code == SOMEBODY_ELSE for stop in state.stops),
            swept=state.swept,
        )
        is_cut_off = code in {ExitCode.INTERRUPTED, ExitCode.TERMINATED}
        is_cut_off |= reason == MAX_ROWS and job.opened.command != "run"
        faults = [writer.line(FaultFound(event=fault)) for fault in self._faults]
        ended = RunEnded(exit_code=code, closed=not is_cut_off, reason=reason)
        await writer.write([*faults, writer.line(ended)])
        return await self._ended()

    async def _is_worked_elsewhere(self) -> bool:
        workers = await anyio.to_thread.run_sync(self._team.ledger.leases.workers)
        return any(
            one.run == self._number and one.is_alive and one.name != self._team.name
            for one in workers
        )

    async def _left(self, reason: str) -> RunState:
        """How the run stands when this process leaves it to others."""
        code = ExitCode.TERMINATED if reason == TERMINATED else ExitCode.INTERRUPTED
        state = await self._state()
        ended = RunEnded(exit_code=code, closed=False, reason=reason)
        self._finish(code, state)
        return replace(state, ended=ended)

    async def _ended(self) -> RunState:
        state = await self._state()
        self._finish(ExitCode(state.ended.exit_code if state.ended else 0), state)
        return state

    async def _state(self) -> RunState:
        ledger = self._job.ledger
        return await aside(ledger, lambda: fold_run(ledger.run_lines(self._number)))

    def _finish(self, code: ExitCode, state: RunState) -> None:
        duration_s = max(0, state.last_at_ms - state.opened_at_ms) / 1000
        self._record.tell(RunFinished(run_id=self._run_id, exit_code=code, duration_s=duration_s))

    # What is told ---------------------------------------------------------------------------------

    def _tell_started(self) -> None:
        job = self._job
        self._record.tell(
            RunStarted(
                run_id=self._run_id,
                resumed=not self._is_new,
                simulated=job.opened.simulated,
                places=job.opened.places,
                left_open=tuple(
                    f"{left.opened.run_id}: {command_of(left.opened)}" for left in job.left_open
                ),
            )
        )

    def _tell_held(self, now: LanesHeld) -> None:
        has_company = now.workers > 1 or (self._held is not None and self._held.workers > 1)
        if now != self._held and (has_company or now.mine < now.open):
            self._record.tell(now)
        self._held = now

    def _keep(self, event: Event) -> None:
        """Have the ledger hear of a fault: with the lines of its lane, or those of the run."""
        assert isinstance(event, FaultMet)
        part = self._parts.get(event.org)
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
