"""The fixed answers without nginx: one asyncio protocol, no framework. `python -m … PORT [LATENCY_MS]`."""

import asyncio
import sys

import uvloop

from tests.benchmarks.servers import MADE, TOKEN


def _answer(status: str, body: str) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return f"{head}\r\n\r\n{body}".encode()


_CREATED = _answer("201 Created", MADE)
_TOKEN = _answer("200 OK", TOKEN)
_COUNT = _answer("200 OK", '{"count":0}')
_EMPTY = _answer("200 OK", '{"items":[],"_links":{}}')


class Fixed(asyncio.Protocol):
    """One socket; requests come one after the other, as ours do."""

    def __init__(self, latency_s: float) -> None:
        self._latency_s = latency_s
        self._loop = asyncio.get_running_loop()
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (head := self._received.find(b"\r\n\r\n")) >= 0:
            text = self._received[:head].lower()
            at = text.find(b"content-length:")
            length = int(text[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._received) < head + 4 + length:
                return
            line = self._received[: self._received.find(b"\r\n")]
            self._received = self._received[head + 4 + length :]
            self._reply(line)

    def _reply(self, line: bytes) -> None:
        if b"/ims/" in line:
            self._transport.write(_TOKEN)
        elif line.startswith(b"GET"):
            self._transport.write(_COUNT if b"count=true" in line else _EMPTY)
        elif self._latency_s:
            self._loop.call_later(self._latency_s, self._transport.write, _CREATED)
        else:
            self._transport.write(_CREATED)


async def _serve(port: int, latency_s: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Fixed(latency_s), "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(int(sys.argv[1]), float((sys.argv[2:] or ["0"])[0]) / 1000))
