"""The engine's own cost: beside a bare loop, a user's own loops, and the ceiling of the server."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from urllib.request import urlopen

from tests.benchmarks import servers
from tests.benchmarks.bare import library
from tests.benchmarks.place import CLIENT_CORE, found, measured, pinned, python, tool
from tests.benchmarks.servers import Server
from tests.benchmarks.sheets import write_csv
from tests.benchmarks.table import Measure, ratio_of

IN_FLIGHT = 50
ORG_ID = "AAAAAAAAAAAAAAAAAAAAAAAA@AdobeOrg"
LATENCY_MS = 100


def environ(url: str) -> dict[str, str]:
    """One org, as variables."""
    return {
        "BATCHCONNECT_ORG_ID": ORG_ID,
        "BATCHCONNECT_CLIENT_ID": "client",
        "BATCHCONNECT_CLIENT_SECRET": "loopback-client-secret",
        "BATCHCONNECT_PLATFORM_URL": url,
        "BATCHCONNECT_IMS_URL": url,
    }


def latency_bound(folder: Path, *, quick: bool) -> Iterator[Measure]:
    """As fast as answers of 100 ms allow: to create, and to ask whether what was created works."""
    rows, times = (600, 3) if quick else (2000, 3)
    sheet = write_csv(folder / "latency.csv", rows, orgs=("",))
    bare: dict[str, list[float]] = {"aiohttp": [], "tests": []}
    whole: dict[str, list[float]] = {"aiohttp": [], "tests": []}
    with servers.delayed(LATENCY_MS) as server:
        for _ in range(times):
            for kind, spans in bare.items():
                _bare(folder, kind, server, sheet, IN_FLIGHT)
                spans.append(_span_s(server, rows))
            _run(folder, server, sheet)
            whole["aiohttp"].append(_span_s(server, rows))
            _command(folder, server, "verify")
            whole["tests"].append(_span_s(server, rows))
    for kind, what, one in (("aiohttp", "", "POST"), ("tests", "`verify` of ", "test")):
        ratio = ratio_of(whole[kind], bare[kind])
        seconds = f"{median(whole[kind]):.2f} s, bare {median(bare[kind]):.2f} s"
        yield Measure(
            what=f"latency-bound: {what}{rows:,} rows, {LATENCY_MS} ms answers, {IN_FLIGHT} in flight, "
            f"first to last {one} as the server sees them",
            target="at most 1.05 x a bare aiohttp loop",
            got=f"{ratio:.2f} x ({seconds})",
            met=ratio <= 1.05,
            figures={"bare_s": bare[kind], "whole_s": whole[kind]},
        )


def cpu_bound(folder: Path, *, quick: bool) -> Iterator[Measure]:
    """As fast as one core allows, and everything that a user would do instead."""
    rows, times = (2000, 3) if quick else (20_000, 3)
    sheet = write_csv(folder / "cpu.csv", rows, orgs=("",))
    with _fixed(folder) as server:
        ways: dict[str, Callable[[], float]] = {
            "bare aiohttp + uvloop + orjson": lambda: _rate(folder, "aiohttp", server, sheet, 50),
            "batchconnect run, the whole command": lambda: rows / _run(folder, server, sheet),
            f"a loop of 20 lines ({library()})": lambda: _rate(folder, "threads", server, sheet, 1),
            "the same in 50 threads": lambda: _rate(folder, "threads", server, sheet, 50),
        }
        if found("curl"):
            ways["xargs -P 50 curl"] = lambda: _curl(folder, server, 200 if quick else 1000)
        if found("wrk"):
            ways["wrk, the ceiling"] = lambda: _wrk(folder, server)
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(times):
            for name, way in ways.items():
                rates[name].append(way())
        bare = rates["bare aiohttp + uvloop + orjson"]
        for name, of_way in rates.items():
            ratio = ratio_of(of_way, bare)
            is_ours = name.startswith("batchconnect")
            yield Measure(
                what=f"CPU-bound against {server.name}, {IN_FLIGHT} in flight, {rows:,} rows: {name}",
                target="at least 0.40 x the bare loop" if is_ours else "",
                got=f"{median(of_way):,.0f}/s, {ratio:.2f} x the bare loop",
                met=ratio >= 0.40 if is_ours else None,
                figures={"per_second": of_way},
            )
    for name in ("curl", "wrk"):
        if not found(name):
            yield Measure(what=f"beside {name}", target="", got=f"skipped: no {name}", met=None)


@contextmanager
def _fixed(folder: Path) -> Iterator[Server]:
    place = folder / "server"
    place.mkdir(exist_ok=True)
    with servers.fixed(place) as server:
        yield server


def _run(folder: Path, server: Server, sheet: Path) -> float:
    """Seconds of the whole command."""
    shutil.rmtree(folder / "reports", ignore_errors=True)
    # The servers of this part list nothing, so there is nothing that a sweep could find.
    return _command(folder, server, "run", sheet, "--no-sweep")


def _command(folder: Path, server: Server, *words: str | Path) -> float:
    bounds = ("--rate", "100000", "--concurrency", str(IN_FLIGHT), "--quiet")
    cost = measured(tool(*words, *bounds), folder=folder, environ=environ(server.url))
    assert cost.code == 0, cost.err + cost.out
    return cost.wall_s


def _span_s(server: Server, rows: int) -> float:
    """Seconds from the first POST or test to the last one, by the server's clock."""
    with urlopen(f"{server.url}/span", timeout=10) as answer:
        told: dict[str, float] = json.loads(answer.read())
    assert told["came"] == rows, told
    return told["seconds"]


def _bare(
    folder: Path, kind: str, server: Server, sheet: Path, in_flight: int
) -> tuple[int, float]:
    words = ("-m", "tests.benchmarks.bare", kind, server.url, sheet, str(in_flight))
    cost = measured(python(*words), folder=folder)
    assert cost.code == 0, cost.err
    told = json.loads(cost.out)
    return told["requests"], told["seconds"]


def _rate(folder: Path, kind: str, server: Server, sheet: Path, in_flight: int) -> float:
    requests, seconds = _bare(folder, kind, server, sheet, in_flight)
    return requests / seconds


def _curl(folder: Path, server: Server, requests: int) -> float:
    url = server.url + servers.CONNECTIONS
    one = f"curl -s -o /dev/null -X POST -H 'Content-Type: application/json' -d '{{}}' {url}"
    words = f"seq {requests} | xargs -P 50 -I N {one}"
    cost = measured(["sh", "-c", words], folder=folder)
    return requests / cost.wall_s


def _wrk(folder: Path, server: Server) -> float:
    script = folder / "post.lua"
    script.write_text('wrk.method = "POST"\nwrk.body = string.rep("x", 500)\n')
    load = ("-t1", f"-c{IN_FLIGHT}", "-d3s", "-s", str(script))
    words = [*pinned(CLIENT_CORE), "wrk", *load, server.url + servers.CONNECTIONS]
    cost = measured(words, folder=folder, core=None)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", cost.out)
    assert rate is not None, cost.out
    return float(rate[1])
