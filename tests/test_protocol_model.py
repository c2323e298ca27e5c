"""
The protocol of a lost answer, checked exhaustively: one row, up to two operators, an adversary.

The adversary decides how long a request waits between its intent and the wire, whether and when it is
applied, how long listings lag, whether its answer is lost, and where a process dies. Each protocol of the
table in docs/exactly-once.md is explored over all of it. The shorter ones make duplicates, so the model
can fail; the one that is implemented, with the constants of the code itself, never does.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

import pytest

from batchconnect.lane.reconciler import LISTINGS_FOR_ABSENCE, MOST_SENDS, Policy
from batchconnect.model.outcome import Status
from tests.fake_service import Bench, Bomb, FakeService, Fate, Seen, cells, lost
from tests.fast_lane import few

POLICY = Policy()
TICK_S = POLICY.lag_s
"""The model's unit of time: L."""
LAG = 1
APPLY = round((POLICY.settle_s - POLICY.lag_s) / TICK_S)
"""D, as the code's own window leaves it."""
WINDOW = round(POLICY.settle_s / TICK_S)
PACE = (0, 2)
"""Ticks that a request may wait for its turn, its intent being durable already."""
TIMEOUT = 1
HORIZON = 2 * (WINDOW + TIMEOUT + max(PACE)) + 1
"""Ticks: enough for a second send and all that may come of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """How a row is sent, and when it is sent again."""

    window: int
    """Ticks without a hit before it counts as absent."""
    counted_from: Literal["intent", "doubt"] = "doubt"
    looks: int = LISTINGS_FOR_ABSENCE
    """Listings that have to agree; 0: nobody looks."""
    operators: int = 1
    """How many may take over, one after the other, when a process dies."""
    one_ledger: bool = True
    """Whether they share it; the lock sees to it that one works at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One instant of the model."""

    now: int = 0
    phase: Literal["plan", "pace", "sent", "doubt", "end"] = "plan"
    due: int = 0
    """When the phase ends, if it waits for something."""
    answer_at: int | None = None
    """When the answer arrives; None: it is lost."""
    intent_at: int | None = None
    """What the ledger of the process at work holds of its last intent."""
    doubt_at: int = 0
    looks: int = 0
    """Listings after the window that showed nothing."""
    shown_at: tuple[int, ...] = ()
    """For each object that exists, or will: from when on listings show it."""
    sends: int = 0
    deaths: int = 0
    operator: int = 0


def following(world: World, protocol: Protocol) -> Iterator[World]:
    """Every world that may come next."""
    yield from _step(world, protocol)
    if world.deaths < 2 and world.phase in {"pace", "sent", "doubt"}:
        yield from _deaths(world, protocol)


def _step(world: World, protocol: Protocol) -> Iterator[World]:
    match world.phase:
        case "plan":
            # Look first, always: what is shown is not sent.
            if not _is_shown(world) or not protocol.looks:
                for wait in PACE:
                    yield replace(
                        world, phase="pace", intent_at=world.now, due=world.now + wait, looks=0
                    )
        case "pace":
            yield from _sent(replace(world, now=world.due))
        case "sent":
            if world.answer_at is None:
                yield replace(world, now=world.due, phase="doubt", doubt_at=world.due)
            else:
                yield replace(world, now=world.answer_at, phase="end")
        case "doubt":
            yield from _looked(world, protocol)
        case "end":
            return


def _sent(world: World) -> Iterator[World]:
    """The request leaves; the adversary decides what becomes of it."""
    at, sent = world.now, replace(world, phase="sent", sends=world.sends + 1)
    for timeout in (0, TIMEOUT):
        yield replace(sent, due=at + timeout, answer_at=None)
        for applied, lag in product(range(APPLY + 1), range(LAG + 1)):
            shown = (*world.shown_at, at + applied + lag)
            yield replace(sent, due=at + timeout, answer_at=None, shown_at=shown)
            if applied <= timeout:
                yield replace(sent, answer_at=at + applied, shown_at=shown)


def _looked(world: World, protocol: Protocol) -> Iterator[World]:
    if not protocol.looks:
        yield replace(world, phase="plan")
        return
    if _is_shown(world):
        return  # found by its marker: created, reconciled
    assert world.intent_at is not None
    since = world.intent_at if protocol.counted_from == "intent" else world.doubt_at
    if world.now - since < protocol.window:
        yield replace(world, now=world.now + 1)
    elif world.looks + 1 < protocol.looks:
        # The second listing may come at once, or later.
        yield replace(world, looks=world.looks + 1)
        yield replace(world, looks=world.looks + 1, now=world.now + 1)
    elif world.sends < min(MOST_SENDS, 2):
        yield replace(world, phase="plan")


def _deaths(world: World, protocol: Protocol) -> Iterator[World]:
    """The process dies here. The same operator goes on later, or another one takes over."""
    for later in (0, 1):
        dead = replace(world, now=world.now + later, deaths=world.deaths + 1, looks=0)
        # What the ledger holds as sending is in doubt from the recovery on. A doubt that it holds
        # already keeps its moment: a second crash does not start the window again.
        moment = world.doubt_at if world.phase == "doubt" else dead.now
        yield replace(dead, phase="doubt", doubt_at=moment)
        if world.operator + 1 < protocol.operators:
            other = replace(dead, operator=world.operator + 1)
            if protocol.one_ledger:
                yield replace(other, phase="doubt", doubt_at=moment)
            else:
                yield replace(other, phase="plan", intent_at=None)


def _is_shown(world: World) -> bool:
    return any(at <= world.now for at in world.shown_at)


def most_objects(protocol: Protocol) -> int:
    """How many objects the worst of all worlds holds, and that the exploration came to its end."""
    seen: set[World] = set()
    ahead = [World()]
    worst = 0
    while ahead:
        world = ahead.pop()
        worst = max(worst, len(world.shown_at))
        if worst > 1:
            return worst
        for after in following(world, protocol):
            if after not in seen and after.now <= HORIZON:
                seen.add(after)
                ahead.append(after)
    assert len(seen) > 100, "the model has nothing to say"
    return worst


IMPLEMENTED = Protocol(window=WINDOW)


def test_the_models_time_is_the_codes() -> None:
    """D = 120 s, L = 60 s, S = D + L, two listings, three sends."""
    assert (APPLY, LAG, WINDOW) == (2, 1, 3)
    assert (LISTINGS_FOR_ABSENCE, MOST_SENDS) == (2, 3)
    assert POLICY.settle_s == APPLY * TICK_S + LAG * TICK_S


@pytest.mark.parametrize(
    ("sentence", "protocol"),
    [
        ("retry at once", Protocol(window=0, looks=0)),
        ("look up, then send again at once", Protocol(window=0, looks=1)),
        ("wait D only", Protocol(window=APPLY)),
        ("wait L only", Protocol(window=LAG)),
        ("one tick less", Protocol(window=WINDOW - 1)),
        ("wait D+L from the stored intent", Protocol(window=WINDOW, counted_from="intent")),
        (
            "two operators, own ledgers, a lock, look up first",
            Protocol(window=WINDOW, operators=2, one_ledger=False),
        ),
    ],
)
def test_a_shorter_protocol_makes_duplicates(sentence: str, protocol: Protocol) -> None:
    assert most_objects(protocol) > 1, sentence


@pytest.mark.parametrize(
    ("sentence", "protocol"),
    [
        ("wait D+L from the doubt, or from the recovery", IMPLEMENTED),
        ("two operators, one ledger and its lock", replace(IMPLEMENTED, operators=2)),
    ],
)
def test_the_implemented_protocol_never_makes_two(sentence: str, protocol: Protocol) -> None:
    assert most_objects(protocol) == 1, sentence


# The code itself, over the same adversary -----------------------------------------------------------

D_S, L_S = APPLY * TICK_S, LAG * TICK_S
ANSWERS = (0.0, D_S - 1)
FATES = (
    Fate(),
    *(lost(applied_s=None, answered_s=answered) for answered in ANSWERS),
    *(
        lost(applied_s=applied, shown_s=shown, answered_s=answered)
        for applied, shown, answered in product((0.0, D_S - 1, D_S), (0.0, L_S), ANSWERS)
    ),
)


SECOND = FATES if os.environ.get("BATCHCONNECT_TEST_DEEP") else (Fate(), FATES[1], FATES[-1])
"""Well, never applied, applied as late as may be; with BATCHCONNECT_TEST_DEEP all of them."""


@pytest.mark.anyio
@pytest.mark.parametrize(
    "dies_at", few(["after create", None, "before create", "answer create"], 1)
)
@pytest.mark.parametrize(
    "second",
    [*(pytest.param(fate, marks=pytest.mark.slow) for fate in SECOND[:-1]), SECOND[-1]],
    ids=range(len(SECOND)),
)
async def test_the_code_never_makes_two_whatever_becomes_of_its_sends(
    second: Fate, dies_at: str | None
) -> None:
    """Every fate of the first send with every fate of the second; the process may die at the first."""
    for first in FATES:
        fates = [first, second]

        def choose(seen: Seen, fates: list[Fate] = fates) -> Fate | None:
            return fates.pop(0) if seen.marker is not None and fates else None

        world = Bench(service=FakeService(choose))
        if dies_at is not None:
            await world.run_until_crash([cells(1)], _BombAt(dies_at))
        state = await world.run([cells(1)])

        assert world.broken_promises(state, rows=1) == [], (first, second)
        # An intent whose process died counts as a send, so three may be spent here.
        is_spent = dies_at is not None and first.applied_s is None and second.applied_s is None
        ends = {Status.CREATED, Status.FAILED} if is_spent else {Status.CREATED}
        assert set(world.statuses(state)) <= ends, (first, second)


class _BombAt(Bomb):
    """Goes off at the first point of this name."""

    def __init__(self, point: str) -> None:
        super().__init__()
        self._point = point

    def __call__(self, point: str) -> None:
        if point == self._point:
            self.at = len(self.points) + 1
        super().__call__(point)
