"""Several processes and one run: who joins it and how, who is refused and told why, and who leaves it to others."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Any, cast

import anyio
import pytest

from batchconnect.ledger.entry import (
    FaultFound,
    LaneClosed,
    LanesOpened,
    Line,
    RunEnded,
    RunOpened,
)
from batchconnect.ledger.lease_keeper import LeaseKeeper
from batchconnect.ledger.run_state import RunState
from batchconnect.ledger.team import OPENING, Holding, LaneRow, TeamLedger, WorkerRow
from batchconnect.model.errors import (
    ExitCode,
    InterruptedEarlyError,
    LedgerError,
    LedgerInUseError,
    UsageError,
)
from batchconnect.model.event import (
    Event,
    FaultMet,
    LaneAwaited,
    LanesHeld,
    Planned,
    RowStarted,
    RunAwaited,
    RunFinished,
)
from batchconnect.model.exception_group import unwrap_exception_group
from batchconnect.model.outcome import Status
from batchconnect.options import RunOptions, with_defaults
from batchconnect.run.exit_code import INTERRUPTED, TERMINATED
from batchconnect.run.job import Job
from batchconnect.run.opening.service import ConnectedService
from batchconnect.run.stop import Stop
from batchconnect.run.team.opening import opened_run
from batchconnect.run.team.team_run import TeamRun
from batchconnect.run.team.work import Together, work_together
from batchconnect.sheet.memory import MemorySheet
from batchconnect.validation.org_registry import OrgRegistry
from tests.fake_service import ACME, BETA, HOST, Bench, cells
from tests.memory_team import TERMS, Lanes, MemoryLeases, MemoryTeamLedger, team_of

pytestmark = pytest.mark.asyncio
"""Virtual time outruns the threads in which a server is asked."""

LIMIT_S = 60
"""Whatever takes longer hangs."""
ROWS = [cells(1), cells(2), cells(3, "beta")]
RUN = Holding(run_id="run-1")


class Place:
    """One ledger: this process, and another one that a test has do what it likes."""

    def __init__(self) -> None:
        self.table = Lanes()
        self.ledger = MemoryTeamLedger(lanes=self.table)
        self.bench = Bench(ledger=self.ledger)
        self.bench.service.ledger = self.ledger
        self.other = MemoryLeases(self.table, "other")
        self.looks = 0
        """How often this process looked who holds what."""
        self.on_look: Callable[[int], None] = lambda looks: None
        leases = self.ledger.leases
        lanes = leases.lanes

        def look(run_id: str = "") -> Sequence[LaneRow]:
            self.looks += 1
            self.on_look(self.looks)
            return lanes(run_id)

        leases.lanes = look  # type: ignore[method-assign]
        self.stop = Stop()
        self.rows: Sequence[dict[str, str]] = ROWS
        self.waited: list[str] = []
        self.on_wait: Callable[[str], None] = lambda run_id: None

    # The other process

    def other_holds(self, holding: Holding) -> None:
        """The other one has it, and is alive."""
        assert self.other.take(holding, over=(), terms=TERMS, run=1) is not None

    def other_lets_go(self) -> None:
        """Of all that it holds."""
        for row in [*self.table.rows.values()]:
            if row.holder == "other":
                self.other.release(row.lane)

    def other_works(self) -> None:
        """The other one says that it is at work on the run."""
        self.table.workers["other"] = WorkerRow(
            name="other", run=1, wants=False, silent_s=0, terms=TERMS
        )

    def write(self, entry: RunOpened | RunEnded | LanesOpened) -> None:
        """A line of the run, by the other one."""
        run = 0 if isinstance(entry, RunOpened) else 1
        super(MemoryTeamLedger, self.ledger).append([Line(entry=entry, run=run, at_ms=1)])

    def other_closes(self) -> None:
        self.write(RunEnded(exit_code=ExitCode.OK, closed=True, reason=""))

    @property
    def are_through(self) -> bool:
        """Whether every lane of the run is."""
        lines = list(self.ledger.run_lines(1))
        closed = {line.entry.org for line in lines if isinstance(line.entry, LaneClosed)}
        return len(closed) == len({"acme", "beta"})

    # This process

    def job(self, rows: Sequence[dict[str, str]] = ROWS, **opened: Any) -> Job:
        job = self.bench.job(MemorySheet(rows))
        return replace(job, stop=self.stop, opened=replace(job.opened, **opened))

    async def run(
        self,
        rows: Sequence[dict[str, str]] = ROWS,
        *,
        joins: str | None = None,
        **opened: Any,
    ) -> RunState:
        """As `run SHEET` does it, and `work` where it joins, between the sheet and the report."""

        async def look_back() -> Job:
            return self.job(rows, **opened)

        def wait(run_id: str) -> None:
            self.waited.append(run_id)
            self.on_wait(run_id)

        with anyio.fail_after(LIMIT_S), unwrap_exception_group():
            async with LeaseKeeper(self.ledger.leases, terms=TERMS, boot_s=lambda: 0.0) as keeper:
                team = team_of(self.bench, self.ledger, keeper)
                found = await opened_run(
                    team, look_back, command="run", parent=None, joins=joins, stop=self.stop,
                    on_wait=wait,
                )  # fmt: skip
                if found is None:
                    raise InterruptedEarlyError("stopped")
                return await TeamRun(team, found).run()

    async def begin(self, rows: Sequence[dict[str, str]] = ROWS, **opened: Any) -> RunState:
        """A run that has read its sheet, and has done nothing yet."""
        self.stop_at(Planned)
        state = await self.run(rows, **opened)
        self.stop, self.bench.on_event = Stop(), lambda event: None
        self.bench.events.clear()
        assert not state.is_closed
        return state

    def stop_at(self, kind: type[Event], reason: str = INTERRUPTED) -> None:
        """Ask to end as soon as this is told."""
        stop = self.stop
        self.bench.on_event = lambda event: stop.ask(reason) if isinstance(event, kind) else None


@pytest.fixture
def place() -> Place:
    return Place()


def is_whole(place: Place, state: RunState) -> bool:
    """Whether each row has its connection, once."""
    place.bench.service.ledger = place.ledger
    created = place.bench.statuses(state) == [Status.CREATED] * 3
    return created and place.bench.broken_promises(state, 3) == []


# Joining ------------------------------------------------------------------------------------------


async def test_the_same_command_joins_a_run_that_is_at_work_elsewhere(place: Place) -> None:
    """It opens nothing, and reads no row that was accounted for a second time."""
    await place.begin()
    place.other_works()

    state = await place.run()

    assert is_whole(place, state)
    assert len(place.bench.states()) == 1
    assert {event.workers for event in place.bench.heard(LanesHeld)} == {2}


async def test_whoever_joins_by_name_needs_nobody_to_be_at_work(place: Place) -> None:
    await place.begin()

    state = await place.run(joins="run-1")

    assert is_whole(place, state)
    assert state.is_closed


async def test_other_options_are_refused_with_both_named(place: Place) -> None:
    """What becomes of a row must not depend on whose turn it is."""
    await place.begin(choices={"on_doubt": "hold"})
    place.other_works()

    with pytest.raises(LedgerError, match=r"on_doubt hold; here none\)$") as refused:
        await place.run()

    assert refused.value.hint is not None
    assert "`batchconnect work run-1`" in refused.value.hint
    assert place.bench.service.existing() == []


@pytest.mark.parametrize("joins", ["run-1", None])
async def test_a_run_of_one_process_is_joined_by_nobody(place: Place, joins: str | None) -> None:
    """A bound of so many rows is kept to by one process, which counts them."""
    await place.begin(alone=True)
    place.other_works()

    with pytest.raises(LedgerInUseError, match="run run-1 is at work elsewhere, alone"):
        await place.run(joins=joins)


async def test_a_bound_of_rows_is_refused_where_others_are_at_work(place: Place) -> None:
    await place.begin()
    place.other_works()

    with pytest.raises(LedgerInUseError, match="and others work on run run-1"):
        await place.run(alone=True)


async def test_another_sheet_joins_nothing(place: Place) -> None:
    await place.begin()

    with pytest.raises(LedgerError, match="is not the sheet of run run-1"):
        await place.run([cells(9)], joins="run-1")


async def test_a_run_whose_sheet_was_never_read_to_its_end_is_joined_by_nobody(
    place: Place,
) -> None:
    """Its rows are not accounted for: only the command that began it can do that."""
    await place.begin()
    lines = [line for line in place.ledger.steps(1) if not isinstance(line.entry, LanesOpened)]
    place.ledger.steps = lambda run: lines  # type: ignore[method-assign]

    with pytest.raises(LedgerError, match="has not read its sheet to the end") as refused:
        await place.run(joins="run-1")
    assert refused.value.hint == "Give the command that began it once more."


# Waiting ------------------------------------------------------------------------------------------


async def test_a_run_whose_sheet_is_being_read_is_waited_for_and_told_once(place: Place) -> None:
    """It may be of the same sheet. Who reads it is alive; once he is gone, a run of its own is opened."""
    place.write(replace(place.job().opened, run_id="run-1"))
    place.other_holds(RUN)
    place.on_look = lambda looks: place.other_lets_go() if looks == 6 else None

    state = await place.run()

    assert place.waited == ["run-1"]
    assert is_whole(place, state)


async def test_a_stop_ends_the_wait_for_a_run_whose_sheet_is_being_read(place: Place) -> None:
    place.write(place.job().opened)
    place.other_holds(RUN)
    place.on_wait = lambda run_id: place.stop.ask(INTERRUPTED)

    with pytest.raises(InterruptedEarlyError):
        await place.run()
    assert {row.holder for row in place.ledger.leases.lanes("opening")} == {""}


async def test_one_process_at_a_time_looks_for_an_open_run(place: Place) -> None:
    """Else two of them would open one each for the same sheet."""
    place.other_holds(OPENING)
    began: list[int] = []

    def look(looks: int) -> None:
        began.append(len(place.bench.states()))
        if looks == 3:
            place.other_lets_go()

    place.on_look = look

    state = await place.run()

    assert began[:3] == [0, 0, 0], "nothing was opened meanwhile"
    assert is_whole(place, state)


async def test_a_run_that_somebody_holds_and_nobody_works_is_waited_for(place: Place) -> None:
    """Who accounted for its rows may be alive, and about to begin; it is named, and not one that is not there."""
    await place.begin()
    place.other_holds(RUN)
    place.table.rows[RUN] = replace(place.table.row(RUN), run=None)
    place.on_wait = lambda run_id: place.other_lets_go()

    state = await place.run()

    assert place.waited == ["run-1"]
    assert is_whole(place, state)


# Leaving, and ending ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "code"), [(INTERRUPTED, ExitCode.INTERRUPTED), (TERMINATED, ExitCode.TERMINATED)]
)
async def test_who_leaves_a_run_to_others_says_so_by_its_own_exit_code(
    place: Place, reason: str, code: ExitCode
) -> None:
    """The run itself goes on: nothing of that stands in the ledger, and what is held is handed back."""
    await place.begin()
    before = [line for line in place.ledger.steps(1) if isinstance(line.entry, RunEnded)]
    place.other_works()
    place.stop_at(RowStarted, reason)

    state = await place.run()

    assert state.ended is not None
    assert (state.ended.exit_code, state.is_closed) == (code, False)
    ends = [line for line in place.ledger.steps(1) if isinstance(line.entry, RunEnded)]
    assert ends == before
    assert {row.holder for row in place.ledger.leases.lanes("run-1")} == {""}
    place.table.workers.clear()
    place.stop, place.bench.on_event = Stop(), lambda event: None
    assert is_whole(place, await place.run())


async def test_a_run_that_another_process_closes_ends_here_as_it_ended_there(place: Place) -> None:
    """Who finds the last lane through waits for whoever has the run, and adds no second end."""
    steps = 0

    def look() -> None:
        nonlocal steps
        if not place.are_through:
            return
        steps += 1
        if steps == 1:
            place.other_holds(RUN)
        if steps == 4:
            place.other_closes()

    place.ledger.on_steps = look

    state = await place.run()

    ends = [line for line in place.ledger.steps(1) if isinstance(line.entry, RunEnded)]
    assert len(ends) == 1
    assert state.is_closed
    assert place.bench.heard(RunFinished)[0].exit_code == ExitCode.OK


@pytest.mark.parametrize("is_closed", [True, False])
async def test_a_stop_while_another_process_closes_the_run(place: Place, is_closed: bool) -> None:
    """Where that is quicker, the run has ended; else it is left to it."""
    steps = 0

    def look() -> None:
        nonlocal steps
        if not place.are_through:
            return
        steps += 1
        if steps == 1:
            place.other_holds(RUN)
        if steps == 3:
            place.stop.ask(INTERRUPTED)

    told_before = place.ledger.run_lines

    def run_lines(run: int) -> list[Line]:
        if place.stop.reason and is_closed and not any(place.bench.heard(RunFinished)):
            place.other_closes()
        return told_before(run)

    place.ledger.on_steps = look
    place.ledger.run_lines = run_lines  # type: ignore[method-assign]

    state = await place.run()

    assert state.is_closed == is_closed
    told = place.bench.heard(RunFinished)[0].exit_code
    assert told == (ExitCode.OK if is_closed else ExitCode.INTERRUPTED)


# `run` and `work`, as they are called ---------------------------------------------------------------


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


async def work(place: Place, *, only: tuple[str, ...] = ()) -> RunState:
    """As `run SHEET` and `work` do."""

    async def look_back() -> Job:
        return place.job(place.rows)

    with anyio.fail_after(LIMIT_S), unwrap_exception_group():
        return await work_together(
            cast("TeamLedger", place.ledger),
            look_back,
            service=service_of(place.bench),
            options=with_defaults(RunOptions(only=only)),
            together=Together(),
            command="run",
            parent=None,
            stop=place.stop,
            on_event=place.bench.hear,
        )


async def test_a_worker_that_is_pinned_to_an_org_takes_its_lane_alone(place: Place) -> None:
    """All rows of the run are its own still: it leaves the rest to others, and closes nothing."""
    await place.begin()
    place.other_works()

    def hear(event: Event) -> None:
        if place.bench.heard(LanesHeld) and place.bench.heard(LanesHeld)[-1].open == 1:
            place.stop.ask(INTERRUPTED)

    place.bench.on_event = hear
    state = await work(place, only=("org=acme",))

    assert [one.name for one in place.bench.service.existing()] == ["Connection 1", "Connection 2"]
    assert not state.is_closed


async def test_a_worker_is_not_pinned_to_a_sandbox(place: Place) -> None:
    """A lane has all sandboxes of its org."""
    await place.begin()
    place.other_works()

    with pytest.raises(UsageError, match="--only sandbox= cannot be given to join a run"):
        await work(place, only=("sandbox=dev",))
    assert place.bench.service.existing() == []


async def test_a_worker_is_not_pinned_to_what_the_run_has_not(place: Place) -> None:
    """A run that --only opened has the lanes that it named; whoever names another one would wait for nothing."""
    place.rows = ROWS[:2]
    await place.begin(place.rows)
    place.other_works()

    with pytest.raises(
        UsageError, match=r"run run-1 has no lane that --only org=beta names: .* acme$"
    ):
        await work(place, only=("org=beta",))
    assert place.bench.service.existing() == []


async def test_whoever_is_kept_out_by_another_client_of_its_org_says_by_whom(place: Place) -> None:
    """Two clients of one org are one right; the lane that has it is named, and that is said once."""
    await place.begin()
    key = place.bench.lane(ACME).key
    theirs = Holding(key=key._replace(client_id="another"))
    place.other_holds(theirs)
    place.table.rows[theirs] = replace(place.table.row(theirs), run=7, held_s=42.0)
    place.looks = 0
    place.on_look = lambda looks: place.other_lets_go() if looks == 6 else None

    state = await place.run()

    (awaited,) = place.bench.heard(LaneAwaited)
    assert awaited == LaneAwaited(
        org="acme", holder="other", at_most_s=TERMS.take_after_s,
        lane=place.table.row(theirs).lane, is_of_other_client=True, held_s=42.0,
    )  # fmt: skip
    assert is_whole(place, state)


async def test_who_of_a_run_has_which_lane_is_no_news(place: Place) -> None:
    """How many are at work on it is said; for whose lane would be waited is the others' as well as ours."""
    await place.begin()
    place.other_works()
    place.other_holds(Holding(key=place.bench.lane(ACME).key))
    place.looks = 0
    place.on_look = lambda looks: place.other_lets_go() if looks == 6 else None

    await place.run()

    assert place.bench.heard(LaneAwaited) == []


async def test_a_stop_before_a_run_was_found_begins_nothing(place: Place) -> None:
    place.other_holds(OPENING)
    place.stop.ask(INTERRUPTED)

    with pytest.raises(InterruptedEarlyError, match="nothing was begun"):
        await work(place)
    assert place.bench.states() == []


async def test_a_second_stop_cuts_the_wait_for_a_run_off(place: Place) -> None:
    place.write(place.job().opened)
    place.other_holds(RUN)

    def hear(event: Event) -> None:
        if isinstance(event, RunAwaited):
            place.stop.ask(INTERRUPTED)
            place.stop.now()

    place.bench.on_event = hear

    with pytest.raises(InterruptedEarlyError, match="nothing was begun"):
        await work(place)


async def test_a_second_stop_leaves_the_run_at_once_and_hands_its_lanes_back(place: Place) -> None:
    def hear(event: Event) -> None:
        if isinstance(event, RowStarted):
            place.stop.ask(INTERRUPTED)
            place.stop.now()

    place.bench.on_event = hear

    state = await work(place)

    assert state.ended is not None
    assert state.ended.exit_code == ExitCode.INTERRUPTED
    assert {row.holder for row in place.ledger.leases.lanes("run-1")} == {""}


async def test_an_error_of_ours_that_ends_a_worker_is_told(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any, **named: Any) -> None:
        raise KeyError("x")

    monkeypatch.setattr("batchconnect.run.team.team_run.fold_lanes", broken)
    monkeypatch.setattr("batchconnect.run.team.team_run.close", broken)

    with pytest.raises(ExceptionGroup) as raised:
        await work(place)
    assert raised.group_contains(KeyError)

    (met,) = place.bench.heard(FaultMet)
    assert met.where == "run"
    assert met.fault.type == "KeyError"
    assert not any(isinstance(line.entry, FaultFound) for line in place.ledger.run_lines(1))
