"""What surely was not applied is tried again, within its bounds; all else goes up as it is."""

import itertools
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random

import anyio
import pytest

from batchconnect.transport.interface import (
    Purpose,
    Request,
    Response,
    StoppedError,
    TransportError,
)
from batchconnect.transport.load import Signal
from batchconnect.transport.retry import (
    Again,
    Patience,
    Retrying,
    RetryPolicy,
    Rule,
    not_applied,
    passing,
)
from batchconnect.transport.stop import StopSignal

CREATE = Request(purpose=Purpose.CREATE, method="POST", url="https://h/connections")
READ = Request(purpose=Purpose.READ, method="GET", url="https://h/connections")
TOKEN = Request(purpose=Purpose.TOKEN, method="POST", url="https://ims/token")

OK = Response(status=201)
THROTTLED = Response(status=429)
BROKEN = Response(status=503)
UNSENT = ("refused", False)
LOST = ("timeout", True)


def judge(response: Response) -> Signal:
    if response.status == 429:
        return Signal.THROTTLED
    return Signal.CONGESTION if response.status >= 500 else Signal.OK


class Scripted:
    """Gives one answer after the other, the last one for ever."""

    def __init__(self, *answers: Response | tuple[str, bool] | TransportError) -> None:
        self._answers = answers
        self.seen: list[float] = []

    async def send(self, request: Request) -> Response:
        answer = self._answers[min(len(self.seen), len(self._answers) - 1)]
        self.seen.append(anyio.current_time())
        if isinstance(answer, Response):
            return answer
        raise TransportError(answer[0], sent=answer[1]) if isinstance(answer, tuple) else answer


class Most(Random):
    """Draws nearly the upper end of every range."""

    def random(self) -> float:
        return 1.0


def retrying(
    service: Scripted,
    *,
    policy: RetryPolicy | None = None,
    on: Rule | None = None,
    patience_s: float = 900,
    stop: StopSignal | None = None,
    is_first: bool = False,
    missed: Callable[[str, str], None] = lambda _code, _detail: None,
) -> Retrying:
    patience = Patience(patience_s)
    if not is_first:
        patience.progress()
    return Retrying(
        service,
        policy or RetryPolicy(),
        on=on or not_applied(judge),
        rng=Most(),
        patience=patience,
        stop=stop or StopSignal(),
        missed=missed,
    )


def waits(seen: Sequence[float]) -> list[float]:
    return [round(later - earlier, 6) for earlier, later in itertools.pairwise(seen)]


@pytest.mark.parametrize(
    ("request_", "answer", "again"),
    [
        (CREATE, OK, Again.NO),
        (CREATE, THROTTLED, Again.UNBUDGETED),
        (CREATE, BROKEN, Again.NO),
        (CREATE, Response(status=409), Again.NO),
        (CREATE, Response(status=307), Again.NO),
        (CREATE, TransportError("refused", sent=False), Again.UNBUDGETED),
        (CREATE, TransportError("refused", sent=True), Again.NO),
        (CREATE, TransportError("invalid_client", sent=False, permanent=True), Again.NO),
        (READ, OK, Again.NO),
        (READ, Response(status=404), Again.NO),
        (READ, THROTTLED, Again.UNBUDGETED),
        (READ, BROKEN, Again.COUNTED),
        (READ, TransportError("timeout", sent=True), Again.COUNTED),
        (READ, TransportError("refused", sent=False), Again.COUNTED),
        (READ, TransportError("host_not_allowed", sent=False, permanent=True), Again.NO),
    ],
)
def test_a_lane_repeats_what_surely_was_not_applied(
    request_: Request, answer: Response | TransportError, again: Again
) -> None:
    """The contract's section 5; an error's name proves nothing, only its trace does."""
    assert again is not_applied(judge)(request_, answer)


@pytest.mark.parametrize(
    ("answer", "again"),
    [
        (OK, Again.NO),
        (Response(status=400), Again.NO),
        (THROTTLED, Again.COUNTED),
        (BROKEN, Again.COUNTED),
        (TransportError("timeout", sent=True), Again.COUNTED),
        (TransportError("host_not_allowed", sent=False, permanent=True), Again.NO),
    ],
)
def test_a_token_request_is_repeated_after_passing_faults(
    answer: Response | TransportError, again: Again
) -> None:
    """429, 5xx and the network: all of them counted."""
    assert again is passing(TOKEN, answer)


def test_the_backoff_doubles_up_to_its_cap_with_full_jitter() -> None:
    """Between nothing and 0.5, 1, 2, ... seconds."""
    policy = RetryPolicy(attempts=10, base_s=0.5, cap_s=3)

    assert [policy.next_wait(number, None, 1.0) for number in range(1, 6)] == [0.5, 1, 2, 3, 3]
    assert policy.next_wait(3, None, 0.0) == 0


def test_retry_after_wins_over_the_backoff() -> None:
    """What the service asks for, and a little jitter."""
    assert pytest.approx(7.15) == RetryPolicy().next_wait(1, 7.0, 0.5)


def test_the_last_attempt_has_no_wait_after_it() -> None:
    """Five attempts have four waits."""
    assert RetryPolicy(attempts=5).next_wait(4, None, 0.5) is not None
    assert RetryPolicy(attempts=5).next_wait(5, 1.0, 0.5) is None


def test_there_is_no_attempt_before_the_first() -> None:
    """Attempts are counted from 1."""
    with pytest.raises(ValueError, match="number 1"):
        RetryPolicy().next_wait(0, None, 0.5)


def test_patience_runs_from_the_first_setback() -> None:
    """A lane that had nothing to send loses none; a normal answer gives all of it back."""
    patience = Patience(100)

    assert [patience.is_out(at) for at in (5000, 5099, 5100)] == [False, False, True]
    patience.progress()
    assert not patience.is_out(6000)


@pytest.mark.anyio
async def test_no_error_no_problem() -> None:
    """A good answer goes up at once, as the first try."""
    service = Scripted(OK)
    answer = await retrying(service).send(CREATE)

    assert (answer.status, answer.attempts, answer.throttled) == (201, 1, 0)


@pytest.mark.anyio
async def test_a_read_has_five_attempts() -> None:
    """The fifth fault stands; the waits double."""
    service = Scripted(LOST)
    ring = retrying(service)
    with pytest.raises(TransportError) as caught:
        await ring.send(READ)

    assert (caught.value.code, caught.value.sent, caught.value.attempts) == ("timeout", True, 5)
    assert waits(service.seen) == [0.5, 1.0, 2.0, 4.0]
    assert ring.retried == 4


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (TransportError("dns", sent=False, detail="platform.test: unknown"), "dns"),
        (TransportError("no_token", sent=False, detail="IMS answered 500"), "no_token"),
        (TransportError("timeout", sent=True), "timeout"),
        (BROKEN, f"http-{BROKEN.status}"),
        (THROTTLED, "http-429"),
    ],
)
async def test_the_first_contact_is_tried_for_as_long_as_the_patience_lasts(
    answer: Response | TransportError, code: str
) -> None:
    """Five attempts are over in seconds; then the lane is stopped by what kept it, not by "no progress"."""
    stop, missed = StopSignal(), list[str]()
    service = Scripted(answer)
    ring = retrying(
        service, stop=stop, is_first=True, missed=lambda code, _detail: missed.append(code)
    )
    with suppress(TransportError):
        await ring.send(READ)

    assert 900 <= service.seen[-1] - service.seen[0] <= 930
    assert {code} == set(missed)
    assert stop.code(Purpose.READ) == code


@pytest.mark.anyio
async def test_what_waiting_cannot_mend_is_tried_once() -> None:
    """A certificate that is not trusted is not trusted in a quarter of an hour either."""
    service = Scripted(TransportError("tls", sent=False, permanent=True))
    with pytest.raises(TransportError):
        await retrying(service, is_first=True).send(READ)

    assert len(service.seen) == 1


@pytest.mark.anyio
async def test_a_read_is_tried_no_longer_than_the_policy_says() -> None:
    """Attempts and total time are both bounded; what the service asks for is waited for whole."""
    service = Scripted(Response(status=503))
    answer = await retrying(service, policy=RetryPolicy(base_s=40, total_s=100)).send(READ)
    assert (answer.status, answer.attempts) == (503, 4)

    asking = Scripted(Response(status=503, headers={"retry-after": "60"}))
    answer = await retrying(asking, policy=RetryPolicy(total_s=100)).send(READ)
    assert (answer.status, answer.attempts) == (503, 5)


@pytest.mark.anyio
async def test_a_wait_up_to_the_patience_is_waited_for_whole() -> None:
    """Forty minutes asked, forty minutes waited, then the row is created."""
    service = Scripted(Response(status=429, headers={"retry-after": "2400"}), OK)
    answer = await retrying(service, patience_s=2400).send(CREATE)

    assert (answer.status, answer.throttled) == (OK.status, 1)
    assert 2400 <= waits(service.seen)[0] <= 2401


@pytest.mark.anyio
@pytest.mark.parametrize("request_", [CREATE, READ])
async def test_a_wait_beyond_the_patience_stops_the_lane_at_once(request_: Request) -> None:
    """Nobody sits it out: what was refused, and what waits, gives up unsent."""
    stop, start = StopSignal(), anyio.current_time()
    service = Scripted(Response(status=429, headers={"retry-after": "2400"}))
    ring = retrying(service, patience_s=2399, stop=stop)
    with pytest.raises(StoppedError) as caught:
        await ring.send(request_)

    assert (caught.value.code, caught.value.sent) == ("banned_until", False)
    assert (anyio.current_time() - start, len(service.seen)) == (0, 1)
    assert {stop.code(purpose) for purpose in Purpose} == {"banned_until"}


@pytest.mark.anyio
async def test_a_create_in_doubt_stays_so_where_its_answer_stops_the_lane() -> None:
    """A 503 may have been applied, whatever else it asks."""
    stop = StopSignal()
    service = Scripted(Response(status=503, headers={"retry-after": "2400"}))
    answer = await retrying(service, patience_s=900, stop=stop).send(CREATE)

    assert (answer.status, stop.code(Purpose.CREATE)) == (503, "banned_until")


@pytest.mark.anyio
@pytest.mark.parametrize("fault", [BROKEN, LOST, Response(status=202), Response(status=409)])
async def test_a_create_that_may_be_applied_goes_up_at_once(
    fault: Response | tuple[str, bool],
) -> None:
    """There is no idempotency key: it is a doubt, and never sent again from here."""
    service = Scripted(fault, OK)
    with suppress(TransportError):
        answer = await retrying(service).send(CREATE)
        assert answer.status != 201

    assert len(service.seen) == 1


@pytest.mark.anyio
async def test_a_create_is_repeated_where_it_surely_was_not_applied() -> None:
    """Throttled and unsent tries use no attempt up, however many there are."""
    service = Scripted(*(THROTTLED, UNSENT) * 10, OK)
    answer = await retrying(service).send(CREATE)

    assert (answer.status, answer.attempts, answer.throttled) == (201, 21, 10)


@pytest.mark.anyio
async def test_a_request_waits_as_long_as_the_service_asks() -> None:
    """`Retry-After: 7` holds the request even without a lane around it."""
    service = Scripted(Response(status=429, headers={"retry-after": "7"}), OK)
    await retrying(service).send(CREATE)

    assert waits(service.seen) == [7.3]


@pytest.mark.anyio
async def test_a_throttled_answer_goes_up_when_the_patience_is_out() -> None:
    """900 seconds without any progress: the 429 itself goes up, and the lane is stopped."""
    stop = StopSignal()
    service = Scripted(THROTTLED)
    answer = await retrying(service, stop=stop).send(CREATE)

    assert (429, len(service.seen), len(service.seen)) == (
        answer.status,
        answer.attempts,
        answer.throttled,
    )
    assert 900 <= service.seen[-1] - service.seen[0] <= 930
    assert stop.code(Purpose.CREATE) == "no_progress"


@pytest.mark.anyio
async def test_who_waits_when_the_patience_is_out_gives_up_unsent() -> None:
    """One finds the end of the patience; the others of the lane hear of it at once."""
    service = Scripted(UNSENT)
    ring = retrying(service, patience_s=10)
    caught: list[tuple[str, bool]] = []

    async def one() -> None:
        try:
            await ring.send(CREATE)
        except TransportError as error:
            caught.append((error.code, error.sent))

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(one)

    assert {("refused", False), ("no_progress", False)} >= set(caught)
    assert len(caught) == 5


@pytest.mark.anyio
async def test_progress_of_another_row_renews_the_patience() -> None:
    """The lane is not given up while any of its rows is answered."""
    patience, stop = Patience(10), StopSignal()
    slow, good = Scripted(*([THROTTLED] * 12), OK), Scripted(OK)
    policy = RetryPolicy(base_s=2, cap_s=2)
    rings = [
        Retrying(s, policy, on=not_applied(judge), rng=Most(), patience=patience, stop=stop)
        for s in (slow, good)
    ]

    async def others() -> None:
        for _ in range(10):
            await anyio.sleep(3)
            await rings[1].send(CREATE)

    async with anyio.create_task_group() as group:
        group.start_soon(others)
        answer = await rings[0].send(CREATE)

    assert (answer.status, answer.attempts) == (201, 13)


@pytest.mark.anyio
async def test_a_stop_ends_the_wait_for_the_next_try() -> None:
    """What waits and was surely not applied gives up at once, and says how often it was tried."""
    stop = StopSignal()
    service = Scripted(Response(status=429, headers={"retry-after": "300"}))
    start = anyio.current_time()

    async with anyio.create_task_group() as group:

        async def stop_soon() -> None:
            await anyio.sleep(2)
            stop.set("interrupted")

        group.start_soon(stop_soon)
        with pytest.raises(TransportError) as caught:
            await retrying(service, stop=stop).send(CREATE)

    assert anyio.current_time() - start == 2.0
    assert (
        caught.value.code,
        caught.value.sent,
        caught.value.attempts,
        caught.value.throttled,
    ) == ("interrupted", False, 1, 1)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("first", "is_lost"),
    [
        pytest.param(LOST, True, id="its answer was lost"),
        pytest.param(BROKEN, True, id="a 5xx"),
        pytest.param(UNSENT, False, id="nothing left"),
        pytest.param(THROTTLED, False, id="throttled"),
    ],
)
@pytest.mark.parametrize("is_stopped", [True, False])
async def test_an_update_tells_that_a_try_before_its_end_may_have_been_applied(
    first: Response | tuple[str, bool], is_lost: bool, is_stopped: bool
) -> None:
    """Whether its end is an answer, or a stop in the wait for the next try."""
    stop, patch = StopSignal(), Request(purpose=Purpose.UPDATE, method="PATCH", url="https://h/c")
    ring = retrying(Scripted(first, Response(status=403)), stop=stop)

    async with anyio.create_task_group() as group:
        group.start_soon(_stop_after, 0.1 if is_stopped else 100.0, stop)
        try:
            end: Response | TransportError = await ring.send(patch)
        except TransportError as error:
            end = error
        group.cancel_scope.cancel()

    assert isinstance(end, StoppedError) is is_stopped
    assert end.lost is is_lost


async def _stop_after(seconds: float, stop: StopSignal) -> None:
    await anyio.sleep(seconds)
    stop.set("interrupted")


@pytest.mark.anyio
async def test_a_permanent_fault_is_not_repeated() -> None:
    """A refused sign-in stays refused, for a read as for a create."""
    for request in (CREATE, READ):
        service = Scripted(TransportError("invalid_client", sent=False, permanent=True))
        with pytest.raises(TransportError, match="invalid_client"):
            await retrying(service).send(request)

        assert len(service.seen) == 1
