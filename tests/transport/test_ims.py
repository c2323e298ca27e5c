"""One token per credential: fetched once, renewed early, refreshed once, and never shown."""

import json
from random import Random
from urllib.parse import parse_qsl

import anyio
import pytest

from batchconnect.model.org import Org
from batchconnect.model.secret import Secret
from batchconnect.transport.ims import Authorized, Signed, SignInError, Token
from batchconnect.transport.interface import (
    Purpose,
    Request,
    Response,
    Transport,
    TransportError,
)
from batchconnect.transport.retry import Patience, Retrying, RetryPolicy, passing
from batchconnect.transport.stop import StopSignal

pytestmark = pytest.mark.anyio

CLIENT_SECRET = "p8e-canary&secret=with%20signs"
ORG = Org(
    key="acme", org_id="ABC@AdobeOrg", client_id="client-1", client_secret=Secret(CLIENT_SECRET)
)
CREATE = Request(
    purpose=Purpose.CREATE,
    method="POST",
    url="https://platform.adobe.io/x",
    headers={"x-sandbox-name": "prod"},
)


def granted(expires_in: object = 86399, token: str = "token-{n}") -> dict[str, object]:
    return {"access_token": token, "token_type": "bearer", "expires_in": expires_in}


def refused(status: int, body: object = None, **headers: str) -> Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status=status, body=json.dumps(body).encode(), headers=names)


class Ims:
    """Gives one answer after the other, the last one for ever; numbers its tokens."""

    def __init__(
        self, *answers: dict[str, object] | Response | TransportError, latency_s: float = 0
    ) -> None:
        self._answers = answers or (granted(),)
        self._latency_s = latency_s
        self.requests: list[Request] = []
        self.seen: list[float] = []

    async def send(self, request: Request) -> Response:
        self.requests.append(request)
        self.seen.append(anyio.current_time())
        number = len(self.requests)
        answer = self._answers[min(number, len(self._answers)) - 1]
        await anyio.sleep(self._latency_s)
        if isinstance(answer, TransportError):
            raise answer
        if isinstance(answer, Response):
            return answer
        token = str(answer["access_token"]).replace("{n}", str(number))
        return refused(200, {**answer, "access_token": token})


async def test_the_request_is_the_contracts() -> None:
    """All four fields in the body, in form encoding, nothing in the URL."""
    ims = Ims()
    token = await Token(ORG, ims).current()
    request = ims.requests[0]

    assert Secret("token-1") == token
    assert (
        request.method,
        request.url,
        request.purpose,
    ) == ("POST", "https://ims-na1.adobelogin.com/ims/token/v3", Purpose.TOKEN)
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert [
        ("client_id", "client-1"),
        ("client_secret", CLIENT_SECRET),
        ("grant_type", "client_credentials"),
        ("scope", ORG.scopes),
    ] == parse_qsl((request.body or b"").decode())


async def test_a_crowd_shares_one_fetch() -> None:
    """A hundred rows ask at once, IMS is asked once."""
    ims = Ims(latency_s=3)
    token = Token(ORG, ims)
    async with anyio.create_task_group() as group:
        for _ in range(100):
            group.start_soon(token.current)

    assert len(ims.requests) == 1


@pytest.mark.parametrize(
    ("expires_in", "renewed_s"),
    [
        (86399, 86399 - 300),
        (1000, 900),
        ("1000", 900),
        (86_399_000, 86400 - 300),
        (0, 270),
        (-5, 270),
        (True, 270),
        (None, 270),
        ("soon", 270),
    ],
)
async def test_a_token_is_renewed_early(expires_in: object, renewed_s: float) -> None:
    """Five minutes or a tenth of its life before the end; milliseconds and nonsense do no harm."""
    ims = Ims(granted(expires_in))
    token = Token(ORG, ims)
    await token.current()

    await anyio.sleep(renewed_s - 0.5)
    assert Secret("token-1") == await token.current()
    await anyio.sleep(0.5)
    assert Secret("token-2") == await token.current()


async def test_a_stale_token_is_refreshed_once_however_many_met_it() -> None:
    """Twenty rows hear that token 1 is stale; IMS gives token 2, once."""
    ims = Ims(latency_s=1)
    token = Token(ORG, ims)
    await token.current()
    fresh: list[Secret] = []

    async def row() -> None:
        token.drop(1)
        fresh.append(await token.current())

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(row)

    assert [Secret("token-2")] * 20 == fresh
    assert len(ims.requests) == 2


async def test_a_ready_token_is_never_fetched_or_refreshed() -> None:
    """What was handed in is all there is: its 401013 goes up."""
    ims, ready = Ims(), Secret("ready-made")
    token = Token(Org(key="a", org_id="A@AdobeOrg", client_id="c", access_token=ready), ims)
    token.drop(token.number)

    assert (ready, ready, False) == (await token.current(), token.alive(), token.is_renewable)
    assert not ims.requests


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_a_refused_credential_is_asked_for_once(status: int) -> None:
    """The error is permanent: every further row hears it without a request."""
    ims = Ims(refused(status, {"error": "invalid_client", "error_description": "invalid value"}))
    token = Token(ORG, ims)
    for _ in range(3):
        with pytest.raises(SignInError) as caught:
            await token.current()
        assert (
            caught.value.code,
            caught.value.detail,
            caught.value.sent,
            caught.value.permanent,
        ) == ("invalid_client", "invalid value", False, True)

    assert len(ims.requests) == 1


async def test_a_refusal_without_a_shape_has_its_status_as_code() -> None:
    """IMS says no, and nothing else."""
    with pytest.raises(SignInError, match=r"^ims-403$"):
        await Token(ORG, Ims(Response(status=403))).current()


@pytest.mark.parametrize(
    "answer",
    [
        Response(status=403, body=b"<html>blocked by your company</html>"),
        Response(status=401, body=b"<!DOCTYPE html><title>Sign in</title>"),
        Response(status=200, body=b"<html>Welcome to our Wi-Fi</html>"),
        Response(status=302, headers={"location": "https://portal.test/"}),
        Response(status=400, body=b"Bad Request"),
    ],
)
async def test_a_page_in_place_of_ims_says_nothing_against_the_credential(answer: Response) -> None:
    """Never "your secret was rotated": IMS speaks JSON, so somebody else answered."""
    with pytest.raises(TransportError) as caught:
        await Token(ORG, Ims(answer)).current()

    assert not isinstance(caught.value, SignInError)
    assert (caught.value.code, caught.value.sent, caught.value.permanent) == (
        "foreign_answer",
        False,
        True,
    )
    assert "ims" in caught.value.detail


async def test_a_page_that_comes_after_a_token_may_go_again() -> None:
    """A network that was let in once asks its user to sign in anew: the lane waits as for any outage."""
    ims = Ims(granted(), Response(status=200, body=b"<html>portal</html>"), granted())
    token = Token(ORG, ims)
    await token.current()
    token.drop(1)
    with pytest.raises(TransportError) as caught:
        await token.current()

    assert (caught.value.code, caught.value.permanent) == ("foreign_answer", False)
    await anyio.sleep(10)
    assert Secret("token-3") == await token.current()


@pytest.mark.parametrize("code", ["dns", "refused", "unreachable", "connect_timeout", "proxy"])
async def test_what_keeps_ims_from_being_reached_is_named(code: str) -> None:
    """The plainest cause there is, with the host in its detail; "no token" would hide it."""
    ims = Ims(TransportError(code, sent=False, detail="ims.test: no way"), granted())
    token = Token(ORG, ims)
    for _ in range(2):
        with pytest.raises(TransportError) as caught:
            await token.current()
        assert (caught.value.code, caught.value.detail) == (code, "ims.test: no way")
        assert (caught.value.sent, caught.value.permanent) == (False, False)
    assert len(ims.requests) == 1


async def test_no_secret_comes_back_out_of_an_error() -> None:
    """IMS repeats the secret, as typed and encoded: the detail shows neither, and is short."""
    echoed = f"{CLIENT_SECRET}\n p8e-canary%26secret%3Dwith%2520signs {'again ' * 100}"
    ims = Ims(refused(400, {"error": "invalid_client", "error_description": echoed}))
    with pytest.raises(SignInError) as caught:
        await Token(ORG, ims).current()

    assert "canary" not in str(caught.value)
    assert caught.value.detail.startswith("… again again")
    assert len(caught.value.detail) <= 200


async def test_a_secret_too_short_to_be_cut_out_silences_the_detail() -> None:
    """`abc` may be part of any word, so nothing of the text is kept."""
    org = Org(key="a", org_id="A@AdobeOrg", client_id="c", client_secret=Secret("abc"))
    ims = Ims(refused(400, {"error": "abc", "error_description": "wrong: abc"}))
    with pytest.raises(SignInError, match=r"^ims-400$"):
        await Token(org, ims).current()


async def test_without_a_secret_nothing_is_asked() -> None:
    """Settings should have caught it; if not, it is said and not sent."""
    ims = Ims()
    with pytest.raises(SignInError, match="no client secret"):
        await Token(Org(key="a", org_id="A@AdobeOrg", client_id="c"), ims).current()

    assert not ims.requests


@pytest.mark.parametrize(
    "answer",
    [
        refused(503),
        refused(429),
        refused(200, {"access_token": ""}),
        refused(200, {"access_token": "line\r\nbreak"}),
        refused(200, ["no", "object"]),
        Response(status=503, body=b"<html>busy</html>"),
        Response(status=200, body=b'{"access_token": "cu', body_fault="cut"),
        TransportError("timeout", sent=True, detail="no byte"),
    ],
)
async def test_what_is_no_token_is_said_and_nobody_storms_ims(
    answer: Response | TransportError,
) -> None:
    """`no_token`, unsent and passing; a hundred rows within ten seconds ask once more together."""
    ims = Ims(answer, granted())
    token = Token(ORG, ims)
    for _ in range(100):
        with pytest.raises(TransportError) as caught:
            await token.current()
        assert (
            caught.value.code,
            caught.value.sent,
            caught.value.permanent,
        ) == ("no_token", False, False)
    assert len(ims.requests) == 1

    await anyio.sleep(10)
    assert Secret("token-2") == await token.current()


async def test_a_byte_order_mark_before_the_answer_is_no_part_of_it() -> None:
    """A gateway may put one there, as before the answers of the service."""
    ims = Ims(Response(status=200, body=b'\xef\xbb\xbf{"access_token": "token-7"}'))

    assert Secret("token-7") == await Token(ORG, ims).current()


async def test_an_answer_without_a_token_is_said_in_words() -> None:
    ims = Ims(refused(200, {"access_token": ""}))
    with pytest.raises(TransportError) as caught:
        await Token(ORG, ims).current()

    assert caught.value.detail == "IMS answered 200 without a usable token"


async def test_ims_is_left_alone_as_long_as_it_asks() -> None:
    """`Retry-After: 60` holds further fetches too."""
    ims = Ims(refused(429, retry_after="60"), granted())
    token = Token(ORG, ims)
    for wait_s in (0, 59):
        await anyio.sleep(wait_s)
        with pytest.raises(TransportError, match="IMS answered 429"):
            await token.current()
    await anyio.sleep(1)
    await token.current()

    assert len(ims.requests) == 2


async def test_a_fetch_has_five_attempts_through_a_plain_retry() -> None:
    """IMS is down for a moment: 5xx, 429, network; the fifth try signs in."""
    ims = Ims(
        refused(500), refused(429), TransportError("timeout", sent=True), refused(502), granted()
    )
    ring = Retrying(
        ims,
        RetryPolicy(),
        on=passing,
        rng=Random(1),
        patience=Patience(),
        stop=StopSignal(),
    )

    assert Secret("token-5") == await Token(ORG, ring).current()


async def test_a_permanent_fault_of_the_wire_goes_up_as_it_is() -> None:
    """A host that is not allowed is no passing trouble of IMS."""
    ims = Ims(TransportError("host_not_allowed", sent=False, permanent=True))
    with pytest.raises(TransportError, match="host_not_allowed"):
        await Token(ORG, ims).current()


class Gateway:
    """Takes the token numbers that it was told, and calls all others stale."""

    def __init__(self, *valid: str, error: TransportError | None = None) -> None:
        self._valid = valid
        self._error = error
        self.requests: list[Request] = []

    async def send(self, request: Request) -> Response:
        self.requests.append(request)
        if self._error is not None and len(self.requests) == 2:
            raise self._error
        good = request.headers["Authorization"].removeprefix("Bearer ") in self._valid
        return Response(status=201 if good else 401)


def authorized(
    gateway: Transport, ims: Ims, stop: StopSignal | None = None, *, org: Org = ORG
) -> Authorized:
    token, stop = Token(org, ims), stop or StopSignal()
    return Authorized(
        Signed(gateway, token, stop=stop),
        token,
        is_stale=lambda response: response.status == 401,
        stop=stop,
    )


async def test_every_request_bears_token_client_and_org() -> None:
    """The three headers of the contract, beside those that it came with."""
    gateway = Gateway("token-1")
    answer = await authorized(gateway, Ims()).send(CREATE)

    assert (answer.status, answer.attempts) == (201, 1)
    assert gateway.requests[0].headers == {
        "x-sandbox-name": "prod",
        "Authorization": "Bearer token-1",
        "x-api-key": "client-1",
        "x-gw-ims-org-id": "ABC@AdobeOrg",
    }


async def test_a_stale_token_costs_one_refresh_and_one_more_try() -> None:
    """The row goes on, and both tries are counted."""
    gateway, ims = Gateway("token-2"), Ims()
    answer = await authorized(gateway, ims).send(CREATE)

    assert (answer.status, answer.attempts, len(ims.requests)) == (201, 2, 2)
    assert answer.token_refused


async def test_a_fresh_token_that_is_stale_again_goes_up() -> None:
    """The second 401 is the lane's business: no third try."""
    gateway = Gateway()
    answer = await authorized(gateway, Ims()).send(CREATE)

    assert (answer.status, answer.attempts, len(gateway.requests)) == (401, 2, 2)


async def test_a_second_try_that_gets_no_answer_says_what_its_own_trace_saw() -> None:
    """And that a token was refused on the way."""
    gateway = Gateway(error=TransportError("timeout", sent=True))
    with pytest.raises(TransportError) as caught:
        await authorized(gateway, Ims()).send(CREATE)

    assert (caught.value.sent, caught.value.attempts) == (True, 2)
    assert caught.value.token_refused


async def test_a_ready_token_that_is_stale_goes_up_at_once() -> None:
    """There is nothing to refresh, so nothing is tried twice."""
    gateway = Gateway()
    org = Org(key="a", org_id="A@AdobeOrg", client_id="c", access_token=Secret("ready"))
    answer = await authorized(gateway, Ims(), org=org).send(CREATE)

    assert (answer.status, answer.token_refused, len(gateway.requests)) == (401, True, 1)


async def test_a_second_refusal_stands_only_if_its_token_was_fetched_after_the_first() -> None:
    """Another request fetched token 2 before our first refusal came: old as well, it gives way to token 3."""
    ims = Ims()
    token = Token(ORG, ims)
    seen: list[str] = []

    class Slow:
        async def send(self, request: Request) -> Response:
            seen.append(bearer := request.headers["Authorization"])
            if len(seen) == 1:
                token.drop(1)  # what another request met
                await token.current()
            return Response(status=201 if bearer == "Bearer token-3" else 401)

    stop = StopSignal()
    ring = Authorized(
        Signed(Slow(), token, stop=stop), token, is_stale=lambda r: r.status == 401, stop=stop
    )
    answer = await ring.send(CREATE)

    assert seen == ["Bearer token-1", "Bearer token-2", "Bearer token-3"]
    assert (answer.status, answer.attempts, answer.token_refused) == (201, 3, True)


async def test_without_a_token_nothing_is_sent() -> None:
    """Wrong secret: no request reaches the platform."""
    gateway = Gateway()
    with pytest.raises(SignInError):
        await authorized(gateway, Ims(refused(400, {"error": "invalid_client"}))).send(CREATE)

    assert not gateway.requests


async def test_a_stop_does_not_wait_for_a_slow_ims() -> None:
    """Rows that wait for a token give up at once."""
    stop, gateway = StopSignal(), Gateway()
    ring = authorized(gateway, Ims(latency_s=100), stop)
    codes: list[str] = []

    async def row() -> None:
        try:
            await ring.send(CREATE)
        except TransportError as error:
            codes.append(error.code)

    start = anyio.current_time()
    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(row)
        await anyio.sleep(1)
        stop.set("interrupted")

    assert codes == ["interrupted"] * 5
    assert anyio.current_time() - start == 1.0
    assert not gateway.requests
