"""Refusals that come as often at twice the rate are chance; a limiter's are not."""

from random import Random

import pytest

from batchconnect.transport.refusals import SOON, TRIED, Refusal, Refusals

MOST = 20.0


def suspected(rate: float = 2.0) -> Refusals:
    """A refusal, a cut, some answers, and a refusal at the lower rate."""
    refusals = Refusals()
    assert refusals.refused(0, rate / 0.7, most=MOST) is Refusal.CONGESTION
    refusals.cut(rate / 0.7)
    for _ in range(5):
        refusals.passed()
    return refusals


def tried() -> Refusals:
    """Chance is under trial."""
    refusals = suspected()
    assert refusals.refused(5, 2.0, most=MOST) is Refusal.TRY
    assert refusals.is_trying
    return refusals


def found_to_be_chance() -> Refusals:
    """One in ten was refused in the trial."""
    refusals = tried()
    ended = [refusals.passed() for _ in range(6)]
    assert ended == [False] * 5 + [True]
    assert not refusals.is_trying
    return refusals


def test_the_first_refusal_is_congestion() -> None:
    assert Refusals().refused(0, 2.0, most=MOST) is Refusal.CONGESTION


def test_a_refusal_soon_after_a_cut_is_tried_at_twice_the_rate() -> None:
    tried()


def test_a_refusal_long_after_a_cut_is_congestion() -> None:
    """The cut helped for a while: that is what a limiter looks like."""
    refusals = suspected()
    for _ in range(SOON):
        refusals.passed()

    assert refusals.refused(30, 2.0, most=MOST) is Refusal.CONGESTION


def test_refusals_in_a_row_are_congestion() -> None:
    """A minute that is used up refuses all until it ends."""
    refusals = Refusals()
    refusals.refused(0, 3.0, most=MOST)
    refusals.cut(3.0)

    assert refusals.refused(1, 2.0, most=MOST) is Refusal.CONGESTION


def test_a_refusal_at_a_rate_that_has_grown_back_is_congestion() -> None:
    assert suspected().refused(5, 3.0, most=MOST) is Refusal.CONGESTION


@pytest.mark.parametrize("rate", [0.9, 10.5])
def test_nothing_is_tried_below_one_a_second_or_above_the_lane_s_ceiling(rate: float) -> None:
    assert suspected(rate).refused(5, rate, most=MOST) is Refusal.CONGESTION


def test_more_refusals_at_twice_the_rate_are_a_limiter_s() -> None:
    """Three in a row end the trial; the fourth refusal is an ordinary one."""
    refusals = tried()

    verdicts = [refusals.refused(6, 2.0 * TRIED, most=MOST) for _ in range(4)]

    assert verdicts == [Refusal.USUAL, Refusal.USUAL, Refusal.IN_VAIN, Refusal.CONGESTION]
    assert not refusals.is_trying


def test_after_a_limiter_was_found_nothing_is_tried_for_two_minutes_then_for_four() -> None:
    def found_again(now: float) -> Refusal:
        refusals.cut(3.0)
        refusals.passed()
        return refusals.refused(now, 2.0, most=MOST)

    def finds_limiter(now: float) -> None:
        while refusals.refused(now, 4.0, most=MOST) is not Refusal.IN_VAIN:
            pass

    refusals = tried()
    finds_limiter(10)
    assert found_again(129) is Refusal.CONGESTION
    assert found_again(130) is Refusal.TRY
    finds_limiter(130)
    assert found_again(369) is Refusal.CONGESTION
    assert found_again(370) is Refusal.TRY


def test_what_is_known_as_chance_cuts_nothing() -> None:
    """One in eight of five hundred answers is refused, and none of them is congestion."""
    refusals, rng = found_to_be_chance(), Random(3)

    verdicts = set()
    for _ in range(500):
        if rng.random() < 0.125:
            verdicts.add(refusals.refused(60, 10, most=MOST))
        else:
            refusals.passed()

    assert verdicts == {Refusal.USUAL}


def test_a_limiter_on_top_of_chance_is_found() -> None:
    """Where two of three are refused, it takes some ten of them."""
    refusals = found_to_be_chance()

    for answers in range(40):
        if answers % 3 == 0:
            refusals.passed()
        elif refusals.refused(60, 15, most=MOST) is Refusal.CONGESTION:
            break

    assert answers <= 25
    assert refusals.refused(61, 10, most=MOST) is Refusal.CONGESTION


def test_a_cut_for_another_reason_ends_the_trial() -> None:
    """A refusal that names a time, or a fault, cuts the rate that was tried: nothing was learned of it."""
    refusals = tried()

    refusals.cut(4.0)

    assert not refusals.is_trying
    assert [refusals.passed() for _ in range(20)] == [False] * 20
    assert refusals.refused(60, 4.0, most=MOST) is Refusal.CONGESTION
