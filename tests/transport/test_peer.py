"""Who answers as a host, looked at for a diagnosis: through a proxy as without one, and whatever he breaks off."""

import socket
import ssl
import struct
from datetime import UTC, datetime
from pathlib import Path

import pytest

from batchconnect.model.secret import Secret
from batchconnect.transport.peer import Way, _told, http_date, peer_of, vouching_for
from tests.cli.commands.first_contact.stand_ins import Serve, head_of, listening, saying
from tests.notify.channel import PEM

HERE = "127.0.0.1"
FAR = "platform.example"
"""A host that only a proxy leads to."""


def proxy(port: int, who: str = "") -> Secret:
    return Secret(f"http://{who}{HERE}:{port}")


def by_tls(serve: Serve, *, certificate: Path = PEM) -> Serve:
    """The same, spoken to by TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def served(came: socket.socket) -> None:
        with context.wrap_socket(came, server_side=True) as inner:
            serve(inner)

    return served


# The way ------------------------------------------------------------------------------------------


def test_a_tunnel_is_asked_for_with_the_proxy_s_own_name_and_password() -> None:
    """As they stand in its URL, where some characters are written otherwise; nothing else goes along."""
    heads: list[bytes] = []

    def serve(came: socket.socket) -> None:
        heads.append(head_of(came))
        came.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        came.recv(1)

    with listening(serve) as port:
        Way(host=FAR, proxy=proxy(port, "me:p%40ss@")).open().close()

    head = "CONNECT platform.example:443 HTTP/1.1\r\nHost: platform.example:443"
    assert heads == [f"{head}\r\nProxy-Authorization: Basic bWU6cEBzcw==\r\n\r\n".encode()]


def hang_up(came: socket.socket) -> None:
    """No word, and no connection any more."""
    head_of(came)


def reset(came: socket.socket) -> None:
    """The connection is cut."""
    head_of(came)
    came.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize(
    "serve",
    [saying("407 Proxy Authentication Required"), hang_up, reset],
    ids=["refuses", "says nothing", "cuts the connection"],
)
def test_a_proxy_that_opens_no_tunnel_leads_nowhere(serve: Serve) -> None:
    with (
        listening(serve) as port,
        pytest.raises(OSError, match=r"proxy opens no tunnel|reset"),
    ):
        Way(host=FAR, proxy=proxy(port)).open()


def test_a_tunnel_within_tls_is_not_looked_into() -> None:
    way = Way(host=FAR, proxy=Secret("https://proxy.example:8443"))

    assert way.is_tunnel_in_tls
    with pytest.raises(OSError, match="within TLS"):
        way.open()
    assert not Way(host=HERE, proxy=Secret("https://proxy.example:8443")).is_tunnel_in_tls


# Who answers --------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_who_the_system_vouches_for_is_asked_of_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usual = ssl.create_default_context
    monkeypatch.setattr(ssl, "create_default_context", lambda: usual(cafile=str(PEM)))
    with listening(by_tls(saying("200 OK"))) as port:
        found = await vouching_for(Way(host=HERE, port=port), None)

    assert (found.by, found.why_not) == ("system", "")


@pytest.mark.asyncio
async def test_of_nobody_there_is_nothing_to_see() -> None:
    """A port without TLS: the wire has said why there is no answer."""

    def serve(came: socket.socket) -> None:
        came.recv(65536)
        came.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with listening(serve) as port:
        way = Way(host=HERE, port=port)

        assert not (await vouching_for(way, None)).is_seen
        assert (await peer_of(way)).issuer == ""


@pytest.mark.asyncio
async def test_whoever_breaks_off_after_the_handshake_has_shown_his_certificate() -> None:
    """But not what time he believes it to be."""
    with listening(by_tls(lambda came: None)) as port:
        peer = await peer_of(Way(host=HERE, port=port))

    assert peer.ends is not None
    assert peer.date is None


@pytest.mark.asyncio
async def test_an_answer_without_a_date_tells_no_time() -> None:
    def serve(came: socket.socket) -> None:
        head_of(came)
        came.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    with listening(by_tls(serve)) as port:
        peer = await peer_of(Way(host=HERE, port=port))

    assert peer.ends is not None
    assert peer.date is None


@pytest.mark.asyncio
async def test_who_answers_but_once_shows_his_time_and_no_name() -> None:
    """His certificate is read in a second handshake."""
    came_before: list[bool] = []
    first = by_tls(saying("200 OK"))

    def serve(came: socket.socket) -> None:
        if not came_before:
            came_before.append(True)
            first(came)

    with listening(serve) as port:
        peer = await peer_of(Way(host=HERE, port=port))

    assert (peer.subject, peer.issuer, peer.ends) == ("", "", None)
    assert peer.date is not None


@pytest.mark.parametrize("text", ["", "soon", "Dec 31 23:59:59 10000 GMT"])
def test_an_end_that_no_clock_shows_is_not_told(text: str) -> None:
    assert _told({"notAfter": text}, None).ends is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Mon, 30 Nov 2026 12:00:00 GMT", datetime(2026, 11, 30, 12, tzinfo=UTC)),
        ("Mon, 30 Nov 2026 12:00:00 -0000", datetime(2026, 11, 30, 12, tzinfo=UTC)),
        ("now", None),
        ("Mon, 99 Nov 2026 12:00:00 GMT", None),
    ],
)
def test_a_date_is_a_moment_or_nothing(text: str, moment: datetime | None) -> None:
    assert http_date(text) == moment
