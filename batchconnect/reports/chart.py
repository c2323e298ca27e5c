"""
The geometry of the page's charts: numbers become places and SVG paths, the template writes the markup.

A drawing is `WIDTH` by `HEIGHT` units and is stretched to its place on the page; texts stand beside it
at percentages, so that they are never stretched.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import floor, log10

from .latency import Bin, Latency
from .page_words import clock, counted, number, rate, span, stamp
from .timeline import Timeline, Track, Try
from .working_time import WorkingTime, seams

WIDTH = 1000
HEIGHT = 100

_MOST_TICKS = 7
_NICE_S = (
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    14400,
    21600,
    43200,
    86400,
)
_EDGE = 0.8
"""Share of the width right of which a label stands to the left of its place."""
_GAP_BELOW = 120
"""With fewer bars than this they have gaps; more would be lost between them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A label at a place of an axis."""

    at: float
    """Percent of the width, or of the height from above."""
    text: str
    anchor: str = "start"
    """Of SVG: on which side of the place the text stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One colour of stacked bars."""

    name: str
    css: str
    total: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """Stacked bars with their axes."""

    series: tuple[Series, ...]
    hits: tuple[tuple[str, str, str], ...]
    """x, width and tooltip of each column."""
    across: tuple[Mark, ...]
    up: tuple[Mark, ...]
    marks: tuple[Mark, ...]
    """Upright lines: processes that went on, percentiles."""
    spoken: str
    """The picture in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
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
    top, ups = _scale(highest)
    columns = [[bucket.get(kind, 0.0) for kind in kinds] for bucket in per_s]
    time = timeline.time
    bucket_ms = timeline.bucket_s * 1000
    begin = [time.clock_ms(min(place * bucket_ms, time.total_ms)) for place in range(len(per_s))]
    parts = ", ".join(f"{number(totals[kind])} {kind.value}" for kind in kinds)
    return Bars(
        series=_stacked([(kind.value, number(totals[kind])) for kind in kinds], columns, top),
        hits=_hits(
            f"{clock(at)}: "
            + ", ".join(f"{bucket[kind]} {kind.value}" for kind in kinds if bucket[kind])
            if bucket.total()
            else ""
            for at, bucket in zip(begin, timeline.tries, strict=True)
        ),
        across=time_marks(time, _drawn_ms(timeline)),
        up=tuple(Mark(at=_percent(1 - value / top), text=rate(value)) for value in ups),
        marks=_seam_marks(timeline),
        spoken=f"Requests per second over {span(time.total_ms)}: {parts};"
        f" at most {rate(highest)}, at {clock(begin[peak])} UTC.",
    )


def strip(track: Track, timeline: Timeline) -> Strip:
    """One lane over the same time."""
    drawn_ms = _drawn_ms(timeline)
    requests = [count / timeline.bucket_s for count in track.tries]
    top = max([rate for _, rate in track.paces] + requests, default=0.0) * 1.08 or 1.0
    lane = track.lane

    def x(at_ms: float) -> str:
        return _short(at_ms / drawn_ms * WIDTH)

    return Strip(
        track=track,
        bars=_bars([(0.0, value / top) for value in requests]),
        pace=_steps(track.paces, x, top, _last_ms(track, timeline)),
        pauses=tuple(
            (x(start), _short(max(1.5, (until - start) / drawn_ms * WIDTH)))
            for start, until in track.pauses
        ),
        stops=tuple((x(at_ms), what) for at_ms, what in track.stops),
        spoken=f"Lane {lane.org}: {counted(lane.sent, 'request')}, {number(lane.throttled)} throttled,"
        f" paused {span(lane.paused_s * 1000)} in {counted(len(track.pauses), 'pause')}"
        + (
            f", pace {rate(lane.rate_max)} at most, {rate(lane.rate_last)} at last"
            if lane.rate_max and lane.rate_last
            else ""
        )
        + "".join(f"; stopped: {what}" for _, what in track.stops)
        + ".",
    )


def latency_bars(latency: Latency) -> Bars:
    """How many rows took how long."""
    bins = latency.bins
    answered, settled = sum(one.answered for one in bins), sum(one.settled for one in bins)
    highest = max(one.answered + one.settled for one in bins)
    top, ups = _scale(highest)
    kinds = [("answered", number(answered))]
    if settled:
        kinds.append(("settled by asking", number(settled)))
    low, high = log10(bins[0].low_ms), log10(bins[-1].high_ms)

    def at(ms: float) -> float:
        return _percent((log10(max(1.0, ms)) - low) / (high - low))

    return Bars(
        series=_stacked(kinds, [[one.answered, one.settled] for one in bins], top),
        hits=_hits(_told(one) for one in bins),
        across=tuple(
            _beside(at(ms), span(ms)) for ms in _round_times(bins[0].low_ms, bins[-1].high_ms)
        ),
        up=tuple(
            Mark(at=_percent(1 - value / top), text=number(round(value)))
            for value in ups
            if value >= 1
        ),
        marks=(
            _beside(at(latency.p50_ms), f"p50 {span(latency.p50_ms)}"),
            _beside(at(latency.p95_ms), f"p95 {span(latency.p95_ms)}"),
        ),
        spoken=f"Time of {counted(latency.rows, 'row')}: half took {span(latency.p50_ms)} or less,"
        f" 95 percent {span(latency.p95_ms)} or less, the longest {span(latency.max_ms)}.",
    )


def time_marks(time: WorkingTime, drawn_ms: int) -> tuple[Mark, ...]:
    """Round times since the start."""
    step_s = next(
        (step for step in _NICE_S if drawn_ms / 1000 / step <= _MOST_TICKS),
        -int(-drawn_ms / 1000 // _MOST_TICKS // _NICE_S[-1]) * _NICE_S[-1],
    )
    return tuple(
        _beside(
            _percent(second * 1000 / drawn_ms),
            span(second * 1000) if second else f"{clock(time.clock_ms(0))} UTC",
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
    marks = []
    for _, after in seams(timeline.time):
        mark = _beside(_percent(after.offset_ms / drawn_ms), f"went on {stamp(after.start_ms)}")
        marks.append(mark)
    return tuple(marks)


def _stacked(
    kinds: Sequence[tuple[str, str]], columns: Sequence[Sequence[float]], top: float
) -> tuple[Series, ...]:
    return tuple(
        Series(
            name=name,
            css=name.split()[0],
            total=total,
            path=_bars([(sum(column[:place]) / top, column[place] / top) for column in columns]),
        )
        for place, (name, total) in enumerate(kinds)
    )


def _bars(columns: Sequence[tuple[float, float]]) -> str:
    """A path of bars, each from a base up by a share of the height."""
    width = WIDTH / len(columns)
    gap = 0.12 if len(columns) < _GAP_BELOW else 0.0
    bar = _short(width * (1 - 2 * gap))
    return "".join(
        f"M{_short((place + gap) * width)} {_short(HEIGHT * (1 - base))}h{bar}v-{_short(HEIGHT * share)}h-{bar}z"
        for place, (base, share) in enumerate(columns)
        if share > 0
    )


def _steps(
    paces: Sequence[tuple[int, float]], x: Callable[[float], str], top: float, end_ms: int
) -> str:
    """The pace holds until it is told anew."""
    path = ""
    for at_ms, pace in paces:
        y = _short(HEIGHT * (1 - pace / top))
        path += f"H{x(at_ms)}V{y}" if path else f"M{x(at_ms)} {y}"
    return f"{path}H{x(end_ms)}" if path else ""


def _hits(tooltips: Iterable[str]) -> tuple[tuple[str, str, str], ...]:
    texts = list(tooltips)
    width = WIDTH / len(texts)
    return tuple(
        (_short(place * width), _short(width), text) for place, text in enumerate(texts) if text
    )


def _scale(highest: float) -> tuple[float, tuple[float, ...]]:
    """The top of an axis, a little above the highest value, and two or three round values on it."""
    if highest <= 0:
        return 1.0, ()
    step = 10.0 ** floor(log10(highest))
    step = next(part * step for part in (0.2, 0.5, 1, 2, 5) if highest / (part * step) < 4)  # noqa: PLR2004 - at most three lines
    lines = [step * place for place in range(1, 4) if step * place <= highest]
    return highest * 1.12, tuple(lines)


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


def _beside(at: float, text: str) -> Mark:
    return Mark(at=at, text=text, anchor="end" if at > _EDGE * 100 else "start")


def _percent(share: float) -> float:
    return round(share * 100, 2)


def _short(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
