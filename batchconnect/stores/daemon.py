"""
Asks a store whose library blocks, in a thread that ends with the process.

The loop's own threads are waited for when the process ends, half a minute behind a server that is silent:
who was asked to stop ends at once.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from typing import TypeVar

from batchconnect.stores.interface import NO_THREAD, Trouble

_T = TypeVar("_T")


async def in_daemon(work: Callable[[], _T]) -> _T | Trouble:
    """
    What a blocking call returns; nobody waits for it who was cancelled.

    Returns:
        A trouble where no thread can be started for it just now.

    Raises:
        Exception: What the call raised.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[_T] = loop.create_future()

    def tell(found: _T | None, error: Exception | None) -> None:
        if answer.done():
            return  # nobody waits any more
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(found)  # type: ignore[arg-type]  # without an error it is what was returned

    def call() -> None:
        found, error = None, None
        try:
            found = work()
        except Exception as raised:  # noqa: BLE001 - whatever it is, who waits for it gets it
            error = raised
        # The loop may be gone by now.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(tell, found, error)

    context = copy_context()
    thread = threading.Thread(target=context.run, args=(call,), name="ask a store", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        return NO_THREAD
    return await answer
