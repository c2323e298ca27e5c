"""
When a run did what: its requests per second and what became of them, the pace and the pauses of each lane.

The ledger keeps when a row was settled and how many tries that took, not when each try left: a row's
tries are counted where its outcome stands, and the page says so.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from batchconnect.ledger.entry import LaneTold
from batchconnect.model.event import LaneCounted, LanePaused, LaneStopped, PaceChanged
from batchconnect.model.outcome import DONE, Status
from batchconnect.model.value import Value
from batchconnect.reports.lanes import LaneSummary
from batchconnect.reports.page.working_time import WorkingTime, working_time
from batchconnect.reports.result import Result
from batchconnect.reports.summary import Summary

MOST_BUCKETS = 300
MOST_LANES = 24
"""The busiest ones are drawn; a table has the numbers of all."""

_STEPS_S = (1, 2, 5, 10, 15, 30)
_MINUTE_S = 60


class Try(StrEnum):
    """What became of one request for a row."""

    ANSWERED = "answered"
    """The row has its connection."""
    REFUSED = "refused"
    """The service said no, for good."""
    LOST = "answer lost"
    """The row is in doubt, or was settled by asking."""
    REPEATED = "sent again"
    """Surely not applied (throttled, not sent), so it was sent again."""


class Track(Value):
    """One lane over the time of the run. Times are working time since the start, in milliseconds."""

    lane: LaneSummary
    tries: Sequence[int]
    """Requests for rows in each bucket."""
    paces: tuple[tuple[int, float], ...]
    """From when on the lane had which rate, requests per second."""
    pauses: tuple[tuple[int, int], ...]
    """From, to; none touches another."""
    stops: tuple[tuple[int, str], ...]
    """When the lane, or a sandbox of it, was stopped, and by what."""


class Timeline(Value):
    """A run, cut into buckets of equal length."""

    time: WorkingTime
    bucket_s: int
    tries: tuple[Counter[Try], ...]
    """For each bucket."""
    tracks: tuple[Track, ...]
    """By org."""
    lanes_left_out: int


@dataclass(slots=True)
class _Told:
    paces: list[tuple[int, float]] = field(default_factory=list)
    pauses: list[tuple[int, int]] = field(default_factory=list)
    stops: list[tuple[int, str]] = field(default_factory=list)


class Timekeeper:
    """
    Adds up a run's rows to its timeline.

    Args:
        summary: The run.
    """

    def __init__(self, summary: Summary) -> None:
        self._summary = summary
        busiest = sorted(summary.lanes, key=lambda lane: (-lane.sent, lane.org))[:MOST_LANES]
        self._shown = {lane.org for lane in busiest}
        self._alike: Counter[tuple[int, str, Status, bool, int]] = Counter()
        """Rows by the second and org, and by what their tries became: most are like others."""

    def add(self, result: Result) -> None:
        """Count a row's tries to the second of its outcome."""
        start_ms, at_ms = self._summary.started_at_ms, result.finished_at_ms
        # What a parent run settled was not sent in the time that is shown.
        if at_ms is None or at_ms < start_ms or not result.attempts:
            return
        second = (at_ms - start_ms) // 1000
        self._alike[second, result.org, result.status, result.reconciled, result.attempts] += 1

    def timeline(self) -> Timeline | None:
        """What was added; None: no lane sent anything."""
        summary = self._summary
        if not summary.lanes:
            return None
        start_ms = summary.started_at_ms
        settled_ms = {start_ms + second * 1000 for second, *_ in self._alike}
        time = working_time(summary.lines, settled_ms)
        bucket_s = _bucket_s(time.total_ms)
        count = time.total_ms // (bucket_s * 1000) + 1

        def bucket_of(second: int) -> int:
            return time.elapsed_ms(start_ms + second * 1000) // (bucket_s * 1000)

        tries: tuple[Counter[Try], ...] = tuple(Counter() for _ in range(count))
        by_org = {org: [0] * count for org in self._shown}
        for (second, org, status, reconciled, attempts), rows in self._alike.items():
            bucket = bucket_of(second)
            for kind, number in _tries(status, attempts, is_reconciled=reconciled):
                tries[bucket][kind] += number * rows
            if org in self._shown:
                by_org[org][bucket] += attempts * rows
        told = self._told(time)
        return Timeline(
            time=time,
            bucket_s=bucket_s,
            tries=tries,
            tracks=tuple(
                _track(lane, by_org[lane.org], told.get(lane.org, _Told()))
                for lane in summary.lanes
                if lane.org in self._shown
            ),
            lanes_left_out=len(summary.lanes) - len(self._shown),
        )

    def _told(self, time: WorkingTime) -> dict[str, _Told]:
        told: dict[str, _Told] = {}
        for line in self._summary.lines:
            match line.entry:
                case LaneTold(event=event):
                    lane = told.setdefault(event.org, _Told())
                    at_ms = time.elapsed_ms(line.at_ms)
                    match event:
                        case PaceChanged():
                            lane.paces.append((at_ms, event.rate))
                        case LaneCounted() if not lane.paces:
                            # A pace that never changed is told once, at the end.
                            lane.paces.append((0, event.rate_last))
                        case LanePaused():
                            until_ms = line.at_ms + round(event.pause_s * 1000)
                            lane.pauses.append((at_ms, time.elapsed_ms(until_ms)))
                        case LaneStopped():
                            lane.stops.append((at_ms, _stop(event)))
                        case LaneCounted():  # the last case
                            pass
                case _:
                    pass
        return told


def _tries(status: Status, attempts: int, *, is_reconciled: bool) -> Iterator[tuple[Try, int]]:
    if status is Status.NOT_ATTEMPTED:
        # It was throttled until the patience ended: no try of it was answered otherwise.
        yield Try.REPEATED, attempts
        return
    if attempts > 1:
        yield Try.REPEATED, attempts - 1
    if is_reconciled or status is Status.IN_DOUBT:
        yield Try.LOST, 1
    elif status in DONE:
        yield Try.ANSWERED, 1
    else:
        yield Try.REFUSED, 1


def _stop(event: LaneStopped) -> str:
    where = f"sandbox {event.sandbox}: " if event.sandbox else ""
    return f"{where}{event.title} ({event.code})"


def _track(lane: LaneSummary, tries: Sequence[int], told: _Told) -> Track:
    return Track(
        lane=lane,
        tries=tries,
        paces=tuple(told.paces),
        pauses=tuple(_merged(told.pauses)),
        stops=tuple(told.stops),
    )


def _merged(pauses: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """A pause that was made longer is one pause."""
    merged: list[tuple[int, int]] = []
    for start, until in sorted(pauses):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], until)
        else:
            merged.append((start, until))
    return merged


def _bucket_s(total_ms: int) -> int:
    """The shortest round length that needs no more than `MOST_BUCKETS`."""
    least_s = total_ms / 1000 / (MOST_BUCKETS - 1)
    for step_s in _STEPS_S:
        if step_s >= least_s:
            return step_s
    return -int(-least_s // _MINUTE_S) * _MINUTE_S
