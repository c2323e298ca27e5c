"""One run writer on the ledger: begin, doubt, settle, with the run's number and the time of writing."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
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
from batchconnect.model.event import LaneCounted, LanePaused, LaneStopped, PaceChanged
from batchconnect.model.outcome import InDoubt


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
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

    async def begin(self, row: int, marker: str, *, number: int) -> None:
        """The intent to send; when this returns, and not before, the request may leave."""
        await self.write([self.line(Sending(number=number), row=row, marker=marker)])

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

    async def settle(self, row: int, marker: str | None, settled: Settled) -> None:
        """The row's outcome, durable before anybody hears of it."""
        await self.write([self.line(settled, row=row, marker=marker)])

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

    async def end_change(self, row: int, marker: str, end: Updated | Deleted | Left) -> None:
        """What became of a change, or why there was none; durable before anybody hears of it."""
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
