"""One run writer on the ledger: begin, doubt, settle, with the run's number and the time of writing."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final
from uuid import uuid4

from batchconnect.ledger.entry import (
    ChangeDoubted,
    Deleted,
    Deleting,
    Doubted,
    Entry,
    LaneTold,
    Left,
    Line,
    Moment,
    ProvenAbsent,
    Sending,
    Settled,
    Updated,
    Updating,
)
from batchconnect.ledger.group_commit import Append
from batchconnect.ledger.interface import LaneKey, SharedIdError
from batchconnect.model.event import LaneCounted, LanePaused, LaneStopped, PaceChanged
from batchconnect.model.outcome import Created, InDoubt, Outcome
from batchconnect.model.reference import KeyOrigin
from batchconnect.model.value import Value


class Clock(Value):
    """The two clocks of a run, passed by hand so that tests may have their own."""

    now_ms: Callable[[], int]
    """Wall clock, UTC, for people."""
    monotonic_s: Callable[[], float]
    """What windows are counted with across processes; stands still while the machine sleeps."""
    boot_id: str
    """Names the boot in which `monotonic_s` counts."""

    def moment(self) -> Moment:
        """Now, as the ledger keeps it."""
        return Moment(boot_id=self.boot_id, clock_s=self.monotonic_s())

    def elapsed_s(self, since: Moment) -> float:
        """Seconds since a moment; 0 where the machine was started anew and nobody can know."""
        if not self.boot_id or since.boot_id != self.boot_id:
            return 0.0
        return max(0.0, self.monotonic_s() - since.clock_s)


def system_clock() -> Clock:
    """The machine's own clocks."""
    return Clock(
        now_ms=lambda: time.time_ns() // 1_000_000,
        monotonic_s=time.monotonic,
        boot_id=_boot_id(),
    )


def _boot_id() -> str:
    if sys.platform == "linux":
        try:
            return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        except OSError:
            pass
    # NOTE: without a name for the boot no two processes compare their clocks, so that every recovery
    # counts its window anew: slower, never wrong.
    return f"process-{uuid4()}"


SHARED_ID: Final = "shared_id"
"""Code of the doubt of rows that were answered with one id."""


class RunWriter:
    """
    Writes one run's lines.

    Args:
        append: How lines become durable.
        run: Number of the run's `RunOpened` line.
        clock: The run's clocks.
    """

    def __init__(self, append: Append, *, run: int, clock: Clock) -> None:
        self._append = append
        self._run = run
        self._clock = clock
        self.put_in_doubt: list[Line] = []
        """Doubts of other rows, created before, whose id was answered for another row since; of all lanes."""

    def of_lane(self, lane: LaneKey) -> "RunWriter":
        """What writes the lines of a lane's rows of this run."""
        of_lane = RunWriter(self._append.of_lane(lane), run=self._run, clock=self._clock)
        of_lane.put_in_doubt = self.put_in_doubt
        return of_lane

    async def begin(
        self, row: int, marker: str, *, number: int, key: KeyOrigin | None = None
    ) -> None:
        """The intent to send; when this returns, and not before, the request may leave."""
        # Each row waits here and in `settle`: one coroutine less in between is one less to be woken through.
        entry = Sending(number=number, key=key)
        await self._append.append([self.line(entry, row=row, marker=marker)])

    async def doubt(
        self, row: int, marker: str, outcome: InDoubt, *, attempts: int = 1, throttled: int = 0
    ) -> Moment:
        """The answer is unknown from now on; returns the moment that the window counts from."""
        moment = self._clock.moment()
        entry = Doubted(outcome=outcome, moment=moment, attempts=attempts, throttled=throttled)
        await self.write([self.line(entry, row=row, marker=marker)])
        return moment

    async def absent(self, row: int, marker: str) -> None:
        """The marker is proven absent: the row may be sent again."""
        await self.write([self.line(ProvenAbsent(), row=row, marker=marker)])

    async def settle(self, row: int, marker: str | None, settled: Settled) -> Outcome:
        """
        The row's outcome, durable before anybody hears of it.

        Returns:
            What stands there now: the outcome, or a doubt where another row was created with the same id.
        """
        line = self.line(settled, row=row, marker=marker)
        try:
            await self._append.append([line])
        except SharedIdError as shared:
            return await self._settle_shared(line, settled, shared.others)
        return settled.outcome

    async def _settle_shared(self, line: Line, settled: Settled, others: Sequence[Line]) -> Outcome:
        """
        Two rows with one id are both doubts; what was found by its own marker is none.

        Args:
            line: The row's line, which was not written.
            settled: What it says.
            others: By which other rows were created with that id.
        """
        outcome = settled.outcome
        assert isinstance(outcome, Created)
        doubts = [
            other._replace(entry=self._shared(), at_ms=line.at_ms)
            for other in others
            if outcome.reconciled or not _is_looked_at(other)
        ]
        doubt = self._shared(outcome, settled)
        await self.write(doubts if outcome.reconciled else [*doubts, line._replace(entry=doubt)])
        self.put_in_doubt += doubts
        if outcome.reconciled:
            await self.write([line])
            return outcome
        return doubt.outcome

    def _shared(self, answered: Created | None = None, settled: Settled | None = None) -> Doubted:
        return Doubted(
            outcome=InDoubt(
                code=SHARED_ID,
                detail="Two rows were answered with one id, and a connection is one row's.",
                http_status=answered.http_status if answered else None,
                request_id=answered.request_id if answered else None,
            ),
            moment=self._clock.moment(),
            attempts=settled.attempts if settled else 0,
            throttled=settled.throttled if settled else 0,
        )

    async def begin_change(self, row: int, marker: str, intent: Updating | Deleting) -> None:
        """The intent to change a connection; when this returns, and not before, the request may leave."""
        await self.write([self.line(intent, row=row, marker=marker)])

    async def doubt_change(
        self, row: int, marker: str, outcome: InDoubt, *, attempts: int = 1, throttled: int = 0
    ) -> Moment:
        """Whether it was applied is unknown from now on; returns the moment that the window counts from."""
        moment = self._clock.moment()
        entry = ChangeDoubted(
            outcome=outcome, moment=moment, attempts=attempts, throttled=throttled
        )
        await self.write([self.line(entry, row=row, marker=marker)])
        return moment

    async def end_change(self, row: int, marker: str | None, end: Updated | Deleted | Left) -> None:
        """
        What became of a change, or why there was none; durable before anybody hears of it.

        Args:
            row: Its number in the sheet.
            marker: The row's identity; None where no change was begun: what another run has begun stays open.
            end: What is to be written.
        """
        await self.write([self.line(end, row=row, marker=marker)])

    async def tell(self, event: LanePaused | PaceChanged | LaneStopped | LaneCounted) -> None:
        """What a lane did."""
        await self.write([self.line(LaneTold(event=event))])

    async def write(self, lines: Sequence[Line]) -> None:
        """Many lines at once, durable on return."""
        if lines:
            await self._append.append(lines)

    def line(self, entry: Entry, *, row: int | None = None, marker: str | None = None) -> Line:
        """A line of this run, stamped with now."""
        return Line(entry=entry, run=self._run, row=row, marker=marker, at_ms=self._clock.now_ms())


def _is_looked_at(line: Line) -> bool:
    """Whether the row's connection was found by its marker, and not only answered."""
    assert isinstance(line.entry, Settled)
    return isinstance(line.entry.outcome, Created) and line.entry.outcome.reconciled
