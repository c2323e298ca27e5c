"""
What a user would write instead of the tool, and the ceiling of its library: POSTs or tests, and nothing else.

`python -m tests.benchmarks.bare KIND URL SHEET IN_FLIGHT` prints JSON: requests and seconds from the
first to the last. None of these has a ledger, a limit, a retry, a report or a second look.
"""

import asyncio
import csv
import http.client
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.benchmarks.servers import TOKEN

PATH = "/data/foundation/flowservice/connections"
_SPEC = {"id": "0479cc14-7651-4354-b233-7480606c2ac3", "version": "1.0"}
_HEADERS = {
    "Authorization": f"Bearer {json.loads(TOKEN)['access_token']}",
    "x-api-key": "client",
    "x-gw-ims-org-id": "AAAAAAAAAAAAAAAAAAAAAAAA@AdobeOrg",
    "x-sandbox-name": "sandbox0",
    "Content-Type": "application/json",
}


def bodies(sheet: Path) -> Iterator[dict[str, Any]]:
    """What is sent for each row, unchecked."""
    with sheet.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            names = ("endpoint", "database", "tenant", "servicePrincipalId", "servicePrincipalKey")
            params = {name: row[name] for name in names}
            spec_name = "Service Principal Based Authentication"
            yield {
                "name": row["name"],
                "description": row["description"],
                "auth": {"specName": spec_name, "params": params},
                "connectionSpec": _SPEC,
            }


def with_aiohttp(
    url: str, sheet: Path, in_flight: int, *, tests: bool = False
) -> tuple[int, float]:
    """
    aiohttp, uvloop, orjson, no more sockets than workers: as fast as the library goes.

    Args:
        url: Of the server.
        sheet: Whose rows are sent.
        in_flight: At any time.
        tests: Ask for the test of a connection for each row, and send no row.
    """
    import aiohttp
    import orjson
    import uvloop

    async def main() -> tuple[int, float]:
        todo = bodies(sheet)
        sent = 0

        async def worker(session: aiohttp.ClientSession) -> None:
            nonlocal sent
            for body in todo:
                if tests:
                    asked = session.get(f"{PATH}/{_SPEC['id']}/test", headers=_HEADERS)
                else:
                    asked = session.post(PATH, data=orjson.dumps(body), headers=_HEADERS)
                async with asked as answer:
                    orjson.loads(await answer.read())
                    assert answer.status == (200 if tests else 201)
                    sent += 1

        connector = aiohttp.TCPConnector(limit=in_flight)
        async with aiohttp.ClientSession(url, connector=connector) as session:
            began = time.perf_counter()
            async with asyncio.TaskGroup() as tasks:
                for _ in range(in_flight):
                    tasks.create_task(worker(session))
            return sent, time.perf_counter() - began

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())


def library() -> str:
    """What the twenty lines are written with here."""
    return "requests" if find_spec("requests") else "http.client, since requests is missing"


def with_threads(url: str, sheet: Path, in_flight: int) -> tuple[int, float]:
    """The twenty lines that everybody writes: `requests` where it is installed, else `http.client`."""
    local = threading.local()
    post = _requests(url, local) or _http_client(url, local)
    began = time.perf_counter()
    if in_flight == 1:
        sent = sum(map(post, bodies(sheet)))
    else:
        with ThreadPoolExecutor(in_flight) as pool:
            sent = sum(pool.map(post, bodies(sheet)))
    return sent, time.perf_counter() - began


def _requests(url: str, local: threading.local) -> Callable[[dict[str, Any]], int] | None:
    try:
        library = import_module("requests")
    except ImportError:
        return None

    def post(body: dict[str, Any]) -> int:
        if not hasattr(local, "session"):
            local.session = library.Session()
        answer = local.session.post(url + PATH, json=body, headers=_HEADERS, timeout=60)
        answer.raise_for_status()
        return int(bool(answer.json()["id"]))

    return post


def _http_client(url: str, local: threading.local) -> Callable[[dict[str, Any]], int]:
    host = urlsplit(url).netloc

    def post(body: dict[str, Any]) -> int:
        if not hasattr(local, "socket"):
            local.socket = http.client.HTTPConnection(host, timeout=60)
        local.socket.request("POST", PATH, json.dumps(body), _HEADERS)
        answer = local.socket.getresponse()
        assert answer.status == 201
        return int(bool(json.loads(answer.read())["id"]))

    return post


KINDS: dict[str, Callable[[str, Path, int], tuple[int, float]]] = {
    "aiohttp": with_aiohttp,
    "tests": partial(with_aiohttp, tests=True),
    "threads": with_threads,
}

if __name__ == "__main__":
    kind, to, path, how_many = sys.argv[1:]
    count, seconds = KINDS[kind](to, Path(path), int(how_many))
    print(json.dumps({"requests": count, "seconds": seconds}))
