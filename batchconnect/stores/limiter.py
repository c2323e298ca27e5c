"""So many requests per second to one store, evenly: GCRA without a burst, as a lane's pace."""

import anyio


class Limiter:
    """
    Lets one through after the other.

    Args:
        per_second: How many, at most.
    """

    def __init__(self, per_second: float) -> None:
        self._interval_s = 1 / per_second
        self._next_s = 0.0

    async def wait(self) -> None:
        """Return when it is one's turn; whoever waits keeps his place."""
        now = anyio.current_time()
        at = max(now, self._next_s)
        self._next_s = at + self._interval_s
        await anyio.sleep_until(at)
