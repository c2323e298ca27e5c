"""Four workers on a team's ledger beside one: four times as much in flight, and not a row more than the pace allows."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.request import urlopen

from tests.benchmarks import servers
from tests.benchmarks.place import tool, user_environ
from tests.benchmarks.servers import Server
from tests.benchmarks.sheets import write_csv
from tests.benchmarks.table import Measure
from tests.postgres_cluster import Cluster, cluster

_WORKERS: Final = 4
_LONGEST_S: Final = 900.0
_AS_FAST: Final = 0.98
"""Of one worker's rows per second: what is less than that is slower, and not the machine's breath."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A sheet of so many lanes, and what bounds it."""

    what: str
    lanes: int
    rows: int
    rate: float
    concurrency: int
    answer_s: float
    least: float
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Speed:
    """Rows per second as the service sees them."""

    middle: float
    """Of the middle half of the rows: whoever begins has begun, and nobody has ended."""
    whole: float
    """From the first create to the last one."""


def workers(folder: Path, *, quick: bool) -> Iterator[Measure]:
    """What is in flight is the limit; then the lanes' pace is. Only where PostgreSQL is there."""
    scale = 1 if quick else 2
    cases = (
        _Case(
            what="answers of 4 s, `--concurrency 64` each, `--rate 20`: what is in flight is the limit",
            lanes=40,
            rows=1_600 * scale,
            rate=20,
            concurrency=64,
            answer_s=4.0,
            least=3.5,
            target="at least 3.5 x one",
        ),
        _Case(
            what="answers of 0.1 s, `--rate 1`: the lanes' pace is the limit",
            lanes=16,
            rows=960 * scale,
            rate=1,
            concurrency=64,
            answer_s=0.1,
            least=_AS_FAST,
            target="no slower than one",
        ),
    )
    with cluster(fsync="on") as made:
        for case in cases:
            yield _beside(folder, made, case)


def _beside(folder: Path, made: Cluster, case: _Case) -> Measure:
    orgs = tuple(f"org{number}" for number in range(case.lanes))
    sheet = write_csv(folder / "workers.csv", case.rows, orgs=orgs)
    with servers.delayed(case.answer_s * 1000) as server:
        one = _speed(folder, made, server, sheet, case, workers=1)
        four = _speed(folder, made, server, sheet, case, workers=_WORKERS)
    ratio, whole = four.middle / one.middle, four.whole / one.whole
    return Measure(
        what=f"{_WORKERS} workers beside one, {case.lanes} lanes, {case.rows:,} rows, {case.what}; rows per "
        "second of the middle half, as the service sees them",
        target=case.target,
        got=f"{ratio:.2f} x ({four.middle:.1f} and {one.middle:.1f} a second; from the first to the last "
        f"create {whole:.2f} x)",
        met=ratio >= case.least,
        figures={"one": [one.middle, one.whole], "four": [four.middle, four.whole]},
    )


def _speed(
    folder: Path, made: Cluster, server: Server, sheet: Path, case: _Case, *, workers: int
) -> _Speed:
    settings = folder / "batchconnect.toml"
    settings.write_text(
        f'platform_url = "{server.url}"\nims_url = "{server.url}"\n'
        + "".join(
            f'[orgs.org{number}]\norg_id = "{number:024X}@AdobeOrg"\nclient_id = "client{number}"\n'
            'client_secret = "env:LOOPBACK_SECRET"\n'
            for number in range(case.lanes)
        )
    )
    settings.chmod(0o600)
    environ = {
        **user_environ(),
        "LOOPBACK_SECRET": "loopback-client-secret",
        "BATCHCONNECT_LEDGER": made.ledger().url.reveal(),
    }
    running = []
    try:
        for number in range(workers):
            shutil.rmtree(folder / f"reports-{number}", ignore_errors=True)
            words = tool(
                *("run", sheet, "--rate", f"{case.rate:g}", "--no-sweep", "--quiet"),
                *("--concurrency", str(case.concurrency), "--reports", f"reports-{number}"),
            )
            running.append(
                subprocess.Popen(words, cwd=folder, env=environ, stdin=subprocess.DEVNULL)
            )
        end = time.monotonic() + _LONGEST_S
        codes = [process.wait(max(0.0, end - time.monotonic())) for process in running]
    finally:
        for process in running:
            process.kill()
            process.wait()
    assert codes == [0] * workers, codes
    with urlopen(f"{server.url}/times", timeout=60) as answer:
        times: list[float] = json.loads(answer.read())
    assert len(times) == case.rows, "each row is made once"
    half = times[len(times) // 4 : 3 * len(times) // 4]
    return _Speed(
        middle=(len(half) - 1) / (half[-1] - half[0]), whole=len(times) / (times[-1] - times[0])
    )
