"""
The answers without nginx, each with ids of its own: one asyncio protocol, no framework. `python -m … PORT [LATENCY_MS [requests]]`.

Ids of an object and etags are GUIDs, as Adobe's are. With `requests`, each answer to a POST has an id of the request
as well, of 32 letters and digits.

What is waited for are POSTs and tests of a connection. `GET /span` tells how many came since it was last asked, and
the seconds from the first to the last; `GET /times` when each of them came.
"""

import asyncio
import json
import sys
from email.utils import formatdate
from http import HTTPStatus
from itertools import count
from typing import ClassVar, cast

import uvloop

from tests.benchmarks.servers import TOKEN
from tests.benchmarks.sheets import scattered


class Fixed(asyncio.Protocol):
    """One socket; requests come one after the other, as ours do."""

    latency_s = 0.0
    has_request_ids = False
    came: ClassVar[list[float]] = []
    """When each POST or test came, of all sockets."""
    numbers = count(1)
    """Of the ids that were answered."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are asyncio's in all but their class.
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            behind = end + 4 + length
            if len(self._received) < behind:
                return
            line, body = self._received.split(b"\r\n", 1)[0], self._received[end + 4 : behind]
            self._received = self._received[behind:]
            self.reply(line, head, body)

    def reply(self, line: bytes, head: bytes, body: bytes) -> None:
        """Answer one request."""
        if b"/ims/" in line:
            self.answer(200, TOKEN.encode())
        elif b"/span" in line:
            seconds = self.came[-1] - self.came[0] if self.came else 0.0
            self.answer(200, json.dumps({"came": len(self.came), "seconds": seconds}).encode())
            self.came.clear()
        elif b"/times" in line:
            self.answer(200, json.dumps(self.came).encode())
            self.came.clear()
        elif line.startswith(b"GET") and b"/test " in line:
            self.came.append(self._loop.time())
            self._loop.call_later(self.latency_s, self.answer, 200, b'{"result":true}', "")
        elif line.startswith(b"GET"):
            none = b'{"count":0}' if b"count=true" in line else b'{"items":[],"_links":{}}'
            self.answer(200, none)
        else:
            self.came.append(self._loop.time())
            own = scattered(next(self.numbers))
            made = f'{{"id":"{own}","etag":"\\"{own}\\""}}'.encode()
            told = f"X-Request-Id: {own[::-1].replace('-', '')}\r\n" if self.has_request_ids else ""
            if self.latency_s:
                self._loop.call_later(self.latency_s, self.answer, 201, made, told)
            else:
                self.answer(201, made, told)

    def answer(self, status: int, body: bytes, headers: str = "") -> None:
        """Write a whole answer; of *headers*, each ends with its line."""
        self.transport.write(
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n{headers}"
            # Without it, markers that stand there already count as new, and the window is waited out.
            f"Date: {formatdate(usegmt=True)}\r\n\r\n".encode()
            + body
        )


async def _serve(port: int, latency_s: float, *, has_request_ids: bool) -> None:
    Fixed.latency_s = latency_s
    Fixed.has_request_ids = has_request_ids
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Fixed, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        port, latency_ms = int(sys.argv[1]), float((sys.argv[2:] or ["0"])[0])
        runner.run(_serve(port, latency_ms / 1000, has_request_ids="requests" in sys.argv))
