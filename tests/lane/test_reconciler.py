"""A doubt is settled by asking: what is found, what is proven absent, and what proves nothing."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import pytest

from batchconnect.flow_service.answer import OrgLevel, StopScope
from batchconnect.flow_service.listing import Found, Listing, ListingFault, Shown
from batchconnect.lane.matching import wanted
from batchconnect.lane.reconciler import (
    HELD,
    MOST_SENDS,
    NEVER_APPLIED,
    PROVEN_ABSENT,
    Doubt,
    Policy,
    Reconciler,
    take_up,
)
from batchconnect.ledger.entry import Doubted, Entry, Moment, ProvenAbsent, Settled
from batchconnect.ledger.row_state import UNANSWERED
from batchconnect.model.identity import canonical_name
from batchconnect.model.outcome import (
    Conflict,
    Created,
    Existing,
    Failed,
    InDoubt,
    NotAttempted,
    Outcome,
)
from batchconnect.model.precaution import OnDoubt
from tests.fake_service import Bench, cells, judged

pytestmark = pytest.mark.anyio

CONNECTION = judged()
WANTED = wanted(CONNECTION)
HIDDEN = Shown(endpoint=None, database=None, tenant=None, service_principal_id=None)
EQUAL = Shown(*WANTED.target)
EMPTY = Listing(sandbox="prod")
FAILED = Listing(sandbox="prod", fault=ListingFault(code="http-502", detail="bad gateway"))
REFUSED = Listing(
    sandbox="prod",
    refusal=OrgLevel(
        code="403025",
        title="No",
        detail="no",
        scope=StopScope.LANE,
        http_status=403,
        request_id=None,
    ),
)


def found(
    *,
    marker: str | None = WANTED.marker,
    name: str = WANTED.name,
    shown: Shown = EQUAL,
    connection_id: str = "id-1",
) -> Found:
    return Found(
        id=connection_id, etag='"e"', name=canonical_name(name), marker=marker, shown=shown,
        is_our_kind=True, created_at_ms=None,
    )  # fmt: skip


def listing(*items: Found) -> Listing:
    return Listing(sandbox="prod", items=items)


@dataclass
class Story:
    """One reconciler at work: when it looked, what it said and wrote."""

    see: Callable[[float], Listing]
    policy: Policy = field(default_factory=Policy)
    bench: Bench = field(default_factory=Bench)
    takes_s: Callable[[float], float] = lambda at: 0.0
    looks: list[float] = field(default_factory=list)
    settled: list[Outcome] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    """Those that are settled."""
    resent: list[int] = field(default_factory=list)
    told: list[tuple[int, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reconciler = Reconciler(
            look=self.look,
            ledger=self.bench.writer(),
            clock=self.bench.clock,
            policy=self.policy,
            settled=self.settle,
            resend=lambda doubt: self.resent.append(doubt.row),
            looked=lambda waiting, left_s: self.told.append((waiting, left_s)),
        )

    def settle(self, doubt: Doubt, outcome: Outcome) -> None:
        self.settled.append(outcome)
        self.rows.append(doubt.row)

    async def look(self) -> Listing:
        self.looks.append(anyio.current_time())
        await anyio.sleep(self.takes_s(self.looks[-1]))
        return self.see(self.looks[-1])

    def doubt(self, number: int = 1, **changes: Any) -> Doubt:
        doubt = Doubt(
            row=number,
            wanted=wanted(judged(cells(number))),
            outcome=InDoubt(code="timeout"),
            moment=self.bench.clock.moment(),
            offset=number,
        )
        for name, value in changes.items():
            setattr(doubt, name, value)
        return doubt

    async def run(self, *doubts: Doubt) -> None:
        for doubt in doubts or (self.doubt(),):
            self.reconciler.add(doubt)
        await self.reconciler.run()

    def written(self) -> list[Entry]:
        return [line.entry for line in self.bench.ledger.row_lines(1)]


async def test_a_hit_settles_at_once() -> None:
    story = Story(lambda at: listing(found()) if at >= 20 else EMPTY)

    await story.run()

    created = Created(connection_id="id-1", etag='"e"', reconciled=True)
    assert [created] == story.settled
    assert [Settled(outcome=created)] == story.written()
    assert story.told[-1] == (0, 0.0)
    assert story.reconciler.waiting == 0


async def test_look_ups_grow_apart_and_come_close_again_with_a_new_doubt() -> None:
    story = Story(lambda at: EMPTY, policy=Policy(on_doubt=OnDoubt.HOLD))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(story.run)
        await anyio.sleep(100)
        story.reconciler.add(story.doubt(2))

    assert story.looks[:8] == [3, 9, 21, 45, 90, 100, 106, 118]
    # Right after each window's end there are the two listings that prove absence.
    assert {180.0, 183.0, 280.0, 283.0} <= set(story.looks)
    assert len(story.looks) < 25


async def test_a_slow_listing_takes_a_fifth_of_the_time_at_most() -> None:
    story = Story(lambda at: EMPTY, policy=Policy(on_doubt=OnDoubt.HOLD), takes_s=lambda at: 30.0)

    await story.run()

    assert story.looks[0] == 3
    assert story.looks[1] == 3 + 30 + 4 * 30


async def test_absence_takes_the_window_and_two_complete_listings() -> None:
    """The first listing that began after the window's end, and one more."""
    story = Story(lambda at: EMPTY)

    await story.run()

    assert story.resent == [1]
    assert story.looks[-2:] == [180, 183]
    assert [ProvenAbsent()] == story.written()
    assert story.settled == []


async def test_a_listing_that_began_within_the_window_proves_nothing() -> None:
    """It began at 135 s and ended at 195 s, but what was applied meanwhile it need not show."""
    story = Story(lambda at: EMPTY, takes_s=lambda at: 60.0 if at == 135 else 0.0)

    await story.run()

    assert 135 in story.looks
    assert sum(at >= 180 for at in story.looks) == 2


@pytest.mark.parametrize("bad", [FAILED, REFUSED])
async def test_a_listing_that_failed_counts_for_nothing(bad: Listing) -> None:
    story = Story(lambda at: bad, policy=Policy(patience_s=300))

    await story.run()

    assert (story.reconciler.waiting, story.settled) == (1, [])
    assert story.written() == []
    expected = 3.0 if bad is REFUSED else 300.0
    assert expected <= anyio.current_time() < expected + 60


async def test_failures_between_do_not_end_the_patience() -> None:
    story = Story(lambda at: FAILED if at < 400 else EMPTY, policy=Policy(patience_s=500))

    await story.run()

    assert story.resent == [1]


async def test_a_hit_in_a_listing_that_failed_waits_for_a_whole_one() -> None:
    cut = replace(FAILED, items=(found(),))
    story = Story(lambda at: cut if at < 10 else listing(found()))

    await story.run()

    assert story.looks == [3, 9, 21]


async def test_a_stop_ends_the_wait_at_once() -> None:
    story = Story(lambda at: EMPTY)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(story.run)
        await anyio.sleep(30)
        story.reconciler.stop()

    assert anyio.current_time() == 30
    assert (story.reconciler.waiting, story.looks) == (1, [3, 9, 21])
    assert story.reconciler.rows == (1,)


async def test_a_window_that_an_earlier_process_waited_out_is_judged_at_once() -> None:
    story = Story(lambda at: EMPTY)
    old = story.doubt()
    await anyio.sleep(1000)

    await story.run(old)

    assert story.looks == [1000, 1003]
    assert story.resent == [1]


async def test_without_a_window_it_is_looked_for_at_once() -> None:
    """There is nothing to wait for; one that ends within the first pause waits for that."""
    at_once = Story(lambda at: EMPTY, policy=Policy(settle_s=0.0))
    await at_once.run()
    nearly = Story(lambda at: EMPTY)
    doubt = nearly.doubt()
    await anyio.sleep(179.5)
    began = anyio.current_time()
    await nearly.run(doubt)

    assert at_once.looks == [0.0, 0.05]
    assert [at - began for at in nearly.looks] == [3, 6]


async def test_the_patience_counts_from_the_last_listing_that_was_whole() -> None:
    """And is over when more than that has passed."""
    story = Story(lambda at: EMPTY if at < 30 else FAILED, policy=Policy(patience_s=69))

    await story.run()

    assert story.looks == [3, 9, 21, 45, 90, 135]
    assert story.reconciler.waiting == 1


async def test_a_new_doubt_waits_for_its_first_pause_after_the_look_before_it() -> None:
    """It makes the pause shorter, and is no look-up by itself."""
    story = Story(lambda at: EMPTY, policy=Policy(on_doubt=OnDoubt.HOLD))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(story.run)
        await anyio.sleep(91)
        story.reconciler.add(story.doubt(2))

    assert story.looks[4:7] == [90, 93, 99]
    assert sorted(story.rows) == [1, 2]


BY_HAND = "a connection made by hand"


@pytest.mark.parametrize(
    ("sentence", "stands", "doubt", "policy", "outcome"),
    [
        (
            "the same name and target under no marker is adopted",
            [found(marker=None)], {}, {}, Existing,
        ),
        (
            "the name points elsewhere",
            [found(marker=None, shown=EQUAL._replace(database="other"))], {}, {}, Conflict,
        ),
        (
            "the service had said no",
            [], {"outcome": InDoubt(code="http-409", refused_if_absent=True)}, {}, Failed,
        ),
        ("all sends are spent", [], {"sends": MOST_SENDS}, {}, NEVER_APPLIED),
        ("reconcile creates nothing", [], {}, {"may_send": False}, PROVEN_ABSENT),
        ("the row is gone from the sheet", [], {"offset": None}, {}, PROVEN_ABSENT),
        ("a person decides", [], {}, {"on_doubt": OnDoubt.HOLD}, HELD),
        (
            "the same target under another name",
            [found(marker=None, name=BY_HAND)], {}, {}, InDoubt,
        ),
        ("two bear the marker", [found(), found(connection_id="id-2")], {}, {}, Conflict),
    ],
)  # fmt: skip
async def test_what_follows_proven_absence(
    sentence: str,
    stands: list[Found],
    doubt: dict[str, Any],
    policy: dict[str, Any],
    outcome: object,
) -> None:
    story = Story(lambda at: listing(*stands), policy=Policy(**policy))

    await story.run(story.doubt(**doubt))

    (settled,) = story.settled
    assert story.rows == [1]
    assert outcome in {settled, type(settled)}, sentence
    assert story.resent == []
    (written,) = story.written()
    assert isinstance(written, Doubted if isinstance(settled, InDoubt) else Settled)
    assert settled == written.outcome


async def test_what_the_service_had_said_is_told_once_absence_is_proven() -> None:
    """A row that is refused names the answer that refused it: its code, status and request."""
    said: dict[str, Any] = {
        "code": "http-409",
        "detail": "taken",
        "http_status": 409,
        "request_id": "req-7",
    }
    story = Story(lambda at: EMPTY)

    await story.run(story.doubt(outcome=InDoubt(**said, refused_if_absent=True)))

    assert [Failed(**said)] == story.settled


async def test_each_look_up_tells_how_many_wait_and_how_long_the_last_window_runs() -> None:
    """The longest of the windows that are open, and no time below zero."""
    story = Story(lambda at: EMPTY, policy=Policy(on_doubt=OnDoubt.HOLD))
    older = story.doubt(1)
    await anyio.sleep(60)

    await story.run(older, story.doubt(2))

    assert story.told[0] == (2, 177.0)
    assert story.told[-1] == (0, 0.0)
    assert {waiting for waiting, _ in story.told} == {2, 1, 0}


@pytest.mark.parametrize(
    ("stands", "on_doubt"),
    [([found()], OnDoubt.RESEND), ([], OnDoubt.RESEND), ([], OnDoubt.HOLD)],
)
async def test_each_verdict_is_the_rows_own(stands: list[Found], on_doubt: OnDoubt) -> None:
    """Found, absent or held: its line bears the row and the marker."""
    story = Story(lambda at: listing(*stands), policy=Policy(on_doubt=on_doubt))

    await story.run()

    (line,) = story.bench.ledger.row_lines(1)
    assert (line.row, line.marker) == (1, WANTED.marker)


async def test_a_better_reason_does_not_start_the_window_again() -> None:
    story = Story(lambda at: EMPTY, policy=Policy(on_doubt=OnDoubt.HOLD))
    doubt = story.doubt()

    await story.run(doubt)

    assert [Doubted(outcome=HELD, moment=doubt.moment, attempts=0)] == story.written()


async def test_a_doubt_that_comes_in_while_others_are_judged_is_not_forgotten() -> None:
    def see(at: float) -> Listing:
        if at == 3:
            story.reconciler.add(story.doubt(2))
        return listing(found(), found(marker=wanted(judged(cells(2))).marker, shown=HIDDEN))

    story = Story(see)

    await story.run()

    assert len(story.settled) == 2


def test_the_policys_pauses_follow_its_window() -> None:
    """A rehearsal with a window of seconds looks soon; no window at all still takes its time."""
    real, rehearsal, none = Policy(), Policy(settle_s=3.0), Policy(settle_s=0.0)

    assert (real.lag_s, real.first_look_s, real.longest_pause_s) == (60.0, 3.0, 45.0)
    assert (rehearsal.first_look_s, rehearsal.longest_pause_s) == (0.05, 0.75)
    assert (none.first_look_s, none.longest_pause_s) == (0.05, 0.05)
    assert Policy(settle_s=600.0).first_look_s == 3.0


@pytest.mark.parametrize(
    ("sentence", "stored", "counts_on"),
    [
        ("the same boot", Moment(boot_id="boot", clock_s=5.0), True),
        ("another boot", Moment(boot_id="other", clock_s=5.0), False),
        ("a boot without a name", Moment(boot_id="", clock_s=5.0), False),
        ("a clock that went back", Moment(boot_id="boot", clock_s=50.0), False),
    ],
)
async def test_a_stored_moment_counts_on_within_its_boot_only(
    sentence: str, stored: Moment, *, counts_on: bool
) -> None:
    await anyio.sleep(20)
    clock = Bench().clock

    doubted = Doubted(outcome=InDoubt(code="timeout"), moment=stored, attempts=2, throttled=1)

    anew = Doubted(outcome=InDoubt(code="timeout"), moment=clock.moment(), attempts=0)
    assert (doubted if counts_on else anew) == take_up(doubted, clock, Doubted), sentence


async def test_an_intent_without_an_answer_is_in_doubt_from_the_recovery_on() -> None:
    clock = Bench().clock

    assert Doubted(outcome=UNANSWERED, moment=clock.moment()) == take_up(None, clock, Doubted)


def test_what_is_proven_absent_was_not_attempted() -> None:
    assert isinstance(PROVEN_ABSENT, NotAttempted)
    assert isinstance(NEVER_APPLIED, Failed)


async def test_what_was_sent_and_is_not_ready_yet_is_waited_for_and_then_created() -> None:
    """An asynchronous create: the listing shows the marker long before the connection may be used."""
    story = Story(
        lambda at: listing(replace(found(), state="initializing" if at < 60 else "enabled"))
    )

    await story.run()

    (outcome,) = story.settled
    assert isinstance(outcome, Created)
    assert (outcome.reconciled, outcome.state) == (True, "enabled")
    assert story.resent == []


@pytest.mark.parametrize("on_doubt", list(OnDoubt))
async def test_what_stays_not_ready_beyond_the_window_is_in_doubt_and_never_sent_again(
    on_doubt: OnDoubt,
) -> None:
    story = Story(
        lambda at: listing(replace(found(), state="initializing")),
        policy=Policy(on_doubt=on_doubt),
    )

    await story.run()

    (outcome,) = story.settled
    assert isinstance(outcome, InDoubt)
    assert outcome.code == "initializing"
    assert (story.resent, story.looks[-1]) == ([], 180)


async def test_what_nobody_of_us_sent_is_existing_once_it_is_ready() -> None:
    story = Story(
        lambda at: listing(replace(found(), state="initializing" if at < 60 else "enabled"))
    )

    await story.run(story.doubt(is_ours=False))

    (outcome,) = story.settled
    assert isinstance(outcome, Existing)
    assert (outcome.connection_id, story.looks[-1]) == ("id-1", 90)


async def test_what_nobody_of_us_sent_and_is_gone_again_is_free_to_be_sent() -> None:
    """After the window, as whatever is absent: a listing without it is no outcome."""
    story = Story(lambda at: EMPTY)

    await story.run(story.doubt(is_ours=False))

    assert (story.settled, story.resent, story.looks[-2:]) == ([], [1], [180, 183])
