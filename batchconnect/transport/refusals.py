"""
Tells refusals (429) that a lower rate ends from those that come as often whatever the rate: a lane that
takes the latter for congestion falls to its floor, where ten lines of script are quicker.

Where cuts helped nothing, twice the rate is tried for a moment. A limiter that refuses at a rate refuses more
than half of what comes at twice of it; chance refuses no more than before.
Refusals that say how long they want to be left alone are no part of this: their pauses let a limiter recover,
so that what comes after them tells nothing.

Decision: `docs/decisions/0005-faults-that-no-pace-can-help.md`.
"""

from dataclasses import dataclass
from enum import Enum, auto
from math import inf, log, sqrt
from typing import Final

SOON: Final = 20
"""Answers. A refusal that comes so soon after a cut says that the cut helped nothing."""
TRIED: Final = 2.0
"""Factor of the rate at which chance is told from a limiter."""
_SLOWEST: Final = 1.0
"""Requests per second below which nothing is tried: a limiter of less serves one, refuses one."""
_CHANCE: Final = 0.3
"""Share of refusals that chance has, at the most that is looked for."""
_LIMITER: Final = 0.6
"""Share of what a limiter refuses at `TRIED` times the rate that was too much for it, or at a little less."""
_SURELY_CHANCE: Final = 3.0
_SURELY_LIMITER: Final = 2.0
"""Logarithms of how much likelier one of the two has to be than the other, to end the trial. Each answer that it
takes to be sure of a limiter is one more refusal."""
_WORSE: Final = 0.3
"""Share of the requests that a limiter refuses besides those of chance, at the least that is looked for later."""
_SURELY_WORSE: Final = 6.0
"""The same, once chance is known: a false alarm costs all that was learned."""
_MOST: Final = 0.5
"""Share of refusals that are put down to chance, at most."""
_REST_S: Final = 120.0
"""Seconds until it is tried again after a limiter was found; doubled each time."""


class Refusal(Enum):
    """What one refusal means."""

    CONGESTION = auto()
    """Too fast."""
    IN_VAIN = auto()
    """As `CONGESTION`, and only found out at `TRIED` times the rate: to be cut from the one before."""
    TRY = auto()
    """The cuts helped nothing: `TRIED` times the rate is to be gone on with."""
    USUAL = auto()
    """One of those that come at any pace, or one that is counted to find that out."""


@dataclass(slots=True)
class _Seen:
    answers: int = 0
    refused: int = 0

    def share(self) -> float:
        """Of refusals, with what luck may have kept away: one that is too small costs a cut."""
        return min(_MOST, (self.refused + sqrt(self.refused)) / (self.answers + 2))


class Refusals:
    """
    Two tests over the answers of a lane, one after the other, from a suspicion on.

    While it is tried, Wald's sequential test (https://en.wikipedia.org/wiki/Sequential_probability_ratio_test)
    of a limiter against chance. From then on Page's CUSUM (https://en.wikipedia.org/wiki/CUSUM), for a limiter
    that comes on top of chance.
    """

    def __init__(self) -> None:
        self.is_trying = False
        """Whether the rate is to be kept as it is."""
        self._share: float | None = None
        """Of all answers, those that are refused at any pace; None: none are known."""
        self._sum = 0.0
        self._seen = _Seen()
        """Since the last cut."""
        self._cut_rate = 0.0
        self._was_refused = False
        """Whether the last answer was a refusal."""
        self._not_before = -inf
        self._rest_s = _REST_S

    def cut(self, rate: float) -> None:
        """Hear that this rate was refused, and is cut; a trial ends with it, for its rate is gone."""
        self._cut_rate, self._seen = rate, _Seen()
        if self.is_trying:
            self.is_trying, self._sum = False, 0.0

    def passed(self) -> bool:
        """Count a request that was not refused; whether a trial ends with it, and its refusals were chance."""
        self._was_refused = False
        self._seen.answers += 1
        if self._share is not None:
            self._sum = max(0.0, self._sum + log((1 - self._share - _WORSE) / (1 - self._share)))
        elif self.is_trying:
            self._sum += log((1 - _LIMITER) / (1 - _CHANCE))
            if self._sum <= -_SURELY_CHANCE:
                self.is_trying, self._sum = False, 0.0
                self._share = self._seen.share()
                return True
        return False

    def refused(self, now: float, rate: float, *, most: float) -> Refusal:
        """
        Judge a refusal of what was sent since the last cut, and that names no time.

        Args:
            now: The moment of the answer.
            rate: Requests per second as of now.
            most: The highest that may be tried.
        """
        # After a limit by the minute is used up all is refused until the minute ends, which is no chance.
        is_alone, self._was_refused = not self._was_refused, True
        self._seen.answers += 1
        self._seen.refused += 1
        if self._share is not None:
            self._sum += log((self._share + _WORSE) / self._share)
            return self._limited(now) if self._sum >= _SURELY_WORSE else Refusal.USUAL
        if self.is_trying:
            self._sum += log(_LIMITER / _CHANCE)
            return self._limited(now) if self._sum >= _SURELY_LIMITER else Refusal.USUAL
        helped_nothing = is_alone and self._seen.answers <= SOON and rate < self._cut_rate
        can_be_tried = now >= self._not_before and _SLOWEST <= rate <= most / TRIED
        if not (helped_nothing and can_be_tried):
            return Refusal.CONGESTION
        self.is_trying, self._sum = True, 0.0
        return Refusal.TRY

    def _limited(self, now: float) -> Refusal:
        verdict = Refusal.IN_VAIN if self.is_trying else Refusal.CONGESTION
        self.is_trying, self._share, self._sum = False, None, 0.0
        self._not_before = now + self._rest_s
        self._rest_s *= 2
        return verdict
