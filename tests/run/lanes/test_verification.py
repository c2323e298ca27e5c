"""A run asks whether its connections work, and goes on asking where it was cut off."""

import pytest

from batchconnect.lane.lane import Lane
from batchconnect.ledger.entry import Tested
from batchconnect.model.errors import ExitCode
from batchconnect.model.event import RowTested
from batchconnect.model.outcome import Status, Works
from batchconnect.run.exit_code import INTERRUPTED
from batchconnect.run.job import Tests
from batchconnect.run.stop import Stop
from batchconnect.run.task import Task, verification
from tests.fake_service import ACME, Bench, Bomb, Fate, Seen, cells, deaths, refused

pytestmark = pytest.mark.anyio

ROWS = [cells(number) for number in range(1, 5)]
VERIFYING = Task(tests=Tests.ALL)


def bench() -> Bench:
    """One of the rows has a key that its source does not take."""
    made = Bench()
    made.service.bad_keys = {ROWS[1]["servicePrincipalKey"]}
    return made


async def test_a_crash_at_any_side_effect_leaves_the_rows_as_without_it() -> None:
    """Created stays created, and what was answered is not asked again by the process that goes on."""
    whole = Bomb()
    assert await bench().run_until_crash(ROWS, whole, task=VERIFYING)
    for at in deaths(whole.points):
        world = bench()
        assert not await world.run_until_crash(ROWS, Bomb(at), task=VERIFYING)
        answered = {line.row for line in world.lines(Tested)}
        is_closed = any(state.is_closed for state in world.states())

        state = await world.run(ROWS, task=VERIFYING)

        expected = Status.EXISTING if is_closed else Status.CREATED
        assert set(world.statuses(state)) == {expected}, at
        assert [row.tested and row.tested.works for row in world.rows(state)] == [
            Works.YES, Works.NO, Works.YES, Works.YES,
        ]  # fmt: skip
        if not is_closed:
            asked = [line.row for line in world.lines(Tested)]
            assert all(asked.count(row) == 1 for row in answered), at


async def test_a_test_says_what_the_one_before_it_had_said() -> None:
    """Whichever run asked, so that a nightly verification tells what changed."""
    world = bench()
    await world.run(ROWS, task=VERIFYING)
    world.service.bad_keys = {ROWS[2]["servicePrincipalKey"]}

    state = await world.run(ROWS, task=verification())

    told = [(row.tested.before, row.tested.works) for row in world.rows(state) if row.tested]
    assert told == [
        (Works.YES, Works.YES),
        (Works.NO, Works.YES),
        (Works.YES, Works.NO),
        (Works.YES, Works.YES),
    ]


def banned(seen: Seen) -> Fate | None:
    """One org's tests are answered by a wait that no run is patient enough for."""
    if seen.org_id != ACME.org_id or not seen.path.endswith("/test"):
        return None
    return refused(429, {"error_code": "429050"}, **{"retry-after": "7200"})


TO_BETA = [cells(9, "beta")]


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        pytest.param(ROWS, ExitCode.STOPPED, id="each lane was sent away"),
        pytest.param([*ROWS, *TO_BETA], ExitCode.IN_DOUBT, id="another lane was answered"),
    ],
)
async def test_a_ban_among_the_tests_is_no_success(
    rows: list[dict[str, str]], code: ExitCode
) -> None:
    """`verify` of a sheet: what was never asked is told as not tested, and why."""
    world = Bench()
    await world.run(rows)
    world.service.choose = banned

    state = await world.run(rows, task=verification())

    told = [row.tested and (row.tested.works, row.tested.code) for row in world.rows(state)]
    others = [(Works.YES, "")] * (len(rows) - len(ROWS))
    assert told == [*[(Works.NOT_TESTED, "banned_until")] * len(ROWS), *others]
    assert state.ended is not None
    assert state.ended.exit_code == code


async def test_a_ban_among_the_tests_of_a_run_is_no_success_either() -> None:
    """`run --verify`: the connections are created all the same."""
    world = Bench()
    world.service.choose = banned

    state = await world.run(ROWS, task=VERIFYING)

    assert set(world.statuses(state)) == {Status.CREATED}
    assert {row.tested and row.tested.code for row in world.rows(state)} == {"banned_until"}
    assert state.ended is not None
    assert state.ended.exit_code == ExitCode.STOPPED


async def test_a_fault_of_ours_leaves_what_it_kept_from_being_tested_as_not_tested(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = Bench()
    await world.run(ROWS)

    async def broken(lane: Lane, sandbox: str, connection_id: str) -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr(Lane, "test", broken)
    state = await world.run(ROWS, task=verification())

    assert [row.tested and row.tested.code for row in world.rows(state)] == ["internal_fault"] * 4
    assert state.ended is not None
    assert state.ended.exit_code == ExitCode.IN_DOUBT


async def test_a_stop_that_was_asked_for_says_nothing_of_what_is_left() -> None:
    """The same command goes on with it."""
    world, stop = Bench(orgs=(ACME,)), Stop()
    rows = [cells(number) for number in range(1, 60)]
    await world.run(rows)
    world.on_event = lambda event: stop.ask(INTERRUPTED) if isinstance(event, RowTested) else None

    state = await world.run(rows, task=verification(), stop=stop)

    told = [row.tested.works for row in world.rows(state) if row.tested is not None]
    assert 0 < len(told) < len(rows)
    assert set(told) == {Works.YES}
    assert state.ended is not None
    assert (state.ended.exit_code, state.is_closed) == (ExitCode.INTERRUPTED, False)
