"""
Stand-ins for what can lie between a machine and Adobe: servers of plain threads on loopback, and a proxy.

`gateway_ca.pem` vouches for `gateway.pem`, as the authority of a company's inspection box does for the
certificates that the box makes of Adobe's hosts; two more of its certificates ran out, or are not valid yet.
"""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from email.utils import formatdate
from pathlib import Path

import pytest

from tests.acceptance.place import CLIENT_SECRET

HERE = Path(__file__).parent
CA = HERE / "gateway_ca.pem"
GATEWAY = HERE / "gateway.pem"
EXPIRED = HERE / "gateway_expired.pem"
EARLY = HERE / "gateway_early.pem"
PORTAL = b"<!DOCTYPE html><title>Welcome to our Wi-Fi</title><h1>Please accept our terms</h1>"

Serve = Callable[[socket.socket], None]


@contextmanager
def listening(serve: Serve) -> Iterator[int]:
    """Run *serve* for each socket that comes, in a thread of its own; the port."""

    def one(came: socket.socket) -> None:
        with came, suppress(OSError):
            serve(came)

    def accept(door: socket.socket) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=one, args=(door.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as door:
        threading.Thread(target=accept, args=(door,), daemon=True).start()
        yield door.getsockname()[1]
        door.shutdown(socket.SHUT_RDWR)


def head_of(came: socket.socket) -> bytes:
    """A request's head; what follows it is read as well, so that no socket closes with bytes unread."""
    head = b""
    while b"\r\n\r\n" not in head and (more := came.recv(65536)):
        head += more
    return head


def saying(
    status: str,
    body: bytes = b"",
    *,
    kind: str = "text/html",
    headers: Mapping[str, str] | None = None,
) -> Serve:
    """One answer to every request."""
    lines = {
        "Content-Type": kind,
        "Content-Length": str(len(body)),
        "Connection": "close",
        **(headers or {}),
    }

    def serve(came: socket.socket) -> None:
        if head_of(came):
            told = {"Date": formatdate(usegmt=True), **lines}
            head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
            came.sendall(f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body)

    return serve


def over_tls(serve: Serve, pem: Path) -> Serve:
    """The same behind a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)

    def handshake(came: socket.socket) -> None:
        with suppress(ssl.SSLError), context.wrap_socket(came, server_side=True) as inner:
            serve(inner)

    return handshake


def proxying(*, refusal: str | None = None, to: int | None = None) -> Serve:
    """A proxy: it refuses every tunnel with a status, or leads all of them to one port of this machine."""

    def serve(came: socket.socket) -> None:
        if not head_of(came):
            return
        if to is None:
            came.sendall(f"HTTP/1.1 {refusal}\r\nContent-Length: 0\r\n\r\n".encode())
            return
        with socket.create_connection(("127.0.0.1", to)) as there:
            came.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            threading.Thread(target=_carry, args=(there, came), daemon=True).start()
            _carry(came, there)

    return serve


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)


def close_dns(monkeypatch: pytest.MonkeyPatch) -> None:
    """No name server answers; what this machine knows of itself it still knows."""
    usual = socket.getaddrinfo

    def look(host: str, *rest: object, **more: object) -> object:
        if host in {"localhost", "127.0.0.1"}:
            return usual(host, *rest, **more)  # type: ignore[arg-type]  # handed on as it came
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", look)


def settings(url: str | None = None, *, sandbox: str = "dev") -> dict[str, str]:
    """The environment of one org, whose hosts are Adobe's own or one of this machine's."""
    hosts = {} if url is None else {"BATCHCONNECT_PLATFORM_URL": url, "BATCHCONNECT_IMS_URL": url}
    return {
        "BATCHCONNECT_ORG_ID": "AAAAAAAAAAAAAAAAAAAAAAAA@AdobeOrg",
        "BATCHCONNECT_CLIENT_ID": "client-acme",
        "BATCHCONNECT_CLIENT_SECRET": CLIENT_SECRET,
        "BATCHCONNECT_SANDBOX": sandbox,
        **hosts,
    }
