"""
What a person wants to know of a run under way, kept up to date event by event.

Pure: the clock comes in as `now`. An event only moves counters, so that thousands of them in a second
cost next to nothing; what is shown is computed when somebody looks.
"""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Final, assert_never

from batchconnect.cli.progress.view import (
    WAITS_FOR_SETTLE,
    ConnectionTests,
    Here,
    LaneView,
    Pause,
    View,
)
from batchconnect.model.event import (
    CellsWarned,
    Draining,
    Event,
    FaultMet,
    LaneAwaited,
    LaneCounted,
    LanePaused,
    LanesHeld,
    LaneStopped,
    Looked,
    NotReached,
    PaceChanged,
    PageRead,
    Planned,
    RowInDoubt,
    RowSettled,
    RowStarted,
    RowTested,
    RunAwaited,
    RunCounted,
    RunFinished,
    RunStarted,
    SandboxListed,
    Settling,
    SheetWarned,
    StorePaused,
    StoreStopped,
    Swept,
    Verifying,
)
from batchconnect.model.outcome import Status, Works, status_of

WINDOW_S: Final = 30.0
"""A rate is that of the last half minute: old enough to be calm, young enough to be true."""


@dataclass(slots=True)
class _Speed:
    """Counts per second over a sliding window."""

    samples: deque[tuple[float, int]] = field(default_factory=deque)

    def per_second(self, now: float, count: int) -> float | None:
        samples = self.samples
        if not samples or now - samples[-1][0] >= 1:
            samples.append((now, count))
        while len(samples) > 1 and samples[1][0] <= now - WINDOW_S:
            samples.popleft()
        began, before = samples[0]
        return (count - before) / (now - began) if now - began >= 1 else None


@dataclass(slots=True)
class _Rows:
    """Rows of a lane, or of the run."""

    counts: Counter[Status] = field(default_factory=Counter)
    answered: int = 0
    """Settled after they were sent. What stood there already comes in bulk and says nothing of a pace."""
    open: int = 0
    """Doubts that are being settled, or were left to a person."""
    sending: int = 0
    has_sent: bool = False
    speed: _Speed = field(default_factory=_Speed)

    def shown(self, unheard: int | None) -> Mapping[Status, int]:
        """By status; *unheard* are those that were not attempted and told by no event, None: others may do any of them."""
        counts = self.counts.copy()
        if unheard is None:
            del counts[Status.NOT_ATTEMPTED]
        else:
            counts[Status.NOT_ATTEMPTED] += unheard
        counts[Status.IN_DOUBT] += self.open
        return {status: counts[status] for status in Status if counts[status]}

    def rate(self, now: float) -> float | None:
        return self.speed.per_second(now, self.answered) if self.has_sent else None


@dataclass(slots=True)
class _Lane:
    rows: _Rows = field(default_factory=_Rows)
    paused_until: float = -inf
    pause_reason: str = ""
    waits_until: float = -inf
    settling: dict[str, float] = field(default_factory=dict)
    """Per sandbox with open doubts: when the last of them is decided at the latest."""
    stopped: str = ""

    def pause(self, now: float) -> Pause | None:
        if self.paused_until > now:
            return Pause(left_s=self.paused_until - now, reason=self.pause_reason)
        if self.waits_until > now:
            return Pause(left_s=self.waits_until - now, reason=WAITS_FOR_SETTLE)
        return None


class ProgressState:
    """What the events of one run add up to."""

    def __init__(self) -> None:
        self._rows = _Rows()
        self._lanes: dict[str, _Lane] = {}
        self._doubts: set[int] = set()
        self._sent: set[int] = set()
        self._has_begun = False
        self._to_do: int | None = None
        self._unheard = 0
        self._sandboxes = 0
        self._reading: PageRead | None = None
        self._looked: dict[str, tuple[int, int]] = {}
        """By org: how many were asked about, and of how many."""
        self._to_test: int | None = None
        self._works: dict[int, Works] = {}
        self._run: RunCounted | None = None
        """Of all who work the run, where others do, too."""
        self._run_speed = _Speed()
        self._is_draining = False
        self._finished_s: float | None = None

    def event(self, event: Event, now: float) -> None:
        """Take an event in."""
        self._has_begun = True
        match event:
            case RowSettled() | RowStarted() | RowInDoubt():
                self._row_event(event)
            case Settling() | LanePaused() | LaneStopped() | SandboxListed():
                self._lane_event(event, now)
            case PageRead() | Looked():
                self._look_event(event)
            case Planned() | RunCounted():
                self._total_event(event)
            case Verifying(connections=connections):
                self._to_test = connections
            case RowTested(row=row, works=works):
                self._works[row] = works
            case Draining():
                self._is_draining = True
            case RunFinished(duration_s=duration_s):
                self._finished(duration_s)
            case (
                PaceChanged()
                | NotReached()
                | LaneCounted()
                | LaneAwaited()
                | LanesHeld()
                | RunAwaited()
                | RunStarted()
                | SheetWarned()
                | CellsWarned()
                | Swept()
                | FaultMet()
                | StorePaused()
                | StoreStopped()
            ):
                pass
            case _:
                assert_never(event)

    def view(self, now: float) -> View:
        """How things stand; to be asked every now and then, since the rates are measured here."""
        rows = self._rows
        unheard = self._unheard if self._run is None else None
        lanes = tuple(
            _view(org, lane, now, unheard=None if unheard is None else 0)
            for org, lane in self._lanes.items()
        )
        settles = [lane.settle_left_s for lane in lanes if lane.settle_left_s is not None]
        settle_left_s = max(settles, default=None)
        done = rows.counts.total()
        # A doubt whose row is gone from the sheet is none of the rows to do: what is known is not
        # more than all.
        known = done + rows.open + rows.sending
        total = None if self._to_do is None else max(self._to_do, known)
        if self._finished_s is not None or self._run is not None:
            # Some are told one by one, others not at all, by how a lane ended: in the end none of them is done.
            # And of a run that others work, too, whoever has the lane next may do them.
            done -= rows.counts[Status.NOT_ATTEMPTED]
        rate = rows.rate(now)
        here: Here | None = None
        to_do = None if total is None else total - done - rows.open
        if self._run is not None:
            here = Here(done=done, rate=rate)
            # The whole is counted every few seconds; what is done here is part of it meanwhile.
            done, total = max(done, self._run.done), self._run.total
            rate = self._run_speed.per_second(now, done)
            to_do = total - done
        left_s = None
        if to_do is not None and not self._is_draining and self._finished_s is None:
            left_s = _left_s(to_do, rate, settle_left_s)
        return View(
            has_begun=self._has_begun,
            done=done,
            total=total,
            sandboxes=self._sandboxes,
            reading=self._reading,
            looked=self._all_looked(),
            counts=rows.shown(unheard),
            rate=rate,
            left_s=left_s,
            settle_left_s=settle_left_s,
            lanes=lanes,
            tests=self._tests(),
            is_draining=self._is_draining,
            finished_s=self._finished_s,
            here=here,
        )

    def _all_looked(self) -> tuple[int, int] | None:
        if not self._looked:
            return None
        return sum(one for one, _ in self._looked.values()), sum(
            of for _, of in self._looked.values()
        )

    def _tests(self) -> ConnectionTests | None:
        if self._to_test is None:
            return None
        answers = self._works.values()
        return ConnectionTests(
            connections=max(self._to_test, len(answers)),
            tested=len(answers),
            failing=sum(works is Works.NO for works in answers),
        )

    def _total_event(self, event: Planned | RunCounted) -> None:
        if isinstance(event, Planned):
            self._to_do = event.to_create
        else:
            self._run = event

    def _look_event(self, event: PageRead | Looked) -> None:
        if isinstance(event, PageRead):
            self._reading = event
        else:
            self._looked[event.org] = event.looked, event.of

    def _row_event(self, event: RowSettled | RowStarted | RowInDoubt) -> None:
        lane = self._lane(event.org)
        match event:
            case RowSettled(row=row, outcome=outcome, was=was):
                self._uncount(lane, was)
                self._settled(lane, row, status_of(outcome))
            case RowStarted(row=row):
                self._started(lane, row)
            case RowInDoubt(row=row, was=was):
                self._uncount(lane, was)
                self._in_doubt(lane, row)
            case _:
                assert_never(event)

    def _lane_event(
        self, event: Settling | LanePaused | LaneStopped | SandboxListed, now: float
    ) -> None:
        lane = self._lane(event.org)
        match event:
            case Settling():
                self._reading = None  # this look-up ended; the next comes when it is time
                _settling(lane, event, now)
            case LanePaused():
                _paused(lane, event, now)
            case LaneStopped(sandbox=None, code=code):
                lane.stopped = code
            case LaneStopped():
                pass
            case SandboxListed():
                self._sandboxes += 1
                self._reading = None
            case _:
                assert_never(event)

    def _lane(self, org: str) -> _Lane:
        lane = self._lanes.get(org)
        if lane is None:
            lane = self._lanes[org] = _Lane()
        return lane

    def _started(self, lane: _Lane, row: int) -> None:
        was_doubt = _leave(self._doubts, row)
        self._sent.add(row)
        for rows in (lane.rows, self._rows):
            rows.has_sent = True
            rows.sending += 1
            rows.open -= was_doubt

    def _uncount(self, lane: _Lane, was: Status | None) -> None:
        if was is not None:
            for rows in (lane.rows, self._rows):
                rows.counts[was] -= 1

    def _settled(self, lane: _Lane, row: int, status: Status) -> None:
        was_sent = _leave(self._sent, row)
        was_doubt = _leave(self._doubts, row)
        for rows in (lane.rows, self._rows):
            rows.counts[status] += 1
            rows.sending -= was_sent
            rows.open -= was_doubt
            rows.answered += was_sent or was_doubt

    def _in_doubt(self, lane: _Lane, row: int) -> None:
        was_sent = _leave(self._sent, row)
        is_new = row not in self._doubts
        self._doubts.add(row)
        for rows in (lane.rows, self._rows):
            rows.sending -= was_sent
            rows.open += is_new

    def _finished(self, duration_s: float) -> None:
        self._finished_s = duration_s
        rows = self._rows
        # What is still on its way was cut off.
        rows.open, rows.sending = rows.open + rows.sending, 0
        # Rows that never had their turn are told by no event: a stop must not cost one for each. Of those that
        # others had, or have yet, nothing is known here.
        if self._run is None:
            self._unheard = max(0, (self._to_do or 0) - rows.counts.total() - rows.open)


def _leave(rows: set[int], row: int) -> bool:
    if row in rows:
        rows.remove(row)
        return True
    return False


def _settling(lane: _Lane, event: Settling, now: float) -> None:
    if event.waiting:
        lane.settling[event.sandbox] = now + event.left_s
    else:
        lane.settling.pop(event.sandbox, None)


def _paused(lane: _Lane, event: LanePaused, now: float) -> None:
    until = now + event.pause_s
    if event.reason == WAITS_FOR_SETTLE:
        lane.waits_until = max(lane.waits_until, until)
    elif until > lane.paused_until:
        lane.paused_until, lane.pause_reason = until, event.reason


def _view(org: str, lane: _Lane, now: float, *, unheard: int | None) -> LaneView:
    last = max(lane.settling.values(), default=None)
    return LaneView(
        org=org,
        counts=lane.rows.shown(unheard),
        sending=lane.rows.sending,
        rate=lane.rows.rate(now),
        pause=lane.pause(now),
        settle_left_s=None if last is None else max(0.0, last - now),
        stopped=lane.stopped,
    )


def _left_s(to_do: int, rate: float | None, settle_left_s: float | None) -> float | None:
    if to_do <= 0:
        return settle_left_s
    return max(to_do / rate, settle_left_s or 0.0) if rate else None
