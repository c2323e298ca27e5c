"""
Looks up hosts without being held up at the end: a thread that waits for a name server cannot be ended.

The loop's own threads are waited for when the process ends, half a minute behind a server that is silent.
These are not: who was asked to stop ends at once.
"""

import asyncio
import socket
import threading
from contextlib import suppress
from typing import Any, final

from aiohttp.abc import AbstractResolver, ResolveResult

from batchconnect.transport.loopback import is_loopback

_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


@final
class Resolver(AbstractResolver):
    """Asks the system, as aiohttp's own does, in threads that end with the process."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """
        Look a host up.

        Raises:
            OSError: The name has no address, or no server tells.
        """
        found = await _in_thread(host, port, family)
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=int(address[1]),
                family=kind,
                proto=protocol,
                flags=_NUMERIC,
            )
            for kind, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        """Nothing is kept."""


async def _in_thread(host: str, port: int, family: int) -> list[Any]:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[Any]] = loop.create_future()

    def tell(found: list[Any] | OSError) -> None:
        if answer.done():
            return  # nobody waits any more
        if isinstance(found, OSError):
            answer.set_exception(found)
        else:
            answer.set_result(found)

    def look() -> None:
        found: list[Any] | OSError
        try:
            # A machine without a network has no address configured, yet it has itself.
            flags = 0 if is_loopback(host) else socket.AI_ADDRCONFIG
            found = socket.getaddrinfo(
                host, port, family=family, type=socket.SOCK_STREAM, flags=flags
            )
        except OSError as error:
            found = error
        except UnicodeError:
            found = socket.gaierror(socket.EAI_NONAME, "not a host's name")
        # The loop may be gone by now.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(tell, found)

    threading.Thread(target=look, name=f"look up {host}", daemon=True).start()
    return await answer
