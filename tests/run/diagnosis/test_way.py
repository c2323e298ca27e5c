"""What a diagnosis says of the way to a host: of a certificate that it did not see itself it claims nothing."""

import socket
from datetime import UTC, datetime

import pytest

from batchconnect.model.secret import Secret
from batchconnect.run.diagnosis.check import Check, Verdict
from batchconnect.run.diagnosis.way import Host, Network, look_at_host
from batchconnect.transport.interface import Request, Response, TransportError

pytestmark = pytest.mark.asyncio


class Wire:
    """A wire that came through, or was refused, where the second look does not come to a certificate."""

    def __init__(self, error: TransportError | None = None) -> None:
        self._error = error

    async def send(self, request: Request) -> Response:
        if self._error is not None:
            raise self._error
        return Response(status=403, headers={}, body=b"{}")


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


async def looked_at(error: TransportError | None, *, by_tls_proxy: bool) -> Check:
    """The one check of its certificate."""
    host = "host.example.test" if by_tls_proxy else f"127.0.0.1:{closed_port()}"
    found = await look_at_host(
        Host(url=f"https://{host}", is_ims=False),
        Network(
            wire=Wire(error),
            proxy=Secret("https://proxy.example.test:8443") if by_tls_proxy else None,
            ca_bundle=None,
            unheard_proxy="",
            now=lambda: datetime.now(UTC),
        ),
    )
    (check,) = [one for one in found if one.topic == "tls"]
    return check


@pytest.mark.parametrize("by_tls_proxy", [True, False])
async def test_who_vouches_is_not_told_where_nobody_looked(*, by_tls_proxy: bool) -> None:
    """Behind a proxy that is spoken to by TLS, or where the second connection does not come about."""
    check = await looked_at(None, by_tls_proxy=by_tls_proxy)

    assert check.verdict is Verdict.NOTE
    assert "who vouches for it could not be looked at" in check.what
    assert ("a proxy that is itself spoken to by TLS" in check.what) is by_tls_proxy


@pytest.mark.parametrize("by_tls_proxy", [True, False])
async def test_who_does_not_vouch_is_not_told_either(*, by_tls_proxy: bool) -> None:
    """The wire's own words say why; nothing is said of public authorities or of a box."""
    error = TransportError("tls", sent=False, detail="self-signed certificate")

    check = await looked_at(error, by_tls_proxy=by_tls_proxy)

    assert (check.verdict, check.code) == (Verdict.FAILED, "tls")
    assert "self-signed certificate" in check.what
    assert "could not be looked at" in check.what
    assert "No public authority" not in check.what
    assert "--ca-bundle" in check.remedy
