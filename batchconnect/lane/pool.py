"""
At most N at once: takes items as long as there are any, and works on each beside the others.

It knows nothing of rows or lanes and could move to another project. The capacity is asked again before
each item, so it may grow and shrink while the pool runs.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Generic, TypeVar

import anyio

T = TypeVar("T")


class Pool(Generic[T]):
    """
    Works on items with bounded concurrency.

    Args:
        take: Gives the next item, or None where there is none now. It is asked only when there is room,
            so nothing is read ahead.
        more: Waits until there may be a next item; False: there will be no more.
        work: What is done with one item. It must not raise for one item's sake: what it raises ends
            the pool and cancels the others.
        capacity: How many items may be worked on at once, now; below 1 counts as 1.
    """

    def __init__(
        self,
        *,
        take: Callable[[], T | None],
        more: Callable[[], Awaitable[bool]],
        work: Callable[[T], Awaitable[None]],
        capacity: Callable[[], int],
    ) -> None:
        self._take = take
        self._more = more
        self._work = work
        self._capacity = capacity
        self._room: anyio.Event | None = None
        """Of whoever waits for room; most often nobody does, and then there is nothing to set."""
        self.active = 0
        """Items that are being worked on."""

    def recheck(self) -> None:
        """Say that the capacity may have grown."""
        # Whoever waits is only woken for something: that takes a turn of the loop, and an event for the next time.
        if self._room is not None and self._has_room():
            self._room.set()
            self._room = None

    async def run(self) -> None:
        """Return when the last item is done."""
        async with anyio.create_task_group() as tasks:
            while True:
                await self._until_there_is_room()
                item = self._take()
                if item is not None:
                    self.active += 1
                    tasks.start_soon(self._work_on, item)
                elif not await self._more():
                    return

    async def _until_there_is_room(self) -> None:
        while not self._has_room():
            self._room = anyio.Event()
            await self._room.wait()

    def _has_room(self) -> bool:
        return self.active < max(1, self._capacity())

    async def _work_on(self, item: T) -> None:
        following: T | None = item
        while following is not None:
            try:
                await self._work(following)
            finally:
                self.active -= 1
            # Where there is more to do, the task goes on with it: a new one costs more than a commit.
            following = self._take() if self._has_room() else None
            self.active += following is not None
            self.recheck()


async def work_on_all(
    items: Iterable[T], work: Callable[[T], Awaitable[None]], *, at_once: int
) -> None:
    """Work on each of many items, so many at once; an item is taken as its turn comes."""
    rest = iter(items)

    async def no_more() -> bool:
        return False

    await Pool(
        take=lambda: next(rest, None), more=no_more, work=work, capacity=lambda: at_once
    ).run()
