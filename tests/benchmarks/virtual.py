"""
The pace of a lane in virtual time, beside what others do, on the same hidden limits.

Hours pass in seconds, and the same seed gives the same figures, but for the order in which trio wakes tasks of
one moment, which it shuffles: half a point here and there. They decide whether a change of the pace is one for
the better.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from random import Random
from statistics import median

import anyio
import trio.testing

from batchconnect.flow_service.answer import ObjectCreated
from batchconnect.lane.lane import Lane, Limits
from batchconnect.lane.pool import Pool
from batchconnect.model.org import Org
from batchconnect.model.secret import Secret
from batchconnect.model.target import Target
from batchconnect.transport.interface import Purpose, Request
from batchconnect.validation.connection import BaseConnection
from tests.benchmarks.hidden import CHANGES, CHANGING, Case, Service
from tests.benchmarks.rivals import Aimd, Cubic, Fixed, Patient, Rival

CREATE = Request(purpose=Purpose.CREATE, method="POST", url="https://loopback/connections")
WORKERS = 64
_ORG = Org(
    key="acme",
    org_id="AAAAAAAAAAAAAAAAAAAAAAAA@AdobeOrg",
    client_id="client",
    access_token=Secret("loopback-token"),
    platform_url="https://loopback",
)
_CONNECTION = BaseConnection(
    row=2,
    org=_ORG,
    sandbox="prod",
    name="Acme",
    target=Target(
        endpoint="https://acme.westeurope.kusto.windows.net",
        database="telemetry",
        tenant="acme.onmicrosoft.com",
        service_principal_id="0d1ff3c1-7c0a-4b0e-9d7e-2f1f6b8f3a11",
    ),
    service_principal_key=Secret("made-up-key"),
    marker="bc1-" + "a" * 26,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """How a limit was met."""

    used: float
    """Share of what the limit allowed, from the case's `from_s` to the last row but the tail."""
    refused: float
    """Share of all requests."""
    seconds: float
    """Until the last row."""
    requests: int
    """Of all rows."""


Way = Callable[[Service, Random, int], Awaitable[None]]
"""Gets so many rows served."""


class _Ours:
    """A lane and its pool, as in a run; only the ledger is missing."""

    def __init__(self, service: Service, rng: Random, rows: int) -> None:
        self._is_looked_up = service.look_ups is not None
        limits = Limits(concurrency=WORKERS, patience_s=1e9)
        slots = anyio.CapacityLimiter(WORKERS)
        self._lane = Lane(_ORG, service, limits=limits, slots=slots, rng=rng)
        self._left = rows
        self._out = 0
        self._changed = anyio.Event()
        self._pool = Pool(
            take=self._take, more=self._more, work=self._work, capacity=self._lane.capacity
        )

    async def run(self) -> None:
        """Return when the last row is served."""
        self._lane.on_admitted = self._pool.recheck
        await self._pool.run()

    def _take(self) -> bool | None:
        if not self._left:
            return None
        self._left -= 1
        self._out += 1
        return True

    async def _more(self) -> bool:
        while not self._left:
            if not self._out:
                return False
            self._changed = anyio.Event()
            await self._changed.wait()
        return True

    async def _work(self, _row: bool) -> None:
        sent = await self._lane.create(_CONNECTION)
        if self._is_looked_up and isinstance(sent.answer, ObjectCreated):
            await self._lane.get(_CONNECTION.sandbox, sent.answer.connection_id)
        self._out -= 1
        # What comes back as 500 is settled beside the work, and sent again.
        self._left += not isinstance(sent.answer, ObjectCreated)
        self._changed.set()


async def ours(service: Service, rng: Random, rows: int) -> None:
    """As a run does it."""
    await _Ours(service, rng, rows).run()


def rival(make: Callable[[Random], Rival]) -> Way:
    """Another way: one object for the whole lane, and workers that each carry one row."""

    async def run(service: Service, rng: Random, rows: int) -> None:
        way = make(rng)
        left = iter(range(rows))

        async def worker() -> None:
            for _ in left:
                await way.send(service, CREATE)

        async with anyio.create_task_group() as tasks:
            for _ in range(WORKERS):
                tasks.start_soon(worker)

    return run


OURS, PATIENT = "batchconnect", "a loop that waits a second"
WAYS: dict[str, Way] = {
    OURS: ours,
    PATIENT: rival(Patient),
    "20 at once": rival(lambda rng: Fixed(20, rng)),
    "5 at once": rival(lambda rng: Fixed(5, rng)),
    "AIMD on concurrency": rival(Aimd),
    "botocore's cubic": rival(Cubic),
}


def first_minutes(case: Case, seed: int, seconds: float = 300.0) -> tuple[float, float]:
    """Shares of the first minutes, from the first request on: used of the limit, and refused of the requests."""
    clock = trio.testing.MockClock(autojump_threshold=0)
    service = anyio.run(_served, case, ours, seed, backend="trio", backend_options={"clock": clock})
    done, refused = (
        sum(at < seconds for at in moments)
        for moments in (service.served + service.broken, service.refused)
    )
    return done / case.allowed(0.0, seconds), refused / (done + refused)


def meet(case: Case, way: Way, seed: int) -> Met:
    """Send the rows of a case, in virtual time."""
    return anyio.run(
        _meet,
        case,
        way,
        seed,
        backend="trio",
        backend_options={"clock": trio.testing.MockClock(autojump_threshold=0)},
    )


async def _meet(case: Case, way: Way, seed: int) -> Met:
    service = await _served(case, way, seed)
    done = sorted(service.served + service.broken)
    shown = len(service.shown)
    return met(case, done, service.refused, seconds=anyio.current_time(), shown=shown)


def met(
    case: Case, done: Sequence[float], refused: Sequence[float], *, seconds: float, shown: int = 0
) -> Met:
    """
    How a limit was met.

    Args:
        case: The limit.
        done: When it let a request pass, in seconds since the first.
        refused: When it refused one.
        seconds: Until the last row.
        shown: Look-ups that were served by a limit of their own.
    """
    # The last rows are fewer than the workers: what they do says nothing of the pace.
    end = done[-WORKERS // 2]
    counted = sum(case.from_s <= at <= end for at in done)
    requests = len(done) + len(refused) + shown
    return Met(
        used=counted / case.allowed(case.from_s, end),
        refused=len(refused) / requests,
        seconds=seconds,
        requests=requests,
    )


async def _served(case: Case, way: Way, seed: int) -> Service:
    service = case.service(seed)
    await way(service, Random(seed), case.rows)
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
        requests=round(median(one.requests for one in met)),
    )
