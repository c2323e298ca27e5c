"""
The outermost ring: tries again what surely was not applied, or changes nothing, within named bounds.

A create has no idempotency key. It is repeated only after an answer that refused it before it was
applied, or after a fault whose trace proves that no byte left. All else goes up, as a doubt.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus
from random import Random
from typing import Final, TypeGuard

import anyio

from batchconnect.model.defaults import PATIENCE_S
from batchconnect.model.event import BANNED_UNTIL
from batchconnect.model.value import Value, replace
from batchconnect.transport.interface import Purpose, Request, Response, Transport, TransportError
from batchconnect.transport.load import Judge, Signal
from batchconnect.transport.retry_after import RETRY_AFTER_JITTER_S, retry_after_s
from batchconnect.transport.stop import StopSignal

_SERVER_FAULT: Final = HTTPStatus.INTERNAL_SERVER_ERROR
"""By name: an enum's member takes longer to be looked up than to be compared, and each row's answer is."""
_LOOKS: Final = frozenset({Purpose.READ, Purpose.TOKEN})
"""What a first contact is made of."""
NO_PROGRESS = "no_progress"
"""The code of what gave up because its lane got no normal answer for the length of its patience."""


class Again(Enum):
    """Whether a request may be tried once more."""

    NO = auto()
    """Its answer stands."""
    COUNTED = auto()
    """Yes, as one of the attempts of the policy."""
    UNBUDGETED = auto()
    """Yes, without using an attempt up, for as long as the lane's patience lasts."""


Rule = Callable[[Request, Response | TransportError], Again]


def not_applied(judge: Judge) -> Rule:
    """
    The rule of a lane (contract, section 5).

    1. THROTTLED: free, whatever the request is for.
    2. A create: free if the trace proves that nothing was sent; otherwise never.
    3. A read, or an update that names the etag: counted after a fault of the network or of the server (5xx).
    4. A delete: never; it is sent again only by who has looked again.
    """

    def rule(request: Request, answer: Response | TransportError) -> Again:
        if request.purpose is Purpose.DELETE:
            return Again.NO
        if isinstance(answer, Response):
            if judge(answer) is Signal.THROTTLED:
                return Again.UNBUDGETED
            repeat = request.purpose is not Purpose.CREATE and is_server_fault(answer)
            return Again.COUNTED if repeat else Again.NO
        if answer.permanent:
            return Again.NO
        if request.purpose is Purpose.CREATE:
            return Again.NO if answer.sent else Again.UNBUDGETED
        return Again.COUNTED

    return rule


def passing(_request: Request, answer: Response | TransportError) -> Again:
    """The rule of token requests (contract, section 7): counted after 429, 5xx and network faults."""
    if isinstance(answer, TransportError):
        return Again.NO if answer.permanent else Again.COUNTED
    throttled = answer.status == HTTPStatus.TOO_MANY_REQUESTS
    return Again.COUNTED if throttled or is_server_fault(answer) else Again.NO


def is_server_fault(response: Response) -> bool:
    """Whether the status is one of the 5xx."""
    return response.status >= _SERVER_FAULT


class RetryPolicy(Value):
    """How often and how long a request is tried again: full jitter on an exponential backoff."""

    attempts: int = 5
    """Counted tries at most, the first one included."""
    base_s: float = 0.5
    """Seconds: the upper bound of the first wait; it doubles with every further one."""
    cap_s: float = 30.0
    """Seconds: no backoff is longer."""
    total_s: float = 300.0
    """Seconds from the first counted failure until no further wait begins; what the service asked for is
    waited for whole, and does not count."""

    def next_wait(self, attempt: int, retry_after_s: float | None, jitter: float) -> float | None:
        """
        Decide how long to wait before the next attempt.

        Args:
            attempt: Number of the attempt that just failed; the first is 1.
            retry_after_s: Seconds the service asked for, None if it named none.
            jitter: A number in [0, 1), drawn by the caller.

        Returns:
            Seconds to wait, or None to stop.

        Raises:
            ValueError: *attempt* is below 1.

        Source:
            RFC 9110, section 10.2.3 (Retry-After).
        """
        wait_s = self.wait(attempt, retry_after_s, jitter)
        return wait_s if attempt < self.attempts else None

    def wait(self, attempt: int, retry_after_s: float | None, jitter: float) -> float:
        """As `next_wait`, for failures that use no attempt up."""
        if attempt < 1:
            raise ValueError("the first attempt is number 1")
        if retry_after_s is not None:
            return retry_after_s + RETRY_AFTER_JITTER_S * jitter
        return jitter * min(self.cap_s, self.base_s * 2.0 ** min(attempt - 1, 50))


class Patience:
    """
    How long a lane may go without a normal answer; shared by all requests of the lane.

    It runs from the first setback after the last progress, so a lane that had nothing to send loses
    none of it.
    """

    def __init__(self, limit_s: float = PATIENCE_S) -> None:
        self._limit_s = limit_s
        self._since: float | None = None
        self.is_first = True
        """Whether no normal answer ever came: what fails now is the first contact."""

    def bears(self, seconds: float) -> bool:
        """Whether a wait that the service asks for is no longer than this."""
        return seconds <= self._limit_s

    def progress(self) -> None:
        """A normal answer came."""
        self._since = None
        self.is_first = False

    def begin(self, now: float) -> None:
        """Count a setback."""
        if self._since is None:
            self._since = now

    def is_out(self, now: float) -> bool:
        """Count a setback; whether the patience is at its end with it."""
        self.begin(now)
        assert self._since is not None
        return now - self._since >= self._limit_s


class Retrying:
    """
    Tries a request until it has an answer that stands.

    Args:
        inner: The ring within.
        policy: The bounds of counted tries, and the backoff of all.
        on: What is tried again; always named, there is no default.
        rng: Draws the jitter.
        patience: The bound of all tries. When it is out, the lane is stopped as `no_progress`, or by the cause
            where there never was a normal answer. Until there was one, a read is tried for as long as it lasts.
        stop: Ends waiting.
        banned: Told that the service asks to stay away for so many seconds, longer than the patience; it
            is to set the stop, as `BANNED_UNTIL`.
        asked: Told of every wait that the service asks for, and that is borne.
        missed: Told of each try that reached nobody and is repeated, and at the first contact of each that came
            to nothing: code and detail.
    """

    def __init__(
        self,
        inner: Transport,
        policy: RetryPolicy,
        *,
        on: Rule,
        rng: Random,
        patience: Patience,
        stop: StopSignal,
        banned: Callable[[float], None] | None = None,
        asked: Callable[[float], None] = lambda _seconds: None,
        missed: Callable[[str, str], None] = lambda _code, _detail: None,
    ) -> None:
        self._missed = missed
        self._banned = banned or (lambda _seconds: stop.set(BANNED_UNTIL))
        self._asked = asked
        self._inner = inner
        self._policy = policy
        self._on = on
        self._rng = rng
        self._patience = patience
        self._stop = stop
        self.retried = 0
        """Tries after the first, of all requests."""

    async def send(self, request: Request) -> Response:
        """
        Send, and send again as the rule allows.

        Returns:
            The last answer, with the tries and the throttled ones among them.

        Raises:
            TransportError: The last fault, with the same counts; or stopped while it waited, and then
                a create was surely not applied; an update may have been, where `lost` says so.
        """
        attempts: _Attempts | None = None
        while True:
            # What was tried before was surely not applied, unless its token was refused; and this try waits
            # in the rings within.
            request.departure.may_have_left = attempts is not None and (
                attempts.token_refused
                or (request.purpose is Purpose.UPDATE and attempts.counted > 0)
            )
            answer: Response | TransportError
            try:
                answer = await self._inner.send(request)
            except TransportError as error:
                answer = error
            again = self._on(request, answer)
            if attempts is None:
                if again is Again.NO and _is_plain(answer):
                    # Most answers: the first one stands, and there is nothing to be counted.
                    self._patience.progress()
                    return answer
                attempts = _Attempts()
            attempts.record(
                answer, throttled=isinstance(answer, Response) and again is Again.UNBUDGETED
            )
            if request.purpose is Purpose.UPDATE and again is Again.COUNTED:
                attempts.lost = attempts.lost or isinstance(answer, Response) or answer.sent
            wait_s = self._wait_s(request, attempts, answer, again)
            if wait_s is None:
                return attempts.result(answer)
            try:
                await self._stop.sleep(request.purpose, wait_s)
            except TransportError as stopped:
                return attempts.record(stopped).result(stopped)
            self.retried += 1

    def _wait_s(
        self,
        request: Request,
        attempts: "_Attempts",
        answer: Response | TransportError,
        again: Again,
    ) -> float | None:
        """Seconds until the next try, None where the answer stands."""
        asked_s = _asked_s(answer, again)
        if asked_s is None or self._patience.bears(asked_s):
            wait_s = self._next_wait(request, attempts, answer, again, asked_s)
            if asked_s is not None and wait_s is not None:
                self._asked(asked_s)
            return wait_s
        # Told by whatever answer, it goes for the whole lane; what may be tried again ends unsent, by the stop.
        self._banned(asked_s)
        return None if again is Again.NO else 0.0

    def _next_wait(
        self,
        request: Request,
        attempts: "_Attempts",
        answer: Response | TransportError,
        again: Again,
        asked_s: float | None,
    ) -> float | None:
        if again is Again.NO:
            if isinstance(answer, Response) and not is_server_fault(answer):
                self._patience.progress()
            return None
        now, jitter = anyio.current_time(), self._rng.random()
        is_first = self._patience.is_first and request.purpose in _LOOKS
        if self._patience.is_out(now):
            self._give_up(request, answer, is_first=is_first)
            return None
        wait_s = self._backoff(
            attempts, again, asked_s, jitter, now, is_first=is_first and not self._is_token(request)
        )
        if wait_s is not None and (is_first or _is_unsent(answer)):
            self._missed(*_cause(answer))
        return wait_s

    @staticmethod
    def _is_token(request: Request) -> bool:
        return request.purpose is Purpose.TOKEN

    def _give_up(
        self, request: Request, answer: Response | TransportError, *, is_first: bool
    ) -> None:
        """Stop the lane; who asked IMS in vain for the first time leaves that to the request behind it."""
        if not is_first:
            self._stop.set(NO_PROGRESS)
        elif not self._is_token(request):
            code, detail = _cause(answer)
            self._stop.set(code, detail=detail)

    def _backoff(
        self,
        attempts: "_Attempts",
        again: Again,
        asked_s: float | None,
        jitter: float,
        now: float,
        *,
        is_first: bool,
    ) -> float | None:
        if again is Again.UNBUDGETED or is_first:
            attempts.free += 1
            return self._policy.wait(attempts.free, asked_s, jitter)
        attempts.counted += 1
        if attempts.counted_since is None:
            attempts.counted_since = now
        wait_s = self._policy.next_wait(attempts.counted, asked_s, jitter)
        if asked_s is not None:
            attempts.counted_since += asked_s
            return wait_s
        late = wait_s is not None and now + wait_s - attempts.counted_since > self._policy.total_s
        return None if late else wait_s


def _is_plain(answer: Response | TransportError) -> TypeGuard[Response]:
    """Whether it is a normal answer, of which no ring within has counted anything."""
    return (
        isinstance(answer, Response)
        and not is_server_fault(answer)
        and not (answer.throttled or answer.lost)
    )


def _is_unsent(answer: Response | TransportError) -> bool:
    return isinstance(answer, TransportError) and not answer.sent


def _cause(answer: Response | TransportError) -> tuple[str, str]:
    """Code and detail of what a try came to nothing by."""
    if isinstance(answer, TransportError):
        return answer.code, answer.detail
    return f"http-{answer.status}", f"HTTP {answer.status}"


def _asked_s(answer: Response | TransportError, again: Again) -> float | None:
    """Seconds that the service asks to stay away, where the answer is one by which it may."""
    if isinstance(answer, TransportError):
        return None
    may_ask = again is not Again.NO or is_server_fault(answer)
    return retry_after_s(answer.headers) if may_ask else None


@dataclass(slots=True)
class _Attempts:
    """What the tries of one request came to so far."""

    tries: int = 0
    throttled: int = 0
    counted: int = 0
    counted_since: float | None = None
    free: int = 0
    token_refused: bool = False
    lost: bool = False

    def record(self, answer: Response | TransportError, *, throttled: bool = False) -> "_Attempts":
        self.tries += answer.attempts
        self.throttled += throttled
        self.token_refused = self.token_refused or answer.token_refused
        return self

    def result(self, answer: Response | TransportError) -> Response:
        if isinstance(answer, Response):
            counts = (answer.attempts, answer.throttled, answer.lost)
            if counts == (self.tries, self.throttled, self.lost):
                return answer
            return replace(
                answer,
                attempts=self.tries,
                throttled=self.throttled,
                token_refused=self.token_refused,
                lost=self.lost,
            )
        answer.attempts, answer.throttled = self.tries, self.throttled
        answer.token_refused, answer.lost = self.token_refused, self.lost
        raise answer
