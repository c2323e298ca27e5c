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
    RunIdentified,
    RunOpened,
    RunResumed,
    Sending,
    Settled,
    SweepDone,
)
from batchconnect.ledger.row_state import RowState
from batchconnect.ledger.run_state import (
    REASONS,
    SHEET_UNREADABLE,
    RunState,
    fold_run,
    swept_of,
)
from batchconnect.model.event import BANNED_UNTIL, LanePaused, LaneStopped, Swept
from batchconnect.model.outcome import Created, InDoubt, NotAttempted, Outcome
from batchconnect.model.value import replace

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

    assert (state.number, state.opened) == (7, OPENED)
    assert (state.opened_at_ms, state.last_at_ms) == (1000, 1000)
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


def test_a_run_knows_which_rows_it_is_over() -> None:
    """Once its sheet is read to its end; one whose sheet could not be read has nothing to be done."""
    identified = RunIdentified(identity="i", rows=3)

    assert (run().identified, run(identified, RunResumed()).identified) == (None, identified)
    assert run(RunEnded(exit_code=4, reason=SHEET_UNREADABLE)).never_began
    assert not run(RunEnded(exit_code=4, reason="rejected_rows")).never_began
    assert not run().never_began


def sweeps(*found: Swept) -> Swept | None:
    return swept_of([Line(entry=LaneTold(event=DENIED)), *map(sweep_line, found)])


def sweep_line(swept: Swept) -> Line:
    return Line(entry=SweepDone(event=swept), run=7)


def test_the_sweeps_of_all_orgs_are_told_as_one() -> None:
    """Every marker that any of them is about, in order; one that is not complete makes all so."""
    acme = Swept(
        org="acme", expected=4, found=3, duplicated=("d",), missing=("m",), wrong_id=("w",)
    )
    globex = Swept(
        org="globex", expected=2, found=1, duplicated=("b",), missing=("a",), wrong_id=("c",)
    )
    both = Swept(
        expected=6, found=4, duplicated=("b", "d"), missing=("a", "m"), wrong_id=("c", "w")
    )

    assert sweeps(acme, globex) == both
    assert sweeps(acme, replace(globex, complete=False)) == replace(both, complete=False)
    assert sweeps() is None


def test_of_each_org_the_last_sweep_counts() -> None:
    """And one line for all orgs, as the first versions wrote it, stands for every sweep before it."""
    first, again = replace(SWEPT, org="acme", expected=4), replace(SWEPT, org="acme", expected=5)
    other, for_all = replace(SWEPT, org="globex", found=3), replace(SWEPT, expected=9)

    assert sweeps(first, other, again) == replace(SWEPT, expected=6, found=4)
    assert sweeps(first, other, for_all) == for_all


def test_a_run_of_the_first_versions_that_is_swept_again_is_told_by_the_new_sweep() -> None:
    """`reconcile` looks again after a sweep that found something: the line for all orgs is not added to it."""
    acme, globex = replace(SWEPT, org="acme"), replace(SWEPT, org="globex", expected=2)

    assert sweeps(replace(SWEPT, expected=9), acme, globex) == replace(SWEPT, expected=3, found=2)


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


def test_what_stops_the_lane_is_told_before_what_stops_the_sandbox() -> None:
    """No person needs to mend the sandbox first; whichever came first."""
    state = run(LaneTold(event=NO_SANDBOX), LaneTold(event=DENIED), RunEnded(exit_code=4))

    assert state.stops == (NO_SANDBOX, DENIED)
    assert shown(state, row("acme", "dev")).code == "lane_stopped"  # type: ignore[union-attr]  # by design


def test_the_rows_of_a_lane_that_has_to_wait_say_until_when() -> None:
    """That is no refusal of its org: the same command goes on later."""
    banned = LaneStopped(
        org="acme", sandbox=None, code=BANNED_UNTIL, title="wait", detail="Until 12:00."
    )

    assert shown(run(LaneTold(event=banned)), row()) == NotAttempted(
        code=BANNED_UNTIL, detail="Until 12:00."
    )


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
