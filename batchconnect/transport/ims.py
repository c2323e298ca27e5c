"""
Signs a lane in: one access token per credential, kept in memory only; the ring that tries again when
the gateway calls it stale, and the one that puts it on every request as it leaves.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from urllib.parse import urlencode, urlsplit

import anyio
import orjson

from batchconnect.model.foreign_text import ForeignText
from batchconnect.model.org import Org
from batchconnect.model.secret import Secret
from batchconnect.model.value import replace
from batchconnect.transport.interface import (
    FOREIGN_ANSWER,
    WRITES,
    Permit,
    Purpose,
    Request,
    Response,
    Transport,
    TransportError,
    always,
    is_json,
    read_json,
)
from batchconnect.transport.retry_after import retry_after_s
from batchconnect.transport.stop import StopSignal

NO_TOKEN = "no_token"  # noqa: S105 - a code, not a token
"""The code where IMS gives no token for now, and nothing says why more plainly."""
TOKEN_PATH = "/ims/token/v3"  # noqa: S105 - a path, not a token
LONGEST_LIFE_S = 86_400.0
"""Seconds; old IMS answers gave milliseconds (contract, section 7)."""
UNKNOWN_LIFE_S = 300.0
"""Seconds that a token is trusted whose answer does not say for how long."""
_EARLY_S = 300.0
_EARLY_SHARE = 0.1
_HOLD_S = 10.0
"""Seconds in which nobody asks IMS again after all tries of a fetch failed."""
_KEPT = 3
"""Tokens that an answer on its way may still repeat."""
_NOT_TOKEN = re.compile(r"[^\x21-\x7e]")
_PASSING = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)
"""The 4xx that say nothing against the credential."""


class SignInError(TransportError):
    """
    IMS refuses this credential, and will refuse it for every row.

    Args:
        code: As IMS names it, `invalid_client` for instance, or `ims-<status>`.
        detail: What IMS says, without secrets.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, sent=False, detail=detail, permanent=True)


class Token:
    """
    The access token of one org: fetched when it is first needed, by one request at a time.

    Args:
        org: Whose credential; with a ready access token nothing is ever fetched.
        transport: A plain `Retrying(wire)`. Nothing of the lane's pace is paid by token requests.
        look_up: Looks up the client secret, where it does not stand in the settings; raises `SignInError`.
        time_s: The running loop's clock.
    """

    def __init__(
        self,
        org: Org,
        transport: Transport,
        *,
        look_up: Callable[[], Awaitable[Secret]] | None = None,
        time_s: Callable[[], float] = anyio.current_time,
    ) -> None:
        self._org = org
        self._time_s = time_s
        self._look_up = look_up
        self._secret = org.client_secret
        self._transport = transport
        self._lock = anyio.Lock()
        self._token: Secret | None = None
        self._number = 0
        self.fetched: tuple[Secret, ...] = ()
        """The last tokens of IMS, which an answer may repeat although a newer one is in use."""
        self._renew_at = self._dead_at = 0.0
        self._refused: SignInError | None = None
        self._held_until = 0.0
        self._failure = (NO_TOKEN, "")

    @property
    def org(self) -> Org:
        """Whose token this is."""
        return self._org

    @property
    def number(self) -> int:
        """Of the token that was fetched last; 0: none was."""
        return self._number

    @property
    def is_renewable(self) -> bool:
        """Whether another token can be had; a ready one is all there is."""
        return self._org.access_token is None

    def drop(self, number: int) -> None:
        """
        Forget a token that the gateway refused, so that whoever needs one next fetches another.

        However many requests met it, it is dropped once: a newer one stands.
        """
        if number == self._number:
            self._token = None

    def alive(self) -> Secret | None:
        """The token, if its life is not over, though it may be time to renew it; nobody is asked."""
        if self._org.access_token is None and self._time_s() >= self._dead_at:
            return None
        return self._org.access_token or self._token

    def ready(self) -> Secret | None:
        """The token, if there is one that is valid for a while yet; nobody is asked."""
        if self._org.access_token is not None:
            return self._org.access_token
        if self._token is not None and self._time_s() < self._renew_at:
            return self._token
        return None

    async def current(self) -> Secret:
        """
        A token that is valid for a while yet.

        Raises:
            SignInError: IMS refuses the credential; remembered, so that it is asked once.
            TransportError: IMS cannot be reached or used just now, `no_token` where nothing plainer says
                why; or something else answers in its place, `foreign_answer`. Nothing was sent.
        """
        async with self._lock:
            if (token := self.ready()) is not None:
                return token
            await self._fetch()
            assert self._token is not None
            return self._token

    async def _fetch(self) -> None:
        if self._refused is not None:
            raise SignInError(self._refused.code, self._refused.detail)
        if self._time_s() < self._held_until:
            code, detail = self._failure
            raise TransportError(code, sent=False, detail=detail, attempts=0)
        if self._secret is None:
            await self._read_secret()
        try:
            await self._sign_in()
        except SignInError as refused:
            # It may have been renewed since it was read: once, that is looked at.
            before = self._secret
            if self._look_up is None:
                raise
            self._refused = None
            await self._read_secret()
            if self._secret == before:
                self._refused = refused
                raise
            await self._sign_in()

    async def _read_secret(self) -> None:
        if self._look_up is None:
            raise SignInError("no_client_secret", f"org {self._org.key} has no client secret")
        try:
            self._secret = await self._look_up()
        except SignInError as refused:
            self._refused = refused
            raise

    async def _sign_in(self) -> None:
        try:
            response = await self._transport.send(self._request())
        except TransportError as error:
            if error.permanent:
                raise
            # What kept the request from leaving is the plainest cause; a lost answer speaks of no row's.
            lost = error.sent or error.fault is not None
            code, detail = (NO_TOKEN, str(error)) if lost else (error.code, error.detail)
            raise self._failed(code, detail, _HOLD_S) from None
        asked_at = self._time_s()
        answer = _json(response)
        if response.status == HTTPStatus.OK and response.body_fault is None:
            token = answer.get("access_token")
            if isinstance(token, str) and token and not _NOT_TOKEN.search(token):
                self._token = Secret(token)
                self._number += 1
                self.fetched = (*self.fetched, self._token)[-_KEPT:]
                life_s = _life_s(answer.get("expires_in"))
                self._dead_at = asked_at + life_s
                self._renew_at = self._dead_at - min(_EARLY_S, life_s * _EARLY_SHARE)
                return
        self._judge(response, answer)

    def _judge(self, response: Response, answer: Mapping[str, object]) -> None:
        status = response.status
        foreign = ForeignText(
            (secret for secret in (self._secret, self._token) if secret),
            (self._org.client_id, self._org.org_id, self._org.key),
        )
        code = foreign.code(_text(answer, "error")) or f"ims-{status}"
        detail = foreign.shown(_text(answer, "error_description"))
        if _is_foreign(response):
            raise self._foreign(status)
        refused = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
        if refused and status not in _PASSING:
            self._refused = SignInError(code, detail)
            raise SignInError(code, detail)
        hold_s = max(_HOLD_S, retry_after_s(response.headers) or 0)
        said = "without a usable token" if status == HTTPStatus.OK else code
        raise self._failed(NO_TOKEN, f"IMS answered {status} {said}", hold_s)

    def _failed(self, code: str, detail: str, hold_s: float) -> TransportError:
        self._failure = (code, detail)
        self._held_until = self._time_s() + hold_s
        return TransportError(code, sent=False, detail=detail)

    def _foreign(self, status: int) -> TransportError:
        """Until IMS has given a token, who answers in its place is there to stay; later it may pass."""
        host = urlsplit(self._org.ims_url).hostname
        detail = f"{host}: HTTP {status}, and no answer of IMS"
        error = self._failed(FOREIGN_ANSWER, detail, _HOLD_S)
        error.permanent = self._number == 0
        return error

    def _request(self) -> Request:
        secret = self._secret
        assert secret is not None, "it was looked up"
        form = {
            "client_id": self._org.client_id,
            "client_secret": secret.reveal(),
            "grant_type": "client_credentials",
            "scope": self._org.scopes,
        }
        return Request(
            purpose=Purpose.TOKEN,
            method="POST",
            url=self._org.ims_url + TOKEN_PATH,
            headers={
                "Content-Type": "application/x-www-form-urlencoded",
                "Accept": "application/json",
            },
            body=urlencode(form).encode(),
        )


class Authorized:
    """
    Sees to it that a request has a token; after a stale one it tries again with one that is fresh.

    The token itself is put on by `Signed`, further in: the wait for the pace lies between the two.

    Args:
        inner: The ring within.
        token: Of the lane's org.
        is_stale: Whether an answer says that the token, and only the token, is no longer valid.
        stop: Ends the waiting for a token.
    """

    def __init__(
        self,
        inner: Transport,
        token: Token,
        *,
        is_stale: Callable[[Response], bool],
        stop: StopSignal,
    ) -> None:
        self._inner = inner
        self._token = token
        self._is_stale = is_stale
        self._stop = stop

    async def send(self, request: Request) -> Response:
        """
        Send with a token.

        A second refusal stands only if its token was fetched after the first one came: another request
        may have fetched it long before, and a service that keeps tokens for seconds refuses it as well.

        Raises:
            TransportError: No token, nothing sent; or as of the ring within.
        """
        # Before the queue, so that IMS is waited for without holding a place in flight.
        if self._token.ready() is None:
            with self._stop.guard(request.purpose):
                await self._token.current()
        response = await self._inner.send(request)
        if not self._is_stale(response):
            return response
        newest, tries = self._token.number, response.attempts
        while self._token.is_renewable:
            self._token.drop(response.token_number)
            try:
                response = await self._inner.send(request)
            except TransportError as error:
                error.attempts += tries
                error.token_refused = True
                raise
            tries += response.attempts
            if not self._is_stale(response) or response.token_number > newest:
                break
        return replace(response, attempts=tries, token_refused=True)


class Signed:
    """
    Puts token, client and org on a request as it leaves: the last ring before the wire.

    Nothing is waited for beyond it but the answer. A token that was put on before the wait for the pace
    would be as old as the pause when it arrives.

    Args:
        inner: The ring within.
        token: Of the lane's org.
        stop: Ends the waiting for a token.
        permit: Asked by the wire, as what changes anything leaves.
    """

    def __init__(
        self, inner: Transport, token: Token, *, stop: StopSignal, permit: Permit = always
    ) -> None:
        self._inner = inner
        self._token = token
        self._stop = stop
        self._permit = permit

    async def send(self, request: Request) -> Response:
        """
        Send with the token of now; one that lived out its life during the wait is replaced first.

        Raises:
            TransportError: No token, nothing sent; or as of the ring within.
        """
        token = self._token.alive()
        if token is None:
            with self._stop.guard(request.purpose):
                token = await self._token.current()
        number = self._token.number
        response = await self._inner.send(self._stamped(request, token))
        return response.signed(number)

    def _stamped(self, request: Request, token: Secret) -> Request:
        org = self._token.org
        return Request(
            purpose=request.purpose,
            method=request.method,
            url=request.url,
            headers={
                **request.headers,
                "Authorization": f"Bearer {token.reveal()}",
                "x-api-key": org.client_id,
                "x-gw-ims-org-id": org.org_id,
            },
            body=request.body,
            departure=request.departure,
            permit=self._permit if request.purpose in WRITES else always,
        )


def _is_foreign(response: Response) -> bool:
    """
    Whether somebody else answered: a redirect, or a body that is no JSON where IMS answers in JSON.

    A gateway's own page may be a server fault's (5xx), and a status that asks for time says enough.
    """
    status = response.status
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _PASSING or response.body_fault:
        return False
    is_redirect = HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST
    return is_redirect or (bool(response.body.strip()) and not is_json(response.body))


def _json(response: Response) -> Mapping[str, object]:
    try:
        answer = read_json(response.body)
    except orjson.JSONDecodeError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _text(answer: Mapping[str, object], name: str) -> str:
    value = answer.get(name)
    return value if isinstance(value, str) else ""


def _life_s(expires_in: object) -> float:
    """Seconds of a token's life: never longer than a day, short where the answer makes no sense."""
    if isinstance(expires_in, str) and re.fullmatch(r"[0-9]{1,15}", expires_in, re.ASCII):
        expires_in = int(expires_in)
    if isinstance(expires_in, int | float) and not isinstance(expires_in, bool) and expires_in > 0:
        return min(float(expires_in), LONGEST_LIFE_S)
    return UNKNOWN_LIFE_S
