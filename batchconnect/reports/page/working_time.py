"""
The time in which a run was at work: what lies between a crash and its resume does not count.

A run that is resumed, or reconciled, on the next day would otherwise be two dots at the ends of an
empty chart.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise

from batchconnect.ledger.entry import Line, RunOpened, RunResumed
from batchconnect.model.value import Value


class Session(Value):
    """One process of a run."""

    start_ms: int
    end_ms: int
    """Of its last sign of life."""
    offset_ms: int
    """Working time before it."""

    @property
    def length_ms(self) -> int:
        """How long it was at work."""
        return self.end_ms - self.start_ms


class WorkingTime(Value, kw_only=False):
    """The processes of a run, one after the other."""

    sessions: tuple[Session, ...]
    """At least one, oldest first."""

    @property
    def total_ms(self) -> int:
        """How long the run was at work."""
        last = self.sessions[-1]
        return last.offset_ms + last.length_ms

    def elapsed_ms(self, at_ms: int) -> int:
        """Working time since the run's start; an instant between two processes is the seam."""
        starts = [session.start_ms for session in self.sessions]
        session = self.sessions[max(0, bisect_right(starts, at_ms) - 1)]
        return session.offset_ms + min(max(0, at_ms - session.start_ms), session.length_ms)

    def clock_ms(self, elapsed_ms: int) -> int:
        """The wall clock at so much working time."""
        offsets = [session.offset_ms for session in self.sessions]
        session = self.sessions[bisect_right(offsets, elapsed_ms) - 1]
        return session.start_ms + elapsed_ms - session.offset_ms


def working_time(run_lines: Iterable[Line], settled_ms: Iterable[int]) -> WorkingTime:
    """
    Find the processes of a run.

    Args:
        run_lines: The run's own lines, `RunOpened` among them.
        settled_ms: When rows were settled; a process that was killed left no other trace.
    """
    lines = list(run_lines)
    # Wall clocks jump: a process that seems to begin before the one before it is put in order.
    starts = sorted(line.at_ms for line in lines if isinstance(line.entry, RunOpened | RunResumed))
    ends = list(starts)
    for at_ms in (*(line.at_ms for line in lines), *settled_ms):
        place = max(0, bisect_right(starts, at_ms) - 1)
        ends[place] = max(ends[place], at_ms)
    return WorkingTime(tuple(_sessions(starts, ends)))


def _sessions(starts: Sequence[int], ends: Sequence[int]) -> Iterable[Session]:
    lengths = [end - start for start, end in zip(starts, ends, strict=True)]
    offsets = [sum(lengths[:place]) for place in range(len(starts))]
    for start, end, offset in zip(starts, ends, offsets, strict=True):
        yield Session(start_ms=start, end_ms=end, offset_ms=offset)


def seams(time: WorkingTime) -> list[tuple[Session, Session]]:
    """Each process with the one that went on after it."""
    return list(pairwise(time.sessions))
