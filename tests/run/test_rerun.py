"""Which rows a rerun takes up: what its parent left unfinished, found again by key in today's sheet."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from batchconnect.lane.matching import wanted
from batchconnect.lane.orphan import Orphan
from batchconnect.ledger.entry import Doubted, Line, Moment, RowPlanned, Settled
from batchconnect.ledger.row_state import UNANSWERED, RowState
from batchconnect.ledger.run_writer import Clock, RunWriter
from batchconnect.model.column import Column
from batchconnect.model.identity import marker
from batchconnect.model.org import Org
from batchconnect.model.outcome import (
    Conflict,
    Created,
    Existing,
    Failed,
    InDoubt,
    MatchedBy,
    NotAttempted,
    Outcome,
    Rejected,
)
from batchconnect.model.row import Cell, Row
from batchconnect.model.secret import Secret
from batchconnect.model.target import TARGET_COLUMNS, Target
from batchconnect.run.accounting import CarriedOver, Skipped
from batchconnect.run.rerun import ParentRun, inherited, wanted_of
from batchconnect.validation.connection import BaseConnection

ORG = Org(key="acme", org_id="5C1328435BF324E90A49402A@AdobeOrg", client_id="id")
GUID = "72f988bf-86f1-41af-91ab-2d7cd011db47"
CREATED = Created(connection_id="c-1")
FAILED = Failed(code="FLOW-1308-400", detail="refused")
DOUBT = Doubted(outcome=InDoubt(code="timeout"), moment=Moment(boot_id="b", clock_s=0), attempts=2)
ROW_GONE = NotAttempted(code="row_gone", detail="The row is no longer in the sheet.")


def connection(name: str, number: int = 2) -> BaseConnection:
    target = Target(
        endpoint="https://acme.westeurope.kusto.windows.net",
        database="Telemetry",
        tenant=GUID,
        service_principal_id=GUID,
    )
    return BaseConnection(
        row=number,
        org=ORG,
        sandbox="prod",
        name=name,
        target=target,
        service_principal_key=Secret("planted~secret"),
        marker=marker(
            org_id=ORG.org_id,
            sandbox="prod",
            name=name,
            target=target,
        ),
    )


def planned(name: str) -> RowPlanned:
    asked = connection(name)
    return RowPlanned(
        name=name,
        org="acme",
        org_id=ORG.org_id,
        sandbox="prod",
        **asked.target._asdict(),
    )


def before(number: int, name: str, outcome: Outcome | None = FAILED) -> RowState:
    """A row of the parent run; None: it is in doubt."""
    state = RowState(
        number=number,
        marker=None if isinstance(outcome, Rejected) else connection(name).marker,
        planned=planned(name),
        attempts=2,
        throttled=1,
        warnings=("w",),
        started_at_ms=10,
        finished_at_ms=20,
    )
    return replace(state, doubt=DOUBT) if outcome is None else replace(state, outcome=outcome)


def row(number: int) -> Row:
    return Row(number=number, cells={})


def carry_over(
    parent_run: ParentRun, number: int, name: str | None
) -> Settled | CarriedOver | Skipped | None:
    """Today's sheet has this row; None: its cells are wrong."""
    judged = Rejected(problems=()) if name is None else connection(name, number)
    return parent_run.carry_over(row(number), judged)


def gone(parent_run: ParentRun) -> list[tuple[int, Outcome | None]]:
    return [
        (each.number, each.settled.outcome if each.settled else None) for each in parent_run.gone()
    ]


@pytest.mark.parametrize(
    "outcome", [CREATED, Existing(connection_id="c-1", matched_by=MatchedBy.MARKER)]
)
def test_what_the_parent_finished_is_inherited(outcome: Outcome) -> None:
    """With its attempts, its warnings and its times."""
    parent_run = ParentRun([before(2, "One", outcome)])

    assert carry_over(parent_run, 2, "One") == Settled(
        outcome=outcome,
        attempts=2,
        throttled=1,
        warnings=("w",),
        started_at_ms=10,
        inherited=True,
        finished_at_ms=20,
    )
    assert gone(parent_run) == []


@pytest.mark.parametrize(
    "outcome",
    [
        FAILED,
        Rejected(problems=()),
        Conflict(code="name_taken", detail=""),
        NotAttempted(code="lane_stopped"),
        InDoubt(code="possible_match"),
        None,
    ],
)
def test_what_the_parent_left_unfinished_is_taken_up(outcome: Outcome | None) -> None:
    """Failed, rejected, in conflict, not attempted, in doubt at the end, in doubt still."""
    parent_run = ParentRun([before(2, "One", outcome)])

    assert parent_run.unfinished == 1
    assert carry_over(parent_run, 2, "One") is None
    assert gone(parent_run) == []


def test_a_created_row_that_is_in_doubt_again_is_not_done() -> None:
    """What is open comes first."""
    parent_run = ParentRun([replace(before(2, "One", CREATED), is_sent=True)])

    assert parent_run.unfinished == 1
    assert carry_over(parent_run, 2, "One") is None


def test_a_sorted_sheet_changes_nothing() -> None:
    """Rows are found by key, not by number."""
    parent_run = ParentRun([before(2, "One", CREATED), before(3, "Two")])

    assert carry_over(parent_run, 2, "Two") is None
    assert isinstance(carry_over(parent_run, 3, "One"), Settled)
    assert (gone(parent_run), parent_run.unfinished) == ([], 1)


def test_a_corrected_row_is_taken_up_under_its_new_key() -> None:
    """Its number names it; the old key is no row of its own any more."""
    parent_run = ParentRun([before(2, "Wun"), before(3, "Two", Rejected(problems=()))])

    assert carry_over(parent_run, 2, "One") is None
    assert carry_over(parent_run, 3, "Two") is None
    assert gone(parent_run) == []


def test_a_row_that_is_still_wrong_is_judged_again() -> None:
    """It is rejected in the rerun too, with today's problems."""
    parent_run = ParentRun([before(2, "One", Rejected(problems=()))])

    assert carry_over(parent_run, 2, None) is None


def test_a_new_row_is_left_for_run() -> None:
    """Behind the others, or in the place of one that is done."""
    parent_run = ParentRun([before(2, "One", CREATED)])

    assert carry_over(parent_run, 3, "Two") == Skipped()
    assert carry_over(parent_run, 2, "Three") == Skipped()
    assert carry_over(parent_run, 4, None) == Skipped()


def test_what_is_done_and_gone_from_the_sheet_stays_in_the_report() -> None:
    """Under its own number where that is free."""
    parent_run = ParentRun([before(2, "One", CREATED), before(3, "Two")])
    carry_over(parent_run, 3, "Two")
    (row_gone,) = parent_run.gone()

    assert row_gone.number == 2
    assert row_gone.settled == inherited(before(2, "One", CREATED))
    assert row_gone.orphan is None


def test_a_row_that_is_unfinished_and_gone_says_so() -> None:
    """Nobody can send it."""
    parent_run = ParentRun([before(2, "One"), before(3, "Two", Rejected(problems=()))])

    assert gone(parent_run) == [(2, ROW_GONE), (3, ROW_GONE)]


def test_a_number_that_another_row_has_now_is_not_taken_twice() -> None:
    """What is gone gets one behind all others."""
    parent_run = ParentRun(
        [before(2, "One", CREATED), before(3, "Two", CREATED), before(4, "Three")]
    )
    carry_over(parent_run, 2, "Three")
    carry_over(parent_run, 3, "New")

    assert gone(parent_run) == [(5, CREATED), (6, CREATED)]


def test_a_row_in_doubt_that_is_gone_is_an_orphan() -> None:
    """It may have been applied: it is looked for by its marker, and not sent."""
    lost = before(2, "One", None)
    (row_gone,) = ParentRun([lost]).gone()

    assert row_gone.settled is None
    assert row_gone.orphan == Orphan(
        row=2, sandbox="prod", wanted=wanted(connection("One")), state=lost
    )


def test_what_a_row_is_recognised_by_outlives_the_row() -> None:
    """The ledger keeps enough of it: name, target and marker as the connection has them."""
    asked = connection("Telemetrie Su\u0308d")

    assert wanted_of(asked.marker, planned(asked.name)) == wanted(asked)


def test_a_row_that_only_leaves_out_is_kept_by_its_number() -> None:
    """Its key is not known; done or not, it is as the parent left it, doubts included."""
    rows = [before(2, "One", CREATED), before(3, "Two"), before(4, "Three", None)]
    parent_run = ParentRun(rows)
    kept = [parent_run.carry_over(row(number), None) for number in (2, 3, 4)]

    assert kept == [
        CarriedOver(planned=planned(name), marker=connection(name).marker, settled=inherited(state))
        for name, state in zip(["One", "Two", "Three"], rows, strict=True)
    ]
    assert inherited(rows[2]).outcome == DOUBT.outcome
    assert gone(parent_run) == []


def test_a_new_row_that_only_leaves_out_is_no_row_of_the_chain() -> None:
    """Nor is a number that the ledger knows from elsewhere."""
    stray = RowState(number=3, marker="m", is_sent=True)
    parent_run = ParentRun([before(2, "One"), stray])

    assert parent_run.carry_over(row(9), None) == Skipped()
    assert parent_run.carry_over(row(3), None) == Skipped()
    assert gone(parent_run) == [(2, ROW_GONE)]


def test_an_unanswered_row_is_inherited_as_a_doubt() -> None:
    """The parent's process died between intent and answer."""
    state = replace(before(2, "One", CREATED), is_sent=True, outcome=None)

    assert inherited(state).outcome == UNANSWERED


def entries(lines: Iterable[Line]) -> list[tuple[object, int | None, str | None]]:
    return [(line.entry, line.row, line.marker) for line in lines]


def test_a_row_that_is_gone_is_accounted_for() -> None:
    """Planned and settled; an orphan is settled later, by the look-up."""
    clock = Clock(now_ms=lambda: 1, monotonic_s=lambda: 0.0, boot_id="")

    class Nowhere:
        async def append(self, lines: object) -> None: ...

    writer = RunWriter(Nowhere(), run=1, clock=clock)
    done, lost = before(2, "One", CREATED), before(3, "Two", None)
    of_done, of_lost = ParentRun([done, lost]).gone()

    assert entries(of_done.lines(writer)) == [
        (planned("One"), 2, done.marker),
        (inherited(done), 2, done.marker),
    ]
    assert entries(of_lost.lines(writer)) == [(planned("Two"), 3, lost.marker)]


def fed_back(name: str, **changed: str | Secret) -> Row:
    """A row as our reports show it: the secret is blank."""
    asked = planned(name)
    cells: dict[Column, Cell] = {
        Column.NAME: asked.name,
        **dict(zip(TARGET_COLUMNS, asked.target, strict=True)),
        Column.SERVICE_PRINCIPAL_KEY: Secret(""),
    }
    return Row(number=2, cells={**cells, **{Column(c): cell for c, cell in changed.items()}})


def test_a_row_that_is_done_needs_no_secret() -> None:
    """Who feeds our workbook back fills in the keys of the others alone."""
    state = before(2, "One", CREATED)
    parent_run = ParentRun([state])

    kept = parent_run.carry_over(fed_back("One", tenant=GUID.upper()), Rejected(problems=()))

    assert kept == CarriedOver(
        planned=planned("One"), marker=state.marker, settled=inherited(state)
    )
    assert gone(parent_run) == []


@pytest.mark.parametrize(
    ("outcome", "row", "expected"),
    [
        (CREATED, fed_back("Two"), Skipped()),
        (CREATED, fed_back("One", database="other"), Skipped()),
        (CREATED, fed_back("One", servicePrincipalKey=Secret("typed")), Skipped()),
        (FAILED, fed_back("One"), None),
    ],
)
def test_a_row_without_its_secret_is_kept_only_where_it_is_the_same_and_done(
    outcome: Outcome, row: Row, expected: Skipped | None
) -> None:
    """Another row at its number is new; an unfinished one is judged, and lacks its key."""
    parent_run = ParentRun([before(2, "One", outcome)])

    assert parent_run.carry_over(row, Rejected(problems=())) == expected
