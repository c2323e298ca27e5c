"""
What a run does in some of its lanes: all of them at once, or on a team ledger the one that was taken.

It gives each lane its rows, stops them when asked, and looks at the end whether all that was made stands there
and works. It sees lanes and rows, never a ring; the work of one lane is `lane/work`'s.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set as AbstractSet
from functools import partial
from typing import TypeVar

import anyio

from batchconnect.lane.lane import Lane
from batchconnect.lane.orphan import MissingRow, Orphan
from batchconnect.lane.work import LaneWork
from batchconnect.ledger.aside import aside
from batchconnect.ledger.row_state import RowState, fold_rows
from batchconnect.ledger.run_writer import RunWriter
from batchconnect.model.errors import SheetError
from batchconnect.model.event import (
    Draining,
    Event,
    LanePaused,
    LaneStopped,
    PaceChanged,
    RowSettled,
)
from batchconnect.model.outcome import Created, Failed
from batchconnect.model.row import Row
from batchconnect.run.budget import Budget
from batchconnect.run.exit_code import LEDGER_GONE
from batchconnect.run.intake.accounting import Intake
from batchconnect.run.intake.known_rows import KnownRun
from batchconnect.run.job import Job
from batchconnect.run.keys.key_check import check_keys, wanted_keys
from batchconnect.run.lanes.lane_lines import LaneLines
from batchconnect.run.lanes.offsets import chosen_offsets
from batchconnect.run.lanes.shared_rows import shared_rows
from batchconnect.run.lanes.sweep import expected, sweep_until
from batchconnect.run.lanes.sweep_findings import write_findings
from batchconnect.run.lanes.verification import Verification, again_after_s, known_of, to_test
from batchconnect.sheet.several import parts_of, places_of
from batchconnect.validation.connection import BaseConnection

_Made = TypeVar("_Made")


class LaneGroup:
    """
    Works some lanes of one run.

    Args:
        job: The run.
        number: Of the run, in the ledger.
        found: What the intake found.
        known: What the ledger knew before these lanes began.
        writer: Writes their lines.
        budget: What may be begun, over all lanes of the process.
        lane_lines: Where what lanes tell is gathered.
        tell: Told of everything.
        lane_of: The lane of an org's settings key; asked once for each.
        org: The settings key of the only org whose rows it settles; None: it has all lanes.
        is_left: Whether what it has not done is left to another process, beside a stop that was asked for.
    """

    def __init__(
        self,
        job: Job,
        *,
        number: int,
        found: Intake,
        known: KnownRun,
        writer: RunWriter,
        budget: Budget,
        lane_lines: LaneLines,
        tell: Callable[[Event], None],
        lane_of: Callable[[str], Lane],
        org: str | None = None,
        is_left: Callable[[], bool] = lambda: False,
    ) -> None:
        self.works: list[LaneWork] = []
        self.lanes: dict[str, Lane] = {}
        """All that were asked for anything."""
        self._job = job
        self._number = number
        self._found = found
        self._known = known
        self._writer = writer
        self._budget = budget
        self._lane_lines = lane_lines
        self._tell = tell
        self._make_lane = lane_of
        self._org = org
        self._is_handed_on = is_left
        self._created = 0

    @property
    def every_lane_refused(self) -> bool:
        """Whether the service refused each lane that had rows."""
        return bool(self.works) and all(work.is_refused for work in self.works)

    # Working --------------------------------------------------------------------------------------

    async def share_out(
        self, offsets: Mapping[tuple[str, str], Sequence[int]], gone: Sequence[MissingRow]
    ) -> None:
        """Give each lane its rows; this is the one place that does."""
        of_org: dict[str, dict[str, Sequence[int]]] = {}
        for (org, sandbox), of_sandbox in offsets.items():
            of_org.setdefault(org, {})[sandbox] = await self._without_doubles(of_sandbox)
        orphans: dict[str, list[Orphan]] = {}
        for row in gone:
            if row.orphan is not None:
                orphans.setdefault(row.org, []).append(row.orphan)
        self.works = [
            self._lane_work(org, of_org.get(org, {}), orphans.get(org, ()))
            for org in dict.fromkeys([*of_org, *orphans])
        ]

    async def work(self) -> None:
        """Return when every row has its outcome, as far as the lanes got."""
        await self._work(self.works)
        await self._settle_shared()

    def raise_if_all_broke(self) -> None:
        """Where no lane could write, the run ends as one whose ledger is unusable: it stays open."""
        if self._job.stop.reason == LEDGER_GONE:
            return  # what is held of it can be written still, and so can the report
        broken = [work.broken for work in self.works if work.broken is not None]
        if broken and len(broken) == len(self.works):
            raise broken[0]

    def _lane_work(
        self, org: str, offsets: Mapping[str, Sequence[int]], orphans: Sequence[Orphan]
    ) -> LaneWork:
        lane = self.lane_of(org)
        return LaneWork(
            lane=lane,
            offsets=offsets,
            orphans=tuple(orphans),
            load=self._load,
            ready=self._job.ready,
            trouble=self._job.trouble,
            ledger=self._writer.of_lane(lane.key),
            known=self._known.plan,
            clock=self._job.clock,
            rules=self._job.rules,
            policy=self._job.policy,
            may_begin=self._budget.may_begin,
            on_event=self.hear,
            holding=self._job.holding,
        )

    def lane_of(self, org: str) -> Lane:
        """The lane of an org's settings key."""
        lane = self.lanes[org] = self._make_lane(org)
        lane.deleted = self._known.deleted
        return lane

    async def _without_doubles(self, offsets: Sequence[int]) -> Sequence[int]:
        """Doubles are known when the sheet was read to its end, so their offsets are taken out here."""
        doubles = self._found.doubles
        if not doubles:
            return offsets
        return await chosen_offsets(self._job.sheet, offsets, lambda number: number not in doubles)

    def _told(self, row: Row) -> str:
        sheet = self._job.sheet
        told = places_of(sheet).told(row.number)
        return told if len(parts_of(sheet)) > 1 else f"{told} of {sheet.name}"

    def _load(self, offset: int) -> BaseConnection:
        row = self._job.sheet.at(offset)
        judged = self._job.parse(row)
        if not isinstance(judged, BaseConnection):
            raise SheetError(
                f"{self._told(row)} was valid when the run began, and is not any more",
                hint="Do not change the sheet while a run goes on.",
            )
        if not self._found.has(judged, offset):
            raise SheetError(
                f"{self._told(row)} asks for another connection than when the run began",
                hint="Do not change the sheet while a run goes on; start the command again.",
            )
        return judged

    async def _settle_shared(self) -> None:
        """
        Look for the rows that were created, and whose id another row was answered with since.

        Rows of earlier runs stay in doubt, and those of lanes that others may hold: the next command that
        accounts for them looks.
        """
        ledger = self._job.ledger
        orphans = await aside(
            ledger, lambda: shared_rows(ledger, self._number, self._writer.put_in_doubt)
        )
        if self._is_left():
            return
        works = [
            self._lane_work(org, {}, of_org)
            for org, of_org in orphans.items()
            if self._org in {None, org}
        ]
        self.works += works
        await self._work(works)

    async def _work(self, works: Sequence[LaneWork]) -> None:
        async with anyio.create_task_group() as beside:
            beside.start_soon(self._lane_lines.write_now_and_then, self._writer)
            beside.start_soon(self._end_when_asked)
            async with anyio.create_task_group() as lanes:
                for work in works:
                    lanes.start_soon(work.run)
            beside.cancel_scope.cancel()
        await self._lane_lines.try_to_write(self._writer)

    def _is_left(self) -> bool:
        return bool(self._job.stop.reason) or self._is_handed_on()

    async def _end_when_asked(self) -> None:
        reason = await self._job.stop.wait()
        in_flight = sum(work.in_flight for work in self.works)
        self._tell(Draining(reason=reason, in_flight=in_flight))
        for work in self.works:
            work.lane.halt(reason)

    def hear(self, event: Event) -> None:
        """What a lane tells: gathered for the ledger, counted, told on."""
        match event:
            case LanePaused() | PaceChanged() | LaneStopped():
                self._lane_lines.keep(event)
                if isinstance(event, LaneStopped) and event.code == LEDGER_GONE:
                    self._job.stop.ask(LEDGER_GONE)
            case RowSettled(outcome=Created()):
                self._created += 1
            case RowSettled(outcome=Failed()):
                self._budget.failed()
            case _:
                pass
        self._tell(event)

    # Looking at it --------------------------------------------------------------------------------

    async def look_again(
        self, orgs: AbstractSet[str], *, is_new: bool, rows: Collection[int] | None = None
    ) -> None:
        """
        Sweep, test, and ask the stores for keys, as far as nobody asks to stop or goes on with it.

        Args:
            orgs: Also of lanes where nothing was left to do: a crash may have come late.
            is_new: Whether no process worked these lanes before; else they are swept as a whole, for the
                one before may have ended before its sweep.
            rows: The numbers of these lanes' rows; None: all of the run.
        """
        made = self._created > 0 or any(work.had_doubts or work.broken for work in self.works)
        is_swept = self._job.bounds.sweep and (made or not is_new)
        if is_swept and not self._is_left():
            await self._sweep({*orgs, *(work.lane.org.key for work in self.works)}, rows)
        if not self._is_left():
            await self._test(rows)
        if self._job.looks_at_keys and not self._is_left():
            wanted = await self._folded(rows, wanted_keys)
            await check_keys(wanted, job=self._job, writer=self._writer, tell=self._tell)

    async def _sweep(self, orgs: AbstractSet[str], rows: Collection[int] | None) -> None:
        lanes = {org: self.lane_of(org) for org in sorted(orgs)}
        wanted = await self._folded(rows, expected)
        wanted = {where: want for where, want in wanted.items() if where[0] in lanes}
        found = await sweep_until(
            self._job.stop,
            lanes,
            wanted,
            lag_s=self._job.policy.lag_s,
            now_ms=self._job.clock.now_ms(),
            on_fault=self._tell,
        )
        if found is not None and not self._is_left():
            await write_findings(found, wanted, self._writer, on_event=self._tell)

    async def _test(self, rows: Collection[int] | None) -> None:
        """Ask whether the connections work, as far as it is asked for."""
        chosen = await self._folded(rows, lambda of: to_test(of, self._job.tests))
        if chosen:
            verification = Verification(
                self.lane_of,
                writer=self._writer,
                again_after_s=again_after_s(self._job.policy.settle_s),
                on_event=self._tell,
                is_left=self._is_left,
            )
            ledger = self._job.ledger
            states = await aside(ledger, partial(known_of, chosen, ledger))
            await verification.run(chosen, states=states, stop=self._job.stop)

    async def _folded(
        self, rows: Collection[int] | None, make: Callable[[Iterator[RowState]], _Made]
    ) -> _Made:
        """What is made of these rows as the ledger has them."""
        ledger = self._job.ledger
        return await aside(ledger, lambda: make(fold_rows(ledger.row_lines(self._number, rows))))

    def count(self) -> None:
        """Have the ledger hear what the lanes did, with the next lines."""
        for lane in self.lanes.values():
            self._lane_lines.keep(lane.counted())
