"""A run as a whole: how often it was resumed, which lanes stopped, why a row never had its turn."""

import pytest

from batchconnect.ledger.entry import (
    Doubted,
    Entry,
    LaneTold,
    Line,
    Moment,
    RowPlanned,
    RunEnded,
    RunOpened,
    RunResumed,
    Sending,
    Settled,
    SweepDone,
)
from batchconnect.ledger.row_state import RowState
from batchconnect.ledger.run_state import REASONS, RunState, fold_run
from batchconnect.model.event import LanePaused, LaneStopped, Swept
from batchconnect.model.outcome import Created, InDoubt, NotAttempted, Outcome

OPENED = RunOpened(run_id="r", sheets=("s",), sheet_sha256="ab")
DENIED = LaneStopped(
    org="acme", sandbox=None, code="403025", title="denied", detail="Ask an admin."
)
NO_SANDBOX = LaneStopped(org="acme", sandbox="dev", code="404", title="no such sandbox", detail="")
SWEPT = Swept(expected=1, found=1, duplicated=(), missing=())
CREATED = Created(connection_id="c")


def run(*entries: Entry) -> RunState:
    return fold_run(
        Line(entry=entry, run=7, at_ms=1000 * count)
        for count, entry in enumerate((OPENED, *entries), start=1)
    )


def row(org: str = "acme", sandbox: str = "prod", *entries: Entry) -> list[Line]:
    planned = RowPlanned(name="n", org=org, sandbox=sandbox)
    return [Line(entry=entry, run=7, row=2, marker="m", at_ms=1) for entry in (planned, *entries)]


def shown(state: RunState, lines: list[Line]) -> Outcome:
    (only,) = state.rows(lines)
    return only.shown


def test_an_opened_run_is_not_closed() -> None:
    """It is running, or it crashed: the same command goes on with it."""
    state = run()

    assert (state.number, state.opened, state.opened_at_ms) == (7, OPENED, 1000)
    assert not state.is_closed


def test_a_run_is_closed_by_its_end() -> None:
    """Unless it was interrupted."""
    assert run(RunEnded(exit_code=0)).is_closed
    assert not run(RunEnded(exit_code=130, closed=False, reason="interrupted")).is_closed


def test_a_resumed_run_begins_afresh() -> None:
    """What stopped the process before is over; what it learned stays."""
    interrupted = RunEnded(exit_code=130, closed=False, reason="interrupted")
    state = run(LaneTold(event=DENIED), SweepDone(event=SWEPT), interrupted, RunResumed())

    assert (state.resumes, state.stops, state.ended) == (1, (), None)
    assert state.swept == SWEPT
    assert state.last_at_ms == 5000


def test_what_else_lanes_told_is_for_the_report() -> None:
    """A pause stops nothing."""
    paused = LanePaused(org="acme", host="h", pause_s=1, reason="throttled")
    state = run(LaneTold(event=paused))

    assert state.stops == ()


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_a_row_without_its_turn_says_why_the_run_ended(reason: str) -> None:
    """Derived from the run's end, so a stop costs no line for each row."""
    state = run(RunEnded(exit_code=4, reason=reason))

    assert shown(state, row()) == NotAttempted(code=reason, detail=REASONS[reason])


def test_a_row_of_a_run_that_crashed_was_interrupted() -> None:
    """Nobody wrote why; that is the reason."""
    expected = NotAttempted(code="interrupted", detail=REASONS["interrupted"])

    assert shown(run(), row()) == expected
    assert shown(run(RunEnded(exit_code=4)), row()) == expected


def test_a_reason_without_words_is_shown_as_it_is() -> None:
    """A later version may know more of them."""
    state = run(RunEnded(exit_code=4, reason="quota"))

    assert shown(state, row()) == NotAttempted(code="quota", detail="")


def test_the_rows_of_a_stopped_lane_say_what_stopped_it() -> None:
    """The whole lane, in every sandbox; the rows of other lanes do not."""
    state = run(LaneTold(event=DENIED), RunEnded(exit_code=4))
    stopped = NotAttempted(code="lane_stopped", detail="403025: denied. Ask an admin.")

    assert shown(state, row("acme", "prod")) == stopped
    assert shown(state, row("acme", "dev")) == stopped
    assert shown(state, row("globex", "prod")).code == "interrupted"  # type: ignore[union-attr]  # by design


def test_a_stopped_sandbox_stops_its_rows_only() -> None:
    """The contract stops only that."""
    state = run(LaneTold(event=NO_SANDBOX), RunEnded(exit_code=4))

    assert shown(state, row("acme", "dev")) == NotAttempted(
        code="sandbox_stopped", detail="404: no such sandbox."
    )
    assert shown(state, row("acme", "prod")).code == "interrupted"  # type: ignore[union-attr]  # by design


def test_a_row_with_a_story_of_its_own_keeps_it() -> None:
    """Settled, in doubt or unanswered: the run's end says nothing about it."""
    doubt = Doubted(outcome=InDoubt(code="timeout"), moment=Moment(boot_id="b", clock_s=0))
    state = run(LaneTold(event=DENIED), RunEnded(exit_code=4, reason="interrupted"))

    assert shown(state, row("acme", "prod", Settled(outcome=CREATED))) == CREATED
    assert shown(state, row("acme", "prod", Sending(number=1), doubt)) == doubt.outcome
    assert shown(state, row("acme", "prod", Sending(number=1))) == InDoubt(
        code="interrupted", detail="The process ended between the intent and the answer."
    )


def test_lines_of_a_row_that_is_not_of_the_run_are_no_row() -> None:
    """A doubt of another run, settled by this one: the marker knows it, the report does not."""
    state = run()
    stray = Line(entry=Sending(number=1), run=7, row=9, marker="m")
    unplanned = RowState(number=9, marker="m")

    assert list(state.rows([stray])) == []
    assert state.filled(unplanned) == unplanned
