"""What the wire makes of answers and of foreign errors, without a socket."""

import gzip
import ssl
import zlib
from pathlib import Path
from types import SimpleNamespace

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from aioresponses import aioresponses as AioResponses  # noqa: N812 - a class named like its module
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from batchconnect.model.errors import SettingsError
from batchconnect.transport.body import BODY_LIMIT, Body
from batchconnect.transport.interface import Purpose, Request, Response, TransportError
from batchconnect.transport.loopback import is_loopback
from batchconnect.transport.wire import Wire
from tests.fast_lane import few

HOST = "platform.adobe.io"
URL_TEXT = f"https://{HOST}/data/foundation/flowservice/connections"
KEY = ConnectionKey(HOST, 443, True, True, None, None, None)
TOKEN = "eyJ-canary-token"


def create(url: str = URL_TEXT, **headers: str) -> Request:
    return Request(
        purpose=Purpose.CREATE,
        method="POST",
        url=url,
        headers={"Authorization": f"Bearer {TOKEN}", **headers},
        body=b"{}",
    )


async def send(request: Request) -> Response:
    async with Wire(allowed_hosts=frozenset({HOST})) as wire:
        return await wire.send(request)


@pytest.mark.asyncio
async def test_an_answer_arrives_whole(served: AioResponses) -> None:
    """Status, body, and headers in lower case; of a repeated one the first."""
    headers = CIMultiDict([("Location", "/connections/1"), ("X-Request-Id", "a")])
    headers.add("X-Request-Id", "b")
    served.post(URL_TEXT, status=201, body=b'{"id": 1}', headers=headers)
    answer = await send(create())

    assert (answer.status, answer.body, answer.body_fault) == (201, b'{"id": 1}', None)
    assert (answer.headers["location"], answer.headers["x-request-id"]) == ("/connections/1", "a")


@pytest.mark.asyncio
@pytest.mark.parametrize("status", few([200, 204, 307, 400, 401, 409, 429, 500, 503], 4))
async def test_every_status_is_an_answer(served: AioResponses, status: int) -> None:
    """The wire judges nothing, and follows no redirect."""
    served.post(URL_TEXT, status=status, headers={"Location": "https://evil.example/"})

    assert status == (await send(create())).status
    assert len(served.requests) == 1


def info() -> aiohttp.RequestInfo:
    headers = CIMultiDictProxy(CIMultiDict({"Authorization": f"Bearer {TOKEN}"}))
    return aiohttp.RequestInfo(URL(URL_TEXT), "POST", headers, URL(URL_TEXT))


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (aiohttp.ClientConnectorDNSError(KEY, OSError(-2, "unknown")), "dns"),
        (aiohttp.ClientConnectorError(KEY, OSError(111, "refused")), "refused"),
        (aiohttp.ClientConnectorError(KEY, OSError(113, "no route")), "unreachable"),
        (aiohttp.ClientConnectorError(KEY, OSError(110, "timed out")), "connect_timeout"),
        (aiohttp.ClientConnectorError(KEY, OSError(104, "reset")), "connection_lost"),
        (aiohttp.ClientProxyConnectionError(KEY, OSError(111, "refused")), "proxy"),
        (aiohttp.ClientHttpProxyError(info(), (), status=407), "http-407"),
        (aiohttp.ClientHttpProxyError(info(), (), status=403), "proxy_refused"),
        (aiohttp.ClientHttpProxyError(info(), (), status=503), "proxy"),
        (aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError(1, "handshake")), "tls"),
        (aiohttp.ClientConnectorCertificateError(KEY, ssl.CertificateError("bad")), "tls"),
        (aiohttp.ServerFingerprintMismatch(b"a", b"b", HOST, 443), "tls"),
        (ssl.SSLError(1, "handshake"), "tls"),
        (aiohttp.ConnectionTimeoutError(), "connect_timeout"),
        (aiohttp.SocketTimeoutError(), "timeout"),
        (TimeoutError(), "timeout"),
        (aiohttp.ServerDisconnectedError(), "connection_lost"),
        (aiohttp.ClientOSError(104, "reset"), "connection_lost"),
        (aiohttp.ClientConnectionResetError("closing"), "connection_lost"),
        (aiohttp.ClientPayloadError("cut"), "connection_lost"),
        (BrokenPipeError(32, "pipe"), "connection_lost"),
        (aiohttp.ClientResponseError(info(), (), status=400, message=TOKEN), "bad_answer"),
        (aiohttp.InvalidURL("x"), "bad_request"),
        (ValueError(TOKEN), "bad_request"),
        (RuntimeError("the handler is closed"), "connection_lost"),
        (AttributeError(TOKEN), "unexpected"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
async def test_foreign_errors_end_at_the_door(
    served: AioResponses, error: Exception, code: str
) -> None:
    """Each has one word of ours; nothing of the message, its token least of all, hangs on to it."""
    served.post(URL_TEXT, exception=error)
    with pytest.raises(TransportError) as caught:
        await send(create())

    assert code == caught.value.code
    assert (caught.value.fault is not None) == (code == "unexpected")
    assert TOKEN not in str(caught.value)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://evil.example/", "not among the allowed hosts"),
        ("https://platform.adobe.io.evil.example/", "not among the allowed hosts"),
        (f"https://{HOST}@evil.example/", "not among the allowed hosts"),
        (f"http://{HOST}/", "https only"),
        (f"ftp://{HOST}/", "https only"),
        (f"https://{HOST}:8443/", "port 443 only"),
        (f"https://user:password@{HOST}/", "no user and password"),
        ("http://127.0.0.1/", "not among the allowed hosts"),
        ("/no/host", "not among the allowed hosts"),
    ],
)
async def test_a_foreign_host_is_refused_before_any_byte(
    served: AioResponses, url: str, reason: str
) -> None:
    """Only what was named is talked to, over TLS, on its port; and never again by a retry."""
    with pytest.raises(TransportError, match=reason) as caught:
        await send(create(url))

    assert (
        caught.value.code,
        caught.value.sent,
        caught.value.permanent,
    ) == ("host_not_allowed", False, True)
    assert "password@" not in str(caught.value)
    assert not served.requests


@pytest.mark.asyncio
@pytest.mark.parametrize("url", ["https://[::1", f"https://{HOST}:port/"])
async def test_a_url_that_cannot_be_read_is_refused(served: AioResponses, url: str) -> None:
    """No URL, no request."""
    with pytest.raises(TransportError, match="bad_request") as caught:
        await send(create(url))

    assert (caught.value.sent, caught.value.permanent) == (False, True)


@pytest.mark.asyncio
async def test_the_proxy_is_for_all_but_loopback(served: AioResponses) -> None:
    """The one that was named, never the environment's; and no redirect is asked for."""
    served.post(URL_TEXT)
    served.post("http://127.0.0.1:8080/")
    hosts = frozenset({HOST, "127.0.0.1"})
    async with Wire(allowed_hosts=hosts, proxy="http://proxy.example:3128") as wire:
        await wire.send(create())
        await wire.send(create("http://127.0.0.1:8080/"))
    calls = [call.kwargs for calls in served.requests.values() for call in calls]

    assert [call["proxy"] for call in calls] == ["http://proxy.example:3128", None]
    assert {False} == {call["allow_redirects"] for call in calls}


def test_a_ca_bundle_that_cannot_be_used_names_itself(tmp_path: Path) -> None:
    """No file, or no certificate in it: said before anything starts."""
    no_pem = tmp_path / "no.pem"
    no_pem.write_text("hello")
    for path in (no_pem, tmp_path / "absent.pem"):
        with pytest.raises(SettingsError, match=path.name):
            Wire(allowed_hosts=frozenset(), ca_bundle=path)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("localhost.evil.example", False),
        ("", False),
        (None, False),
    ],
)
def test_loopback_is_this_machine_alone(host: str | None, loopback: bool) -> None:
    """A name that only looks like it is another machine."""
    assert loopback is is_loopback(host)


def test_a_body_ends_at_the_limit() -> None:
    """Of 50 MB one is kept; what is exactly as long is whole."""
    long, whole = Body(""), Body("")
    for _ in range(50):
        long.feed(b"x" * BODY_LIMIT)
    whole.feed(b"x" * BODY_LIMIT)

    assert (len(long.text), long.fault) == (BODY_LIMIT, "too_large")
    assert (len(whole.text), whole.fault or whole.ended()) == (BODY_LIMIT, None)


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate", "GZIP"])
def test_a_compressed_body_is_unpacked(encoding: str) -> None:
    """Byte by byte or at once, the text is the same."""
    packed = zlib.compress(b"text") if encoding == "deflate" else gzip.compress(b"text")
    body = Body(encoding)
    for byte in packed:
        body.feed(bytes([byte]))

    assert (bytes(body.text), body.fault or body.ended()) == (b"text", None)


def test_a_bomb_is_not_unpacked() -> None:
    """A gigabyte of zeros in a megabyte of gzip: one byte too many is noticed, no more is made."""
    body = Body("gzip")
    body.feed(gzip.compress(bytes(64 * BODY_LIMIT)))

    assert (len(body.text), body.fault) == (BODY_LIMIT, "too_large")


def test_a_body_in_an_unknown_or_broken_encoding_says_so() -> None:
    """The status and the headers of such an answer stand all the same."""
    unknown, broken, cut = Body("br"), Body("gzip"), Body("gzip")
    broken.feed(b"no gzip at all")
    cut.feed(gzip.compress(b"text" * 100)[:-9])

    assert (unknown.fault, broken.fault, cut.ended()) == ("encoding", "encoding", "cut")


def test_a_trace_context_is_what_aiohttp_hands_out() -> None:
    """The fact "sent" is written where the wire reads it."""
    assert SimpleNamespace is type(aiohttp.TraceConfig().trace_config_ctx())
