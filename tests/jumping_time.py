"""
Time for a command in this process that does not wait: where nothing can happen before a timer is due, it is due now.

A command that is given through `CommandLine` speaks to a real port, writes in real threads and asks real programs, so
the clock may jump only where none of it is under way. It never guesses by how long something takes: while a request
is out, a thread is at work or a program runs, time goes on as everywhere. So it does while a thread of the test, `BESIDE`, is to do something
in the midst of the command, such as to send it a signal. What another process does (a lease that runs out by the
clock of a server) is not seen here: such a test waits in real time, see `stand`.
"""

import asyncio
import selectors
import threading
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import anyio
import anyio.abc
import anyio.to_thread
import pytest

from batchconnect.transport.wire import Wire

BESIDE = "beside the command"
"""Name of a thread that acts on a command from outside."""

_ASKING = "ask a store"
"""Name of the product's own threads, which nobody waits for at the end."""

_GRACE_S = 0.001
"""What is handed over from another thread at this moment arrives first; nothing depends on it."""


class JumpingTime:
    """
    The clocks of this process, ahead of the machine's by what nobody had to wait for.

    Args:
        monkeypatch: Puts the clocks back.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead_s = 0.0
        """How much was not waited."""
        self._under_way = 0
        """Requests that are out, and calls in anyio's threads."""
        self._programs: list[anyio.abc.Process] = []
        self._stands = False
        clock, clock_ns, monotonic, run = time.time, time.time_ns, time.monotonic, anyio.run
        monkeypatch.setattr(time, "time", lambda: clock() + self.ahead_s)
        monkeypatch.setattr(time, "time_ns", lambda: clock_ns() + int(self.ahead_s * 1e9))
        monkeypatch.setattr(time, "monotonic", lambda: monotonic() + self.ahead_s)
        monkeypatch.setattr(Wire, "send", self._counted(Wire.send))
        monkeypatch.setattr(anyio.to_thread, "run_sync", self._counted(anyio.to_thread.run_sync))
        open_process = anyio.open_process

        async def opened(*args: Any, **kwargs: Any) -> anyio.abc.Process:
            self._programs.append(await open_process(*args, **kwargs))
            return self._programs[-1]

        monkeypatch.setattr(anyio, "open_process", opened)

        def run_here(func: Callable[..., Awaitable[Any]], *args: Any, **_: Any) -> Any:
            return run(func, *args, backend_options={"loop_factory": self._loop})

        monkeypatch.setattr(anyio, "run", run_here)

    def stand(self) -> None:
        """From now on every wait takes its time."""
        self._stands = True

    @property
    def may_jump(self) -> bool:
        """Whether nothing can happen before the next timer."""
        is_at_work = any(one.returncode is None for one in self._programs)
        return not (self._stands or self._under_way or is_at_work or _is_acted_on())

    def pass_by(self, seconds: float) -> None:
        """Nobody has waited for this long."""
        self.ahead_s += seconds

    def _loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.SelectorEventLoop(_Selector(self))

    def _counted(self, call: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
        async def counted(*args: Any, **kwargs: Any) -> Any:
            self._under_way += 1
            try:
                return await call(*args, **kwargs)
            finally:
                self._under_way -= 1

        return counted


def _is_acted_on() -> bool:
    return any(one.name in {BESIDE, _ASKING} for one in threading.enumerate())


class _Selector(selectors.DefaultSelector):
    """Waits for what is under way, and for nothing else."""

    def __init__(self, jumping: JumpingTime) -> None:
        super().__init__()
        self._jumping = jumping

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        select = partial(super().select)
        if timeout is None or timeout <= _GRACE_S or not self._jumping.may_jump:
            return select(timeout)
        ready = select(_GRACE_S)
        if not ready:
            self._jumping.pass_by(timeout - _GRACE_S)
        return ready
