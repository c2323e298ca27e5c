"""Real sockets on loopback: was a byte sent, is the answer whole, and does nothing go elsewhere."""

import asyncio
import gzip
import socket
import ssl
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from batchconnect.transport.body import BODY_LIMIT
from batchconnect.transport.interface import (
    LEASE_OVER,
    Purpose,
    Request,
    Response,
    TransportError,
)
from batchconnect.transport.wire import Wire
from tests.fast_lane import few

pytestmark = pytest.mark.asyncio

PEM = Path(__file__).parent / "loopback.pem"
HOSTS = frozenset({"127.0.0.1", "localhost", "no-such-host.invalid", "127.0.0.2"})
CREATED = b"HTTP/1.1 201 Created\r\nLocation: /connections/1\r\nDate: today\r\n"

Script = Callable[["Peer"], Awaitable[None]]


class Peer:
    """One socket of the server, and what it has read."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def request(self) -> bytes:
        """Read one request whole."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        return head + await self.reader.readexactly(length)

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


@asynccontextmanager
async def server(
    script: Script, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[int]:
    """Run the script for each socket; the port."""

    async def on_socket(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await script(Peer(reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    running = await asyncio.start_server(on_socket, host, 0, ssl=tls)
    try:
        yield running.sockets[0].getsockname()[1]
    finally:
        running.close()
        await running.wait_closed()


def post(port: int, *, scheme: str = "http", host: str = "127.0.0.1") -> Request:
    return Request(
        purpose=Purpose.CREATE,
        method="POST",
        url=f"{scheme}://{host}:{port}/connections",
        headers={"Content-Type": "application/json"},
        body=b'{"servicePrincipalKey": "canary"}',
    )


def changing(port: int, method: str) -> Request:
    """A create, an update or a delete."""
    purposes = {"POST": Purpose.CREATE, "PATCH": Purpose.UPDATE, "DELETE": Purpose.DELETE}
    sent = replace(post(port), purpose=purposes[method], method=method)
    return replace(sent, body=None) if method == "DELETE" else sent


def wire(
    *, deadline_s: float = 60, read_timeout_s: float = 60, ca_bundle: Path | None = None
) -> Wire:
    return Wire(
        allowed_hosts=HOSTS,
        connect_timeout_s=10,
        read_timeout_s=read_timeout_s,
        deadline_s=deadline_s,
        ca_bundle=ca_bundle,
    )


async def fault(through: Wire, request: Request) -> tuple[str, bool]:
    async with through:
        with pytest.raises(TransportError) as caught:
            await through.send(request)
    return caught.value.code, caught.value.sent


async def answer(script: Script, through: Wire | None = None) -> Response:
    async with server(script) as port, through or wire() as ready:
        return await ready.send(post(port))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_nothing_is_sent_to_a_port_that_refuses() -> None:
    """Connection refused: try again freely."""
    assert await fault(wire(), post(free_port())) == ("refused", False)


async def test_nothing_is_sent_to_a_name_without_an_address() -> None:
    """DNS failure: try again freely."""
    request = post(443, scheme="https", host="no-such-host.invalid")

    assert await fault(wire(), request) == ("dns", False)


class Permits:
    """Says yes so many times, then no."""

    def __init__(self, yes: int) -> None:
        self.asked, self._yes = 0, yes

    def __call__(self) -> bool:
        self.asked += 1
        return self.asked <= self._yes


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
@pytest.mark.parametrize("yes", [0, 1])
async def test_nothing_is_sent_without_a_permit(method: str, yes: int) -> None:
    """Refused as its headers are made, or directly before its first bytes: no byte of it arrives."""
    seen: list[bytes] = []

    async def listens(peer: Peer) -> None:
        seen.append(await peer.reader.read(100))

    permit = Permits(yes if method != "DELETE" else 0)
    async with server(listens) as port:
        request = replace(changing(port, method), permit=permit)
        assert await fault(wire(), request) == (LEASE_OVER, False)
        await asyncio.sleep(0.05)  # the server reads what there is to read, and the end

    assert seen in ([], [b""])
    assert permit.asked == (1 if method == "DELETE" else yes + 1)


async def test_a_permit_that_ends_after_the_first_bytes_cuts_nothing_off() -> None:
    """What has begun to leave may be applied, so all of it is sent, and the answer counts."""
    bodies: list[bytes] = []

    async def answers(peer: Peer) -> None:
        bodies.append((await peer.request()).partition(b"\r\n\r\n")[2])
        await peer.say(CREATED + b"Content-Length: 0\r\n\r\n")

    permit = Permits(2)
    async with server(answers) as port, wire() as through:
        body = b"x" * 300_000
        response = await through.send(replace(post(port), body=body, permit=permit))

    assert response.status == 201
    assert bodies == [body]
    assert permit.asked == 2


async def test_nothing_is_sent_without_tls() -> None:
    """A server that speaks no TLS never sees a byte of the request."""
    seen: list[bytes] = []

    async def plain(peer: Peer) -> None:
        seen.append(await peer.reader.read(1000))
        await peer.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with server(plain) as port:
        assert await fault(wire(), post(port, scheme="https")) == ("tls", False)
    assert b"canary" not in seen[0]


def tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    return context


async def whole(peer: Peer) -> None:
    while True:
        await peer.request()
        await peer.say(CREATED + b"Content-Length: 2\r\n\r\n{}")


async def test_nothing_is_sent_to_a_certificate_that_nobody_vouches_for() -> None:
    """TLS is always verified, on loopback too."""
    async with server(whole, tls=tls()) as port:
        assert await fault(wire(), post(port, scheme="https")) == ("tls", False)


async def test_a_ca_bundle_is_trusted() -> None:
    """The authority that was named vouches."""
    async with server(whole, tls=tls()) as port, wire(ca_bundle=PEM) as ready:
        assert (await ready.send(post(port, scheme="https"))).status == 201


async def test_a_socket_that_never_finishes_tls_is_given_up_unsent() -> None:
    """The connect timeout covers TLS as well."""

    async def silent(peer: Peer) -> None:
        await peer.reader.read()

    slow = Wire(allowed_hosts=HOSTS, connect_timeout_s=0.1)
    async with server(silent) as port:
        assert await fault(slow, post(port, scheme="https")) == ("connect_timeout", False)


async def test_a_reset_before_the_request_was_read_is_a_doubt() -> None:
    """The server read nothing, yet nobody can prove it from here."""

    async def script(peer: Peer) -> None:
        await peer.reader.read(1)
        peer.reset()

    async with server(script) as port:
        assert await fault(wire(), post(port)) == ("connection_lost", True)


@pytest.mark.parametrize("reset", [False, True], ids=["FIN", "RST"])
async def test_a_close_after_the_create_is_a_doubt(reset: bool) -> None:
    """The very same errors as before, and the object exists."""

    async def script(peer: Peer) -> None:
        await peer.request()
        if reset:
            peer.reset()

    async with server(script) as port:
        assert await fault(wire(), post(port)) == ("connection_lost", True)


@pytest.mark.parametrize(("read_timeout_s", "deadline_s"), few([(0.5, 60.0), (60.0, 0.5)], 1))
async def test_no_answer_is_a_doubt(read_timeout_s: float, deadline_s: float) -> None:
    """By whichever limit: the create may be applied later than this."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.reader.read()

    async with server(script) as port:
        assert await fault(
            wire(read_timeout_s=read_timeout_s, deadline_s=deadline_s), post(port)
        ) == ("timeout", True)


@pytest.mark.parametrize("data", [b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"\x00" * 100])
async def test_an_answer_that_is_not_http_is_a_doubt(data: bytes) -> None:
    """Something answered, nobody knows what."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(data)

    async with server(script) as port:
        assert await fault(wire(), post(port)) == ("bad_answer", True)


async def test_a_header_that_cannot_be_written_is_refused() -> None:
    """A line break in a header would be a second header."""
    request = Request(
        purpose=Purpose.READ,
        method="GET",
        url="http://127.0.0.1:1/",
        headers={"x-sandbox-name": "a\r\nb: c"},
    )
    async with server(whole) as port:
        bad = Request(
            purpose=Purpose.READ,
            method="GET",
            url=f"http://127.0.0.1:{port}/",
            headers=request.headers,
        )
        assert (await fault(wire(), bad))[0] == "bad_request"


async def test_location_survives_a_body_that_is_cut() -> None:
    """201, then the body ends early: created, and the id is known."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(CREATED + b'Content-Length: 99\r\n\r\n{"id": "')

    got = await answer(script)
    assert (got.status, got.headers["location"], got.body_fault) == (201, "/connections/1", "cut")
    assert got.headers["date"] == "today"


async def test_location_survives_a_body_that_stalls() -> None:
    """The read timeout ends the body, not the answer."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(CREATED + b"Content-Length: 99\r\n\r\n{")
        await peer.reader.read()

    got = await answer(script, wire(read_timeout_s=0.5))
    assert (
        got.status,
        got.headers["location"],
        got.body_fault,
        got.body,
    ) == (201, "/connections/1", "timeout", b"{")


@pytest.mark.slow
async def test_a_body_that_drips_ends_at_the_deadline() -> None:
    """A byte now and then beats every read timeout, and not the deadline."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(CREATED + b"Content-Length: 999999\r\n\r\n")
        while True:
            await peer.say(b".")
            await asyncio.sleep(0.02)

    async with asyncio.timeout(60):
        got = await answer(script, wire(deadline_s=1, read_timeout_s=0.5))
    assert (got.status, got.body_fault) == (201, "timeout")


@pytest.mark.slow
async def test_headers_that_drip_end_at_the_deadline() -> None:
    """The same before the headers are through: a doubt."""

    async def script(peer: Peer) -> None:
        await peer.request()
        while True:
            await peer.say(b"HTTP/1.1 100 Continue\r\n\r\n")
            await asyncio.sleep(0.02)

    async with server(script) as port:
        assert await fault(wire(deadline_s=1), post(port)) == ("timeout", True)


async def test_an_endless_body_is_cut_at_the_limit() -> None:
    """50 MB or more: a megabyte is read, then the socket is closed."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(CREATED + b"\r\n")
        while True:
            await peer.say(b"x" * 65536)

    got = await answer(script)
    assert (got.status, len(got.body), got.body_fault) == (201, BODY_LIMIT, "too_large")


@pytest.mark.slow
async def test_a_gzip_bomb_is_cut_at_the_limit() -> None:
    """A few kilobytes on the wire, gigabytes in memory: never unpacked."""
    bomb = gzip.compress(bytes(100 * BODY_LIMIT))

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(
            CREATED + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb) + bomb
        )

    got = await answer(script)
    assert (got.status, len(got.body), got.body_fault) == (201, BODY_LIMIT, "too_large")


@pytest.mark.parametrize("encoding", [b"br", b"gzip", b"who-knows"])
async def test_location_survives_an_encoding_that_cannot_be_read(encoding: bytes) -> None:
    """aiohttp's own decompression would lose the whole answer here."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(
            CREATED + b"Content-Encoding: " + encoding + b"\r\nContent-Length: 5\r\n\r\nhello"
        )

    got = await answer(script)
    assert (
        got.status,
        got.headers["location"],
        got.body_fault,
    ) == (201, "/connections/1", "encoding")


async def test_a_compressed_answer_is_unpacked() -> None:
    """gzip, in chunks."""
    packed = gzip.compress(b'{"id": 1}')

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(CREATED + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n")
        for byte in packed:
            await peer.say(b"1\r\n" + bytes([byte]) + b"\r\n")
        await peer.say(b"0\r\n\r\n")

    got = await answer(script)
    assert (got.body, got.body_fault) == (b'{"id": 1}', None)


async def test_a_redirect_to_another_host_is_an_answer_and_nothing_arrives_there() -> None:
    """307 would send the body, with its secret, to whoever it names."""
    arrived: list[bytes] = []

    async def trap(peer: Peer) -> None:
        arrived.append(await peer.reader.read(1000))

    async with server(trap, host="127.0.0.2") as trap_port:

        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.say(
                b"HTTP/1.1 307 Temporary Redirect\r\nContent-Length: 0\r\n"
                b"Location: http://127.0.0.2:%d/\r\n\r\n" % trap_port
            )

        got = await answer(script)
        await asyncio.sleep(0.05)

    assert (got.status, arrived) == (307, [])


async def test_an_idle_socket_that_the_server_closed_is_not_used_again() -> None:
    """The FIN was seen in time: a fresh socket, no doubt."""
    sockets: list[Peer] = []

    async def once(peer: Peer) -> None:
        sockets.append(peer)
        await peer.request()
        await peer.say(CREATED + b"Content-Length: 2\r\n\r\n{}")

    async with server(once) as port, wire() as ready:
        await ready.send(post(port))
        await asyncio.sleep(0.3)
        assert (await ready.send(post(port))).status == 201

    assert len(sockets) == 2


@pytest.mark.parametrize("method", ["POST", "DELETE", "PATCH"])
async def test_a_change_into_a_socket_that_just_closed_is_a_doubt_and_not_sent_again(
    method: str,
) -> None:
    """The FIN crosses our request: aiohttp resends a GET and a DELETE here; what changes something must not be."""
    requests: list[bytes] = []
    listening = socket.create_server(("127.0.0.1", 0))
    close = threading.Event()
    closed = threading.Event()

    def serve() -> None:
        peer, _ = listening.accept()
        requests.append(peer.recv(65536))
        peer.sendall(CREATED + b"Content-Length: 2\r\n\r\n{}")
        close.wait(5)
        peer.close()
        closed.set()
        listening.settimeout(0.3)
        try:
            again, _ = listening.accept()
        except TimeoutError:
            return
        requests.append(again.recv(65536))
        again.close()

    thread = threading.Thread(target=serve)
    thread.start()
    port = listening.getsockname()[1]
    async with wire() as ready:
        await ready.send(changing(port, method))
        close.set()
        closed.wait(5)  # the loop stands still meanwhile, so it cannot see the FIN before it writes
        with pytest.raises(TransportError) as caught:
            await ready.send(changing(port, method))
    await asyncio.to_thread(thread.join)
    listening.close()

    assert (caught.value.code, caught.value.sent, len(requests)) == ("connection_lost", True, 1)


async def test_sockets_are_kept_for_the_next_request() -> None:
    """Ten requests in a row, one socket; the body of each is read to its end."""
    sockets: list[Peer] = []

    async def counted(peer: Peer) -> None:
        sockets.append(peer)
        await whole(peer)

    async with server(counted) as port, wire() as ready:
        for _ in range(10):
            await ready.send(post(port))

    assert len(sockets) == 1


@pytest.mark.slow
async def test_more_requests_than_sockets_wait_their_turn() -> None:
    """Waiting for a socket is no connect timeout."""
    most = 0
    now = 0

    async def slow(peer: Peer) -> None:
        nonlocal most, now
        while True:
            await peer.request()
            now += 1
            most = max(most, now)
            await asyncio.sleep(0.2)
            now -= 1
            await peer.say(CREATED + b"Content-Length: 2\r\n\r\n{}")

    few = Wire(allowed_hosts=HOSTS, connect_timeout_s=0.5, sockets=2)
    async with server(slow) as port, few as ready:
        answers = await asyncio.gather(*(ready.send(post(port)) for _ in range(8)))

    assert [got.status for got in answers] == [201] * 8
    assert most == 2


async def test_a_cancel_passes_through() -> None:
    """A second Ctrl-C is not turned into an answer or an error of ours."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.reader.read()

    async with server(script) as port, wire() as ready:
        task = asyncio.create_task(ready.send(post(port)))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_what_goes_over_the_wire_is_what_was_given() -> None:
    """The body byte for byte, our name, no cookie that was set before, no proxy of the environment."""
    seen: list[bytes] = []

    async def cookies(peer: Peer) -> None:
        while True:
            seen.append(await peer.request())
            await peer.say(CREATED + b"Set-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")

    async with server(cookies) as port, wire() as ready:
        for _ in range(2):
            await ready.send(post(port))

    head, _, body = seen[1].partition(b"\r\n\r\n")
    assert body == b'{"servicePrincipalKey": "canary"}'
    assert b"\r\nUser-Agent: batchconnect/" in head
    assert b"\r\nAccept-Encoding: gzip\r\n" in head
    assert b"cookie" not in head.lower()


async def test_a_proxy_that_refuses_the_tunnel_leaves_the_request_unsent() -> None:
    """407: the CONNECT left, the request did not."""
    seen: list[bytes] = []

    async def proxy(peer: Peer) -> None:
        seen.append(await peer.request())
        await peer.say(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

    async with server(proxy) as port:
        through = Wire(allowed_hosts=HOSTS, proxy=f"http://127.0.0.1:{port}", connect_timeout_s=10)
        request = post(443, scheme="https", host="no-such-host.invalid")
        assert await fault(through, request) == ("http-407", False)

    assert seen[0].startswith(b"CONNECT no-such-host.invalid:443")
    assert b"canary" not in b"".join(seen)


async def test_a_wrong_password_is_tried_once_however_many_lanes_begin() -> None:
    """Ten requests at once and one later: the proxy is asked by the first, the others hear its answer."""
    asked: list[bytes] = []

    async def proxy(peer: Peer) -> None:
        asked.append(await peer.request())
        await peer.say(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

    async with server(proxy) as port:
        address = f"http://who:wrong@127.0.0.1:{port}"
        async with Wire(allowed_hosts=HOSTS, proxy=address, connect_timeout_s=2) as through:
            errors: list[TransportError] = []

            async def send() -> None:
                with pytest.raises(TransportError) as caught:
                    await through.send(post(443, scheme="https", host="no-such-host.invalid"))
                errors.append(caught.value)

            await asyncio.gather(*(send() for _ in range(10)))
            await send()

    assert len(asked) == 1
    assert {(one.code, one.sent, one.permanent) for one in errors} == {("http-407", False, True)}


async def test_a_proxy_that_fails_otherwise_is_asked_again() -> None:
    """Its own trouble may pass: 502 on CONNECT is no word about our password."""
    asked: list[bytes] = []

    async def proxy(peer: Peer) -> None:
        asked.append(await peer.request())
        await peer.say(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")

    async with server(proxy) as port:
        address = f"http://127.0.0.1:{port}"
        async with Wire(allowed_hosts=HOSTS, proxy=address, connect_timeout_s=2) as through:
            for _ in range(2):
                with pytest.raises(TransportError) as caught:
                    await through.send(post(443, scheme="https", host="no-such-host.invalid"))
                assert (caught.value.code, caught.value.permanent) == ("proxy", False)

    assert len(asked) == 2
