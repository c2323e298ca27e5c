"""A blocking call in a thread that ends with the process: what it returns, and what it raises."""

import threading

import pytest

from batchconnect.stores.daemon import in_daemon
from batchconnect.stores.interface import Trouble, TroubleKind

pytestmark = pytest.mark.asyncio


async def test_what_the_call_returns_or_raises_comes_back() -> None:
    def broken() -> int:
        raise KeyError("of the call")

    assert await in_daemon(lambda: 7) == 7
    with pytest.raises(KeyError, match="of the call"):
        await in_daemon(broken)


async def test_a_machine_without_a_thread_left_is_a_trouble_that_passes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rows wait for it, as for a store that is down."""

    def none_left(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none_left)
        found = await in_daemon(lambda: 7)

    assert isinstance(found, Trouble)
    assert found.kind is TroubleKind.DOWN
