"""
On a team ledger the loop has its turn whatever the server does: no question to it is asked there.

A server that restarts is waited for, and a fold over a million rows takes longer than a lease runs; in the loop
either would end the leases, and the process with them.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any, cast

import anyio
import pytest

from batchconnect.lane.reconciler import Policy
from batchconnect.ledger.entry import UNDO, Line
from batchconnect.ledger.group_commit import InPlace
from batchconnect.ledger.interface import LaneKey
from batchconnect.ledger.lease_keeper import LeaseKeeper
from batchconnect.ledger.run_writer import Clock
from batchconnect.model.event import Event, RowInDoubt
from batchconnect.model.outcome import Status
from batchconnect.options import RunOptions, with_defaults
from batchconnect.run.exit_code import INTERRUPTED
from batchconnect.run.job import Job, Tests
from batchconnect.run.opening.service import ConnectedService
from batchconnect.run.reconcile_run import settle_run
from batchconnect.run.stop import Stop
from batchconnect.run.task import Task
from batchconnect.run.team.opening import opened_run
from batchconnect.run.team.team_run import TeamRun
from batchconnect.run.undo.undo_run import UndoJob, UndoRun
from batchconnect.run.verify_run import VerifyRun
from batchconnect.sheet.memory import MemorySheet
from batchconnect.transport.interface import Purpose
from batchconnect.validation.org_registry import OrgRegistry
from tests.fake_service import ACME, BETA, HOST, Bench, FakeService, Fate, Seen, cells, lost
from tests.memory_team import TERMS, MemoryTeamLedger, team_of

pytestmark = pytest.mark.asyncio

ROWS = [cells(1), cells(2), cells(3, "beta")]


class RealTime(Bench):
    """A bench whose clock may be read in any thread."""

    @property
    def clock(self) -> Clock:
        return replace(super().clock, now_ms=lambda: round(time.monotonic() * 1000))


class InThread(InPlace):
    """Lines are written as `GroupCommit` does."""

    async def append(self, lines: Sequence[Line]) -> None:
        await anyio.to_thread.run_sync(self._ledger.append, lines)

    def of_lane(self, lane: LaneKey) -> InPlace:
        return self


@pytest.fixture
def ledger() -> MemoryTeamLedger:
    return MemoryTeamLedger()


@pytest.fixture
def bench(ledger: MemoryTeamLedger, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr("tests.fake_service.InPlace", InThread)
    return RealTime(ledger=ledger, policy=Policy(settle_s=0.2))


def service_of(bench: Bench) -> ConnectedService:
    return ConnectedService(
        orgs=OrgRegistry((ACME, BETA)),
        host=HOST,
        settle_s=0.2,
        wire=cast("Any", bench.service),
        limits=bench.limits,
        slots=anyio.CapacityLimiter(4),
        rng=Random(0),
        on_event=bench.hear,
    )


async def run(bench: Bench, ledger: MemoryTeamLedger, *, stop: Stop | None = None) -> None:
    """As `run --verify` does it."""
    stop = stop or Stop()

    async def look_back() -> Job:
        # Asked in a thread by the engine, whose matter it is.
        watched, ledger.loop = ledger.loop, None
        job = bench.job(MemorySheet(ROWS), task=Task(tests=Tests.ALL))
        ledger.loop = watched
        return replace(job, stop=stop, looks_at_keys=True)

    async with LeaseKeeper(ledger.leases, terms=TERMS, boot_s=lambda: 0.0) as keeper:
        team = team_of(bench, ledger, keeper)
        opened = await opened_run(
            team, look_back, command="run", parent=None, joins=None, stop=stop,
            on_wait=lambda run_id: None,
        )  # fmt: skip
        assert opened is not None
        await TeamRun(team, opened).run()


async def test_a_run_never_asks_in_the_loop(bench: Bench, ledger: MemoryTeamLedger) -> None:
    """From its first line to its last, with the tests, the look for keys and the sweep."""
    ledger.loop = threading.get_ident()
    await run(bench, ledger)
    ledger.loop = None

    assert ledger.asked_in_loop == []
    (state,) = bench.states()
    assert state.is_closed
    assert state.swept is not None
    assert bench.statuses(state) == [Status.CREATED] * 3


async def test_a_run_that_is_left_never_asks_in_the_loop(
    bench: Bench, ledger: MemoryTeamLedger
) -> None:
    """Nor does the one that goes on with it."""
    stop = Stop()
    bench.on_event = lambda event: stop.ask(INTERRUPTED)
    ledger.loop = threading.get_ident()
    await run(bench, ledger, stop=stop)
    await run(bench, ledger)
    ledger.loop = None

    assert ledger.asked_in_loop == []
    assert [state.is_closed for state in bench.states()] == [True]


async def test_a_verification_never_asks_in_the_loop(
    bench: Bench, ledger: MemoryTeamLedger
) -> None:
    await run(bench, ledger)
    (parent,) = bench.states()
    verification = VerifyRun(
        parent=parent, ledger=ledger, writer=bench.writer, service=service_of(bench),
        options=with_defaults(RunOptions()), clock=bench.clock, on_event=bench.hear, stop=Stop(),
    )  # fmt: skip
    ledger.loop = threading.get_ident()
    await verification.run()
    state = await verification.abandon()
    ledger.loop = None

    assert not state.is_closed
    assert ledger.asked_in_loop == []


async def test_an_undo_never_asks_in_the_loop(bench: Bench, ledger: MemoryTeamLedger) -> None:
    await run(bench, ledger)
    (parent,) = bench.states()
    job = UndoJob(
        plan=await bench.plan_undo(parent.opened.run_id), ledger=ledger, writer=bench.writer,
        clock=bench.clock, opened=replace(parent.opened, run_id="undo", command=UNDO),
        lane_of=service_of(bench).lane_of, settle_s=0.2, on_event=bench.hear, stop=Stop(),
    )  # fmt: skip
    ledger.loop = threading.get_ident()
    undoing = UndoRun(job)
    await undoing.run()
    await undoing.abandon()
    ledger.loop = None

    assert ledger.asked_in_loop == []
    assert bench.service.existing() == []


async def test_reconcile_never_asks_in_the_loop(bench: Bench, ledger: MemoryTeamLedger) -> None:
    stop = Stop()
    bench.service = FakeService(lose_creates)

    def hear(event: Event) -> None:
        if isinstance(event, RowInDoubt):
            stop.ask(INTERRUPTED)

    bench.on_event = hear
    await run(bench, ledger, stop=stop)
    (left,) = bench.states()
    ledger.loop = threading.get_ident()
    state = await settle_run(
        left, ledger=ledger, writer=bench.writer(left.number), service=service_of(bench),
        options=with_defaults(RunOptions()), clock=bench.clock, on_event=bench.hear, stop=Stop(),
        settle_s=0.2,
    )  # fmt: skip
    ledger.loop = None

    assert ledger.asked_in_loop == []
    assert Status.CREATED in bench.statuses(state)
    assert Status.IN_DOUBT not in bench.statuses(state)


def lose_creates(seen: Seen) -> Fate | None:
    """The connection is made, and nobody hears of it."""
    return lost(answered_s=0.01) if seen.purpose is Purpose.CREATE else None
