"""
One lane of a run on a team ledger, from its taking to its closing.

Whatever ends it early, the ledger has it right: what was sent stands there as an intent, and what has no
closing line is taken up by whoever holds the lane next.
"""

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Final

import anyio

from batchconnect.lane.lane import LEASE_LOST, LEDGER_FAILED, Lane
from batchconnect.lane.orphan import MissingRow
from batchconnect.ledger.entry import LaneClosed, LaneTaken
from batchconnect.ledger.lease import Lease
from batchconnect.model.errors import LaneLostError, LedgerError
from batchconnect.model.event import Event, LaneStopped, RowSettled, SandboxListed
from batchconnect.model.exception_group import unwrap_exception_group
from batchconnect.run.budget import Budget
from batchconnect.run.fault_record import FaultRecord
from batchconnect.run.intake.accounting import Intake
from batchconnect.run.intake.known_rows import KnownRun, known_of
from batchconnect.run.job import Job
from batchconnect.run.lanes.lane_group import LaneGroup
from batchconnect.run.lanes.lane_lines import LaneLines
from batchconnect.run.lanes.offsets import chosen_offsets
from batchconnect.transport.interface import LEASE_OVER

HANDED_BACK: Final = "handed_back"
"""Code of what was not sent because its lane was handed to another worker."""


_WORTH_S: Final = 10.0
"""What is left of a lane has to take longer to be worth handing over: the next one looks at its sandboxes again, which
costs some three seconds where a lane may send one request in a second."""


class PartEnd(Enum):
    """How it ended here."""

    CLOSED = auto()
    """All of it is done."""
    LEFT = auto()
    """It was handed back, for the process ends or another one has nothing to do."""
    LOST = auto()
    """Somebody else holds the lane."""
    FAILED = auto()
    """The ledger could not be written for it."""


class LanePart:
    """
    Carries one lane's part of a run out, under a lease.

    Args:
        org: The org's settings key.
        lane: A lane that nobody had before; its permit is this part's lease.
        job: The run.
        number: Of the run, in the ledger.
        found: What the intake found.
        gone: Rows that the sheet has no more, of this lane.
        budget: What may be begun, over all lanes of the process.
        record: Told of everything.
        worker: Who we are, for the ledger.
    """

    def __init__(
        self,
        org: str,
        lane: Lane,
        *,
        job: Job,
        number: int,
        found: Intake,
        gone: Sequence[MissingRow],
        budget: Budget,
        record: FaultRecord,
        worker: str,
    ) -> None:
        self.org = org
        self.lane = lane
        self.lines = LaneLines(passing=(LEASE_LOST, LEDGER_FAILED))
        """What the lane tells, until it is written."""
        self.error: LedgerError | None = None
        """Why it failed."""
        self._job = job
        self._number = number
        self._found = found
        self._gone = gone
        self._budget = budget
        self._record = record
        self._worker = worker
        self._is_leaving = False
        self._group: LaneGroup | None = None
        self._to_do: int | None = None
        """Rows that were to be done when it began; None: that is not known yet."""
        self._settled = 0
        self._began_s = 0.0

    @property
    def is_ending(self) -> bool:
        """Whether it is through in a few seconds, at the pace that it had here."""
        if self._to_do is None:
            return False
        left = self._to_do - self._settled
        took_s = anyio.current_time() - self._began_s
        return left <= 0 or (self._settled > 0 and left * took_s / self._settled < _WORTH_S)

    @property
    def in_flight(self) -> int:
        """Rows that are on their way."""
        return sum(work.in_flight for work in self._group.works) if self._group else 0

    def lost(self) -> None:
        """The lease is over: nothing more is sent, and nothing can be written."""
        self.lane.halt(LEASE_OVER)
        self.lane.stop(
            LaneStopped(
                org=self.org,
                sandbox=None,
                code=LEASE_LOST,
                title="Another worker may hold the lane by now",
                detail="Its lease was not renewed in time.",
            )
        )

    def leave(self) -> None:
        """Let what is in flight finish, then hand the lane back."""
        self._is_leaving = True
        self.lane.halt(HANDED_BACK)

    async def carry_out(self, lease: Lease, *, is_new: bool, resumes: int) -> PartEnd:
        """
        Do what is left to do in the lane.

        Args:
            lease: Under which it is held.
            is_new: Whether nobody worked it for this run before.
            resumes: How often the run had been resumed.
        """
        try:
            # What several tasks do at its end breaks as a group of errors.
            with unwrap_exception_group():
                return await self._carry_out(lease, is_new=is_new, resumes=resumes)
        except LaneLostError:
            return PartEnd.LOST
        except LedgerError as error:
            self.error = error
            return PartEnd.LOST if lease.is_over else PartEnd.FAILED

    async def _carry_out(self, lease: Lease, *, is_new: bool, resumes: int) -> PartEnd:
        job, numbers = self._job, self._found.numbers[self.org]
        writer = job.writer(self._number).of_lane(self.lane.key)
        taken = LaneTaken(org=self.org, worker=self._worker, machine=job.opened.machine)

        def look_back() -> KnownRun:
            # What others did in the lane stands in the ledger by now, and nobody but us adds to it.
            rows = {*numbers, *(row.number for row in self._gone)}
            run = None if is_new else self._number
            return known_of(job.ledger, run, of_rows=rows, joins=True)

        async with anyio.create_task_group() as beside:
            beside.start_soon(writer.write, [writer.line(taken)])
            known = await anyio.to_thread.run_sync(look_back)
        group = self._group = LaneGroup(
            job,
            number=self._number,
            found=self._found,
            known=known,
            writer=writer,
            budget=self._budget,
            lane_lines=self.lines,
            tell=self._hear,
            lane_of=lambda _org: self.lane,
            org=self.org,
            is_left=lambda: self._is_leaving or lease.is_over,
        )
        offsets = {
            where: await self._unsettled(of_sandbox, known.rows)
            for where, of_sandbox in self._found.offsets.items()
            if where[0] == self.org
        }
        gone = [row for row in self._gone if not known.rows.get(row.number)]
        await group.share_out(offsets, gone)
        self._to_do, self._began_s = sum(map(len, offsets.values())), anyio.current_time()
        had_rows = any(map(len, offsets.values())) or any(row.orphan for row in gone)
        await group.work()
        for work in group.works:
            if work.broken is not None:
                raise work.broken
        if lease.is_over:
            return PartEnd.LOST
        if not (job.stop.reason or self._is_leaving):
            await group.look_again({self.org}, is_new=is_new and resumes == 0, rows=numbers)
        if lease.is_over:
            return PartEnd.LOST
        group.count()
        if job.stop.reason or self._is_leaving:
            await self.lines.write(writer)
            return PartEnd.LEFT
        closed = LaneClosed(
            org=self.org,
            resumes=resumes,
            is_refused=group.every_lane_refused,
            had_rows=had_rows,
        )
        await self.lines.write(writer, writer.line(closed))
        return PartEnd.CLOSED

    def _hear(self, event: Event) -> None:
        if isinstance(event, SandboxListed) and event.code in {HANDED_BACK, LEASE_OVER}:
            return  # whoever has the lane next reads it
        self._settled += isinstance(event, RowSettled)
        self._record.tell(event)

    async def _unsettled(self, offsets: Sequence[int], known: Mapping[int, bool]) -> Sequence[int]:
        """Of the rows that were to be done when this process looked, those that still are."""
        if not any(known.values()):
            return offsets
        return await chosen_offsets(self._job.sheet, offsets, lambda number: not known.get(number))
