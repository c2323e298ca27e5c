"""Many rows that stand there already, a run once more, and many rows in doubt."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any
from urllib.request import urlopen

from batchconnect.lane.reconciler import Policy
from tests.benchmarks import servers
from tests.benchmarks.place import Cost, measured, tool
from tests.benchmarks.servers import Server
from tests.benchmarks.sheets import write_csv
from tests.benchmarks.speed import environ
from tests.benchmarks.table import Measure

SANDBOXES = 20
_MILLION = 1_000_000
_PLANNED_S = 20.0
_LOOK_EVERY_S = 0.5


def existing(folder: Path, *, quick: bool, full: bool) -> Iterator[Measure]:
    """Nothing is to be sent; then again over a ledger that is full of settled rows, and on from there."""
    small, large = (2_000, 20_000) if quick else (100_000, 1_000_000) if full else (10_000, 100_000)
    times = 1 if full else 3
    seconds: dict[int, list[float]] = {}
    peaks: dict[int, float] = {}
    again: dict[str, float] = {}
    on: dict[str, float] = {}
    for rows in (small, large):
        sheet = write_csv(folder / "existing.csv", rows, sandboxes=SANDBOXES)
        with servers.with_rows(str(rows), str(SANDBOXES), "0") as server:
            for _ in range(times):
                shutil.rmtree(folder / "reports", ignore_errors=True)
                cost = _run(folder, server, sheet)
                seconds.setdefault(rows, []).append(cost.wall_s)
                peaks[rows] = max(peaks.get(rows, 0.0), cost.peak_mib)
            if rows == large:
                again = killed_when_listed(
                    _command(sheet), folder, {**os.environ, **environ(server.url)}
                )
                _run(folder, server, sheet)
                on = stages(folder)
        sheet.unlink()
    per_row = {rows: median(of_rows) / rows for rows, of_rows in seconds.items()}
    slope = per_row[large] / per_row[small]
    yield Measure(
        what=f"`run`, {large:,} rows that all exist, {SANDBOXES} sandboxes: time per row, against "
        f"{small:,} rows",
        target="at most 1.1 x",
        got=f"{slope:.2f} x ({median(seconds[large]):.0f} s, {per_row[large] * 1e6:.0f} us a row)",
        met=slope <= 1.1,
        figures={"seconds": seconds},
    )
    yield Measure(
        what=f"its memory, {large:,} rows",
        target="below 1 GiB",
        got=f"{peaks[large]:.0f} MiB ({peaks[small]:.0f} MiB with {small:,})",
        met=peaks[large] < 1024,
    )
    is_full = large == _MILLION
    target = "at most 20 s (at 1,000,000 rows)"
    yield Measure(
        what=f"`run` again on a ledger with {large:,} settled rows, a new run: until all is planned",
        target=target,
        got=f"{again['planned']:.1f} s for sheet and ledger, {again['listed']:.1f} s with the "
        f"listings ({large // 100:,} pages)",
        met=again["planned"] <= _PLANNED_S if is_full else None,
        figures=dict(again),
    )
    yield Measure(
        what=f"`run` again after a crash at the last listing, most of {large:,} rows settled: until all "
        "is planned",
        target=target,
        got=f"{on['planned']:.1f} s for sheet and ledger, {on['ended']:.1f} s to the end of the run",
        met=on["planned"] <= _PLANNED_S if is_full else None,
        figures=dict(on),
    )


def doubts(folder: Path, *, quick: bool) -> Iterator[Measure]:
    """A tenth of the creates lose their answer, half of these were never applied."""
    rows, sandboxes, settle_s = (1_000, 4, 5) if quick else (10_000, 4, 20)
    sheet = write_csv(folder / "doubts.csv", rows, sandboxes=sandboxes)
    with servers.with_rows("0", str(sandboxes), "0") as server:
        calm_s = _run(folder, server, sheet).wall_s
    shutil.rmtree(folder / "reports", ignore_errors=True)
    with servers.with_rows("0", str(sandboxes), "10") as server:
        cost = _run(folder, server, sheet, "--settle", str(settle_s))
        with urlopen(f"{server.url}/counts", timeout=10) as answer:
            told: dict[str, Any] = json.loads(answer.read())
    listings: dict[str, list[float]] = told["listings"]
    shortest_s = min(gap for at in listings.values() for gap in _gaps(at))
    most = max(map(len, listings.values()))
    summary = json.loads((folder / "reports" / "latest" / "summary.json").read_bytes())
    in_doubt = summary["requests"]["in_doubt"]
    interval_s = Policy(settle_s=settle_s).first_look_s
    yield Measure(
        what=f"{in_doubt:,} doubts in {rows:,} rows, {sandboxes} sandboxes, window {settle_s} s",
        target="at most one listing per sandbox and interval; one window per round of resends",
        got=f"at most {most} listings per sandbox, {shortest_s:.2f} s apart or more (shortest "
        f"interval {interval_s:.2f} s); {cost.wall_s - calm_s:.0f} s longer than without doubts, in one "
        "round of resends",
        met=shortest_s >= 0.8 * interval_s and cost.wall_s - calm_s <= 2 * settle_s,
        figures={"listings": {name: len(at) for name, at in listings.items()}, "told": summary},
    )


def _gaps(moments: list[float]) -> list[float]:
    return [after - before for before, after in pairwise(moments)]


def _command(sheet: Path, *words: str) -> list[str]:
    return tool("run", sheet, "--rate", "100000", "--concurrency", "50", "--quiet", *words)


def _run(folder: Path, server: Server, sheet: Path, *words: str) -> Cost:
    command = _command(sheet, *words)
    cost = measured(command, folder=folder, environ=environ(server.url))
    assert cost.code == 0, f"{cost.code}: {cost.err[-2000:]}{cost.out[-2000:]}"
    return cost


def killed_when_listed(
    command: Sequence[str], folder: Path, around: Mapping[str, str]
) -> dict[str, float]:
    """
    A run whose process dies when its last sandbox is read, with its rows settled; its stages.

    Args:
        command: The run, of a sheet in `SANDBOXES` sandboxes.
        folder: Where it runs.
        around: Its environment, whole.
    """
    process = subprocess.Popen(command, cwd=folder, env=around)
    try:
        listed = 0
        with _log_of(process, folder).open("rb") as log:
            while process.poll() is None and listed < SANDBOXES:
                time.sleep(_LOOK_EVERY_S)
                listed += sum(b'"event":"sandbox_listed"' in line for line in log)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == -signal.SIGKILL, "it ended before it was killed"
    return stages(folder)


def _log_of(process: "subprocess.Popen[bytes]", folder: Path) -> Path:
    """The log of a run that has just begun, as soon as it is there."""
    before = _newest_log(folder)
    while process.poll() is None and _newest_log(folder) == before:
        time.sleep(_LOOK_EVERY_S)
    log = _newest_log(folder)
    while process.poll() is None and not log.exists():
        time.sleep(_LOOK_EVERY_S)
    return log


def _newest_log(folder: Path) -> Path:
    """Run ids are sortable; `latest` points to a run when its report is written."""
    return max((folder / "reports").glob("2*")) / "run.log.jsonl"


def stages(folder: Path) -> dict[str, float]:
    """Seconds from the last process' start to its stages, by the run's log."""
    log = _newest_log(folder)
    names = {"planned": "planned", "sandbox_listed": "listed", "run_finished": "ended"}
    began: datetime | None = None
    found: dict[str, float] = {}
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            if '"row_' in line:
                continue
            told = json.loads(line)
            at = datetime.fromisoformat(told["timestamp"])
            if told["event"] == "run_started":
                began, found = at, {}
            assert began is not None
            if told["event"] in names:
                found[names[told["event"]]] = (at - began).total_seconds()
    return found
