"""`verify` of a run: a run of its own that asks each connection once, whatever cuts it off, and changes nothing."""

from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, cast

import anyio
import pytest

from batchconnect.lane.planner import KeyChoice
from batchconnect.ledger.entry import ROTATE, VERIFY, Tested
from batchconnect.ledger.group_commit import InPlace
from batchconnect.ledger.run_state import RunState
from batchconnect.ledger.run_writer import RunWriter
from batchconnect.model.errors import ExitCode, SettingsError
from batchconnect.model.org import Org
from batchconnect.model.outcome import Status, Works
from batchconnect.options import RunOptions, with_defaults
from batchconnect.run.exit_code import INTERRUPTED
from batchconnect.run.history.history import find_run, run_states, summary_of
from batchconnect.run.job import Tests
from batchconnect.run.opening.service import ConnectedService
from batchconnect.run.stop import Stop
from batchconnect.run.task import Task
from batchconnect.run.verify_run import VerifyRun
from batchconnect.validation.org_registry import OrgRegistry
from tests.fake_service import (
    ACME,
    BETA,
    DENIED,
    HOST,
    Bench,
    Bomb,
    FakeService,
    Fate,
    Seen,
    Stored,
    cells,
    deaths,
    org,
    refused,
)

pytestmark = pytest.mark.anyio

ROWS: Sequence[Mapping[str, str]] = [
    *map(cells, (1, 2, 3)),
    *(cells(number, "beta") for number in (4, 5, 6)),
]
UNREADABLE = refused(500)


async def made(bench: Bench | None = None) -> Bench:
    """A bench on which a run has created its rows."""
    bench = bench or Bench()
    await bench.run(ROWS)
    return bench


async def verify(
    bench: Bench, *, run_id: str = "run-1", stop: Stop | None = None, **chosen: Any
) -> RunState:
    """The command over a run; given again it goes on with what was cut off."""
    bench.service.ledger = bench.ledger
    service = ConnectedService(
        orgs=OrgRegistry(bench.orgs),
        host=HOST,
        settle_s=bench.policy.settle_s,
        wire=cast("Any", bench.service),
        limits=bench.limits,
        slots=anyio.CapacityLimiter(bench.limits.concurrency),
        rng=Random(0),
        on_event=bench.hear,
    )
    run = VerifyRun(
        parent=find_run(bench.ledger, run_id),
        ledger=bench.ledger,
        writer=lambda number: RunWriter(InPlace(bench.ledger), run=number, clock=bench.clock),
        service=service,
        options=with_defaults(RunOptions(**chosen)),
        clock=bench.clock,
        on_event=bench.hear,
        stop=stop or Stop(),
    )
    return await run.run()


def asked(bench: Bench) -> Counter[str]:
    """How often each connection was tested, by its id."""
    return Counter(
        seen.path.split("/")[-2] for seen in bench.service.seen if seen.path.endswith("/test")
    )


def works(bench: Bench, state: RunState) -> list[Works | None]:
    """What was said of each row's connection; None: nothing."""
    return [row.tested.works if row.tested else None for row in bench.rows(state)]


def code_of(state: RunState) -> int:
    assert state.ended is not None
    return state.ended.exit_code


def stored(bench: Bench, number: int) -> Stored:
    """The connection that stands there for a row."""
    return next(one for one in bench.service.existing() if one.name == f"Connection {number}")


def of_tests(answer: Fate, *ids: str) -> Any:
    """A chooser that gives tests of these connections, or of all, this answer."""

    def choose(seen: Seen) -> Fate | None:
        is_test = seen.path.endswith("/test")
        return answer if is_test and (not ids or seen.path.split("/")[-2] in ids) else None

    return choose


async def test_a_runs_connections_are_asked_in_a_run_of_its_own() -> None:
    bench = await made()
    before = len(bench.service.posts)

    state = await verify(bench, note="CHG-9")

    assert works(bench, state) == [Works.YES] * 6
    assert code_of(state) == ExitCode.OK
    assert (state.opened.command, state.opened.parent_run_id) == (VERIFY, "run-1")
    assert (state.opened.note, find_run(bench.ledger, "run-1").opened.note) == ("CHG-9", "")
    assert set(bench.statuses(state)) == {Status.CREATED}, "its rows are shown as the run left them"
    assert set(asked(bench).values()) == {1}
    assert (len(bench.service.posts), bench.service.updates) == (before, [])


@pytest.mark.parametrize(
    ("orgs", "told"),
    [
        ((ACME,), "row 4 has its connection in the org beta, which is not in the settings"),
        (
            (ACME, org("beta", org_id="OTHER@AdobeOrg")),
            f"row 4 has its connection in the org id {BETA.org_id}; in the settings, beta is another",
        ),
    ],
)
@pytest.mark.parametrize("only", [(), ("org=acme",)])
@pytest.mark.parametrize("is_begun", [False, True])
async def test_a_connection_whose_org_means_nothing_now_or_another_one_is_not_passed_over(
    orgs: Sequence[Org], told: str, only: Sequence[str], is_begun: bool
) -> None:
    """Though other rows are chosen: nobody is asked, and no run is opened, or goes on."""
    bench = await made()
    if is_begun:
        bench.service.choose = of_tests(UNREADABLE)
        stop = Stop()
        stop.ask(INTERRUPTED)
        await verify(bench, stop=stop)
    bench.orgs, runs = orgs, len(list(run_states(bench.ledger)))
    bench.service.seen.clear()

    with pytest.raises(SettingsError, match=told):
        await verify(bench, only=only)

    assert bench.service.seen == []
    assert len(list(run_states(bench.ledger))) == runs


async def test_a_row_without_a_connection_needs_no_org() -> None:
    """It is asked about nowhere."""
    bench = Bench()
    bench.service.choose = lambda seen: refused(400) if seen.org_id == BETA.org_id else None
    await bench.run(ROWS)
    bench.service.choose = lambda _seen: None
    bench.orgs = (ACME,)

    state = await verify(bench)

    assert works(bench, state) == [Works.YES] * 3


async def test_what_the_lanes_asked_is_counted_in_the_summary() -> None:
    bench = await made()

    state = await verify(bench)

    assert [(lane.org, lane.sent) for lane in summary_of(bench.ledger, state).lanes] == [
        ("acme", 3), ("beta", 3),
    ]  # fmt: skip


async def test_what_a_run_tests_is_counted_beside_what_it_creates() -> None:
    plain, tested = Bench(), Bench()

    without = await plain.run(ROWS)
    with_tests = await tested.run(ROWS, task=Task(tests=Tests.ALL))

    def sent(bench: Bench, state: RunState) -> int:
        return sum(lane.sent for lane in summary_of(bench.ledger, state).lanes)

    assert sent(tested, with_tests) == sent(plain, without) + len(ROWS)


async def test_one_that_does_not_work_is_exit_4() -> None:
    bench = await made()
    bench.service.bad_keys = {ROWS[1]["servicePrincipalKey"]}

    state = await verify(bench)

    assert code_of(state) == ExitCode.UNFINISHED
    assert works(bench, state).count(Works.NO) == 1
    tested = bench.rows(state)[1].tested
    assert tested is not None
    assert tested.code == "AADSTS7000215"
    assert set(bench.statuses(state)) == {Status.CREATED}, "a failed test undoes no create"


async def test_one_that_could_not_be_asked_is_exit_6() -> None:
    bench = await made()
    bench.service.choose = of_tests(UNREADABLE, stored(bench, 2).id)
    bench.service.bad_keys = {ROWS[2]["servicePrincipalKey"]}

    state = await verify(bench)

    assert code_of(state) == ExitCode.IN_DOUBT
    assert works(bench, state)[:3] == [Works.YES, Works.NOT_TESTED, Works.NO]


async def test_one_that_is_gone_could_not_be_asked() -> None:
    bench = await made()
    stored(bench, 3).gone_at = 0.0

    state = await verify(bench)

    assert code_of(state) == ExitCode.IN_DOUBT
    tested = bench.rows(state)[2].tested
    assert tested is not None
    assert (tested.works, tested.code) == (Works.NOT_TESTED, "not_found")


async def test_where_every_lane_is_refused_it_is_exit_7() -> None:
    bench = await made()
    bench.service.choose = of_tests(DENIED)

    state = await verify(bench)

    assert code_of(state) == ExitCode.STOPPED
    assert set(works(bench, state)) == {Works.NOT_TESTED}


async def test_a_refused_lane_leaves_the_others_their_tests() -> None:
    bench = await made()
    bench.service.denied[BETA.org_id] = DENIED

    state = await verify(bench)

    assert code_of(state) == ExitCode.IN_DOUBT
    assert works(bench, state) == [*[Works.YES] * 3, *[Works.NOT_TESTED] * 3]


async def test_a_stop_is_heard_and_the_same_command_goes_on() -> None:
    """Nothing that was answered is asked again."""
    bench, stop = await made(), Stop()

    def choose(seen: Seen) -> Fate | None:
        if seen.path.endswith("/test") and sum(asked(bench).values()) == 3:
            stop.ask(INTERRUPTED)
        return None

    bench.service.choose = choose
    cut = await verify(bench, stop=stop)
    told = {line.row for line in bench.lines(Tested)}
    bench.service.choose = lambda _seen: None
    again = await verify(bench)

    assert code_of(cut) == ExitCode.INTERRUPTED
    assert not cut.is_closed
    assert 0 < len(told) < 6
    assert again.opened.run_id == cut.opened.run_id
    assert works(bench, again) == [Works.YES] * 6
    assert code_of(again) == ExitCode.OK
    by_row = Counter(line.row for line in bench.lines(Tested))
    assert set(by_row.values()) == {1}


async def test_a_crash_at_any_side_effect_leaves_no_connection_untested() -> None:
    """For every N the process ends at its N-th side effect, and the same command asks for what is left."""
    bomb = Bomb()
    bench = await made()
    assert await bench.until_crash(lambda: verify(bench), bomb)
    for at in deaths(bomb.points):
        bench = await made()
        assert not await bench.until_crash(lambda: verify(bench), Bomb(at))  # noqa: B023 - awaited at once
        told = {line.marker for line in bench.lines(Tested)}
        # After its last line it is over: then the command asks all again.
        is_over = any(
            run.opened.command == VERIFY and run.is_closed for run in run_states(bench.ledger)
        )
        before = asked(bench)

        state = await verify(bench)

        assert works(bench, state) == [Works.YES] * 6, at
        assert code_of(state) == ExitCode.OK, at
        markers = {one.id: one.marker for one in bench.service.existing()}
        assert is_over or all(markers[one] not in told for one in asked(bench) - before), at


async def test_when_it_has_ended_the_command_asks_all_again_in_a_new_run() -> None:
    """It is safe to repeat, and works from cron; each line says what the last time said."""
    bench = await made()
    first = await verify(bench)
    bench.service.bad_keys = {ROWS[0]["servicePrincipalKey"]}

    second = await verify(bench)

    assert second.opened.run_id != first.opened.run_id
    assert set(asked(bench).values()) == {2, 3}
    tested = bench.rows(second)[0].tested
    assert tested is not None
    assert (tested.before, tested.works) == (Works.YES, Works.NO)


async def test_what_was_deleted_since_is_left_out() -> None:
    bench = await made()
    for number in (2, 3, 4, 5, 6):
        stored(bench, number).users = 1
    await bench.undo(1)

    state = await verify(bench)

    assert [row.number for row in bench.rows(state)] == [2, 3, 4, 5, 6]
    assert works(bench, state) == [Works.YES] * 5


async def test_a_connection_that_was_made_anew_is_the_one_that_is_asked() -> None:
    bench = await made()
    old = stored(bench, 1).id
    for number in (2, 3, 4, 5, 6):
        stored(bench, number).users = 1
    await bench.undo(1)
    await bench.run(ROWS)
    new = stored(bench, 1).id

    state = await verify(bench)

    assert new != old
    assert (asked(bench)[new], asked(bench)[old]) == (1, 0)
    first = bench.rows(state)[0]
    assert (first.made, first.tested and first.tested.works) == (new, Works.YES)


async def test_a_key_that_was_sent_since_has_no_test_before_it() -> None:
    """What was said of the old key says nothing of the new one."""
    bench = await made()
    bench.service.bad_keys = {ROWS[0]["servicePrincipalKey"]}
    await verify(bench)
    new = [{**row, "servicePrincipalKey": f"new~{row['servicePrincipalKey']}"} for row in ROWS]
    await bench.run(new, task=Task(command=ROTATE, keys=KeyChoice()))

    state = await verify(bench)

    assert works(bench, state) == [Works.YES] * 6
    assert {row.tested and row.tested.before for row in bench.rows(state)} == {None}


async def test_only_what_is_chosen_is_asked() -> None:
    bench = await made()

    state = await verify(bench, only=("org=beta",))

    assert [row.planned and row.planned.org for row in bench.rows(state)] == ["beta"] * 3
    assert sum(asked(bench).values()) == 3


async def test_rows_without_a_connection_are_not_asked_about() -> None:
    bench = Bench(service=FakeService())
    bench.service.denied[BETA.org_id] = DENIED
    await bench.run(ROWS)
    bench.service.denied.clear()

    state = await verify(bench)

    assert len(bench.rows(state)) == 3
    assert code_of(state) == ExitCode.OK


async def test_what_another_run_brought_home_is_asked_as_well() -> None:
    """The rows of a run are asked about as they stand today: a later run created those that it left."""
    bench = Bench(service=FakeService())
    bench.service.denied[BETA.org_id] = DENIED
    await bench.run(ROWS)
    bench.service.denied.clear()
    await bench.run(ROWS, parent="run-1")

    state = await verify(bench)

    assert works(bench, state) == [Works.YES] * 6


async def test_a_connection_whose_key_could_not_be_sent_is_asked_all_the_same() -> None:
    """A rerun left it to a person: it stands there, and does not work."""
    bench = await made()
    bench.service.bad_keys = {ROWS[0]["servicePrincipalKey"]}
    await verify(bench)
    stored(bench, 1).change("client-of-a-colleague", database="other")
    new = [{**row, "servicePrincipalKey": f"new~{row['servicePrincipalKey']}"} for row in ROWS]
    rerun = await bench.run(new, parent="run-1")

    state = await verify(bench, run_id=rerun.opened.run_id)

    assert bench.statuses(rerun)[0] == Status.CONFLICT
    assert works(bench, state) == [Works.NO, *[Works.YES] * 5]
    assert code_of(state) == ExitCode.UNFINISHED


async def test_a_connection_whose_key_a_rerun_sent_is_asked() -> None:
    bench = await made()
    bench.service.bad_keys = {ROWS[0]["servicePrincipalKey"]}
    await verify(bench)
    new = [{**row, "servicePrincipalKey": f"new~{row['servicePrincipalKey']}"} for row in ROWS]
    rerun = await bench.run(new, parent="run-1")

    state = await verify(bench, run_id=rerun.opened.run_id)

    assert bench.statuses(state) == [Status.UPDATED, *[Status.CREATED] * 5]
    assert works(bench, state) == [Works.YES] * 6
