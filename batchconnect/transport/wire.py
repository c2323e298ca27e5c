"""
Carries one HTTP message over aiohttp: the innermost ring, and the only one that knows the library.

It never repeats, redirects or trusts more than it was told to, it translates every foreign error, and
it knows as a fact whether a byte of the request may have left.
"""

import asyncio
import errno
import os
import re
import socket
import ssl
import sys
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Self

import aiohttp
from yarl import URL

from batchconnect.model.defaults import TIMEOUT_S
from batchconnect.model.fault import fault_of
from batchconnect.transport.body import Body
from batchconnect.transport.interface import (
    LEASE_OVER,
    Permit,
    Purpose,
    Request,
    Response,
    StoppedError,
    TransportError,
)
from batchconnect.transport.loopback import is_loopback
from batchconnect.transport.proxy_gate import PROXY_SIGN_IN, ProxyGate
from batchconnect.transport.resolver import Resolver
from batchconnect.transport.trust import Trust

IDLE_S = 2.0
"""Seconds. An idle socket that the server closes as we write leaves a row in doubt."""
_NEEDS_CLEANUP = sys.version_info < (3, 12, 8) or sys.version_info[:3] == (3, 13, 0)
"""Where asyncio forgets aborted TLS sockets, and aiohttp has to sweep up (python/cpython#118960)."""


@dataclass(slots=True)
class _Trace:
    """What aiohttp's own trace saw of one request."""

    permit: Permit
    """Of the request."""
    gate: ProxyGate | None = None
    """Of a request that goes through a proxy."""
    sent: bool = False
    has_begun: bool = False
    """Whether its first chunk was let go."""
    is_refused: bool = False
    """Whether it was not let go at the last instant."""

    def ask(self) -> None:
        """
        Whether it may leave, directly before it does.

        Raises:
            _NoPermitError: It may not, and it does not.
        """
        if not self.permit():
            self.is_refused, self.sent = True, False
            raise _NoPermitError


class _NoPermitError(Exception):
    """Ends a request before its first byte; aiohttp hands it on, or wraps it."""


async def _headers_sent(
    _session: aiohttp.ClientSession,
    context: SimpleNamespace,
    _params: aiohttp.TraceRequestHeadersSentParams,
) -> None:
    # NOTE: read in aiohttp 3.14.5, http_writer.py: `write_headers` awaits this signal first, and only
    # puts the headers into a buffer after it; the buffer meets the socket with the body's first chunk.
    # So the signal is always *before* the first byte: fired and not sent is possible (a doubt too
    # many), not fired and sent is not. A proxy's CONNECT has no traces, so it does not count as sent.
    trace: _Trace = context.trace_request_ctx
    trace.ask()
    trace.sent = True
    if trace.gate is not None:
        trace.gate.leave(trace, let_through=True)


async def _chunk_sent(
    _session: aiohttp.ClientSession,
    context: SimpleNamespace,
    _params: aiohttp.TraceRequestChunkSentParams,
) -> None:
    # NOTE: read in aiohttp 3.14.5, http_writer.py: `write` awaits this signal first, and hands headers and
    # chunk to the socket after it, in the same turn of the loop. The headers' own signal is a turn earlier
    # under Python 3.11, and a loop may be held up between the two.
    trace: _Trace = context.trace_request_ctx
    if trace.has_begun:
        return  # the service may have read the first chunk already
    trace.ask()
    trace.has_begun = True


class _LostError(Exception):
    """An answer was lost: a name that aiohttp does not know, and so does not repeat a request for."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


async def _once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Let no request be sent a second time by the library."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise  # nothing was sent, and it is not repeated for that
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _LostError(error) from None


class Wire:
    """
    One pool of sockets. Share it between lanes: it keeps no cookie, no token and no other state.

    Args:
        allowed_hosts: Hosts that may be talked to, in lower case; any other is refused unsent.
        connect_timeout_s: Seconds for name, socket, proxy and TLS together.
        read_timeout_s: Seconds without a byte of the answer.
        deadline_s: Seconds for the whole message, the last byte of the answer included.
        sockets: How many at most; more than about 100 make aiohttp slower.
        proxy: URL of a proxy for all but loopback; the environment's is never used.
        ca_bundle: PEM file of authorities to trust beside the system's; see `Trust`.

    Raises:
        SettingsError: *ca_bundle* cannot be used.
    """

    def __init__(
        self,
        *,
        allowed_hosts: frozenset[str],
        connect_timeout_s: float = 10,
        read_timeout_s: float = TIMEOUT_S,
        deadline_s: float = 150,
        sockets: int = 100,
        proxy: str | None = None,
        ca_bundle: Path | None = None,
    ) -> None:
        self._allowed_hosts = allowed_hosts
        self._sockets = sockets
        self._proxy = proxy
        self._gate = ProxyGate()
        self._met: set[str] = set()
        """Hosts that have answered: what fails with them now has worked, and may work again."""
        self._trust = Trust(ca_bundle)
        self._timeout = aiohttp.ClientTimeout(
            total=deadline_s, connect=connect_timeout_s, sock_read=read_timeout_s
        )
        # NOTE: waiting for a free socket happens here and not in aiohttp's pool, where it would count
        # as time for connecting and end in a `connect_timeout` that says nothing about the service.
        self._free = asyncio.Semaphore(sockets)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(_headers_sent)
        trace.on_request_chunk_sent.append(_chunk_sent)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._sockets,
                keepalive_timeout=IDLE_S,
                resolver=Resolver(),
                enable_cleanup_closed=_NEEDS_CLEANUP,
            ),
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"batchconnect/{_version()}", "Accept-Encoding": "gzip"},
            trust_env=False,
            auto_decompress=False,
            trace_configs=[trace],
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._session is not None
        await self._session.close()
        self._session = None

    async def send(self, request: Request) -> Response:
        """
        Send one message once.

        Returns:
            The answer whatever its status. If its body is not whole, `body_fault` says why; status and
            headers stand all the same.

        Raises:
            TransportError: No status line and headers came.
        """
        url = _checked(request.url, self._allowed_hosts)
        # Not by `async with`, whose two coroutines are more than all else that is done for a place here.
        await self._free.acquire()
        try:
            return await self._exchange(request, url)
        finally:
            self._free.release()

    async def _exchange(self, request: Request, url: URL) -> Response:
        is_proxied = self._proxy is not None and not is_loopback(url.host)
        trace = _Trace(permit=request.permit, gate=self._gate if is_proxied else None)
        if is_proxied:
            await self._gate.enter(trace)
            if self._gate.is_refused:
                raise _proxy_refused(url)
        try:
            # NOTE: aiohttp 3.14 sends a request again whose answer was lost, but only for its
            # IDEMPOTENT_METHODS (GET, HEAD, OPTIONS, TRACE, PUT, DELETE): never a POST or a PATCH. What
            # became of the first DELETE would be lost with that, so `_once` keeps it from doing so.
            answer = await self._request(
                request, url, trace, proxy=self._proxy if is_proxied else None
            )
        except Exception as error:  # noqa: BLE001 - the door: what has no name is still no answer
            code, detail = _translate(error.error if isinstance(error, _LostError) else error)
            fault = fault_of(error) if code == _UNFORESEEN else None
            self._gate.is_refused |= code == PROXY_SIGN_IN
        else:
            # Out here, where the deadline ends the body and not the answer: its headers are known.
            self._met.add(url.host or "")
            return await _read(answer)
        finally:
            self._gate.leave(trace, let_through=trace.sent)
        if trace.is_refused:
            raise StoppedError(LEASE_OVER, "the lane's lease was over before it was sent")
        if self._gate.is_refused and code == PROXY_SIGN_IN:
            raise _proxy_refused(url)
        # Raised out here, so that no foreign error with the request's headers in it hangs on as context.
        raise TransportError(
            code,
            sent=trace.sent,
            detail=f"{url.host}: {detail}",
            permanent=self._is_lasting(code, url) and not trace.sent,
            fault=fault,
        )

    def _is_lasting(self, code: str, url: URL) -> bool:
        """Whether another try would fail alike; of a host that has answered, only what is our own."""
        return code in _OURS or (code in _OF_THE_WAY and url.host not in self._met)

    async def _request(
        self, request: Request, url: URL, trace: _Trace, *, proxy: str | None
    ) -> aiohttp.ClientResponse:
        assert self._session is not None, "use the wire as a context manager"
        host = url.host or ""
        while True:
            used = self._trust.of(host)
            try:
                return await self._session.request(
                    request.method,
                    url,
                    # Said to be bytes, it is not asked of each kind of body that there is.
                    data=request.body and aiohttp.BytesPayload(request.body),
                    headers=request.headers,
                    allow_redirects=False,
                    ssl=used,
                    proxy=proxy,
                    trace_request_ctx=trace,
                    middlewares=(_once,) if request.purpose is Purpose.DELETE else None,
                )
            except aiohttp.ClientConnectorCertificateError as error:
                # Before the handshake is through nothing is sent; the trace has the last word all the same.
                refused = error.certificate_error
                if trace.sent or not self._trust.has_another(host, refused, used=used):
                    raise


def _proxy_refused(url: URL) -> TransportError:
    return TransportError(
        PROXY_SIGN_IN, sent=False, detail=f"{url.host}: the proxy answered 407", permanent=True
    )


async def _read(answer: aiohttp.ClientResponse) -> Response:
    body = Body(answer.headers.get("Content-Encoding", ""))
    fault: str | None = "timeout"
    try:
        while body.fault is None and (chunk := await answer.content.readany()):
            body.feed(chunk)
        fault = body.fault or body.ended()
    except Exception as error:  # noqa: BLE001 - the headers are here: nothing may lose them
        fault = "timeout" if isinstance(error, TimeoutError) else "cut"
    finally:
        if fault is None:
            answer.release()
        else:
            answer.close()
    # As they came: a few of some twenty are ever asked for, and these know no case.
    return Response(
        status=answer.status, headers=answer.headers, body=bytes(body.text), body_fault=fault
    )


_PLAIN = re.compile(r"(https?://[a-z0-9.:-]+)(/[A-Za-z0-9/_~-]*)", re.ASCII)
"""A URL of which nothing can be read in two ways: its origin, and a path without dots, escapes and query."""


@lru_cache(maxsize=64)
def _checked(address: str, allowed_hosts: frozenset[str]) -> URL:
    """
    The URL of a request, if it may be sent there; every create of a lane goes to the same one.

    Raises:
        TransportError: It may not; nothing was sent.
    """
    plain = _PLAIN.fullmatch(address)
    if plain is None:
        return _read_and_checked(address, allowed_hosts)
    # Each test of a connection goes to a path of its own at one origin.
    origin = _read_and_checked(f"{plain[1]}/", allowed_hosts)
    return origin.with_path(plain[2], encoded=True)


@lru_cache(maxsize=64)
def _read_and_checked(address: str, allowed_hosts: frozenset[str]) -> URL:
    """As `_checked`, of any address, which is taken apart for it."""
    try:
        url = URL(address, encoded=True)
        host, port = url.host, url.port
    except ValueError:
        raise TransportError(
            "bad_request", sent=False, detail="the URL cannot be read", permanent=True
        ) from None
    local = is_loopback(host)
    if host is None or host.lower() not in allowed_hosts:
        reason = f"{host} is not among the allowed hosts"
    elif url.scheme != "https" and not (local and url.scheme == "http"):
        reason = f"{host}: https only, plain http for loopback alone"
    elif port != 443 and not local:  # noqa: PLR2004 - the port of https
        reason = f"{host}: port 443 only"
    elif url.raw_user is not None or url.raw_password is not None:
        reason = f"{host}: no user and password in a URL"
    else:
        return url
    raise TransportError("host_not_allowed", sent=False, detail=reason, permanent=True)


@cache
def _version() -> str:
    try:
        return version("batchconnect")
    except PackageNotFoundError:  # pragma: no cover - a checkout that was never installed
        return "0"


_WORDS: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    ((aiohttp.ClientConnectorDNSError,), "dns"),
    ((aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError), "proxy"),
    ((aiohttp.ClientSSLError, aiohttp.ServerFingerprintMismatch, ssl.SSLError), "tls"),
    ((aiohttp.ConnectionTimeoutError,), "connect_timeout"),
    ((aiohttp.ClientConnectorError,), "unreachable"),
    ((TimeoutError,), "timeout"),
    # uvloop says RuntimeError where asyncio says ConnectionResetError: "the handler is closed".
    (
        (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, OSError, RuntimeError),
        "connection_lost",
    ),
    ((aiohttp.ClientResponseError,), "bad_answer"),
    ((aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, ValueError), "bad_request"),
)
"""
Every foreign error's word in the report, from the special to the general, as they inherit from each
other. None says whether a byte was sent; only the trace does.
"""
_UNFORESEEN = "unexpected"
_SIGN_IN = 407
_OURS = frozenset({"bad_request", _UNFORESEEN})
"""What a repetition would not mend: a request that cannot be written, and an error without a name."""
_OF_THE_WAY = frozenset({"tls", "clock", "tls_refused", "proxy_refused"})
"""What somebody has to change first, as long as the host never answered."""
_CLIENT_ERRORS = range(400, 500)
_NOT_VALID_NOW = frozenset({9, 10})
"""OpenSSL's `X509_V_ERR_CERT_NOT_YET_VALID` and `_HAS_EXPIRED`, of any certificate of the chain: `x509_vfy.h`."""
_TLS_WORD = re.compile(r"\[(?:SSL|X509): ([A-Z0-9_]+)\]")
_WANTS_CERTIFICATE = frozenset({"TLSV13_ALERT_CERTIFICATE_REQUIRED"})
"""The alert of RFC 8446, section 6.2, that says so. It comes after our own part of the handshake is done."""
_ALERTS = {
    # What a server says before TLS 1.3 that demands a client certificate, or knows no cipher of ours.
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "tls_refused",
    "SSL/TLS_ALERT_HANDSHAKE_FAILURE": "tls_refused",
    "SSLV3_ALERT_BAD_CERTIFICATE": "tls_refused",
    # Cut off: by a filter that knows the name, or a balancer that restarts.
    "UNEXPECTED_EOF_WHILE_READING": "connection_lost",
    "EOF_OCCURRED_IN_VIOLATION_OF_PROTOCOL": "connection_lost",
}
"""Words of OpenSSL that are another trouble than a certificate that is not trusted."""
_UNREACHABLE = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "connection_lost",
    errno.EPIPE: "connection_lost",
    errno.ETIMEDOUT: "connect_timeout",
}
"""Kinds of `unreachable` with a word of their own."""


def _translate(error: Exception) -> tuple[str, str]:
    """Word and one line for a foreign error; nothing of the message itself is in the line."""
    code = next((word for kinds, word in _WORDS if isinstance(error, kinds)), _UNFORESEEN)
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    number = cause.errno if isinstance(cause, OSError) else None
    alert = _tls_word(error)
    if code == "unreachable":
        code = _UNREACHABLE.get(number or 0, code)
    detail = os.strerror(number) if number is not None and number > 0 else type(error).__name__
    if isinstance(cause, socket.gaierror):
        detail = cause.strerror or detail
    if (
        type(error) is TimeoutError
    ):  # aiohttp's own, for a socket or its connecting, inherit from it
        detail = "the deadline of the request passed"
    if alert in _WANTS_CERTIFICATE:
        return "client_certificate", "the server demands a client certificate"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        detail = f"certificate: {getattr(error.certificate_error, 'verify_message', 'not valid')}"
        if getattr(error.certificate_error, "verify_code", 0) in _NOT_VALID_NOW:
            code = "clock"
    elif isinstance(error, aiohttp.ClientHttpProxyError):
        detail = f"the proxy answered {error.status}"
        if error.status in _CLIENT_ERRORS:
            code = PROXY_SIGN_IN if error.status == _SIGN_IN else "proxy_refused"
    elif alert:
        # Its errno is OpenSSL's, and would be told as another error of the system.
        detail = f"TLS: {alert.lower().replace('_', ' ')}"
        code = _ALERTS.get(alert, code)
    return code, detail


def _tls_word(error: BaseException) -> str:
    """OpenSSL's word for what went wrong, `TLSV13_ALERT_CERTIFICATE_REQUIRED`; "" where TLS is no cause."""
    seen: BaseException | None = error
    while seen is not None:
        # aiohttp's own errors inherit from those of `ssl`, and know no reason.
        if isinstance(seen, ssl.SSLError) and (reason := getattr(seen, "reason", None)):
            return str(reason)
        if isinstance(seen, OSError) and (found := _TLS_WORD.search(str(seen.strerror))):
            return found[1]
        seen = seen.__cause__ or seen.__context__
    return ""
