"""A host's name is looked up in a thread that nobody waits for; what comes of it is an address, or an error of the network."""

import asyncio
import socket
import threading
from typing import Any

import pytest

from batchconnect.transport.resolver import Resolver

pytestmark = pytest.mark.asyncio


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the system was asked, beside a name service of the test's own."""
    seen: list[Any] = []

    def look_up(host: str, port: int, **how: Any) -> list[Any]:
        seen.append((host, how["flags"]))
        if host == "nowhere.example":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if host == "odd.example":
            raise UnicodeError("label too long")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.7", port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return seen


async def test_a_host_has_its_addresses(asked: list[Any]) -> None:
    """As aiohttp takes them: numbers, which nobody looks up again."""
    (found,) = await Resolver().resolve("platform.example", 443)

    assert (found["hostname"], found["host"], found["port"]) == (
        "platform.example",
        "192.0.2.7",
        443,
    )
    assert found["flags"] == socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


async def test_a_machine_without_a_network_knows_itself(asked: list[Any]) -> None:
    """Elsewhere only kinds of addresses are asked for that the machine has."""
    await Resolver().resolve("localhost", 80)
    await Resolver().resolve("platform.example", 80)

    assert asked == [("localhost", 0), ("platform.example", socket.AI_ADDRCONFIG)]


@pytest.mark.parametrize("host", ["nowhere.example", "odd.example"])
async def test_a_name_that_is_none_is_an_error_of_the_network(asked: list[Any], host: str) -> None:
    """Also one that cannot be asked for at all: the row's answer is the same."""
    with pytest.raises(socket.gaierror):
        await Resolver().resolve(host, 443)


async def test_who_was_asked_to_stop_does_not_wait_for_a_silent_name_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And what it says at last disturbs nobody."""
    may_answer, has_answered = threading.Event(), threading.Event()

    def look_up(host: str, port: int, **how: Any) -> list[Any]:
        may_answer.wait()
        has_answered.set()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    waiting = asyncio.ensure_future(Resolver().resolve("platform.example", 443))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    may_answer.set()
    await asyncio.to_thread(has_answered.wait)
    for thread in threading.enumerate():
        if thread.name == "look up platform.example":
            await asyncio.to_thread(thread.join)
    await asyncio.sleep(0)
