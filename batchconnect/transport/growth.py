"""
Decides how fast a lane's rate may grow: quickly until the first cut, slowly near the last ceiling, and
not at all while the rate is not used or something went wrong.
"""

CUT = 0.7
"""Factor of one cut."""
_SLOW_START = 1.5
"""Factor per second until the first cut, and after a ceiling proved to have risen."""
_STEADY = 1.06
_NEAR_CEILING = 1.01
_NEAR = 0.83
"""Share of the last ceiling from which on the rate feels its way (measured: docs/performance.md)."""
_PROOF_S = 2.0
"""Seconds that a steady window counts for at most. Below 1/s two grants take longer: growing for all of
that time would overshoot after each cut, and every fourth request would be refused at 0.5/s."""
_FORGET_S = 120.0
"""Seconds after which the last ceiling says nothing any more."""
_RISEN_S = 10.0
"""Clean seconds above the last ceiling that prove it has risen."""
_USED = 0.5
"""Share of the rate that must be used for it to grow."""
_WINDOW_S = 1.0


class Growth:
    """Watches one window after the other, each at least a second and two grants long."""

    def __init__(self) -> None:
        self._starting = True
        self._ceiling: float | None = None
        self._ceiling_at = 0.0
        self._above_since: float | None = None
        self._window_at: float | None = None
        self._taken = 0
        self._answers = 0
        self._disturbed = False
        self._held = False

    def answered(self) -> None:
        """Hear of a normal answer: without any, a window proves nothing."""
        self._answers += 1

    def disturbed(self) -> None:
        """Hear of anything but a normal answer: this window does not grow."""
        self._disturbed = True
        self._above_since = None

    def held_by_in_flight(self) -> None:
        """Hear that a grant was due, and only the requests in flight were too many."""
        self._held = True

    def cut(self, now: float, rate: float) -> None:
        """Remember the rate that was too much."""
        self._starting = False
        self._ceiling, self._ceiling_at = rate, now
        self._above_since = None
        self.restart(now)

    def restart(self, at: float) -> None:
        """Begin a new window at this moment, a pause's end for instance."""
        self._window_at = at
        self._taken = self._answers = 0
        self._disturbed = self._held = False

    def taken(self, now: float, rate: float) -> tuple[float, float]:
        """
        Count a grant, and close the window if it is long enough.

        Returns:
            Factors for the rate and for the requests in flight, both 1 or more.
        """
        if self._window_at is None:
            self.restart(now)
        assert self._window_at is not None
        elapsed = now - self._window_at
        taken, clean, held = self._taken, self._answers > 0 and not self._disturbed, self._held
        if elapsed < max(_WINDOW_S, 2 / rate):
            self._taken += 1
            return 1.0, 1.0
        self.restart(now)
        self._taken = 1
        if not clean:
            return 1.0, 1.0
        per_second = self._per_second(now, rate)
        used = taken >= _USED * rate * elapsed
        # However long a window was, it is one proof: it grows no more than a second of slow start.
        proof_s = elapsed if self._starting else min(elapsed, _PROOF_S)
        factor = min(per_second**proof_s, _SLOW_START) if used else 1.0
        return factor, (_SLOW_START if self._starting else _STEADY) if held else 1.0

    def _per_second(self, now: float, rate: float) -> float:
        if self._ceiling is not None and now - self._ceiling_at >= _FORGET_S:
            self._ceiling = None
        if self._ceiling is not None and rate > self._ceiling:
            if self._above_since is None:
                self._above_since = now
            elif now - self._above_since >= _RISEN_S:
                self._ceiling, self._starting = None, True
        if self._ceiling is None:
            return _SLOW_START if self._starting else _STEADY
        return _NEAR_CEILING if rate >= _NEAR * self._ceiling else _STEADY
