"""Services with a hidden limit, for virtual time: the ten of issue 5, and two more that it names."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import ceil
from random import Random
from typing import Protocol

import anyio

from batchconnect.transport.interface import Purpose, Request, Response
from batchconnect.transport.pace import CEILING_RATE

_MADE = b'{"id":"5a5b1f1c-2f5b-4b0e-9b1f-1c2f5b4b0e55"}'
_SHOWN = b'{"items":[' + _MADE + b"]}"


class Limit(Protocol):
    """Whether a request is served now."""

    def take(self, now: float, in_flight: int) -> float:
        """0: served; else the seconds until it would be."""
        ...

    def allowed(self, start: float, end: float) -> float:
        """How many requests it would have served in so long, asked at its own pace."""
        ...


@dataclass(slots=True, kw_only=True)
class Bucket:
    """So many per second, and a burst; the rate may change at moments of its own."""

    rates: tuple[tuple[float, float], ...]
    """From which second on, how many per second."""
    burst: float = 8.0
    level: float = field(init=False)
    at: float = 0.0

    def __post_init__(self) -> None:
        self.level = self.burst

    def take(self, now: float, in_flight: int) -> float:
        """A token, or the seconds until there is one; a refusal costs nothing."""
        self.level = min(self.burst, self.level + self.allowed(self.at, now))
        self.at = now
        if self.level >= 1 - 1e-9:
            self.level -= 1
            return 0.0
        rate = next(rate for since, rate in reversed(self.rates) if since <= now)
        return (1 - self.level) / rate

    def allowed(self, start: float, end: float) -> float:
        """The area under the rate."""
        ends = [*(since for since, _ in self.rates[1:]), float("inf")]
        spans = zip(self.rates, ends, strict=True)
        return sum(rate * max(0.0, min(end, to) - max(start, at)) for (at, rate), to in spans)


@dataclass(slots=True, kw_only=True)
class Window:
    """So many in each full minute of the clock."""

    most: int = 60
    seconds: float = 60.0
    minute: int = -1
    taken: int = 0

    def take(self, now: float, in_flight: int) -> float:
        """A place in this minute, or the seconds until the next one."""
        minute = int(now // self.seconds)
        if minute != self.minute:
            self.minute, self.taken = minute, 0
        if self.taken < self.most:
            self.taken += 1
            return 0.0
        return (minute + 1) * self.seconds - now

    def allowed(self, start: float, end: float) -> float:
        """On average."""
        return self.most * (end - start) / self.seconds


@dataclass(slots=True, kw_only=True)
class Sliding:
    """So many in any minute."""

    most: int = 60
    seconds: float = 60.0
    taken: deque[float] = field(default_factory=deque)

    def take(self, now: float, in_flight: int) -> float:
        """A place, or the seconds until the oldest of the last minute is a minute old."""
        while self.taken and self.taken[0] <= now - self.seconds:
            self.taken.popleft()
        if len(self.taken) < self.most:
            self.taken.append(now)
            return 0.0
        return self.taken[0] + self.seconds - now

    def allowed(self, start: float, end: float) -> float:
        """On average."""
        return self.most * (end - start) / self.seconds


@dataclass(slots=True, kw_only=True)
class InFlight:
    """So many at once."""

    most: int
    latency_s: float

    def take(self, now: float, in_flight: int) -> float:
        """ThroughputEstimate if there are no more than so many."""
        return 0.0 if in_flight <= self.most else 1.0

    def allowed(self, start: float, end: float) -> float:
        """By Little's law."""
        return self.most / self.latency_s * (end - start)


@dataclass(slots=True, kw_only=True)
class Unlimited:
    """Serves whatever comes; its use is measured against the most that a lane ever asks for."""

    def take(self, now: float, in_flight: int) -> float:
        """ThroughputEstimate."""
        return 0.0

    def allowed(self, start: float, end: float) -> float:
        """As much as a lane's own ceiling."""
        return CEILING_RATE * (end - start)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a service answers, whatever its limit is."""

    latency_s: float = 0.1
    refusal_s: float = 0.1
    """How long a refusal takes at most: a gateway is quick, an overloaded service is not."""
    status: int = 429
    header: bool = True
    """Whether a refusal names the seconds to stay away."""
    broken: float = 0.0
    """Share of what it took on and then answered with a 500 all the same: nothing to do with the pace."""
    turned_away: float = 0.0
    """Share of the requests that it refuses whatever their pace."""


class Service:
    """
    The innermost ring: answers by a hidden limit, and counts.

    Args:
        limit: Whether a request is served now.
        manner: How it is answered.
        rng: Draws what is broken.
        clock: Seconds; the limit's own, and of the moments that are kept.
        look_ups: What bounds the reads, which pay elsewhere then; None: they pay as creates do.
    """

    def __init__(
        self,
        limit: Limit,
        manner: Manner,
        rng: Random,
        clock: Callable[[], float] = anyio.current_time,
        look_ups: Limit | None = None,
    ) -> None:
        self.limit = limit
        self.look_ups = look_ups
        self._manner = manner
        self._rng = rng
        self._clock = clock
        self._in_flight = 0
        self.served: list[float] = []
        self.broken: list[float] = []
        self.refused: list[float] = []
        self.shown: list[float] = []
        """Look-ups that were served by a limit of their own."""

    async def send(self, request: Request) -> Response:
        """Serve, or refuse."""
        self._in_flight += 1
        try:
            if self.look_ups is not None and request.purpose is Purpose.READ:
                return await self._looked_up(self.look_ups, self._clock())
            return await self._answer(self._clock())
        finally:
            self._in_flight -= 1

    async def _answer(self, now: float) -> Response:
        manner = self._manner
        is_turned_away = manner.turned_away > 0 and self._rng.random() < manner.turned_away
        wait_s = 1.0 if is_turned_away else self.limit.take(now, self._in_flight)
        if wait_s == 0.0:
            is_broken = self._rng.random() < manner.broken
            (self.broken if is_broken else self.served).append(now)
            await anyio.sleep(manner.latency_s)
            return Response(status=500) if is_broken else Response(status=201, body=_MADE)
        return await self._refuse(now, wait_s)

    async def _looked_up(self, limit: Limit, now: float) -> Response:
        wait_s = limit.take(now, self._in_flight)
        if wait_s > 0:
            return await self._refuse(now, wait_s)
        self.shown.append(now)
        await anyio.sleep(self._manner.latency_s)
        return Response(status=200, body=_SHOWN)

    async def _refuse(self, now: float, wait_s: float) -> Response:
        manner = self._manner
        self.refused.append(now)
        await anyio.sleep(min(manner.latency_s, manner.refusal_s))
        headers = {"retry-after": str(max(1, ceil(wait_s)))} if manner.header else {}
        return Response(status=manner.status, headers=headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One hidden limit, and how long it is met."""

    name: str
    limit: Callable[[], Limit]
    manner: Manner = Manner()
    rows: int = 2000
    from_s: float = 10.0
    """From when on the use of the limit counts."""
    look_ups: Callable[[], Limit] | None = None
    """Each row is looked up when it is made, and the look-ups have this limit."""

    def allowed(self, start: float, end: float) -> float:
        """How many rows it would have served in so long, at the pace of whichever limit is the tighter."""
        limits = (self.limit, self.look_ups)
        return min(limit().allowed(start, end) for limit in limits if limit is not None)

    def service(self, seed: int, clock: Callable[[], float] = anyio.current_time) -> Service:
        """A fresh one."""
        look_ups = None if self.look_ups is None else self.look_ups()
        return Service(self.limit(), self.manner, Random(f"service {seed}"), clock, look_ups)


def _rate(per_second: float, burst: float = 8.0) -> Callable[[], Limit]:
    return lambda: Bucket(rates=((0.0, per_second),), burst=burst)


CHANGES = ((0.0, 8.0), (120.0, 2.0), (240.0, 12.0))

QUIET = Manner(header=False)
AS_500 = Manner(header=False, status=500)
SLOW = Manner(latency_s=1.0, refusal_s=1.0)

CHANGING = Case(name="8/s, 2/s, 12/s", limit=lambda: Bucket(rates=CHANGES), manner=QUIET, rows=2600)
CASES = (
    Case(name="8/s burst 8, Retry-After", limit=_rate(8)),
    Case(name="8/s burst 8, no header", limit=_rate(8), manner=QUIET),
    Case(name="8/s burst 8, as 500", limit=_rate(8), manner=AS_500),
    Case(
        name="4 in flight",
        limit=lambda: InFlight(most=4, latency_s=0.5),
        manner=Manner(latency_s=0.5),
    ),
    CHANGING,
    Case(name="60/min, Retry-After", limit=Window, manner=SLOW, rows=600),
    Case(name="60/min, no header", limit=Window, manner=replace(SLOW, header=False), rows=600),
    Case(name="slow: 2/s", limit=_rate(2, 2), rows=600),
    Case(name="fast: 18/s", limit=_rate(18, 18), rows=4000),
    Case(name="very slow: 0.5/s", limit=_rate(0.5, 1), rows=200),
)
"""The ten servers of issue 5."""
MORE_CASES = (
    Case(name="8/s, no burst, no header", limit=_rate(8, 1), manner=QUIET),
    Case(name="4/s, no burst, Retry-After", limit=_rate(4, 1), rows=1200),
    Case(name="60 in any minute, Retry-After", limit=Sliding, manner=SLOW, rows=600),
    Case(name="no limit", limit=Unlimited),
    Case(name="no limit, 5 % of 500", limit=Unlimited, manner=Manner(broken=0.05)),
    Case(name="no limit, 14 % of 500", limit=Unlimited, manner=Manner(broken=0.14)),
    Case(name="no limit, 30 % of 500", limit=Unlimited, manner=Manner(broken=0.3)),
    Case(
        name="8/s burst 8, as 500, 14 % of 500",
        limit=_rate(8),
        manner=replace(AS_500, broken=0.14),
    ),
)
"""What else the lane has to stand: no burst, a sliding minute, faults that no pace can help."""
_MINUTES = tuple((40.0 * number, 8.0 if number % 2 == 0 else 4.0) for number in range(20))
UNNAMED_CASES = (
    Case(name="0.5/s, no header", limit=_rate(0.5, 1), manner=QUIET, rows=200),
    Case(name="2/s burst 2, no header", limit=_rate(2, 2), manner=QUIET, rows=600),
    Case(
        name="60 in any minute, no header",
        limit=Sliding,
        manner=replace(SLOW, header=False),
        rows=600,
    ),
    Case(
        name="8/s, half of it taken by another client every 40 s",
        limit=lambda: Bucket(rates=_MINUTES),
        manner=QUIET,
    ),
    Case(
        name="4/s, burst of ten minutes, no header",
        limit=_rate(4, 2400),
        manner=QUIET,
        rows=4000,
        from_s=200,
    ),
    Case(
        name="8/s, each row looked up, which is counted elsewhere (8/s)",
        limit=_rate(8),
        look_ups=_rate(8),
        manner=QUIET,
    ),
    Case(
        name="8/s, each row looked up, which is counted elsewhere (4/s)",
        limit=_rate(8),
        look_ups=_rate(4, 4),
        manner=QUIET,
    ),
)
"""Limits that must not be taken for chance."""
CHANCES = tuple(
    Case(
        name=f"no limit, {share:.0%} of 429",
        limit=Unlimited,
        manner=replace(QUIET, latency_s=0.05, refusal_s=0.05, turned_away=share),
        rows=80,
    )
    for share in (0.1, 0.3)
)
"""Refusals that no pace can help, held against ten lines of script."""
NAMED_CHANCES = tuple(
    replace(
        case,
        name=f"{case.name}, Retry-After: 1",
        manner=replace(case.manner, header=True),
    )
    for case in CHANCES
)
"""The same where each refusal asks for a second."""


def case_of(name: str) -> Case:
    """A case by its name."""
    return next(case for case in (*CASES, *MORE_CASES) if case.name == name)
