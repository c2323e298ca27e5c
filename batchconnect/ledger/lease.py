"""
The lease of a lane: the right to send in it until a time, and when somebody else may take it.

Rules only: clocks are passed in, as seconds of the own machine's boot clock, which counts on while the
machine sleeps. No two machines compare theirs. The holder counts from before it asked for a renewal, the
taker from after it saw the last one, so the holder is through before the taker begins, whoever was slow in
between.
"""

from typing import Final, NamedTuple

from batchconnect.model.defaults import LEASE_S
from batchconnect.model.value import Value

_MARGIN_SHARE: Final = 1 / 6
"""Of a lease's time, how much longer a taker waits: what the clock rates of two machines may differ by."""
_RENEW_SHARE: Final = 1 / 6
"""After so much of it a lease is renewed: five renewals may be lost before one is."""
_GUARD_SHARE: Final = 1 / 30
"""So much before its end the holder sends no more: the loop then lets go of the lease in good order, before
the kernel ends a process whose loop does not."""
_LONGEST_BACK_OFF_S: Final = 300.0


class Terms(Value):
    """How long a lease runs; what else follows from that."""

    ttl_s: float = LEASE_S
    """Seconds from the request for it, or for its renewal. It stands with the lease in the ledger, so that a
    taker judges by the holder's, and not by its own."""

    @property
    def renew_every_s(self) -> float:
        """Seconds between two renewals."""
        return self.ttl_s * _RENEW_SHARE

    @property
    def guard_s(self) -> float:
        """Seconds before the end from which on nothing is sent."""
        return self.ttl_s * _GUARD_SHARE

    @property
    def take_after_s(self) -> float:
        """Seconds without a renewal after which somebody else may take it, by a clock of their own."""
        return self.ttl_s * (1 + _MARGIN_SHARE)


class Lease:
    """
    A lane that this process holds.

    Args:
        lane: Its number in the ledger.
        epoch: Which holding of the lane this is; the ledger takes no line under another one.
        terms: How long it runs.
        asked_s: When it was asked for, by the boot clock: before the request left.
    """

    def __init__(self, *, lane: int, epoch: int, terms: Terms, asked_s: float) -> None:
        self.lane = lane
        self.epoch = epoch
        self.terms = terms
        self.until_s = asked_s + terms.ttl_s
        """When it ends, by the boot clock; from then on somebody else may hold the lane."""
        self.is_over = False
        """Whether it was lost or handed back. It never comes to life again."""

    def renewed(self, asked_s: float) -> None:
        """It was renewed, by a request that left after *asked_s*."""
        self.until_s = max(self.until_s, asked_s + self.terms.ttl_s)

    def may_send(self, now_s: float) -> bool:
        """Whether what changes anything may leave under it now."""
        return not self.is_over and now_s < self.until_s - self.terms.guard_s

    def end(self) -> None:
        """Let nothing more leave under it."""
        self.is_over = True


class Sighting(NamedTuple):
    """What a lane's row in the ledger says of its holder."""

    epoch: int
    beat: int
    """Grows with each renewal."""


class Watch:
    """What this process has seen of lanes that others hold: by this, and by no wall clock, a lease ends."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[Sighting, float]] = {}

    def see(self, lane: int, sighting: Sighting, *, now_s: float) -> None:
        """
        A lane was looked at.

        Args:
            lane: Its number.
            sighting: What was seen.
            now_s: The boot clock, after the answer came.
        """
        before = self._seen.get(lane)
        if before is None or before[0] != sighting:
            self._seen[lane] = (sighting, now_s)

    def is_over(self, lane: int, sighting: Sighting, terms: Terms, *, now_s: float) -> bool:
        """
        Whether a lease has ended for sure.

        Args:
            lane: The lane's number.
            sighting: What its row says; of one that was not seen before, nobody knows.
            terms: The holder's.
            now_s: The boot clock, before the take-over is asked for; it has to name the same sighting.
        """
        seen, since_s = self._seen.get(lane, (None, now_s))
        return seen == sighting and now_s - since_s >= terms.take_after_s

    def forget(self, lane: int) -> None:
        """Nobody holds it, or this process does."""
        self._seen.pop(lane, None)


def back_off_s(failures: int) -> float:
    """
    How long a lane is left alone by everybody that failed as soon as it was taken.

    Args:
        failures: How often in a row.
    """
    return min(_LONGEST_BACK_OFF_S, 2.0 ** min(failures, 20))
