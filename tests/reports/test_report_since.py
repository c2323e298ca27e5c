"""What is new, fixed and still failing since the run before over the same sheet."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from batchconnect.ledger.entry import Entry, Line, RunEnded, RunOpened, Settled
from batchconnect.ledger.run_state import RunState, fold_run
from batchconnect.ledger.sqlite.store import SqliteLedger
from batchconnect.model.outcome import Created, NotAttempted, Rejected
from batchconnect.reports.summary import Summary
from batchconnect.run.history.history import run_before, summary_of
from tests.reports.page_run import OPENED, PROBLEM, REFUSED, planned

CREATED = Created(connection_id="c-1")
REJECTED = Rejected(problems=(PROBLEM,))
Rows = dict[str, Settled]


def done(name: str) -> Settled:
    return Settled(outcome=replace(CREATED, connection_id=f"id of {name}"))


FAILED = Settled(outcome=REFUSED)
WAITED = Settled(outcome=NotAttempted(code="max_rows"))


@pytest.fixture
def ledger() -> Iterator[SqliteLedger]:
    with SqliteLedger(":memory:") as ledger:
        yield ledger


def run_of(ledger: SqliteLedger, rows: Rows, *, run_id: str, **opened: object) -> RunState:
    """Write a run over a sheet; a row is known by its name, a rejected one has no marker."""
    code = 0 if all(isinstance(row.outcome, Created) for row in rows.values()) else 4
    opening: RunOpened = replace(OPENED, run_id=run_id, **opened)  # type: ignore[arg-type]
    run = ledger.append([Line(entry=opening, at_ms=1)])
    for number, (name, settled) in enumerate(rows.items(), 2):
        marker = None if isinstance(settled.outcome, Rejected) else f"bc1-{name:a>26}"
        told: tuple[Entry, ...] = (planned(name), settled)
        ledger.append([Line(entry=e, run=run, row=number, marker=marker, at_ms=2) for e in told])
    ledger.append([Line(entry=RunEnded(exit_code=code), run=run, at_ms=3)])
    return fold_run(ledger.run_lines(run))


def changes(summary: Summary) -> dict[str, str | None]:
    return {row.name: row.since and row.since.value for row in summary.rows()}


def test_rows_are_compared_by_what_they_are_and_not_by_their_number(ledger: SqliteLedger) -> None:
    """A sorted sheet changes nothing; a corrected cell is a row that was fixed."""
    before: Rows = {"a": FAILED, "b": done("b"), "c": FAILED, "d": Settled(outcome=REJECTED)}
    run_of(ledger, before, run_id="r-1")
    now: Rows = {"d": done("d"), "c": FAILED, "b": FAILED, "a": done("a"), "e": done("e")}
    summary = summary_of(ledger, run_of(ledger, now, run_id="r-2"), compares=True)

    assert changes(summary) == {
        "d": "fixed", "c": "still_failing", "b": "new", "a": "fixed", "e": None,
    }  # fmt: skip
    assert summary.since is not None
    assert summary.since.run_id == "r-1"
    assert (summary.since.new, summary.since.still_failing, summary.since.fixed) == (1, 1, 2)


def test_a_row_that_only_waited_for_its_turn_did_not_fail(ledger: SqliteLedger) -> None:
    """What a canary left for the next run is not fixed by it."""
    run_of(ledger, {"a": done("a"), "b": WAITED}, run_id="r-1")
    summary = summary_of(ledger, run_of(ledger, {"b": done("b")}, run_id="r-2"), compares=True)

    assert summary.since is not None
    assert not summary.since.is_news


def test_a_rerun_is_compared_with_the_run_that_it_takes_up(ledger: SqliteLedger) -> None:
    """Not with another one over the same sheet that came in between."""
    run_of(ledger, {"a": FAILED}, run_id="r-1")
    run_of(ledger, {"a": done("a")}, run_id="r-2")
    rerun = run_of(ledger, {"a": FAILED}, run_id="r-3", parent_run_id="r-1")

    assert changes(summary_of(ledger, rerun, compares=True)) == {"a": "still_failing"}


def test_another_sheet_and_another_command_are_not_compared(ledger: SqliteLedger) -> None:
    """Nor is the first run over a sheet called anything."""
    run_of(ledger, {"a": FAILED}, run_id="r-1", sheets=("other.csv",))
    run_of(ledger, {"a": FAILED}, run_id="r-2", command="verify")
    summary = summary_of(ledger, run_of(ledger, {"a": FAILED}, run_id="r-3"), compares=True)

    assert summary.since is None
    assert changes(summary) == {"a": None}


def test_of_a_run_that_ended_well_no_row_is_read(
    ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A million rows that stand cost the comparison nothing."""
    run_of(ledger, {"a": done("a")}, run_id="r-1")
    second = run_of(ledger, {"a": FAILED}, run_id="r-2")
    monkeypatch.setattr(ledger, "row_lines", lambda run: pytest.fail(f"run {run} was read"))

    before = run_before(ledger, second)

    assert before is not None
    assert before.run_id == "r-1"


def test_a_name_that_others_have_as_well_says_nothing_of_a_rejected_row(
    ledger: SqliteLedger,
) -> None:
    """A rejected row may have the wrong sandbox; by its name alone it is known where only it has it."""
    with_problem = Settled(outcome=REJECTED)
    run = ledger.append([Line(entry=replace(OPENED, run_id="r-1"), at_ms=1)])
    rows = [("x", "PROD", None, with_problem), ("x", "dev", "bc1-" + "a" * 26, done("x")), ("y", "PROD", None, with_problem)]  # fmt: skip
    for number, (name, sandbox, marker, settled) in enumerate(rows, 2):
        told = (planned(name, sandbox=sandbox), settled)
        ledger.append([Line(entry=e, run=run, row=number, marker=marker, at_ms=2) for e in told])
    ledger.append([Line(entry=RunEnded(exit_code=4), run=run, at_ms=3)])
    summary = summary_of(
        ledger, run_of(ledger, {"x": done("x2"), "y": done("y")}, run_id="r-2"), compares=True
    )

    assert changes(summary) == {"x": None, "y": "fixed"}
