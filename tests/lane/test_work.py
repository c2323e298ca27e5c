"""One lane's part of a run: what it decides, what it sends, and what ends it."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import anyio
import pytest

from batchconnect.lane.planner import Rules
from batchconnect.ledger.entry import Doubted, Line, ProvenAbsent, Settled
from batchconnect.ledger.group_commit import Append, InPlace
from batchconnect.ledger.run_writer import RunWriter
from batchconnect.ledger.sqlite.store import SqliteLedger
from batchconnect.model.errors import ExitCode, LedgerError
from batchconnect.model.event import (
    Event,
    LaneStopped,
    RowInDoubt,
    RowSettled,
    SandboxListed,
    Settling,
)
from batchconnect.model.outcome import Status
from batchconnect.run.exit_code import INTERRUPTED
from batchconnect.run.stop import Stop
from batchconnect.transport.interface import Purpose, Request, Response
from tests.fake_service import (
    ACME,
    DENIED,
    Bench,
    Bomb,
    FakeService,
    Fate,
    Seen,
    cells,
    flow_error,
    judged,
    lost,
    org,
    refused,
)

pytestmark = pytest.mark.anyio


@dataclass
class Commits(Append):
    """Writes, counts the commits with settled rows, and refuses the lines of one kind."""

    ledger: SqliteLedger
    refuse: type[object] | None = None
    settling: int = 0

    async def append(self, lines: Sequence[Line]) -> None:
        if self.refuse and any(isinstance(line.entry, self.refuse) for line in lines):
            raise LedgerError("the disk is full")
        self.settling += any(isinstance(line.entry, Settled) for line in lines)
        await InPlace(self.ledger).append(lines)

    def writer(self, bench: Bench) -> object:
        return lambda run: RunWriter(self, run=run, clock=bench.clock)


def _is(seen: Seen, number: int) -> bool:
    return seen.marker == judged(cells(number)).marker


def first_and_second(first: Fate, second: Fate) -> Bench:
    """A bench whose first two rows meet these fates, whichever is sent first."""
    fates = {judged(cells(1)).marker: first, judged(cells(2)).marker: second}
    return Bench(service=FakeService(lambda seen: fates.get(seen.marker or "")))


@pytest.mark.slow
async def test_rows_that_stand_there_already_share_their_commits() -> None:
    """1,100 existing rows cost three commits, not one each."""
    bench = Bench()
    sheet = [cells(number) for number in range(1, 1101)]
    for row in sheet:
        bench.service.plant(judged(row))
    commits = Commits(bench.ledger)
    await anyio.sleep(200)

    state = await bench.run(sheet, writer=commits.writer(bench))

    assert {Status.EXISTING} == set(bench.statuses(state))
    assert commits.settling == 3
    assert len(bench.heard(RowSettled)) == 1100


async def test_a_sandbox_that_waits_delays_no_other_of_its_lane() -> None:
    """Its listing takes long; the other's rows are done meanwhile."""
    bench = Bench(
        service=FakeService(lambda seen: Fate(answered_s=20) if seen.sandbox == "dev" else None)
    )
    done: dict[str, float] = {}

    def hear(event: Event) -> None:
        if isinstance(event, RowSettled):
            done[event.sandbox] = anyio.current_time()

    bench.on_event = hear

    state = await bench.run([cells(1), cells(2, sandbox="dev")])

    assert bench.statuses(state) == [Status.CREATED] * 2
    assert done["prod"] < 6
    assert done["dev"] > 20


async def test_where_others_create_rows_of_one_sandbox_the_lane_s_other_rows_wait_too() -> None:
    """Who creates these may come to those next, so both are looked at again."""
    bench = Bench()
    bench.service.plant(judged(cells(2, sandbox="dev")))

    state = await bench.run(
        [cells(1), cells(2, sandbox="dev"), cells(3, sandbox="dev"), *map(cells, range(4, 30))]
    )

    created, existing = Status.CREATED, Status.EXISTING
    assert bench.statuses(state) == [created, existing, *[created] * 27]
    assert all(seen.at > 180 for seen in bench.service.posts[2:])
    assert {seen.sandbox for seen in bench.service.reads(ACME) if seen.at > 180} == {"dev", "prod"}


async def test_a_full_disk_in_the_plan_ends_the_run() -> None:
    bench = Bench()
    bench.service.plant(judged(cells(1)))
    await anyio.sleep(200)

    with pytest.raises(LedgerError):
        await bench.run([cells(1)], writer=Commits(bench.ledger, Settled).writer(bench))


@pytest.mark.parametrize("kind", [ProvenAbsent, Doubted])
async def test_a_full_disk_under_a_doubt_ends_the_run(kind: type[object]) -> None:
    bench = Bench(service=FakeService(lambda seen: lost(applied_s=None) if seen.marker else None))

    with pytest.raises(LedgerError):
        await bench.run([cells(1)], writer=Commits(bench.ledger, kind).writer(bench))

    assert len(bench.service.posts) == 1


async def test_a_lane_that_is_denied_while_it_looks_leaves_its_doubts() -> None:
    """The right was withdrawn in mid-run: what is in doubt stays so, and says so."""
    bench = Bench(service=FakeService(lambda seen: lost(shown_s=100) if seen.marker else None))

    def hear(event: Event) -> None:
        if isinstance(event, Settling):
            bench.service.denied[ACME.org_id] = DENIED

    bench.on_event = hear

    state = await bench.run([cells(1)])

    assert bench.statuses(state) == [Status.IN_DOUBT]
    assert [stop.code for stop in bench.heard(LaneStopped)] == ["403025"]
    assert (state.ended and state.ended.exit_code) == ExitCode.IN_DOUBT


async def test_a_refused_lane_settles_its_doubts_as_far_as_it_is_let() -> None:
    """It may read and not write any more: what is in doubt is found, the rest not attempted."""
    bench = first_and_second(lost(shown_s=20, answered_s=2), replace(DENIED, answered_s=1))

    state = await bench.run([cells(1), cells(2)])

    assert bench.statuses(state) == [Status.CREATED, Status.FAILED]
    assert 20 < anyio.current_time() < 65


async def test_a_doubt_whose_lane_was_refused_is_not_sent_again() -> None:
    bench = first_and_second(lost(applied_s=None, answered_s=2), replace(DENIED, answered_s=1))

    state = await bench.run([cells(1), cells(2)])

    assert bench.codes(state) == ["lane_stopped", "403025"]
    assert len(bench.service.posts) == 2


async def test_a_sandbox_that_was_stopped_takes_no_resend() -> None:

    bench = first_and_second(
        lost(applied_s=None, answered_s=2), replace(flow_error("2100-404"), answered_s=1)
    )

    state = await bench.run([cells(1), cells(2)])

    assert bench.codes(state) == ["sandbox_stopped", "FLOW-2100-404"]
    assert len(bench.service.posts) == 2


class SlowReads(FakeService):
    """Each page takes a second; how many sandboxes are read at once is noted."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = 0
        self.most = 0

    async def send(self, request: Request) -> Response:
        if request.purpose is not Purpose.READ:
            return await super().send(request)
        self.reading += 1
        self.most = max(self.most, self.reading)
        await anyio.sleep(1)
        self.reading -= 1
        return await super().send(request)


async def test_a_few_sandboxes_of_a_lane_are_planned_at_once() -> None:
    """What stands in them is held in memory meanwhile; one that waits its window holds up none."""
    service = SlowReads()
    bench = Bench(service=service, orgs=[org("acme", rate=100.0)])

    state = await bench.run([cells(number, sandbox=f"s{number}") for number in range(1, 8)])

    assert service.most == 4
    assert bench.statuses(state) == [Status.CREATED] * 7


async def test_a_stop_ends_a_sandboxs_wait() -> None:
    """Nobody waits three minutes for a plan that will not be acted upon."""
    bench = Bench(rules=Rules(settle_first=True))
    stop = Stop()

    async with anyio.create_task_group() as tasks:

        async def ask() -> None:
            await anyio.sleep(10)
            stop.ask(INTERRUPTED)

        tasks.start_soon(ask)
        state = await bench.run([cells(1)], stop=stop)

    assert anyio.current_time() == 10
    assert bench.codes(state) == ["interrupted"]


async def test_a_stop_in_a_listing_is_no_trouble_of_the_sandbox() -> None:
    """The listing that the stop cut off is not told as one that failed."""
    bench = Bench(
        service=FakeService(lambda seen: refused(429) if seen.purpose is Purpose.READ else None)
    )
    stop = Stop()

    async with anyio.create_task_group() as tasks:

        async def ask() -> None:
            await anyio.sleep(3)
            stop.ask(INTERRUPTED)

        tasks.start_soon(ask)
        state = await bench.run([cells(1)], stop=stop)

    assert bench.heard(LaneStopped) == []
    assert bench.codes(state) == ["interrupted"]


async def test_a_lane_that_is_halted_from_the_start_does_nothing() -> None:
    bench = Bench()
    lane = bench.lane()
    lane.halt("interrupted")

    state = await bench.run([cells(1)], lane_of=lambda key: lane)

    assert bench.service.seen == []
    assert bench.heard(LaneStopped) == []
    assert bench.statuses(state) == [Status.NOT_ATTEMPTED]


async def test_rows_without_an_intent_go_on_beside_the_doubts_of_an_earlier_process() -> None:
    bench = Bench(service=FakeService())
    bench.service.choose = lambda seen: lost(applied_s=None) if _is(seen, 1) else None

    await bench.run_until_crash([cells(1), cells(2)], Bomb(), after_s=2)
    bench.service.choose = lambda seen: None
    bench.events.clear()
    done: dict[int, float] = {}

    def hear(event: Event) -> None:
        if isinstance(event, RowSettled):
            done[event.row] = anyio.current_time()

    bench.on_event = hear
    sheet = [cells(1), cells(2), cells(3)]

    state = await bench.run(sheet)

    assert bench.statuses(state) == [Status.CREATED, Status.EXISTING, Status.CREATED]
    assert [event.row for event in bench.heard(RowInDoubt)] == [1]
    assert done[3] < 5
    assert done[1] > 180


async def test_each_sandbox_is_told_when_it_was_read() -> None:
    bench = Bench()
    bench.service.plant(judged(cells(9)))

    await bench.run([cells(9), cells(1, sandbox="dev")])

    told = {event.sandbox: event.connections for event in bench.heard(SandboxListed)}
    assert told == {"prod": 1, "dev": 0}


@pytest.mark.slow
async def test_a_lane_that_was_cut_down_to_one_request_gets_up_again() -> None:
    """A minute of refusals, each by itself, cuts the requests in flight to one; then answers are slow."""
    creates = itertools.count()

    def fate(seen: Seen) -> Fate | None:
        if seen.marker is None:
            return None
        is_refused = anyio.current_time() < 60 and next(creates) % 8 == 7
        return (
            refused(429) if is_refused else Fate(answered_s=0.2 if anyio.current_time() < 60 else 2)
        )

    bench = Bench(service=FakeService(fate), orgs=(org("acme", rate=None),))

    state = await bench.run([cells(number) for number in range(600)])

    assert set(bench.statuses(state)) == {Status.CREATED}
    # One after the other, what is left would take a quarter of an hour.
    assert anyio.current_time() < 300
