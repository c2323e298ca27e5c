"""Fifty lanes side by side in virtual time: each at its own hidden limit, one paused, one denied."""

from collections.abc import Iterator, Sequence
from random import Random

import anyio
import trio.testing

from batchconnect.lane.lane import judge_load
from batchconnect.transport.interface import Request, Response, Transport, TransportError
from batchconnect.transport.pace import RateLimiter
from batchconnect.transport.rate_limit import RateLimited
from batchconnect.transport.retry import Patience, Retrying, RetryPolicy, not_applied
from batchconnect.transport.stop import StopSignal
from tests.benchmarks.hidden import Bucket, Manner, Service
from tests.benchmarks.table import Measure
from tests.benchmarks.virtual import CREATE

LANES, PAUSED, DENIED = 50, 7, 13
SLOTS = 64
SECONDS = 120.0
_FORBIDDEN = 403
_LEAST = 0.95


def many_lanes(*, quick: bool) -> Iterator[Measure]:
    """What each reaches among the others, against what it reaches alone."""
    others = [number for number in range(LANES) if number not in {PAUSED, DENIED}]
    looked_at = others[::6] if quick else others
    together = _served(range(LANES))
    shares = {number: together[number] / _served([number])[number] for number in looked_at}
    yield Measure(
        what=f"{LANES} orgs at their own hidden limits (1/s to 6/s), one paused, one denied, "
        f"{SLOTS} in flight over all; virtual time",
        target="each of the others within 5 % of what it reaches alone",
        got=f"{min(shares.values()):.1%} to {max(shares.values()):.1%} of it",
        met=min(shares.values()) >= _LEAST,
        figures={"shares": shares},
    )


class _Always:
    """Answers every request alike."""

    def __init__(self, status: int, headers: dict[str, str]) -> None:
        self._answer = Response(status=status, headers=headers)

    async def send(self, request: Request) -> Response:
        """Not served."""
        await anyio.sleep(0.1)
        return self._answer


def _served(numbers: Sequence[int]) -> dict[int, int]:
    """How many rows each of these lanes got served in so many seconds."""
    clock = trio.testing.MockClock(autojump_threshold=0)
    return anyio.run(_all, numbers, backend="trio", backend_options={"clock": clock})


async def _all(numbers: Sequence[int]) -> dict[int, int]:
    slots = anyio.CapacityLimiter(SLOTS)
    services = {number: _service(number) for number in numbers}
    with anyio.move_on_after(SECONDS):
        async with anyio.create_task_group() as tasks:
            for number, service in services.items():
                tasks.start_soon(_lane, number, service, slots)
    return {
        number: len(service.served)
        for number, service in services.items()
        if isinstance(service, Service)
    }


def _service(number: int) -> Service | _Always:
    if number == PAUSED:
        return _Always(429, {"retry-after": "300"})
    if number == DENIED:
        return _Always(_FORBIDDEN, {})
    rate = 1.0 + number % 6
    limit = Bucket(rates=((0.0, rate),), burst=rate)
    manner = Manner(latency_s=0.2, header=number % 2 == 0)
    return Service(limit, manner, Random(number))


async def _lane(number: int, service: Transport, slots: anyio.CapacityLimiter) -> None:
    stop = StopSignal()
    pace = RateLimiter(org=str(number), host="loopback", rng=Random(number))
    limited = RateLimited(service, pace, slots=slots, judge=judge_load, stop=stop)
    ring = Retrying(
        limited,
        RetryPolicy(),
        on=not_applied(judge_load),
        rng=Random(number),
        patience=Patience(1e9),
        stop=stop,
    )

    async def worker() -> None:
        while True:
            try:
                answer = await ring.send(CREATE)
            except TransportError:
                return
            if answer.status == _FORBIDDEN:
                stop.set("lane_stopped")

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(worker)
