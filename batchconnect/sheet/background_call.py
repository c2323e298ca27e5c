"""Work that goes on beside other work, in a thread; its error is raised where its result is asked for."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

_T = TypeVar("_T")


class BackgroundCall(Generic[_T]):
    """
    A call under way.

    NOTE: `concurrent.futures` can do this too; to import it takes longer than to start a process.

    Args:
        work: Is called at once. Nobody waits for it when the process ends.
    """

    def __init__(self, work: Callable[[], _T]) -> None:
        self._work = work
        self._error: Exception | None = None
        self._results: list[_T] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def result(self) -> _T:
        """
        What the call returned; waits for it.

        Raises:
            Exception: What the call raised.
        """
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._results[0]

    def _run(self) -> None:
        try:
            self._results.append(self._work())
        except Exception as error:  # noqa: BLE001 - whatever it is, `result` raises it
            self._error = error
