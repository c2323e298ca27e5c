"""The pace of a lane, step by step, under a clock that the test holds."""

import itertools
from collections import Counter
from collections.abc import Callable
from math import inf
from random import Random

import pytest

from batchconnect.model.event import Event, LanePaused, PaceChanged
from batchconnect.transport.load import Signal
from batchconnect.transport.pace import CEILING_RATE, FLOOR_RATE, RateLimiter
from tests.fast_lane import few


class Still(Random):
    """Draws the middle of every range."""

    def random(self) -> float:
        return 0.5


def limiter(rate: float | None = None, events: list[Event] | None = None) -> RateLimiter:
    heard = [] if events is None else events
    return RateLimiter(org="acme", host="h", rng=Still(), rate=rate, on_event=heard.append)


def pauses(events: list[Event]) -> list[tuple[str, float]]:
    return [(e.reason, round(e.pause_s, 6)) for e in events if isinstance(e, LanePaused)]


def use(pace: RateLimiter, start: float, seconds: float, signal: Signal = Signal.OK) -> float:
    """Send as fast as the lane allows, each request answered at once; the time after it."""
    now = start
    while now < start + seconds:
        now += pace.wait_s(now)
        pace.take(now)
        pace.done()
        pace.answered(now, now, signal)
    return now


@pytest.mark.parametrize("seed", few(range(60), 10))
def test_no_mix_of_answers_breaks_the_pace(seed: int) -> None:
    """Refusals with a time and without, faults and normal answers, in any order: the rate stays within its bounds."""
    rng, now = Random(seed), 0.0
    pace = RateLimiter(org="acme", host="h", rng=rng, rate=None, on_event=lambda _: None)
    kinds = [(Signal.THROTTLED, None), (Signal.THROTTLED, 2.0), (Signal.CONGESTION, None)]
    weights = [rng.random() / 8 for _ in kinds]
    for _ in range(600):
        now += pace.wait_s(now)
        pace.take(now)
        pace.done()
        sent_at, now = now, now + 0.05
        drawn = rng.random()
        other = next(
            (k for k, w in zip(kinds, weights, strict=True) if (drawn := drawn - w) < 0), None
        )
        pace.answered(now, sent_at, *(other or (Signal.OK, None)))
        assert FLOOR_RATE <= pace.rate <= CEILING_RATE


def test_there_is_no_initial_salvo() -> None:
    """The first request goes at once, the second a whole gap later."""
    pace = limiter(rate=10)
    pace.take(0.0)
    pace.done()

    assert pytest.approx(0.1) == pace.wait_s(0.0)
    assert pace.wait_s(0.1) == 0.0


def test_time_not_used_is_not_saved_up() -> None:
    """After a minute of silence one request goes, not six hundred."""
    pace = limiter(rate=10)
    pace.take(0.0)
    pace.take(60.0)

    assert pytest.approx(0.1) == pace.wait_s(60.0)


def test_a_clock_may_round_by_a_microsecond() -> None:
    """A grant is not put off for less than the clock can tell."""
    pace = limiter(rate=10)
    pace.take(0.0)

    assert pace.wait_s(0.1 - 0.9e-6) == 0.0
    assert pace.wait_s(0.1 - 2e-6) > 0.0


def test_gaps_shorter_than_the_clocks_tick_are_kept_on_average() -> None:
    """At 4,000/s about four requests leave together in each millisecond."""
    pace = limiter(rate=4000)
    left = []
    for tick in range(1000):
        now = 60 + tick * 1e-3
        while pace.wait_s(now) == 0.0:
            pace.take(now)
            left.append(tick)

    assert len(left) in range(3996, 4006)
    assert max(left.count(tick) for tick in range(1, 50)) <= 5


def test_a_late_timer_costs_no_rate_where_gaps_are_shorter_than_its_steps() -> None:
    """At 1,000/s a wake-up that is 0.4 ms late shortens the next gap by as much; at 10/s never."""
    fast, slow = limiter(rate=1000), limiter(rate=10)
    for pace, moment in ((fast, 0.0014), (slow, 0.1004)):
        pace.take(0.0)
        pace.take(moment)

    assert pytest.approx(0.0006) == fast.wait_s(0.0014)
    assert pytest.approx(0.1) == slow.wait_s(0.1004)


def test_a_lane_finds_its_pace_from_two_a_second() -> None:
    """Slow start: half as much again each second, up to twenty."""
    pace = limiter()
    rates = [pace.rate]
    now = 0.0
    for _ in range(8):
        now = use(pace, now, 1.0)
        rates.append(pace.rate)

    assert rates[0] == 2.0
    assert all(later <= earlier * 1.5 + 1e-9 for earlier, later in itertools.pairwise(rates))
    assert 20.0 == rates[-1] == pace.counted.rate_max


def test_a_pace_that_is_not_used_does_not_grow() -> None:
    """Less than half of the grant used proves nothing about the service."""
    pace = limiter()
    for second in range(30):
        pace.take(float(second) * 2)
        pace.done()
        pace.answered(second * 2 + 0.1, second * 2, Signal.OK)

    assert pace.rate == 2.0


def test_a_step_waits_for_the_answers_to_the_last_one() -> None:
    """At 3 s until an answer, the rate grows once in 3 s: more would overshoot by all that is out."""
    pace, now = limiter(), 0.0
    sent: list[float] = []
    rates: list[float] = []
    while now < 12:
        now += pace.wait_s(now) if pace.in_flight < pace.max_in_flight else 0.25
        while sent and sent[0] <= now - 3:
            pace.done()
            pace.answered(sent[0] + 3, sent.pop(0), Signal.OK)
        if pace.wait_s(now) == 0:
            pace.take(now)
            sent.append(now)
            rates.append(pace.rate)

    assert 2 <= len(set(rates)) <= 5


def test_the_pace_goes_on_where_it_was_served() -> None:
    """After the second congestion the rate is what was served between the two, once one is answered."""
    pace = limiter()
    now = use(pace, 0.0, 4.0)
    pace.answered(now, now, Signal.THROTTLED)
    began = now
    now = use(pace, now, 10.0)
    served = pace.counted.sent
    too_much = pace.rate
    pace.answered(now, now, Signal.THROTTLED)
    cut = pace.rate
    now += pace.wait_s(now)
    pace.take(now)
    pace.answered(now, now, Signal.OK)

    assert cut == pytest.approx(too_much * 0.7)
    assert cut < pace.rate < too_much
    assert pace.rate == pytest.approx((served - 14) / (now - began), rel=0.15)


@pytest.mark.parametrize(("out", "share"), [(0, 0.7), (5, 0.15)])
def test_a_limit_by_the_minute_is_run_against_only_where_that_is_cheap(
    out: int, share: float
) -> None:
    """With a header the cut is x0.7; but with many out that will be refused too, down to what was served."""
    pace = limiter()
    now = use(pace, 0.0, 4.0)
    pace.answered(now, now, Signal.THROTTLED, 50.0)
    now = use(pace, now, 60.0)
    too_much = pace.rate
    for _ in range(out):
        pace.take(now)
    pace.answered(now, now, Signal.THROTTLED, 50.0)

    assert pace.rate == pytest.approx(too_much * share, rel=0.15)


def test_a_pause_that_was_too_short_says_little_of_a_rate_that_is_known() -> None:
    """Refused again and again after the second congestion, the rate stays near what was served."""
    pace = limiter()
    now = use(pace, 0.0, 4.0)
    pace.answered(now, now, Signal.THROTTLED)
    now = use(pace, now, 10.0)
    rates = []
    for _ in range(5):
        pace.answered(now, now, Signal.THROTTLED)
        rates.append(pace.rate)
        now += 20

    assert rates[-1] == rates[1] > 0.5 * rates[0]


def test_a_pace_without_an_answer_does_not_grow() -> None:
    """Requests that left say nothing; answers do."""
    pace = limiter()
    for half in range(8):
        pace.take(half / 2)
        pace.done()

    assert pace.rate == 2.0


def test_throttled_cuts_once_per_epoch() -> None:
    """Ten requests that left before the cut tell of one congestion."""
    events: list[Event] = []
    pace = limiter(rate=10, events=events)
    for sent in range(10):
        pace.take(sent / 10)
    for sent in range(10):
        pace.answered(1.0 + sent / 100, sent / 10, Signal.THROTTLED)

    assert pace.rate == 7.0
    assert pace.counted.throttled == 10
    assert [(e.reason, e.rate) for e in events if isinstance(e, PaceChanged)] == [
        ("congestion", 7.0)
    ]


def test_a_cut_acts_on_who_waits_already() -> None:
    """The gap is measured with the rate as of now, not as of the last grant."""
    pace = limiter(rate=10)
    pace.take(0.0)
    pace.answered(0.05, 0.0, Signal.CONGESTION)
    pace.answered(0.05, 0.0, Signal.CONGESTION)

    assert pace.rate == 7.0
    assert pytest.approx(1 / 7 - 0.05) == pace.wait_s(0.05)


def test_the_rate_never_falls_below_the_floor() -> None:
    """One request in five seconds is the least; a lower `--rate` is its own floor."""
    pace, slow = limiter(), limiter(rate=0.1)
    for moment in range(50):
        pace.answered(moment, moment, Signal.THROTTLED, 5.0)
        slow.answered(moment, moment, Signal.THROTTLED, 5.0)

    assert (pace.rate, slow.rate) == (0.2, 0.1)


def test_an_asked_rate_is_start_and_ceiling_and_bounds_nothing_in_flight() -> None:
    """`--rate 50` means fifty, and as many requests out as it takes."""
    pace = limiter(rate=50)
    use(pace, 0.0, 20.0)

    assert (50.0, inf) == (pace.rate, pace.max_in_flight)


def test_an_isolated_server_fault_cuts_nothing() -> None:
    """One 500 is an accident; the second one is overload."""
    pace = limiter(rate=10)
    pace.answered(1.0, 0.9, Signal.CONGESTION)
    before = pace.rate
    pace.answered(1.2, 1.1, Signal.CONGESTION)

    assert (before, pace.rate) == (10.0, 7.0)


def test_retry_after_pauses_the_lane_and_a_little_longer() -> None:
    """Seven seconds and up to 0.3 of jitter, then one request at a time as ever."""
    events: list[Event] = []
    pace = limiter(rate=10, events=events)
    pace.take(0.0)
    pace.done()
    pace.answered(1.0, 0.0, Signal.THROTTLED, 7.0)

    assert pytest.approx(7.15) == pace.wait_s(1.0)
    assert pauses(events) == [("retry_after", 7.15)]
    assert pytest.approx(7.15) == pace.counted.paused_s


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    """Of several demands the longest holds, and what lasts about as long is told once."""
    events: list[Event] = []
    pace = limiter(events=events)
    pace.pause(0.0, 10, "retry_after")
    pace.pause(1.0, 3, "throttled")
    pace.pause(1.0, 9.2, "retry_after")

    assert pytest.approx(9.2) == pace.wait_s(1.0)
    assert len(events) == 1
    assert pytest.approx(10.2) == pace.counted.paused_s


def test_throttled_without_a_header_pauses_at_least_a_second_and_longer_each_time() -> None:
    """1, 2, 4, ... seconds with jitter on top, never above 15."""
    pace = limiter()
    now, waits = 0.0, []
    for _ in range(12):
        pace.answered(now, now, Signal.THROTTLED)
        waits.append(pace.wait_s(now))
        now += 400

    assert pytest.approx([1.15, 2.65, 5.65]) == waits[:3]
    assert all(earlier <= later <= 15 for earlier, later in itertools.pairwise(waits))
    assert waits[-1] == 15


def test_a_normal_answer_ends_the_row_of_growing_pauses() -> None:
    """The next trouble starts with a second again."""
    pace = limiter()
    pace.answered(0.0, 0.0, Signal.THROTTLED)
    pace.answered(10.0, 10.0, Signal.THROTTLED)
    pace.answered(20.0, 20.0, Signal.OK)
    pace.answered(30.0, 30.0, Signal.THROTTLED)

    assert pytest.approx(1.15) == pace.wait_s(30.0)


def test_what_was_not_sent_pauses_and_probes() -> None:
    """A network that is away is asked by one request at a time, until one is answered."""
    events: list[Event] = []
    pace = limiter(events=events)
    for _ in range(3):
        pace.take(0.0)
    pace.lost(0.5, 0.0, sent=False)
    pace.lost(0.6, 0.0, sent=False)

    assert (pace.probing, pace.max_in_flight) == (True, 1)
    assert pauses(events) == [("not_sent", 1.15)]

    pace.answered(0.7, 0.0, Signal.OK)
    assert pace.probing, "an answer to what left before proves nothing about now"

    pace.answered(3.0, 2.0, Signal.OK)
    assert (pace.probing, pace.max_in_flight) == (False, 4)


def test_the_pauses_of_what_was_not_sent_grow_to_half_a_minute() -> None:
    """1, 2, 4, 8, 16 seconds, and then every half minute."""
    pace = limiter()
    now, waits = 0.0, []
    for _ in range(7):
        pace.lost(now, now, sent=False)
        waits.append(pace.wait_s(now))
        now += 60

    assert pytest.approx([1.15, 2.65, 5.65, 11.65, 23.65, 30, 30]) == waits


def test_a_lost_answer_alone_neither_pauses_nor_cuts() -> None:
    """A doubt is no congestion; the lane counts them and calls `probe` itself."""
    pace = limiter(rate=10)
    pace.take(0.0)
    pace.lost(5.0, 0.0, sent=True)

    assert (pace.rate, pace.wait_s(5.0), pace.probing) == (10.0, 0.0, False)


def test_repeated_throttling_probes() -> None:
    """Three epochs in a row without a normal answer: one request at a time."""
    pace = limiter()
    probing = []
    for moment in (0.0, 10.0, 20.0):
        pace.answered(moment, moment, Signal.THROTTLED)
        probing.append(pace.probing)

    assert probing == [False, False, True]


def test_where_all_is_refused_one_request_asks_again() -> None:
    """A minute that is used up: what is on its way tells it, and no second volley is spent on it."""
    pace = limiter()
    probing = []
    for _ in range(4):
        pace.answered(1.0, 0.0, Signal.THROTTLED)
        probing.append(pace.probing)

    assert probing == [False, False, False, True]


@pytest.mark.parametrize(
    ("between", "retry_after_s"),
    [(Signal.OK, None), (Signal.THROTTLED, 1.0), (Signal.CONGESTION, None)],
)
def test_a_rate_that_is_a_little_too_much_is_not_probed(
    between: Signal, retry_after_s: float | None
) -> None:
    """Other answers come between, or the service says itself when to come back."""
    pace = limiter()
    for _ in range(4):
        pace.answered(1.0, 0.0, Signal.THROTTLED)
        pace.answered(1.0, 0.0, between, retry_after_s)

    assert not pace.probing


def test_refusals_that_are_quicker_than_answers_hold_the_lane_for_no_answer_s_time() -> None:
    """ThroughputEstimate requests are still out when the refusals come: the first that is answered ends the suspicion."""
    pace = limiter()
    for _ in range(4):
        pace.answered(0.1, 0.0, Signal.THROTTLED)
    was_probing = pace.probing
    pace.answered(2.0, 0.0, Signal.OK)

    assert (was_probing, pace.probing) == (True, False)


def test_requests_in_flight_are_bounded_and_the_bound_grows_where_it_holds() -> None:
    """Four at first; where the bound and not the pace holds the lane, it rises up to twenty."""
    pace = limiter()
    now, out = 0.0, 0
    for _ in range(4):
        now += pace.wait_s(now)
        pace.take(now)
        out += 1
    assert inf == pace.wait_s(now)

    for _ in range(200):  # an answer each second, as slow as can be
        now += 1.0
        pace.done()
        pace.answered(now, now - 1, Signal.OK)
        while (wait_s := pace.wait_s(now)) < 1:
            now += wait_s
            pace.take(now)
            out += 1

    assert 20 == pace.max_in_flight == pace.in_flight


def test_the_bound_in_flight_is_cut_with_the_pace() -> None:
    """Congestion may mean too many at once as well as too many a second."""
    pace = limiter()
    pace.answered(1.0, 1.0, Signal.THROTTLED, 1.0)
    first = pace.max_in_flight
    pace.answered(5.0, 5.0, Signal.THROTTLED, 1.0)

    assert (first, pace.max_in_flight) == (2, 1)


def met(
    pace: RateLimiter,
    serves: Callable[[float, int], bool],
    *,
    latency_s: float,
    asked_s: float | None = None,
) -> list[tuple[float, bool]]:
    """Ten minutes of a service that takes so long to serve, and is quick to refuse: when each left, and what became of it."""
    now, all_of_it = 0.0, []
    out: list[tuple[float, float, int, bool]] = []
    while now < 600:
        wait_s = pace.wait_s(now)
        if wait_s == 0.0:
            pace.take(now)
            is_served = serves(now, pace.in_flight)
            all_of_it.append((now, is_served))
            out.append((now + (latency_s if is_served else 0.1), now, pace.in_flight, is_served))
            out.sort()
        elif out and out[0][0] <= now + wait_s:
            now, sent_at, number, is_served = out.pop(0)
            signal = Signal.OK if is_served else Signal.THROTTLED
            pace.answered(now, sent_at, signal, None if is_served else asked_s, out=number)
            pace.done()
        else:
            now += wait_s
    return all_of_it


@pytest.mark.parametrize("rate", [None, 15.0])
def test_a_limit_on_requests_in_flight_is_kept_to_and_costs_no_rate(rate: float | None) -> None:
    """One refusal finds out, a second one is sure of it; then one more is tried after a minute, two, four."""
    pace = limiter(rate)
    served = met(pace, lambda _now, out: out <= 4, latency_s=0.5, asked_s=1.0)

    assert sum(is_served for _, is_served in served) > 0.97 * 8 * 600
    assert pace.counted.throttled <= 8
    assert pace.rate >= 8


def test_a_bound_that_is_refuted_leaves_as_few_in_flight() -> None:
    """What is refused with four out is cut from four, not from the twenty that the rate alone would let go."""
    pace = limiter()
    met(pace, lambda _now, out: out <= 4, latency_s=0.5, asked_s=1.0)
    now = 1000.0
    pace.answered(now, now, Signal.THROTTLED, 1.0, out=4)

    assert pace.max_in_flight <= 3


def test_sixty_in_a_minute_are_found_in_two_and_spread_from_then_on() -> None:
    """The first minutes spend their sixty at once; those that follow have something left for half of their time."""
    minutes: Counter[int] = Counter()

    def serves(now: float, _out: int) -> bool:
        minutes[int(now // 60)] += 1
        return minutes[int(now // 60)] <= 60

    later = [
        (at, is_served) for at, is_served in met(limiter(), serves, latency_s=0.5) if at >= 180
    ]

    assert sum(is_served for _, is_served in later) > 0.85 * 420
    assert sum(not is_served for _, is_served in later) < 0.08 * len(later)


@pytest.mark.parametrize(
    ("asked_s", "out", "least"), [(1.0, 1, 0.5), (2.0, 1, 0.25), (1.0, 2, 0.2)]
)
def test_refusals_that_name_a_wait_cut_to_half_of_its_word_at_the_least(
    asked_s: float, out: int, least: float
) -> None:
    """Who asks for a second serves about one in a second; where others were out, it may have meant them."""
    pace = limiter()
    for now in range(0, 100, 5):
        pace.answered(now, now, Signal.THROTTLED, asked_s, out=out)

    assert pytest.approx(least) == pace.rate


def test_near_the_last_ceiling_the_pace_feels_its_way_and_forgets_it_in_time() -> None:
    """+6 % a second, +1 % within 85 % of the ceiling; ten clean seconds above it free the way."""
    pace = limiter()
    now = use(pace, 0.0, 3.0)
    ceiling = pace.rate
    pace.answered(now, now, Signal.THROTTLED, 0.5)
    start, rates = now, [(now, pace.rate)]
    assert pytest.approx(ceiling * 0.7) == pace.rate

    while pace.rate < ceiling * 1.2:
        now = use(pace, now, 0.1)
        rates.append((now, pace.rate))

    above = next(at for at, rate in rates if rate > ceiling)
    steady = [(at, rate) for at, rate in rates if rate < ceiling * 0.85]
    slow = [(at, rate) for at, rate in rates if 0.87 * ceiling < rate <= ceiling]
    assert growth(steady) == pytest.approx(1.06, abs=0.02)
    assert growth(slow) == pytest.approx(1.01, abs=0.004)
    assert 10 <= now - above <= 14
    assert now - start < 60


def growth(rates: list[tuple[float, float]]) -> float:
    """Factor per second from the first change to the last."""
    changes = [b for a, b in itertools.pairwise(rates) if a[1] != b[1]]
    (first_at, first), (last_at, last) = changes[0], changes[-1]
    return float((last / first) ** (1 / (last_at - first_at)))


def test_a_ceiling_is_forgotten_after_two_minutes() -> None:
    """What was too much long ago says nothing about now."""
    pace = limiter()
    now = use(pace, 0.0, 3.0)
    ceiling = pace.rate
    pace.answered(now, now, Signal.THROTTLED, 125.0)
    now += 126
    times = [now]
    while pace.rate < ceiling:
        now = use(pace, now, 0.1)
        times.append(now)

    assert times[-1] - times[0] < 9, "6 % a second all the way: 0.7 to 1 in about six seconds"


def test_growth_is_told_when_it_is_worth_a_word() -> None:
    """An event for each quarter more, not for each step."""
    events: list[Event] = []
    use(limiter(events=events), 0.0, 10.0)

    rates = [event.rate for event in events if isinstance(event, PaceChanged)]
    assert all(event.reason == "growth" for event in events if isinstance(event, PaceChanged))
    assert rates == sorted(rates)
    assert 3 <= len(rates) <= 7
