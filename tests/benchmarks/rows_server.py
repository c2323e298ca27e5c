"""
A service with rows: many stand there already, some creates lose their answer.

`python -m … PORT EXISTING SANDBOXES LOSE`: so many rows of `sheets.rows` exist; of each LOSE creates one
loses its answer, applied and not applied in turn (0: none). `GET /counts` tells the listings.
"""

import asyncio
import sys
import time
from collections.abc import Iterator
from typing import Any

import orjson
import uvloop

from batchconnect.model.identity import CONNECTION_SPEC_ID, marker
from batchconnect.model.target import Target
from tests.benchmarks import sheets
from tests.benchmarks.fixed_server import Fixed
from tests.benchmarks.servers import TOKEN

PAGE = 100
_ORG_ID = "AAAAAAAAAAAAAAAAAAAAAAAA@AdobeOrg"
_LONG_AGO_MS = 1_600_000_000_000
_NAMES = ("endpoint", "database", "tenant", "servicePrincipalId")


class Rows:
    """What stands in each sandbox, and who asked for it."""

    def __init__(self, existing: int, sandboxes: int, lose: int) -> None:
        self.made: dict[str, list[dict[str, Any]]] = {}
        self.existing = existing
        self.sandboxes = sandboxes
        self.lose = lose
        self.creates = 0
        self.lost: set[str] = set()
        self.listings: dict[str, list[float]] = {}

    def count(self, sandbox: str) -> int:
        """How many stand there."""
        number = int(sandbox.removeprefix("sandbox"))
        planted = (self.existing - number) // self.sandboxes + (number > 0)
        return max(0, planted) + len(self.made.get(sandbox, ()))

    def page(self, sandbox: str, offset: int, *, newest: bool) -> Iterator[dict[str, Any]]:
        """The planted ones are the oldest, each made anew from its number."""
        number = int(sandbox.removeprefix("sandbox"))
        made = self.made.get(sandbox, [])
        planted = self.count(sandbox) - len(made)
        total = planted + len(made)
        for place in range(offset, min(offset + PAGE, total)):
            at = total - 1 - place if newest else place
            if at >= planted:
                yield made[at - planted]
                continue
            row = at * self.sandboxes + (number or self.sandboxes)
            cells = next(_row(row, self.sandboxes))
            params = dict(zip(_NAMES, cells[2:6], strict=True))
            mark = marker(
                org_id=_ORG_ID,
                sandbox=sandbox,
                name=cells[0],
                target=Target(
                    endpoint=cells[2],
                    database=cells[3],
                    tenant=cells[4],
                    service_principal_id=cells[5],
                ),
            )
            yield _item(row, cells[0], f"{cells[1]} {mark}", params, _LONG_AGO_MS)

    def create(self, sandbox: str, body: bytes) -> bytes | None:
        """The answer, None where it gets lost."""
        self.creates += 1
        told = orjson.loads(body)
        # A row loses one answer at most: there is one round of resends, so one window to wait out.
        is_first = self.lose > 0 and told["name"] not in self.lost
        is_lost = is_first and self.creates % self.lose == 0
        if is_lost:
            self.lost.add(told["name"])
            if len(self.lost) % 2:
                return None
        params = {name: told["auth"]["params"][name] for name in _NAMES}
        number = 10_000_000 + self.creates
        at_ms = int(time.time() * 1000)
        item = _item(number, told["name"], told["description"], params, at_ms)
        self.made.setdefault(sandbox, []).append(item)
        return None if is_lost else orjson.dumps({"id": item["id"], "etag": item["etag"]})


def _row(number: int, sandboxes: int) -> Iterator[list[str]]:
    return sheets.rows(number, first=number, sandboxes=sandboxes)


def _item(
    number: int, name: str, description: str, params: dict[str, str], at_ms: int
) -> dict[str, Any]:
    return {
        "id": f"5a5b1f1c-2f5b-4b0e-9b1f-{number:012x}",
        # Formed as Adobe's are: one of another form is held against each live key.
        "etag": f'"{number:08x}-0000-0200-0000-65f2c8a40000"',
        "name": name,
        "description": description,
        "createdAt": at_ms,
        "connectionSpec": {"id": CONNECTION_SPEC_ID, "version": "1.0"},
        "auth": {"specName": "Service Principal Based Authentication", "params": params},
    }


class Remembering(Fixed):
    """One socket of it."""

    rows: Rows

    def reply(self, line: bytes, head: bytes, body: bytes) -> None:
        path = line.split(b" ")[1].decode()
        at = head.find(b"x-sandbox-name:")
        sandbox = head[at + 15 :].split(b"\r\n", 1)[0].strip().decode() if at >= 0 else ""
        answer: bytes | None
        if "/ims/" in path:
            answer = TOKEN.encode()
        elif path == "/counts":
            answer = orjson.dumps({"creates": self.rows.creates, "listings": self.rows.listings})
        elif line.startswith(b"POST"):
            answer = self.rows.create(sandbox, body)
            if answer is None:
                self.transport.abort()
                return
            self.answer(201, answer)
            return
        elif path.endswith("/test"):
            answer = b'{"result":true}'
        elif "count=true" in path:
            answer = orjson.dumps({"count": self.rows.count(sandbox)})
        else:
            answer = self._listed(sandbox, path)
        self.answer(200, answer)

    def _listed(self, sandbox: str, path: str) -> bytes:
        offset = int(path.partition("continuationToken=")[2] or "0")
        if not offset:
            self.rows.listings.setdefault(sandbox, []).append(time.monotonic())
        newest = "orderby=-createdAt" in path
        links: dict[str, object] = {}
        if offset + PAGE < self.rows.count(sandbox):
            links = {"next": {"href": f"/connections?continuationToken={offset + PAGE}"}}
        return orjson.dumps(
            {"items": list(self.rows.page(sandbox, offset, newest=newest)), "_links": links}
        )


async def _serve(port: int, existing: int, sandboxes: int, lose: int) -> None:
    Remembering.rows = Rows(existing, sandboxes, lose)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Remembering, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(*map(int, sys.argv[1:])))
