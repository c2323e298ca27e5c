"""Whom a wire trusts: the system, the bundle beside it, and a box that breaks rules of form by the bundle alone."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import pytest

from batchconnect.model.errors import SettingsError
from batchconnect.transport.interface import TransportError
from batchconnect.transport.trust import authorities_file
from tests.transport.test_wire_sockets import PEM, Peer, fault, post, server, tls, whole, wire

pytestmark = pytest.mark.asyncio

BOX = Path(__file__).parent / "inspection_box.pem"
"""Key and certificate of a box: vouched for by the one below, and without an authority key identifier."""
BOX_CA = Path(__file__).parent / "inspection_box_ca.pem"


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.13 whatever Python this is: its default contexts insist on rules of form."""
    usual = ssl.create_default_context

    def create(purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH, **rest: str) -> ssl.SSLContext:
        context = usual(purpose, **rest)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", create)


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Sets what the system itself trusts."""
    return lambda path: monkeypatch.setenv("SSL_CERT_FILE", str(path))


def box() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(BOX)
    return context


async def test_a_bundle_adds_to_the_systems_authorities(system: Callable[[Path], None]) -> None:
    """A host that the system vouches for, and one that the bundle does, through one wire."""
    system(PEM)
    async with (
        server(whole, tls=tls()) as known,
        server(whole, tls=box()) as inspected,
        wire(ca_bundle=BOX_CA) as ready,
    ):
        for port in (known, inspected):
            assert (await ready.send(post(port, scheme="https"))).status == 201


@pytest.mark.usefixtures("strict")
async def test_a_box_that_breaks_a_rule_of_form_is_trusted_by_the_bundle() -> None:
    """The first handshake fails before a byte of a request; the second one is the last for this host."""
    handshakes, requests = 0, 0

    async def counted(peer: Peer) -> None:
        nonlocal handshakes, requests
        handshakes += 1
        while True:
            await peer.request()
            requests += 1
            await peer.say(
                b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
            )
            return

    async with server(counted, tls=box()) as port, wire(ca_bundle=BOX_CA) as ready:
        for _ in range(2):
            assert (await ready.send(post(port, scheme="https"))).status == 201

    assert (handshakes, requests) == (2, 2)


@pytest.mark.usefixtures("strict")
async def test_lanes_that_begin_at_once_all_come_through_such_a_box() -> None:
    """Each first handshake that fails has a second one, whoever found the box out before it."""
    async with server(whole, tls=box()) as port, wire(ca_bundle=BOX_CA) as ready:
        answers = await asyncio.gather(*(ready.send(post(port, scheme="https")) for _ in range(5)))

    assert [answer.status for answer in answers] == [201] * 5


@pytest.mark.usefixtures("strict")
async def test_a_box_that_breaks_a_rule_of_form_is_not_trusted_by_the_system(
    system: Callable[[Path], None],
) -> None:
    """The system's authorities vouch under all of the rules, or not at all; nothing is sent."""
    system(BOX_CA)
    async with server(whole, tls=box()) as port:
        for bundle in (None, PEM):
            assert await fault(wire(ca_bundle=bundle), post(port, scheme="https")) == ("tls", False)


@pytest.mark.usefixtures("strict")
async def test_a_bundle_does_not_vouch_for_strangers() -> None:
    """What fails for another reason than form fails once."""
    async with server(whole, tls=tls()) as port:
        assert await fault(wire(ca_bundle=BOX_CA), post(port, scheme="https")) == ("tls", False)


@contextmanager
def demanding(version: ssl.TLSVersion) -> Iterator[int]:
    """
    A server that demands a client certificate; its port.

    A thread with plain sockets: servers of asyncio close before their alert has left. As web servers do, it
    reads on until the client has closed: a socket that is closed with bytes unread is reset, alert and all.
    """
    context = tls()
    context.minimum_version = context.maximum_version = version
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(PEM)

    def serve() -> None:
        with suppress(OSError):
            while True:
                with listening.accept()[0] as one, one.dup() as held:
                    with suppress(ssl.SSLError):
                        context.wrap_socket(one, server_side=True).recv(1)
                    while held.recv(4096):
                        pass

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]


@pytest.mark.parametrize(
    ("version", "code", "words", "permanent"),
    [
        (ssl.TLSVersion.TLSv1_3, "client_certificate", "demands a client certificate", False),
        (ssl.TLSVersion.TLSv1_2, "tls_refused", "alert handshake failure", True),
    ],
)
async def test_a_server_that_demands_a_client_certificate_is_named(
    version: ssl.TLSVersion, code: str, words: str, *, permanent: bool
) -> None:
    """Not "Operation not permitted", which is what the system calls OpenSSL's number."""
    with demanding(version) as port:
        async with wire(ca_bundle=PEM) as ready:
            with pytest.raises(TransportError) as caught:
                await ready.send(post(port, scheme="https"))

    assert (caught.value.code, caught.value.permanent) == (code, permanent)
    assert words in caught.value.detail


# For libraries that take a file ---------------------------------------------------------------------


PEM_HASH, BOX_CA_HASH = "f9d7d258", "66b4e7e2"
"""Of their subjects, as `openssl x509 -hash` says."""
NO_PLACES = ssl.DefaultVerifyPaths(*(cast("Any", None),) * 2, "", "", "", "")


def trusts(authorities: Path | None, context: ssl.SSLContext) -> bool:
    """Whether a client that is given this file alone takes the server's certificate."""
    client = ssl.create_default_context(cafile=authorities)
    client.check_hostname = False
    client.verify_flags &= ~ssl.VERIFY_X509_STRICT  # the box breaks a rule of form
    here, there = socket.socketpair()
    served = threading.Thread(target=_serve, args=(context, there))
    served.start()
    try:
        with here, client.wrap_socket(here):
            return True
    except ssl.SSLCertVerificationError:
        return False
    finally:
        served.join()


def _serve(context: ssl.SSLContext, opened: socket.socket) -> None:
    with opened, suppress(OSError), context.wrap_socket(opened, server_side=True) as inner:
        inner.recv(1)


def by_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system as Debian: no file, and a folder whose files are found by the hash of their subject."""
    folder.mkdir()
    (folder / f"{PEM_HASH}.0").symlink_to(PEM)
    (folder / f"{PEM_HASH}.1").write_bytes(PEM.read_bytes())
    (folder / "README").write_bytes(BOX_CA.read_bytes())
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(folder))


def by_store(_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system as Windows: neither, and a context that has its store's."""
    usual = ssl.create_default_context

    def create(purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH, **rest: str) -> ssl.SSLContext:
        context = usual(purpose, **rest)
        if not rest:
            context.load_verify_locations(PEM)
        return context

    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: NO_PLACES)
    monkeypatch.setattr(ssl, "create_default_context", create)


def by_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system as Red Hat: one file."""
    folder.mkdir()
    monkeypatch.setenv("SSL_CERT_FILE", str(PEM))
    monkeypatch.setenv("SSL_CERT_DIR", str(folder))


@pytest.mark.parametrize("as_on", [by_folder, by_store, by_file])
async def test_a_library_trusts_whom_the_system_trusts_wherever_that_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_on: Callable[..., None]
) -> None:
    """Beside the bundle, and without one; and nobody else."""
    as_on(tmp_path / "system", monkeypatch)
    (tmp_path / "own").mkdir()
    (tmp_path / "none").mkdir()

    with_bundle = authorities_file(BOX_CA, tmp_path / "own")
    without = authorities_file(None, tmp_path / "none")

    assert [trusts(with_bundle, tls()), trusts(with_bundle, box())] == [True, True]
    assert [trusts(without, tls()), trusts(without, box())] == [True, False]


async def test_a_system_without_authorities_leaves_a_library_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: NO_PLACES)
    monkeypatch.setattr(
        ssl, "create_default_context", lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    )

    assert authorities_file(None, tmp_path) is None


@pytest.mark.parametrize("text", [None, "no certificate"])
async def test_a_bundle_that_cannot_be_used_is_told(tmp_path: Path, text: str | None) -> None:
    bundle = tmp_path / "box.pem"
    if text is not None:
        bundle.write_text(text)

    with pytest.raises(SettingsError, match=r"--ca-bundle .*box\.pem: "):
        authorities_file(bundle, tmp_path)
