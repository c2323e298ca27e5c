"""What progress says, in plain words and once."""

import pytest

from batchconnect.cli.progress.messages import Messages
from batchconnect.cli.progress.state import ProgressState
from batchconnect.cli.progress.words import duration, rate_word, state_line
from batchconnect.model.event import (
    Draining,
    Event,
    FaultMet,
    LaneAwaited,
    LaneCounted,
    LanePaused,
    LaneStopped,
    NotReached,
    PaceChanged,
    Planned,
    RowInDoubt,
    RowSettled,
    RowStarted,
    RunStarted,
    SandboxListed,
    Settling,
    Swept,
    Verifying,
)
from batchconnect.model.fault import Fault
from batchconnect.model.outcome import (
    Conflict,
    Created,
    Existing,
    Failed,
    InDoubt,
    MatchedBy,
    NotAttempted,
    Outcome,
    Problem,
    Rejected,
    Severity,
)
from batchconnect.model.value import replace


def said(*events: Event, verbose: int = 0) -> list[str]:
    messages = Messages(verbose)
    found = [messages.of(event) for event in events]
    return [one.text for one in found if one is not None]


def is_error(event: Event) -> bool:
    one = Messages(0).of(event)
    assert one is not None
    return one.is_error


def test_one_connection_is_said_in_the_singular() -> None:
    assert said(Verifying(connections=1)) == ["verify: 1 connection is tested by the source"]


PROBLEM = Problem(code="x", what="The key is empty.", remedy="r")
NOTE = Problem(code="y", severity=Severity.NOTE, what="A note.", remedy="r")


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Created(connection_id="c-1"), "created c-1"),
        (Created(connection_id="c-1", reconciled=True), "created c-1, found by its marker"),
        (Existing(connection_id="e-1", matched_by=MatchedBy.MARKER), "existing e-1"),
        (Failed(code="FLOW-1", detail="wrong"), "failed: wrong (FLOW-1)"),
        (Rejected(problems=(NOTE, PROBLEM)), "rejected: The key is empty."),
        (Conflict(code="name_taken", detail="taken"), "conflict: taken (name_taken)"),
        (InDoubt(code="possible_match", detail="who?"), "in doubt: who? (possible_match)"),
        (NotAttempted(code="interrupted", detail="late"), "not attempted: late (interrupted)"),
    ],
)
def test_with_v_each_row_has_a_line(outcome: Outcome, words: str) -> None:
    """And without it none."""
    event = RowSettled(row=17, org="acme", sandbox="prod", outcome=outcome)

    assert said(event, verbose=1) == [f"row 17 acme/prod: {words}"]
    assert said(event) == []


def test_with_v_doubts_and_cuts_of_the_pace_are_told() -> None:
    """Growth is not: it is what a pace does."""
    events = (
        RowStarted(row=17, org="acme", sandbox="prod"),
        RowInDoubt(row=17, org="acme", sandbox="prod", code="timeout"),
        PaceChanged(org="acme", host="h", rate=1.44, reason="congestion"),
        PaceChanged(org="acme", host="h", rate=2, reason="growth"),
    )

    assert said(*events) == []
    assert said(*events, verbose=1) == [
        "row 17 acme/prod: in doubt (timeout), is being settled",
        "acme: pace cut to 1.4/s, since the service is congested",
    ]


def test_the_plan_is_told_without_what_is_zero() -> None:
    """One row is no rows."""
    assert said(Planned(to_create=1, settled=0, to_settle=0)) == ["1 row to do"]
    assert said(Planned(to_create=5, settled=2, to_settle=1)) == [
        "5 rows to do, 2 settled already, 1 in doubt from before"
    ]


def test_a_sandbox_that_cannot_be_read_is_told_once() -> None:
    """The stop that follows from it adds nothing."""
    listed = SandboxListed(
        org="acme", sandbox="dev", connections=0, complete=False, detail="page 3 is missing"
    )
    stopped = LaneStopped(
        org="acme",
        sandbox="dev",
        code="listing_failed",
        title="The sandbox could not be read",
        detail="fewer_than_counted: page 3 is missing",
    )
    told = ["acme/dev: the sandbox could not be read: page 3 is missing"]

    assert said(listed, stopped) == told
    assert is_error(listed)
    assert "".join(said(stopped)) == (
        "acme/dev: stopped: The sandbox could not be read (listing_failed)."
        " fewer_than_counted: page 3 is missing. Its other rows are not attempted"
    )
    # A reading that was cut off, as asked, is no trouble.
    assert said(Draining(reason="interrupted", in_flight=0), listed)[1:] == []


def test_a_stopped_lane_says_why_and_not_twice() -> None:
    """Its sandbox could not be read for the same reason."""
    listed = SandboxListed(
        org="acme", sandbox="dev", connections=0, complete=False, detail="Forbidden."
    )
    stopped = LaneStopped(
        org="acme", sandbox=None, code="403025", title="No right.", detail="Forbidden."
    )

    assert said(listed, stopped)[1] == (
        "acme: stopped: No right (403025). Its other rows are not attempted"
    )
    assert is_error(stopped)


def test_an_outage_is_told_once_and_a_pause_of_the_pace_never() -> None:
    """A throttled lane pauses every other second; the lane's line shows it."""

    def pause(org: str, reason: str) -> LanePaused:
        return LanePaused(org=org, host="h", pause_s=180, reason=reason)

    reasons = ("not_sent", "not_sent", "doubts", "throttled", "retry_after", "what?")
    assert said(*(pause("acme", reason) for reason in reasons)) == [
        "acme: many answers in a row got lost; it goes on with one row at a time",
        "acme: the service asks to be left alone for 180 s",
    ]
    assert "".join(said(pause("acme", "waits_for_settle"))) == (
        "acme: waits 180 s before it sends to one sandbox:"
        " what was sent to it lately may still show up"
    )


def test_a_service_that_is_not_reached_is_told_once_with_its_cause() -> None:
    """However many orgs have the one network; at once, and with how long it is tried."""

    def missed(org: str, code: str, detail: str = "platform.test: Name not known") -> NotReached:
        return NotReached(org=org, host="h", code=code, detail=detail, patience_s=900)

    told = said(
        missed("acme", "dns"),
        missed("beta", "dns"),
        missed("beta", "no_token", ""),
        missed("acme", "dns"),
    )

    assert told == [
        (
            "acme: The host's name is not known (platform.test: Name not known). It is tried again for up"
            " to 15 min (--patience); nothing is lost. `batchconnect doctor` looks closer"
        ),
        (
            "beta: Adobe's sign-in (IMS) does not work now. It is tried again for up to 15 min"
            " (--patience); nothing is lost. `batchconnect doctor` looks closer"
        ),
    ]


@pytest.mark.parametrize(
    ("reason", "words", "error"),
    [
        ("interrupted", "stopping, as asked", False),
        ("terminated", "stopping, as asked from outside", False),
        ("max_failures", "stopping: --max-failures is reached", True),
        ("ledger", "stopping: the ledger cannot be written", True),
        ("what", "stopping (what)", False),
    ],
)
def test_a_stop_says_who_wanted_it(reason: str, words: str, error: bool) -> None:
    """And what becomes of the rows on their way."""
    event = Draining(reason=reason, in_flight=4)

    assert said(event) == [f"{words}; nothing more is sent, 4 rows on the way may finish"]
    assert is_error(event) is error


def test_the_sweep_says_what_it_found() -> None:
    """Only what is not as it should be is an error."""
    good = Swept(expected=3, found=3, duplicated=(), missing=())
    bad = Swept(expected=3, found=2, duplicated=("a",), missing=("b",))
    unknown = Swept(expected=3, found=3, duplicated=(), missing=(), complete=False)

    assert said(good, bad, unknown) == [
        "sweep: 3 expected, 3 found",
        "sweep: 3 expected, 2 found, 1 duplicated, 1 missing",
        "sweep: 3 expected, 3 found, missing unknown, since not every sandbox could be read",
    ]
    assert [is_error(event) for event in (good, bad, unknown)] == [False, True, True]


def test_what_is_a_number_or_is_told_by_others_is_no_message() -> None:
    """The command itself says that a run begins, and how it ended."""
    counted = LaneCounted(
        org="a", host="h", sent=1, created=1, throttled=0, retried=0, paused_s=0.0,
        rate_max=2.0, rate_last=2.0,
    )  # fmt: skip

    assert said(
        RunStarted(run_id="r", resumed=False),
        Settling(org="a", sandbox="p", waiting=1, left_s=9),
        SandboxListed(org="a", sandbox="p", connections=1, complete=True),
        counted,
    ) == []  # fmt: skip


def test_the_state_line_names_a_few_pauses_and_sums_up_the_rest() -> None:
    """A stopped lane's pause is no news, nor is any pause while the run stops."""
    state = ProgressState()
    state.event(Planned(to_create=9, settled=0, to_settle=0), 0.0)
    for number in range(5):
        pause = LanePaused(org=f"o{number}", host="h", pause_s=9, reason="waits_for_settle")
        state.event(pause, 0.0)
    stop = LaneStopped(org="o0", sandbox=None, code="x", title="t", detail="")
    state.event(stop, 0.0)

    assert state_line(state.view(0.0)) == (
        "0 of 9 rows; o1: waits 9 s before it sends; o2: waits 9 s before it sends;"
        " o3: waits 9 s before it sends; 1 more paused"
    )

    state.event(Draining(reason="interrupted", in_flight=0), 0.0)
    assert state_line(state.view(0.0)) == "0 of 9 rows, stopping"


def test_numbers_are_short() -> None:
    """Seconds where one counts them, minutes where one estimates."""
    assert [duration(s) for s in (0.2, 42.4, 599, 600, 11_100)] == [
        "0 s",
        "42 s",
        "599 s",
        "10 min",
        "3 h 5 min",
    ]
    assert duration(150, seconds_up_to=120) == "2 min"
    assert [rate_word(rate) for rate in (0.24, 99.94, 1234.5)] == ["0.2/s", "99.9/s", "1234/s"]


def test_a_fault_of_ours_is_said_once_with_its_place() -> None:
    """With --quiet too; one that ends the command is told by the command's last words."""
    fault = Fault(type="KeyError", place="batchconnect.lane.plan:1 LanePlan.carry_out")
    met = FaultMet(fault=fault, where="plan", org="acme", sandbox="prod")
    last = FaultMet(fault=fault, where="run")

    assert said(met, met) == [f"a fault of batchconnect (plan): {fault.label}"]
    assert is_error(met)
    assert said(last) == []


def test_open_runs_over_the_sheet_are_named_the_newest_three() -> None:
    """Each with the command that goes on with it."""
    left = tuple(f"r{number}: batchconnect run s.csv --sandbox s{number}" for number in range(5))
    (text,) = said(RunStarted(run_id="r9", resumed=False, left_open=left))

    assert text.endswith(f": {'; '.join(left[:3])}")
    assert text.isprintable(), "what the screen would escape"
    assert said(RunStarted(run_id="r9", resumed=False)) == []


def test_for_whom_a_command_over_a_run_waits_is_said_and_how_long() -> None:
    """A holder is named, since a person may know whether it lives; a lane that failed has none."""
    held = LaneAwaited(org="acme", holder="ann@db1/7-00aa", at_most_s=35)
    run = LaneAwaited(org="", holder="ann@db1/7-00aa", at_most_s=35)
    failed = LaneAwaited(org="acme", holder="", at_most_s=8)

    alive = "ann@db1/7-00aa holds it, and shows within 35 s whether it is at work"
    assert said(held) == [f"waits for the lane of acme: {alive}"]
    assert said(run) == [f"waits for the run: {alive}"]
    assert said(failed) == ["waits for the lane of acme: it failed, and may be taken in 8 s"]


def test_for_whom_a_worker_waits_is_said_with_the_lane_that_stands_in_the_way() -> None:
    """Its own, or that of another client of its org; `batchconnect lanes` shows it by its number."""
    own = LaneAwaited(org="acme", holder="ann@db1/7-00aa", at_most_s=35, lane=2, held_s=42.4)
    other = replace(own, is_of_other_client=True)

    assert said(own) == ["waits for the lane of acme: held 42 s by ann@db1/7-00aa"]
    assert said(other) == [
        "waits for the lane of acme: lane 2 of its org, held 42 s by ann@db1/7-00aa"
    ]
