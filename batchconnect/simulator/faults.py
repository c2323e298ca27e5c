"""
The practice profiles: which trouble comes how often, the same for the same seed.

What a request meets of them is said in `fates.py`. Every profile can be survived: a create, a patch or a
deletion that is lost without having taken effect, and without the client knowing, is lost at most once, and
no request meets more than two faults in a row.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from batchconnect.simulator.limits import Limit
from batchconnect.simulator.profiles import PROFILES


@dataclass(frozen=True, slots=True, kw_only=True)
class Chances:
    """How often a request meets which trouble; the sum is below 1."""

    lost: float = 0.0
    """A create, patch or deletion that takes effect, and whose answer never comes or says nothing."""
    late: float = 0.0
    """The same, but it takes effect after the client was told."""
    never: float = 0.0
    """One that never takes effect, and the client cannot know."""
    odd: float = 0.0
    """201, cut or bent; any other write's answer, cut."""
    throttled: float = 0.0
    """A write that is refused by the gateway for a passing cause."""
    read: float = 0.0
    """A read that fails."""
    sign_in: float = 0.0
    """A token request that fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One kind of practice."""

    chances: Chances = Chances()
    latency_s: tuple[float, float] = (0.001, 0.005)
    max_apply_s: float = 0.0
    """D: nothing takes effect later than that after its answer was lost."""
    max_lag_s: float = 0.0
    """L: no created connection stays out of listings longer than that."""
    limit: Limit | None = None
    """Beyond it the gateway refuses."""
    capacity: Limit | None = None
    """Beyond it the service breaks down: 500, and nobody knows whether it took effect."""
    token_uses: tuple[int, int] | None = None
    """A token dies after so many requests, whatever its `expires_in` said."""


BY_NAME: dict[str, Profile] = {
    "none": Profile(),
    "throttle": Profile(
        latency_s=(0.005, 0.03),
        limit=Limit(per_second=8, burst=8),
    ),
    "overload": Profile(
        latency_s=(0.03, 0.08),
        capacity=Limit(per_second=10, burst=10),
    ),
    "ambiguous": Profile(
        chances=Chances(lost=0.14, late=0.06, never=0.04),
        latency_s=(0.005, 0.03),
        max_apply_s=2.0,
        max_lag_s=1.0,
    ),
    "expiry": Profile(
        chances=Chances(sign_in=0.1),
        latency_s=(0.005, 0.03),
        token_uses=(8, 25),
    ),
    "flaky": Profile(
        chances=Chances(
            lost=0.02, late=0.01, never=0.01, odd=0.01, throttled=0.03, read=0.03, sign_in=0.05
        ),
        latency_s=(0.005, 0.04),
        max_apply_s=1.0,
        max_lag_s=0.5,
        token_uses=(60, 120),
    ),
    "badday": Profile(
        chances=Chances(
            # Refusals by chance alone look like a limit: with more of them no pace is slow enough.
            lost=0.05,
            late=0.03,
            never=0.02,
            odd=0.03,
            throttled=0.02,
            read=0.05,
            sign_in=0.1,
        ),
        latency_s=(0.01, 0.08),
        max_apply_s=2.0,
        max_lag_s=1.0,
        limit=Limit(per_second=15, burst=15),
        token_uses=(20, 40),
    ),
}


def profile(name: str) -> Profile:
    """
    A profile by its name.

    Raises:
        ValueError: There is none of that name.
    """
    if name not in BY_NAME:
        raise ValueError(f"unknown fault profile {name!r}. HINT: one of {', '.join(PROFILES)}")
    return BY_NAME[name]


def dice(seed: int, *what: object) -> random.Random:
    """Random numbers that are the same for the same seed and the same thing."""
    text = "\x1f".join(str(part) for part in (seed, *what))
    return random.Random(int.from_bytes(sha256(text.encode("utf-8", "surrogatepass")).digest()[:8]))  # noqa: S311  # repeatable trouble, no cryptography


def token_uses(seed: int, chosen: Profile) -> Callable[[int], int] | None:
    """How many requests each token serves, or None where they live as long as they say."""
    if chosen.token_uses is None:
        return None
    least, most = chosen.token_uses
    return lambda ordinal: dice(seed, "uses", ordinal).randint(least, most)
