"""
Ctrl-C and SIGTERM: the first asks a run to end in good order, the second ends it at once.

A command that only reads has nothing to put in order, so it ends at the first.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import anyio

from batchconnect.model.errors import ExitCode
from batchconnect.run.exit_code import INTERRUPTED, TERMINATED
from batchconnect.run.stop import Stop

_SIGNALS = [
    signum
    for name in ("SIGINT", "SIGTERM", "SIGHUP")
    if (signum := getattr(signal, name, None)) is not None
]


@contextmanager
def ending_at_once() -> Iterator[None]:
    """
    Let a signal end the process where it is, whatever it waits for: for commands that only read.

    Not left to the system's default, which the first process of a container does not have.
    """
    before = {signum: signal.signal(signum, _end) for signum in _SIGNALS}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def _end(signum: int, _frame: FrameType | None) -> None:
    # No exception, which a loop in between might take for its own, and no thread is waited for.
    os._exit(ExitCode.INTERRUPTED if signum == signal.SIGINT else ExitCode.TERMINATED)


async def watch_signals(stop: Stop, *, drain_s: float) -> None:
    """
    Turn signals into stops, until cancelled.

    Args:
        stop: Of the run.
        drain_s: After SIGTERM or SIGHUP: how long what is in flight may take.
    """
    with anyio.open_signal_receiver(*_SIGNALS) as signals:
        async with anyio.create_task_group() as timers:
            async for signum in signals:
                if stop.reason:
                    stop.now()
                elif signum == signal.SIGINT:
                    stop.ask(INTERRUPTED)
                else:
                    stop.ask(TERMINATED)
                    timers.start_soon(_now_after, stop, drain_s)


async def _now_after(stop: Stop, seconds: float) -> None:
    await anyio.sleep(seconds)
    stop.now()
