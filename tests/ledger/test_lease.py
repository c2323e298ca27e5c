"""The rules of a lease: how long its holder may send, and when somebody else may take it."""

import pytest

from batchconnect.ledger.lease import Lease, Sighting, Terms, Watch, back_off_s

TERMS = Terms(ttl_s=30)


def lease(asked_s: float = 100.0) -> Lease:
    return Lease(lane=1, epoch=7, terms=TERMS, asked_s=asked_s)


@pytest.mark.parametrize(
    ("now_s", "may"), [(100.0, True), (128.9, True), (129.0, False), (500.0, False)]
)
def test_a_holder_sends_until_a_moment_before_its_lease_ends(now_s: float, may: bool) -> None:
    """Counted from before it was asked for, however long the answer took."""
    assert lease().may_send(now_s) is may


def test_a_renewal_counts_from_before_it_was_asked_for_and_never_shortens() -> None:
    held = lease()
    held.renewed(110.0)
    held.renewed(105.0)

    assert held.until_s == 140.0


def test_what_was_lost_or_handed_back_never_comes_to_life_again() -> None:
    """A renewal whose answer comes late changes nothing."""
    held = lease()
    held.end()
    held.renewed(110.0)

    assert not held.may_send(111.0)


def test_a_lease_is_over_when_the_same_beat_was_seen_for_a_lease_and_its_margin() -> None:
    watch = Watch()
    watch.see(1, Sighting(7, 1), now_s=10.0)
    watch.see(1, Sighting(7, 1), now_s=20.0)

    assert not watch.is_over(1, Sighting(7, 1), TERMS, now_s=44.9)
    assert watch.is_over(1, Sighting(7, 1), TERMS, now_s=45.0)


def test_a_beat_begins_the_wait_anew() -> None:
    watch = Watch()
    watch.see(1, Sighting(7, 1), now_s=10.0)
    watch.see(1, Sighting(7, 2), now_s=40.0)

    assert not watch.is_over(1, Sighting(7, 2), TERMS, now_s=70.0)
    assert not watch.is_over(1, Sighting(7, 1), TERMS, now_s=500.0), "not what was seen last"


def test_a_lane_that_was_not_seen_before_or_is_free_is_not_over() -> None:
    watch = Watch()
    watch.see(1, Sighting(7, 1), now_s=10.0)
    watch.forget(1)

    assert not watch.is_over(1, Sighting(7, 1), TERMS, now_s=500.0)
    assert not watch.is_over(2, Sighting(1, 1), TERMS, now_s=500.0)


def test_what_follows_from_the_length_of_a_lease() -> None:
    """30 s: renewed every 5 s, taken over after 35 s, nothing sent in its last second."""
    found = (TERMS.renew_every_s, TERMS.take_after_s, TERMS.guard_s)

    assert found == pytest.approx((5, 35, 1))


def test_a_lane_that_fails_again_and_again_is_left_alone_for_longer_each_time() -> None:
    """Up to five minutes, though it fails for weeks."""
    assert [back_off_s(failures) for failures in (1, 2, 3, 20, 5_000)] == [*(2, 4, 8, 300, 300)]
