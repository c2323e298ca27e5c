"""Many rows that stand there already, a run once more, and many rows in doubt."""

import json
import os
import shutil
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
_LOOK_EVERY_S = 0.1


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
                around = {**os.environ, **environ(server.url)}
                command = _command(sheet)
                again = ended_at("sandbox_listed", command, folder, around, times=SANDBOXES)
                assert "ended" not in again, "it ended before it was killed"
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


def ended_at(
    event: str, command: Sequence[str], folder: Path, around: Mapping[str, str], *, times: int = 1
) -> dict[str, float]:
    """
    A run that is killed as soon as its log has told something, if it has not ended; its stages.

    Args:
        event: What its log says.
        command: The run.
        folder: Where it runs, and another one has run before.
        around: Its environment, whole.
        times: How often that has to be said: `SANDBOXES` listings, for all its rows to be settled.
    """
    newest = _newest_log(folder)
    read = {newest: newest.stat().st_size}
    process = subprocess.Popen(command, cwd=folder, env=around)
    try:
        told = 0
        while process.poll() is None and told < times:
            time.sleep(_LOOK_EVERY_S)
            lines = _added(_newest_log(folder), read)
            told += sum(f'"event":"{event}"'.encode() in line for line in lines)
    finally:
        process.kill()
        process.wait()
    return stages(folder)


def _added(log: Path, read: dict[Path, int]) -> list[bytes]:
    """The lines of a log that were not read yet; it may not be there yet, or be that of a run that goes on."""
    if not log.exists():
        return []
    with log.open("rb") as file:
        file.seek(read.get(log, 0))
        whole, _, _ = file.read().rpartition(b"\n")
    read[log] = read.get(log, 0) + len(whole)
    return whole.splitlines()


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
