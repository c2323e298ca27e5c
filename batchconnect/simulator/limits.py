"""
Hidden limits per org: how many requests per second, and how many at once.

The refusals name their pause in every form met in the wild, and the limits may change in mid-run.
"""

import math
from dataclasses import dataclass
from typing import Literal

from batchconnect.simulator import answers
from batchconnect.simulator.answers import CYCLE, RetryAfter
from batchconnect.simulator.exchange import Answer

RefusalStatus = Literal[429, 500, 503]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A token bucket for one org."""

    per_second: float
    burst: float
    retry_after: RetryAfter = "cycle"
    as_status: RefusalStatus = 429
    """429, or overload shown as 500, or the gateway's 503000."""

    def __post_init__(self) -> None:
        if self.per_second <= 0 or self.burst < 1:
            raise ValueError("per_second has to be above 0 and burst at least 1")
        if self.retry_after not in answers.RETRY_AFTERS:
            raise ValueError(f"retry_after has to be one of {', '.join(answers.RETRY_AFTERS)}")


@dataclass(slots=True, kw_only=True)
class Bucket:
    """How much of a limit is left."""

    limit: Limit
    level: float
    at: float
    refused: int = 0

    def take(self, now: float) -> float:
        """
        Take one request's worth.

        Returns:
            0 where there was enough, else the seconds until there is; a refused request costs nothing.
        """
        earned = max(now - self.at, 0.0) * self.limit.per_second
        self.level = min(self.limit.burst, self.level + earned)
        self.at = now
        if self.level >= 1:
            self.level -= 1
            return 0.0
        self.refused += 1
        return (1 - self.level) / self.limit.per_second


class Limits:
    """
    The limits of all orgs.

    Args:
        default: For orgs without a limit of their own; None: no limit.
    """

    def __init__(self, default: Limit | None = None) -> None:
        self.default = default
        self._own: dict[str, Limit | None] = {}
        self._buckets: dict[str, Bucket] = {}
        self._in_flight: dict[str, int] = {}
        self._most: dict[str, int] = {}

    def set_rate(self, org_id: str, limit: Limit | None) -> None:
        """Give an org a limit of its own, or take every limit off."""
        self._own[org_id] = limit
        self._buckets.pop(org_id, None)

    def set_in_flight(self, org_id: str, most: int | None) -> None:
        """Allow an org so many requests at once."""
        if most is None:
            self._most.pop(org_id, None)
        else:
            self._most[org_id] = most

    def in_flight(self, org_id: str) -> int:
        """How many requests of an org are being answered."""
        return self._in_flight.get(org_id, 0)

    def enter(self, org_id: str) -> None:
        """A request of an org has come."""
        self._in_flight[org_id] = self.in_flight(org_id) + 1

    def leave(self, org_id: str) -> None:
        """A request of an org is answered, or its client has gone."""
        left = self.in_flight(org_id) - 1
        if left > 0:
            self._in_flight[org_id] = left
        else:
            self._in_flight.pop(org_id, None)

    def excess_s(self, org_id: str, now: float) -> float:
        """Take one request's worth from an org's bucket; 0, or the seconds until there is enough."""
        bucket = self._bucket(org_id, now)
        return 0.0 if bucket is None else bucket.take(now)

    def refusal(self, org_id: str, now: float) -> Answer | None:
        """The answer to a request beyond a limit, None for one within."""
        most = self._most.get(org_id)
        if most is not None and self.in_flight(org_id) > most:
            return answers.too_many("seconds", 1, now)
        wait_s = self.excess_s(org_id, now)
        bucket = self._buckets.get(org_id)
        if wait_s == 0 or bucket is None:
            return None
        return refusal(bucket.limit, bucket.refused, wait_s, now)

    def _bucket(self, org_id: str, now: float) -> Bucket | None:
        limit = self._own.get(org_id, self.default)
        if limit is None:
            return None
        bucket = self._buckets.get(org_id)
        if bucket is None:
            bucket = self._buckets[org_id] = Bucket(limit=limit, level=limit.burst, at=now)
        return bucket


def refusal(limit: Limit, number: int, wait_s: float, now: float) -> Answer:
    """
    The answer to a request beyond a limit.

    Args:
        limit: Which says the form.
        number: Of this refusal; a cycle goes by it.
        wait_s: Seconds until there is room.
        now: Unix time.
    """
    form = CYCLE[(number - 1) % len(CYCLE)] if limit.retry_after == "cycle" else limit.retry_after
    match limit.as_status:
        case 500:
            return answers.overloaded()
        case 503:
            return answers.gateway(503, "503000", "Could not validate Api Key")
        case 429:  # the last case
            return answers.too_many(form, max(1, math.ceil(wait_s)), now)
