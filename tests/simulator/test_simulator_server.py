"""The simulator on a real port: good answers, and every broken one as an HTTP client meets it."""

import asyncio
import io
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvloop

from batchconnect.simulator import Simulator
from batchconnect.simulator.answers import redirect
from batchconnect.simulator.decision import (
    Closed,
    Cut,
    Decision,
    Drip,
    Flood,
    Garbled,
    Hang,
    Instead,
    Reply,
    Reset,
    Reshaped,
)
from batchconnect.simulator.exchange import Request
from batchconnect.simulator.registry import CLIENT_SECRET, client_id_of
from batchconnect.simulator.testing import CONNECTIONS, ORG, adx

Send = Callable[..., Any]


@asynccontextmanager
async def client(sim: Simulator) -> AsyncIterator[aiohttp.ClientSession]:
    """A plain HTTP client that has signed in."""
    async with aiohttp.ClientSession(sim.url) as session:
        form = {
            "client_id": client_id_of(ORG),
            "client_secret": CLIENT_SECRET,
            "grant_type": "client_credentials",
            "scope": "openid",
        }
        async with session.post("/ims/token/v3", data=form) as answer:
            token = (await answer.json())["access_token"]
        session.headers.update(
            {
                "Authorization": f"Bearer {token}",
                "x-api-key": client_id_of(ORG),
                "x-gw-ims-org-id": ORG,
                "x-sandbox-name": "prod",
            }
        )
        yield session


def fate(reply: Reply, **rest: Any) -> Callable[[Request], Decision | None]:
    """A script that decides over creates only."""
    decision = Decision(reply=reply, **rest)
    return lambda request: decision if request.is_create else None


async def create(session: aiohttp.ClientSession) -> tuple[int, bytes]:
    async with session.post(CONNECTIONS, json=adx(), allow_redirects=False) as answer:
        return answer.status, await answer.read()


@pytest.mark.asyncio
async def test_a_connection_is_created_and_listed() -> None:
    """The whole way over a socket; afterwards journal and connections stay readable."""
    async with Simulator() as sim, client(sim) as session:
        assert sim.url.startswith("http://127.0.0.1:")
        status, _ = await create(session)
        params = {"limit": "100", "property": "name==Contoso ADX"}
        async with session.get(CONNECTIONS, params=params) as answer:
            items = (await answer.json())["items"]

    assert status == 201
    assert [item["id"] for item in items] == [one.id for one in sim.connections()]
    assert [entry.status for entry in sim.journal()] == [200, 201, 200]
    assert sim.tokens_issued == 1


def test_uvloop_serves_as_well() -> None:
    """The command's loop; resets are set on its own kind of socket."""

    async def story() -> None:
        async with Simulator() as sim, client(sim) as session:
            assert (await create(session))[0] == 201
            sim.script(fate(Reset()))
            with pytest.raises(aiohttp.ClientOSError):
                await create(session)
            sim.script(fate(Cut(after_bytes=3)))
            with pytest.raises(aiohttp.ClientPayloadError):
                await create(session)
            assert len(sim.connections()) == 3

    uvloop.run(story())


@pytest.mark.asyncio
@pytest.mark.parametrize("applied", [0.0, None])
@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reset(), aiohttp.ClientOSError),
        (Closed(), aiohttp.ServerDisconnectedError),
        (Hang(seconds=0.01), aiohttp.ServerDisconnectedError),
        (Garbled(), aiohttp.ClientResponseError),
    ],
)
async def test_no_exception_tells_applied_from_not(
    reply: Reply, error: type[Exception], applied: float | None
) -> None:
    """The same error, with and without an object; the server goes on."""
    async with Simulator() as sim, client(sim) as session:
        sim.script(fate(reply, apply_after_s=applied))
        with pytest.raises(error):
            await create(session)
        sim.script(None)
        assert (await create(session))[0] == 201

    assert len(sim.connections()) == (2 if applied == 0.0 else 1)


@pytest.mark.asyncio
async def test_an_answer_is_cut_after_its_headers() -> None:
    """Status and Location came, the body did not."""
    async with Simulator() as sim, client(sim) as session:
        sim.script(fate(Cut()))
        async with session.post(CONNECTIONS, json=adx()) as answer:
            status, location = answer.status, answer.headers["Location"]
            with pytest.raises(aiohttp.ClientPayloadError):
                await answer.read()

    assert status == 201
    assert location.endswith(sim.connections()[0].id)


@pytest.mark.asyncio
async def test_an_answer_comes_after_the_clients_timeout() -> None:
    """It took effect all the same, and the server counts the client as gone."""
    async with Simulator() as sim, client(sim) as session:
        sim.script(fate(Instead(answer=redirect(200, "")), delay_s=60.0))
        timeout = aiohttp.ClientTimeout(total=0.05)
        with pytest.raises(TimeoutError):
            await session.post(CONNECTIONS, json=adx(), timeout=timeout)
        sim.script(None)
        sim.set_in_flight_limit(ORG, 1)
        for _ in range(100):
            if (await create(session))[0] == 201:
                break
        else:
            pytest.fail("the request whose client has gone is still in flight")

    assert len(sim.connections()) == 2


@pytest.mark.asyncio
async def test_an_answer_drips() -> None:
    """Byte by byte, and whole in the end; or the client gives up."""
    async with Simulator() as sim, client(sim) as session:
        sim.script(fate(Drip(every_s=0.0001)))
        assert (await create(session))[0] == 201
        sim.script(fate(Drip(every_s=30.0)))
        timeout = aiohttp.ClientTimeout(total=0.05)
        with pytest.raises(TimeoutError):
            async with session.post(CONNECTIONS, json=adx(), timeout=timeout) as answer:
                await answer.read()


@pytest.mark.asyncio
@pytest.mark.parametrize("gzip", [False, True])
async def test_an_answer_is_far_too_large(gzip: bool) -> None:
    """As it is, or packed small; the true answer stands at its start."""
    async with Simulator() as sim, client(sim) as session:
        sim.script(fate(Flood(size=3_000_000, gzip=gzip)))
        status, body = await create(session)
        async with session.post(CONNECTIONS, json=adx(), auto_decompress=False) as packed:
            sent = len(await packed.read())

    assert status == 201
    assert len(body.rstrip()) + 3_000_000 == len(body)
    assert (sent < 50_000) == gzip


@pytest.mark.asyncio
async def test_an_answer_never_ends() -> None:
    """The client reads a megabyte and goes; the server stops writing."""
    async with Simulator() as sim, client(sim) as session:
        sim.script(fate(Flood(size=65_536, endless=True)))
        async with session.post(CONNECTIONS, json=adx()) as answer:
            read = 0
            async for piece in answer.content.iter_any():
                read += len(piece)
                if read > 1_000_000:
                    break
            answer.close()
        sim.script(None)
        assert (await create(session))[0] == 201


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_without_a_body_has_none(status: int) -> None:
    """On the wire too."""
    async with Simulator() as sim, client(sim) as session:
        sim.script(fate(Instead(answer=redirect(status, ""))))
        assert await create(session) == (status, b"")


@pytest.mark.asyncio
async def test_a_redirect_leads_to_a_second_host_that_hears_nothing() -> None:
    """Its journal is the proof; a careless client would carry the secret there."""
    async with Simulator() as sim, Simulator() as elsewhere, client(sim) as session:
        sim.script(fate(Instead(answer=redirect(307, f"{elsewhere.url}{CONNECTIONS}"))))
        status, _ = await create(session)
        assert elsewhere.journal() == []
        await session.post(CONNECTIONS, json=adx())

    assert status == 307
    assert [entry.path for entry in elsewhere.journal()] == [CONNECTIONS]


@pytest.mark.asyncio
async def test_closing_waits_for_nobody() -> None:
    """A handler that hangs for a minute is cut off."""
    sim = Simulator()
    async with sim, client(sim) as session:
        sim.script(fate(Hang(seconds=60)))
        waiting = asyncio.create_task(create(session))
        while len(sim.journal()) < 2:  # noqa: ASYNC110  # the journal is the one signal from the other side of the socket
            await asyncio.sleep(0)
        started = time.monotonic()
        await sim._server.stop()
        with pytest.raises(aiohttp.ClientError):
            await waiting

    assert time.monotonic() - started < 30, "not the minute of the handler"


@pytest.mark.asyncio
async def test_a_simulator_is_started_again_on_its_port(tmp_path: Path) -> None:
    """With its state; also the same object twice."""
    state = tmp_path / "state.sqlite3"
    sim = Simulator(state=state)
    async with sim, client(sim) as session:
        await create(session)
        port = int(sim.url.rsplit(":", 1)[1])
    assert len(sim.connections()) == 1

    async with Simulator(state=state, port=port) as again, client(again) as session:
        assert again.url == sim.url
        await create(session)
    async with sim, client(sim) as session:
        await create(session)

    assert len(sim.connections()) == 3


@pytest.mark.asyncio
async def test_a_port_in_use_is_an_error() -> None:
    """And nothing is left running."""
    async with Simulator() as sim:
        with pytest.raises(OSError, match="in use"):
            async with Simulator(port=int(sim.url.rsplit(":", 1)[1])):
                pass


@pytest.mark.asyncio
async def test_many_at_once_are_refused_beyond_the_limit() -> None:
    """Of twenty at once five are within."""
    async with Simulator() as sim, client(sim) as session:
        sim.latency_s = (0.05, 0.05)
        sim.set_in_flight_limit(ORG, 5)
        answers = await asyncio.gather(*(create(session) for _ in range(20)))

    assert sorted({status for status, _ in answers}) == [201, 429]
    assert len(sim.connections()) == [status for status, _ in answers].count(201) < 20


@pytest.mark.asyncio
async def test_a_body_that_is_too_large_and_a_header_that_is_no_text_are_refused() -> None:
    """Neither breaks the server."""
    async with Simulator() as sim, client(sim) as session:
        async with session.post(CONNECTIONS, data=io.BytesIO(b" " * 2_000_000)) as answer:
            assert answer.status == 413
        host, port = sim.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(
            b"GET /x HTTP/1.1\r\nHost: x\r\nx-sandbox-name: a\xff\r\nConnection: close\r\n\r\n"
        )
        assert (await reader.readline()).startswith(b"HTTP/1.1 403")
        writer.close()
        await writer.wait_closed()

    assert sim.journal()[-1].sandbox == "a?"


@pytest.mark.asyncio
async def test_a_shape_goes_over_the_wire() -> None:
    """204 to a create, and the object is there."""
    async with Simulator() as sim, client(sim) as session:
        sim.script(fate(Reshaped(shape="as_204")))
        assert await create(session) == (204, b"")

    assert len(sim.connections()) == 1


def test_the_names_of_the_profiles_are_cheap() -> None:
    """`--help` must not load a web server."""
    code = (
        "import sys; from batchconnect.simulator import PROFILES; "
        "print(PROFILES, 'aiohttp' in sys.modules)"
    )
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )

    expected = ("ambiguous", "badday", "expiry", "flaky", "none", "overload", "throttle")
    assert done.stdout.strip() == f"{expected} False"


def test_the_room_imports_nothing_of_ours() -> None:
    """So that it cannot share our mistakes."""
    room = Path(__file__).parents[2] / "batchconnect" / "simulator"
    for file in room.glob("*.py"):
        text = file.read_text(encoding="utf-8")
        ours = [line for line in text.splitlines() if "import" in line and "batchconnect" in line]
        assert all("batchconnect.simulator" in line for line in ours), file.name
        assert "aiohttp" not in text or file.name in {"server.py", "__init__.py"}, file.name


def test_an_unknown_name_is_an_attribute_error() -> None:
    """As in any module."""
    import batchconnect.simulator as room

    with pytest.raises(AttributeError, match="Nothing"):
        _ = room.Nothing
