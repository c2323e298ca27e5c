"""
This build beside another one: `python -m tests.benchmarks.pair --against PYTHON [--pairs N] [--quick] [NAME ...]`.

PYTHON is the interpreter of a venv that the other build is installed in. The two take turns on the same input.
What counts is the CPU seconds (user and system) of the whole command, its children included: others at work on
the machine reach them less than the clock. A ratio is ours over theirs; the median of the pairs is told.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

from tests.benchmarks import servers
from tests.benchmarks.place import CLIENT_CORE, ROOT, Cost, measured
from tests.benchmarks.reading import READ, offline_settings
from tests.benchmarks.servers import Server
from tests.benchmarks.sheets import write_csv, write_workbook
from tests.benchmarks.speed import IN_FLIGHT, environ
from tests.benchmarks.table import Measure, markdown, ratio_of, write

AT_MOST: Final = 1.05

Build = tuple[str, str]
"""An interpreter and its `PYTHONPATH`: this checkout, or nothing but what is installed."""
OURS: Final[Build] = (sys.executable, str(ROOT))
Words = tuple[str | Path, ...]
Once = Callable[[Build], Cost]
"""Measures one build once."""
Line = tuple[str, bool, Once]
"""What is measured, whether the target is for it, and how."""


def run(folder: Path, *, quick: bool) -> Iterator[Line]:
    """New rows against a server that answers each at once; the other build may know no `--no-sweep`."""
    rows = 5_000 if quick else 20_000
    sheet = write_csv(folder / "run.csv", rows)
    for has_ids, words in ((False, ""), (True, ", each answer with a request id")):
        with servers.delayed(0, has_request_ids=has_ids) as server:
            what = f"`run` of {rows:,} new rows, ours without the sweep{words}"
            yield what, True, partial(_run, folder, server, sheet, ("--no-sweep",))


def sweep(folder: Path, *, quick: bool) -> Iterator[Line]:
    """The same with a service that remembers what was created, and ours with and without the sweep."""
    rows = 5_000 if quick else 20_000
    sheet = write_csv(folder / "run.csv", rows)
    ways: tuple[tuple[str, tuple[str, ...]], ...] = (("without", ("--no-sweep",)), ("with", ()))
    for word, options in ways:

        def once(build: Build, options: tuple[str, ...] = options) -> Cost:
            with servers.with_rows("0", "1", "0") as server:
                return _run(folder, server, sheet, options, build)

        yield (
            f"`run` of {rows:,} new rows, a service that lists them, {word} the sweep",
            False,
            once,
        )


def validate(folder: Path, *, quick: bool) -> Iterator[Line]:
    """A CSV of healthy rows, and one whose ids count up."""
    rows = 50_000 if quick else 200_000
    for counted, words in ((False, ""), (True, " whose ids count up")):
        sheet = write_csv(folder / "large.csv", rows, counted=counted)
        what = f"`validate` of a CSV of {rows:,} rows{words}"
        yield what, True, partial(_validate, folder, sheet)


def workbook(folder: Path, *, quick: bool) -> Iterator[Line]:
    """A workbook, validated, and read alone."""
    rows = 25_000 if quick else 100_000
    book = write_workbook(folder / "large.xlsx", rows)
    yield f"`validate` of a workbook of {rows:,} rows", True, partial(_validate, folder, book)
    read: Words = ("-c", READ, book)
    yield (
        f"every row of a workbook of {rows:,} rows, read alone",
        True,
        partial(_cost, folder, read),
    )


PAIRS: Final[dict[str, Callable[..., Iterator[Line]]]] = {
    "run": run,
    "sweep": sweep,
    "validate": validate,
    "workbook": workbook,
}


def measure(line: Line, other: Build, pairs: int) -> Measure:
    """Let the two builds take turns, after one turn each that is not counted."""
    what, has_target, once = line
    once(OURS), once(other)
    costs = [(once(OURS), once(other)) for _ in range(pairs)]
    ours, theirs = ([pair[side].cpu_s for pair in costs] for side in (0, 1))
    ratios = sorted(one / their for one, their in zip(ours, theirs, strict=True))
    ratio = ratio_of(ours, theirs)
    return Measure(
        what=what,
        target=f"at most {AT_MOST} x the CPU of the other build" if has_target else "",
        got=f"{ratio:.2f} x ({ratios[0]:.2f} to {ratios[-1]:.2f}; "
        f"{median(ours):.2f} s, the other {median(theirs):.2f} s)",
        met=ratio <= AT_MOST if has_target else None,
        figures={"ours_cpu_s": ours, "other_cpu_s": theirs},
    )


def _run(folder: Path, server: Server, sheet: Path, options: tuple[str, ...], build: Build) -> Cost:
    shutil.rmtree(folder / "reports", ignore_errors=True)
    words: Words = ("run", sheet, "--rate", "100000", "--concurrency", str(IN_FLIGHT), "--quiet")
    own = options if build == OURS else ()
    command: Words = ("-m", "batchconnect", *words, *own)
    return _cost(folder, command, build, environ=environ(server.url), core=CLIENT_CORE)


def _validate(folder: Path, sheet: Path, build: Build) -> Cost:
    words = ("validate", sheet, "--org", "acme", "--settings", offline_settings(folder))
    return _cost(folder, ("-m", "batchconnect", *words), build)


def _cost(
    folder: Path,
    words: Words,
    build: Build,
    *,
    environ: dict[str, str] | None = None,
    core: int | None = None,
) -> Cost:
    python, path = build
    around = {**(environ or {}), "PYTHONPATH": path}
    cost = measured([python, *words], folder=folder, environ=around, core=core)
    assert cost.code == 0, cost.err[-2000:] + cost.out[-2000:]
    return cost


def main() -> None:
    """Measure what was asked for, line by line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.pair", description=__doc__)
    parser.add_argument("--against", required=True, metavar="PYTHON", help="of the other build")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="a quarter of the rows")
    parser.add_argument("--out", type=Path, default=Path("reports/pair"))
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PAIRS))
    chosen = parser.parse_args()
    unknown = set(chosen.names) - PAIRS.keys()
    if unknown:
        parser.error(f"no such pair: {', '.join(sorted(unknown))}")
    other = (os.path.abspath(chosen.against), "")  # noqa: PTH100 - a venv's python is a link that must not be followed
    measures: list[Measure] = []
    for name in chosen.names or PAIRS:
        with tempfile.TemporaryDirectory(prefix="pair-") as folder:
            for line in PAIRS[name](Path(folder), quick=chosen.quick):
                measures.append(measure(line, other, chosen.pairs))
                print(f"{measures[-1].what}: {measures[-1].got}", file=sys.stderr, flush=True)
                write(measures, chosen.out)
    print(markdown(measures))


if __name__ == "__main__":
    main()
