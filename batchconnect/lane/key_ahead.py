"""
Looks up the keys of the rows that come next, in the order in which they will be sent.

A store may take longer to answer than the pace leaves between two rows. So the keys of a few rows are looked
up before their turn. For each that is not there in time one more is looked up ahead, up to as many as may be on
their way: so at most twice as many keys are held as rows may be in flight.
"""

from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractContextManager
from typing import Final

import anyio
from anyio.abc import TaskGroup

from batchconnect.model.errors import SheetError
from batchconnect.model.outcome import NotAttempted, Rejected
from batchconnect.model.reference import Reference
from batchconnect.model.secret import Secret
from batchconnect.validation.connection import BaseConnection

Ready = Callable[[BaseConnection], Awaitable[BaseConnection | Rejected | NotAttempted]]
"""`Keys.ready`: a connection with its key, wherever that is kept, or why it has none."""
InTrouble = Callable[[BaseConnection], anyio.Event | None]
"""`Keys.trouble`: set when the trouble of the store is over that a row's key stands in; None: there is none."""
Holding = Callable[[Secret], AbstractContextManager[None]]
"""`Redactor.holding`: what leaves the process meanwhile does not show the secret."""


_FIRST_WINDOW: Final = 4
"""Rows that are looked up ahead at first: a store that answers at once needs no more."""

_LOOK_S: Final = 0.25
"""Seconds after which somebody who waits for a key looks whether its store is in trouble by now."""


class _Ahead:
    """A row whose key is being looked up, or is held until it is sent."""

    __slots__ = ("connection", "found", "is_found", "is_taken", "scope")

    def __init__(self, connection: BaseConnection) -> None:
        self.connection = connection
        self.found: BaseConnection | Rejected | NotAttempted | None = None
        self.is_found = anyio.Event()
        self.is_taken = anyio.Event()
        self.scope = anyio.CancelScope()


class KeysAhead:
    """
    The keys of one lane's next rows.

    Args:
        load: Reads a row by its place in the sheet.
        ready: Looks up a key; it must not raise for one row's sake.
        trouble: Whether the store of a row's key is in trouble.
        holding: Keeps a key out of every text while it is held here.
        most: How many rows may be on their way, now; no more are looked up ahead.
    """

    def __init__(
        self,
        *,
        load: Callable[[int], BaseConnection],
        ready: Ready,
        trouble: InTrouble,
        holding: Holding,
        most: Callable[[], int],
    ) -> None:
        self._load = load
        self._ready = ready
        self._trouble = trouble
        self._holding = holding
        self._most = most
        self._tasks: TaskGroup | None = None
        self._window = _FIRST_WINDOW
        self._coming: dict[int, _Ahead] = {}
        """By the row's place in the sheet: rows whose turn is still to come."""
        self._due: dict[int, _Ahead] = {}
        """Likewise: rows whose turn has come."""
        self._at_work: set[_Ahead] = set()
        self.is_wanted = False
        """Whether a key was met that has to be looked up; a sheet without such keys has nothing ahead."""
        self._is_stopped = False

    def begin(self, tasks: TaskGroup) -> None:
        """Look up in this group from now on."""
        self._tasks = tasks

    def stop(self) -> None:
        """Look no further: no row is begun any more."""
        self._is_stopped = True
        for one in self._at_work:
            one.scope.cancel()

    def look(self, places: Iterable[int]) -> None:
        """
        Begin to look up the next rows' keys, as far as there is room.

        Args:
            places: Where the next rows stand in the sheet, in the order in which they will be sent.
        """
        # A sheet without references costs nothing: its rows are read when their turn comes.
        if self._tasks is None or not self.is_wanted or self._is_stopped:
            return
        room = min(self._window, self._most()) - len(self._coming)
        for place in places:
            if room <= 0:
                return
            if place not in self._coming:
                try:
                    one = _Ahead(self._load(place))
                except SheetError:
                    return  # told when its turn has come
                room -= 1
                if self._trouble(one.connection) is None:
                    self._coming[place] = one
                    self._begin(one)

    def connection(self, place: int) -> BaseConnection:
        """
        The row that stands there, whose turn has come.

        Raises:
            SheetError: It can no longer be read as it was judged.
        """
        one = self._coming.pop(place, None)
        if one is None:
            return self._load(place)
        self._due[place] = one
        return one.connection

    def forget(self, place: int) -> None:
        """The row is not sent, or done."""
        one = self._due.pop(place, None)
        if one is not None:
            one.is_taken.set()
            one.scope.cancel()

    async def key_of(
        self, place: int, connection: BaseConnection
    ) -> BaseConnection | Rejected | NotAttempted | anyio.Event | None:
        """
        The row with its key, or why it has none.

        Returns:
            None: the lane was stopped meanwhile. An event: its store is in trouble, and that is set when the
            trouble is over; others may be sent meanwhile.
        """
        if not isinstance(connection.service_principal_key, Reference):
            return connection
        self.is_wanted = True
        if self._is_stopped:
            return None
        one = self._due.get(place)
        if one is None:
            one = self._due[place] = _Ahead(connection)
            self._begin(one)
        if not one.is_found.is_set():
            # One more for each that is late: what is looked up long before its turn delays other lanes.
            self._window = min(self._window + 1, max(_FIRST_WINDOW, self._most()))
        while not one.is_found.is_set():
            over = self._trouble(connection)
            if over is not None:
                return over
            with anyio.move_on_after(_LOOK_S):
                await one.is_found.wait()
        return one.found

    def _begin(self, one: _Ahead) -> None:
        assert self._tasks is not None
        self._at_work.add(one)
        self._tasks.start_soon(self._look_up, one)

    async def _look_up(self, one: _Ahead) -> None:
        try:
            with one.scope:
                found = one.found = await self._ready(one.connection)
                one.is_found.set()
                if isinstance(found, BaseConnection):
                    with self._holding(found.secret):
                        await one.is_taken.wait()
        finally:
            self._at_work.discard(one)
            one.is_found.set()
