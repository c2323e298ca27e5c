"""
The practice profiles: which trouble comes how often, the same for the same seed.

A decision is a function of the seed, the request and how often it was seen, so it does not hang on
the order in which requests arrive. Every profile can be survived: a create that is lost without
having taken effect, and without the client knowing, is lost at most once, and no request meets more
than two faults in a row.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256

from batchconnect.simulator import answers
from batchconnect.simulator.decision import (
    Closed,
    Cut,
    Decision,
    Hang,
    Instead,
    Reply,
    Reset,
    Reshaped,
    Shape,
)
from batchconnect.simulator.exchange import Answer
from batchconnect.simulator.limits import Limit
from batchconnect.simulator.profiles import PROFILES
from batchconnect.simulator.records import History

MOST_FAULTS_IN_A_ROW = 2
LONGEST_HANG_S = 3.0
ODD_201: tuple[Shape, ...] = (
    "no_body",
    "location_only",
    "not_json",
    "no_location",
    "no_etag",
    "odd_id",
    "no_id",
    "as_200",
    "as_202",
    "as_204",
)
ENGLISH = {500: "Internal Server Error", 502: "Bad Gateway", 504: "Gateway Timeout"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chances:
    """How often a request meets which trouble; the sum is below 1."""

    lost: float = 0.0
    """A create that takes effect, and whose answer never comes or says nothing."""
    late: float = 0.0
    """The same, but it takes effect after the client was told."""
    never: float = 0.0
    """A create that never takes effect, and the client cannot know."""
    odd: float = 0.0
    """201, cut or bent."""
    throttled: float = 0.0
    """Refused by the gateway for a passing cause."""
    read: float = 0.0
    """A read, PATCH or DELETE that fails."""
    sign_in: float = 0.0
    """A token request that fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One kind of practice."""

    chances: Chances = Chances()
    latency_s: tuple[float, float] = (0.001, 0.005)
    max_apply_s: float = 0.0
    """D: no create takes effect later than that after its answer was lost."""
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


def decide_create(
    chosen: Profile, rng: random.Random, history: History, now: float, *, beyond_capacity: bool
) -> Decision:
    """
    The fate of a create.

    Args:
        chosen: The profile.
        rng: Made of seed, request and attempt.
        history: What became of earlier tries of the same body.
        now: Unix time, for a Retry-After that is a date.
        beyond_capacity: Whether the org asks more than the service can bear.
    """
    calm = Decision(
        delay_s=rng.uniform(*chosen.latency_s), lag_s=rng.uniform(0.0, chosen.max_lag_s)
    )
    chances, roll = chosen.chances, rng.random()
    if history.streak >= MOST_FAULTS_IN_A_ROW:
        return calm
    may_be_lost = history.lost == 0
    if beyond_capacity:
        # Once in doubt is practice enough; after that the gateway refuses before anything happens.
        answer = answers.overloaded() if may_be_lost else _busy(rng, now)
        applied = 0.0 if may_be_lost and roll < 0.5 else None  # noqa: PLR2004  # a coin
        return replace(calm, apply_after_s=applied, reply=Instead(answer=answer))
    for chance, fate in (
        (chances.lost, "lost"),
        (chances.late, "late"),
        (chances.never, "never" if may_be_lost else "lost"),
        (chances.odd, "odd"),
        (chances.throttled, "throttled"),
    ):
        if roll < chance:
            return _fate(fate, chosen, rng, now, calm)
        roll -= chance
    return calm


def decide_read(
    chosen: Profile, rng: random.Random, history: History, now: float, *, beyond_capacity: bool
) -> Decision:
    """The fate of a GET, PATCH or DELETE; arguments as for a create."""
    delay_s = rng.uniform(*chosen.latency_s)
    roll = rng.random()
    if history.streak >= MOST_FAULTS_IN_A_ROW:
        return Decision(delay_s=delay_s)
    if beyond_capacity:
        return Decision(
            apply_after_s=None, reply=Instead(answer=answers.overloaded()), delay_s=delay_s
        )
    if roll >= chosen.chances.read:
        return Decision(delay_s=delay_s)
    kinds: tuple[Reply, ...] = (
        Instead(answer=_broken(rng)),
        Instead(answer=_busy(rng, now)),
        Reset(),
        Closed(),
    )
    return Decision(apply_after_s=None, reply=rng.choice(kinds), delay_s=delay_s)


def decide_sign_in(chosen: Profile, rng: random.Random, history: History, now: float) -> Decision:
    """The fate of a token request; arguments as for a create."""
    delay_s = rng.uniform(*chosen.latency_s)
    if history.streak >= MOST_FAULTS_IN_A_ROW or rng.random() >= chosen.chances.sign_in:
        return Decision(delay_s=delay_s)
    if rng.random() < 0.2:  # noqa: PLR2004  # one in five is slow, not broken
        return Decision(delay_s=1.0)
    kinds: tuple[Reply, ...] = (
        Instead(answer=_broken(rng)),
        Instead(answer=answers.too_many(rng.choice(("seconds", "absent")), 1, now)),
        Closed(),
    )
    return Decision(apply_after_s=None, reply=rng.choice(kinds), delay_s=delay_s)


def _fate(fate: str, chosen: Profile, rng: random.Random, now: float, calm: Decision) -> Decision:
    match fate:
        case "never":
            return replace(calm, apply_after_s=None, reply=_silence(rng))
        case "late":
            after_s = rng.uniform(0.1, 1.0) * chosen.max_apply_s
            return replace(calm, apply_after_s=after_s, reply=_silence(rng))
        case "odd":
            cut = rng.random() < 0.3  # noqa: PLR2004  # three in ten are cut
            return replace(calm, reply=Cut() if cut else Reshaped(shape=rng.choice(ODD_201)))
        case "throttled":
            return replace(calm, apply_after_s=None, reply=Instead(answer=_busy(rng, now)))
        case _:
            return replace(calm, reply=_silence(rng))


def _silence(rng: random.Random) -> Reply:
    """A reply that leaves the client in doubt."""
    kinds: tuple[Reply, ...] = (Reset(), Closed(), Hang(seconds=rng.uniform(1.0, LONGEST_HANG_S)))
    return Instead(answer=_broken(rng)) if rng.random() < 0.6 else rng.choice(kinds)  # noqa: PLR2004  # six in ten have a status


def _broken(rng: random.Random) -> Answer:
    """A 5xx that says nothing of what happened."""
    status = rng.choice((500, 502, 504))
    again = "Please try again. If the problem persists, please contact customer support."
    kinds = (
        answers.html(status, ENGLISH[status]),
        answers.empty(status),
        answers.flow("1104-504", "Gateway Timeout", f"A gateway timeout has occurred. {again}"),
        answers.flow("1102-500", "Internal Error", f"An internal error has occurred. {again}"),
        answers.flow("1103-503", "Service Unavailable", f"The service is unavailable. {again}"),
    )
    return rng.choice(kinds)


def _busy(rng: random.Random, now: float) -> Answer:
    """A refusal by the gateway for a passing cause, surely before anything took effect."""
    kinds = (
        answers.too_many(rng.choice(("seconds", "date", "absent", "malformed")), 1, now),
        answers.gateway(429, "429001", "Service usage limit reached"),
        answers.gateway(503, "503000", "Could not validate Api Key"),
        answers.gateway(503, "503010", "Could not validate the oauth token"),
        answers.gateway(403, "503020", "Could not read the profile"),
    )
    return rng.choice(kinds)
