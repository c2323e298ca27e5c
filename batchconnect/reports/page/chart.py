"""The page's charts: numbers become places, paths and words; the template writes the markup."""

from collections.abc import Callable, Sequence
from math import log10

from batchconnect.model.value import Value
from batchconnect.reports.page.drawing import (
    HEIGHT,
    WIDTH,
    Bars,
    Mark,
    bars,
    beside,
    hits,
    percent,
    scale,
    short,
    stacked,
)
from batchconnect.reports.page.latency import Bin, Latency
from batchconnect.reports.page.timeline import Timeline, Track, Try
from batchconnect.reports.page.words import clock, counted, number, rate, span, stamp
from batchconnect.reports.page.working_time import seams

_MOST_TICKS = 7
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400
_NICE_S = (
    *(1, 2, 5, 10, 15, 30),
    *(minutes * _MINUTE_S for minutes in (1, 2, 5, 10, 15, 30)),
    *(hours * _HOUR_S for hours in (1, 2, 4, 6, 12)),
    _DAY_S,
)
"""Steps of a time axis."""


class Strip(Value):
    """One lane's pace, pauses and requests."""

    track: Track
    bars: str
    pace: str
    pauses: tuple[tuple[str, str], ...]
    """x and width."""
    stops: tuple[tuple[str, str], ...]
    """x, and what it was stopped by."""
    spoken: str


def request_bars(timeline: Timeline) -> Bars:
    """What became of the requests, over time."""
    per_s = [
        {kind: count / timeline.bucket_s for kind, count in bucket.items()}
        for bucket in timeline.tries
    ]
    kinds = [kind for kind in Try if any(bucket[kind] for bucket in timeline.tries)]
    totals = {kind: sum(bucket[kind] for bucket in timeline.tries) for kind in kinds}
    highest = max((sum(bucket.values()) for bucket in per_s), default=0.0)
    peak = max(range(len(per_s)), key=lambda place: sum(per_s[place].values()))
    top, ups = scale(highest)
    columns = [[bucket.get(kind, 0.0) for kind in kinds] for bucket in per_s]
    time = timeline.time
    bucket_ms = timeline.bucket_s * 1000
    begin = [time.clock_ms(min(place * bucket_ms, time.total_ms)) for place in range(len(per_s))]
    parts = ", ".join(f"{number(totals[kind])} {kind.value}" for kind in kinds) or "none"
    return Bars(
        series=stacked(
            [(kind.name.lower(), kind.value, totals[kind]) for kind in kinds], columns, top
        ),
        hits=hits(
            f"{clock(at)}: "
            + ", ".join(f"{bucket[kind]} {kind.value}" for kind in kinds if bucket[kind])
            if bucket.total()
            else ""
            for at, bucket in zip(begin, timeline.tries, strict=True)
        ),
        across=_time_marks(_drawn_ms(timeline)),
        up=tuple(Mark(at=percent(1 - value / top), text=rate(value)) for value in ups),
        marks=_seam_marks(timeline),
        spoken=f"Requests per second over {span(time.total_ms)}: {parts};"
        f" at most {rate(highest)}, at {clock(begin[peak])} UTC.",
    )


def strip(track: Track, timeline: Timeline) -> Strip:
    """One lane over the same time."""
    drawn_ms = _drawn_ms(timeline)
    requests = [count / timeline.bucket_s for count in track.tries]
    top = max([rate for _, rate in track.paces] + requests, default=0.0) * 1.08 or 1.0

    def x(at_ms: float) -> str:
        return short(at_ms / drawn_ms * WIDTH)

    return Strip(
        track=track,
        bars=bars([(0.0, value / top) for value in requests]),
        pace=_steps(track.paces, x, top, _last_ms(track, timeline)),
        pauses=tuple(
            (x(start), short(max(1.5, (until - start) / drawn_ms * WIDTH)))
            for start, until in track.pauses
        ),
        stops=tuple((x(at_ms), what) for at_ms, what in track.stops),
        spoken=_spoken(track),
    )


def _spoken(track: Track) -> str:
    """A lane's strip in words."""
    lane = track.lane
    parts = [
        f"Lane {lane.org}: {counted(lane.sent, 'request')}",
        f"{number(lane.throttled)} throttled",
        f"paused {span(lane.paused_s * 1000)} in {counted(len(track.pauses), 'pause')}",
    ]
    if lane.rate_max and lane.rate_last:
        parts.append(f"pace {rate(lane.rate_max)} at most, {rate(lane.rate_last)} at last")
    return ", ".join(parts) + "".join(f"; stopped: {what}" for _, what in track.stops) + "."


def latency_bars(latency: Latency) -> Bars:
    """How many rows took how long."""
    bins = latency.bins
    answered, settled = sum(one.answered for one in bins), sum(one.settled for one in bins)
    highest = max(one.answered + one.settled for one in bins)
    top, ups = scale(highest)
    kinds = [("answered", "answered", answered)]
    if settled:
        kinds.append(("lost", "settled by asking", settled))
    low, high = log10(bins[0].low_ms), log10(bins[-1].high_ms)

    def at(ms: float) -> float:
        return percent((log10(max(1.0, ms)) - low) / (high - low))

    return Bars(
        series=stacked(kinds, [[one.answered, one.settled] for one in bins], top),
        hits=hits(_told(one) for one in bins),
        across=tuple(
            beside(at(ms), span(ms)) for ms in _round_times(bins[0].low_ms, bins[-1].high_ms)
        ),
        up=tuple(
            Mark(at=percent(1 - value / top), text=number(round(value)))
            for value in ups
            if value >= 1
        ),
        marks=(
            beside(at(latency.p50_ms), f"p50 {span(latency.p50_ms)}"),
            beside(at(latency.p95_ms), f"p95 {span(latency.p95_ms)}"),
        ),
        spoken=f"Time of {counted(latency.rows, 'row')}: half took {span(latency.p50_ms)} or less,"
        f" 95 percent {span(latency.p95_ms)} or less, the longest {span(latency.max_ms)}.",
    )


def _time_marks(drawn_ms: int) -> tuple[Mark, ...]:
    """Round times since the start."""
    step_s = next(
        (step for step in _NICE_S if drawn_ms / 1000 / step <= _MOST_TICKS),
        -int(-drawn_ms / 1000 // _MOST_TICKS // _DAY_S) * _DAY_S,
    )
    return tuple(
        beside(
            percent(second * 1000 / drawn_ms),
            span(second * 1000) if second else "0",
        )
        for second in range(0, drawn_ms // 1000 + 1, step_s)
    )


def _last_ms(track: Track, timeline: Timeline) -> int:
    """Until when a lane had something to do: behind that its pace means nothing."""
    last = max((place for place, count in enumerate(track.tries) if count), default=-1)
    told = [at_ms for at_ms, _ in (*track.paces, *track.stops)]
    return max(
        [(last + 1) * timeline.bucket_s * 1000, *told, *(until for _, until in track.pauses)]
    )


def _drawn_ms(timeline: Timeline) -> int:
    return len(timeline.tries) * timeline.bucket_s * 1000


def _seam_marks(timeline: Timeline) -> tuple[Mark, ...]:
    drawn_ms = _drawn_ms(timeline)
    return tuple(
        beside(percent(after.offset_ms / drawn_ms), f"went on {stamp(after.start_ms)}")
        for _, after in seams(timeline.time)
    )


def _steps(
    paces: Sequence[tuple[int, float]], x: Callable[[float], str], top: float, end_ms: int
) -> str:
    """The pace holds until it is told anew."""
    path = ""
    for at_ms, pace in paces:
        y = short(HEIGHT * (1 - pace / top))
        path += f"H{x(at_ms)}V{y}" if path else f"M{x(at_ms)} {y}"
    return f"{path}H{x(end_ms)}" if path else ""


def _round_times(low_ms: float, high_ms: float) -> list[float]:
    nice = [1, 10, 100, *(second * 1000 for second in (1, 10, 60, 600, 3600, 36_000, 360_000))]
    return [ms for ms in nice if low_ms <= ms <= high_ms]


def _told(one: Bin) -> str:
    if not one.answered + one.settled:
        return ""
    text = (
        f"{span(one.low_ms)} to {span(one.high_ms)}: {counted(one.answered + one.settled, 'row')}"
    )
    return f"{text}, {number(one.settled)} settled by asking" if one.settled else text
