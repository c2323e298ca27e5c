"""
Finds and keeps the pace of one lane: when the next request may leave, and how many may be out.

Pure: the clock comes in as `now`, randomness as an argument. The algorithm is GCRA with a burst of 1
(https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm) around a rate that grows while it is used
and is cut when the service is congested; measurements: docs/performance.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, inf
from random import Random

from batchconnect.model.event import Event, LanePaused, PaceChanged
from batchconnect.transport.crowd import Crowd
from batchconnect.transport.faults import Fault, Faults
from batchconnect.transport.growth import CUT, Growth
from batchconnect.transport.load import Signal
from batchconnect.transport.quota import Quota
from batchconnect.transport.refusals import TRIED, Refusal, Refusals
from batchconnect.transport.retry_after import RETRY_AFTER_JITTER_S
from batchconnect.transport.throughput import PROVEN, ThroughputEstimate

START_RATE = 2.0
"""Requests per second of a lane that was not told its rate (contract, section 6)."""
FLOOR_RATE = 0.2
CEILING_RATE = 20.0
START_IN_FLIGHT = 4
CEILING_IN_FLIGHT = 20
SLACK_S = 1e-6
"""Seconds by which a clock may round; a grant is not put off for less."""
TIMER_S = 2e-3
"""Seconds by which an event loop may wake late. Above 100/s that would cost a share of the rate, so the
lateness of a grant is taken off the next gap there; what is later than this was idle, not late."""
_SHORT_GAP_S = 1e-2
TICK_S = 1e-3
"""Seconds by which timers, and uvloop's clock, tell moments apart. Gaps that are shorter are kept on
average: what falls within the same tick leaves together, instead of one grant for each tick."""
LONGEST_PAUSE_S = 15.0
"""Seconds; pauses that the service did not name grow up to this. One request in so long costs it nothing,
and a minute that has begun anew is not slept through."""
LONGEST_UNSENT_PAUSE_S = 30.0
"""Seconds. A network that is back should be found soon, and probing costs the service nothing."""
PROBE_AFTER = 3
"""Congestion epochs in a row, without a normal answer between, until the lane probes."""
ALL_REFUSED = 4
"""Refusals in a row, none of which names a time, until the lane probes on suspicion: a rate that is a
little too much has normal answers between them, a minute that is used up has none. A refusal may be
quicker than an answer, so the next normal answer ends the suspicion, whenever its request left."""
_TO_TEST = 0.85
"""Share of what was served at which faults are waited for, until it is known whether any go on there."""
_BY_ITS_WORD = 0.5
"""Requests per second, times the longest wait that the service asked for in seconds, that no refusal which names
a wait cuts below. Who says "in a second" serves one in about a second: half of it leaves room for a limit of 0.7/s."""
TOLD_GROWTH = 1.25
"""Growth that is worth an event."""


@dataclass(slots=True)
class Counted:
    """What a lane did so far, for `LaneCounted`."""

    sent: int = 0
    """Grants taken: tries of requests, retries included."""
    throttled: int = 0
    paused_s: float = 0.0
    """Seconds of all pauses, as they were set."""
    rate_max: float = 0.0


class RateLimiter:
    """
    The pace of one lane.

    Every grant is asked for by `wait_s`, taken by `take`, and given back by `done`; what came of it is
    told by `answered` or `lost`.

    Args:
        org: For the events.
        host: For the events.
        rng: Draws the jitter.
        rate: Requests per second, start and ceiling, with no bound on requests in flight; None: the
            lane finds both by itself.
        on_event: Hears of pauses and changes of the pace.
    """

    def __init__(
        self,
        *,
        org: str,
        host: str,
        rng: Random,
        rate: float | None = None,
        on_event: Callable[[Event], None] = lambda _event: None,
    ) -> None:
        self._org = org
        self._host = host
        self._rng = rng
        self._on_event = on_event
        self._rate = self._told = START_RATE if rate is None else rate
        self._ceiling = CEILING_RATE if rate is None else rate
        self._floor = min(FLOOR_RATE, self._ceiling)
        self._growth = Growth()
        self._faults = Faults()
        self._refusals = Refusals()
        self._crowd = Crowd()
        self._quota = Quota()
        self._throughput = ThroughputEstimate()
        self._limit = START_IN_FLIGHT if rate is None else inf
        self._in_flight = 0
        self._was_full = False
        self._last = -inf
        self._paused_until = -inf
        self._probing_since: float | None = None
        self._cut_at = -inf
        self._is_cut_unconfirmed = False
        self._congested_in_a_row = 0
        self._unsent_at = -inf
        self._unsent_in_a_row = 0
        self._refused_in_a_row = 0
        self._is_probe_unconfirmed = False
        self._longest_asked_s = 1.0
        """Seconds that the service asked to stay away, the most of all answers, and no less than this."""
        self.counted = Counted(rate_max=self._rate)

    @property
    def rate(self) -> float:
        """Requests per second as of now."""
        return self._rate

    @property
    def max_in_flight(self) -> float:
        """How many requests may be out; infinite where only the rate limits."""
        return 1 if self.probing else min(self._limit, self._crowd.most)

    @property
    def in_flight(self) -> int:
        """How many requests are out."""
        return self._in_flight

    def wanted(self, most: int, *, ahead_s: float, least_ahead: int) -> int:
        """
        How many requests may be out or wait for their turn now.

        Args:
            most: No more are out, whatever the pace says.
            ahead_s: Seconds of the pace for which others wait ahead.
            least_ahead: As many wait, however slow it is.
        """
        # Asked for each row, twice: by the fields themselves.
        if self._probing_since is not None:
            return 1
        ahead = max(least_ahead, ceil(self._rate * ahead_s))
        return int(self._in_flight + min(self._limit, self._crowd.most, most, ahead))

    @property
    def probing(self) -> bool:
        """Whether one request at a time finds out if the service answers again."""
        return self._probing_since is not None

    def wait_s(self, now: float) -> float:
        """
        Ask for a grant.

        Returns:
            0 if it may be taken now, else the seconds until it is worth asking again; infinite where
            a request that is out has to end first.
        """
        if self._in_flight >= min(self.max_in_flight, self._crowd.bound(now)):
            self._was_full = not self.probing
            return inf
        wait = self._due() - now
        return wait if wait > SLACK_S else 0.0

    def take(self, now: float) -> None:
        """Take the grant that `wait_s` gave for this moment; the next one is a whole gap away."""
        if self._was_full and now - self._due() > SLACK_S:
            self._growth.window_limited()
        self._was_full = False
        self._throughput.taken(now, self._due())
        self._grow(now)
        gap = 1 / self._rate
        due = self._last + gap
        self._last = due if gap < _SHORT_GAP_S and now - due <= TIMER_S else now
        self._in_flight += 1
        self.counted.sent += 1

    def done(self) -> None:
        """Give the grant back: its request ended, in whatever way."""
        self._in_flight -= 1

    def answered(
        self,
        now: float,
        sent_at: float,
        signal: Signal,
        retry_after_s: float | None = None,
        *,
        out: int = 1,
    ) -> None:
        """
        Hear of an answer.

        Args:
            now: The moment of the answer.
            sent_at: The moment when its request took its grant.
            signal: What it says about the load.
            retry_after_s: Seconds that it asks to stay away, None if it names none.
            out: How many requests were out as its own left, itself included.
        """
        if sent_at >= self._unsent_at:
            self._unsent_in_a_row = 0
        if signal is Signal.OK:
            self._refused_in_a_row = 0
            if sent_at >= self._cut_at:
                self._crowd.passed(now, out)
            self._clean(now, sent_at)
            return
        if retry_after_s is not None:
            self._longest_asked_s = max(self._longest_asked_s, retry_after_s)
            self.pause(
                now, retry_after_s + RETRY_AFTER_JITTER_S * self._rng.random(), "retry_after"
            )
        throttled = signal is Signal.THROTTLED
        self.counted.throttled += throttled
        is_unnamed = throttled and retry_after_s is None
        if (
            throttled
            and sent_at >= self._cut_at
            and self._is_no_congestion(now, out, is_unnamed=is_unnamed)
        ):
            return
        self._refused_in_a_row = self._refused_in_a_row + 1 if is_unnamed else 0
        if self._refused_in_a_row >= ALL_REFUSED and not self.probing:
            self.probe(now)
            self._is_probe_unconfirmed = True
        # What was sent before the last cut met the old pace: it is the same congestion, told again.
        if sent_at < self._cut_at:
            self._growth.disturbed()
        elif throttled or self._is_overload(now):
            named = retry_after_s is not None
            self._congested(now, throttled=throttled, named=named, alone=out == 1)
            if throttled and retry_after_s is None:
                self._back_off(now, self._congested_in_a_row, LONGEST_PAUSE_S, "throttled")

    def lost(self, now: float, sent_at: float, *, sent: bool) -> None:
        """
        Hear that no answer came.

        Args:
            now: The moment when that was known.
            sent_at: The moment when the request took its grant.
            sent: Whether a byte of it may have left. Where none did, the network or the service is
                away: the lane pauses and probes.
        """
        self._growth.disturbed()
        if not sent and sent_at >= self._unsent_at:
            self._unsent_at = now
            self._unsent_in_a_row += 1
            self._back_off(now, self._unsent_in_a_row, LONGEST_UNSENT_PAUSE_S, "not_sent")
            self.probe(now)

    def pause(self, now: float, seconds: float, reason: str) -> None:
        """Send nothing for so many seconds; a longer pause that stands already is kept."""
        until = now + seconds
        if until <= self._paused_until:
            return
        longer_s = until - max(now, self._paused_until)
        # Answers to requests that were out together name about the same pause: it is told once.
        news = self._paused_until <= now or longer_s >= 1
        self.counted.paused_s += longer_s
        self._paused_until = until
        self._growth.restart(until)
        if news:
            self._on_event(
                LanePaused(org=self._org, host=self._host, pause_s=seconds, reason=reason)
            )

    def probe(self, now: float) -> None:
        """Let one request at a time out, until one that leaves from now on is answered normally."""
        self._probing_since = now
        self._is_probe_unconfirmed = False

    def _due(self) -> float:
        """When the pace alone would let the next request go, at the rate as of now."""
        gap = 1 / self._rate
        early_s = TICK_S if gap < TICK_S else 0.0
        return max(self._last + gap - early_s, self._paused_until)

    def _clean(self, now: float, sent_at: float) -> None:
        self._throughput.answered(sent_at)
        self._quota.passed(sent_at)
        self._growth.answered(sent_at)
        if sent_at >= self._cut_at and self._refusals.passed():
            self._growth.undo_last_cut()
        if sent_at >= self._cut_at:
            self._faults.answered(proven=self._is_proven(now))
            if self._congested_in_a_row:
                self._rate = self._growth.recovered(sent_at, self._rate)
                window = self._quota.opened(sent_at)
                if window is not None:
                    self._rate = max(self._floor, min(self._ceiling, window.rate))
                    self._growth.hold(sent_at + window.seconds)
            self._congested_in_a_row = 0
        if self._probing_since is not None and (
            self._is_probe_unconfirmed or sent_at >= self._probing_since
        ):
            self._probing_since = None

    def _is_usual(self, now: float) -> bool:
        """Judge a refusal: whether it is one of those that come at any pace, or helps to find that out."""
        refusal = self._refusals.refused(now, self._rate, most=self._ceiling)
        if refusal is Refusal.TRY:
            self._rate *= TRIED
            if self._limit != inf:
                self._limit = min(CEILING_IN_FLIGHT, ceil(TRIED * self._limit))
            self._tell("growth")
        elif refusal is Refusal.IN_VAIN:
            self._rate /= TRIED
        return refusal in {Refusal.TRY, Refusal.USUAL}

    def _is_proven(self, now: float) -> bool:
        """Whether a lower rate would end no faults: more was served, or there is none."""
        return self._rate <= self._floor or self._throughput.is_proven(now, self._rate)

    def _is_overload(self, now: float) -> bool:
        """Judge a server fault; one that is no overload may still have a say in the growth."""
        is_known = self._faults.share is not None
        fault = self._faults.failed(now, self._rate, proven=self._is_proven(now))
        if fault is Fault.LEARNED and self._is_cut_unconfirmed:
            self._growth.undo_last_cut()
        elif fault is Fault.OUTAGE:
            self._throughput.forget()
        elif fault is Fault.ISOLATED:
            self._growth.disturbed()
        if fault not in {Fault.OVERLOAD, Fault.OUTAGE}:
            return False
        # Without a usual share to compare with, the cut is made on suspicion, and may be taken back.
        self._is_cut_unconfirmed = not is_known
        return True

    def _is_no_congestion(self, now: float, out: int, *, is_unnamed: bool) -> bool:
        """Judge a refusal: whether the rate is not to blame."""
        if self._is_crowded(now, out):
            if is_unnamed:
                self._back_off(now, 1, LONGEST_PAUSE_S, "throttled")
            return True
        return is_unnamed and self._is_usual(now)

    def _is_crowded(self, now: float, out: int) -> bool:
        """Judge a refusal: whether its request was one too many at once, and the rate is not to blame."""
        bound = self._crowd.bound(now)
        if not self._crowd.refused(now, out):
            self._limit = min(self._limit, bound) if self._limit != inf else inf
            return False
        self._cut_at = now
        if self._limit != inf:
            self._limit = min(CEILING_IN_FLIGHT, max(self._limit, self._crowd.most))
        return True

    def _congested(self, now: float, *, throttled: bool, named: bool, alone: bool) -> None:
        self._cut_at = now
        self._is_cut_unconfirmed = self._is_cut_unconfirmed and not throttled
        served = self._throughput.congested(now)
        if served is not None and not throttled:
            # If the faults go on at a rate that was surely served, it is not the rate.
            served *= PROVEN if self._faults.is_tested else _TO_TEST
        self._faults.cut(self._rate)
        if throttled:
            self._refusals.cut(self._rate)
        if self._congested_in_a_row == 0:
            if throttled and not named:
                self._quota.spent(now, self._rate)
            cheap = named and self._in_flight < START_IN_FLIGHT
            rate = self._growth.cut(now, self._rate, served, cheap=cheap)
        else:
            rate = self._growth.cut_again(now, self._rate, throttled=throttled)
        # With nothing else out a named wait is the service's word for requests that come one by one.
        is_its_word = throttled and named and alone
        self._rate = max(self._by_its_word() if is_its_word else self._floor, rate)
        self._congested_in_a_row += 1
        if self._limit != inf:
            self._limit = max(1, int(self._limit * CUT))
        self._tell("congestion")
        if self._congested_in_a_row >= PROBE_AFTER:
            self.probe(now)

    def _by_its_word(self) -> float:
        return max(self._floor, min(self._ceiling, _BY_ITS_WORD / self._longest_asked_s))

    def _back_off(self, now: float, times: int, longest_s: float, reason: str) -> None:
        """Pause for 1, 2, 4, ... seconds, with jitter as long as what exceeds the first second."""
        seconds = 2.0 ** min(times - 1, 20)
        jitter_s = (seconds - 1 + RETRY_AFTER_JITTER_S) * self._rng.random()
        self.pause(now, min(longest_s, seconds + jitter_s), reason)

    def _grow(self, now: float) -> None:
        factor, more_in_flight = self._growth.taken(now, self._rate)
        if self._refusals.is_trying:
            return
        if more_in_flight > 1 and self._crowd.most < inf:
            factor = 1.0  # It was the bound that held the lane: nothing is known of a higher rate.
        self._rate = min(self._ceiling, self._rate * factor)
        if self._limit != inf:
            self._limit = min(CEILING_IN_FLIGHT, ceil(self._limit * more_in_flight))
        self.counted.rate_max = max(self.counted.rate_max, self._rate)
        if self._rate >= self._told * TOLD_GROWTH:
            self._tell("growth")

    def _tell(self, reason: str) -> None:
        self._told = self._rate
        self._on_event(PaceChanged(org=self._org, host=self._host, rate=self._rate, reason=reason))
