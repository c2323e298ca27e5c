"""
Keys from a store beside the same keys in the cells: what they cost in time and in memory.

Time is virtual, so the ratio is exact whatever the machine; each run has a process of its own, for its memory.
"""

import json
import resource
import subprocess
import sys
from collections.abc import Iterator

import trio
import trio.testing

from tests.benchmarks.table import Measure

ANSWER_S = 0.02
"""Of the store."""
LANES = 4
RATE = 10.0
"""Requests per second in each lane."""


def keys(*, quick: bool) -> Iterator[Measure]:
    """10,000 rows with 10,000 references, four lanes at 10/s, a store that answers in 20 ms."""
    count = 1_000 if quick else 10_000
    plain, kept = _run(count, is_kept=False), _run(count, is_kept=True)
    ratio = kept["makespan_s"] / plain["makespan_s"]
    more_mb = (kept["peak_kb"] - plain["peak_kb"]) / 1024
    what = f"{count:,} rows, each with a key of its own in a store"
    yield Measure(
        what=f"{what}: makespan beside keys in the cells",
        target="1.1 x at most",
        got=f"{ratio:.3f} x ({kept['makespan_s']:.1f} s)",
        met=ratio <= 1.1,
    )
    yield Measure(
        what=f"{what}: memory beside keys in the cells",
        target="30 MB more at most",
        got=f"{more_mb:+.1f} MB ({kept['peak_kb'] / 1024:.0f} MB)",
        met=more_mb <= 30,
    )
    slow = _run(300, is_kept=True, store_rate=5.0)
    pace = 299 / slow["makespan_s"]
    yield Measure(
        what="a store limited to 5/s: creates per second",
        target="5 +- 5 %",
        got=f"{pace:.2f}/s",
        met=abs(pace - 5) <= 0.25,
    )


def _run(count: int, *, is_kept: bool, store_rate: float = 50.0) -> dict[str, float]:
    command = [sys.executable, "-m", __name__, str(count), str(int(is_kept)), str(store_rate)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


async def _measured(count: int, store_rate: float, *, is_kept: bool) -> float:
    from tests.lane import key_runs as runs

    one = runs.bench(rate=RATE)
    store = runs.FakeStore(answers_s=ANSWER_S)
    await runs.run(one, runs.many(count, is_kept=is_kept), store, rate=store_rate)
    return runs.makespan(one)


if __name__ == "__main__":
    count, is_kept, store_rate = int(sys.argv[1]), sys.argv[2] == "1", float(sys.argv[3])
    makespan_s = trio.run(
        lambda: _measured(count, store_rate, is_kept=is_kept),
        clock=trio.testing.MockClock(autojump_threshold=0),
    )
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"makespan_s": makespan_s, "peak_kb": peak_kb}))
