"""
The ring that makes every try of a request wait for its turn, at the pace of its lane and within the
number of requests that all lanes together may have in flight.
"""

from collections.abc import Callable

import anyio

from batchconnect.transport.interface import Purpose, Request, Response, Transport, TransportError
from batchconnect.transport.load import Judge
from batchconnect.transport.pace import TICK_S, RateLimiter
from batchconnect.transport.retry_after import retry_after_s
from batchconnect.transport.stop import StopSignal


class RateLimited:
    """
    Admits the requests of one lane one by one, in the order in which they came.

    Args:
        inner: The ring within.
        limiter: The pace of this lane.
        slots: Requests in flight over all lanes. A lane asks for one only when its own pace would let
            it go, and has never more than one waiter there: that is what makes it fair.
        judge: What an answer says about the load.
        stop: Ends the waiting of requests that have not left.
        admitted: Told of each grant, as the request leaves.
        time_s: The running loop's clock.
    """

    def __init__(
        self,
        inner: Transport,
        limiter: RateLimiter,
        *,
        slots: anyio.CapacityLimiter,
        judge: Judge,
        stop: StopSignal,
        admitted: Callable[[], None] = lambda: None,
        time_s: Callable[[], float] = anyio.current_time,
    ) -> None:
        self._inner = inner
        self._limiter = limiter
        self._slots = slots
        self._judge = judge
        self._stop = stop
        self._admitted = admitted
        self._time_s = time_s
        self._gate = anyio.Lock(fast_acquire=True)
        self._ended: anyio.Event | None = None

    async def send(self, request: Request) -> Response:
        """
        Wait for the turn, then send.

        Raises:
            TransportError: As of the ring within; or stopped while it waited, nothing sent.
        """
        slot = object()
        sent_at = await self._admit(request.purpose, slot)
        out = self._limiter.in_flight
        request.departure.may_have_left = True
        try:
            response = await self._inner.send(request)
        except TransportError as error:
            self._limiter.lost(self._time_s(), sent_at, sent=error.sent)
            raise
        else:
            self._limiter.answered(
                self._time_s(),
                sent_at,
                self._judge(response),
                retry_after_s(response.headers),
                out=out,
            )
            return response
        finally:
            self._limiter.done()
            self._slots.release_on_behalf_of(slot)
            self.wake()

    def wake(self) -> None:
        """Let the one who waits ask again at once, after the pace was changed from outside."""
        if self._ended is not None:
            self._ended.set()

    async def _admit(self, purpose: Purpose, slot: object) -> float:
        """Wait in the lane's queue; the moment of the grant is the moment when this returns."""
        self._stop.check(purpose)
        # Most often nobody waits, and nothing has to be waited for: then a lock and a cancel scope
        # would be a tenth of what the whole request costs us.
        if not self._gate.locked():
            now = self._time_s()
            if self._limiter.wait_s(now) == 0 and self._takes_slot(slot):
                return self._leave(now)
        with self._stop.guard(purpose):
            async with self._gate:
                while True:
                    await self._wait_for_pace()
                    if not self._takes_slot(slot):
                        await self._slots.acquire_on_behalf_of(slot)
                    # Waiting for the slot took time, and a pause may have come up meanwhile: a slot is
                    # never held for a pace that would not let the request go now.
                    now = self._time_s()
                    if self._stop.code(purpose) is None and self._limiter.wait_s(now) == 0:
                        return self._leave(now)
                    self._slots.release_on_behalf_of(slot)
                    self._stop.check(purpose)
        raise AssertionError("the guard raises where it cuts off")  # pragma: no cover - for mypy

    def _takes_slot(self, slot: object) -> bool:
        try:
            self._slots.acquire_on_behalf_of_nowait(slot)
        except anyio.WouldBlock:
            return False
        return True

    def _leave(self, now: float) -> float:
        self._limiter.take(now)
        self._admitted()
        return now

    async def _wait_for_pace(self) -> None:
        while wait_s := self._limiter.wait_s(self._time_s()):
            self._ended = anyio.Event()
            with anyio.move_on_after(max(wait_s, TICK_S)):  # a shorter timer would spin
                await self._ended.wait()
        self._ended = None
