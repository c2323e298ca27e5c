"""How a run is asked to end: in good order, or at once."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import anyio
from anyio.from_thread import run_sync
from anyio.lowlevel import EventLoopToken, current_token


class Stop:
    """
    A person's, or the system's, wish to end a run in good order; it may come at any time.

    The one who asks needs no knowledge of the run: `ask` may be called from a signal handler's task, and from
    another thread than the run's.
    """

    def __init__(self) -> None:
        self.reason = ""
        self._asked = anyio.Event()
        self._scope: anyio.CancelScope | None = None
        self._is_now = False
        self._at_work: tuple[EventLoopToken, int] | None = None
        """The run's loop and thread, while there is something to cut off."""

    def ask(self, reason: str) -> None:
        """Send nothing more, let finish what is in flight; the first reason stands."""
        if not self.reason:
            self.reason = reason
            self._in_loop(self._asked.set)

    def now(self) -> None:
        """Do not even let finish what is in flight: its rows are settled by the next command."""
        self._is_now = True
        if self._scope is not None:
            self._in_loop(self._scope.cancel)

    @contextmanager
    def cutting_off(self) -> Iterator[anyio.CancelScope]:
        """What is carried out in here is what a hard stop cuts off."""
        with anyio.CancelScope() as scope:
            self._scope = scope
            self._at_work = (current_token(), threading.get_ident())
            if self._is_now:
                scope.cancel()
            try:
                yield scope
            finally:
                self._at_work = None

    def _in_loop(self, call: Callable[[], object]) -> None:
        at_work = self._at_work
        if at_work is None or at_work[1] == threading.get_ident():
            call()
            return
        with suppress(RuntimeError):  # the run has come to its end meanwhile
            run_sync(call, token=at_work[0])

    async def wait(self) -> str:
        """The reason, as soon as there is one."""
        await self._asked.wait()
        return self.reason
