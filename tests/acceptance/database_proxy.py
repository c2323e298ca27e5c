"""
A TCP proxy before PostgreSQL that does to a connection what networks do.

It swallows the answer of a commit: the server has done it, and nobody hears. Or it is a hole: bytes go in, none
come out, and no connection breaks, as where a cable is cut.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self


class DatabaseProxy:
    """
    A proxy that runs as long as the block lasts.

    Args:
        port: Of the server, on loopback.
        swallows: Asked for each answer to something that calls a word that is watched: True: it is lost, and the
            connection with it.
        word: What a question must contain for its answer to be lost.
    """

    def __init__(
        self, port: int, *, swallows: Callable[[], bool] = lambda: False, word: bytes = b".append("
    ) -> None:
        self._server_port = port
        self._swallows = swallows
        self._word = word
        self.swallowed = 0
        """Answers that were lost."""
        self._passes = asyncio.Event()
        self.port = 0
        self._server: asyncio.Server
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> None:
        """Let nothing pass any more, and no connection break."""
        self._loop.call_soon_threadsafe(self._passes.clear)

    def heal(self) -> None:
        """Let all pass again, what was held back first."""
        self._loop.call_soon_threadsafe(self._passes.set)

    async def _open(self) -> None:
        self._passes.set()
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        self._server.close()
        own = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not own]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_server = await asyncio.open_connection("127.0.0.1", self._server_port)
        is_watched = [False]
        await asyncio.gather(
            self._questions(reader, to_server[1], is_watched),
            self._answers(to_server[0], writer, is_watched),
        )

    async def _questions(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, is_watched: list[bool]
    ) -> None:
        with suppress(OSError):
            while data := await self._read(source):
                is_watched[0] = is_watched[0] or self._word in data
                sink.write(data)
                await sink.drain()
        sink.close()

    async def _answers(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, is_watched: list[bool]
    ) -> None:
        with suppress(OSError):
            while data := await self._read(source):
                if is_watched[0] and self._swallows():
                    self.swallowed += 1
                    break
                is_watched[0] = False
                sink.write(data)
                await sink.drain()
        sink.transport.abort()

    async def _read(self, source: asyncio.StreamReader) -> bytes:
        data = await source.read(65536)
        await self._passes.wait()
        return data
