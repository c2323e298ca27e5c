"""Which lanes a run on a team ledger has, and which of them are through, told by its lines alone."""

from collections.abc import Iterable, Mapping
from typing import Final

from batchconnect.ledger.entry import (
    Entry,
    LaneClosed,
    LanesOpened,
    LaneTaken,
    Line,
    RunEnded,
    RunLane,
    RunOpened,
    RunResumed,
)
from batchconnect.model.value import Value

STEPS: Final[tuple[type[Entry], ...]] = (
    RunOpened,
    RunResumed,
    LanesOpened,
    LaneTaken,
    LaneClosed,
    RunEnded,
)
"""The lines that say it."""


class RunLanes(Value):
    """The lanes of one run."""

    lanes: tuple[RunLane, ...] | None = None
    """None: its rows are not accounted for yet."""
    taken: Mapping[str, LaneTaken]
    """By org: who took it last."""
    closed: Mapping[str, LaneClosed]
    """By org: those that are through, since the last resume."""
    resumes: int = 0
    is_alone: bool = False
    """Whether one process works it."""
    ended: RunEnded | None = None
    """Its end, since the last resume."""

    @property
    def is_closed(self) -> bool:
        """Whether nothing is left to do in the run."""
        return self.ended is not None and self.ended.closed

    @property
    def open(self) -> tuple[RunLane, ...]:
        """The lanes that are not through."""
        return tuple(lane for lane in self.lanes or () if lane.org not in self.closed)

    @property
    def are_through(self) -> bool:
        """Whether all of them are."""
        return self.lanes is not None and not self.open

    @property
    def every_lane_refused(self) -> bool:
        """Whether the service refused each lane that had rows."""
        had_rows = [closed for closed in self.closed.values() if closed.had_rows]
        return bool(had_rows) and all(closed.is_refused for closed in had_rows)


def fold_lanes(lines: Iterable[Line]) -> RunLanes:
    """
    Fold the lines of a run that are not about a row; others than `STEPS` pass unnoticed.

    Args:
        lines: Oldest first.
    """
    lanes: tuple[RunLane, ...] | None = None
    taken: dict[str, LaneTaken] = {}
    closed: dict[str, LaneClosed] = {}
    resumes, is_alone = 0, False
    ended: RunEnded | None = None
    for line in lines:
        match line.entry:
            case RunOpened(alone=is_alone):
                pass
            case RunResumed(alone=is_alone):
                # A new round, in which every lane is looked through again.
                resumes, ended = resumes + 1, None
                closed.clear()
            case LanesOpened():
                lanes = line.entry.lanes
            case LaneTaken(org=org):
                taken[org] = line.entry
            case LaneClosed(org=org) if line.entry.resumes == resumes:
                closed[org] = line.entry
            case RunEnded():
                ended = line.entry
            case _:
                pass
    return RunLanes(
        lanes=lanes,
        taken=taken,
        closed=closed,
        resumes=resumes,
        is_alone=is_alone,
        ended=ended,
    )
