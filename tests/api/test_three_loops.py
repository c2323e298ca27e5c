"""
Each public function where a program may be: in a running loop, without one, and in a notebook's cell.

A notebook's cell runs inside a loop and calls plain functions: there the `_sync` twin is called while a loop
runs in the same thread.
"""

import asyncio
import inspect
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

import batchconnect
from batchconnect import PlanChangedError, RunOptions, Status, Works
from batchconnect.events import RunStarted
from tests.acceptance.practice import Practice
from tests.command_line import CommandLine, many
from tests.fast_lane import few

FAST = RunOptions(rate=200.0, settle=0.3)
ROWS = many(2)
REPORTS = {"reports": "r", "options": FAST}


def in_a_running_loop(name: str, *arguments: Any, **named: Any) -> Any:
    """As an async program awaits it."""
    return anyio.run(partial(getattr(batchconnect, name), *arguments, **named))


def without_a_loop(name: str, *arguments: Any, **named: Any) -> Any:
    """As a script calls it."""
    return getattr(batchconnect, f"{name}_sync")(*arguments, **named)


def in_a_notebook(name: str, *arguments: Any, **named: Any) -> Any:
    """As a cell calls it: the twin, inside of the notebook's own loop."""

    async def cell() -> Any:
        return without_a_loop(name, *arguments, **named)

    return asyncio.run(cell())


WAYS = [in_a_notebook, in_a_running_loop, without_a_loop]
"""The first has most around it: a loop, the twin, and the twin's own loop in another thread."""
Call = Callable[..., Any]
FUNCTIONS = [
    "export",
    "onboard",
    "orgs",
    "plan",
    "reconcile",
    "rerun",
    "rotate",
    "undo",
    "validate",
    "verify",
]


@pytest.fixture(params=few(WAYS, 1), ids=lambda way: way.__name__)
def call(request: pytest.FixtureRequest) -> Call:
    """One of the three ways."""
    way: Call = request.param
    return way


@pytest.fixture
def run_id(practice: Practice) -> str:
    """A run that created two connections; its ledger is in `r`."""
    report = batchconnect.onboard_sync(ROWS, reports="r", options=FAST)
    assert report.exit_code == 0
    return report.run_id


def test_every_function_is_tested_here() -> None:
    """And is a coroutine function with a plain twin that takes the same."""
    twins = {name.removesuffix("_sync") for name in batchconnect.__all__ if name.endswith("_sync")}

    assert twins == set(FUNCTIONS)
    for name in FUNCTIONS:
        function, twin = getattr(batchconnect, name), getattr(batchconnect, f"{name}_sync")
        assert f'call("{name}"' in Path(__file__).read_text("utf-8"), name
        assert inspect.iscoroutinefunction(function)
        assert not inspect.iscoroutinefunction(twin)
        assert inspect.signature(function) == inspect.signature(twin)
        assert (twin.__name__, twin.__qualname__) == (f"{name}_sync",) * 2
        assert f"The twin of `{name}`" in twin.__doc__


@pytest.mark.parametrize("call", WAYS, indirect=True)
def test_onboard(call: Call, practice: Practice) -> None:
    report = call("onboard", ROWS, options=FAST)

    assert report.counts[Status.CREATED] == 2
    assert len(practice.creates()) == 2


def test_validate(call: Call) -> None:
    """Offline: no service is there, and no org is set."""
    found = call("validate", [*ROWS, {**ROWS[0], "database": ""}])

    assert (found.rows, [at.row for at in found.rejected], found.exit_code) == (3, [3], 3)
    assert [problem.column for at, problem in found.problems if at.row == 3] == ["database"]


def test_plan(call: Call, run_id: str, practice: Practice) -> None:
    found = call("plan", many(3), **REPORTS)

    assert found.counts == {"existing": 2, "create": 1}
    assert len(practice.creates()) == 2


def test_a_plan_is_saved_and_followed(call: Call, practice: Practice) -> None:
    """From Python alone: the plan's file is what one program hands another."""
    planned = call("plan", ROWS, out="plan.json", **REPORTS)
    report = call("onboard", ROWS, plan="plan.json", **REPORTS)

    assert planned.saved == Path("plan.json").absolute()
    assert report.counts[Status.CREATED] == 2
    with pytest.raises(PlanChangedError) as caught:
        call("onboard", many(3), plan="plan.json", **REPORTS)
    assert [one for one in caught.value.changes if "Client 003" in one]
    assert len(practice.creates()) == 2


def test_rerun(call: Call, practice: Practice) -> None:
    """Of a file, which is read again."""
    wrong = [ROWS[0], {**ROWS[1], "database": ""}]
    first = batchconnect.onboard_sync(
        wrong, reports="r", options=RunOptions(rate=200.0, skip_invalid=True)
    )
    report = call("rerun", sheet=ROWS, **REPORTS)

    assert first.exit_code == 4
    assert report.parent_run_id == first.run_id
    assert (report.exit_code, report.counts[Status.CREATED]) == (0, 2)
    assert len(practice.creates()) == 2


def test_reconcile(call: Call, run_id: str) -> None:
    """Nothing is in doubt, so the report is the run's own."""
    report = call("reconcile", **REPORTS)

    assert (report.run_id, report.exit_code) == (run_id, 0)


def test_verify(call: Call, run_id: str) -> None:
    report = call("verify", run_id, **REPORTS)

    assert report.works == {Works.YES: 2}
    assert report.parent_run_id == run_id


def test_rotate(call: Call, run_id: str) -> None:
    report = call("rotate", ROWS, **REPORTS)

    assert report.counts[Status.UPDATED] == 2


def test_undo(call: Call, run_id: str, practice: Practice) -> None:
    """First what would be deleted, then with that very number."""
    shown = call("undo", run_id, **REPORTS)
    practice.ask(lambda simulator: setattr(simulator.habits, "finalizing_s", 0.0))
    done = call("undo", run_id, yes=shown.to_delete, **REPORTS)

    assert (shown.to_delete, shown.report) == (2, None)
    assert done.report is not None
    assert done.report.counts[Status.DELETED] == 2
    assert practice.ask(lambda simulator: len(simulator.connections())) == 0


def test_export(call: Call, run_id: str, practice: Practice) -> None:
    found = call("export", sandboxes="dev", options=FAST)

    assert [row.cells["name"] for row in found.rows] == ["Client 001", "Client 002"]


def test_orgs(call: Call, practice: Practice) -> None:
    found = call("orgs", options=RunOptions(sandbox="dev"))

    assert [one.refusal for one in found] == [None]
    assert found.exit_code == 0


# What a notebook's loop means ------------------------------------------------------------------------------


def test_in_a_notebook_the_work_is_done_in_another_thread(practice: Practice) -> None:
    """The cell's thread waits for it; who listens is called in the other one."""
    threads: list[int] = []

    in_a_notebook(
        "onboard", ROWS, options=FAST, on_event=lambda _: threads.append(threading.get_ident())
    )
    there = set(threads)
    threads.clear()
    without_a_loop(
        "onboard", ROWS, options=FAST, on_event=lambda _: threads.append(threading.get_ident())
    )

    assert threading.get_ident() not in there
    assert set(threads) == {threading.get_ident()}


def test_an_error_comes_out_of_the_thread_as_it_is(call: Call) -> None:
    with pytest.raises(batchconnect.SheetError, match="there is no such file"):
        call("onboard", "nope.csv", options=RunOptions(simulate=True))


def test_another_thread_may_ask_a_run_to_stop(practice: Practice) -> None:
    """As a notebook's button does, or a worker's supervisor: the run ends in good order, and says so."""
    stop, begun = batchconnect.Stop(), threading.Event()

    def hear(event: batchconnect.Event) -> None:
        if isinstance(event, RunStarted):
            begun.set()

    def ask() -> None:
        begun.wait()
        stop.ask("interrupted")

    asking = threading.Thread(target=ask)
    asking.start()
    # One request in a hundred seconds: it would take an hour if nobody stopped it.
    report = without_a_loop(
        "onboard", many(40), options=RunOptions(rate=0.01), on_event=hear, stop=stop
    )
    asking.join()

    assert report.exit_code == 130
    assert report.counts[Status.NOT_ATTEMPTED] >= 38


@pytest.fixture
def interrupts() -> Iterator[None]:
    """SIGINT is an error here, as in a kernel, also where whoever started the tests has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupts")
def test_an_interrupted_cell_has_ended_its_run(practice: Practice) -> None:
    """The kernel's interrupt is raised where the cell waits; no thread goes on behind its back."""
    begun = threading.Event()

    def interrupt() -> None:
        begun.wait()
        os.kill(os.getpid(), signal.SIGINT)

    async def cell() -> None:
        without_a_loop(
            "onboard",
            many(40),
            reports="r",
            options=RunOptions(rate=0.01),
            on_event=lambda _: begun.set(),
        )

    interrupting = threading.Thread(target=interrupt)
    interrupting.start()
    # As a kernel runs it: a loop that leaves signals to Python.
    with closing(asyncio.new_event_loop()) as loop, pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(cell())
    interrupting.join()

    assert not [one.name for one in threading.enumerate() if "portal" in one.name]
    sent = len(practice.creates())
    again = batchconnect.onboard_sync(many(2), reports="r", options=FAST)
    assert again.exit_code == 0
    assert sent <= 2


def test_a_program_of_trio_has_its_twin_as_well(place: CommandLine) -> None:
    """A loop of whatever kind is a loop."""

    async def cell() -> Any:
        return without_a_loop("validate", ROWS)

    assert anyio.run(cell, backend="trio").exit_code == 0
