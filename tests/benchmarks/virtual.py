"""
The pace of a lane in virtual time, beside what others do, on the same hidden limits.

Hours pass in seconds, and the same seed gives the same figures: they decide whether a change of the
pace is one for the better.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from statistics import median
from typing import Protocol

import anyio
import trio.testing

from batchconnect.lane import judge_load
from batchconnect.transport.interface import Purpose, Request, Transport
from batchconnect.transport.pace import RateLimiter
from batchconnect.transport.rate_limit import RateLimited
from batchconnect.transport.retry import Patience, Retrying, RetryPolicy, not_applied
from batchconnect.transport.stop import StopSignal
from tests.benchmarks.hidden import CHANGES, CHANGING, Case, Service
from tests.benchmarks.rivals import Aimd, Cubic, Fixed, Rival

CREATE = Request(purpose=Purpose.CREATE, method="POST", url="https://loopback/connections")
_CREATED = 201
WORKERS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """How a limit was met."""

    used: float
    """Share of what the limit allowed, from the case's `from_s` to the last row but the tail."""
    refused: float
    """Share of all requests."""
    seconds: float
    """Until the last row."""


class Send(Protocol):
    """Sends one row until it is served."""

    async def __call__(self) -> None:
        """Return when it is served."""
        ...


def ours(service: Service, rng: Random) -> Send:
    """The lane's own rings."""
    stop = StopSignal()
    pace = RateLimiter(org="acme", host="loopback", rng=rng)
    limited = RateLimited(
        service, pace, slots=anyio.CapacityLimiter(WORKERS), judge=judge_load, stop=stop
    )
    ring: Transport = Retrying(
        limited,
        RetryPolicy(),
        on=not_applied(judge_load),
        rng=rng,
        patience=Patience(1e9),
        stop=stop,
    )

    async def send() -> None:
        # What comes back as 500 is settled beside the work, and sent again.
        while (await ring.send(CREATE)).status != _CREATED:
            pass

    return send


def rival(make: Callable[[Random], Rival]) -> Callable[[Service, Random], Send]:
    """Another way, as one object for the whole lane."""

    def made(service: Service, rng: Random) -> Send:
        way = make(rng)

        async def send() -> None:
            await way.send(service, CREATE)

        return send

    return made


OURS = "batchconnect"
WAYS: dict[str, Callable[[Service, Random], Send]] = {
    OURS: ours,
    "20 at once": rival(lambda rng: Fixed(20, rng)),
    "5 at once": rival(lambda rng: Fixed(5, rng)),
    "AIMD on concurrency": rival(Aimd),
    "botocore's cubic": rival(Cubic),
}


def meet(case: Case, way: Callable[[Service, Random], Send], seed: int) -> Met:
    """Send the rows of a case, in virtual time."""
    return anyio.run(
        _meet,
        case,
        way,
        seed,
        backend="trio",
        backend_options={"clock": trio.testing.MockClock(autojump_threshold=0)},
    )


async def _meet(case: Case, way: Callable[[Service, Random], Send], seed: int) -> Met:
    service = await _served(case, way, seed)
    done = sorted(service.served + service.broken)
    return met(case, done, service.refused, seconds=anyio.current_time())


def met(case: Case, done: Sequence[float], refused: Sequence[float], *, seconds: float) -> Met:
    """
    How a limit was met.

    Args:
        case: The limit.
        done: When it let a request pass, in seconds since the first.
        refused: When it refused one.
        seconds: Until the last row.
    """
    # The last rows are fewer than the workers: what they do says nothing of the pace.
    end = done[-WORKERS // 2]
    counted = sum(case.from_s <= at <= end for at in done)
    return Met(
        used=counted / case.limit().allowed(case.from_s, end),
        refused=len(refused) / (len(done) + len(refused)),
        seconds=seconds,
    )


async def _served(case: Case, way: Callable[[Service, Random], Send], seed: int) -> Service:
    service = case.service(seed)
    send = way(service, Random(seed))
    left = iter(range(case.rows))

    async def worker() -> None:
        for _ in left:
            await send()

    async with anyio.create_task_group() as tasks:
        for _ in range(WORKERS):
            tasks.start_soon(worker)
    return service


def changed(seed: int) -> tuple[float, float]:
    """Our lane at a limit that changes; see `found_again`."""
    clock = trio.testing.MockClock(autojump_threshold=0)
    service = anyio.run(
        _served, CHANGING, ours, seed, backend="trio", backend_options={"clock": clock}
    )
    return found_again(service.served, service.refused)


def found_again(served: Sequence[float], refused: Sequence[float]) -> tuple[float, float]:
    """
    How a limit was met that changes as `CHANGES` tells.

    Returns:
        Seconds until four fifths of a new limit are used, and no more than it: the longest; and the
        share refused after that.
    """
    found = {at: at + _found_s(served, at, rate) for at, rate in CHANGES[1:]}
    later = [*found, served[-1]]
    settled = [*zip(found.values(), later[1:], strict=True)]
    bad, good = (
        sum(since <= at < until for at in moments for since, until in settled)
        for moments in (refused, served)
    )
    longest = max(at - since for since, at in found.items())
    return longest, bad / (bad + good)


def _found_s(served: Sequence[float], at: float, rate: float) -> float:
    after = 5.0
    while not 0.8 * rate <= _per_second(served, at + after) <= 1.15 * rate:
        after += 0.5
    return after


def _per_second(served: Sequence[float], end: float) -> float:
    return sum(end - 5 <= at < end for at in served) / 5


def middle(case: Case, way: str, seeds: int = 5) -> Met:
    """The medians over some seeds."""
    met = [meet(case, WAYS[way], seed) for seed in range(seeds)]
    return Met(
        used=median(one.used for one in met),
        refused=median(one.refused for one in met),
        seconds=median(one.seconds for one in met),
    )
