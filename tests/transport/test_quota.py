"""A number in a window of time, that no cut of a rate would find: what passes from one opening to the next."""

from batchconnect.transport.quota import Quota, Window


class Lane:
    """Sends at a rate of its own, and knocks again after so many seconds."""

    def __init__(self) -> None:
        self.quota = Quota()
        self.now = 0.0

    def spends(self, number: int, rate: float, *, shut_until: float) -> Window | None:
        """So many pass, then all is refused until that moment."""
        for _ in range(number):
            self.quota.passed(self.now)
            self.now += 1 / rate
        self.quota.spent(self.now, rate)
        self.now = shut_until
        self.quota.passed(self.now)
        return self.quota.opened(self.now)


def sixty_in_a_minute() -> tuple[Lane, Window | None]:
    """The first minute spent in six seconds, the second in thirty; the first request of a window opens it."""
    lane = Lane()
    assert lane.spends(60, 10.0, shut_until=61.0) is None
    return lane, lane.spends(59, 2.0, shut_until=121.0)


def test_the_same_number_before_it_shut_twice_is_its_rate() -> None:
    """One in a second, and a tenth more, since the opening is seen late."""
    _, window = sixty_in_a_minute()

    assert window == Window(rate=1.1, seconds=60.0)


def test_no_more_than_half_way_to_the_rate_that_spent_it() -> None:
    lane, _ = sixty_in_a_minute()

    window = lane.spends(59, 1.04, shut_until=181.0)

    assert window is not None
    assert 1.0 < window.rate <= 1.02


def test_a_short_time_of_refusals_is_no_window() -> None:
    """A rate that is a little too much is served again after a second or two."""
    lane = Lane()
    lane.spends(30, 2.0, shut_until=17.0)

    assert lane.spends(29, 2.0, shut_until=34.0) is None


def test_other_numbers_are_an_outage_s() -> None:
    lane = Lane()
    lane.spends(60, 2.0, shut_until=90.0)

    assert lane.spends(30, 2.0, shut_until=150.0) is None


def test_what_is_long_or_fast_is_left_to_the_growth_of_every_second() -> None:
    """An hour's number would be spread over the hour; ten a second are found again soon enough."""
    hour, fast = Lane(), Lane()
    hour.spends(1000, 20.0, shut_until=3600.0)
    fast.spends(600, 20.0, shut_until=60.0)

    assert hour.spends(999, 20.0, shut_until=7200.0) is None
    assert fast.spends(599, 15.0, shut_until=120.0) is None


def test_a_window_that_serves_another_number_is_measured_anew() -> None:
    """Half as many as before: others are served as well, and one such window may be chance."""
    lane, _ = sixty_in_a_minute()

    assert lane.spends(29, 1.0, shut_until=181.0) is None
    window = lane.spends(29, 1.0, shut_until=241.0)

    assert window is not None
    assert window.rate == 0.55


def test_a_refusal_that_was_not_told_of_opens_nothing() -> None:
    """One that names its time, or a server fault."""
    quota = Quota()
    quota.passed(0.0)

    assert quota.opened(60.0) is None


def test_a_service_that_refuses_from_the_first_request_on_says_nothing() -> None:
    quota = Quota()
    quota.spent(0.0, 2.0)
    quota.passed(15.0)

    assert quota.opened(15.0) is None
