"""One lane: what it lets through, when it stops, and how it bears a dead gateway."""

import re
from random import Random

import anyio
import pytest

from batchconnect.flow_service import NotFound, Unreadable
from batchconnect.flow_service.answer import (
    NotSent,
    ObjectCreated,
    OrgLevel,
    Refused,
    StopScope,
    Throttled,
    Unknown,
)
from batchconnect.flow_service.listing import Found, ListingFault
from batchconnect.lane.lane import DOUBTS_IN_A_ROW, Lane, Limits, judge_load
from batchconnect.model.event import Event, LanePaused, LaneStopped, NotReached
from batchconnect.transport.interface import LEASE_OVER, Response, TransportError
from batchconnect.transport.load import Signal
from batchconnect.transport.pace import LONGEST_UNSENT_PAUSE_S
from tests.fake_service import (
    ACME,
    DENIED,
    Bench,
    FakeService,
    Fate,
    cells,
    flow_error,
    judged,
    lost,
    org,
    refused,
)

pytestmark = pytest.mark.anyio

ROW = judged()


def served(*fates: Fate, limits: Limits | None = None, **of_org: object) -> tuple[Lane, Bench]:
    """A lane whose creates meet these fates one after the other, the last one for good."""
    left = list(fates)
    service = FakeService(
        lambda seen: (left.pop(0) if len(left) > 1 else left[0]) if seen.marker and left else None
    )
    bench = Bench(service=service, limits=limits or Limits())
    return bench.lane(org("acme", **of_org)), bench


async def test_a_create_is_counted_and_its_id_known() -> None:
    lane, bench = served()

    sent = await lane.create(ROW)
    lane.count_created()

    assert isinstance(sent.answer, ObjectCreated)
    assert bench.service.stored[0].id == sent.answer.connection_id
    counted = lane.counted()
    assert (
        counted.org,
        counted.host,
        counted.sent,
        counted.created,
    ) == ("acme", "platform.test", 1, 2)


async def test_a_refused_row_is_not_the_lanes_matter() -> None:
    lane, _ = served(flow_error("1308-400"))

    assert isinstance((await lane.create(ROW)).answer, Refused)
    assert not lane.is_stopped
    assert not lane.is_refused({"prod"})


async def test_a_lane_whose_lease_is_over_sends_nothing_and_may_still_look() -> None:
    """Asked as each request leaves, not when it was begun: the wait for the pace lies in between."""
    bench = Bench()
    lane = bench.lane(permit=lambda: anyio.current_time() < 1.0)

    sent = [(await lane.create(judged(cells(number)))).answer for number in (1, 2)]
    await anyio.sleep(1.0)
    late = (await lane.create(judged(cells(3)))).answer
    listing = await lane.list("prod")

    assert [type(answer) for answer in sent] == [ObjectCreated, ObjectCreated]
    assert isinstance(late, NotSent)
    assert late.code == LEASE_OVER
    assert len(bench.service.posts) == 2
    assert len(listing.items) == 2


async def test_an_org_level_refusal_stops_the_lane_once() -> None:
    lane, bench = served(DENIED)
    changes: list[bool] = []
    lane.on_change = lambda: changes.append(lane.is_stopped)

    for _ in range(2):
        lane.refuse(_refusal(StopScope.LANE), "prod")
    refused_now = await lane.create(ROW)

    assert isinstance(refused_now.answer, NotSent)
    assert refused_now.answer.code == "lane_stopped"
    assert bench.service.posts == []
    assert changes == [True]
    assert len(bench.heard(LaneStopped)) == 1
    assert lane.stopped == bench.heard(LaneStopped)[0]
    assert lane.is_refused({"prod"})
    assert not lane.is_halted


@pytest.mark.parametrize("status", [429, 503])
async def test_a_lane_that_is_to_stay_away_beyond_its_patience_stops_and_says_until_when(
    status: int,
) -> None:
    """At once, and for look-ups too: whoever waits gives up unsent, with the time."""
    lane, bench = served(refused(status, None, **{"retry-after": "2400"}))
    start = anyio.current_time()

    sent = await lane.create(ROW)
    after = await lane.create(judged(cells(2)))
    listing = await lane.list("prod")

    (stopped,) = bench.heard(LaneStopped)
    assert (stopped.code, stopped.sandbox) == ("banned_until", None)
    assert re.search(r"2400 s, until \d{4}-\d\d-\d\d \d\d:\d\d UTC", stopped.detail)
    assert anyio.current_time() - start < 1
    assert lane.is_halted
    assert lane.is_refused({"prod"})
    assert isinstance(sent.answer, NotSent if status == 429 else Unknown)
    assert isinstance(after.answer, NotSent)
    assert after.answer.code == "banned_until"
    assert "2400 s, until " in after.answer.detail
    assert listing.fault is not None
    assert listing.fault.code == "banned_until"
    assert len(bench.service.posts) == 1


async def test_a_stopped_lane_still_looks_up_its_doubts() -> None:
    lane, _ = served(DENIED)
    await lane.create(ROW)

    assert lane.is_stopped
    assert (await lane.list("prod")).complete


async def test_a_halted_lane_sends_nothing_at_all() -> None:
    lane, bench = served()
    lane.halt("interrupted")

    assert not (await lane.list("prod")).complete
    assert isinstance((await lane.create(ROW)).answer, NotSent)
    assert bench.service.seen == []
    assert lane.is_stopped
    assert lane.stopped is None
    assert not lane.is_refused({"prod"})


async def test_an_unknown_sandbox_stops_itself_alone() -> None:
    lane, bench = served(flow_error("2100-404"))

    for _ in range(2):
        assert isinstance((await lane.create(ROW)).answer, OrgLevel)

    assert lane.is_sandbox_stopped("prod")
    assert not lane.is_sandbox_stopped("dev")
    assert not lane.is_stopped
    assert [stop.sandbox for stop in bench.heard(LaneStopped)] == ["prod"]
    assert lane.is_refused({"prod"})
    assert not lane.is_refused({"prod", "dev"})
    assert not lane.is_refused(set())


async def test_three_refusals_that_fit_both_are_the_lanes() -> None:
    lane, _ = served(flow_error("1001-401"))

    answers = [type((await lane.create(ROW)).answer) for _ in range(3)]

    assert [Refused, Refused, OrgLevel] == answers
    assert lane.is_stopped


async def test_a_redirect_stops_the_lane_in_doubt() -> None:
    lane, bench = served(refused(307, None, location="https://elsewhere.test/"))

    sent = await lane.create(ROW)

    assert isinstance(sent.answer, Unknown)
    assert [stop.code for stop in bench.heard(LaneStopped)] == ["http-307"]


@pytest.mark.parametrize(
    "fate", [refused(429), Fate(applied_s=None, answer=TransportError("refused", sent=False))]
)
async def test_patience_ends_a_lane_that_gets_nowhere(fate: Fate) -> None:
    """Whether it is throttled or not even reached: after the patience nothing more is sent."""
    lane, bench = served(fate, limits=Limits(patience_s=100))

    sent = await lane.create(ROW)

    assert isinstance(sent.answer, Throttled | NotSent)
    assert lane.is_halted
    assert [stop.code for stop in bench.heard(LaneStopped)] == ["no_progress"]
    assert not lane.is_refused({"prod"}), "the service did not say no"
    assert 100 <= anyio.current_time() < 300


@pytest.mark.parametrize(
    ("fate", "code", "title"),
    [
        (refused(429), "http-429", "Too many requests"),
        (refused(503), "http-503", "The service failed"),
        (
            Fate(applied_s=None, answer=TransportError("dns", sent=False)),
            "dns",
            "The host's name is not known",
        ),
    ],
)
async def test_patience_ends_a_lane_that_cannot_read(fate: Fate, code: str, title: str) -> None:
    """
    Whether it is throttled, or the first read reaches nobody: the pauses between do not add up beyond it.

    The headline is what kept it, and that is no refusal.
    """
    bench = Bench(service=FakeService(lambda seen: fate), limits=Limits(patience_s=20))
    lane = bench.lane()

    assert not (await lane.list("prod")).complete
    assert lane.is_halted
    assert not (await lane.list("prod")).complete
    assert [(stop.code, stop.title) for stop in bench.heard(LaneStopped)] == [(code, title)]
    assert not lane.is_refused({"prod"})
    assert {event.code for event in bench.heard(NotReached)} == {code}
    assert anyio.current_time() <= 20 + LONGEST_UNSENT_PAUSE_S


async def test_nine_doubts_are_nine_doubts() -> None:
    lane, bench = served(*[lost()] * (DOUBTS_IN_A_ROW - 1), Fate(), *[lost()] * 9, rate=None)

    for _ in range(2 * DOUBTS_IN_A_ROW - 1):
        await lane.create(ROW)

    assert "doubts" not in {pause.reason for pause in bench.heard(LanePaused)}
    assert lane.capacity() > 1


async def test_ten_doubts_in_a_row_pause_the_lane_longer_each_time() -> None:
    """Five seconds, ten, ... two minutes; then one row at a time, until one is answered."""
    lane, bench = served(*[lost()] * (DOUBTS_IN_A_ROW + 6), Fate(), *[lost()] * 10)

    for _ in range(DOUBTS_IN_A_ROW + 6):
        await lane.create(ROW)
    assert lane.capacity() == 1
    pauses = [pause.pause_s for pause in bench.heard(LanePaused) if pause.reason == "doubts"]
    assert pauses == [5, 10, 20, 40, 80, 120, 120]

    await lane.create(ROW)
    assert lane.capacity() > 1

    bench.events.clear()
    for _ in range(10):
        await lane.create(ROW)
    assert [pause.pause_s for pause in bench.heard(LanePaused)] == [5], "it was answered between"


async def test_doubts_that_were_out_together_pause_the_lane_once() -> None:
    """Twenty answers are lost at the same moment."""
    lane, bench = served(lost(answered_s=10))

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(lane.create, judged(cells(number)))

    assert [pause.pause_s for pause in bench.heard(LanePaused)] == [5]


@pytest.mark.parametrize(("rate", "ahead"), [(None, 2), (5.0, 2), (40.0, 10), (4000.0, 64)])
async def test_few_rows_begin_ahead_of_the_pace(rate: float | None, ahead: int) -> None:
    """What a crash finds begun is in doubt: a quarter of a second's worth, two at the least."""
    assert served(rate=rate)[0].capacity() == ahead


async def test_the_capacity_is_bounded_by_the_pace_and_the_run() -> None:
    """Four in flight at the start of a lane that finds its pace, two on their way to it; never more
    of either than `--concurrency`."""
    lane, _ = served(lost(answered_s=10), rate=None)
    narrow, _ = served(lost(answered_s=10), rate=4000.0, limits=Limits(concurrency=3))

    async with anyio.create_task_group() as tasks:
        for number in range(4):
            tasks.start_soon(lane.create, judged(cells(number)))
            tasks.start_soon(narrow.create, judged(cells(number)))
        await anyio.sleep(5)

        assert (lane.capacity(), narrow.capacity()) == (4 + 2, 3 + 3)


async def test_reads_go_the_same_way() -> None:
    bench = Bench()
    lane = bench.lane()
    await lane.create(ROW)
    made = bench.service.stored[0].id

    assert isinstance(await lane.get("prod", made), Found)
    assert isinstance(await lane.get("prod", f"0000{made[4:]}"), NotFound)
    assert (await lane.list_one_page("prod")).complete
    assert isinstance(await lane.spec("prod"), Unreadable)
    assert lane.counted().sent == 5


async def test_signing_in_says_what_is_refused() -> None:
    bench = Bench()
    ready = bench.lane()
    without = bench.lane(org("acme", access_token=None))

    assert await ready.sign_in() is None
    assert await without.sign_in() == ListingFault(
        code="no_client_secret", detail="org acme has no client secret"
    )


async def test_the_lane_tells_whoever_listens_when_it_happens() -> None:
    """A lane is made before its run, and the run listens from its beginning."""
    lane, bench = served(refused(429, None, **{"retry-after": "5"}), Fate())
    heard: list[Event] = []
    lane.on_event = heard.append

    await lane.create(ROW)

    assert [event.reason for event in heard if isinstance(event, LanePaused)] == ["retry_after"]
    assert bench.events == []


async def test_without_a_listener_it_tells_nobody() -> None:
    bench = Bench()
    lane = Lane(ACME, bench.service, limits=Limits(), slots=anyio.CapacityLimiter(1), rng=Random(0))

    lane.refuse(_refusal(StopScope.LANE), "prod")

    assert lane.is_stopped


@pytest.mark.parametrize(
    ("status", "signal"),
    [(201, Signal.OK), (400, Signal.OK), (429, Signal.THROTTLED), (504, Signal.CONGESTION)],
)
def test_what_an_answer_says_about_the_load(status: int, signal: Signal) -> None:
    assert signal == judge_load(Response(status=status))


def _refusal(scope: StopScope) -> OrgLevel:
    return OrgLevel(
        code="403025", title="No", detail="", scope=scope, http_status=403, request_id=None
    )
