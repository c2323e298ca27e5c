"""Of the command line: the system's authorities are read when a handshake needs them, and not before."""

import asyncio
import ssl
import subprocess
import sys

import pytest

from batchconnect.cli.late_authorities import read_when_needed
from tests.transport.test_wire_sockets import PEM, server, tls, whole

pytestmark = pytest.mark.asyncio


async def shaken(context: ssl.SSLContext, port: int) -> str:
    """How a handshake with the server of the tests ends."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    writer.close()
    return "trusted"


async def test_authorities_that_are_read_when_needed_vouch_as_any_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are read at the first handshake, and not before; who is in none of them is refused."""
    with read_when_needed():
        contexts = [ssl.create_default_context() for _ in range(2)]
    async with server(whole, tls=tls()) as port:
        assert await shaken(contexts[0], port) == "self-signed certificate"
        monkeypatch.setenv("SSL_CERT_FILE", str(PEM))
        assert await shaken(contexts[1], port) == "trusted"
        assert await shaken(contexts[0], port) == "self-signed certificate"

    usual = ssl.create_default_context()
    assert contexts[1].cert_store_stats() == usual.cert_store_stats()
    assert contexts[1].get_ca_certs() == usual.get_ca_certs()
    assert {type(one) for one in contexts} == {ssl.SSLContext}


@pytest.mark.parametrize("ask", ["get_ca_certs", "cert_store_stats"])
async def test_a_look_at_authorities_that_are_read_when_needed_finds_them(
    ask: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks a context whom it trusts is told what it would trust."""
    monkeypatch.setenv("SSL_CERT_FILE", str(PEM))
    with read_when_needed():
        late = ssl.create_default_context()

    assert getattr(late, ask)() == getattr(ssl.create_default_context(), ask)()


async def test_other_threads_make_contexts_as_ever_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A program that imports us while it connects elsewhere is not met; nor is anybody afterwards."""
    monkeypatch.setenv("SSL_CERT_FILE", str(PEM))
    with read_when_needed():
        elsewhere = await asyncio.to_thread(ssl.create_default_context)
        here = ssl.create_default_context()

    assert type(elsewhere) is type(ssl.create_default_context()) is ssl.SSLContext
    assert type(here) is not ssl.SSLContext


async def test_a_class_of_somebody_elses_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store of the system's, as truststore brings in, has its own way to read."""

    class Theirs(ssl.SSLContext):
        pass

    monkeypatch.setattr(ssl, "SSLContext", Theirs)
    with read_when_needed():
        assert "set_default_verify_paths" not in vars(Theirs)


@pytest.mark.slow
async def test_no_authority_is_read_while_a_command_that_asks_the_service_is_imported() -> None:
    """Both contexts that aiohttp makes wait until they are needed: whatever imports it comes later."""
    look = (
        "import ssl, sys, batchconnect.cli.app as app\n"
        "try: app.command('run')(['run', 'nothing.csv', '--simulate'])\n"
        "except BaseException: pass\n"
        "made = [one for one in vars(sys.modules['aiohttp.connector']).values() if isinstance(one, ssl.SSLContext)]\n"
        "print(len(made), sum(type(one) is ssl.SSLContext for one in made))"
    )
    told = await asyncio.to_thread(subprocess.check_output, [sys.executable, "-c", look], text=True)

    assert told.split()[-2:] == ["2", "0"]


@pytest.mark.slow
async def test_a_program_that_imports_us_is_left_alone() -> None:
    """Its contexts are made as aiohttp makes them."""
    look = (
        "import ssl, batchconnect.transport.wire, aiohttp.connector as library\n"
        "made = [one for one in vars(library).values() if isinstance(one, ssl.SSLContext)]\n"
        "print(len(made), sum(type(one) is ssl.SSLContext for one in made))"
    )
    told = await asyncio.to_thread(subprocess.check_output, [sys.executable, "-c", look], text=True)

    assert told.split() == ["2", "2"]
