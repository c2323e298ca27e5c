"""
What makes a function of a coroutine function: for plain code, and for a notebook's cell.

Where no loop runs in this thread, one is made for the call. Where one does, as in a notebook, the call is
carried out in a thread of its own, with a loop of its own, and this thread waits for it: who gives a cell
a command wants its result, and code that a notebook calls has no `await` to give. Other tasks of a server's
loop wait as well, as with any blocking call; there, `await` the function itself.
"""

from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar

import anyio
from anyio.from_thread import start_blocking_portal
from anyio.lowlevel import current_token

Given = ParamSpec("Given")
Answer = TypeVar("Answer")


def twin_of(function: Callable[Given, Coroutine[Any, Any, Answer]]) -> Callable[Given, Answer]:
    """
    The `_sync` twin: it takes the same, returns what awaiting returns, and raises the same.

    Args:
        function: A coroutine function.
    """

    @wraps(function)
    def twin(*arguments: Given.args, **named: Given.kwargs) -> Answer:
        return _carried_out(partial(function, *arguments, **named))

    name = function.__name__
    twin.__name__, twin.__qualname__ = f"{name}_sync", f"{name}_sync"
    twin.__doc__ = (
        f"\n    The twin of `{name}` for code that does not `await`; it takes, returns and raises the same.\n"
        "\n    Where a loop runs in this thread, as in a notebook, the work is done in another thread, and so"
        "\n    is `on_event` called there; this thread waits.\n    "
    )
    return twin


def _carried_out(job: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
    if not _has_loop():
        return anyio.run(job)
    with start_blocking_portal("asyncio") as portal:
        future: Future[Answer] = portal.start_task_soon(job)
        try:
            return future.result()
        except KeyboardInterrupt:
            # A notebook's "interrupt": as without a loop, the job is cancelled, and has ended when this is told.
            future.cancel()
            raise


def _has_loop() -> bool:
    try:
        current_token()
    except RuntimeError:
        return False
    return True
