"""Hidden limits, and the forms of their refusals."""

from email.utils import parsedate_to_datetime

import pytest

from batchconnect.simulator.answers import RetryAfter
from batchconnect.simulator.control import Simulator
from batchconnect.simulator.limits import Limit, Limits
from batchconnect.simulator.testing import ORG, OTHER_ORG, Caller, Clock, code


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sim(clock: Clock) -> Simulator:
    return Simulator(clock=clock)


def statuses(caller: Caller, count: int) -> list[int]:
    return [caller.create().status for _ in range(count)]


def test_beyond_the_burst_comes_429_until_time_has_passed(sim: Simulator, clock: Clock) -> None:
    """A refused request costs nothing, and creates nothing."""
    caller = Caller(sim)
    sim.set_rate(ORG, 2, burst=3)

    assert statuses(caller, 5) == [201, 201, 201, 429, 429]
    clock.advance(1)
    assert statuses(caller, 3) == [201, 201, 429]
    assert len(sim.connections()) == 5


def test_a_limit_is_one_orgs_own(sim: Simulator) -> None:
    """Others keep their speed."""
    sim.set_rate(ORG, 1)

    assert statuses(Caller(sim), 2) == [201, 429]
    assert statuses(Caller(sim, org_id=OTHER_ORG), 2) == [201, 201]


def test_a_limit_changes_in_mid_run(sim: Simulator) -> None:
    """Tighter, wider, off."""
    caller = Caller(sim)
    sim.set_rate(ORG, 1)
    assert statuses(caller, 2) == [201, 429]
    sim.set_rate(ORG, 5, burst=2)
    assert statuses(caller, 3) == [201, 201, 429]
    sim.set_rate(ORG, None)
    assert statuses(caller, 5) == [201] * 5


def test_the_given_rate_stands_in_for_the_profiles(clock: Clock) -> None:
    """For every org."""
    sim = Simulator(rate=2, clock=clock)

    assert statuses(Caller(sim), 3) == [201, 201, 429]
    assert statuses(Caller(sim, org_id=OTHER_ORG), 3) == [201, 201, 429]


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("seconds", "4"),
        ("malformed", "soon"),
        ("absent", None),
        ("absurd", "31536000"),
        ("negative", "-4"),
    ],
)
def test_retry_after_comes_in_every_form(
    sim: Simulator, form: RetryAfter, expected: str | None
) -> None:
    """With the gateway's body."""
    caller = Caller(sim)
    sim.set_rate(ORG, 0.25, retry_after=form)
    caller.create()

    answer = caller.create()

    assert (answer.status, code(answer)) == (429, "429050")
    assert answer.header("Retry-After") == expected


@pytest.mark.parametrize(("form", "seconds"), [("date", 4), ("past", -4)])
def test_a_date_is_measured_against_the_answers_own(
    sim: Simulator, clock: Clock, form: RetryAfter, seconds: int
) -> None:
    """The simulator's clock may be far off."""
    clock.now = 1_000_000_000.0
    caller = Caller(sim)
    sim.set_rate(ORG, 0.25, retry_after=form)
    caller.create()

    answer = caller.create()

    until, date = (
        parsedate_to_datetime(answer.header(name) or "") for name in ("Retry-After", "Date")
    )
    assert (until - date).total_seconds() == seconds


def test_a_cycle_goes_through_the_forms(sim: Simulator) -> None:
    """Seconds, date, absent, malformed, and again."""
    caller = Caller(sim)
    sim.set_rate(ORG, 1, retry_after="cycle")
    caller.create()

    headers = [caller.create().header("Retry-After") for _ in range(5)]

    assert headers[0] == headers[4] == "1"
    assert headers[2:4] == [None, "soon"]


@pytest.mark.parametrize(("status", "expected"), [(500, "FLOW-1102-500"), (503, "503000")])
def test_overload_may_show_as_another_status(sim: Simulator, status: int, expected: str) -> None:
    """Nothing is created by it."""
    caller = Caller(sim)
    sim.set_rate(ORG, 1, as_status=500 if status == 500 else 503)
    caller.create()

    assert code(caller.create()) == expected
    assert len(sim.connections()) == 1


def test_so_many_at_once_and_no_more() -> None:
    """Counted from arrival to the last byte, or until the client has gone."""
    limits = Limits()
    limits.set_in_flight(ORG, 1)
    limits.enter(ORG)
    assert limits.refusal(ORG, 0) is None
    limits.enter(ORG)
    refusal = limits.refusal(ORG, 0)
    assert refusal is not None
    assert refusal.status == 429

    limits.leave(ORG)

    assert limits.refusal(ORG, 0) is None
    limits.leave(ORG)
    assert limits.in_flight(ORG) == 0


def test_a_clock_that_goes_back_gives_nothing_away() -> None:
    """Nor does it break."""
    limits = Limits(Limit(per_second=1, burst=1))
    assert limits.excess_s(ORG, 100) == 0
    assert limits.excess_s(ORG, 50) == 1


@pytest.mark.parametrize("wrong", [{"per_second": 0.0}, {"burst": 0.5}, {"retry_after": "never"}])
def test_a_limit_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    """When it is set, not when it is met."""
    with pytest.raises(ValueError, match="has to be"):
        Limit(**{"per_second": 1.0, "burst": 1.0, **wrong})  # type: ignore[arg-type]  # wrong on purpose
