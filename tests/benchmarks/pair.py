"""
This build beside another one: `python -m tests.benchmarks.pair --against PYTHON [--pairs N] [--quick | --full] [NAME ...]`.

PYTHON is the interpreter of a venv that the other build is installed in. The two take turns on the same input, and
each makes the ledger that it is measured on. What counts is the CPU seconds (user and system) of the whole command,
its children included: others at work on the machine reach them less than the clock. A ratio is ours over theirs; the
median of the pairs is told.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

from tests.benchmarks import builds, servers
from tests.benchmarks.builds import OURS, UNBOUND, Build
from tests.benchmarks.ledgers import SANDBOXES
from tests.benchmarks.place import Cost
from tests.benchmarks.reading import READ, offline_settings
from tests.benchmarks.settled import SettledRows
from tests.benchmarks.sheets import write_csv, write_workbook
from tests.benchmarks.table import Measure, markdown, ratio_of, write

AT_MOST: Final = 1.05
"""What no change may cost more than."""
_SWEEP: Final = 1 / 0.95
"""A twentieth of the whole."""
_FEW: Final = 40
"""Rows of a run that is hardly more than its start."""
_MILLION: Final = 1_000_000

Once = Callable[[Build], Cost]
"""Measures one build once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that is measured."""

    what: str
    at_most: float | None = AT_MOST
    """The target of the ratio; None: it has none."""
    once: Once
    beside: Callable[[], Cost] | None = None
    """What of our own stands in the other build's place; None: nothing does."""
    seconds: Callable[[Cost], float] = field(default=lambda cost: cost.cpu_s)
    unit: str = "the CPU"
    most_mib: float | None = None
    """The target of our memory; None: it has none."""
    turns: int | None = None
    """Of a line that takes many minutes, and none before them that does not count; None: as many as were asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many rows."""

    quick: bool = False
    full: bool = False
    """A million where each row costs little."""

    def of(self, usual: int) -> int:
        """A quarter where it has to be quick."""
        return usual // 4 if self.quick else usual


def start(folder: Path, size: Size) -> Iterator[Line]:
    """A run that finds all it was asked for: next to nothing but its start and its end."""
    sheet = write_csv(folder / "few.csv", _FEW)
    with servers.with_rows(str(_FEW), "1", "0") as server:
        once = partial(builds.run, folder, server, sheet, ())
        yield Line(what=f"start: `run` of {_FEW} rows that exist", at_most=0.6, once=once)


def run(folder: Path, size: Size) -> Iterator[Line]:
    """New rows against a server that answers each at once; the other build may know no `--no-sweep`."""
    rows = size.of(20_000)
    sheet = write_csv(folder / "run.csv", rows)
    place = folder / "server"
    place.mkdir()
    with servers.fixed(place) as server:
        once = partial(builds.run, folder, server, sheet, ("--no-sweep",))
        what = f"CPU-bound: `run` of {rows:,} new rows against {server.name}, without the sweep"
        yield Line(what=what, at_most=0.5, once=once)
    for has_ids, words in ((False, ""), (True, ", each answer with a request id")):
        with servers.delayed(0, has_request_ids=has_ids) as server:
            yield Line(
                what=f"`run` of {rows:,} new rows, ours without the sweep{words}",
                once=partial(builds.run, folder, server, sheet, ("--no-sweep",)),
            )


def sweep(folder: Path, size: Size) -> Iterator[Line]:
    """The same with a service that remembers what was created, and ours with and without the sweep."""
    rows = size.of(20_000)
    sheet = write_csv(folder / "run.csv", rows)

    def once(build: Build, *options: str) -> Cost:
        with servers.with_rows("0", "1", "0") as server:
            return builds.run(folder, server, sheet, options, build)

    yield Line(
        what=f"`run` of {rows:,} new rows, a service that lists them, ours with the sweep",
        at_most=None,
        once=once,
    )
    yield Line(
        what=f"the sweep: ours with it / ours without, {rows:,} new rows",
        at_most=_SWEEP,
        once=once,
        beside=partial(once, OURS, "--no-sweep"),
    )


def verify(folder: Path, size: Size) -> Iterator[Line]:
    """Asking whether connections work, beside making them."""
    rows = size.of(20_000)
    sheet = write_csv(folder / "run.csv", rows)

    def create() -> Cost:
        # By a service that has none of them yet; the ledger is what the others ask by.
        with servers.with_rows("0", "1", "0") as server:
            return builds.run(folder, server, sheet, ("--no-sweep",), OURS)

    with servers.with_rows("0", "1", "0") as server:
        create()

        def once(build: Build) -> Cost:
            return builds.command(folder, server, ("verify", *UNBOUND), build)

        what = f"`verify` of {rows:,} rows / our `run` that creates them"
        yield Line(what=what, at_most=0.6, once=once, beside=create)


def existing(folder: Path, size: Size) -> Iterator[Line]:
    """
    Rows that stand there already: a first run, another one over its ledger, and one that goes on after a crash.

    A million of them take a build minutes: they are run once, and a tenth of them in turns.
    """
    rows = size.of(100_000)
    with _standing(folder / "turns", rows) as settled:
        yield _first_run(settled)
        if not size.full:
            yield from _planning(settled)
    if size.full:
        with _standing(folder / "once", _MILLION) as settled:
            yield replace(_first_run(settled), turns=1)
            yield from _planning(settled)


@contextmanager
def _standing(folder: Path, rows: int) -> Iterator[SettledRows]:
    """A service that has these rows already, and the sheet of them."""
    folder.mkdir()
    sheet = write_csv(folder / "existing.csv", rows, sandboxes=SANDBOXES)
    with servers.with_rows(str(rows), str(SANDBOXES), "0") as server:
        yield SettledRows(folder=folder, server=server, sheet=sheet, rows=rows)


def _first_run(settled: SettledRows) -> Line:
    what = f"`run` of {settled.rows:,} rows that exist"
    return Line(what=what, at_most=0.6, once=settled.first, most_mib=250)


def _planning(settled: SettledRows) -> Iterator[Line]:
    for after_crash, at_most, words in (
        (False, 0.35, "a new run over"),
        (True, 0.5, "resume after a crash at the last listing, most of"),
    ):
        yield Line(
            what=f"{words} {settled.rows:,} settled rows, until all is planned",
            at_most=at_most,
            once=partial(settled.planned, after_crash=after_crash),
            seconds=lambda cost: cost.wall_s,
            unit="the time",
        )


def validate(folder: Path, size: Size) -> Iterator[Line]:
    """A CSV of healthy rows, and one whose ids count up."""
    rows = size.of(200_000)
    for counted, words in ((False, ""), (True, " whose ids count up")):
        sheet = write_csv(folder / "large.csv", rows, counted=counted)
        what = f"`validate` of a CSV of {rows:,} rows{words}"
        yield Line(what=what, once=partial(_validate, folder, sheet))


def workbook(folder: Path, size: Size) -> Iterator[Line]:
    """A workbook, validated, and read alone."""
    rows = size.of(100_000)
    book = write_workbook(folder / "large.xlsx", rows)
    once = partial(_validate, folder, book)
    yield Line(what=f"`validate` of a workbook of {rows:,} rows", once=once)
    read: builds.Words = ("-c", READ, book)
    what = f"every row of a workbook of {rows:,} rows, read alone"
    yield Line(what=what, once=partial(builds.cost, folder, read))


PAIRS: Final[dict[str, Callable[[Path, Size], Iterator[Line]]]] = {
    "start": start,
    "run": run,
    "sweep": sweep,
    "verify": verify,
    "existing": existing,
    "validate": validate,
    "workbook": workbook,
}


def measure(line: Line, other: Build, pairs: int) -> Measure:
    """Let the two builds take turns, after one turn each that is not counted."""
    theirs = line.beside or partial(line.once, other)
    if line.turns is None:
        line.once(OURS), theirs()
    costs = [(line.once(OURS), theirs()) for _ in range(line.turns or pairs)]
    our_s, their_s = ([line.seconds(pair[side]) for pair in costs] for side in (0, 1))
    ratios = sorted(one / their for one, their in zip(our_s, their_s, strict=True))
    ratio = ratio_of(our_s, their_s)
    peaks = [max(pair[side].peak_mib for pair in costs) for side in (0, 1)]
    whose = "the other" if line.beside is None else "beside it"
    is_small = line.most_mib is None or peaks[0] <= line.most_mib
    peaks_told = f"; {peaks[0]:.0f} MiB, {whose} {peaks[1]:.0f} MiB" if any(peaks) else ""
    memory = "" if line.most_mib is None else f"; {line.most_mib:.0f} MiB"
    return Measure(
        what=line.what,
        target="" if line.at_most is None else f"at most {line.at_most:.2f} x {line.unit}{memory}",
        got=f"{ratio:.2f} x ({ratios[0]:.2f} to {ratios[-1]:.2f}; "
        f"{median(our_s):.2f} s, {whose} {median(their_s):.2f} s{peaks_told})",
        met=None if line.at_most is None else ratio <= line.at_most and is_small,
        figures={"ours_s": our_s, "other_s": their_s, "peaks_mib": peaks},
    )


def measured_pairs(
    names: Iterator[str], python: str, *, pairs: int, size: Size
) -> Iterator[Measure]:
    """
    Every line of these names.

    Args:
        names: Of `PAIRS`.
        python: The other build's interpreter.
        pairs: Turns that count.
        size: How many rows.
    """
    other = (os.path.abspath(python), "")  # noqa: PTH100 - a venv's python is a link that must not be followed
    for name in names:
        with tempfile.TemporaryDirectory(prefix="pair-") as folder:
            for line in PAIRS[name](Path(folder), size):
                yield measure(line, other, pairs)


def _validate(folder: Path, sheet: Path, build: Build) -> Cost:
    words = ("validate", sheet, "--org", "acme", "--settings", offline_settings(folder))
    return builds.cost(folder, builds.of(build, *words)[1:], build)


def main() -> None:
    """Measure what was asked for, line by line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.pair", description=__doc__)
    parser.add_argument("--against", required=True, metavar="PYTHON", help="of the other build")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="a quarter of the rows")
    parser.add_argument("--full", action="store_true", help="a million rows that exist")
    parser.add_argument("--out", type=Path, default=Path("reports/pair"))
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PAIRS))
    chosen = parser.parse_args()
    unknown = set(chosen.names) - PAIRS.keys()
    if unknown:
        parser.error(f"no such pair: {', '.join(sorted(unknown))}")
    size = Size(quick=chosen.quick, full=chosen.full)
    measures: list[Measure] = []
    names = iter(chosen.names or PAIRS)
    for one in measured_pairs(names, chosen.against, pairs=chosen.pairs, size=size):
        measures.append(one)
        print(f"{one.what}: {one.got}", file=sys.stderr, flush=True)
        write(measures, chosen.out)
    print(markdown(measures))


if __name__ == "__main__":
    main()
