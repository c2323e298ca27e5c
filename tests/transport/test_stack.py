"""The five rings together: retry > authorize > pace > sign > wire. The order is behaviour."""

from itertools import pairwise
from random import Random

import anyio
import pytest

from batchconnect.model.org import Org
from batchconnect.model.secret import Secret
from batchconnect.transport.ims import Authorized, Signed, Token
from batchconnect.transport.interface import Purpose, Request, Response, TransportError
from batchconnect.transport.load import Signal
from batchconnect.transport.pace import RateLimiter
from batchconnect.transport.rate_limit import RateLimited
from batchconnect.transport.retry import Patience, Retrying, RetryPolicy, not_applied, passing
from batchconnect.transport.stop import StopSignal

pytestmark = pytest.mark.anyio

ORG = Org(key="acme", org_id="ABC@AdobeOrg", client_id="c", client_secret=Secret("canary-secret"))


def judge(response: Response) -> Signal:
    return Signal.THROTTLED if response.status == 429 else Signal.OK


class Platform:
    """IMS and gateway in one: every third request is unsent, every fourth throttled, tokens expire."""

    def __init__(self) -> None:
        self.tokens = 0
        self.seen: list[float] = []
        self.created = 0

    async def send(self, request: Request) -> Response:
        if request.purpose is Purpose.TOKEN:
            self.tokens += 1
            return Response(
                status=200, body=b'{"access_token":"t%d","expires_in":86399}' % self.tokens
            )
        assert request.departure.may_have_left, "whoever holds it no more says so"
        self.seen.append(anyio.current_time())
        number = len(self.seen)
        if number >= 50 and request.headers["Authorization"] == "Bearer t1":
            return Response(status=401)
        if number % 4 == 0:
            return Response(status=429, headers={"retry-after": "1"})
        if number % 7 == 0:
            raise TransportError("refused", sent=False)
        self.created += 1
        return Response(status=201)


async def test_every_try_pays_the_toll_and_every_row_is_created_once() -> None:
    """Retries, second tries after a refresh, all of them wait their turn: none closer than 0.1 s."""
    platform, stop, rng = Platform(), StopSignal(), Random(3)
    slots = anyio.CapacityLimiter(8)
    limiter = RateLimiter(org=ORG.key, host="h", rng=rng, rate=10)
    patience = Patience()
    sign_in = Retrying(platform, RetryPolicy(), on=passing, rng=rng, patience=patience, stop=stop)
    token = Token(ORG, sign_in)
    signed = Signed(platform, token, stop=stop)
    paced = RateLimited(signed, limiter, slots=slots, judge=judge, stop=stop)
    authorized = Authorized(paced, token, is_stale=lambda answer: answer.status == 401, stop=stop)
    ring = Retrying(
        authorized, RetryPolicy(), on=not_applied(judge), rng=rng, patience=patience, stop=stop
    )
    answers: list[Response] = []

    async def row() -> None:
        answers.append(
            await ring.send(
                Request(purpose=Purpose.CREATE, method="POST", url="https://h/connections")
            )
        )

    async with anyio.create_task_group() as group:
        for _ in range(100):
            group.start_soon(row)

    assert [answer.status for answer in answers] == [201] * 100
    assert platform.created == 100
    assert min(later - earlier for earlier, later in pairwise(platform.seen)) >= 0.1 - 1e-6
    assert platform.tokens == 2
    assert sum(answer.attempts for answer in answers) == len(platform.seen) == limiter.counted.sent
    assert sum(answer.throttled for answer in answers) == limiter.counted.throttled
    assert (slots.borrowed_tokens, limiter.in_flight) == (0, 0)


class ShortLived:
    """Gives out tokens that it takes for four seconds, says what it likes of it, and pauses everybody once."""

    def __init__(self, *, said_s: float) -> None:
        self.said_s = said_s
        self.given: dict[str, float] = {}
        self.refused = self.created = 0
        self.is_paused = False

    async def send(self, request: Request) -> Response:
        now = anyio.current_time()
        if request.purpose is Purpose.TOKEN:
            name = f"t{len(self.given)}"
            self.given[name] = now
            body = f'{{"access_token":"{name}","expires_in":{self.said_s}}}'
            return Response(status=200, body=body.encode())
        await anyio.sleep(0.1)
        if not self.is_paused and self.created == 3:
            self.is_paused = True
            return Response(status=429, headers={"retry-after": "6"})
        if now - self.given[request.headers["Authorization"].removeprefix("Bearer ")] > 4:
            self.refused += 1
            return Response(status=401)
        self.created += 1
        return Response(status=201)


@pytest.mark.parametrize("said_s", [4, 86399])
async def test_a_pause_longer_than_a_tokens_life_stops_nobody(said_s: float) -> None:
    """Retry-After 6, tokens of 4 s: each request bears a token of now, so none is refused twice."""
    platform, stop, rng = ShortLived(said_s=said_s), StopSignal(), Random(3)
    token = Token(ORG, platform)
    limiter = RateLimiter(org=ORG.key, host="h", rng=rng, rate=2)
    paced = RateLimited(
        Signed(platform, token, stop=stop),
        limiter,
        slots=anyio.CapacityLimiter(8),
        judge=judge,
        stop=stop,
    )
    ring = Retrying(
        Authorized(paced, token, is_stale=lambda answer: answer.status == 401, stop=stop),
        RetryPolicy(),
        on=not_applied(judge),
        rng=rng,
        patience=Patience(),
        stop=stop,
    )
    answers: list[Response] = []

    async def row() -> None:
        answers.append(
            await ring.send(
                Request(purpose=Purpose.CREATE, method="POST", url="https://h/connections")
            )
        )

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(row)

    assert [answer.status for answer in answers] == [201] * 20
    assert platform.is_paused
    assert sum(answer.token_refused for answer in answers) == platform.refused
    assert (platform.refused == 0) == (said_s == 4)


class Breaking(RateLimiter):
    """A pace that fails at its N-th grant in a way that nobody foresaw."""

    breaks_at = 0

    def take(self, now: float) -> None:
        """As `RateLimiter.take`, until it breaks."""
        self.breaks_at -= 1
        if self.breaks_at == 0:
            raise KeyError
        super().take(now)


@pytest.mark.parametrize("breaks_at", [1, 2])
async def test_what_was_surely_not_applied_and_waits_again_has_not_left(breaks_at: int) -> None:
    """A fault in a ring tells nothing; the request itself does, through a stamped copy of it too."""
    answers = iter([Response(status=429), Response(status=201)])

    class Gateway:
        async def send(self, request: Request) -> Response:
            assert request.departure.may_have_left
            return next(answers)

    stop, rng = StopSignal(), Random(3)
    org = Org(key="acme", org_id="ABC@AdobeOrg", client_id="c", access_token=Secret("ready-token"))
    limiter = Breaking(org=org.key, host="h", rng=rng, rate=10)
    limiter.breaks_at = breaks_at
    token = Token(org, Gateway())
    signed = Signed(Gateway(), token, stop=stop)
    paced = RateLimited(signed, limiter, slots=anyio.CapacityLimiter(1), judge=judge, stop=stop)
    authorized = Authorized(paced, token, is_stale=lambda answer: False, stop=stop)
    ring = Retrying(
        authorized, RetryPolicy(), on=not_applied(judge), rng=rng, patience=Patience(), stop=stop
    )
    request = Request(purpose=Purpose.CREATE, method="POST", url="https://h/connections")

    assert request.departure.may_have_left, "where no ring tells"
    with pytest.raises(KeyError):
        await ring.send(request)

    assert not request.departure.may_have_left
