"""
Ends waiting at once: when a run drains or a lane's breaker shuts, what waits for its turn and was
surely not sent must not keep anybody waiting for a pause of minutes.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import anyio

from batchconnect.transport.interface import Purpose, StoppedError


class StopSignal:
    """
    The stop of one lane, shared by all of its rings. A stop is final.

    What is on the wire already is never touched: its answer still counts.
    """

    def __init__(self) -> None:
        self._why: dict[Purpose, tuple[str, str]] = {}
        """Code and detail."""
        self._waiting: dict[anyio.CancelScope, Purpose] = {}

    def set(self, code: str, *purposes: Purpose, detail: str = "") -> None:
        """
        Stop, and wake up all who wait. A second stop does not change the first one's code.

        Args:
            code: Why, as the code of the `TransportError` that goes up: `interrupted`, `no_progress`, ...
            purposes: What is stopped; all of it where none is named. A lane that may not create any
                more can still look up its doubts.
            detail: The same for a person; it stands in the row that gave up.
        """
        for purpose in purposes or tuple(Purpose):
            self._why.setdefault(purpose, (code, detail))
        for scope, purpose in self._waiting.items():
            if purpose in self._why:
                scope.cancel()

    def code(self, purpose: Purpose) -> str | None:
        """Why requests of this kind are stopped, None while they are not."""
        why = self._why.get(purpose)
        return why and why[0]

    def detail(self, purpose: Purpose) -> str:
        """The same for a person; "" while they are not, or where nothing more is known."""
        why = self._why.get(purpose)
        return why[1] if why else ""

    def check(self, purpose: Purpose) -> None:
        """
        Let pass only what is not stopped.

        Raises:
            StoppedError: Stopped; nothing was sent.
        """
        why = self._why.get(purpose)
        if why is not None:
            code, detail = why
            raise StoppedError(code, detail) if detail else StoppedError(code)

    @contextmanager
    def guard(self, purpose: Purpose) -> Iterator[None]:
        """
        Make a wait end as soon as the stop is set.

        Put nothing inside that must not be cut off: it is cancelled.

        Raises:
            StoppedError: Stopped, before the wait or within it; nothing was sent.
        """
        self.check(purpose)
        with anyio.CancelScope() as scope:
            self._waiting[scope] = purpose
            try:
                yield
            finally:
                del self._waiting[scope]
        if scope.cancelled_caught:
            self.check(purpose)

    async def sleep(self, purpose: Purpose, seconds: float) -> None:
        """
        Sleep, unless stopped.

        Raises:
            StoppedError: Stopped; nothing was sent.
        """
        with self.guard(purpose):
            await anyio.sleep(seconds)
