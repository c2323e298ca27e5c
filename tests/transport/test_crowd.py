"""A limit on requests in flight refuses each that is one too many, and no other; a limit on the rate does not."""

from math import inf

import pytest

from batchconnect.transport.crowd import ONE_MORE_S, Crowd


def refused_twice(passed: tuple[int, ...] = (3, 4, 4), again: int = 5) -> Crowd:
    """Five were out with what was refused, both times; and so many with what passed between."""
    crowd = Crowd()
    assert not crowd.refused(0.0, 5)
    for out in passed:
        crowd.passed(5.0, out)
    crowd.refused(10.0, again)
    return crowd


def test_one_refusal_says_nothing() -> None:
    crowd = Crowd()

    assert not crowd.refused(0.0, 5)
    assert (inf, inf) == (crowd.bound(0.0), crowd.most)


def test_the_same_number_refused_twice_and_one_less_served_is_a_bound() -> None:
    assert refused_twice().bound(10.0) == 4


@pytest.mark.parametrize(
    "crowd",
    [
        refused_twice(again=6),
        refused_twice(passed=(4, 4, 4, 4, 5)),
        refused_twice(passed=(3, 4)),
        refused_twice(passed=(3, 3, 3, 3)),
    ],
    ids=["another number", "as many passed", "few passed", "nobody knows of one less"],
)
def test_what_a_limit_on_the_rate_refuses_is_no_bound(crowd: Crowd) -> None:
    assert crowd.bound(10.0) == inf


def test_one_more_is_tried_after_a_minute_then_after_two() -> None:
    """One refusal each time, and it is known as one too many."""
    crowd = refused_twice()
    before, tried = crowd.bound(10.0 + ONE_MORE_S - 0.1), crowd.bound(10.0 + ONE_MORE_S)

    assert (before, tried) == (4, 5)
    assert crowd.refused(70.0, 5)
    assert (crowd.bound(189.9), crowd.bound(190.0)) == (4, 5)


def test_a_limit_that_rose_is_followed_with_each_request_that_passes() -> None:
    crowd = refused_twice()
    for now, out in ((70.0, 5), (71.0, 6), (72.0, 7)):
        crowd.passed(now, out)

    assert crowd.bound(72.0) == 8
    assert crowd.refused(73.0, 8)
    assert (crowd.bound(73.0), crowd.bound(73.0 + ONE_MORE_S)) == (7, 8)


def test_a_refusal_within_the_bound_refutes_it_and_the_next_two_minutes_believe_in_none() -> None:
    crowd = refused_twice()

    assert not crowd.refused(20.0, 4)
    assert crowd.bound(20.0) == inf

    def is_believed(now: float) -> bool:
        for _ in range(2):
            crowd.passed(now, 3)
        return crowd.refused(now, 4)

    assert not is_believed(139.0)
    assert is_believed(140.0)
