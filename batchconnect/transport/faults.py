"""
Tells server faults that mean "too fast" from accidents, and from faults that come at any pace: a lane
that takes the latter for congestion falls to its floor and stays there.

Decision: `docs/decisions/0005-faults-that-no-pace-can-help.md`.
"""

from enum import Enum, auto
from math import inf, log, sqrt

ISOLATED_ANSWERS = 20
"""Answers. A server fault is isolated if none of so many answers before it was one."""
ISOLATED_S = 30.0
"""Seconds. An earlier server fault that is older says nothing about the load of now."""
_EXCESS = 0.2
"""Share of the requests that an overloaded service turns away, at the least that is looked for."""
_OK = log(1 - _EXCESS)
_NO_SHARE = 0.002
"""Stands for the usual share where none is known. With it and `_SUSPECT`, the second fault among
`ISOLATED_ANSWERS` answers is overload, and one alone is an accident."""
_SUSPECT, _SURE = 4.7, 8.0
"""Logarithm of how much likelier overload has to be than the usual share. Where that share is not known,
the service is spared first; where it is, a false alarm costs more than a second of overload."""
_FEW = 8
"""Answers. Fewer do not tell an outage from chance."""
_DOWN = 10
"""Faults in a row that are an outage even where many are usual."""
_HALF = 0.5
"""Share of faults up to which two cuts in a row would end those of an overload; more is never usual."""
_OUTAGE = 0.6
"""Share of faults that is more than chance makes of a usual one."""
_MANY = 2
"""Faults at a rate that was served, or cuts that lowered nothing: one may be chance."""
_TESTED = 80.0
"""Answers at rates that were served, among which one usual fault in twenty would have shown."""
_LOWER = 0.85
"""Of the rate of the last cut: as low as that, the cut has not been made up for."""
_MEMORY = 200.0
"""Answers on which the usual share rests, at most."""
_RARE = 0.02
"""A usual share that is less than this is none: such faults are isolated anyway."""


class Fault(Enum):
    """What one server fault means."""

    ISOLATED = auto()
    """Too little to tell."""
    USUAL = auto()
    """One of the share that this service gets wrong at any pace."""
    LEARNED = auto()
    """As `USUAL`, and only now found out: the faults before it meant nothing else."""
    OVERLOAD = auto()
    """Too fast."""
    OUTAGE = auto()
    """Most requests fail: what was proven before holds no more."""


class Faults:
    """
    Page's CUSUM (https://en.wikipedia.org/wiki/CUSUM) over the answers of a lane.

    Each answer adds the logarithm of how much likelier it is under overload than with the usual share
    of faults; below 0 the sum starts over. As long as no usual share is known, the second fault among
    `ISOLATED_ANSWERS` answers and within `ISOLATED_S` seconds is overload (contract, section 6:
    "overload may show as 500").

    Faults are usual if a lower rate does not end them: if they go on at a rate that the service was
    seen to serve, or after two cuts in a row, for whoever fails less than half of the requests has a
    limit above half of their rate.
    """

    def __init__(self) -> None:
        self.share: float | None = None
        """Of all answers, the faults that come at any pace; None: none known."""
        self._sum = 0.0
        self._run = (0, 0)
        """Answers, and faults among them, since the sum was 0: since the trouble began."""
        self._seen = (0.0, 0.0)
        """Answers, and faults among them: at rates that were served, or with the usual share."""
        self._is_out = False
        """Whether the last trouble was an outage, and is not over."""
        self._last = -inf
        self._cut_rate = inf
        self._cuts = 0
        """Cuts in a row, each at a lower rate than the one before, while less than half failed."""

    @property
    def is_tested(self) -> bool:
        """Whether so many answers at rates that were served tell if there is a usual share."""
        return self.share is not None or self._seen[0] >= _TESTED

    def answered(self, *, proven: bool) -> None:
        """
        Count an answer that was no server fault.

        Args:
            proven: Whether the service was seen to serve more than is asked of it now.
        """
        self._run = (self._run[0] + 1, self._run[1])
        self._sum += _OK
        if proven and self.share is None:
            self._see(1, 0)
        if self._sum <= 0:
            self._end_run()

    def failed(self, now: float, rate: float, *, proven: bool) -> Fault:
        """
        Count a server fault, and judge it.

        Args:
            now: The moment of the answer.
            rate: Requests per second as of now.
            proven: Whether the service was seen to serve more than is asked of it now.
        """
        # Half a minute of silence between two faults is no load. With a usual share that is known the sum
        # forgets by itself, since normal answers pull it down.
        if self.share is None and now - self._last > ISOLATED_S:
            self._sum, self._run = 0.0, (0, 0)
        self._last = now
        usual = _NO_SHARE if self.share is None else self.share
        self._run = (self._run[0] + 1, self._run[1] + 1)
        self._sum += log((usual + (1 - usual) * _EXCESS) / usual)
        if proven and self.share is None:
            self._see(1, 1)
            if self._goes_on():
                return self._learn()
        if self._is_alarm():
            return self._judge(rate, proven=proven)
        return Fault.ISOLATED if self.share is None else Fault.USUAL

    def cut(self, rate: float) -> None:
        """Hear that this rate was cut: what comes next is judged by itself."""
        answers, faults = self._run
        # Cuts in a row say that a lower rate helped nothing, but only if each was really lower than the one
        # before (a rate that was made up for in between starts the count anew), and only while fewer than
        # half of the requests failed: above that, the service is down, and no share is learned from it.
        is_lower = rate <= _LOWER * self._cut_rate
        self._cuts = 0 if faults >= _HALF * answers else self._cuts * is_lower + 1
        self._cut_rate = rate
        self._sum, self._run = 0.0, (0, 0)

    def _is_alarm(self) -> bool:
        answers, faults = self._run
        is_down = answers == faults >= _DOWN
        is_sure = self.share is not None and not self._is_out
        return is_down or self._sum >= (_SURE if is_sure else _SUSPECT)

    def _judge(self, rate: float, *, proven: bool) -> Fault:
        answers, faults = self._run
        # Cases, in order:
        #   1. Most requests fail: an outage, whatever was usual before. What was proven is forgotten.
        #   2. The rate was never proven, and no two cuts in a row went for nothing: too fast.
        #   3. Too few answers to tell a share from chance: leave it at that.
        #   4. It goes on at a rate that was served, or however low the rate: the usual share of this
        #      service, learned from here on.
        if answers >= _FEW and faults >= _OUTAGE * answers:
            self._is_out = True
            self._seen = (0.0, 0.0) if self.share is None else self._seen
            return Fault.OUTAGE
        lowered_nothing = self._cuts >= _MANY and rate <= _LOWER * self._cut_rate
        if not proven and not lowered_nothing:
            return Fault.OVERLOAD
        if answers < _FEW:
            return Fault.ISOLATED
        if self.share is None:
            self._seen = (0.0, 0.0)
        self._see(answers, faults)
        return self._learn()

    def _goes_on(self) -> bool:
        """Whether there were faults at rates that were served, and yet less than in an outage."""
        answers, faults = self._seen
        return answers >= _FEW and _MANY <= faults < _HALF * answers

    def _learn(self) -> Fault:
        self.share = self._estimate()
        self._sum, self._run = 0.0, (0, 0)
        return Fault.LEARNED

    def _end_run(self) -> None:
        """What came since the trouble began was no trouble."""
        self._is_out = False
        if self.share is not None:
            self._see(*self._run)
            self.share = self._estimate()
            if self.share < _RARE:
                self.share, self._seen = None, (0.0, 0.0)
        self._sum, self._run = 0.0, (0, 0)

    def _see(self, answers: int, faults: int) -> None:
        # An exponential window: old answers fade once there are `_MEMORY` of them, so that a service which
        # gets better is believed within a few minutes.
        answers_seen, faults_seen = self._seen[0] + answers, self._seen[1] + faults
        kept = min(1.0, _MEMORY / answers_seen)
        self._seen = (answers_seen * kept, faults_seen * kept)

    def _estimate(self) -> float:
        """The share, with what chance may have kept away: one that is too small costs a cut."""
        answers, faults = self._seen
        return min(_HALF, (faults + 1 + sqrt(faults + 1)) / (answers + 2))
