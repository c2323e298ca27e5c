"""What others do about a limit that nobody told them; each is as good as its idea allows."""

from random import Random
from typing import Protocol

import anyio

from batchconnect.transport.interface import Request, Response, Transport

_CREATED = 201
_BASE_S, _CAP_S = 0.5, 20.0
_SLACK = 1e-6
"""Of a token: clocks round."""
_WAKE_S = 0.1


class Rival(Protocol):
    """One way of a whole lane."""

    async def send(self, service: Transport, request: Request) -> None:
        """Return when the request is served."""
        ...


def _backoff_s(tries: int, answer: Response, rng: Random) -> float:
    """Full jitter, and at least what the service asks for."""
    asked_s = float(answer.headers.get("retry-after", "0"))
    jitter_s = rng.random() * min(_CAP_S, _BASE_S * 2.0 ** min(tries, 10))
    return max(asked_s, jitter_s)


class Patient:
    """Ten lines of script: one row after the other, and a second's wait after each refusal."""

    def __init__(self, _rng: Random) -> None:
        self._turn = anyio.Lock()

    async def send(self, service: Transport, request: Request) -> None:
        """Again, until it is served."""
        async with self._turn:
            answer = await service.send(request)
            while answer.status != _CREATED:
                await anyio.sleep(max(1.0, float(answer.headers.get("retry-after", "0"))))
                answer = await service.send(request)


class Fixed:
    """A fixed number at once, each with backoff by itself: the usual worker pool."""

    def __init__(self, at_once: int, rng: Random) -> None:
        self._slots = anyio.CapacityLimiter(at_once)
        self._rng = rng

    async def send(self, service: Transport, request: Request) -> None:
        """A worker keeps its row, and so its place, until it is served."""
        async with self._slots:
            tries = 0
            while (answer := await service.send(request)).status != _CREATED:
                await anyio.sleep(_backoff_s(tries, answer, self._rng))
                tries += 1


class Aimd:
    """As TCP does it: one more at once for each full round, half as many after a refusal."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._window = 4.0
        self._out = 0
        self._freed = anyio.Event()
        self._cut_at = -1.0

    async def send(self, service: Transport, request: Request) -> None:
        """A place is given back while the row waits for its next try."""
        tries = 0
        while True:
            while self._out >= int(self._window):
                await self._freed.wait()
            self._out += 1
            sent_at = anyio.current_time()
            answer = await service.send(request)
            self._out -= 1
            self._hear(answer, sent_at)
            self._freed.set()
            self._freed = anyio.Event()
            if answer.status == _CREATED:
                return
            await anyio.sleep(_backoff_s(tries, answer, self._rng))
            tries += 1

    def _hear(self, answer: Response, sent_at: float) -> None:
        if answer.status == _CREATED:
            self._window = min(64.0, self._window + 1 / self._window)
        elif sent_at >= self._cut_at:
            self._window = max(1.0, self._window / 2)
            self._cut_at = anyio.current_time()


class Cubic:
    """
    The adaptive mode of botocore: a token bucket whose rate follows the cubic curve of CUBIC TCP.

    Rate is cut x0.7 at each refusal, of what was measured (half-second buckets, smoothed 0.8) or of the
    rate if that is less; it is never more than twice what was measured; the bucket is on from the first
    refusal. Kinder than botocore itself: it retries as often as it takes, obeys `Retry-After`, and
    hears a 500 as throttling, which there is a fault like any other.

    Source: botocore/retries/adaptive.py, bucket.py, throttling.py.
    """

    _BETA, _SCALE, _SMOOTH = 0.7, 0.4, 0.8

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._enabled = False
        self._fill = self._capacity = 1.0
        self._tokens = 0.0
        self._filled_at = self._throttled_at = 0.0
        self._max = 0.0
        self._measured = 0.0
        self._bucket_at = 0.0
        self._count = 0
        self._gate = anyio.Lock()

    async def send(self, service: Transport, request: Request) -> None:
        """Each try pays a token."""
        tries = 0
        while True:
            await self._acquire()
            answer = await service.send(request)
            self._hear(anyio.current_time(), refused=answer.status != _CREATED)
            if answer.status == _CREATED:
                return
            await anyio.sleep(_backoff_s(tries, answer, self._rng))
            tries += 1

    async def _acquire(self) -> None:
        async with self._gate:
            while self._enabled:
                self._refill(anyio.current_time())
                if self._tokens >= 1 - _SLACK:
                    self._tokens -= 1
                    return
                # A rate that changes meanwhile is noticed soon.
                await anyio.sleep(min((1 - self._tokens) / self._fill, _WAKE_S))

    def _refill(self, now: float) -> None:
        earned = (now - self._filled_at) * self._fill
        self._tokens = min(self._capacity, self._tokens + earned)
        self._filled_at = now

    def _hear(self, now: float, *, refused: bool) -> None:
        self._measure(now)
        if refused:
            rate = min(self._measured, self._fill) if self._enabled else self._measured
            self._max, self._throttled_at, self._enabled = rate, now, True
            new = rate * self._BETA
        else:
            root = (self._max * (1 - self._BETA) / self._SCALE) ** (1 / 3)
            new = self._SCALE * (now - self._throttled_at - root) ** 3 + self._max
        new = min(new, 2 * self._measured)
        self._refill(now)
        self._fill = max(new, 0.5)
        self._capacity = max(new, 1.0)
        self._tokens = min(self._tokens, self._capacity)

    def _measure(self, now: float) -> None:
        bucket = int(now * 2) / 2
        self._count += 1
        if bucket > self._bucket_at:
            rate = self._count / (bucket - self._bucket_at)
            self._measured = rate * self._SMOOTH + self._measured * (1 - self._SMOOTH)
            self._count, self._bucket_at = 0, bucket
