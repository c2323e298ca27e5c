"""
Tells a limit on requests in flight from a limit on their rate: a lane that takes the first for the second cuts a
rate that was never too much, and is a minute on the way back to it.

A limit on the rate refuses some of what leaves, however many are out. A limit on requests in flight refuses each
that is one too many, and no other. So where the same number is refused twice, and between the two each with one
less out passed, one less is what may be out from then on, at a rate that stays. Rarely one more is tried.

Decision: `docs/decisions/0018-a-limit-on-requests-in-flight.md`.
"""

from math import inf
from typing import Final

_FULL: Final = 2
"""Requests that passed with one less out, between two refusals, at the least; fewer may be chance."""
ONE_MORE_S: Final = 60.0
"""Seconds until one more is tried; doubled each time that it is refused."""
_DOUBT_S: Final = 120.0
"""Seconds until a bound is believed again after one that was refuted; doubled each time."""


class Crowd:
    """How many requests may be out, as far as refusals tell."""

    def __init__(self) -> None:
        self._bound: int | None = None
        """As many pass, and one more is refused; None: not known."""
        self._one_more_at = inf
        self._one_more_s = ONE_MORE_S
        self._refused = 0
        """How many were out with the last refusal."""
        self._passed: dict[int, int] = {}
        """Since then, what passed: requests by how many were out with them."""
        self._not_before = -inf
        self._doubt_s = _DOUBT_S

    @property
    def most(self) -> float:
        """How many requests may be out at any time, the one that is tried included; infinite: no bound is known."""
        return inf if self._bound is None else self._bound + 1

    def bound(self, now: float) -> float:
        """How many requests may be out at this moment; infinite: no bound is known."""
        return self.most if now >= self._one_more_at else self.most - 1

    def passed(self, now: float, out: int) -> None:
        """
        Hear of a request that was not refused.

        Args:
            now: The moment of the answer.
            out: How many requests were out as it left, itself included.
        """
        if self._bound is None:
            self._passed[out] = self._passed.get(out, 0) + 1
        elif out > self._bound:
            # The limit has risen, so the next one is tried at once.
            self._bound, self._one_more_at, self._one_more_s = out, now, ONE_MORE_S

    def refused(self, now: float, out: int) -> bool:
        """
        Judge a refusal of what was sent since the last one; the arguments are those of `passed`.

        Returns:
            Whether it was one too many at once, so that the rate is not to blame.
        """
        if out > (self._bound or inf):
            self._put_off(now)
            return True
        if self._bound is not None:
            # As many passed before: it was no bound, or is a lower one now.
            self._bound, self._not_before = None, now + self._doubt_s
            self._doubt_s *= 2
        is_same = out == self._refused and max(self._passed, default=0) == out - 1
        is_full = self._passed.get(out - 1, 0) >= _FULL
        self._refused, self._passed = out, {}
        if not (is_same and is_full and now >= self._not_before):
            return False
        self._bound, self._one_more_s = out - 1, ONE_MORE_S
        self._put_off(now)
        return True

    def _put_off(self, now: float) -> None:
        self._one_more_at = now + self._one_more_s
        self._one_more_s *= 2
