"""
Decides how fast a lane's rate may grow: quickly until the first cut, slowly near the last ceiling, and
not at all while the rate is not used or something went wrong.

The words are TCP's (RFC 5681): slow start until something was too much, congestion avoidance from then on,
and a sender that is limited by its window (here: by requests in flight) learns nothing of the rate. What
differs is that a rate grows here, not a window, since a service counts requests per second and not what is
on its way. Each constant's effect on the benchmark stands in `docs/pace-constants.md`.
"""

CUT = 0.7
"""Factor of one cut."""
_SLOW_START = 1.5
"""Factor per second until the first cut, and after a ceiling proved to have risen."""
_AVOIDANCE = 1.06
_NEAR_CEILING = 1.01
_NEAR = 0.83
"""Share of the last ceiling from which on the rate feels its way, where it is not known what was served
below it (measured: docs/performance.md)."""
_PROOF_S = 2.0
"""Seconds that a steady window counts for at most. Below 1/s two grants take longer: growing for all of
that time would overshoot after each cut, and every fourth request would be refused at 0.5/s."""
_FORGET_S = 120.0
"""Seconds after which the last ceiling says nothing any more."""
_RISEN_S = 10.0
"""Clean seconds above the last ceiling that prove it has risen, at the least."""
_USED = 0.5
"""Share of the rate that must be used for it to grow."""
_WINDOW_S = 1.0


class Growth:
    """Watches one window after the other, each at least a second and two grants long."""

    def __init__(self) -> None:
        self.in_slow_start = True
        """Whether no rate is known that is too much."""
        self._sustained: float | None = None
        """What was served up to the last cut, if that is known."""
        self._proof_risen_s = _RISEN_S
        self._ceiling: float | None = None
        self._ceiling_at = self._held_from = self._near_from = self._hold_until = 0.0
        self._above_since: float | None = None
        self._window_at: float | None = None
        self._taken = 0
        self._answers = 0
        self._disturbed = False
        self._held = False

    def answered(self, sent_at: float) -> None:
        """Hear of a normal answer: without one to what it sent itself, a window proves nothing."""
        if self._window_at is not None and sent_at >= self._window_at:
            self._answers += 1

    def disturbed(self) -> None:
        """Hear of anything but a normal answer: this window does not grow."""
        self._disturbed = True
        self._above_since = None

    def window_limited(self) -> None:
        """Hear that a grant was due, and only the requests in flight were too many."""
        self._held = True

    def cut(self, now: float, rate: float, served: float | None, *, cheap: bool) -> float:
        """
        Remember the rate that was too much, and what was served all the same.

        Args:
            now: The moment.
            rate: What was too much.
            served: What was served since the last cut, None if that is not known.
            cheap: Whether it costs little to run against the limit again: the service says how long it
                wants to be left alone, and not much was on its way to be refused.

        Returns:
            The rate to go on with.
        """
        # What was served while the rate doubled by the second is far from what can be: its average says
        # less than half of the limit, and to go on there would cost a minute of the slow way up.
        # More than the rate was never asked for, whatever a burst let through.
        self._sustained = None if self.in_slow_start or served is None else min(rate, served)
        self._held_from = now
        self._exceeded(now, rate)
        if self._sustained is None or cheap:
            return rate * CUT
        # What is served may be far less than 0.7 of a rate that is limited by the minute.
        self._near_from = self._sustained
        return min(rate * CUT, self._sustained)

    def cut_again(self, now: float, rate: float, *, throttled: bool) -> float:
        """
        Cut for a refusal of what left after the last cut, with no normal answer between.

        Where it is known what the service can do, this tells of a pause that was too short.
        """
        # Refused before anything was answered: the limit was still empty when the pause ended. The rate
        # was not tried at all, so it is not cut a second time, nor remembered as a ceiling.
        if throttled and self._sustained is not None:
            self.restart(now)
            return min(rate, self._sustained * CUT)
        self._exceeded(now, rate)
        return rate * CUT

    def _exceeded(self, now: float, rate: float) -> None:
        self.in_slow_start = False
        self._ceiling, self._ceiling_at, self._near_from = rate, now, _NEAR * rate
        self._above_since = None
        self.restart(now)

    def recovered(self, sent_at: float, rate: float) -> float:
        """
        Hear of the first normal answer after a cut.

        Returns:
            The rate to go on with: what was served before is served again.
        """
        # A proof takes no less time than the service held us out: it may have counted by the minute.
        self._proof_risen_s = max(_RISEN_S, sent_at - self._held_from, self._proof_risen_s / 2)
        if self._sustained is None:
            return rate
        return max(rate, min(self._sustained, rate * _SLOW_START))

    def hold(self, until: float) -> None:
        """Do not grow until this moment: what is served is known."""
        self._hold_until = until

    def undo_last_cut(self) -> None:
        """The last cut was a mistake: what failed fails at any rate."""
        # No ceiling is known any more, so the way up is the quick one: all that was lost was time.
        self._ceiling, self.in_slow_start = None, True
        self._above_since = None

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
        taken, clean, held = self._taken, not self._disturbed, self._held
        # A step waits for the answers to the last one: at a long latency it would overshoot by all
        # that is on its way.
        is_open = self._answers == 0 and not self._disturbed
        if is_open or elapsed < max(_WINDOW_S, 2 / rate):
            self._taken += 1
            return 1.0, 1.0
        self.restart(now)
        # The grant that closes a window is the first of the next one, so that none is counted twice.
        self._taken = 1
        if not clean:
            return 1.0, 1.0
        # A rate that is not asked for proves nothing: a lane that waits for commits, or has few rows,
        # would grow into a limit that it never met.
        per_second = self._per_second(now, rate)
        used = taken >= _USED * rate * elapsed
        # However long a window was, it is one proof: it grows no more than a second of slow start.
        proof_s = elapsed if self.in_slow_start else min(elapsed, _PROOF_S)
        factor = min(per_second**proof_s, _SLOW_START) if used else 1.0
        return factor, (_SLOW_START if self.in_slow_start else _AVOIDANCE) if held else 1.0

    def _per_second(self, now: float, rate: float) -> float:
        # Cases, in order:
        #   1. The ceiling is old: limits change, and what was too much two minutes ago may be served now.
        #   2. The rate is above it, and was for long enough without trouble: the limit has risen.
        #   3. Near it: feel the way, a percent at a time. Below: congestion avoidance.
        if self._ceiling is not None and now - self._ceiling_at >= _FORGET_S:
            self._ceiling = None
        if self._ceiling is not None and rate > self._ceiling:
            if self._above_since is None:
                self._above_since = now
            elif now - self._above_since >= self._proof_risen_s:
                self._ceiling, self.in_slow_start = None, True
        if now < self._hold_until:
            return 1.0
        if self._ceiling is None:
            return _SLOW_START if self.in_slow_start else _AVOIDANCE
        return _NEAR_CEILING if rate >= self._near_from else _AVOIDANCE
