"""One server fault is an accident, two are overload; those that a lower rate does not end are neither."""

from collections.abc import Iterator
from itertools import count
from random import Random

import pytest

from batchconnect.transport.faults import ISOLATED_ANSWERS, ISOLATED_S, Fault, Faults


def every(so_many: int) -> Iterator[bool]:
    """One fault among so many answers."""
    return (number % so_many == 0 for number in count(1))


def judged(
    faults: Faults, answers: Iterator[bool], times: int, *, rate: float = 10.0, proven: bool = False
) -> list[Fault]:
    """What the faults among so many answers mean, one a second."""
    kinds = []
    for now, is_fault in zip(range(times), answers, strict=False):
        if is_fault:
            kinds.append(faults.failed(now, rate, proven=proven))
        else:
            faults.answered(proven=proven)
    return kinds


def learned() -> Faults:
    """One fault in seven answers, at a rate that was served."""
    faults = Faults()
    assert Fault.LEARNED in judged(faults, every(7), 60, proven=True)
    return faults


def test_a_single_fault_is_isolated() -> None:
    """The first fault says nothing about the load."""
    assert Faults().failed(0.0, 10, proven=False) is Fault.ISOLATED


def test_a_second_fault_soon_after_is_overload() -> None:
    """Two among a few answers are no accident."""
    faults = Faults()
    faults.failed(0.0, 10, proven=False)
    for _ in range(ISOLATED_ANSWERS - 1):
        faults.answered(proven=False)

    assert faults.failed(1.0, 10, proven=False) is Fault.OVERLOAD


def test_faults_far_apart_in_answers_are_isolated() -> None:
    """More than twenty good answers between two faults: both were accidents."""
    faults = Faults()
    faults.failed(0.0, 10, proven=False)
    for _ in range(ISOLATED_ANSWERS + 1):
        faults.answered(proven=False)

    assert faults.failed(1.0, 10, proven=False) is Fault.ISOLATED


def test_faults_far_apart_in_time_are_isolated() -> None:
    """A fault of half a minute ago says nothing about now."""
    faults = Faults()
    faults.failed(0.0, 10, proven=False)

    assert faults.failed(ISOLATED_S + 0.1, 10, proven=False) is Fault.ISOLATED


def test_faults_at_a_rate_that_was_served_are_usual() -> None:
    """What fails below a rate that the service can serve fails at any rate; its share is remembered."""
    faults = learned()

    assert faults.share is not None
    assert 1 / 7 <= faults.share < 0.4
    assert set(judged(faults, every(7), 400)) == {Fault.USUAL}
    assert faults.share == pytest.approx(1 / 7, abs=0.06)


def test_faults_that_two_cuts_did_not_end_are_usual() -> None:
    """Whoever fails a quarter at 10/s would fail nothing below 7.5/s."""
    faults, kinds = Faults(), []
    for rate in (10.0, 7.0, 4.9):
        kinds.append(judged(faults, every(4), 12, rate=rate)[-1])
        faults.cut(rate)

    assert kinds == [Fault.OVERLOAD, Fault.OVERLOAD, Fault.LEARNED]


def test_a_share_that_rises_is_overload() -> None:
    """With one usual fault in seven, every third one is too fast, and some dozen of them tell."""
    faults = learned()
    judged(faults, every(7), 400)

    assert Fault.OVERLOAD in judged(faults, every(3), 150)


def test_an_outage_is_never_usual() -> None:
    """Where most requests fail, neither a proof nor a usual share counts."""
    proven = judged(Faults(), every(1), 8, proven=True)
    usual = judged(learned(), every(1), 10)

    assert (proven[-1], usual[-1]) == (Fault.OUTAGE, Fault.OUTAGE)


def test_a_usual_share_is_forgotten_with_the_faults() -> None:
    """After some hundred good answers a second fault is overload again."""
    faults = learned()
    judged(faults, every(1000), 999)

    assert faults.share is None
    assert judged(faults, every(1), 2)[-1] is Fault.OVERLOAD


@pytest.mark.parametrize("share", [0.05, 0.14, 0.3])
def test_false_alarms_are_rare(share: float) -> None:
    """Where faults come by chance, a thousand answers hold hardly one alarm, once the share is known."""
    alarms = 0
    for seed in range(20):
        rng, faults = Random(seed), Faults()
        by_chance = (rng.random() < share for _ in count())
        judged(faults, by_chance, 300, proven=True)
        alarms += judged(faults, by_chance, 1000).count(Fault.OVERLOAD)

    assert alarms <= 20
