"""
At most N at once: takes items as long as there are any, and works on each in a task of its own.

It knows nothing of rows or lanes and could move to another project. The capacity is asked again before
each item, so it may grow and shrink while the pool runs.
"""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import anyio

T = TypeVar("T")


class Pool(Generic[T]):
    """
    Works on items with bounded concurrency.

    Args:
        take: Gives the next item, waiting for it if need be; None: there will be no more. It is asked
            only when there is room, so nothing is read ahead.
        work: What is done with one item. It must not raise for one item's sake: what it raises ends
            the pool and cancels the others.
        capacity: How many items may be worked on at once, now; below 1 counts as 1.
    """

    def __init__(
        self,
        *,
        take: Callable[[], Awaitable[T | None]],
        work: Callable[[T], Awaitable[None]],
        capacity: Callable[[], int],
    ) -> None:
        self._take = take
        self._work = work
        self._capacity = capacity
        self._room = anyio.Event()
        self.active = 0
        """Items that are being worked on."""

    def recheck(self) -> None:
        """Say that the capacity may have grown."""
        self._room.set()

    async def run(self) -> None:
        """Return when the last item is done."""
        async with anyio.create_task_group() as tasks:
            while True:
                await self._until_there_is_room()
                item = await self._take()
                if item is None:
                    return
                self.active += 1
                tasks.start_soon(self._run_one, item)

    async def _until_there_is_room(self) -> None:
        while self.active >= max(1, self._capacity()):
            self._room = anyio.Event()
            await self._room.wait()

    async def _run_one(self, item: T) -> None:
        try:
            await self._work(item)
        finally:
            self.active -= 1
            self._room.set()
