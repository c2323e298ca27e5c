"""At most N at once, and nothing read ahead."""

from collections.abc import Awaitable, Callable

import anyio
import anyio.lowlevel
import pytest

from batchconnect.lane.pool import Pool, work_on_all

pytestmark = pytest.mark.anyio


class Belt:
    """Items one after the other, and a note of how many were worked on when each was taken."""

    def __init__(self, count: int) -> None:
        self._left = iter(range(count))
        self.taken: list[int] = []
        self.done: list[int] = []
        self.most = 0
        self.now = 0

    def take(self) -> int | None:
        item = next(self._left, None)
        if item is not None:
            self.taken.append(self.now)
        return item

    async def more(self) -> bool:
        await anyio.lowlevel.checkpoint()
        return False

    async def work(self, item: int) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        await anyio.sleep(1)
        self.now -= 1
        self.done.append(item)


def pool(
    belt: Belt,
    capacity: Callable[[], int],
    work: Callable[[int], Awaitable[None]] | None = None,
) -> Pool[int]:
    return Pool(take=belt.take, more=belt.more, work=work or belt.work, capacity=capacity)


async def test_every_item_is_worked_on_once() -> None:
    """None ends the pool, when the last item is done."""
    belt = Belt(10)
    await pool(belt, lambda: 3).run()

    assert sorted(belt.done) == list(range(10))


async def test_never_more_than_the_capacity() -> None:
    """Ten seconds of work by three take four seconds."""
    belt = Belt(10)
    began = anyio.current_time()
    await pool(belt, lambda: 3).run()

    assert belt.most == 3
    assert anyio.current_time() - began == 4


async def test_an_item_is_taken_only_when_there_is_room() -> None:
    """Nothing is read ahead: a sheet of a million rows costs what is in flight."""
    belt = Belt(10)
    await pool(belt, lambda: 2).run()

    assert max(belt.taken) <= 1


async def test_a_capacity_below_one_counts_as_one() -> None:
    """It goes on, slowly, instead of waiting for ever."""
    belt = Belt(3)
    await pool(belt, lambda: 0).run()

    assert (belt.most, len(belt.done)) == (1, 3)


async def test_the_capacity_may_shrink_and_grow() -> None:
    """Asked again before each item; who makes it grow says so."""
    belt = Belt(12)
    capacity = 4
    most: list[int] = []
    working = pool(belt, lambda: capacity)

    async def change() -> None:
        nonlocal capacity
        await anyio.sleep(0.5)
        most.append(belt.now)
        capacity = 1
        await anyio.sleep(1)
        most.append(belt.now)
        capacity = 3
        working.recheck()
        await anyio.sleep(0.1)
        most.append(belt.now)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(working.run)
        tasks.start_soon(change)

    assert most == [4, 1, 3]
    assert len(belt.done) == 12


async def test_a_slot_is_freed_when_work_raises() -> None:
    """But the pool ends: an error is no item's matter, and the others are cancelled."""
    belt = Belt(10)

    async def work(item: int) -> None:
        if item == 1:
            raise ValueError("a mistake")
        await belt.work(item)

    working = pool(belt, lambda: 3, work)
    with pytest.raises(ExceptionGroup) as caught:
        await working.run()

    assert caught.group_contains(ValueError, match="a mistake")
    assert working.active == 0
    assert belt.done == []


async def test_an_item_that_is_long_in_coming_holds_up_nothing() -> None:
    """What was taken is worked on while the next one is waited for."""
    done: list[float] = []
    items = [0]

    async def more() -> bool:
        await anyio.sleep(10)
        items.append(1)
        return anyio.current_time() - began < 15

    async def work(_: int) -> None:
        done.append(anyio.current_time() - began)

    def take() -> int | None:
        return items.pop() if items else None

    began = anyio.current_time()
    await Pool(take=take, more=more, work=work, capacity=lambda: 1).run()

    assert done == [0, 10]


async def test_all_of_many_items_are_worked_on_so_many_at_once() -> None:
    """Each is taken as its turn comes, and nothing is waited for but the work."""
    now, most, done = 0, 0, []

    async def work(item: int) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await anyio.sleep(1)
        now -= 1
        done.append(item)

    began = anyio.current_time()
    await work_on_all(iter(range(7)), work, at_once=3)

    assert (sorted(done), most) == (list(range(7)), 3)
    assert anyio.current_time() - began == 3
