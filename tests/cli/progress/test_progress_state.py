"""What the events of a run add up to."""

from batchconnect.cli.progress.state import WINDOW_S, ProgressState
from batchconnect.cli.progress.view import WAITS_FOR_SETTLE, Here, Pause, View
from batchconnect.model.event import (
    Draining,
    Event,
    LaneCounted,
    LanePaused,
    LaneStopped,
    Planned,
    RowInDoubt,
    RowSettled,
    RowStarted,
    RunCounted,
    RunFinished,
    SandboxListed,
    Settling,
)
from batchconnect.model.outcome import (
    Created,
    Existing,
    InDoubt,
    MatchedBy,
    NotAttempted,
    Outcome,
    Status,
)

CREATED = Created(connection_id="c-1")
EXISTING = Existing(connection_id="e-1", matched_by=MatchedBy.MARKER)


def started(row: int, org: str = "acme") -> RowStarted:
    return RowStarted(row=row, org=org, sandbox="prod")


def doubted(row: int, org: str = "acme") -> RowInDoubt:
    return RowInDoubt(row=row, org=org, sandbox="prod", code="timeout")


def settled(row: int, outcome: Outcome = CREATED, org: str = "acme") -> RowSettled:
    return RowSettled(row=row, org=org, sandbox="prod", outcome=outcome)


def planned(to_create: int) -> Planned:
    return Planned(to_create=to_create, settled=0, to_settle=0)


def paused(pause_s: float, reason: str) -> LanePaused:
    return LanePaused(org="acme", host="h", pause_s=pause_s, reason=reason)


def finished() -> RunFinished:
    return RunFinished(run_id="r", exit_code=0, duration_s=60.0)


def told(*events: Event, state: ProgressState | None = None, now: float = 0.0) -> View:
    state = state or ProgressState()
    for event in events:
        state.event(event, now)
    return state.view(now)


def test_a_doubt_is_counted_until_it_is_settled() -> None:
    """Sent, in doubt, created: at each moment the row is in one place."""
    state = ProgressState()
    view = told(planned(2), started(2), state=state)
    assert (view.done, view.lanes[0].sending, view.counts) == (0, 1, {})

    view = told(doubted(2), state=state)
    assert (view.done, view.lanes[0].sending, view.counts) == (0, 0, {Status.IN_DOUBT: 1})

    view = told(settled(2), state=state)
    assert (view.done, view.counts) == (1, {Status.CREATED: 1})


def test_a_doubt_that_is_sent_again_is_on_its_way() -> None:
    """And a doubt that is told twice is one."""
    view = told(planned(1), doubted(2), doubted(2), started(2))

    assert (view.lanes[0].sending, view.counts) == (1, {})


def test_a_row_that_stays_in_doubt_is_done() -> None:
    """A person decides; it is not counted twice."""
    view = told(planned(1), started(2), doubted(2), settled(2, InDoubt(code="possible_match")))

    assert (view.done, view.total, view.counts) == (1, 1, {Status.IN_DOUBT: 1})


def test_more_rows_than_were_planned_make_the_total_grow() -> None:
    """Doubts whose rows are gone from the sheet are settled too."""
    view = told(planned(1), doubted(90), settled(90), settled(2), started(3))

    assert (view.done, view.total) == (2, 3)


def test_the_rate_is_that_of_the_last_half_minute() -> None:
    """A burst is forgotten, and silence makes the rate sink to zero."""
    state = ProgressState()
    view = told(planned(1000), started(1), state=state)
    for second in range(1, 61):
        rows = 10 if second <= 20 else 2
        numbers = [second * 100 + n for n in range(rows)]
        events: list[Event] = [started(number) for number in numbers]
        events += [settled(number) for number in numbers]
        view = told(*events, state=state, now=float(second))
    assert view.rate == 2.0
    assert view.left_s == (1000 - 280) / 2

    told(state=state, now=60 + WINDOW_S)
    view = told(state=state, now=61 + WINDOW_S)
    assert view.rate == 0.0
    assert view.left_s is None


def test_what_stood_there_already_says_nothing_of_the_pace() -> None:
    """500 rows found in one listing do not make the other 500 come any sooner."""
    state = ProgressState()
    view = told(planned(1000), started(999), state=state)
    for number in range(10):
        existing: list[Event] = [settled(number * 50 + n, EXISTING) for n in range(50)]
        created: list[Event] = [started(1000 + number), settled(1000 + number)]
        view = told(*existing, *created, state=state, now=number + 1.0)

    assert view.done == 510
    assert view.rate == 1.0


def test_no_rate_before_a_second_has_passed() -> None:
    """A rate over a tenth of a second is noise."""
    state = ProgressState()
    told(planned(9), started(2), state=state)

    assert told(settled(2), state=state, now=0.9).rate is None


def test_time_left_is_that_of_the_last_doubt_where_only_doubts_are_left() -> None:
    """The settle window, not the pace, says when it ends."""
    state = ProgressState()
    doubts = [doubted(2), doubted(3, "beta")]
    first = Settling(org="acme", sandbox="prod", waiting=1, left_s=100)
    second = Settling(org="beta", sandbox="prod", waiting=1, left_s=150)
    view = told(planned(2), *doubts, first, second, state=state)
    assert (view.left_s, view.settle_left_s) == (150, 150)

    none = Settling(org="beta", sandbox="prod", waiting=0, left_s=0)
    view = told(none, settled(3, org="beta"), state=state, now=120.0)
    assert view.left_s == 0.0


def test_the_longer_pause_stands_and_a_waiting_sandbox_comes_second() -> None:
    """The pause of the lane is what holds its rows."""
    state = ProgressState()
    told(paused(180, WAITS_FOR_SETTLE), paused(9, "throttled"), state=state)
    view = told(paused(5, "retry_after"), paused(60, WAITS_FOR_SETTLE), state=state, now=1.0)
    assert view.lanes[0].pause == Pause(left_s=8.0, reason="throttled")

    view = told(state=state, now=10.0)
    assert view.lanes[0].pause == Pause(left_s=170.0, reason=WAITS_FOR_SETTLE)
    assert told(state=state, now=180.0).lanes[0].pause is None


def test_a_stopped_sandbox_does_not_stop_its_lane() -> None:
    """The others go on."""
    sandbox = LaneStopped(org="acme", sandbox="dev", code="x", title="t", detail="")
    lane = LaneStopped(org="beta", sandbox=None, code="403025", title="t", detail="")
    counted = LaneCounted(
        org="acme", host="h", sent=1, created=1, throttled=0, retried=0, paused_s=0.0,
        rate_max=2.0, rate_last=2.0,
    )  # fmt: skip

    assert [lane.stopped for lane in told(sandbox, lane, counted).lanes] == ["", "403025"]


def test_at_the_end_every_row_is_somewhere() -> None:
    """Cut off on its way: in doubt. Never begun: not attempted."""
    finished = RunFinished(run_id="r", exit_code=130, duration_s=5.0)
    view = told(
        planned(10), started(2), settled(2), started(3), Draining(reason="x", in_flight=1), finished
    )

    assert view.counts == {Status.CREATED: 1, Status.IN_DOUBT: 1, Status.NOT_ATTEMPTED: 8}
    assert (view.done, view.total, view.left_s, view.finished_s) == (1, 10, None, 5.0)


def test_rows_that_never_had_their_turn_are_not_done_at_the_end() -> None:
    """Of a stop some are told one by one, and the others not at all: "1 of 4 rows; 1 created, 3 not attempted"."""
    stopped = NotAttempted(code="interrupted", detail="")
    told_so = (settled(2), settled(3, stopped), settled(4, stopped))
    assert told(planned(4), *told_so).done == 3, "while it runs, nothing is left to do for them"

    view = told(planned(4), *told_so, RunFinished(run_id="r", exit_code=130, duration_s=5.0))

    assert (view.done, view.total) == (1, 4)
    assert view.counts == {Status.CREATED: 1, Status.NOT_ATTEMPTED: 3}


def test_a_run_without_a_plan_has_no_total() -> None:
    """The sheet was refused."""
    finished = RunFinished(run_id="r", exit_code=3, duration_s=5.0)

    assert not told().has_begun
    view = told(finished)
    assert (view.has_begun, view.total, view.counts) == (True, None, {})


def test_sandboxes_make_their_lanes_known() -> None:
    """In the order in which they are heard of."""
    listed = [
        SandboxListed(org=org, sandbox="prod", connections=0, complete=True)
        for org in ("beta", "acme", "beta")
    ]
    view = told(*listed)

    assert view.sandboxes == 3
    assert [lane.org for lane in view.lanes] == ["beta", "acme"]


def test_of_a_run_that_others_work_too_the_whole_is_told_and_what_is_here_apart() -> None:
    """Rate and time left are those of the run: what is left here is mostly worked elsewhere."""
    state = ProgressState()
    told(planned(900), started(2), settled(2), RunCounted(done=150, total=1000), state=state)
    state.view(0)

    view = told(started(3), settled(3), RunCounted(done=350, total=1000), state=state, now=10)

    assert (view.done, view.total, view.rate, view.left_s) == (350, 1000, 20, 32.5)
    assert view.here == Here(done=2, rate=0.1)
    assert view.counts == {Status.CREATED: 2}, "these are the worker's own"


def test_rows_that_others_worked_are_not_told_as_not_attempted() -> None:
    """They were never heard of here, and a worker alone tells such rows at its end."""
    alone = told(planned(9), started(2), settled(2), finished())
    among = told(planned(9), started(2), settled(2), RunCounted(done=9, total=9), finished())

    assert alone.counts == {Status.CREATED: 1, Status.NOT_ATTEMPTED: 8}
    assert among.counts == {Status.CREATED: 1}


def test_rows_of_a_lane_that_is_handed_over_are_somebody_elses() -> None:
    """They waited for their turn; whoever has the lane next does them, and they are told nowhere as left here."""
    handed = NotAttempted(code="handed_back", detail="")
    events = (planned(9), started(2), settled(2), started(3), settled(3, handed))

    view = told(*events, RunCounted(done=1, total=9))

    assert (view.here, view.counts) == (Here(done=1, rate=None), {Status.CREATED: 1})
    assert [lane.counts for lane in view.lanes] == [{Status.CREATED: 1}]


def test_the_whole_is_never_less_than_what_is_done_here() -> None:
    """It is counted every few seconds, and a row here is told at once."""
    view = told(
        planned(9),
        RunCounted(done=1, total=9),
        *(one for row in (2, 3, 4) for one in (started(row), settled(row))),
    )

    assert (view.done, view.here) == (3, Here(done=3, rate=None))
