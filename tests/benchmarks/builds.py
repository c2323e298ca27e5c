"""A build of the project, this checkout or another one's venv: its commands, and what each costs."""

import os
import shutil
import sys
from pathlib import Path
from typing import Final

from tests.benchmarks.place import CLIENT_CORE, ROOT, Cost, measured
from tests.benchmarks.servers import Server
from tests.benchmarks.speed import IN_FLIGHT, environ

Build = tuple[str, str]
"""An interpreter and its `PYTHONPATH`: this checkout, or nothing but what is installed."""
OURS: Final[Build] = (sys.executable, str(ROOT))
Words = tuple[str | Path, ...]

UNBOUND: Final[Words] = ("--rate", "100000", "--concurrency", str(IN_FLIGHT), "--quiet")
"""Of a command whose CPU is measured: no pace is waited for."""


def run(folder: Path, server: Server, sheet: Path, options: tuple[str, ...], build: Build) -> Cost:
    """A `run` with nothing in its folder; the options are ours alone."""
    shutil.rmtree(folder / "reports", ignore_errors=True)
    own = options if build == OURS else ()
    return command(folder, server, ("run", sheet, *UNBOUND, *own), build)


def command(folder: Path, server: Server, words: Words, build: Build) -> Cost:
    """A command that speaks to a server."""
    return cost(folder, of(build, *words)[1:], build, around=environ(server.url), core=CLIENT_CORE)


def of(build: Build, *words: str | Path) -> list[str]:
    """A command of that build, for a process of its own."""
    return [build[0], "-m", "batchconnect", *map(str, words)]


def around(build: Build, server: Server) -> dict[str, str]:
    """The whole environment of such a process."""
    return {**os.environ, **environ(server.url), "PYTHONPATH": build[1]}


def cost(
    folder: Path,
    words: Words | list[str],
    build: Build,
    *,
    around: dict[str, str] | None = None,
    core: int | None = None,
) -> Cost:
    """What the build's interpreter takes for these arguments; it has to end well."""
    python, path = build
    told = measured(
        [python, *words], folder=folder, environ={**(around or {}), "PYTHONPATH": path}, core=core
    )
    assert told.code == 0, told.err[-2000:] + told.out[-2000:]
    return told
