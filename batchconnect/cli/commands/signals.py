"""Ctrl-C and SIGTERM: the first asks the run to end in good order, the second ends it at once."""

import signal

import anyio

from batchconnect.run.exit_code import INTERRUPTED, TERMINATED
from batchconnect.run.stop import Stop

_SIGNALS = [
    signum
    for name in ("SIGINT", "SIGTERM", "SIGHUP")
    if (signum := getattr(signal, name, None)) is not None
]


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
