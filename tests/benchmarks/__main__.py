"""
All benchmarks by one command: `python -m tests.benchmarks [--quick | --full] [--against PYTHON] [NAME ...]`.

They run on loopback, beside what they are compared with, and write `benchmarks.md` and
`benchmarks.json`. Never part of the tests: a busy machine makes no test fail.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import SkipTest

from tests.benchmarks import lanes, ledgers, limits, pair, reading, speed, stores, team, workers
from tests.benchmarks.table import Measure, markdown, write

Benchmark = Callable[[Path, bool, bool], Iterator[Measure]]

BENCHMARKS: dict[str, Benchmark] = {
    "latency": lambda folder, quick, _full: speed.latency_bound(folder, quick=quick),
    "cpu": lambda folder, quick, _full: speed.cpu_bound(folder, quick=quick),
    "pace": lambda _folder, quick, _full: limits.hidden_limits(quick=quick),
    "real": lambda folder, quick, _full: limits.real_time(folder, quick=quick),
    "nginx": lambda folder, quick, _full: limits.against_nginx(folder, quick=quick),
    "lanes": lambda _folder, quick, _full: lanes.many_lanes(quick=quick),
    "validate": lambda folder, quick, _full: reading.validate(folder, quick=quick),
    "workbook": lambda folder, quick, _full: reading.workbook(folder, quick=quick),
    "existing": lambda folder, quick, full: ledgers.existing(folder, quick=quick, full=full),
    "keys": lambda _folder, quick, _full: stores.keys(quick=quick),
    "team": lambda folder, quick, full: team.team_ledger(folder, quick=quick, full=full),
    "workers": lambda folder, quick, _full: workers.workers(folder, quick=quick),
    "doubts": lambda folder, quick, _full: ledgers.doubts(folder, quick=quick),
}

PAIRS = 5
"""Turns of each build, where another one is a pair beside this."""


def _beside(python: str) -> Benchmark:
    """Another build beside this one, in CPU seconds; see `pair`."""
    return lambda _folder, quick, full: pair.measured_pairs(
        iter(pair.PAIRS), python, pairs=PAIRS, size=pair.Size(quick=quick, full=full)
    )


def main() -> None:
    """Run what was asked for; what fails is said, and the others go on."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, a few minutes")
    parser.add_argument(
        "--full", action="store_true", help="a million rows where there are 100,000"
    )
    parser.add_argument("--out", type=Path, default=Path("reports/benchmarks"))
    parser.add_argument(
        "--against", metavar="PYTHON", help="of another build: adds `pair`, every line of it"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join((*BENCHMARKS, "pair")))
    chosen = parser.parse_args()
    benchmarks = {**BENCHMARKS}
    if chosen.against is not None:
        benchmarks["pair"] = _beside(chosen.against)
    unknown = set(chosen.names) - benchmarks.keys()
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    measures: list[Measure] = []
    for name in chosen.names or benchmarks:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
            try:
                for measure in benchmarks[name](Path(folder), chosen.quick, chosen.full):
                    measures.append(measure)
                    print(f"{name}: {measure.what}: {measure.got}", file=sys.stderr, flush=True)
            except SkipTest as missing:
                text = f"skipped: {missing}"
                print(f"{name}: {text}", file=sys.stderr, flush=True)
                measures.append(Measure(what=name, target="", got=text, met=None))
            except Exception as error:  # noqa: BLE001 - one that fails must not cost the others
                text = f"failed: {type(error).__name__}: {error}"[:300]
                print(f"{name}: {text}", file=sys.stderr, flush=True)
                failed = Measure(what=name, target="", got=" ".join(text.split()), met=False)
                measures.append(failed)
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        write(measures, chosen.out)
    print(markdown(measures))


if __name__ == "__main__":
    main()
