"""Keys whose store says when they end: which of them end soon, and how that is told."""

from collections.abc import Iterable
from typing import Final

from batchconnect.model.reference import KeyOrigin

SOON_DAYS: Final = 30
"""Within which a plan, a run and a report tell of it unasked."""
DAY_MS: Final = 24 * 3600 * 1000


def ends_within(key: KeyOrigin | None, *, days: float, now_ms: int) -> bool:
    """Whether a key ends within so many days, or has ended."""
    if key is None or key.expires_at_ms is None:
        return False
    return key.expires_at_ms - now_ms <= days * DAY_MS


def ending_soon(keys: Iterable[KeyOrigin], *, now_ms: int) -> int:
    """How many different keys end soon."""
    soon = {key.secret for key in keys if ends_within(key, days=SOON_DAYS, now_ms=now_ms)}
    return len(soon)


def told(count: int) -> str:
    """As `12 keys expire within 30 days`."""
    expire = "key expires" if count == 1 else "keys expire"
    return f"{count} {expire} within {SOON_DAYS} days"
