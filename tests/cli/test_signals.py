"""Ctrl-C and SIGTERM: the first asks for a good end, the second ends at once."""

import os
import signal

import anyio

from batchconnect.cli.signals import watch_signals
from batchconnect.run.stop import Stop


def stopped_by(
    *signals: signal.Signals, drain_s: float = 30.0, wait_s: float = 0.2
) -> tuple[str, bool]:
    """The reason of the stop, and whether it was a hard one."""

    async def work() -> tuple[str, bool]:
        stop = Stop()
        async with anyio.create_task_group() as beside:
            beside.start_soon(lambda: watch_signals(stop, drain_s=drain_s))
            await anyio.sleep(0.05)
            with stop.cutting_off() as scope:
                for signum in signals:
                    os.kill(os.getpid(), signum)
                    await anyio.sleep(0.05)
                await anyio.sleep(wait_s)
            beside.cancel_scope.cancel()
        return stop.reason, scope.cancelled_caught

    return anyio.run(work)


def test_ctrl_c_once_asks_for_a_good_end() -> None:
    """What is in flight may finish."""
    assert stopped_by(signal.SIGINT) == ("interrupted", False)


def test_ctrl_c_twice_ends_at_once() -> None:
    """A person who presses again means it."""
    assert stopped_by(signal.SIGINT, signal.SIGINT) == ("interrupted", True)


def test_sigterm_gives_what_is_in_flight_its_time() -> None:
    """Longer than this test."""
    assert stopped_by(signal.SIGTERM) == ("terminated", False)
    assert stopped_by(signal.SIGHUP) == ("terminated", False)


def test_after_that_time_it_ends_at_once() -> None:
    """The system would kill it anyway."""
    assert stopped_by(signal.SIGTERM, drain_s=0.01) == ("terminated", True)


def test_the_first_reason_stands() -> None:
    """Ctrl-C after SIGTERM is still a termination."""
    assert stopped_by(signal.SIGTERM, signal.SIGINT) == ("terminated", True)
