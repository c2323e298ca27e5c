"""A lane in virtual time at a service that gets a share of its answers wrong, or all of them."""

from collections.abc import Callable
from random import Random

import anyio
import pytest

from batchconnect.transport.interface import Purpose, Request, Response
from batchconnect.transport.load import Signal
from batchconnect.transport.pace import RateLimiter
from batchconnect.transport.rate_limit import RateLimited
from batchconnect.transport.stop import StopSignal

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

CREATE = Request(purpose=Purpose.CREATE, method="POST", url="https://h/connections")
LATENCY_S = 0.1
IsServed = Callable[[float], bool]


class Service:
    """Takes on what it likes, and breaks a share of that by chance."""

    def __init__(self, takes_on: IsServed, broken: float, seed: int) -> None:
        self._takes_on = takes_on
        self._broken = broken
        self._rng = Random(seed)
        self.seen: list[float] = []
        self.refused: list[float] = []

    async def send(self, request: Request) -> Response:
        now = anyio.current_time()
        self.seen.append(now)
        takes_on, is_broken = self._takes_on(now), self._rng.random() < self._broken
        if not takes_on:
            self.refused.append(now)
        await anyio.sleep(LATENCY_S)
        return Response(status=201 if takes_on and not is_broken else 500)


class Bucket:
    """A hidden limit: so many a second, and a burst of as many."""

    def __init__(self, per_second: float) -> None:
        self.per_second = per_second
        self._tokens, self._at = per_second, 0.0

    def __call__(self, now: float) -> bool:
        earned = (now - self._at) * self.per_second
        self._tokens, self._at = min(self.per_second, self._tokens + earned), now
        if self._tokens < 1 - 1e-9:
            return False
        self._tokens -= 1
        return True


def everything(_now: float) -> bool:
    """No limit."""
    return True


async def sent(
    takes_on: IsServed, seconds: float, *, broken: float = 0.0, seed: int = 1
) -> Service:
    """Ask for as much as the lane allows, for so long."""
    service = Service(takes_on, broken, seed)
    pace = RateLimiter(org="acme", host="h", rng=Random(seed))
    ring = RateLimited(
        service,
        pace,
        slots=anyio.CapacityLimiter(64),
        judge=lambda answer: Signal.OK if answer.status == 201 else Signal.CONGESTION,
        stop=StopSignal(),
    )

    async def worker() -> None:
        while True:
            await ring.send(CREATE)

    with anyio.move_on_after(seconds):
        async with anyio.create_task_group() as tasks:
            for _ in range(30):
                tasks.start_soon(worker)
    return service


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("broken", [0.05, 0.14, 0.3])
async def test_faults_at_any_pace_slow_a_lane_for_a_minute_at_most(
    broken: float, seed: int
) -> None:
    """The share of 500s is found out; from then on the lane is nearly as fast as without them."""
    start = anyio.current_time()
    service = await sent(everything, 200, broken=broken, seed=seed)

    last = [at for at in service.seen if at >= start + 100]
    assert len(last) >= 0.7 * 20 * 100


@pytest.mark.parametrize("broken", [0.0, 0.05, 0.14])
async def test_a_limit_is_found_among_faults_that_it_did_not_make(broken: float) -> None:
    """8/s as 500, with usual 500s beside it: the limit is used, and not run against all the time."""
    service = await sent(Bucket(8), 250, broken=broken)

    refused = len(service.refused) / len(service.seen)
    assert refused <= (0.1 if broken else 0.02)
    assert len(service.seen) - len(service.refused) >= 0.85 * 8 * 250


@pytest.mark.parametrize("broken", [0.0, 0.14])
async def test_an_overload_is_answered_within_two_seconds(broken: float) -> None:
    """From 20/s to 2/s in one moment: after two seconds the lane asks for a fraction of what it did."""
    start = anyio.current_time()
    bucket = Bucket(1000)

    def falls(now: float) -> bool:
        bucket.per_second = 1000 if now - start < 60 else 2
        return bucket(now)

    service = await sent(falls, 70, broken=broken)
    late = [at for at in service.seen if 62.5 <= at - start < 67.5]

    assert len([at for at in service.seen if 55 <= at - start < 60]) > 80
    assert len(late) <= 0.3 * 20 * 5


@pytest.mark.parametrize("broken", [0.0, 0.3])
async def test_an_outage_slows_a_lane_to_a_probe(broken: float) -> None:
    """Where nothing is answered normally, a lane soon asks less than once a second."""
    start = anyio.current_time()
    service = await sent(lambda now: now - start < 120, 180, broken=broken)

    assert len([at for at in service.seen if 125 <= at - start < 130]) <= 40
    assert len([at for at in service.seen if 150 <= at - start < 180]) <= 20
