"""What was served between two congestions, by the moments of sending."""

import pytest

from batchconnect.transport.throughput import ThroughputEstimate


def served(
    start: float, per_second: float, seconds: float, into: ThroughputEstimate | None = None
) -> ThroughputEstimate:
    """So many answers a second for so long, each request sent as it was due."""
    measured = ThroughputEstimate() if into is None else into
    for number in range(round(per_second * seconds)):
        at = start + number / per_second
        measured.taken(at, at)
        measured.answered(at)
    return measured


def test_nothing_is_known_before_the_first_congestion() -> None:
    """A burst proves no rate."""
    measured = served(0.0, 5, 10)

    assert measured.rate is None
    assert not measured.is_proven(10.0, 1.0)


def test_the_rate_between_two_congestions() -> None:
    """The pause after the first one counts: the service would not serve then."""
    measured = served(0.0, 20, 2)
    measured.congested(2.0)
    served(4.0, 5, 8, measured)

    assert measured.congested(12.0) == pytest.approx(5 * 8 / 10, rel=0.1)


def test_a_few_answers_count_into_the_next_measurement() -> None:
    """Two congestions with four answers between are one."""
    measured = ThroughputEstimate()
    served(0.0, 4, 1, measured)
    first = measured.congested(1.0)
    served(1.0, 4, 9, measured)

    assert first is None
    assert measured.congested(10.0) == pytest.approx(4, rel=0.1)


def test_an_answer_to_what_left_before_does_not_count() -> None:
    """What was on its way at the congestion tells of another rate."""
    measured = served(0.0, 5, 4)
    measured.congested(4.0)
    for _ in range(50):
        measured.answered(3.9)

    assert measured.congested(8.0) is None


def test_what_a_lane_did_not_ask_for_could_not_be_served() -> None:
    """A lane that had little to send knows what was served at the least, and not what could be."""
    measured = ThroughputEstimate()
    for number in range(20):
        measured.taken(number * 10.0, number * 10.0 - 9)
        measured.answered(number * 10.0)

    assert measured.congested(200.0) is None
    assert measured.is_proven(200.0, 0.05)


def test_less_than_was_served_is_proven() -> None:
    """Nine tenths of it, to be sure; and what was served before an outage is forgotten."""
    measured = served(0.0, 5, 10)
    measured.congested(10.0)
    proofs = [measured.is_proven(11.0, rate) for rate in (4.4, 5.0)]
    measured.forget()

    assert proofs == [True, False]
    assert not measured.is_proven(11.0, 1.0)


def test_what_was_served_long_ago_proves_nothing() -> None:
    """A service that has become slow since may be overloaded by less."""
    measured = served(0.0, 18, 10)
    measured.congested(10.0)

    assert [measured.is_proven(at, 10.0) for at in (129.0, 131.0)] == [True, False]


def test_grants_within_one_tick_of_the_clock_tell_no_rate() -> None:
    """Ten at once, at a rate of thousands: the pace itself is asked then."""
    measured = served(0.0, 5, 10)
    measured.congested(10.0)
    for _ in range(10):
        measured.taken(11.0, 11.0)

    assert not measured.is_proven(11.0, 4000.0)


def test_what_is_asked_counts_and_not_what_might_be() -> None:
    """A rate of 20/s that is held to 2/s by the requests in flight asks for 2/s."""
    measured = served(0.0, 5, 10)
    measured.congested(10.0)
    served(10.0, 2, 10, measured)

    assert measured.is_proven(21.0, 20.0)
