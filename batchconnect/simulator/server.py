"""
The simulator's only door to the network: one HTTP server on loopback.

Good answers go the usual way; broken ones are written byte by byte to the socket, for a web
framework is made to prevent just that.
"""

import asyncio
import contextlib
import socket
import struct
import zlib
from collections.abc import Awaitable, Callable
from typing import assert_never

from aiohttp import web

from batchconnect.simulator.decision import (
    Closed,
    Cut,
    Delivery,
    Drip,
    Flood,
    Garbled,
    Hang,
    Instead,
    Normal,
    Reset,
    Reshaped,
)
from batchconnect.simulator.exchange import Answer, Request

LOOPBACK = "127.0.0.1"
FLOOD_PIECE = b" " * 65_536
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: on, zero seconds; closing then sends RST instead of FIN."""

Answering = Callable[[Request], Delivery]
Counting = Callable[[Request], None]


class HttpServer:
    """
    Serves one `Front` on loopback.

    Args:
        receive: Decides a request; must not block.
        enter: Told of a request before `receive`.
        leave: Told when it is answered, or its client has gone.
        port: 0 for any free one.
    """

    def __init__(
        self, *, receive: Answering, enter: Counting, leave: Counting, port: int = 0
    ) -> None:
        self._receive = receive
        self._enter = enter
        self._leave = leave
        self._runner: web.ServerRunner | None = None
        self._running: set[asyncio.Task[object]] = set()
        self.port = port

    async def start(self) -> None:
        """Listen; afterwards `port` is the real one."""
        # A client that goes away ends its handler, so that what it held counts as in flight no more.
        server = web.Server(self._serve, handler_cancellation=True, access_log=None)
        runner = web.ServerRunner(server, shutdown_timeout=0.2)
        await runner.setup()
        try:
            # NOTE: backlog for many clients at once; reuse_address for a restart on the same port.
            await web.TCPSite(runner, LOOPBACK, self.port, backlog=1024, reuse_address=True).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        self.port = runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop at once: whoever still waits for an answer is cut off."""
        for task in self._running:
            task.cancel()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _serve(self, received: web.BaseRequest) -> web.StreamResponse:
        request = Request(
            method=received.method,
            path=_text(received.rel_url.path),
            query=tuple((_text(k), _text(v)) for k, v in received.rel_url.query.items()),
            headers={_text(name).lower(): _text(v) for name, v in received.headers.items()},
            body=await received.read(),
        )
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        self._enter(request)
        try:
            delivery = self._receive(request)
            if delivery.delay_s > 0:
                await asyncio.sleep(delivery.delay_s)
            return await _deliver(received, delivery)
        finally:
            self._leave(request)
            self._running.discard(task)


def _text(received: str) -> str:
    """Bytes that are no UTF-8 arrive as lone surrogates, which neither JSON nor SQLite can hold."""
    return received if received.isascii() else received.encode("utf-8", "replace").decode()


async def _deliver(received: web.BaseRequest, delivery: Delivery) -> web.StreamResponse:
    answer, transport = delivery.answer, received.transport
    if transport is None:
        return web.Response()
    match delivery.reply:
        case Normal() | Instead() | Reshaped():
            return _response(answer)
        case Reset():
            transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, RESET
            )
            transport.abort()
        case Closed():
            transport.close()
        case Garbled():
            transport.write(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
            transport.close()
        case Hang(seconds=seconds):
            await asyncio.sleep(seconds)
            transport.close()
        case Cut(after_bytes=after_bytes):
            # A body that is there to be cut: a 204 has none, so a length alone is promised.
            promised = max(len(answer.body), after_bytes + 1)
            transport.write(_head(answer, promised) + answer.body[:after_bytes])
            transport.close()
        case Drip(every_s=every_s):
            await _drip(transport, answer, every_s)
        case Flood() as flood:
            await _flood(received, transport, answer, flood)
        case _:
            assert_never(delivery.reply)
    return await _gone(received)


async def _gone(received: web.BaseRequest) -> web.StreamResponse:
    """What aiohttp is told after the socket was used, and closed, without it."""
    received.protocol.force_close()
    return web.Response()


def _response(answer: Answer) -> web.Response:
    return web.Response(status=answer.status, headers=answer.headers, body=answer.body)


def _head(answer: Answer, length: int | None, *more: tuple[str, str]) -> bytes:
    status = web.Response(status=answer.status)
    lines = [f"HTTP/1.1 {status.status} {status.reason}"]
    lines += [f"{name}: {value}" for name, value in (*answer.headers, *more)]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1")


async def _drip(transport: asyncio.Transport, answer: Answer, every_s: float) -> None:
    transport.write(_head(answer, len(answer.body)))
    for at in range(len(answer.body)):
        await asyncio.sleep(every_s)
        if transport.is_closing():
            return
        transport.write(answer.body[at : at + 1])
    transport.close()


async def _flood(
    received: web.BaseRequest, transport: asyncio.Transport, answer: Answer, flood: Flood
) -> None:
    if flood.gzip:
        bomb = _bomb(answer.body, flood.size)
        head = _head(answer, len(bomb), ("Content-Encoding", "gzip"))
        await _write(received, transport, head + bomb)
    else:
        length = None if flood.endless else len(answer.body) + flood.size
        await _write(received, transport, _head(answer, length) + answer.body)
        left = flood.size
        while (flood.endless or left > 0) and not transport.is_closing():
            await _write(received, transport, FLOOD_PIECE[:left])
            left = flood.size if flood.endless else left - len(FLOOD_PIECE)
    transport.close()


async def _write(received: web.BaseRequest, transport: asyncio.Transport, piece: bytes) -> None:
    """Write no faster than the client reads: a flood has to drown the client, not us."""
    transport.write(piece)
    with contextlib.suppress(ConnectionError):
        await _drained(received)
    await asyncio.sleep(0)


def _drained(received: web.BaseRequest) -> Awaitable[None]:
    return received.protocol._drain_helper()  # noqa: SLF001  # the one way to learn that the socket is full


def _bomb(start: bytes, size: int) -> bytes:
    """Gzip of *start* and then *size* blanks, made piece by piece."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    pieces = [packer.compress(start)]
    pieces += [packer.compress(FLOOD_PIECE) for _ in range(size // len(FLOOD_PIECE))]
    pieces += [packer.compress(FLOOD_PIECE[: size % len(FLOOD_PIECE)]), packer.flush()]
    return b"".join(pieces)
