"""A stop ends all waiting at once, and touches nothing else."""

import anyio
import pytest

from batchconnect.transport.interface import Purpose, TransportError
from batchconnect.transport.stop import StopSignal

pytestmark = pytest.mark.anyio


async def test_a_sleeper_wakes_up_at_the_stop() -> None:
    """A pause of five minutes does not hold up a drain."""
    stop = StopSignal()
    caught: list[TransportError] = []

    async def sleeper() -> None:
        try:
            await stop.sleep(Purpose.CREATE, 300)
        except TransportError as error:
            caught.append(error)

    async with anyio.create_task_group() as group:
        group.start_soon(sleeper)
        await anyio.sleep(2)
        stop.set("interrupted")

    assert [(e.code, e.sent, e.permanent) for e in caught] == [("interrupted", False, True)]


async def test_the_wait_before_the_stop_takes_its_time() -> None:
    """No stop, no problem."""
    start = anyio.current_time()

    await StopSignal().sleep(Purpose.READ, 5)

    assert anyio.current_time() - start == 5.0


async def test_only_the_named_purposes_stop() -> None:
    """A lane that may not create any more still looks up its doubts."""
    stop = StopSignal()
    done: list[Purpose] = []

    async def sleeper(purpose: Purpose) -> None:
        try:
            await stop.sleep(purpose, 10)
        except TransportError:
            return
        done.append(purpose)

    async with anyio.create_task_group() as group:
        for purpose in (Purpose.CREATE, Purpose.READ):
            group.start_soon(sleeper, purpose)
        await anyio.sleep(1)
        stop.set("403025", Purpose.CREATE)

    assert done == [Purpose.READ]
    assert (stop.code(Purpose.CREATE), stop.code(Purpose.READ)) == ("403025", None)


async def test_the_first_stop_keeps_its_code() -> None:
    """The reason that stopped the lane is the one that is reported."""
    stop = StopSignal()
    stop.set("403025", Purpose.CREATE)
    stop.set("interrupted")

    assert (stop.code(Purpose.CREATE), stop.code(Purpose.READ)) == ("403025", "interrupted")


async def test_after_the_stop_nothing_even_begins_to_wait() -> None:
    """The guard refuses at its door."""
    stop = StopSignal()
    stop.set("interrupted")

    with pytest.raises(TransportError, match="interrupted"), stop.guard(Purpose.CREATE):
        pytest.fail("the body ran")


async def test_a_cancel_from_outside_passes_through() -> None:
    """A second Ctrl-C cancels; that is no stop."""
    stop = StopSignal()

    with anyio.move_on_after(1) as scope:
        await stop.sleep(Purpose.CREATE, 10)

    assert scope.cancelled_caught
    assert stop.code(Purpose.CREATE) is None
