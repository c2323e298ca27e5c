"""How long rows took, from the intent to the outcome: a histogram whose bins grow with the time."""

from array import array
from collections.abc import Sequence
from math import ceil, floor, log10

from batchconnect.model.value import Value

_BINS_PER_DECADE = 8
"""Each bin ends a third above its beginning, so that 80 ms and 300 s stand in one picture."""


class Bin(Value):
    """Rows that took about as long."""

    low_ms: float
    high_ms: float
    answered: int
    """Rows whose request was answered."""
    settled: int
    """Rows whose answer was lost, and that were settled by asking."""


class Latency(Value):
    """The distribution of a run's durations."""

    rows: int
    p50_ms: int
    """Half of the rows took no longer."""
    p95_ms: int
    max_ms: int
    bins: tuple[Bin, ...]
    """Without a gap, from the shortest to the longest."""


class Latencies:
    """Adds up durations to a `Latency`; eight bytes a row."""

    def __init__(self) -> None:
        self._answered = array("Q")
        self._settled = array("Q")

    def add(self, duration_ms: int, *, settled: bool) -> None:
        """
        Count a row.

        Args:
            duration_ms: From its first intent to its outcome.
            settled: Whether its answer was lost, so that it waited to be found.
        """
        (self._settled if settled else self._answered).append(duration_ms)

    def found(self) -> Latency | None:
        """The distribution; None: nothing was sent."""
        durations = sorted([*self._answered, *self._settled])
        if not durations:
            return None
        first, last = _place(durations[0]), _place(durations[-1])
        answered, settled = (
            _counts(self._answered, first, last),
            _counts(self._settled, first, last),
        )
        return Latency(
            rows=len(durations),
            p50_ms=_percentile(durations, 0.50),
            p95_ms=_percentile(durations, 0.95),
            max_ms=durations[-1],
            bins=tuple(
                Bin(
                    low_ms=10 ** (place / _BINS_PER_DECADE),
                    high_ms=10 ** ((place + 1) / _BINS_PER_DECADE),
                    answered=answered[place - first],
                    settled=settled[place - first],
                )
                for place in range(first, last + 1)
            ),
        )


def _place(duration_ms: int) -> int:
    return floor(log10(max(1, duration_ms)) * _BINS_PER_DECADE)


def _counts(durations: Sequence[int], first: int, last: int) -> list[int]:
    counts = [0] * (last - first + 1)
    for duration_ms in durations:
        counts[_place(duration_ms) - first] += 1
    return counts


def _percentile(durations: Sequence[int], share: float) -> int:
    """The nearest-rank method: always a duration that occurred."""
    return durations[max(0, ceil(share * len(durations)) - 1)]
