"""How a run is asked to end: in good order, or at once."""

from collections.abc import Iterator
from contextlib import contextmanager

import anyio


class Stop:
    """
    A person's, or the system's, wish to end a run in good order; it may come at any time.

    The one who asks needs no knowledge of the run: `ask` may be called from a signal handler's task.
    """

    def __init__(self) -> None:
        self.reason = ""
        self._asked = anyio.Event()
        self._scope: anyio.CancelScope | None = None
        self._is_now = False

    def ask(self, reason: str) -> None:
        """Send nothing more, let finish what is in flight; the first reason stands."""
        if not self.reason:
            self.reason = reason
            self._asked.set()

    def now(self) -> None:
        """Do not even let finish what is in flight: its rows are settled by the next command."""
        self._is_now = True
        if self._scope is not None:
            self._scope.cancel()

    @contextmanager
    def cutting_off(self) -> Iterator[anyio.CancelScope]:
        """What is carried out in here is what a hard stop cuts off."""
        with anyio.CancelScope() as scope:
            self._scope = scope
            if self._is_now:
                scope.cancel()
            yield scope

    async def wait(self) -> str:
        """The reason, as soon as there is one."""
        await self._asked.wait()
        return self.reason
