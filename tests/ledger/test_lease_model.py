"""
What keeps two workers from making one row twice, checked exhaustively: one row, A and B, pauses anywhere.

A holds the lane, B waits for its lease to end. The adversary lets each of them pause between any two of its
steps, applies a request when it likes within D, and shows it when it likes within L. Three things are needed,
and the table says what becomes of a row where one of them is missing: the intent is fenced by the epoch, no
request leaves after the holder's deadline, and a margin covers clocks that run at different rates.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

import pytest

from batchconnect.ledger.lease import Lease, Sighting, Terms, Watch

TTL, D, L = 6, 2, 1
"""Ticks: of a lease, until a request is applied, until it is shown."""
WINDOW = D + L
SENT_ONCE = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """How A sends, and when B takes over."""

    fenced: bool = True
    """Whether the ledger refuses an intent of A once B has taken over."""
    asks: Literal["never", "with the send", "before the send"] = "never"
    """When A asks its own clock whether the lease still runs; before the send, it may be paused in between."""
    kernel: bool = False
    """Whether the kernel ends A when its own clock has reached the deadline."""
    a_loses: int = 0
    """Ticks by which A's clock has fallen behind at the end of the lease."""
    margin: int = 0
    """Ticks that B waits beyond the lease."""
    window: int = WINDOW
    """Ticks from the take-over until B believes that the row is absent."""
    may_send: Callable[[int], bool] = lambda clock: clock <= TTL
    """The rule that A asks, of its own clock."""
    may_take: Callable[[int], bool] | None = None
    """The rule that B asks, of its own clock; None: lease and margin are over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One instant of the model."""

    now: int = 0
    a: Literal["plans", "intends", "leaves", "done"] = "plans"
    b: Literal["waits", "settles", "plans", "done"] = "waits"
    has_intent: bool = False
    """Whether an intent of A stands in the ledger."""
    took_at: int = 0
    shown_at: tuple[int, ...] = ()
    """For each object that exists, or will: from when on listings show it."""


def following(world: World, protocol: Protocol) -> Iterator[World]:
    """Every world that may come next; that time passes first is always one of them."""
    yield replace(world, now=world.now + 1)
    yield from _a_acts(world, protocol)
    yield from _b_acts(world, protocol)


def _a_acts(world: World, protocol: Protocol) -> Iterator[World]:
    clock = world.now - (protocol.a_loses if world.now >= TTL else 0)
    if protocol.kernel and clock > TTL:
        return
    match world.a:
        case "plans":
            if not (protocol.fenced and world.b != "waits"):
                yield replace(world, a="intends", has_intent=True)
        case "intends" if protocol.asks == "before the send":
            if protocol.may_send(clock):
                yield replace(world, a="leaves")
        case "intends":
            if protocol.asks == "never" or protocol.may_send(clock):
                yield from _sent(replace(world, a="done"))
        case "leaves":
            yield from _sent(replace(world, a="done"))
        case "done":
            return


def _b_acts(world: World, protocol: Protocol) -> Iterator[World]:
    match world.b:
        case "waits":
            may_take = protocol.may_take or (lambda clock: clock >= TTL + protocol.margin)
            if may_take(world.now):
                # What the ledger holds without an answer is a doubt from the take-over on.
                if world.has_intent:
                    yield replace(world, b="settles", took_at=world.now)
                else:
                    yield replace(world, b="plans", took_at=world.now)
        case "settles":
            if world.now >= world.took_at + protocol.window:
                yield from _looked(world)
        case "plans":
            yield from _looked(world)
        case "done":
            return


def _looked(world: World) -> Iterator[World]:
    """B lists the sandbox: what is shown is not sent again, and what is not shown is sent."""
    if any(at <= world.now for at in world.shown_at):
        yield replace(world, b="done")
    else:
        yield from _sent(replace(world, b="done"))


def _sent(world: World) -> Iterator[World]:
    """A request leaves; the adversary decides what becomes of it."""
    yield world  # it is never applied
    for applied, lag in product(range(D + 1), range(L + 1)):
        yield replace(world, shown_at=(*world.shown_at, world.now + applied + lag))


def most_objects(protocol: Protocol) -> int:
    """How many objects the worst of all worlds holds."""
    horizon = 2 * (TTL + WINDOW) + protocol.margin
    seen: set[World] = set()
    ahead = [World()]
    worst, takes_over, is_sent_by_both = 0, False, False
    while ahead:
        world = ahead.pop()
        worst = max(worst, len(world.shown_at))
        takes_over |= world.b != "waits"
        is_sent_by_both |= world.a == world.b == "done"
        for after in following(world, protocol):
            if after not in seen and after.now <= horizon:
                seen.add(after)
                ahead.append(after)
    assert takes_over, "the model has nothing to say: B never takes over"
    assert is_sent_by_both, "the model has nothing to say: only one of them comes to its end"
    return worst


KERNEL = Protocol(kernel=True)


@pytest.mark.parametrize(
    ("sentence", "protocol"),
    [
        ("a lease, nothing fenced", Protocol(fenced=False)),
        ("intent fenced by the epoch, nothing else", Protocol()),
        (
            "own clock asked at the send, intent not fenced",
            Protocol(fenced=False, asks="with the send"),
        ),
        (
            "intent fenced, A may be paused between the question and the send",
            Protocol(asks="before the send"),
        ),
        ("kernel deadline, A's clock slow by 1 tick", replace(KERNEL, a_loses=1)),
        ("kernel deadline, S one tick short", replace(KERNEL, window=WINDOW - 1)),
    ],
)
def test_what_lacks_one_of_the_three_makes_duplicates(sentence: str, protocol: Protocol) -> None:
    assert most_objects(protocol) > SENT_ONCE, sentence


@pytest.mark.parametrize(
    ("sentence", "protocol"),
    [
        (
            "intent fenced, own clock asked atomically with the send",
            Protocol(asks="with the send"),
        ),
        ("intent fenced, the kernel ends A at its deadline", KERNEL),
        (
            "the same, A's clock slow by 1 tick, B waits 1 tick longer",
            replace(KERNEL, a_loses=1, margin=1),
        ),
    ],
)
def test_fence_deadline_and_margin_together_never_make_two(
    sentence: str, protocol: Protocol
) -> None:
    assert most_objects(protocol) == SENT_ONCE, sentence


# The rules of the code itself, over the same adversary ----------------------------------------------

TERMS = Terms(ttl_s=TTL)


def _implemented(*, a_loses: int = 0, window: int = WINDOW) -> Protocol:
    lease = Lease(lane=1, epoch=1, terms=TERMS, asked_s=0)
    watch = Watch()
    watch.see(1, Sighting(1, 1), now_s=0)
    return Protocol(
        asks="with the send",
        a_loses=a_loses,
        may_send=lease.may_send,
        may_take=lambda clock: watch.is_over(1, Sighting(1, 1), TERMS, now_s=clock),
        window=window,
    )


def test_the_codes_own_rules_never_make_two() -> None:
    """A's clock may lose as much as the margin allows, a sixth of the lease."""
    for a_loses in (0, 1):
        assert most_objects(_implemented(a_loses=a_loses)) == SENT_ONCE


@pytest.mark.parametrize("broken", [_implemented(a_loses=3), _implemented(window=WINDOW - 3)])
def test_the_codes_own_rules_are_no_better_than_what_they_rest_on(broken: Protocol) -> None:
    """With a clock that loses half of the lease, or a window that is cut by more than guard and margin give, the same model finds two."""
    assert most_objects(broken) > SENT_ONCE
