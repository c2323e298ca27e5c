"""
What each constant of the pace does: `python -m tests.benchmarks.sensitivity [--seeds N] [NAME ...]`.

Each is made a half larger and a third smaller, one at a time, and six hidden limits are met again in virtual
time. A row of the table says what it cost or brought at the worst: in points of the limit's use, in points
of requests refused. Where nothing moves, the constant guards something that these servers do not do.
"""

import argparse
from collections.abc import Iterator
from types import ModuleType
from typing import Final

from batchconnect.transport import (
    crowd,
    faults,
    growth,
    pace,
    quota,
    refusals,
    retry_after,
    throughput,
)
from tests.benchmarks.hidden import CASES, MORE_CASES
from tests.benchmarks.virtual import OURS, Met, middle

MODULES: Final[tuple[ModuleType, ...]] = (
    pace,
    growth,
    throughput,
    faults,
    refusals,
    crowd,
    quota,
    retry_after,
)
FACTORS: Final = (2 / 3, 3 / 2)
TELLING: Final = (
    "8/s burst 8, no header",
    "8/s burst 8, as 500",
    "4 in flight",
    "60/min, no header",
    "no limit, 14 % of 500",
    "8/s burst 8, as 500, 14 % of 500",
)
"""The limits that are met unless others are named: between them they ask for every rule."""
_SHARES: Final = (
    frozenset({"_USED", "_EXCESS", "_HALF", "_OUTAGE", "_LOWER", "_RARE", "_NO_SHARE", "_IDLE"})
    | {"CUT", "PROVEN", "_TO_TEST", "_NEAR", "_CHANCE", "_LIMITER", "_WORSE", "_MOST"}
    | {"_SAME", "_STILL", "_BY_ITS_WORD"}
)
"""What lies between 0 and 1, and stays there."""
_GROWTH: Final = frozenset({"_SLOW_START", "_AVOIDANCE", "_NEAR_CEILING", "TOLD_GROWTH", "_MORE"})
"""Factors above 1: what is above 1 is changed."""


def constants() -> dict[str, float]:
    """Every number of the pace by its name, where it is defined."""
    return {
        name: value
        for module in MODULES
        for name, value in vars(module).items()
        if name.lstrip("_").isupper() and isinstance(value, int | float)
    }


def changed(name: str, value: float, factor: float) -> float:
    """A value made larger or smaller, still one that makes sense."""
    if name in _GROWTH:
        return 1 + (value - 1) * factor
    if name in _SHARES:
        return min(0.99, value * factor)
    return max(1, round(value * factor)) if isinstance(value, int) else value * factor


def _put(name: str, value: float) -> None:
    """In each module that knows the name: it is imported by value."""
    for module in MODULES:
        if hasattr(module, name):
            setattr(module, name, value)


def _all(seeds: int) -> dict[str, Met]:
    cases = [case for case in CASES + MORE_CASES if case.name in TELLING]
    return {case.name: middle(case, OURS, seeds) for case in cases}


def _row(name: str, value: float, factor: float, base: dict[str, Met], seeds: int) -> str:
    new = changed(name, value, factor)
    _put(name, new)
    try:
        met = _all(seeds)
    finally:
        _put(name, value)
    used = {case: 100 * (met[case].used - base[case].used) for case in base}
    refused = {case: 100 * (met[case].refused - base[case].refused) for case in base}
    cells = [f"`{name}`", f"{value:g}", f"{new:g}"]
    for points in (used, refused):
        for pick in (min, max):
            case = pick(points, key=points.__getitem__)
            cells.append(f"{points[case]:+.1f} ({case})" if abs(points[case]) >= 0.1 else "0")
    return f"| {' | '.join(cells)} |"


def table(names: list[str], seeds: int) -> Iterator[str]:
    """The table's lines, as they are measured."""
    base = _all(seeds)
    yield "| constant | is | tried | used: worst | used: best | refused: best | refused: worst |"
    yield "|---" * 7 + "|"
    for name, value in constants().items():
        if not names or name in names:
            for factor in FACTORS:
                if changed(name, value, factor) != value:
                    yield _row(name, value, factor, base, seeds)


def main() -> None:
    """Print the table, a line as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(constants()))
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - constants().keys():
        parser.error(f"no such constant: {', '.join(sorted(unknown))}")
    for line in table(chosen.names, chosen.seeds):
        print(line, flush=True)


if __name__ == "__main__":
    main()
