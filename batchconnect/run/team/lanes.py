"""
The lanes that one process works of a run on a team ledger: it takes them, works them, and hands them back.

Which are through is told by the ledger alone; how many are this process's, by how many work on the run.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final

import anyio
from anyio.abc import TaskGroup

from batchconnect.lane.orphan import MissingRow
from batchconnect.ledger.entry import Line, RunLane
from batchconnect.ledger.lease import Lease, back_off_s
from batchconnect.ledger.run_lanes import fold_lanes
from batchconnect.ledger.team import Holding, LaneRow, WorkerRow
from batchconnect.model.errors import LedgerError
from batchconnect.model.event import Draining, LaneAwaited, LanesHeld
from batchconnect.model.exception_group import unwrap_exception_group
from batchconnect.run.budget import Budget
from batchconnect.run.fault_record import FaultRecord
from batchconnect.run.intake.accounting import Intake
from batchconnect.run.job import Job
from batchconnect.run.survey import Survey
from batchconnect.run.team.lane_part import LanePart, PartEnd
from batchconnect.run.team.run_count import RunCount
from batchconnect.run.team.sharing import share_of
from batchconnect.run.team.team import Team

_MOST_FAILURES: Final = 3
"""How often one lane may fail here, one time after the other, until the process gives up."""
_SEEN_FOR_S: Final = 0.25
"""For how long lanes are taken by what one look showed."""
_AWAY_S: Final = 60.0
"""How long the ledger may be away while nothing is under way."""


class TeamLanes:
    """
    Works lanes of one run.

    Args:
        team: The ledger, and who we are.
        job: The run.
        number: Of the run, in the ledger.
        run_id: Its id.
        budget: What may be begun, over all lanes of the process.
        record: Told of everything.
    """

    def __init__(
        self,
        team: Team,
        job: Job,
        *,
        number: int,
        run_id: str,
        budget: Budget,
        record: FaultRecord,
    ) -> None:
        self.parts: dict[str, tuple[LanePart, Lease]] = {}
        """Those that are worked here, by org."""
        self.count = RunCount(team.ledger, number)
        """How far the run is."""
        self._team = team
        self._job = job
        self._number = number
        self._run_id = run_id
        self._budget = budget
        self._record = record
        self._found = Intake()
        self._gone: dict[str, list[MissingRow]] = {}
        self._resumes = 0
        self._failures: dict[str, int] = {}
        self._changed = anyio.Event()
        self._held: LanesHeld | None = None
        self._had_company = False
        self._looks_on = False
        """There is more to be taken, by a look that is newer."""
        self._awaited: dict[str, tuple[int, str]] = {}
        """By org: which lane is waited for, and whom it was told that has it."""

    def plan(self, survey: Survey) -> None:
        """Take what there is to do."""
        for row in survey.gone:
            self._gone.setdefault(row.org, []).append(row)
        self._found = survey.intake
        self.count.plan(survey)

    async def work(self) -> None:
        """
        Take lanes and work them until all of the run's are through, or the stop is asked for.

        Raises:
            LedgerError: It is away for too long, or does not take what a lane writes.
        """
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
                        if not self.parts and anyio.current_time() - there_s > _AWAY_S:
                            raise
                    await self._wait()
            beside.cancel_scope.cancel()

    async def _wait(self) -> None:
        if self._looks_on:
            self._looks_on = False
            return
        self._changed = anyio.Event()
        with anyio.move_on_after(self._team.poll_s):
            await self._changed.wait()

    async def _look(self, tasks: TaskGroup) -> bool:
        """Take what is to be taken, give what others should have; whether nothing is left to do."""
        team = self._team
        steps: list[Line] = []

        async def ask_for_steps() -> None:
            steps.extend(await anyio.to_thread.run_sync(team.ledger.steps, self._number))

        with unwrap_exception_group():
            async with anyio.create_task_group() as beside:
                beside.start_soon(ask_for_steps)
                rows, workers = await team.keeper.look_around(self._run_id)
        lanes = fold_lanes(steps)
        self._resumes = lanes.resumes
        is_done = not self.parts and (lanes.is_closed or lanes.are_through)
        if self._had_company:
            await self._count(lanes.lanes or (), rows, at_once=is_done)
        if is_done:
            return True
        others = [
            one
            for one in workers
            if one.run == self._number and one.is_alive and one.name != team.name
        ]
        await self._share_out(lanes.open, rows, others, tasks)
        self._tell_held(
            LanesHeld(
                mine=len(self.parts),
                open=len(lanes.open),
                total=len(lanes.lanes or ()),
                workers=1 + len(others),
            )
        )
        return False

    async def _share_out(
        self,
        open_lanes: Sequence[RunLane],
        rows: Sequence[LaneRow],
        others: Sequence[WorkerRow],
        tasks: TaskGroup,
    ) -> None:
        """Take lanes and give lanes, and say whether that is enough."""
        team = self._team
        by_key = {row.holding.key: row for row in rows if row.holding.key is not None}
        there = [
            (lane, row)
            for lane in open_lanes
            if (row := by_key.get(team.key_of(lane.org))) is not None
        ]
        pins = None
        if team.pinned is not None:
            pins = [row.lane for lane, row in there if team.pinned(lane.org)]
        share = share_of(team.name, {row.lane: row.holder for _lane, row in there}, pins, others)
        blocked: list[tuple[RunLane, LaneRow]] = []
        seen_s = anyio.current_time()
        for lane, row in there:
            if self._job.stop.reason:
                break
            if anyio.current_time() - seen_s > _SEEN_FOR_S:
                # Who comes meanwhile is to find lanes: one that was begun here is handed over for some seconds.
                self._looks_on = True
                break
            if lane.org in self.parts or not share.may_take(row.lane, has=len(self.parts)):
                continue
            blocker = team.blocker(team.key_of(lane.org), rows)
            if blocker is not None:
                blocked.append((lane, blocker))
            elif not row.waits_s:
                await self._take(lane, row, rows, tasks)
        held = [(part, lease.lane) for part, lease in self.parts.values()]
        to_give = share.to_give(
            [lane for _part, lane in held], ending=[lane for part, lane in held if part.is_ending]
        )
        for part, lease in self.parts.values():
            if lease.lane in to_give:
                part.leave()
        await team.say_here(self._number, wants=len(self.parts) < share.least, pins=pins)
        self._tell_awaited(blocked, others)

    async def _take(
        self, lane: RunLane, row: LaneRow, rows: Sequence[LaneRow], tasks: TaskGroup
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
        self.parts[org] = (part, lease)
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
        is_new = org not in lanes.taken and self._job.resumed is None
        tasks.start_soon(partial(self._carry_out, part, lease, row, is_new=is_new))

    async def _give_back(self, org: str, *, back_off_s: float | None = None) -> None:
        """Let go of a lane that is not worked here, or no more; it may be taken again."""
        _part, lease = self.parts[org]
        try:
            await self._team.keeper.hand_back(lease, back_off_s=back_off_s)
        finally:
            del self.parts[org]

    async def _carry_out(self, part: LanePart, lease: Lease, row: LaneRow, *, is_new: bool) -> None:
        end = await part.carry_out(lease, is_new=is_new, resumes=self._resumes)
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

    async def _end_when_asked(self) -> None:
        reason = await self._job.stop.wait()
        in_flight = sum(part.in_flight for part, _lease in self.parts.values())
        self._record.tell(Draining(reason=reason, in_flight=in_flight))
        self._changed.set()

    def _tell_awaited(
        self, blocked: Sequence[tuple[RunLane, LaneRow]], others: Sequence[WorkerRow]
    ) -> None:
        """Say once for whom is waited; not who of this run has which lane, unless one of them is the only one wanted."""
        sharers = () if self._team.pinned is not None else {one.name for one in others}
        told: dict[str, tuple[int, str]] = {}
        for lane, row in blocked:
            if row.holder in sharers:
                continue
            told[lane.org] = row.lane, row.holder
            if self._awaited.get(lane.org) != told[lane.org]:
                awaited = LaneAwaited(
                    org=lane.org,
                    holder=row.holder,
                    at_most_s=row.terms.take_after_s,
                    lane=row.lane,
                    is_of_other_client=row.holding.key != self._team.key_of(lane.org),
                    held_s=row.held_s,
                )
                self._record.tell(awaited)
        self._awaited = told

    def _tell_held(self, now: LanesHeld) -> None:
        has_company = now.workers > 1 or (self._held is not None and self._held.workers > 1)
        if now != self._held and (has_company or now.mine < now.open):
            self._record.tell(now)
        self._held = now
        self._had_company = self._had_company or now.workers > 1

    async def _count(
        self, lanes: Sequence[RunLane], rows: Sequence[LaneRow], *, at_once: bool
    ) -> None:
        """Tell how far the run is, which others work, too."""
        keys = {self._team.key_of(lane.org) for lane in lanes}
        of_run = [row.lane for row in rows if row.holding.key in keys]
        counted = await self.count.look(of_run, at_once=at_once)
        if counted is not None:
            self._record.tell(counted)
