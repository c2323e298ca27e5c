"""
A service with a hidden limit, in real time: the same limits that `hidden` has for virtual time.

`python -m … PORT CASE`: the limit of a case, by its name. It remembers what it made, since the command
looks for what it got no plain answer to; these look-ups pay as well. `GET /met` tells when it served and
refused, in seconds since the first request.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from http import HTTPStatus

import uvloop

from tests.benchmarks.hidden import Service, case_of
from tests.benchmarks.rows_server import Remembering, Rows
from tests.benchmarks.virtual import CREATE

_REFUSED = {
    HTTPStatus.TOO_MANY_REQUESTS: b'{"error_code":"429050","message":"Too many requests"}',
    HTTPStatus.INTERNAL_SERVER_ERROR: b"<html><body>Internal Server Error</body></html>",
}


class Limited(Remembering):
    """One socket of it."""

    service: Service

    def reply(self, line: bytes, head: bytes, body: bytes) -> None:
        if b"/met" in line:
            met = {"served": self.service.served, "refused": self.service.refused}
            self.answer(HTTPStatus.OK, json.dumps(met).encode())
        elif b"/ims/" in line:
            super().reply(line, head, body)
        else:
            self._task = asyncio.get_running_loop().create_task(self._limited(line, head, body))

    async def _limited(self, line: bytes, head: bytes, body: bytes) -> None:
        told = await self.service.send(CREATE)
        if told.status == HTTPStatus.CREATED:
            super().reply(line, head, body)
        else:
            headers = "".join(f"{name}: {value}\r\n" for name, value in told.headers.items())
            self.answer(told.status, _REFUSED[HTTPStatus(told.status)], headers)


def _since_first(now: Callable[[], float]) -> Callable[[], float]:
    """Seconds since this was first asked: where virtual time begins."""
    first: list[float] = []

    def clock() -> float:
        if not first:
            first.append(now())
        return now() - first[0]

    return clock


async def _serve(port: int, name: str) -> None:
    loop = asyncio.get_running_loop()
    Limited.rows = Rows(existing=0, sandboxes=1, lose=0)
    Limited.service = case_of(name).service(0, _since_first(loop.time))
    server = await loop.create_server(Limited, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(int(sys.argv[1]), sys.argv[2]))
