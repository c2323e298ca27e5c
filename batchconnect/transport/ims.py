"""
Signs a lane in: one access token per credential, kept in memory only, and the ring that puts it on
every request and gets a fresh one when the gateway calls it stale.
"""

import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from http import HTTPStatus
from urllib.parse import urlencode

import anyio
import orjson

from batchconnect.model.foreign_text import ForeignText
from batchconnect.model.org import Org
from batchconnect.model.secret import Secret
from batchconnect.transport.interface import Purpose, Request, Response, Transport, TransportError
from batchconnect.transport.retry_after import retry_after_s
from batchconnect.transport.stop import StopSignal

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
    """

    def __init__(self, org: Org, transport: Transport) -> None:
        self._org = org
        self._transport = transport
        self._lock = anyio.Lock()
        self._token: Secret | None = None
        self._fetched: deque[Secret] = deque(maxlen=_KEPT)
        self._renew_at = 0.0
        self._refused: SignInError | None = None
        self._held_until = 0.0
        self._failure = ""

    @property
    def org(self) -> Org:
        """Whose token this is."""
        return self._org

    @property
    def fetched(self) -> tuple[Secret, ...]:
        """The last tokens of IMS, which an answer may repeat although a newer one is in use."""
        return tuple(self._fetched)

    def ready(self) -> Secret | None:
        """The token, if there is one that is valid for a while yet; nobody is asked."""
        if self._org.access_token is not None:
            return self._org.access_token
        if self._token is not None and anyio.current_time() < self._renew_at:
            return self._token
        return None

    async def current(self) -> Secret:
        """
        A token that is valid for a while yet.

        Raises:
            SignInError: IMS refuses the credential; remembered, so that it is asked once.
            TransportError: `no_token`: IMS cannot be reached or used just now; nothing was sent.
        """
        async with self._lock:
            if (token := self.ready()) is not None:
                return token
            await self._fetch()
            assert self._token is not None
            return self._token

    async def refresh(self, stale: Secret) -> Secret:
        """
        Another token than this one, which the gateway refused.

        However many requests met the stale token, IMS is asked once.

        Returns:
            The fresh token; the stale one itself where it is a ready one that cannot be refreshed.

        Raises:
            TransportError: As of `current`.
        """
        if self._org.access_token is not None:
            return self._org.access_token
        async with self._lock:
            if self._token is None or self._token == stale:
                self._token = None
                await self._fetch()
            assert self._token is not None
            return self._token

    async def _fetch(self) -> None:
        if self._refused is not None:
            raise SignInError(self._refused.code, self._refused.detail)
        if anyio.current_time() < self._held_until:
            raise TransportError("no_token", sent=False, detail=self._failure, attempts=0)
        try:
            response = await self._transport.send(self._request())
        except TransportError as error:
            if error.permanent:
                raise
            raise self._failed(str(error), _HOLD_S) from None
        asked_at = anyio.current_time()
        answer = _json(response)
        if response.status == HTTPStatus.OK and response.body_fault is None:
            token = answer.get("access_token")
            if isinstance(token, str) and token and not _NOT_TOKEN.search(token):
                self._token = Secret(token)
                self._fetched.append(self._token)
                life_s = _life_s(answer.get("expires_in"))
                self._renew_at = asked_at + life_s - min(_EARLY_S, life_s * _EARLY_SHARE)
                return
        self._judge(response, answer)

    def _judge(self, response: Response, answer: Mapping[str, object]) -> None:
        status = response.status
        foreign = ForeignText(
            (secret for secret in (self._org.client_secret, self._token) if secret),
            (self._org.client_id, self._org.org_id, self._org.key),
        )
        code = foreign.code(_text(answer, "error")) or f"ims-{status}"
        detail = foreign.shown(_text(answer, "error_description"))
        refused = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
        if refused and status not in _PASSING:
            self._refused = SignInError(code, detail)
            raise SignInError(code, detail)
        hold_s = max(_HOLD_S, retry_after_s(response.headers) or 0)
        raise self._failed(f"IMS answered {status} {code}", hold_s)

    def _failed(self, detail: str, hold_s: float) -> TransportError:
        self._failure = detail
        self._held_until = anyio.current_time() + hold_s
        return TransportError("no_token", sent=False, detail=detail)

    def _request(self) -> Request:
        secret = self._org.client_secret
        if secret is None:
            raise SignInError("no_client_secret", f"org {self._org.key} has no client secret")
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
    Puts token, client and org on every request; after a stale token one refresh and one more try.

    Args:
        inner: The ring within.
        token: Of the lane's org.
        is_stale: Whether an answer says that the token, and only the token, is no longer valid.
        stop: Ends the waiting for a token.
    """

    # The token is stamped before the wait for the pace, and a pause lasts up to 300 s. A usual token
    # lives a day and is renewed 5 minutes early, so it outlives every pause. One with a shorter life
    # may not: its request is answered as stale and costs one refresh, which is what this ring is for.

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

        Raises:
            TransportError: No token, nothing sent; or as of the ring within.
        """
        token = self._token.ready()
        if token is None:
            with self._stop.guard(request.purpose):
                token = await self._token.current()
        response = await self._inner.send(self._stamped(request, token))
        if not self._is_stale(response):
            return response
        with self._stop.guard(request.purpose):
            fresh = await self._token.refresh(token)
        if fresh == token:
            return response
        try:
            second = await self._inner.send(self._stamped(request, fresh))
        except TransportError as error:
            error.attempts += response.attempts
            raise
        return replace(second, attempts=second.attempts + response.attempts)

    def _stamped(self, request: Request, token: Secret) -> Request:
        org = self._token.org
        # Not by `replace`, which asks for each field's name and default: it took longer than the rest.
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
        )


def _json(response: Response) -> Mapping[str, object]:
    try:
        answer = orjson.loads(response.body)
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
