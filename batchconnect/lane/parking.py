"""
Rows whose keys stand in a store that is in trouble: put aside, so that the lane's other rows go on.

A store is tried by one request at a time while it is in trouble, whatever number of rows wait for it; they come
back in their order when it is over, or when it is given up and each of them is told so.
"""

from collections.abc import Callable

import anyio
from anyio.abc import TaskGroup

from batchconnect.lane.plan import Waiting


class Parking:
    """
    The rows of one lane that wait for a store.

    Args:
        back: Takes the rows back, in their order.
    """

    def __init__(self, back: Callable[[list[Waiting]], None]) -> None:
        self._back = back
        self._tasks: TaskGroup | None = None
        self._parked: dict[anyio.Event, list[Waiting]] = {}
        self._scopes: set[anyio.CancelScope] = set()

    @property
    def are_any(self) -> bool:
        """Whether rows will come back."""
        return bool(self._parked)

    def begin(self, tasks: TaskGroup) -> None:
        """Wait in this group from now on."""
        self._tasks = tasks

    def park(self, waiting: Waiting, over: anyio.Event) -> None:
        """
        Put a row aside.

        Args:
            waiting: The row.
            over: Set when it may go on.
        """
        assert self._tasks is not None
        if over in self._parked:
            self._parked[over].append(waiting)
        else:
            self._parked[over] = [waiting]
            self._tasks.start_soon(self._wait, over)

    def stop(self) -> None:
        """No row comes back any more."""
        self._parked.clear()
        for scope in self._scopes:
            scope.cancel()

    async def _wait(self, over: anyio.Event) -> None:
        with anyio.CancelScope() as scope:
            self._scopes.add(scope)
            await over.wait()
        self._scopes.discard(scope)
        rows = self._parked.pop(over, [])
        if rows:
            self._back(rows)
