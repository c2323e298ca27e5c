"""
The fate of one request under a profile.

A decision is a function of the seed, the request and how often it was seen, so it does not hang on the order
in which requests arrive.
"""

import random
from collections.abc import Callable
from dataclasses import replace

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
from batchconnect.simulator.exchange import Answer, Request
from batchconnect.simulator.faults import Profile
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


def of(request: Request) -> Callable[..., Decision]:
    """Which of the following decides a request to the platform."""
    if request.is_create:
        return decide_create
    return decide_change if request.is_change else decide_read


def decide_create(
    chosen: Profile, rng: random.Random, history: History, now: float, *, beyond_capacity: bool
) -> Decision:
    """
    The fate of a create.

    Args:
        chosen: The profile.
        rng: Made of seed, request and attempt.
        history: What became of earlier tries of the same request.
        now: Unix time, for a Retry-After that is a date.
        beyond_capacity: Whether the org asks more than the service can bear.
    """
    calm = Decision(
        delay_s=rng.uniform(*chosen.latency_s), lag_s=rng.uniform(0.0, chosen.max_lag_s)
    )
    return _decide_write(chosen, rng, history, now, calm, beyond_capacity=beyond_capacity)


def decide_change(
    chosen: Profile, rng: random.Random, history: History, now: float, *, beyond_capacity: bool
) -> Decision:
    """The fate of a PATCH, a DELETE or an action; arguments as for a create, whose chances hold."""
    calm = Decision(delay_s=rng.uniform(*chosen.latency_s))
    fate = _decide_write(chosen, rng, history, now, calm, beyond_capacity=beyond_capacity)
    # The odd shapes are those of a 201: any other answer can only be cut.
    return replace(fate, reply=Cut()) if isinstance(fate.reply, Reshaped) else fate


def _decide_write(
    chosen: Profile,
    rng: random.Random,
    history: History,
    now: float,
    calm: Decision,
    *,
    beyond_capacity: bool,
) -> Decision:
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
    """The fate of a GET; arguments as for a create."""
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
