"""One run over one sheet, as its users would tell it: who is created, who waits, and why it ended."""

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set as AbstractSet
from dataclasses import dataclass, replace
from math import inf
from urllib.parse import unquote
from uuid import UUID, uuid5

import anyio
import orjson
import pytest

from batchconnect.lane.lane import Limits
from batchconnect.lane.planner import Rules
from batchconnect.lane.reconciler import MOST_SENDS, Policy
from batchconnect.ledger.entry import Doubted, LaneTold, Line, RunResumed, Sending, Settled
from batchconnect.ledger.group_commit import Append, InPlace
from batchconnect.ledger.row_state import RowState, fold_rows
from batchconnect.ledger.run_state import RunState
from batchconnect.ledger.run_writer import Clock, RunWriter
from batchconnect.ledger.sqlite.store import SqliteLedger
from batchconnect.model.errors import ExitCode, LedgerError, LedgerGoneError
from batchconnect.model.event import (
    Draining,
    Event,
    LaneCounted,
    LanePaused,
    LaneStopped,
    RowInDoubt,
    RowSettled,
    RowStarted,
    RunFinished,
    SandboxListed,
    Settling,
    Swept,
)
from batchconnect.model.outcome import Created, InDoubt, MatchedBy, NotAttempted, Status
from batchconnect.model.precaution import FailureLimit, OnDoubt
from batchconnect.model.row import Row
from batchconnect.run.batch import Batch
from batchconnect.run.exit_code import INTERRUPTED, TERMINATED
from batchconnect.run.rerun.rerun import ParentRun
from batchconnect.run.stop import Stop
from batchconnect.sheet.memory import MemorySheet
from batchconnect.transport.interface import Purpose, Request, Response
from batchconnect.validation.connection import BaseConnection
from tests.fake_service import (
    ACME,
    BETA,
    DENIED,
    Bench,
    Bomb,
    FakeService,
    Fate,
    MortalLedger,
    Seen,
    cells,
    flow_error,
    judged,
    lost,
    org,
    parser,
    refused,
)

pytestmark = pytest.mark.anyio

Rows = list[dict[str, str]]
S = 180.0


def rows(*numbers: int, org: str = "acme", sandbox: str = "prod") -> Rows:
    return [cells(number, org, sandbox) for number in numbers]


def code_of(state: RunState) -> int:
    assert state.ended is not None
    return state.ended.exit_code


def creates(fate: Callable[[Seen], Fate | None]) -> FakeService:
    """A service that decides the fate of creates only."""
    return FakeService(lambda seen: fate(seen) if seen.purpose is Purpose.CREATE else None)


def first_sends(fate: Fate, *, of: Sequence[Mapping[str, str]] | None = None) -> FakeService:
    """The first create of each row (of these rows) meets this fate, later ones are served well."""
    markers = None if of is None else {judged(row).marker for row in of}
    met: set[str | None] = set()

    def choose(seen: Seen) -> Fate | None:
        is_first = seen.marker not in met
        met.add(seen.marker)
        return fate if is_first and (markers is None or seen.marker in markers) else None

    return creates(choose)


def plant_on_doubt(bench: Bench, row: BaseConnection, **changes: object) -> None:
    """Somebody else makes a connection while ours is in doubt."""

    def hear(event: Event) -> None:
        if isinstance(event, RowInDoubt):
            bench.service.plant(row, **changes)

    bench.on_event = hear


# Lanes ----------------------------------------------------------------------------------------------


async def test_one_lane_denied_costs_the_other_nothing() -> None:
    """The denied lane gets a request, its rows are not attempted and say why; one incident; exit 4."""
    bench = Bench()
    bench.service.denied[ACME.org_id] = DENIED

    state = await bench.run(rows(*range(1, 31)) + rows(31, 32, org="beta"))

    assert bench.statuses(state) == [Status.NOT_ATTEMPTED] * 30 + [Status.CREATED] * 2
    assert {"lane_stopped"} == set(bench.codes(state)[:30])
    assert "403025" in str(bench.rows(state)[0].shown)
    assert len(bench.service.reads(ACME)) == 1
    assert [stop.code for stop in bench.heard(LaneStopped)] == ["403025"]
    assert [stop.code for stop in state.stops] == ["403025"]
    assert code_of(state) == ExitCode.UNFINISHED


async def test_a_lane_denied_at_its_first_create_sends_a_handful() -> None:
    """Reading is allowed, creating is not: the row that met it failed, the rest was not attempted."""
    bench = Bench(service=creates(lambda seen: DENIED if seen.org_id == ACME.org_id else None))

    state = await bench.run(rows(*range(1, 41)) + rows(41, 42, org="beta"))

    assert len([s for s in bench.service.posts if s.org_id == ACME.org_id]) <= 5
    assert len(bench.heard(LaneStopped)) == 1
    statuses = bench.statuses(state)
    assert {Status.FAILED, Status.NOT_ATTEMPTED} == set(statuses[:40])
    assert statuses[:40].count(Status.FAILED) <= 5
    assert statuses[40:] == [Status.CREATED] * 2


async def test_all_lanes_denied_is_exit_7() -> None:
    bench = Bench()
    bench.service.denied |= {ACME.org_id: DENIED, BETA.org_id: DENIED}

    state = await bench.run(rows(1) + rows(2, org="beta"))

    assert code_of(state) == ExitCode.STOPPED
    assert not bench.service.posts


async def test_an_unknown_sandbox_stops_its_own_rows_only() -> None:
    bench = Bench()
    bench.service.denied[f"{ACME.org_id}/dev"] = flow_error("2100-404")

    state = await bench.run(rows(1, 2) + rows(3, 4, sandbox="dev"))

    assert bench.statuses(state) == [Status.CREATED] * 2 + [Status.NOT_ATTEMPTED] * 2
    assert bench.codes(state) == ["", "", "sandbox_stopped", "sandbox_stopped"]
    assert code_of(state) == ExitCode.UNFINISHED


async def test_a_sandbox_that_vanishes_in_mid_run_stops_its_own_rows_only() -> None:
    bench = Bench(
        service=creates(lambda seen: flow_error("2100-404") if seen.sandbox == "dev" else None),
        orgs=[org("acme", rate=None)],
    )

    state = await bench.run(rows(*range(1, 30), sandbox="dev") + rows(*range(30, 33)))

    assert bench.statuses(state)[29:] == [Status.CREATED] * 3
    assert bench.statuses(state)[:29].count(Status.FAILED) <= 4
    assert bench.codes(state)[28] == "sandbox_stopped"


async def test_a_throttled_lane_delays_no_other() -> None:
    """One lane is told to wait 60 s; the other's rows are done in the meantime."""
    waits = [refused(429, None, **{"retry-after": "60"})]
    bench = Bench(
        service=creates(lambda seen: waits.pop() if seen.org_id == ACME.org_id and waits else None)
    )
    done: dict[str, float] = {}
    bench.on_event = lambda event: (
        done.update({event.org: anyio.current_time()}) if isinstance(event, RowSettled) else None
    )

    state = await bench.run(rows(1, 2, 3) + rows(4, 5, 6, org="beta"))

    assert bench.statuses(state) == [Status.CREATED] * 6
    assert done["beta"] < 1
    assert 60 < done["acme"] < 62
    assert [event.pause_s // 1 for event in bench.heard(LanePaused)] == [60.0]
    assert [lane.counted().throttled for _, lane in sorted(bench.lanes.items())] == [1, 0]


async def test_a_lane_without_any_progress_gives_its_rows_up() -> None:
    """Throttled beyond --patience: the rows are not attempted, and nothing of it was a refusal."""
    bench = Bench(
        service=creates(lambda seen: refused(429) if seen.org_id == ACME.org_id else None),
        limits=Limits(patience_s=100),
    )

    state = await bench.run(rows(1, 2, 3) + rows(4, org="beta"))

    assert bench.statuses(state) == [Status.NOT_ATTEMPTED] * 3 + [Status.CREATED]
    assert [stop.code for stop in state.stops] == ["no_progress"]
    assert set(bench.codes(state)[:3]) <= {"no_progress", "lane_stopped"}
    assert 100 < anyio.current_time() < 400
    assert code_of(state) == ExitCode.UNFINISHED


async def test_a_sandbox_that_cannot_be_read_is_not_written_to() -> None:
    bad = refused(502)
    bench = Bench(
        service=FakeService(
            lambda seen: bad if seen.purpose is Purpose.READ and seen.sandbox == "dev" else None
        )
    )

    state = await bench.run(rows(1) + rows(2, sandbox="dev"))

    assert bench.statuses(state) == [Status.CREATED, Status.NOT_ATTEMPTED]
    assert [stop.code for stop in state.stops] == ["listing_failed"]
    assert sorted(event.complete for event in bench.heard(SandboxListed)) == [False, True]
    assert code_of(state) == ExitCode.UNFINISHED


async def test_a_redirect_stops_the_lane_and_its_row_is_looked_for() -> None:
    """A 307 is never followed; what answered is not the service, so no further row goes out."""
    moved = refused(307, None, location="https://elsewhere.test/")
    bench = Bench(service=creates(lambda seen: moved), orgs=[org("acme", rate=1.0)])

    state = await bench.run(rows(*range(1, 9)))

    assert len(bench.service.posts) == 1
    assert bench.statuses(state)[0] == Status.NOT_ATTEMPTED, "proven absent, and not sent again"
    assert {Status.NOT_ATTEMPTED} == set(bench.statuses(state))


# Stopping -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "code"), [(INTERRUPTED, ExitCode.INTERRUPTED), (TERMINATED, ExitCode.TERMINATED)]
)
async def test_a_stop_in_mid_run_lets_finish_and_the_same_command_goes_on(
    reason: str, code: ExitCode
) -> None:
    """In flight finishes, the run stays open, the next command has the same number; no row is twice."""
    bench = Bench(service=creates(lambda seen: Fate(answered_s=1.0)), orgs=[org("acme", rate=10)])
    sheet = rows(*range(1, 51))
    stop = Stop()

    async with anyio.create_task_group() as tasks:

        async def ask() -> None:
            await anyio.sleep(2)
            stop.ask(reason)
            stop.ask("too late")

        tasks.start_soon(ask)
        first = await bench.run(sheet, stop=stop)

    assert (code, False) == (code_of(first), first.is_closed)
    assert {Status.CREATED, Status.NOT_ATTEMPTED} == set(bench.statuses(first))
    assert bench.statuses(first).count(Status.CREATED) == len(bench.service.posts)
    assert len(bench.heard(Draining)) == 1

    second = await bench.run(sheet)

    assert first.number == second.number
    assert second.resumes == 1
    assert bench.statuses(second) == [Status.CREATED] * 50
    assert len(bench.service.posts) == 50
    assert bench.broken_promises(second, 50) == []
    assert [
        line.entry.crashed
        for line in bench.ledger.run_lines(second.number)
        if isinstance(line.entry, RunResumed)
    ] == [False]


async def test_a_stop_does_not_wait_for_windows() -> None:
    """What is in doubt stays so, and the next command settles it within the window that runs."""
    bench = Bench(service=first_sends(lost(applied_s=100)))
    stop = Stop()
    bench.on_event = lambda event: stop.ask(INTERRUPTED) if isinstance(event, Settling) else None

    first = await bench.run(rows(1), stop=stop)

    assert anyio.current_time() < 5
    assert bench.statuses(first) == [Status.IN_DOUBT]
    assert code_of(first) == ExitCode.INTERRUPTED

    second = await bench.run(rows(1))

    assert bench.statuses(second) == [Status.CREATED]
    assert 100 < anyio.current_time() < 150
    assert len(bench.service.posts) == 1


async def test_a_stop_before_anything_was_read_sends_nothing() -> None:
    bench = Bench()
    stop = Stop()
    stop.ask(INTERRUPTED)

    state = await bench.run(rows(1, 2), stop=stop)

    assert bench.service.seen == []
    assert code_of(state) == ExitCode.INTERRUPTED


async def test_a_stop_ends_the_sweep() -> None:
    """The sweep would wait for the listing's lag; a person who asks for the end gets it."""
    bench = Bench(service=first_sends(lost(applied_s=0.0)))
    stop = Stop()
    hidden = Fate(shown_s=10_000)
    bench.service.choose = lambda seen: (
        None if seen.marker is None else lost() if len(bench.service.posts) == 1 else hidden
    )

    async with anyio.create_task_group() as tasks:

        async def ask() -> None:
            await anyio.sleep(20)
            stop.ask(INTERRUPTED)

        tasks.start_soon(ask)
        state = await bench.run(rows(1, 2), stop=stop)

    assert anyio.current_time() == 20
    assert state.swept is None
    assert bench.statuses(state) == [Status.CREATED] * 2
    assert (code_of(state), state.is_closed) == (ExitCode.INTERRUPTED, False)

    again = await bench.run(rows(1, 2))

    assert again.swept is not None, "the run that goes on sweeps"
    assert again.swept.expected == 2
    assert len(bench.service.posts) == 2


async def test_a_hard_stop_leaves_the_intent_to_the_next_command() -> None:
    bench = Bench(service=first_sends(Fate(answered_s=100)))
    job = bench.job(MemorySheet(rows(1)))
    batch = Batch(job)

    with job.stop.cutting_off():
        async with anyio.create_task_group() as tasks:

            async def now() -> None:
                await anyio.sleep(5)
                job.stop.now()

            tasks.start_soon(now)
            await batch.run()
    state = batch.abandon()

    assert (code_of(state), state.is_closed) == (ExitCode.INTERRUPTED, False)
    assert bench.statuses(state) == [Status.IN_DOUBT]
    again = await bench.run(rows(1))
    assert bench.statuses(again) == [Status.CREATED]
    assert len(bench.service.posts) == 1


async def test_a_terminated_run_that_is_cut_off_says_so() -> None:
    bench = Bench()
    job = bench.job(MemorySheet(rows(1)))
    batch = Batch(job)
    await batch.run()
    job.stop.ask(TERMINATED)

    assert code_of(batch.abandon()) == ExitCode.TERMINATED


# Bounds ---------------------------------------------------------------------------------------------

WRONG = {"endpoint": "http://no-tls.westeurope.kusto.windows.net"}


async def test_rejected_rows_send_nothing() -> None:
    bench = Bench()

    state = await bench.run([*rows(1, 2), cells(3, **WRONG)])

    assert bench.service.seen == []
    assert code_of(state) == ExitCode.SHEET
    assert bench.statuses(state) == [Status.NOT_ATTEMPTED] * 2 + [Status.REJECTED]
    assert bench.codes(state)[:2] == ["rejected_rows"] * 2


async def test_skip_invalid_runs_the_others() -> None:
    """Doubles are rejected as a group, although each of them is valid by itself."""
    bench = Bench()
    double = cells(2)

    state = await bench.run([cells(1), double, cells(3, **WRONG), double], skip_invalid=True)

    expected = [Status.CREATED, Status.REJECTED, Status.REJECTED, Status.REJECTED]
    assert expected == bench.statuses(state)
    assert code_of(state) == ExitCode.UNFINISHED
    assert len(bench.service.posts) == 1


async def test_an_interrupted_run_with_rejected_rows_goes_on() -> None:
    bench = Bench()
    sheet = [cells(1), cells(2, **WRONG)]
    stop = Stop()
    bench.on_event = lambda event: stop.ask(INTERRUPTED) if isinstance(event, RowSettled) else None
    first = await bench.run(sheet, stop=stop, skip_invalid=True)

    second = await bench.run(sheet, skip_invalid=True)

    assert first.number == second.number
    assert bench.statuses(second) == [Status.CREATED, Status.REJECTED]


async def test_max_rows_creates_so_many_and_the_same_command_the_next() -> None:
    bench = Bench()

    first = await bench.run(rows(*range(1, 6)), max_rows=2)
    second = await bench.run(rows(*range(1, 6)), max_rows=10)

    assert bench.statuses(first).count(Status.CREATED) == 2
    assert {"max_rows"} == set(bench.codes(first)) - {""}
    assert code_of(first) == ExitCode.AS_ASKED
    assert code_of(second) == ExitCode.OK
    assert len(bench.service.posts) == 5


async def test_max_rows_counts_what_a_crashed_process_sent() -> None:
    bench = Bench()
    bomb = Bomb()
    await Bench().run_until_crash(rows(1, 2, 3), bomb, max_rows=2)
    at = [i for i, point in enumerate(bomb.points, 1) if point == "after create"][1]
    assert not await bench.run_until_crash(rows(1, 2, 3), Bomb(at), max_rows=2)

    state = await bench.run(rows(1, 2, 3), max_rows=2)

    assert len(bench.service.posts) == 2
    assert bench.statuses(state).count(Status.CREATED) == 2


@pytest.mark.parametrize(
    ("most", "failed"), [(FailureLimit(rows=3), 3), (FailureLimit(share=0.1), 2)]
)
async def test_max_failures_stops_the_run(most: FailureLimit, failed: int) -> None:
    """As a number, or as a share of the rows that are to be done."""
    bench = Bench(
        service=creates(lambda seen: flow_error("1308-400")), orgs=[org("acme", rate=2.0)]
    )

    state = await bench.run(rows(*range(1, 21)), max_failures=most)

    assert failed == bench.statuses(state).count(Status.FAILED)
    assert code_of(state) == ExitCode.STOPPED
    assert "max_failures" in bench.codes(state)


async def test_one_refused_row_is_its_own_matter() -> None:
    bench = Bench(service=first_sends(flow_error("1308-400"), of=rows(2)))

    state = await bench.run(rows(1, 2, 3))

    assert bench.statuses(state) == [Status.CREATED, Status.FAILED, Status.CREATED]
    assert bench.codes(state)[1] == "FLOW-1308-400"


# The ledger -----------------------------------------------------------------------------------------


@dataclass
class BrokenDisk(Append):
    """Writes until a line of this kind comes, and no more from then on."""

    ledger: SqliteLedger
    kind: type[object]
    is_full: bool = False

    async def append(self, lines: Sequence[Line]) -> None:
        if self.is_full or any(isinstance(line.entry, self.kind) for line in lines):
            self.is_full = True
            raise LedgerError("the disk is full")
        await InPlace(self.ledger).append(lines)


async def test_a_ledger_that_is_taken_away_stops_the_run_and_not_its_report() -> None:
    """
    Nothing more is sent, in no lane; what was answered is written to the file that is held.

    The run stays open: where the folder comes back, the same command goes on with it.
    """
    bench = Bench(orgs=(org("acme", rate=1), org("beta", rate=1)))
    sheet = rows(*range(1, 31)) + rows(*range(31, 61), org="beta")

    @dataclass
    class Taken(Append):
        intents: int = 0

        async def append(self, lines: Sequence[Line]) -> None:
            self.intents += any(isinstance(line.entry, Sending) for line in lines)
            if self.intents > 5 and any(isinstance(line.entry, Sending) for line in lines):
                raise LedgerGoneError("reports/ledger.sqlite3 was removed")
            await InPlace(bench.ledger).append(lines)

    taken = Taken()
    state = await bench.run(sheet, writer=lambda run: RunWriter(taken, run=run, clock=bench.clock))

    assert code_of(state) == ExitCode.LEDGER
    assert not state.is_closed
    sent = len(bench.service.posts)
    assert 0 < sent <= 5
    assert Counter(bench.statuses(state)) == {
        Status.CREATED: sent, Status.NOT_ATTEMPTED: 60 - sent,
    }  # fmt: skip
    assert "was removed" in str(state.stops)

    again = await bench.run(sheet)

    assert again.number == state.number
    assert bench.statuses(again) == [Status.CREATED] * 60
    assert bench.service.twice() == []


async def run_on_broken_disk(bench: Bench, sheet: Rows, kind: type[object]) -> None:
    disk = BrokenDisk(bench.ledger, kind)

    def writer(run: int) -> RunWriter:
        return RunWriter(disk, run=run, clock=bench.clock)

    with pytest.raises(LedgerError, match="full"):
        await bench.run(sheet, writer=writer)


async def test_an_intent_that_cannot_be_written_sends_nothing() -> None:
    bench = Bench()

    await run_on_broken_disk(bench, rows(1, 2, 3), Sending)

    assert bench.service.posts == []
    state = await bench.run(rows(1, 2, 3))
    assert bench.statuses(state) == [Status.CREATED] * 3


async def test_an_outcome_that_cannot_be_written_is_found_by_its_marker() -> None:
    """Nothing more is sent; the next command finds what was made."""
    bench = Bench(service=creates(lambda seen: Fate(answered_s=1)), orgs=[org("acme", rate=2.0)])

    await run_on_broken_disk(bench, rows(*range(1, 11)), Settled)

    sent = len(bench.service.posts)
    assert sent <= 4
    state = await bench.run(rows(*range(1, 11)))
    assert bench.broken_promises(state, 10) == []
    assert bench.statuses(state) == [Status.CREATED] * 10
    reconciled = [
        row.shown.reconciled for row in bench.rows(state) if isinstance(row.shown, Created)
    ]
    assert sent == sum(reconciled)
    assert len(bench.service.posts) == 10


async def test_what_lanes_tell_stands_in_the_ledger() -> None:
    bench = Bench(service=creates(lambda seen: Fate(answered_s=2)))

    state = await bench.run(rows(1))

    told = [getattr(line.entry, "event", None) for line in bench.ledger.run_lines(state.number)]
    (counted,) = [event for event in told if isinstance(event, LaneCounted)]
    assert (counted.org, counted.created, counted.throttled) == ("acme", 1, 0)
    assert isinstance(bench.events[-1], RunFinished)


async def test_a_clock_that_is_set_back_makes_no_negative_duration() -> None:
    """An hour back in mid-run: nobody waits less than nothing."""

    class SetBack(Bench):
        @property
        def clock(self) -> Clock:
            right = super().clock
            return replace(
                right, now_ms=lambda: right.now_ms() - 3_600_000 * (right.monotonic_s() > 1)
            )

    bench = SetBack(service=creates(lambda seen: Fate(answered_s=5)))
    await bench.run(rows(1))

    (finished,) = bench.heard(RunFinished)
    assert finished.duration_s == 0


@dataclass
class BadPart(Append):
    """A ledger that takes no intent of some rows: of one lane's, for one commit fails and others do not."""

    ledger: SqliteLedger
    rows: AbstractSet[int]
    kind: type[object] = Sending
    failures: int = sys.maxsize
    """How often it fails; then all is well again."""

    async def append(self, lines: Sequence[Line]) -> None:
        if any(isinstance(line.entry, self.kind) and line.row in self.rows for line in lines):
            self.failures -= 1
            if self.failures >= 0:
                raise LedgerError("the disk is full")
        await InPlace(self.ledger).append(lines)

    def writer(self, bench: Bench) -> Callable[[int], RunWriter]:
        return lambda run: RunWriter(self, run=run, clock=bench.clock)


async def test_a_lane_that_cannot_write_stops_and_the_others_go_on() -> None:
    """Its rows are not attempted, with the reason; nothing of it was sent; a rerun brings them home."""
    bench = Bench()
    sheet = rows(1, 3) + rows(2, 4, org="beta")
    bad = BadPart(bench.ledger, {3, 4})

    state = await bench.run(sheet, writer=bad.writer(bench))

    stopped = [row.shown for row in bench.rows(state) if isinstance(row.shown, NotAttempted)]
    (stop,) = bench.heard(LaneStopped)
    assert [seen.org_id for seen in bench.service.posts] == [ACME.org_id] * 2
    assert Counter(bench.statuses(state)) == {Status.CREATED: 2, Status.NOT_ATTEMPTED: 2}
    assert {outcome.code for outcome in stopped} == {"lane_stopped"}
    assert all("the disk is full" in outcome.detail for outcome in stopped)
    assert (stop.org, stop.code) == ("beta", "ledger")
    assert code_of(state) == ExitCode.UNFINISHED
    again = await bench.run(sheet)
    assert Counter(bench.statuses(again)) == {Status.EXISTING: 2, Status.CREATED: 2}
    assert bench.service.twice() == []


async def test_where_no_lane_can_write_the_run_ends_and_stays_open() -> None:
    """As one whose ledger is unusable; with room again the same command goes on."""
    bench = Bench()
    sheet = rows(1) + rows(2, org="beta")
    bad = BadPart(bench.ledger, {1, 2})

    with pytest.raises(LedgerError, match="full"):
        await bench.run(sheet, writer=bad.writer(bench))

    assert bench.service.posts == []
    state = await bench.run(sheet)
    assert state.resumes == 1
    assert bench.statuses(state) == [Status.CREATED] * 2


async def test_an_outcome_is_kept_and_written_when_there_is_room_again() -> None:
    """A disk that is full for a moment costs no look-up, and stops nobody."""
    bench = Bench()
    bad = BadPart(bench.ledger, {1}, kind=Settled, failures=3)

    state = await bench.run(rows(1, 2), writer=bad.writer(bench))

    (first, _) = bench.rows(state)
    assert bench.statuses(state) == [Status.CREATED] * 2
    assert isinstance(first.shown, Created)
    assert not first.shown.reconciled
    assert code_of(state) == ExitCode.OK


async def test_what_lanes_tell_is_kept_until_it_can_be_written() -> None:
    """Rows do not wait for it, and nothing of it is told twice."""
    bench = Bench(service=creates(lambda seen: Fate(answered_s=2)))
    bad = BadPart(bench.ledger, {None}, kind=LaneTold, failures=1)  # type: ignore[arg-type]  # a line of no row
    bench.service.denied[BETA.org_id] = DENIED

    state = await bench.run(rows(1) + rows(2, org="beta"), writer=bad.writer(bench))

    told = [getattr(line.entry, "event", None) for line in bench.ledger.run_lines(state.number)]
    assert [event.org for event in told if isinstance(event, LaneStopped)] == ["beta"]
    assert sorted(event.org for event in told if isinstance(event, LaneCounted)) == ["acme", "beta"]
    assert bad.failures < 0


async def test_a_full_disk_under_what_lanes_tell_ends_the_run_as_well() -> None:
    bench = Bench()
    bench.service.denied[BETA.org_id] = DENIED

    await run_on_broken_disk(bench, rows(1) + rows(2, org="beta"), LaneTold)


# Rows -----------------------------------------------------------------------------------------------


async def test_an_unexpected_exception_is_that_rows_alone() -> None:
    """It may have been sent when the exception came up, so it is looked for by its marker."""
    odd = judged(cells(2)).marker

    class Odd(FakeService):
        async def send(self, request: object) -> Response:
            answer = await super().send(request)  # type: ignore[arg-type]
            if self.seen[-1].marker == odd and len(self.posts) <= 3:
                raise ZeroDivisionError
            return answer

    bench = Bench(service=Odd(), orgs=[org("acme", rate=1.0)])

    state = await bench.run(rows(1, 2, 3))

    assert bench.statuses(state) == [Status.CREATED] * 3
    assert [event.code for event in bench.heard(RowInDoubt)] == ["internal_fault"]
    assert bench.broken_promises(state, 3) == []


class ChangingSheet(MemorySheet):
    """A sheet whose second row is not what it was when it is read again."""

    is_changed = False

    def at(self, place: int) -> Row:
        row = super().at(place)
        if place == 1 and self.is_changed:
            return replace(row, cells={**row.cells, **WRONG})  # type: ignore[dict-item]
        return row


async def test_a_sheet_that_changes_in_mid_run_stops_the_lane() -> None:
    bench = Bench(orgs=[org("acme", rate=1.0)])
    sheet = ChangingSheet(rows(1, 2, 3))
    bench.on_event = lambda event: (
        setattr(sheet, "is_changed", True) if isinstance(event, SandboxListed) else None
    )

    state = await bench.run(sheet)

    assert [stop.code for stop in state.stops] == ["sheet_changed"]
    assert bench.service.posts == []
    assert code_of(state) == ExitCode.UNFINISHED


async def test_a_sheet_that_changes_before_its_rows_turn_stops_the_lane() -> None:
    bench = Bench(orgs=[org("acme", rate=1.0)])
    sheet = ChangingSheet(rows(1, 2, 3))
    bench.on_event = lambda event: (
        setattr(sheet, "is_changed", True) if isinstance(event, RowSettled) else None
    )
    bench.limits = Limits(concurrency=1)

    state = await bench.run(sheet)

    assert bench.statuses(state) == [Status.CREATED, Status.NOT_ATTEMPTED, Status.NOT_ATTEMPTED]
    assert len(bench.service.posts) == 1


class CountingSheet(MemorySheet):
    """A sheet that notes which of its rows are read again."""

    def __init__(self, rows: Rows) -> None:
        super().__init__(rows)
        self.read: list[int] = []

    def at(self, place: int) -> Row:
        self.read.append(place)
        return super().at(place)


async def test_where_nothing_stands_and_nothing_was_sent_no_row_is_planned() -> None:
    """Each is read again when its turn comes, and only then."""
    bench = Bench()
    sheet = CountingSheet(rows(1, 2, 3))

    state = await bench.run(sheet)

    assert bench.statuses(state) == [Status.CREATED] * 3
    assert sorted(sheet.read) == [0, 1, 2]


async def test_doubles_use_up_no_budget() -> None:
    """They are out before the first row's turn."""
    bench = Bench()
    double = cells(2)

    state = await bench.run([double, double, cells(3)], skip_invalid=True, max_rows=1)

    assert bench.statuses(state) == [Status.REJECTED, Status.REJECTED, Status.CREATED]


async def test_only_leaves_rows_out_and_a_later_run_takes_them() -> None:
    bench = Bench()

    first = await bench.run(rows(1, 2), is_selected=lambda row: row.number == 1)
    second = await bench.run(rows(1, 2))

    assert bench.codes(first) == ["", "not_selected"]
    assert code_of(first) == ExitCode.OK
    assert bench.statuses(second) == [Status.EXISTING, Status.CREATED]


async def test_a_row_that_only_left_out_is_done_when_the_run_goes_on_with_all() -> None:
    bench = Bench()
    stop = Stop()
    bench.on_event = lambda event: stop.ask(INTERRUPTED) if isinstance(event, RowSettled) else None

    first = await bench.run(rows(1, 2), is_selected=lambda row: row.number == 1, stop=stop)
    bench.on_event = lambda event: None
    second = await bench.run(rows(1, 2))

    assert first.number == second.number
    assert bench.statuses(second) == [Status.CREATED] * 2


# Doubts ---------------------------------------------------------------------------------------------


async def test_a_lost_answer_is_found_by_its_marker() -> None:
    bench = Bench(service=first_sends(lost(shown_s=20)))

    state = await bench.run(rows(1))

    (row,) = bench.rows(state)
    assert isinstance(row.shown, Created)
    assert row.shown.reconciled
    assert len(bench.service.posts) == 1
    assert 20 < anyio.current_time() < 65, "long before the window ends"
    assert code_of(state) == ExitCode.OK


async def test_the_window_counts_from_the_doubt_and_not_from_the_intent() -> None:
    """The answer was waited for 140 s; what was proven absent goes out 180 s after that."""
    bench = Bench(service=first_sends(lost(applied_s=None, answered_s=140)))

    await bench.run(rows(1))

    first, second = [seen.at for seen in bench.service.posts]
    assert 140 + S <= second - first < 140 + S + 10


@pytest.mark.parametrize(
    ("boots", "since"), [("aaa", 50), ("aab", 100), ("abb", 50)], ids=["same", "third", "second"]
)
async def test_a_second_crash_does_not_start_the_window_again(boots: str, since: float) -> None:
    """
    The process dies at 50 s and at 100 s: one window, from the first recovery on.

    After another boot nobody knows how long ago that was, so it counts from the recovery there.
    """
    bench = Bench(service=first_sends(lost(applied_s=None, answered_s=100)))
    for boot in boots[:2]:
        bench.boot_id = boot
        await bench.run_until_crash(rows(1), Bomb(), after_s=50)
    bench.boot_id = boots[2]

    state = await bench.run(rows(1))

    assert bench.statuses(state) == [Status.CREATED]
    assert since + S <= bench.service.posts[1].at < since + S + 10


@pytest.mark.parametrize("boots", ["bcc", "bbb"])
async def test_a_recovery_in_another_boot_is_stored_as_well(boots: str) -> None:
    """A doubt that was written in an earlier boot: a second crash in this one counts on."""
    bench = Bench(service=first_sends(lost(applied_s=None)), boot_id="a")
    await bench.run_until_crash(rows(1), Bomb(), after_s=50)
    for boot in boots[:2]:
        bench.boot_id = boot
        await bench.run_until_crash(rows(1), Bomb(), after_s=50)
    bench.boot_id = boots[2]

    await bench.run(rows(1))

    since = 100 if boots == "bcc" else 50
    assert since + S <= bench.service.posts[1].at < since + S + 10


async def test_a_boot_without_a_name_settles_its_own_doubts() -> None:
    """macOS names no boot: each recovery counts anew, and within a process the window still passes."""
    bench = Bench(service=first_sends(lost(applied_s=None)), boot_id="")

    state = await bench.run(rows(1))

    assert bench.statuses(state) == [Status.CREATED]
    assert S < anyio.current_time() < S + 20


async def test_doubts_of_one_sandbox_share_their_listings() -> None:
    """Fifty rows in doubt cost as many look-ups as one."""
    reads = []
    for count in (1, 50):
        bench = Bench(service=first_sends(lost(shown_s=50)))
        await bench.run(rows(*range(1, count + 1)))
        reads.append(len(bench.service.reads(ACME)))

    one, fifty = reads
    assert fifty <= one + 4


async def test_an_interruption_in_the_last_doubt_buys_no_further_send() -> None:
    """A send that ended in doubt is spent, whichever process takes the doubt up."""
    bench = Bench(service=creates(lambda seen: lost(applied_s=None)))
    stop = Stop()

    def hear(_event: Event) -> None:
        if len(bench.heard(RowInDoubt)) == MOST_SENDS:
            stop.ask(INTERRUPTED)

    bench.on_event = hear
    await bench.run(rows(1), stop=stop)
    bench.on_event = lambda _event: None
    state = await bench.run(rows(1))

    assert state.resumes == 1
    assert len(bench.service.posts) == MOST_SENDS
    assert bench.codes(state) == ["never_applied"]


@pytest.mark.parametrize("stops", [1, MOST_SENDS])
async def test_a_row_that_is_stopped_before_it_leaves_is_not_used_up(stops: int) -> None:
    """Its intent stands while it waits for its pace; only answers that were lost count, however often it is stopped."""
    nothing, of_second = lost(applied_s=None), judged(rows(2)[0]).marker
    bench = Bench(
        service=creates(lambda seen: nothing if seen.marker == of_second else None),
        orgs=[org("acme", rate=0.1)],
    )

    for _ in range(stops):
        stop = Stop()

        def hear(event: Event, stop: Stop = stop) -> None:
            if isinstance(event, RowStarted) and event.row == 2:
                stop.ask(INTERRUPTED)

        bench.on_event = hear
        await bench.run(rows(1, 2), stop=stop)
    bench.on_event = lambda _event: None
    state = await bench.run(rows(1, 2))

    second = [*state.rows(bench.ledger.row_lines(state.number))][1]
    assert (second.sends, second.unsent) == (stops + MOST_SENDS, stops)
    assert len(bench.service.posts) == 1 + MOST_SENDS
    assert bench.codes(state) == ["", "never_applied"]
    assert [step.what for step in second.steps].count("sent again") == MOST_SENDS - 1


async def test_what_is_never_applied_fails_after_three_sends() -> None:
    bench = Bench(service=creates(lambda seen: lost(applied_s=None)))

    state = await bench.run(rows(1))

    assert bench.codes(state) == ["never_applied"]
    assert len(bench.service.posts) == 3
    assert 3 * S < anyio.current_time() < 3 * S + 60
    assert code_of(state) == ExitCode.UNFINISHED


@pytest.mark.parametrize("before", [[], [9]], ids=["a new ledger", "one that has sent"])
async def test_what_stands_there_after_its_absence_was_proven_is_not_sent_again(
    before: list[int],
) -> None:
    """It came later than the settle window allows: the look before the second send sees it, and it is found."""
    bench = Bench(service=first_sends(lost(applied_s=None), of=rows(1)))
    if before:
        await bench.run(rows(*before))

    def arrive(event: Event) -> None:
        if isinstance(event, Settling) and not event.waiting:
            bench.on_event = lambda event: None
            bench.service.plant(judged(cells(1)))

    bench.on_event = arrive

    state = await bench.run(rows(1))

    assert bench.statuses(state) == [Status.CREATED]
    assert [seen.marker for seen in bench.service.posts].count(judged(cells(1)).marker) == 1
    assert bench.service.twice() == []
    assert code_of(state) == ExitCode.OK


@pytest.mark.parametrize("status", [409, 412])
async def test_a_409_that_is_proven_absent_was_a_refusal(status: int) -> None:
    """It is looked for and never sent again."""
    bench = Bench(service=creates(lambda seen: refused(status, {"message": "already there"})))

    state = await bench.run(rows(1))

    assert bench.statuses(state) == [Status.FAILED]
    assert len(bench.service.posts) == 1


async def test_a_409_whose_marker_stands_there_is_adopted() -> None:
    answer = replace(refused(409, {"message": "already there"}), applied_s=0.0)
    bench = Bench(service=creates(lambda seen: answer))

    state = await bench.run(rows(1))

    assert bench.statuses(state) == [Status.CREATED]


async def test_hold_leaves_it_to_a_person_and_a_rerun_sends_it() -> None:
    """It stays in doubt, exit 6; the window is not waited out again, only what a listing may lag."""
    bench = Bench(service=first_sends(lost(applied_s=None)))
    bench.policy = Policy(on_doubt=OnDoubt.HOLD)

    first = await bench.run(rows(1))

    assert bench.statuses(first) == [Status.IN_DOUBT]
    assert bench.codes(first) == ["held"]
    assert len(bench.service.posts) == 1
    assert code_of(first) == ExitCode.IN_DOUBT

    still = await bench.run(rows(1))
    assert bench.codes(still) == ["held"], "another run accounts for the doubt as well"

    bench.policy, began = Policy(), anyio.current_time()
    second = await bench.run(rows(1))
    assert bench.statuses(second) == [Status.CREATED]
    assert anyio.current_time() - began < 80


async def test_duplicates_by_marker_are_reported_and_kept() -> None:
    bench = Bench(service=first_sends(lost()))
    bench.service.plant(judged(cells(2)))
    bench.service.plant(judged(cells(2)))
    bench.ledger.append([])

    state = await bench.run(rows(1, 2))

    assert bench.statuses(state) == [Status.CREATED, Status.CONFLICT]
    assert bench.codes(state)[1] == "duplicated"
    assert state.swept is not None
    assert (judged(cells(2)).marker,) == state.swept.duplicated
    assert code_of(state) == ExitCode.IN_DOUBT
    assert len(bench.service.stored) == 3


async def test_a_doubt_that_was_made_twice_is_a_conflict() -> None:
    """Somebody else made it, too, from a copy of the sheet."""
    bench = Bench(service=first_sends(lost()))
    plant_on_doubt(bench, judged(cells(1)))

    state = await bench.run(rows(1))

    assert bench.codes(state) == ["duplicated"]


async def test_a_possible_match_stays_in_doubt() -> None:
    """The same target under another name may be ours: a person decides."""
    bench = Bench(service=first_sends(lost(applied_s=None)))
    other = judged(cells(1, name="Another name"))
    plant_on_doubt(bench, other, description="by hand")

    state = await bench.run(rows(1))

    assert bench.codes(state) == ["possible_match"]
    assert code_of(state) == ExitCode.IN_DOUBT
    assert len(bench.service.posts) == 1


async def test_what_stands_under_the_rows_name_is_adopted_when_the_doubt_is_absent() -> None:
    bench = Bench(service=first_sends(lost(applied_s=None)))
    same = judged(cells(1))
    plant_on_doubt(bench, same, description="by hand")

    state = await bench.run(rows(1))

    assert bench.statuses(state) == [Status.EXISTING]
    assert getattr(bench.rows(state)[0].shown, "matched_by", None) == MatchedBy.NAME_AND_TARGET


async def test_ten_doubts_in_a_row_pause_the_lane_then_one_row_at_a_time() -> None:
    """A gateway that died: a handful of doubts, not the sheet; when it is back, all goes on."""
    dead_until = 600.0
    bench = Bench(
        service=creates(lambda seen: refused(504) if anyio.current_time() < dead_until else None),
        orgs=[org("acme", rate=None)],
    )

    state = await bench.run(rows(*range(1, 61)))

    early = [seen.at for seen in bench.service.posts if seen.at < dead_until]
    assert 10 <= len(early) <= 25, len(early)
    assert bench.statuses(state) == [Status.CREATED] * 60
    assert bench.broken_promises(state, 60) == []
    assert "doubts" in {event.reason for event in bench.heard(LanePaused)}


@pytest.mark.slow
async def test_two_hundred_rows_with_lost_answers_cost_one_window_for_each_round() -> None:
    """20 % are lost, half of them never applied: the work, one window, and the sweep; not one each."""
    bench = Bench(orgs=[org("acme", rate=10.0)])
    sent: list[str | None] = []

    def choose(seen: Seen) -> Fate | None:
        if seen.marker is None or seen.marker in sent:
            return None
        sent.append(seen.marker)
        match len(sent) % 10:
            case 0:
                return lost(applied_s=None)
            case 5:
                return lost(applied_s=110, shown_s=50)
            case _:
                return None

    bench.service.choose = choose

    state = await bench.run(rows(*range(1, 201)))

    assert bench.statuses(state) == [Status.CREATED] * 200
    assert bench.broken_promises(state, 200) == []
    assert len(bench.service.posts) == 220
    work_s = 220 / 10
    assert anyio.current_time() < work_s + S + 60


# Other processes ------------------------------------------------------------------------------------


async def test_a_new_ledger_that_meets_young_markers_of_its_rows_waits_and_lists_again() -> None:
    """Its predecessor may have been lost in mid-run; nothing more has come, so it goes on."""
    bench = Bench()
    bench.service.plant(judged(cells(1)))

    state = await bench.run(rows(1, 2))

    assert bench.statuses(state) == [Status.EXISTING, Status.CREATED]
    assert S <= bench.service.posts[0].at < S + 5
    assert [event.reason for event in bench.heard(LanePaused)] == ["waits_for_settle"]


async def test_where_more_of_its_rows_come_the_lane_stops_and_sends_nothing() -> None:
    """
    Somebody else is at work, or a run that died is still arriving: exit 5, and what exists is told.

    The next command finds what has come, and nothing comes any more.
    """
    bench = Bench()
    bench.service.plant(judged(cells(1)))
    bench.service.plant(judged(cells(2)), applied_at=100.0, shown_at=150.0)

    state = await bench.run(rows(1, 2, 3))

    assert bench.statuses(state) == [Status.EXISTING, Status.EXISTING, Status.NOT_ATTEMPTED]
    assert [stop.code for stop in state.stops] == ["somebody_else"]
    assert "(1, newest 80 s ago)" in state.stops[0].detail
    assert code_of(state) == ExitCode.LEDGER
    assert bench.service.posts == []

    again = await bench.run(rows(1, 2, 3))

    assert bench.statuses(again) == [Status.EXISTING, Status.EXISTING, Status.CREATED]
    assert code_of(again) == ExitCode.OK
    assert bench.service.twice() == []


async def test_what_others_have_made_whole_needs_no_stop() -> None:
    """All rows exist by the second look: nothing is to be sent, by nobody."""
    bench = Bench()
    bench.service.plant(judged(cells(1)))
    bench.service.plant(judged(cells(2)), applied_at=100.0, shown_at=150.0)

    state = await bench.run(rows(1, 2))

    assert bench.statuses(state) == [Status.EXISTING] * 2
    assert code_of(state) == ExitCode.OK


async def test_a_run_with_nothing_to_create_never_waits() -> None:
    bench = Bench(rules=Rules(settle_first=True))
    for number in (1, 2):
        bench.service.plant(judged(cells(number)))

    state = await bench.run(rows(1, 2))

    assert bench.statuses(state) == [Status.EXISTING] * 2
    assert anyio.current_time() < 5


async def two_at_once(
    first: Rows, second: Rows, *, rate: float = 1
) -> tuple[Bench, Bench, list[int]]:
    """Two people, each with a ledger of their own, the second 8 s after the first."""
    orgs = (org("acme", rate=rate),)
    service = FakeService()
    one, two = Bench(service=service, orgs=orgs), Bench(service=service, orgs=orgs)
    codes = [-1, -1]

    async def begin(at: int, bench: Bench, sheet: Rows, after_s: float) -> None:
        await anyio.sleep(after_s)
        codes[at] = code_of(await bench.run(sheet))

    async with anyio.create_task_group() as people:
        people.start_soon(begin, 0, one, first, 0)
        people.start_soon(begin, 1, two, second, 8)
    return one, two, codes


@pytest.mark.slow
async def test_two_ledgers_over_one_sheet_double_nothing() -> None:
    """The second one meets young rows of its own sheet, waits, finds more of them, and stops."""
    sheet = rows(*range(1, 301))
    one, two, codes = await two_at_once(sheet, sheet)

    assert one.service.twice() == []
    assert codes == [ExitCode.OK, ExitCode.LEDGER]
    assert two.lines(Sending) == []


@pytest.mark.slow
async def test_two_sandboxes_of_one_lane_are_stopped_alike() -> None:
    """Who creates the rows of the first one comes to those of the second later."""
    sheet = rows(*range(1, 151)) + rows(*range(151, 301), sandbox="dev")
    one, two, codes = await two_at_once(sheet, sheet)

    assert one.service.twice() == []
    assert codes == [ExitCode.OK, ExitCode.LEDGER]
    assert two.lines(Sending) == []


async def test_two_colleagues_with_two_sheets_in_one_sandbox_disturb_nobody() -> None:
    one, two, codes = await two_at_once(rows(*range(1, 61)), rows(*range(61, 121)))

    assert codes == [ExitCode.OK] * 2
    assert len(one.service.posts) == 120
    assert anyio.current_time() < 8 + 60 + 5
    assert two.heard(LanePaused) == []


async def test_an_old_copy_of_the_ledger_waits_as_a_new_one_does() -> None:
    """What it never heard of was sent by its younger self, and may be arriving still."""
    bench = Bench()
    await bench.run(rows(1))
    old = MortalLedger()
    bench.ledger._db.backup(old._db)
    await bench.run(rows(1, 2))
    bench.service.plant(judged(cells(3)), applied_at=100.0, shown_at=150.0)

    bench.ledger = old
    began = anyio.current_time()
    state = await bench.run(rows(1, 2, 3, 4))

    assert code_of(state) == ExitCode.LEDGER
    assert anyio.current_time() >= began + S
    assert len(bench.service.posts) == 2


@pytest.mark.slow
async def test_a_plan_that_has_grown_old_is_looked_up_again() -> None:
    """The lane is slow; somebody else begins with its last rows."""
    bench = Bench(orgs=(org("acme", rate=1),))
    for number in range(250, 301):
        bench.service.plant(judged(cells(number)), applied_at=100.0, shown_at=100.0)

    state = await bench.run(rows(*range(1, 301)))

    assert bench.service.twice() == []
    assert code_of(state) == ExitCode.LEDGER
    assert 240 < len(bench.service.posts) < 250


class Trouble(FakeService):
    """Lists by the moment of the create, as it says; what becomes of a listing of the newest is a test's."""

    def __init__(self, fate: Callable[[int], Fate | None], *, cut_from_s: float = inf) -> None:
        super().__init__()
        self.looks: list[float] = []
        self._fate = fate
        self._cut_from_s = cut_from_s

    async def send(self, request: Request) -> Response:
        """As the service does."""
        self.stored.sort(key=lambda stored: stored.applied_at)
        if "orderby=-createdAt" in unquote(request.url):
            self.looks.append(anyio.current_time())
            fate = self._fate(len(self.looks))
            self.choose = lambda _seen: fate
        answer = await super().send(request)
        self.choose = lambda _seen: None
        if "limit=" not in request.url or anyio.current_time() < self._cut_from_s:
            return answer
        items = orjson.loads(answer.body)["items"][:10]
        return replace(answer, body=orjson.dumps({"items": items}))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("service", "theirs", "at_s", "code"),
    [
        (Trouble(lambda look: None, cut_from_s=S), range(200, 301), 100.0, ExitCode.UNFINISHED),
        (
            Trouble(lambda look: lost(answered_s=60) if look < 5 else None),
            range(200, 301),
            20.0,
            ExitCode.LEDGER,
        ),
        (
            Trouble(
                lambda look: refused(429, None, **{"retry-after": "150"}) if look == 1 else None
            ),
            range(500, 1001),
            480.0,
            ExitCode.LEDGER,
        ),
    ],
    ids=["its pages are cut", "it does not answer for minutes", "it wants to be left alone"],
)
async def test_a_look_at_what_is_new_misses_nothing_that_the_whole_would_show(
    service: Trouble, theirs: range, at_s: float, code: ExitCode
) -> None:
    """Somebody else creates this sheet's last rows, while the service is in trouble."""
    bench = Bench(service=service, orgs=(org("acme", rate=1),))
    for number in theirs:
        service.plant(judged(cells(number)), applied_at=at_s, shown_at=at_s)
    for number in range(2_000, 2_400):
        service.plant(judged(cells(number)), applied_at=400.0, shown_at=400.0)

    state = await bench.run(rows(*range(1, theirs.stop)), sweep=False)

    # What leaves between their create and the next look of ours, a window later at the most, no look can keep back.
    assert len(service.twice()) <= (S if at_s > S else 0)
    assert code_of(state) == code


@pytest.mark.slow
@pytest.mark.parametrize(("keeps_order", "most"), [(True, 40), (False, 180)])
async def test_a_sandbox_that_takes_longer_to_read_than_a_window_leaves_time_for_the_rows(
    keeps_order: bool, most: int
) -> None:
    """
    Read again, it is read down to where it was known, or seldom: never as a whole for each row.

    3,000 connections are 30 pages, and so five minutes of a lane that may send one request in ten seconds.
    """
    bench = Bench(orgs=(org("acme", rate=0.1),))
    stands = bench.service.plant(judged(cells(999)), applied_at=-9e6, shown_at=-9e6, marker=None)
    for number in range(1, 3_000):
        one = replace(stands, id=str(uuid5(UUID(int=1), str(number))), name=f"Old {number}")
        bench.service.stored.append(one)
    bench.service.keeps_order = keeps_order

    state = await bench.run(rows(*range(1, 101)), sweep=False)

    assert bench.statuses(state) == [Status.CREATED] * 100
    assert len(bench.service.reads(ACME)) < most


@pytest.mark.slow
async def test_a_sandbox_that_cannot_be_looked_up_again_is_stopped() -> None:
    bench = Bench(orgs=(org("acme", rate=1),))
    bench.service.choose = lambda seen: (
        refused(502) if seen.purpose is Purpose.READ and anyio.current_time() > 5 else None
    )

    state = await bench.run(rows(*range(1, 301)))

    assert [stop.code for stop in state.stops] == ["listing_failed"]
    assert len(bench.service.posts) < 200


async def test_old_markers_cost_a_new_ledger_nothing() -> None:
    bench = Bench()
    bench.service.plant(judged(cells(1)))
    await anyio.sleep(S + 1)

    await bench.run(rows(1, 2))

    assert anyio.current_time() < S + 5


async def test_settle_first_waits_always() -> None:
    bench = Bench(rules=Rules(settle_first=True))

    await bench.run(rows(1))

    assert bench.service.posts[0].at >= S


async def test_a_doubt_is_counted_from_the_last_send_of_any_run() -> None:
    """
    The sheet was edited and reverted: the first run goes on, although another has sent the row since.

    Its own window is long over, and yet the other's request may still be applied.
    """
    fates = [lost(applied_s=None), lost(applied_s=115)]
    bench = Bench(service=creates(lambda seen: fates.pop(0) if fates else None))
    await bench.run_until_crash(rows(1), Bomb(), after_s=10)
    other = [*rows(1), *rows(3, org="beta")]
    fates.insert(0, Fate())
    await bench.run_until_crash(other, Bomb(), after_s=S + 10)

    state = await bench.run(rows(1))

    assert state.number == 1
    assert bench.service.twice() == []
    assert bench.statuses(state) == [Status.CREATED]


# The sweep ------------------------------------------------------------------------------------------


async def test_a_run_that_created_something_is_swept_and_waits_for_nothing() -> None:
    """Nothing was in doubt, and the first look shows all."""
    bench = Bench()

    state = await bench.run(rows(1, 2))

    assert state.swept is not None
    assert (state.swept.expected, state.swept.found, state.swept.is_clean) == (2, 2, True)
    assert anyio.current_time() < 5


async def test_a_run_that_created_nothing_is_not_swept() -> None:
    """Given again, it reads what the plan reads, and no more."""
    bench = Bench()
    await bench.run(rows(1))

    assert (await bench.run(rows(1))).swept is None


async def test_a_run_with_doubts_is_swept() -> None:
    bench = Bench(service=first_sends(lost(), of=rows(1)))

    state = await bench.run(rows(1, 2) + rows(3, org="beta"))

    assert Swept(expected=3, found=3, duplicated=(), missing=()) == state.swept


async def test_a_crash_after_the_last_outcome_is_swept_as_well() -> None:
    """Nothing is left to do, and yet nobody has compared the run with the service."""
    bench, bomb = Bench(), Bomb()
    await Bench().run_until_crash(rows(1, 2), bomb)

    assert not await bench.run_until_crash(rows(1, 2), Bomb(len(bomb.points) - 1))
    state = await bench.run(rows(1, 2))

    assert Swept(expected=2, found=2, duplicated=(), missing=()) == state.swept


async def test_what_somebody_deleted_in_mid_run_is_missing() -> None:
    bench = Bench(service=first_sends(lost(shown_s=30), of=rows(1)))
    gone = judged(cells(2)).marker

    def delete(event: object) -> None:
        if isinstance(event, Settling):
            for stored in bench.service.stored:
                if stored.marker == gone:
                    stored.applied_at = stored.shown_at = float("inf")

    bench.on_event = delete

    state = await bench.run(rows(1, 2))

    assert state.swept is not None
    assert ((gone,), 1) == (state.swept.missing, state.swept.found)
    assert code_of(state) == ExitCode.IN_DOUBT


# What stands there ----------------------------------------------------------------------------------


async def deleted(bench: Bench) -> None:
    """A run made row 1, and somebody deleted it since."""
    await bench.run(rows(1))
    bench.service.stored.clear()


async def test_what_was_deleted_since_is_a_conflict_and_stays_one() -> None:
    bench = Bench()
    await deleted(bench)

    for _ in range(2):
        state = await bench.run(rows(1))

        assert bench.codes(state) == ["deleted_since"]
        assert len(bench.service.posts) == 1


async def test_recreate_makes_again_what_was_deleted_since() -> None:
    bench = Bench(rules=Rules(recreate=True))
    await deleted(bench)

    state = await bench.run(rows(1))

    assert bench.statuses(state) == [Status.CREATED]


async def test_recreate_does_not_trust_a_listing_that_lags() -> None:
    """What was made a second ago is not shown yet: GET knows it, and it is not made again."""
    bench = Bench(service=first_sends(Fate(shown_s=50)), rules=Rules(recreate=True))
    await bench.run(rows(1))

    state = await bench.run(rows(1))

    assert bench.statuses(state) == [Status.EXISTING]
    assert bench.service.twice() == []


# A rerun --------------------------------------------------------------------------------------------


def chain_of(bench: Bench, parent: RunState, today: Rows) -> ParentRun:
    """The parent, held against today's sheet."""
    sheet = MemorySheet(today)
    chain = ParentRun(bench.rows(parent))
    chain.look_ahead(sheet, parser(sheet, bench.orgs))
    return chain


async def test_a_rerun_settles_the_doubt_of_a_row_that_is_gone() -> None:
    """The row cannot be sent any more, and is looked for all the same."""
    bench = Bench(service=first_sends(lost(applied_s=None), of=rows(1)))
    bench.policy = Policy(on_doubt=OnDoubt.HOLD)
    parent = await bench.run(rows(1, 2))
    assert bench.statuses(parent) == [Status.IN_DOUBT, Status.CREATED]

    bench.policy = Policy()
    chain = chain_of(bench, parent, rows(2))
    state = await bench.run(rows(2), carry_over=chain.carry_over, gone=chain.gone, resumed=None)

    assert {Status.CREATED, Status.NOT_ATTEMPTED} == set(bench.statuses(state))
    assert "proven_absent" in bench.codes(state)
    assert len(bench.service.posts) == 2


async def test_a_rerun_inherits_what_is_done_though_its_row_is_gone() -> None:
    bench = Bench(service=first_sends(flow_error("1308-400"), of=rows(2)))
    parent = await bench.run(rows(1, 2))
    assert bench.statuses(parent) == [Status.CREATED, Status.FAILED]

    chain = chain_of(bench, parent, rows(2))
    state = await bench.run(rows(2), carry_over=chain.carry_over, gone=chain.gone, resumed=None)

    assert bench.statuses(state) == [Status.CREATED] * 2
    assert len(bench.service.posts) == 3


async def test_a_rerun_finds_the_doubt_of_a_row_that_is_gone() -> None:
    bench = Bench(service=first_sends(lost(applied_s=100), of=rows(1)))
    stop = Stop()
    bench.on_event = lambda event: stop.ask(INTERRUPTED) if isinstance(event, Settling) else None
    parent = await bench.run(rows(1, 2), stop=stop)
    bench.on_event = lambda event: None

    chain = chain_of(bench, parent, rows(2))
    state = await bench.run(rows(2), carry_over=chain.carry_over, gone=chain.gone, resumed=None)

    assert bench.statuses(state) == [Status.CREATED] * 2
    assert bench.broken_promises(state, 2) == []


async def test_a_broken_disk_under_an_orphan_ends_the_run() -> None:
    bench = Bench(service=first_sends(lost(applied_s=None), of=rows(1)))
    bench.policy = Policy(on_doubt=OnDoubt.HOLD)
    parent = await bench.run(rows(1, 2))
    chain = chain_of(bench, parent, rows(2))
    disk = BrokenDisk(bench.ledger, Doubted)

    def writer(run: int) -> RunWriter:
        return RunWriter(disk, run=run, clock=bench.clock)

    with pytest.raises(LedgerError):
        await bench.run(rows(2), carry_over=chain.carry_over, gone=chain.gone, writer=writer)


# Two rows with one id ---------------------------------------------------------------------------


def same_id(row: Mapping[str, str], *, others: Fate | None = None) -> FakeService:
    """Applies this row's create, and answers it with the id of the first connection there is."""
    marker = judged(row).marker

    def choose(seen: Seen) -> Fate | None:
        if seen.marker != marker:
            return others
        body = orjson.dumps({"id": service.stored[0].id, "etag": '"e"'})
        return Fate(answered_s=5, answer=Response(status=201, body=body))

    service = creates(choose)
    return service


def found_by_marker(bench: Bench, state: RunState) -> dict[str | None, str]:
    """The ids of the rows that were looked for."""
    return {
        row.marker: row.outcome.connection_id
        for row in states(bench, state)
        if isinstance(row.outcome, Created) and row.outcome.reconciled
    }


def states(bench: Bench, state: RunState) -> list[RowState]:
    return list(fold_rows(bench.ledger.row_lines(state.number)))


@pytest.mark.parametrize("of_the_second", ["acme", "beta"], ids=["in one lane", "in two lanes"])
async def test_two_rows_with_one_id_are_both_doubts_and_looked_for(of_the_second: str) -> None:
    """Before anybody hears that one of them is created for good; each ends with its own connection."""
    second = cells(2, of_the_second)
    service = same_id(second)
    bench = Bench(service=service)
    state = await bench.run([cells(1), second])
    doubts = {event.row for event in bench.events if isinstance(event, RowInDoubt)}

    assert len(doubts) == 2
    assert code_of(state) == ExitCode.OK
    assert found_by_marker(bench, state) == {one.marker: one.id for one in service.stored}
    assert sum(lane.counted().created for lane in bench.lanes.values()) == 2


async def test_a_row_of_an_earlier_run_whose_id_is_answered_again_is_in_doubt() -> None:
    """The next command that accounts for it looks; the run that found it out does not hold it."""
    bench = Bench(service=same_id(cells(2)))
    first = await bench.run(rows(1))
    second = await bench.run(rows(2))

    assert code_of(second) == ExitCode.OK
    assert [row.shown for row in states(bench, first) if row.is_open] == [
        InDoubt(
            code="shared_id",
            detail="Two rows were answered with one id, and a connection is one row's.",
        )
    ]
    assert code_of(await bench.run(rows(1))) == ExitCode.OK
    assert not bench.ledger.open_markers()


async def test_of_two_rows_with_one_id_the_one_that_was_looked_for_is_no_doubt() -> None:
    """The listing showed its marker on that connection; what an answer says against it is wrong."""
    bench = Bench(service=same_id(cells(2), others=lost()))
    first = await bench.run(rows(1))
    second = await bench.run(rows(2))

    assert code_of(second) == ExitCode.OK
    assert not any(row.is_open for row in states(bench, first))
    assert not bench.ledger.open_markers()
