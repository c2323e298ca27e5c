"""
One row as every report shows it, so that no format reads the ledger's states in its own way.

A `Result` has the columns of `results.csv` in their order. It is made of a row's `RowState`, and of
what stopped its lane, since a row that was never sent is explained by another row's refusal.
"""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import assert_never

from batchconnect.ledger.entry import RowPlanned
from batchconnect.ledger.row_state import RowState, Step
from batchconnect.model.event import LaneStopped
from batchconnect.model.outcome import (
    DONE,
    Conflict,
    Created,
    Deleted,
    Existing,
    Failed,
    InDoubt,
    Kept,
    MatchedBy,
    NotAttempted,
    Outcome,
    Problem,
    Rejected,
    Severity,
    Status,
    Unchanged,
    Updated,
    Works,
    status_of,
)
from batchconnect.model.remedies import title_for
from batchconnect.model.row_place import NOWHERE, Places, own_number
from batchconnect.model.target import Target
from batchconnect.model.value import Value

Advice = Callable[[str, Status], str]
"""What a code means, or what to do about it, one or two plain sentences; "" where nobody knows."""

KEY_UNSEEN = "The key was not compared, not sent."
"""The service never shows a key, so an existing connection may hold an older one."""

_UNSEEN = (KEY_UNSEEN,)
_OF_CONNECTION = (Created, Existing, Updated, Unchanged, Deleted, Kept)
"""Outcomes that name a connection of the row's."""
_ANSWERED = (Created, Updated, Deleted)
_WITH_ETAG = (Created, Existing, Updated, Unchanged)
_WITH_STATE = (Created, Existing, Conflict)
_WITHOUT_TROUBLE = frozenset({Status.CREATED, Status.EXISTING, Status.UPDATED})
"""Statuses that say that nothing is wrong with a connection: what is told as an error is its key's."""

PENDING = "pending"
IN_FLIGHT = "in_flight"
_PENDING = NotAttempted(code=PENDING, detail="The run goes on; the row waits for its turn.")
_IN_FLIGHT = InDoubt(code=IN_FLIGHT, detail="The run goes on; the answer is awaited.")
WAITING = frozenset({PENDING, IN_FLIGHT})
"""Codes of rows that nothing is wrong with: their run is still at work."""


class Change(StrEnum):
    """What a row is beside the run before over the same sheet."""

    NEW = "new"
    """It fails now, and did not."""
    STILL = "still_failing"
    FIXED = "fixed"
    """It failed, and is done now."""


class Trouble(Value):
    """Why a row has no connection."""

    code: str
    text: str
    """One line for a person."""
    column: str | None = None
    """The first wrong column; only of rejected rows."""
    http_status: int | None = None
    request_id: str | None = None


class Result(Value):
    """One row of the report, exact: nothing is quoted, cut or made inert here."""

    row: int
    status: Status
    name: str
    connection_id: str | None
    org: str
    """The settings key; the org id where the environment is the settings."""
    sandbox: str
    target: Target
    error_code: str | None
    error: str | None
    error_column: str | None
    http_status: int | None
    request_id: str | None
    attempts: int
    reconciled: bool
    matched_by: MatchedBy | None
    etag: str | None
    started_at_ms: int | None
    finished_at_ms: int | None
    duration_ms: int | None
    warnings: tuple[str, ...]
    carried: tuple[str, ...]
    """Cells of the unknown columns, in the order of `Summary.carried`."""
    description: str
    """The user's own text, without our marker."""
    hint: str
    """What to do about it; "" for a row that has its connection."""
    sheet: str = ""
    """The file that it stands in, as given."""
    worksheet: str = ""
    """The workbook's tab; "" where there is none."""
    connection_state: str | None = None
    """As the service showed it; None: it shows none, or nobody looked."""
    works: Works | None = None
    """None: nobody asked whether it does."""
    works_error: str | None = None
    """Why it does not, or could not be tested: a code."""
    tested_at_ms: int | None = None
    etag_before: str | None = None
    """Where its key was sent: what the connection's etag was until then."""
    told: str = ""
    """The row for a person: `row 12`, or of several sheets `row 12 of b.xlsx#EMEA`."""
    key_reference: str | None = None
    """Where the key was looked up that was sent, or was only asked for; None: neither, or it stood in the sheet."""
    key_version: str | None = None
    """As its store calls it."""
    key_expires_ms: int | None = None
    """When it ends, by its store's word."""
    problems: tuple[Problem, ...] = ()
    """Everything that was found about its cells, for a format that shows them at their place."""
    carried_over: bool = False
    """Whether the parent run settled it, and this one only accounts for it."""
    steps: tuple[Step, ...] = ()
    """What happened to it besides being sent once and answered."""
    since: Change | None = None
    """What it is beside the run before over the same sheet; None: nothing, or there was no such run."""


def shown_of(state: RowState, *, live: bool) -> Outcome:
    """The outcome that a report shows; of a live run, what is under way is not called interrupted."""
    is_changing = state.change is not None and state.change_doubt is None
    if live and (state.is_sent or is_changing):
        return _IN_FLIGHT
    if live and not (state.outcome or state.change_outcome or state.is_open):
        return _PENDING
    return state.shown


def result_of(
    state: RowState,
    outcome: Outcome,
    *,
    stop: LaneStopped | None,
    hint: Advice,
    places: Places = NOWHERE,
) -> Result:
    """
    Lay out one row for the reports.

    Args:
        state: What the ledger says of the row.
        outcome: How it stands, as `shown_of` tells.
        stop: The refusal that stopped the row's lane, if it is the cause.
        hint: What to do about a code.
        places: The run's sheets.
    """
    return _usual(state, outcome, places) or _result(state, outcome, stop, hint, places)


def is_plainly_done(state: RowState, outcome: Outcome) -> bool:
    """Whether a row has its connection, and nothing else is to be told of it: most rows are so."""
    # By the types themselves, in a row: of a million rows each is asked.
    return (
        (type(outcome) is Created or type(outcome) is Existing)
        and state.planned is not None
        and state.tested is None
        and state.key_sent is None
        and state.key_looked is None
        and state.change is None
        and not state.is_sent
    )


def _usual(state: RowState, outcome: Outcome, places: Places) -> Result | None:
    """
    A row that is plainly done, as `_result` lays it out, in half of the time.

    Returns:
        None: it is none.
    """
    if not is_plainly_done(state, outcome):
        return None
    planned = state.planned
    assert planned is not None
    assert isinstance(outcome, Created | Existing)
    created = outcome if type(outcome) is Created else None
    sheet, worksheet = places.of(state.number)
    return Result(
        row=own_number(state.number),
        sheet=sheet,
        worksheet=worksheet,
        told=places.told(state.number),
        status=status_of(outcome),
        name=planned.name,
        connection_id=outcome.connection_id,
        org=planned.org,
        sandbox=planned.sandbox,
        target=planned.target,
        error_code=None,
        error=None,
        error_column=None,
        http_status=created.http_status if created else None,
        request_id=created.request_id if created else None,
        attempts=state.attempts,
        reconciled=created is not None and created.reconciled,
        matched_by=outcome.matched_by if isinstance(outcome, Existing) else None,
        etag=outcome.etag,
        started_at_ms=state.started_at_ms,
        finished_at_ms=state.finished_at_ms,
        duration_ms=_duration_ms(state),
        warnings=_warnings(state, planned, outcome),
        carried=planned.carried,
        description=_own_text(planned.description, state.marker),
        hint="",
        connection_state=outcome.state,
        problems=planned.findings,
        carried_over=state.inherited,
        steps=state.steps,
    )


def _result(
    state: RowState, outcome: Outcome, stop: LaneStopped | None, hint: Advice, places: Places
) -> Result:
    """Any row."""
    sheet, worksheet = places.of(state.number)
    planned = state.planned or RowPlanned(name="")
    refusal = state.key_refusal
    # Where its connection is as it should be, its key may not.
    trouble = trouble_of(outcome) or (trouble_of(refusal) if refusal is not None else None)
    connection = outcome if isinstance(outcome, _OF_CONNECTION) else None
    answered = outcome if isinstance(outcome, _ANSWERED) else trouble
    tested = state.tested
    key = state.key_told
    return Result(
        row=own_number(state.number),
        sheet=sheet,
        worksheet=worksheet,
        told=places.told(state.number),
        status=status_of(outcome),
        name=planned.name,
        connection_id=connection.connection_id if connection else _in_change(state),
        org=planned.org,
        sandbox=planned.sandbox,
        target=planned.target,
        error_code=trouble.code if trouble else None,
        error=trouble.text if trouble else None,
        error_column=trouble.column if trouble else None,
        http_status=answered.http_status if answered else None,
        request_id=answered.request_id if answered else None,
        attempts=attempts_of(state),
        reconciled=isinstance(outcome, _ANSWERED) and outcome.reconciled,
        matched_by=outcome.matched_by if isinstance(outcome, Existing) else None,
        etag=outcome.etag if isinstance(outcome, _WITH_ETAG) else None,
        started_at_ms=state.started_at_ms,
        finished_at_ms=state.finished_at_ms,
        duration_ms=_duration_ms(state),
        warnings=_warnings(state, planned, outcome),
        carried=planned.carried,
        description=_own_text(planned.description, state.marker),
        hint=hint_of(outcome, stop, hint)
        or (hint_of(refusal, None, hint) if refusal is not None else "")
        or (hint(tested.code, Status.FAILED) if tested and tested.works is Works.NO else ""),
        connection_state=outcome.state if isinstance(outcome, _WITH_STATE) else None,
        works=tested.works if tested else None,
        works_error=(tested.code or None) if tested else None,
        tested_at_ms=state.tested_at_ms if tested else None,
        etag_before=outcome.etag_before if isinstance(outcome, Updated) else None,
        key_reference=key.reference if key else None,
        key_version=key.version if key else None,
        key_expires_ms=key.expires_at_ms if key else None,
        problems=(*planned.findings, *(outcome.problems if isinstance(outcome, Rejected) else ())),
        carried_over=state.inherited,
        steps=state.steps,
    )


def attempts_of(state: RowState) -> int:
    """Tries over all sends; an intent without an answer counts as one, since it may have left."""
    return state.attempts + state.is_unanswered


def _in_change(state: RowState) -> str | None:
    """The connection whose change is in doubt: it stands there, or did, whatever becomes of the change."""
    return state.change.connection_id if state.change else None


def errors_of(problems: Iterable[Problem]) -> list[Problem]:
    """The problems that keep a row from being sent."""
    return [problem for problem in problems if problem.severity is Severity.ERROR]


def trouble_of(outcome: Outcome) -> Trouble | None:
    """Why a row has no connection; None: it has one."""
    match outcome:
        case Created() | Existing() | Updated() | Deleted():
            return None
        case Failed() | InDoubt():
            return Trouble(
                code=outcome.code,
                text=outcome.detail,
                http_status=outcome.http_status,
                request_id=outcome.request_id,
            )
        case Conflict(code=code, detail=detail, connection_ids=ids):
            unnamed = [one for one in ids if one not in detail]
            return Trouble(
                code=code, text=f"{detail} ({', '.join(unnamed)})" if unnamed else detail
            )
        case (
            NotAttempted(code=code, detail=detail)
            | Unchanged(code=code, detail=detail)
            | Kept(code=code, detail=detail)
        ):
            return Trouble(code=code, text=detail)
        case Rejected(problems=problems):
            errors = errors_of(problems) or list(problems)
            return Trouble(
                code=errors[0].code,
                text=_joined(placed(error) for error in errors),
                column=errors[0].column,
            )
        case _:
            assert_never(outcome)


def hint_of(outcome: Outcome, stop: LaneStopped | None, hint: Advice) -> str:
    """What to do about a row; of a rejected one, each problem's own remedy."""
    match outcome:
        case Created() | Existing() | Updated() | Unchanged() | Deleted():
            return ""
        case Rejected(problems=problems):
            return " ".join(dict.fromkeys(problem.remedy for problem in errors_of(problems)))
        case Failed() | NotAttempted() if stop is not None:
            return hint(stop.code, Status.NOT_ATTEMPTED)
        case Failed() | Conflict() | InDoubt() | NotAttempted() | Kept():
            return hint(outcome.code, status_of(outcome))
        case _:
            assert_never(outcome)


def is_unfinished(result: Result) -> bool:
    """
    Whether a person has to look at the row: it has no connection, one that does not work, or a key that is not
    to be had.
    """
    return result.status not in DONE or result.works is Works.NO or lacks_key(result)


def lacks_key(result: Result) -> bool:
    """Whether the store of a row that is done did not give its key, when it was only asked for it."""
    return result.error_code is not None and result.status in _WITHOUT_TROUBLE


def is_failing(result: Result) -> bool:
    """Whether it is unfinished by something that it met itself, and not for want of its turn."""
    return is_unfinished(result) and result.status is not Status.NOT_ATTEMPTED


def what_is_wrong(result: Result) -> str:
    """Why a person has to look at the row, in a few words: that it is not done, or that it does not work."""
    if result.works is Works.NO and result.status in DONE:
        return f"does not work: {reason_of(result)}"
    return result.error or result.error_code or ""


def reason_of(result: Result) -> str:
    """Why its connection does not work, with the source's code."""
    code = result.works_error or ""
    return f"{title_for(code)} ({code})"


def placed(problem: Problem) -> str:
    """A finding with its place: `G12: what is wrong`."""
    place = problem.cell or problem.column
    return f"{place}: {problem.what}" if place else problem.what


def _joined(sentences: Iterable[str]) -> str:
    *firsts, last = sentences
    return "; ".join([*(sentence.removesuffix(".") for sentence in firsts), last])


def _duration_ms(state: RowState) -> int | None:
    if state.started_at_ms is None or state.finished_at_ms is None:
        return None
    # Wall clocks jump; nobody waits less than nothing.
    return max(0, state.finished_at_ms - state.started_at_ms)


def _warnings(state: RowState, planned: RowPlanned, outcome: Outcome) -> tuple[str, ...]:
    if not (planned.findings or state.warnings or isinstance(outcome, Rejected)):
        # As most rows: it is not worth four collections.
        return _UNSEEN if isinstance(outcome, Existing) else ()
    problems = outcome.problems if isinstance(outcome, Rejected) else ()
    findings = [
        placed(finding)
        for finding in (*planned.findings, *problems)
        if finding.severity is not Severity.ERROR
    ]
    unseen = [KEY_UNSEEN] if isinstance(outcome, Existing) else []
    return tuple(dict.fromkeys([*findings, *state.warnings, *unseen]))


def _own_text(description: str, marker: str | None) -> str:
    if marker is None or not description.endswith(marker):
        return description
    return description.removesuffix(marker).removesuffix(" ")
