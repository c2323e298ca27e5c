"""
Which tests are too dear for the fast lane: `slow_tests.txt`, as measured by `python -m tests.slow_tests`.

A test that is listed is `slow`, with all its examples. The list is measured and not written by hand, so that nobody has
to guess what a test costs. Whatever they cost, the cheapest test of each file stays in the lane, and what holds the
promises as a whole.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Final

import pytest

LIST: Final = Path(__file__).with_suffix(".txt")
MOST_S: Final = 0.07
"""CPU seconds of a test's dearest example, without what it shares with others."""
KEPT: Final = (
    *("tests/test_architecture.py", "tests/test_exactly_once.py", "tests/test_protocol_model.py"),
    "tests/run/test_engine.py",
)
"""Files that stay in the lane as a whole."""
_ROOT: Final = Path(__file__).parents[1]
_TURNS: Final = 2
"""The cheaper one counts: whoever comes first imports what others use."""
_INTO: Final = "BATCHCONNECT_TEST_COSTS"
"""Where the plugin below writes what a process measured."""


def listed() -> frozenset[str]:
    """The names, as *file::function* or *file::class::function*."""
    return frozenset(LIST.read_text(encoding="utf-8").split())


def name_of(item: pytest.Item) -> str:
    """A test's name without its example."""
    return item.nodeid.partition("[")[0]


def dear(costs: Mapping[str, float]) -> list[str]:
    """
    What is to be listed.

    Args:
        costs: CPU seconds by name, of all tests of the lane.
    """
    by_file: defaultdict[str, list[str]] = defaultdict(list)
    for name in costs:
        by_file[name.partition("::")[0]].append(name)
    stay = {min(names, key=lambda name: costs[name]) for names in by_file.values()}
    return sorted(
        name
        for name, cost in costs.items()
        if cost > MOST_S and name not in stay and not name.startswith(KEPT)
    )


class Costs:
    """A plugin that measures what each test takes of a processor; with it, none is left out for its cost."""

    def __init__(self, into: Path) -> None:
        self._into = into
        self._costs: dict[str, float] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        """Measure one."""
        name, began = name_of(item), time.process_time()
        try:
            return (yield)
        finally:
            self._costs[name] = max(self._costs.get(name, 0.0), time.process_time() - began)

    def pytest_sessionfinish(self) -> None:
        """Write what this process measured."""
        if self._costs:
            path = self._into / f"{os.environ.get('PYTEST_XDIST_WORKER', 'one')}.json"
            path.write_text(json.dumps(self._costs), encoding="utf-8")


def costs_plugin() -> Costs | None:
    """Of a process that measures; None: it does not."""
    into = os.environ.get(_INTO)
    return Costs(Path(into)) if into else None


def _measured() -> dict[str, float]:
    costs: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        lane = [str(_ROOT / ".ci/fast"), "-q"]
        subprocess.run(lane, env={**os.environ, _INTO: folder}, check=True)
        for path in Path(folder).glob("*.json"):
            for name, cost in json.loads(path.read_bytes()).items():
                costs[name] = max(costs.get(name, 0.0), cost)
    return costs


def main() -> None:
    """Measure the lane, with all that was left out of it for its cost, and write the list."""
    turns = [_measured() for _ in range(_TURNS)]
    names = dear({name: min(turn[name] for turn in turns) for name in turns[0]})
    LIST.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    sys.stderr.write(f"{len(names)} of {len(turns[0])} tests are listed.\n")


if __name__ == "__main__":
    main()
