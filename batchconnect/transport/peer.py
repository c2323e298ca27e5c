"""
Looks at who answers as a host, where the wire will not talk to him: for a diagnosis alone.

Nothing of ours is sent but a host's name: no credential, no token. What is seen here proves nothing; it tells
a person whose certificate it is, and what time the other side believes it to be.
"""

import base64
import re
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

import anyio.to_thread

from batchconnect.model.secret import Secret
from batchconnect.model.value import Value
from batchconnect.transport.loopback import is_loopback
from batchconnect.transport.trust import Trust

_HTTPS: Final = 443
_LONGEST_HEAD: Final = 16_384
"""Bytes of an answer in which its head has to end."""
_NO_CHECK_TIME: Final = 0x200000
"""OpenSSL's `X509_V_FLAG_NO_CHECK_TIME`, which `ssl` has no name for."""


class Vouching(Value):
    """Who vouches for a host's certificate."""

    by: str = ""
    """`system`, `bundle`, `bundle without form` (see `Trust`); "" where nobody does."""
    is_seen: bool = True
    """Whether there was a certificate to look at; without it nothing else here is known."""
    why_not: str = ""
    """OpenSSL's words for why the system's authorities do not."""
    is_form_alone: bool = False
    """Whether they would, but for a rule of form that Python 3.13 and newer insist on."""


class Peer(Value):
    """Who answers as a host, as far as he shows."""

    subject: str = ""
    issuer: str = ""
    """Who made the certificate, `CN=…, O=…`; "" where it could not be read."""
    begins: datetime | None = None
    ends: datetime | None = None
    """From when until when it is valid."""
    date: datetime | None = None
    """What time it is by his own answer."""


class Way(Value):
    """
    How one host is come by.

    Args:
        host: Its name or address.
        port: Its port.
        proxy: URL of the proxy; None: the direct way. Loopback never goes through one.
        timeout_s: Seconds for each step.
    """

    host: str
    port: int = _HTTPS
    proxy: Secret | None = None
    timeout_s: float = 10.0

    @property
    def is_tunnel_in_tls(self) -> bool:
        """Whether the proxy is itself spoken to by TLS: such a tunnel is not looked into."""
        if self.proxy is None or is_loopback(self.host):
            return False
        return urlsplit(self.proxy.reveal()).scheme != "http"

    def open(self) -> socket.socket:
        """
        A socket that leads there, through the proxy's tunnel where there is one.

        Raises:
            OSError: There is no way; the wire has told why already.
        """
        if self.proxy is None or is_loopback(self.host):
            return socket.create_connection((self.host, self.port), self.timeout_s)
        parts = urlsplit(self.proxy.reveal())
        if self.is_tunnel_in_tls:
            raise OSError("a tunnel within TLS is not looked into")
        opened = socket.create_connection((parts.hostname or "", parts.port or 80), self.timeout_s)
        try:
            opened.sendall(_tunnel(f"{self.host}:{self.port}", parts))
            answer = _head(opened)
        except OSError:
            opened.close()
            raise
        if re.match(rb"HTTP/1\.[01] 2\d\d", answer) is None:
            opened.close()
            raise OSError("the proxy opens no tunnel")
        return opened


def _tunnel(place: str, proxy: SplitResult) -> bytes:
    who = ""
    if proxy.username is not None:
        pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        who = f"Proxy-Authorization: Basic {base64.b64encode(pair.encode()).decode()}\r\n"
    return f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{who}\r\n".encode()


async def peer_of(way: Way) -> Peer:
    """Who answers there, whether he is to be trusted or not; what cannot be seen stays blank."""
    return await anyio.to_thread.run_sync(_peer_of, way, abandon_on_cancel=True)


async def vouching_for(way: Way, ca_bundle: Path | None) -> Vouching:
    """
    Who vouches for a host.

    Raises:
        SettingsError: *ca_bundle* cannot be used.
    """
    trust = Trust(ca_bundle)
    return await anyio.to_thread.run_sync(_vouching, way, trust, abandon_on_cancel=True)


def authorities() -> int:
    """How many authorities the system's own list has, as far as it is one list."""
    return int(ssl.create_default_context().cert_store_stats()["x509_ca"])


def _vouching(way: Way, trust: Trust) -> Vouching:
    usual = ssl.create_default_context()
    why_not = _refused_by(usual, way)
    if why_not is None:
        return Vouching(by="system")
    if not isinstance(why_not, ssl.SSLCertVerificationError):
        return Vouching(is_seen=False)  # no way there, or somebody who breaks off
    lax = ssl.create_default_context()
    lax.verify_flags &= ~ssl.VERIFY_X509_STRICT
    told = Vouching(
        why_not=why_not.verify_message,
        is_form_alone=lax.verify_flags != usual.verify_flags and _refused_by(lax, way) is None,
    )
    with_bundle = trust.of(way.host)
    if not isinstance(with_bundle, ssl.SSLContext):
        return told
    error = _refused_by(with_bundle, way)
    if error is None:
        return Vouching(by="bundle", why_not=told.why_not)
    if trust.has_another(way.host, error, used=with_bundle):
        last = trust.of(way.host)
        if isinstance(last, ssl.SSLContext) and _refused_by(last, way) is None:
            return Vouching(by="bundle without form", why_not=told.why_not)
    return told


def _refused_by(context: ssl.SSLContext, way: Way) -> Exception | None:
    try:
        with way.open() as opened, context.wrap_socket(opened, server_hostname=way.host):
            return None
    except (OSError, ValueError) as error:  # a certificate that is not trusted is an OSError, too
        return error


def _peer_of(way: Way) -> Peer:
    nobody = ssl.create_default_context()
    nobody.check_hostname = False
    nobody.verify_mode = ssl.CERT_NONE
    try:
        with way.open() as opened, nobody.wrap_socket(opened, server_hostname=way.host) as inner:
            shown = inner.getpeercert(binary_form=True)
            date = _date_of(inner, way.host)
    except (OSError, ValueError):
        return Peer()
    return _told(_read(way, shown) if shown else {}, date)


def _date_of(inner: ssl.SSLSocket, host: str) -> datetime | None:
    with suppress(OSError):
        inner.sendall(f"HEAD / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        found = re.search(rb"\r\ndate: *([^\r\n]+)", _head(inner), re.IGNORECASE)
        if found is not None:
            return http_date(found[1].decode("latin-1"))
    return None


def http_date(text: str) -> datetime | None:
    """The moment that a `Date` header names; None where it names none."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _read(way: Way, shown: bytes) -> Mapping[str, Any]:
    """
    What a certificate says.

    Python tells that of verified ones only: so a second handshake trusts this very one, at any time and
    whatever its form, and no other.
    """
    this = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    this.check_hostname = False
    this.verify_flags = ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
    try:
        this.load_verify_locations(cadata=shown)
        with way.open() as opened, this.wrap_socket(opened, server_hostname=way.host) as inner:
            return inner.getpeercert() or {}
    except (OSError, ValueError):
        return {}


def _told(certificate: Mapping[str, Any], date: datetime | None) -> Peer:
    return Peer(
        subject=_name(certificate.get("subject")),
        issuer=_name(certificate.get("issuer")),
        begins=_moment(certificate.get("notBefore")),
        ends=_moment(certificate.get("notAfter")),
        date=date,
    )


_SHORT: Final = {"commonName": "CN", "organizationName": "O"}


def _name(parts: Any) -> str:
    """`CN=…, O=…` of a name; the rest of it tells a person nothing."""
    found = {_SHORT[key]: value for part in parts or () for key, value in part if key in _SHORT}
    return ", ".join(f"{key}={found[key]}" for key in ("CN", "O") if key in found)


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(text)), UTC) if text else None
    except ValueError:
        return None


def _head(opened: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head and len(head) < _LONGEST_HEAD:
        more = opened.recv(4096)
        if not more:
            break
        head += more
    return head
