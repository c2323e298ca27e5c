"""
What every test may ask for: virtual time for the pure anyio parts, and aioresponses for the wire.

Tests marked `anyio` run on trio with a clock that jumps to the next deadline as soon as nothing else
can happen: hours of waiting take no time, and gaps are exact.
"""

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import aioresponses.core
import pytest
import trio.testing
from aiohttp import ClientResponse
from aioresponses import aioresponses as AioResponses  # noqa: N812 - a class that is named like its module
from hypothesis import HealthCheck, settings

from tests.slow_tests import costs_plugin, listed, name_of

if TYPE_CHECKING:
    from tests.command_line import CommandLine
    from tests.jumping_time import JumpingTime
    from tests.postgres_cluster import Cluster

MEMORY = Path("/dev/shm")
ROOM = 2 << 30
"""Bytes; a container often has 64 MB there."""

# How long an example takes says something of the machine, which is shared, and nothing of the code.
settings.register_profile("whole", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fast lane", settings.get_profile("whole"), max_examples=3)


def pytest_configure(config: pytest.Config) -> None:
    """The fast lane tries three of a hundred examples, and keeps its files in memory; the whole suite all, on disk."""
    is_fast = config.option.markexpr == "not slow"
    settings.load_profile("fast lane" if is_fast else "whole")
    if is_fast and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM:
        # A ledger and a report wait for the disk at each of their commits. That they do is tested where it stands.
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)
    if (costs := costs_plugin()) is not None:
        config.pluginmanager.register(costs, _COSTS)


def pytest_collection_finish() -> None:
    """What was collected stays to the end: no search for garbage has to go through all of it again and again."""
    gc.collect()
    gc.freeze()
    # A search after each 700 objects is a tenth of the lane, and after each 20 000 still a fifteenth.
    gc.set_threshold(200_000)


_MANY_RUNS = {"test_annotate.py", "test_readme.py", "test_report_write.py"}
"""Whole files in which nearly each test is a run or a report; their rooms have quick ones besides."""
_COSTS = "costs of tests"


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """
    Whatever needs a process of its own for each step, or a browser, is not in the fast lane.

    Nor is it traced for the coverage: what is done in another process is not seen anyway. Other slow tests
    are, for what speaks to a server (a store, a team's ledger) is reached there alone.
    """
    dear = frozenset() if config.pluginmanager.has_plugin(_COSTS) else listed()
    for item in items:
        if any(item.iter_markers("acceptance")) or any(item.iter_markers("browser")):
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.no_cover)
        elif item.path.name in _MANY_RUNS or name_of(item) in dear:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def postgres() -> Iterator["Cluster"]:
    """A PostgreSQL cluster of this session's own; where there is none, the test says so and is skipped."""
    from tests.postgres_cluster import cluster

    with cluster() as made:
        yield made


@pytest.fixture(params=["a file", pytest.param("a team's ledger", marks=pytest.mark.slow)])
def each_ledger(
    request: pytest.FixtureRequest, batchconnect: "CommandLine", jumping_time: "JumpingTime"
) -> str:
    """
    What the command writes to, one after the other. Leases outlast whatever a busy machine does.

    They run out by the server's clock, which nobody here can set. In the fast lane a team's ledger is the matter
    of `tests/ledger`, `test_team_run.py` and `test_team_commands.py`.
    """
    if request.param == "a team's ledger":
        jumping_time.stand()
        address = request.getfixturevalue("postgres").ledger()
        batchconnect.setenv(BATCHCONNECT_LEDGER=address.url.reveal(), BATCHCONNECT_LEASE="600")
    kind: str = request.param
    return kind


@pytest.fixture
def jumping_time(monkeypatch: pytest.MonkeyPatch) -> "JumpingTime":
    """A command in this process waits for what is under way alone: windows, paces and pauses take no time."""
    from tests.jumping_time import JumpingTime

    return JumpingTime(monkeypatch)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Trio under a clock of its own for each test."""
    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}


class _Answer(ClientResponse):
    """aioresponses 0.7.9 does not know the keyword that aiohttp 3.14 asks for."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        writer: Any = SimpleNamespace(output_size=0)
        super().__init__(*args, stream_writer=writer, **kwargs)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[AioResponses]:
    """Answers without a socket. The trace stays silent there: "was it sent?" is asked of real ones."""
    monkeypatch.setattr(aioresponses.core, "ClientResponse", _Answer)
    with AioResponses() as answers:
        yield answers
