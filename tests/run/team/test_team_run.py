"""One process's part of a run on a team ledger: what it takes it works or hands back, whatever happens."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, cast

import anyio
import orjson
import pytest

from batchconnect.lane.reconciler import Policy
from batchconnect.ledger.entry import (
    Entry,
    KeyLooked,
    LaneClosed,
    Line,
    RunEnded,
    RunResumed,
    Sending,
    Tested,
)
from batchconnect.ledger.lease_keeper import LeaseKeeper
from batchconnect.ledger.run_state import RunState
from batchconnect.ledger.team import Holding, WorkerRow
from batchconnect.model.errors import LaneLostError, LedgerError
from batchconnect.model.event import LanesHeld, RowSettled, SandboxListed
from batchconnect.model.outcome import Rejected, Status, Works
from batchconnect.model.reference import KeyOrigin, Reference
from batchconnect.model.row import Row
from batchconnect.model.secret import Secret
from batchconnect.run.budget import Budget
from batchconnect.run.fault_record import FaultRecord
from batchconnect.run.intake.accounting import Intake
from batchconnect.run.intake.intake import Parse
from batchconnect.run.job import Job, Tests
from batchconnect.run.stop import Stop
from batchconnect.run.team.lane_part import HANDED_BACK, LanePart
from batchconnect.run.team.opening import opened_run
from batchconnect.run.team.team_run import TeamRun
from batchconnect.sheet.memory import MemorySheet
from batchconnect.transport.interface import LEASE_OVER, Purpose, Response
from batchconnect.validation.connection import BaseConnection
from tests.fake_service import BETA, CANARY, Bench, FakeService, Fate, Seen, cells
from tests.memory_team import TERMS, Lanes, MemoryTeamLedger, team_of

pytestmark = pytest.mark.asyncio
"""Virtual time outruns the threads in which a server is asked."""

LIMIT_S = 60
"""Whatever takes longer hangs."""
POLICY = Policy(settle_s=0.2)
"""A lane that is taken again is swept again: in real time nobody waits a minute for a listing that lags."""
KEY = Reference("kv:key")
REJECTED = Rejected(problems=())
ROWS = [cells(1), cells(2), cells(3, "beta")]


def in_store(parse: Parse, row: Row) -> BaseConnection | Rejected:
    """A row whose key is kept elsewhere."""
    judged = parse(row)
    return judged if isinstance(judged, Rejected) else replace(judged, service_principal_key=KEY)


async def with_key(connection: BaseConnection) -> BaseConnection:
    """The store says it."""
    return replace(
        connection, service_principal_key=Secret(CANARY), key_origin=KeyOrigin(reference=KEY.text)
    )


async def run(
    bench: Bench,
    ledger: MemoryTeamLedger,
    rows: Sequence[dict[str, str]] = ROWS,
    **changes: Any,
) -> RunState:
    """As `run SHEET` does it, between the sheet and the report."""
    bench.ledger = bench.service.ledger = ledger
    stop = Stop()

    async def look_back() -> Job:
        job = bench.job(MemorySheet(rows))
        # Every key is in a store, which has it.
        return replace(
            job, parse=partial(in_store, job.parse), ready=with_key, stop=stop, **changes
        )

    with anyio.fail_after(LIMIT_S):
        async with LeaseKeeper(ledger.leases, terms=TERMS, boot_s=lambda: 0.0) as keeper:
            team = team_of(bench, ledger, keeper)
            opened = await opened_run(
                team,
                look_back,
                command="run",
                parent=None,
                joins=None,
                stop=stop,
                on_wait=lambda run_id: None,
            )
            assert opened is not None
            return await TeamRun(team, opened).run()


async def test_whoever_is_alone_works_every_lane_and_closes_the_run() -> None:
    bench, ledger = Bench(policy=POLICY), MemoryTeamLedger()

    state = await run(bench, ledger)

    assert bench.statuses(state) == [Status.CREATED] * 3
    assert state.is_closed
    assert {row.holder for row in ledger.leases.lanes()} == {""}
    assert ledger.leases.workers() == []


@pytest.mark.parametrize(("wants", "most"), [(True, 1), (False, 2)])
async def test_more_than_its_share_is_taken_only_where_nobody_wants_it(
    wants: bool, most: int
) -> None:
    """Beside a worker that is pinned to lanes and has them, no lane waits for it in vain."""
    lanes = Lanes()
    bench, ledger = Bench(policy=POLICY), MemoryTeamLedger(lanes=lanes)
    lanes.workers["other"] = WorkerRow(name="other", run=1, wants=wants, silent_s=0, terms=TERMS)

    state = await run(bench, ledger)

    held = bench.heard(LanesHeld)
    assert {event.workers for event in held} == {2}
    assert max(event.mine for event in held) == most
    assert bench.statuses(state) == [Status.CREATED] * 3


@pytest.mark.parametrize("question", [1, 2, 3])
async def test_a_question_that_is_not_answered_costs_no_lane_its_turn(question: int) -> None:
    """
    Whichever of the questions about the run's steps it is: the one between taking a lane and working it, too.

    A lane that was taken, and is not worked, would be renewed for ever and worked by nobody.
    """
    bench, ledger = Bench(policy=POLICY), MemoryTeamLedger()
    asked = 0

    def away() -> None:
        nonlocal asked
        asked += any(row.holder and row.holding.key for row in ledger.leases.lanes())
        if asked == question:
            asked += 1
            raise LedgerError("away")

    ledger.on_steps = away

    state = await run(bench, ledger)

    assert bench.statuses(state) == [Status.CREATED] * 3
    assert bench.broken_promises(state, 3) == []
    assert {row.holder for row in ledger.leases.lanes()} == {""}


@pytest.mark.parametrize("error", [LaneLostError, LedgerError])
@pytest.mark.parametrize("kind", [Sending, Tested, KeyLooked])
async def test_a_lane_that_breaks_costs_no_other_lane_anything(
    kind: type[Entry], error: type[LedgerError]
) -> None:
    """Wherever that is: what is done by several tasks breaks as a group of errors. It is taken once more."""
    bench, ledger = Bench(policy=POLICY), MemoryTeamLedger()
    refused: list[Line] = []

    def refuse(lines: Sequence[Line]) -> None:
        of_kind = [line for line in lines if isinstance(line.entry, kind)]
        if of_kind and not refused:
            refused.extend(of_kind)
            raise error("not any more")

    ledger.on_append = refuse

    state = await run(bench, ledger, tests=Tests.ALL, looks_at_keys=True)

    assert refused
    assert state.is_closed
    assert bench.statuses(state) == [Status.CREATED] * 3
    assert all(row.tested and row.key_looked for row in bench.rows(state)), "all of it was done"


async def test_a_lane_that_is_handed_over_while_it_is_tested_is_tested_by_the_next() -> None:
    """What was not asked yet is not "not tested": whoever has the lane next goes on with it."""
    lanes = Lanes()
    bench, ledger = Bench(policy=POLICY), MemoryTeamLedger(lanes=lanes)
    acme = Holding(key=bench.lane().key)

    def wanted_by_another(seen: Seen) -> Fate | None:
        if seen.path.endswith("/test") and "other" not in lanes.workers and not handed_over:
            pins = frozenset({lanes.row(acme).lane})
            lanes.workers["other"] = WorkerRow(
                name="other", run=1, wants=True, silent_s=0, terms=TERMS, pins=pins
            )
        return Fate(answered_s=0.05)

    handed_over: list[bool] = []

    def leave() -> None:
        if "other" in lanes.workers and not lanes.row(acme).holder:
            handed_over.append(True)
            del lanes.workers["other"]

    bench.service.choose, ledger.on_steps = wanted_by_another, leave
    rows = [cells(number) for number in range(1, 40)]

    state = await run(bench, ledger, rows, tests=Tests.ALL)

    assert handed_over
    assert [row.tested and row.tested.works for row in bench.rows(state)] == [Works.YES] * 39
    assert state.is_closed


async def test_a_row_whose_id_another_lane_is_answered_with_stays_in_doubt() -> None:
    """Nobody looks for it in the other lane's org, where it would be proven absent."""

    def choose(seen: Seen) -> Fate | None:
        if seen.purpose is Purpose.CREATE and seen.org_id == BETA.org_id:
            body = orjson.dumps({"id": bench.service.stored[0].id, "etag": '"e"'})
            return Fate(answered_s=0.3, answer=Response(status=201, headers={}, body=body))
        return None

    bench, ledger = Bench(service=FakeService(choose), policy=POLICY), MemoryTeamLedger()

    state = await run(bench, ledger, [cells(1), cells(2, "beta")])

    assert bench.statuses(state) == [Status.IN_DOUBT, Status.CREATED]
    assert bench.codes(state) == ["shared_id", ""]
    assert len(bench.service.posts) == 2


async def test_who_wakes_after_another_has_resumed_the_run_goes_on_with_it() -> None:
    """It was frozen with all lanes through, and held none: it does not close what others are at work on."""
    lanes = Lanes()

    class Frozen(MemoryTeamLedger):
        def run_lines(self, run: int) -> list[Line]:
            """Who holds the run as a whole when all is through was asleep until now."""
            found = super().run_lines(run)
            closed = sum(isinstance(line.entry, LaneClosed) for line in found)
            holds_run = any(row.holding.run_id and row.holder for row in lanes.rows.values())
            if closed != 2 or not holds_run:
                return found
            self.append([Line(entry=RunResumed(), run=run, at_ms=1)])
            return super().run_lines(run)

    bench, ledger = Bench(policy=POLICY), Frozen(lanes=lanes)

    state = await run(bench, ledger)

    kinds = [type(line.entry) for line in ledger.run_lines(state.number)]
    behind = kinds[kinds.index(RunResumed) :]
    assert behind.count(LaneClosed) == 2
    assert behind.count(RunEnded) == kinds.count(RunEnded) == 1
    assert behind.index(RunEnded) > behind.index(LaneClosed)
    assert state.is_closed
    assert bench.statuses(state) == [Status.CREATED] * 3


@pytest.mark.parametrize(
    ("code", "is_told"), [(HANDED_BACK, False), (LEASE_OVER, False), ("connection_lost", True)]
)
async def test_a_sandbox_that_was_not_read_for_its_lane_was_given_away_is_no_trouble(
    code: str, is_told: bool
) -> None:
    """Whoever has the lane next reads it; a person is told of what could not be read."""
    bench = Bench()
    part = part_of(bench)
    listed = SandboxListed(
        org="acme", sandbox="prod", connections=0, complete=False, detail="stopped", code=code
    )

    part._hear(listed)

    assert bench.heard(SandboxListed) == ([listed] if is_told else [])


@pytest.mark.parametrize(
    ("to_do", "settled", "is_ending"),
    [
        (None, 0, False),
        (100, 0, False),
        (100, 40, False),
        (100, 80, True),
        (100, 100, True),
        (0, 0, True),
    ],
)
async def test_a_lane_is_ending_by_the_pace_that_it_had_here(
    to_do: int | None, settled: int, is_ending: bool
) -> None:
    """In ten seconds so many were settled; what has not begun yet is of unknown length."""
    part = part_of(Bench())
    part._to_do, part._began_s = to_do, anyio.current_time() - 10
    for row in range(settled):
        part._hear(RowSettled(row=row, org="acme", sandbox="prod", outcome=REJECTED))

    assert part.is_ending == is_ending


def part_of(bench: Bench) -> LanePart:
    """A lane's part of a run that has not begun."""
    return LanePart(
        "acme", bench.lane(), job=cast("Any", None), number=1, found=Intake(), gone=(),
        budget=Budget(most_rows=None, on_failures=lambda: None), worker="us",
        record=FaultRecord(bench.hear, keep=lambda event: None, on_raised=lambda: None),
    )  # fmt: skip
