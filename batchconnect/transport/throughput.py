"""
Measures what the service was seen to serve from one congestion to the next.

Between two refusals a limiter's burst is as empty at the end as it was at the start, so the answers in
between, over the time, are its limit, less what was left unused: a better guess than any factor. TCP
Westwood sets its threshold in the same way (https://en.wikipedia.org/wiki/TCP_Westwood).
"""

from collections import deque
from math import inf

ENOUGH = 10
"""Answers. Fewer say too little; they count into the next measurement."""
PROVEN = 0.9
"""Share of what was served that is surely no overload."""
_KEPT_S = 120.0
"""Seconds for which a measure proves something: as long as a ceiling is remembered. What was served an hour
ago says nothing of a service whose answers take four times as long now."""
_IDLE = 0.2
"""Share of the time without a request that was due, from which on the service could have served more."""


class ThroughputEstimate:
    """
    Normal answers over the time that they took, from one congestion to the next.

    All by the moments of sending: while a rate changes, what is answered now tells of another rate.
    """

    def __init__(self) -> None:
        self._since = self._until = self._measured_at = -inf
        self._idle_s = 0.0
        self._answers = 0
        self._asked: deque[float] = deque(maxlen=ENOUGH)
        self.rate: float | None = None
        """Normal answers per second from the last congestion but one to the last, a rate that the
        service can surely serve; None: not known."""

    def taken(self, now: float, due: float) -> None:
        """Hear of a grant, and when it was due."""
        self._asked.append(now)
        if self._since == -inf:
            self._since = now
        else:
            self._idle_s += max(0.0, now - due)

    def answered(self, sent_at: float) -> None:
        """Count a normal answer."""
        if sent_at >= self._since:
            self._answers += 1
            self._until = max(self._until, sent_at)

    def congested(self, now: float) -> float | None:
        """
        Measure, and begin anew.

        Returns:
            What was served from the last congestion to this one; None if that was too little to tell,
            or less than what could have been.
        """
        self._asked.clear()
        took_s = self._until - self._since
        if self._answers < ENOUGH or took_s <= 0:
            return None
        self.rate = self._answers / took_s
        self._measured_at = now
        is_full = self._idle_s <= _IDLE * took_s
        self._since, self._idle_s, self._answers = now, 0.0, 0
        return self.rate if is_full else None

    def is_proven(self, now: float, rate: float) -> bool:
        """Whether more was served than this rate, or than what was asked of late if that is less."""
        if self.rate is None or now - self._measured_at > _KEPT_S:
            return False
        if len(self._asked) == ENOUGH and (took_s := self._asked[-1] - self._asked[0]) > 0:
            rate = min(rate, (ENOUGH - 1) / took_s)
        return rate < PROVEN * self.rate

    def forget(self) -> None:
        """What was served once is served no more."""
        self.rate = None
