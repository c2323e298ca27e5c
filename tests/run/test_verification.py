"""A run asks whether its connections work, and goes on asking where it was cut off."""

import pytest

from batchconnect.ledger.entry import Tested
from batchconnect.model.outcome import Status, Works
from batchconnect.run.job import Tests
from batchconnect.run.task import Task, verification
from tests.fake_service import Bench, Bomb, cells

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
    for at in range(1, len(whole.points) + 1):
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
