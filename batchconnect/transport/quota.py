"""
Tells a limit that is a number in a window of time ("60 in a minute") from a rate that is a little too much, where
refusals name no time.

Once its number is spent such a service refuses all until the window ends, and then serves as many again. So where
a lane was shut out for long, and the same number passed before it was shut out again, that number over the time
from one opening to the next is the rate, which cuts do not find: a window that is spent in a third of its time looks
like a rate that is three times too high. The lane goes on there, and does not grow for as long as that took.

Decision: `docs/decisions/0019-a-number-in-a-window.md`.
"""

from math import inf
from typing import Final

from batchconnect.model.value import Value
from batchconnect.transport.throughput import ENOUGH

_LONG_S: Final = 10.0
"""Seconds without a normal answer that a rate which is a little too much never takes."""
_SAME: Final = 0.15
"""Share by which the numbers of two windows may differ: others are served as well."""
_STILL: Final = 0.3
"""Share by which the rate of a later window may differ from the one before."""
_LONGEST_S: Final = 125.0
"""Seconds, two minutes and what a lane takes to see that they are over. To spread what is spent over an hour would
keep a short sheet for an hour."""
_FASTEST: Final = 2.0
"""Requests per second. Above it the growth of every second finds the way back soon enough, and a window that was
not spent whole says too little."""
_MORE: Final = 1.1
"""Factor of what was found, at the most, and half way to the rate that spent the window: the opening is seen
late, by up to a pause."""


class Window(Value):
    """What a service serves in a window of time."""

    rate: float
    """Requests per second to go on with."""
    seconds: float
    """How long it is, or a multiple of that."""


class Quota:
    """Counts what passes from one opening of a service to the next."""

    def __init__(self) -> None:
        self._open_since = inf
        self._passed = 0
        self._spent_at: float | None = None
        """Since when all is refused; None: it is open."""
        self._spent_by = 0.0
        """Requests per second that spent it."""
        self._last: int | None = None
        """What passed in the last window that shut for long."""
        self._found: float | None = None
        """Requests per second; None: not known."""

    def passed(self, sent_at: float) -> None:
        """Count a request that was not refused."""
        self._open_since = min(self._open_since, sent_at)
        self._passed += 1

    def spent(self, now: float, rate: float) -> None:
        """Hear of a refusal that names no time, the first one after a normal answer, and of the rate as of then."""
        self._spent_at, self._spent_by = now, rate

    def opened(self, sent_at: float) -> Window | None:
        """
        Hear of the first normal answer after refusals; it is counted already.

        Returns:
            What the service serves in a window; None: not known, or none that is worth to be kept to.
        """
        if self._spent_at is None:
            return None
        is_long = sent_at - self._spent_at >= _LONG_S
        self._spent_at = None
        if not is_long and self._last is None:
            return None
        number, seconds = self._passed - 1, sent_at - self._open_since
        last, self._last = self._last, number
        self._passed, self._open_since = 1, sent_at
        self._found = self._judge(last, number, seconds)
        if self._found is None:
            return None
        between = (self._found + max(self._found, self._spent_by)) / 2
        return Window(rate=min(_MORE * self._found, between), seconds=seconds)

    def _judge(self, last: int | None, number: int, seconds: float) -> float | None:
        """What passed per second; None: too little to tell, or no number in a window that is worth it."""
        if last is None or number < ENOUGH or not number / _FASTEST <= seconds <= _LONGEST_S:
            return None
        rate = number / seconds
        if self._found is None:
            return rate if abs(number - last) <= _SAME * last else None
        return rate if abs(rate - self._found) <= _STILL * self._found else None
