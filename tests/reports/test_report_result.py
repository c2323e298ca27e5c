"""One row, laid out once for every format."""

from typing import Any

import pytest

from batchconnect.ledger.entry import KeyLooked, RowPlanned, Tested
from batchconnect.ledger.row_state import RowState, Step
from batchconnect.model.outcome import (
    Created,
    Existing,
    Failed,
    InDoubt,
    MatchedBy,
    Outcome,
    Problem,
    Rejected,
    Severity,
    Status,
    Works,
)
from batchconnect.model.reference import KeyOrigin
from batchconnect.model.remedies import hint_for
from batchconnect.model.row_place import NOWHERE, Places
from batchconnect.reports import result as laying_out
from batchconnect.reports.result import KEY_UNSEEN, Result, result_of, shown_of

MARKER = "bc1-o2cyiczkeuyf5wanj624uvdrpp"


def laid_out(outcome: Outcome, **fields: Any) -> Result:
    """The second row of a sheet, settled."""
    fields = {"planned": RowPlanned(name="Acme", org="acme"), **fields}
    state = RowState(number=2, marker=MARKER, outcome=outcome, **fields)
    return result_of(state, shown_of(state, live=False), stop=None, hint=hint_for)


def test_a_created_row_has_all_that_the_answer_told() -> None:
    """Id, etag, status, request id, times, and the description without our marker."""
    answer = Created(connection_id="c-1", etag='"e"', http_status=201, request_id="r-1")
    planned = RowPlanned(name="Acme", description=f"Acme telemetry {MARKER}")

    row = laid_out(answer, planned=planned, attempts=2, started_at_ms=1000, finished_at_ms=1250)

    assert (row.row, row.status, row.name) == (2, Status.CREATED, "Acme")
    assert (row.connection_id, row.etag, row.http_status) == ("c-1", '"e"', 201)
    assert (row.request_id, row.attempts, row.duration_ms) == ("r-1", 2, 250)
    assert (row.error, row.hint, row.description) == (None, "", "Acme telemetry")


def test_a_description_that_is_not_ours_stays() -> None:
    """A rejected row has no marker, so nothing is cut off."""
    planned = RowPlanned(name="Acme", description="Acme bc1- ")

    assert laid_out(Failed(code="x", detail="y"), planned=planned).description == "Acme bc1- "


def test_an_existing_row_says_that_its_key_was_not_seen() -> None:
    """The service never shows a key."""
    existing = Existing(connection_id="c-1", matched_by=MatchedBy.MARKER)

    row = laid_out(existing, warnings=("Same target as row 7.",))

    assert (row.matched_by, row.attempts, row.started_at_ms) == (MatchedBy.MARKER, 0, None)
    assert row.warnings == ("Same target as row 7.", KEY_UNSEEN)


def test_a_rejected_row_tells_every_problem_with_its_cell() -> None:
    """The first error gives code and column; warnings stand apart."""
    problems = (
        Problem(code="cut", severity=Severity.WARNING, cell="B2", what="Too long.", remedy="Cut."),
        Problem(code="no_https", column="endpoint", cell="C2", what="Not https.", remedy="Use it."),
        Problem(code="blank", column="tenant", what="Blank.", remedy="Fill it in."),
    )

    row = laid_out(Rejected(problems=problems))

    assert (row.error_code, row.error_column) == ("no_https", "endpoint")
    assert row.error == "C2: Not https; tenant: Blank."
    assert row.warnings == ("B2: Too long.",)
    assert row.hint == "Use it. Fill it in."


def test_a_row_in_doubt_tells_what_is_known() -> None:
    """Code, status and request id of the answer that was none."""
    row = laid_out(InDoubt(code="http-502", detail="Bad gateway", http_status=502, request_id="r"))

    assert (row.status, row.error_code, row.error) == (Status.IN_DOUBT, "http-502", "Bad gateway")
    assert (row.http_status, row.request_id, row.connection_id) == (502, "r", None)
    assert "may exist" in row.hint


def test_a_clock_that_went_back_gives_no_negative_time() -> None:
    """Times are for people; they may jump."""
    created = Created(connection_id="c-1")

    assert laid_out(created, started_at_ms=9000, finished_at_ms=1000).duration_ms == 0


def test_a_line_without_a_plan_is_not_lost() -> None:
    """A doubt of an earlier run has no cells here, and is shown all the same."""
    row = laid_out(Failed(code="x", detail="y"), planned=None)

    assert (row.row, row.name, row.status) == (2, "", Status.FAILED)


PLAIN: list[Outcome] = [
    Created(connection_id="c-1", etag='"e"', http_status=201, request_id="r-1", state="enabled"),
    Created(connection_id="c-1", etag=None, reconciled=True, http_status=None, request_id=None),
    Existing(connection_id="c-1", matched_by=MatchedBy.MARKER, etag='"e"', state="enabled"),
]


@pytest.mark.parametrize("outcome", PLAIN)
@pytest.mark.parametrize("inherited", [False, True])
def test_a_row_that_is_plainly_done_is_laid_out_as_any_other(
    outcome: Outcome, inherited: bool
) -> None:
    """What most rows are takes a shorter way, and comes out the same in every field."""
    finding = Problem(code="note", what="Odd.", remedy="", severity=Severity.NOTE, column="name")
    planned = RowPlanned(
        name="Acme",
        org="acme",
        sandbox="prod",
        endpoint="https://h",
        database="d",
        tenant="t",
        service_principal_id="p",
        carried=("x", "y"),
        findings=(finding,),
        description=f"Acme telemetry {MARKER}",
    )
    state = RowState(
        number=(1 << 24) + 7,
        marker=MARKER,
        planned=planned,
        outcome=outcome,
        attempts=2,
        throttled=1,
        sends=2,
        doubts=1,
        inherited=inherited,
        started_at_ms=1000,
        finished_at_ms=1250,
        warnings=("Same target as row 7.",),
        steps=(Step(1100, "the answer was lost", "timeout"),),
    )
    places = Places(("a.csv", "b.xlsx#EMEA"), ("", "EMEA"))
    plain = laying_out._usual(state, outcome, places)

    assert plain is not None
    assert plain == laying_out._result(state, outcome, None, hint_for, places)


@pytest.mark.parametrize(
    "more",
    [
        {"tested": Tested(connection_id="c-1", works=Works.YES)},
        {"key_looked": KeyLooked(key=KeyOrigin(reference="vault:a", version="1"))},
        {"key_sent": KeyOrigin(reference="vault:a", version="1")},
        {"is_sent": True},
        {"planned": None},
    ],
)
def test_a_row_of_which_more_is_told_is_not_plainly_done(more: dict[str, Any]) -> None:
    """Its test, its key, a change that is under way."""
    fields = {"planned": RowPlanned(name="Acme"), "outcome": PLAIN[0], **more}
    state = RowState(number=2, marker=MARKER, **fields)

    assert laying_out._usual(state, PLAIN[0], NOWHERE) is None
