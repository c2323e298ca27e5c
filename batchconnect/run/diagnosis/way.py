"""
The way to each host: proxy, name, certificate, who answers, and what time it is there.

A host is asked through the very wire that a run uses, so that what fails here fails there and by the same code;
only then somebody looks closer at why. No credential is sent.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from batchconnect.flow_service.reading import foreign_page
from batchconnect.model.contact import is_of_contact
from batchconnect.model.remedies import doctor_hint_for, title_for
from batchconnect.model.secret import Secret
from batchconnect.model.value import Value
from batchconnect.run.diagnosis.check import Check, Verdict
from batchconnect.transport.ims import NO_TOKEN, TOKEN_PATH
from batchconnect.transport.interface import (
    FOREIGN_ANSWER,
    Purpose,
    Request,
    Response,
    Transport,
    TransportError,
    is_json,
)
from batchconnect.transport.loopback import is_loopback
from batchconnect.transport.peer import (
    Peer,
    Vouching,
    Way,
    http_date,
    peer_of,
    vouching_for,
)

_PLATFORM_PATH: Final = "/data/foundation/flowservice/connections"
_CLOCK_IS_OFF: Final = timedelta(minutes=5)
_HTTPS: Final = 443
_TOPICS: Final[Mapping[str, str]] = {
    "dns": "dns",
    "tls": "tls",
    "clock": "clock",
    "tls_refused": "tls",
    "client_certificate": "tls",
    "proxy": "proxy",
    "proxy_refused": "proxy",
    "http-407": "proxy",
}
"""By code; what is not named here is a matter of the connection."""


class Host(Value):
    """One host that a run talks to."""

    url: str
    """`https://host`, as the settings have it."""
    is_ims: bool

    @property
    def name(self) -> str:
        """Host alone."""
        return urlsplit(self.url).hostname or ""

    def request(self) -> Request:
        """What a run asks there, without any credential: whoever answers so is Adobe's, or is not."""
        if self.is_ims:
            form = {"Content-Type": "application/x-www-form-urlencoded"}
            return Request(
                purpose=Purpose.TOKEN,
                method="POST",
                url=self.url + TOKEN_PATH,
                headers={"Accept": "application/json", **form},
                body=b"",
            )
        return Request(
            purpose=Purpose.READ,
            method="GET",
            url=self.url + _PLATFORM_PATH,
            headers={"Accept": "application/json"},
        )


class Network(Value):
    """How every host is come by."""

    wire: Transport
    proxy: Secret | None
    ca_bundle: Path | None
    unheard_proxy: str
    """A variable that names a proxy which is not used; ""."""
    now: Callable[[], datetime]


async def look_at_host(host: Host, network: Network) -> list[Check]:
    """Look at one host; of what fails first, the cause, and nothing of what would come behind it."""
    parts = urlsplit(host.url)
    way = Way(host=host.name, port=parts.port or _HTTPS, proxy=network.proxy)
    is_tls = parts.scheme == "https"
    try:
        answer = await network.wire.send(host.request())
    except TransportError as error:
        return [await _unreached(host, error, way, network)]
    checks = list(_proxied(host, network))
    if is_tls:
        vouching, peer = await vouching_for(way, network.ca_bundle), await peer_of(way)
        checks.append(_vouched(host, vouching, peer, way))
    checks.append(_answered(host, answer))
    checks.extend(_clock(host, http_date(answer.headers.get("date", "")), network.now()))
    return checks


async def _unreached(host: Host, error: TransportError, way: Way, network: Network) -> Check:
    match error.code:
        case "tls":
            vouching = await vouching_for(way, network.ca_bundle)
            if not vouching.is_seen:
                return _unseen(host, error, way)
            return _untrusted(host, vouching, await peer_of(way), network)
        case "clock":
            return _out_of_time(host, error, await peer_of(way), network.now())
        case code:
            remedy = doctor_hint_for(code)
            if network.unheard_proxy and network.proxy is None:
                remedy = (
                    f"{network.unheard_proxy} is set: if this network has no other way out, give"
                    f" --proxy env:{network.unheard_proxy}. {remedy}"
                )
            why = error.detail.removeprefix(f"{host.name}: ")
            return _failed(host, code, f"{title_for(code)}: {why}", remedy)


def _failed(host: Host, code: str, what: str, remedy: str) -> Check:
    return Check(
        topic=_TOPICS.get(code, "answer" if code == FOREIGN_ANSWER else "connection"),
        subject=host.name,
        verdict=Verdict.FAILED,
        code=code,
        what=what,
        remedy=remedy,
    )


def _proxied(host: Host, network: Network) -> Iterator[Check]:
    if network.proxy is not None and not is_loopback(host.name):
        proxy = urlsplit(network.proxy.reveal())
        port = f":{proxy.port}" if proxy.port else ""
        what = f"reached through the proxy {proxy.hostname}{port}"
        yield Check(topic="proxy", subject=host.name, what=what)
    elif not is_loopback(host.name):
        yield Check(
            topic="dns", subject=host.name, what="its name is known, it is reached directly"
        )


# The certificate --------------------------------------------------------------------------------------


def _vouched(host: Host, vouching: Vouching, peer: Peer, way: Way) -> Check:
    by = f"made by {peer.issuer}, " if peer.issuer else ""
    until = f"valid until {peer.ends:%Y-%m-%d}" if peer.ends else "valid now"
    if not vouching.by:  # the wire has had an answer, so somebody does
        what = f"its certificate is trusted, but who vouches for it could not be looked at{_looked(way)}"
        return Check(topic="tls", subject=host.name, verdict=Verdict.NOTE, what=what)
    if vouching.by == "system":
        what = f"its certificate is trusted by the system ({by}{until})"
        return Check(topic="tls", subject=host.name, what=what)
    form = ", although it breaks a rule of form" if vouching.by == "bundle without form" else ""
    return Check(
        topic="tls",
        subject=host.name,
        verdict=Verdict.NOTE,
        what=f"its certificate is trusted by --ca-bundle alone{form} ({by}{until}): an inspection box is in between,"
        " which reads what is sent, keys too",
    )


def _looked(way: Way) -> str:
    return " through a proxy that is itself spoken to by TLS" if way.is_tunnel_in_tls else ""


def _unseen(host: Host, error: TransportError, way: Way) -> Check:
    why = error.detail.removeprefix(f"{host.name}: ")
    what = (
        f"{title_for('tls')}: {why}. Who made its certificate could not be looked at{_looked(way)}."
    )
    return _failed(host, "tls", what, doctor_hint_for("tls"))


def _untrusted(host: Host, vouching: Vouching, peer: Peer, network: Network) -> Check:
    maker = f" It was made by {peer.issuer}." if peer.issuer else ""
    whose = f" ({peer.issuer})" if peer.issuer else ""
    if vouching.is_form_alone:
        what = (
            f"its certificate breaks a rule of form that this Python insists on: {vouching.why_not}.{maker}"
            " The certificates of inspection boxes do."
        )
        remedy = (
            f"Name the box's authority{whose} with --ca-bundle FILE.pem: for what it alone vouches, the form"
            " is not asked for."
        )
    else:
        what = (
            f"{title_for('tls')}: {vouching.why_not}.{maker} No public authority vouches for it, so something in"
            " between answers: a company's inspection box, an antivirus, or nobody you know."
        )
        remedy = (
            f"Ask your IT for the certificate of that authority{whose} as a PEM file, and name it with"
            " --ca-bundle FILE.pem. Checking cannot be switched off."
        )
        if network.ca_bundle is not None:
            remedy = f"--ca-bundle {network.ca_bundle} does not vouch for it either. {remedy}"
    return _failed(host, "tls", what, remedy)


# The clock --------------------------------------------------------------------------------------------


def _out_of_time(host: Host, error: TransportError, peer: Peer, now: datetime) -> Check:
    valid = (
        f" The certificate is valid from {peer.begins:%Y-%m-%d} to {peer.ends:%Y-%m-%d}."
        if peer.begins and peer.ends
        else f" {error.detail}."
    )
    if peer.date is not None and abs(peer.date - now) < _CLOCK_IS_OFF:
        what = f"its certificate is not valid now, and this machine's clock agrees with the host's.{valid}"
        remedy = "Whoever runs that host, or the box in between, has to renew its certificate."
        return _failed(host, "clock", what, remedy)
    off = f" It is {_off(peer.date, now)} the host's." if peer.date else ""
    what = f"its certificate is not valid at this machine's date, {now:%Y-%m-%d %H:%M} UTC.{off}{valid}"
    return _failed(host, "clock", what, _SET_CLOCK)


_SET_CLOCK: Final = (
    "Set this machine's clock, and have it kept: `timedatectl set-ntp true` on Linux, Date & Time on a Mac or"
    " Windows; a virtual machine or container has its host's."
)


def _clock(host: Host, there: datetime | None, now: datetime) -> Iterator[Check]:
    if there is None:
        return
    if abs(there - now) < _CLOCK_IS_OFF:
        seconds = abs((there - now).total_seconds())
        yield Check(topic="clock", subject=host.name, what=f"agrees within {seconds:.0f} s")
        return
    yield Check(
        topic="clock",
        subject=host.name,
        verdict=Verdict.FAILED,
        code="clock",
        what=f"this machine's clock is {_off(there, now)} the host's: here it is {now:%Y-%m-%d %H:%M} UTC, there"
        f" {there.astimezone(UTC):%Y-%m-%d %H:%M}. Certificates, and every time in a report, go by it.",
        remedy=_SET_CLOCK,
    )


def _off(there: datetime, now: datetime) -> str:
    """`30 days behind`, of now."""
    off = abs(there - now)
    hours = round(off.total_seconds() / 3600)
    if off.days >= 2:  # noqa: PLR2004 - hours say more below
        much = f"{round(off.total_seconds() / 86_400)} days"
    elif hours >= 2:  # noqa: PLR2004 - as above
        much = f"{hours} hours"
    else:
        much = f"{round(off.total_seconds() / 60)} minutes"
    return f"{much} {'behind' if now < there else 'ahead of'}"


# Who answers ------------------------------------------------------------------------------------------


def _answered(host: Host, answer: Response) -> Check:
    status = answer.status
    is_redirect = HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST
    is_page = bool(answer.body.strip()) and not is_json(answer.body) and not answer.body_fault
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        code = NO_TOKEN if host.is_ims else f"http-{status}"
        assert is_of_contact(code)
        what = f"{title_for(code)}: it answers HTTP {status}"
        return _failed(host, code, what, doctor_hint_for(code))
    if is_redirect or is_page or foreign_page(answer) is not None:
        kind = "a redirect" if is_redirect else "a page" if is_page else "something else"
        what = f"{title_for(FOREIGN_ANSWER)}: HTTP {status} with {kind} where JSON is due"
        return _failed(host, FOREIGN_ANSWER, what, doctor_hint_for(FOREIGN_ANSWER))
    return Check(topic="answer", subject=host.name, what=f"answers as Adobe's does (HTTP {status})")
