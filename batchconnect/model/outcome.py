"""
How a row ended: a closed union, matched exhaustively.

Each outcome is a frozen value without a secret in it, so that the ledger can keep it and a report
can show it as it is.
"""

from enum import StrEnum

from batchconnect.model.value import Value


class Status(StrEnum):
    """The one word that every report shows for a row."""

    CREATED = "created"
    """This run, or the run that it resumes, made the connection."""
    EXISTING = "existing"
    """The connection stood there already; nothing was sent."""
    FAILED = "failed"
    """The service refused the row."""
    REJECTED = "rejected"
    """A cell of the sheet is wrong; nothing was sent."""
    CONFLICT = "conflict"
    """Something else stands in the way; a person decides."""
    IN_DOUBT = "in_doubt"
    """Sent, and the answer is unknown."""
    NOT_ATTEMPTED = "not_attempted"
    """Stopped before its turn."""
    UPDATED = "updated"
    """Its connection has the sheet's key now."""
    UNCHANGED = "unchanged"
    """There was no need to send its key."""
    DELETED = "deleted"
    """Its connection is gone, by our hand."""
    KEPT = "kept"
    """Its connection was not deleted; it says why."""


DONE = frozenset(
    {Status.CREATED, Status.EXISTING, Status.UPDATED, Status.UNCHANGED, Status.DELETED}
)
"""What became of a row for which nothing is left to do."""
LEFT_OUT = frozenset({"not_selected", "max_rows"})
"""Codes of rows that were not to be done: by `--only`, by `--max-rows`."""


class Works(StrEnum):
    """Whether the source accepts a connection's credentials."""

    YES = "yes"
    NO = "no"
    NOT_TESTED = "not_tested"
    """It could not be found out; that says nothing of the credentials."""


class Severity(StrEnum):
    """How much a finding about a cell weighs."""

    ERROR = "error"
    """The row is not sent."""
    WARNING = "warning"
    """The row is sent; a person should look."""
    NOTE = "note"
    """A harmless change of an identifier, said aloud."""


class Problem(Value):
    """One finding about one row of the sheet. It never repeats the value of a credential cell."""

    code: str
    """Stable word for programs and hints, as `endpoint_not_https`."""
    severity: Severity = Severity.ERROR
    column: str | None = None
    """The column in the service's spelling, as `servicePrincipalKey`; None: the row as a whole."""
    cell: str | None = None
    """The cell as the user's spreadsheet names it, as `G12`."""
    what: str
    """What is wrong, one sentence without the value."""
    remedy: str
    """How to fix it, one sentence."""


class MatchedBy(StrEnum):
    """What made an existing connection count as the row's own."""

    MARKER = "marker"
    NAME_AND_TARGET = "name+target"
    NAME = "name"
    """Only with `--adopt-by-name`: the listing hid the target."""


class Created(Value):
    """The connection was made by us, and its id is known."""

    connection_id: str
    etag: str | None = None
    """Byte for byte, with the double quotes that it contains."""
    reconciled: bool = False
    """True: the answer was lost, and the connection was found by its marker."""
    http_status: int | None = None
    request_id: str | None = None
    state: str | None = None
    """As a listing showed it; None: nobody looked, or it shows none."""


class Existing(Value):
    """The connection stood there before; its key was not compared, nothing was sent."""

    connection_id: str
    matched_by: MatchedBy
    etag: str | None = None
    state: str | None = None
    """None: the service shows none."""


class Failed(Value):
    """The service refused the row, or it was proven absent with all resends spent."""

    code: str
    """The service's own code, as `FLOW-1308-400`, or ours, as `never_applied`."""
    detail: str
    """One line for a person, redacted and cut to length."""
    http_status: int | None = None
    request_id: str | None = None


class Rejected(Value):
    """A cell of the row is wrong; nothing was sent."""

    problems: tuple[Problem, ...]
    """At least one of severity `error`; warnings of the same row stand beside it."""


class Conflict(Value):
    """Something stands in the sandbox that is neither ours nor absent."""

    code: str
    """`name_taken`, `target_differs`, `target_hidden`, `duplicated`, `deleted_since`, `changed_meanwhile`,
    `params_of_others`, `target_not_shown`, ..., or the state of a connection that is not `enabled`: `disabled`,
    `draft`, `delete-finalizing`, ..."""
    detail: str
    connection_ids: tuple[str, ...] = ()
    """The connections in the way, all of them."""
    state: str | None = None
    """Of the connection in the way, where that is why it is."""


class InDoubt(Value):
    """Sent, and whether it was applied is unknown: settled by asking, never by guessing."""

    code: str
    """Why the answer is unknown: `timeout`, `connection_lost`, `FLOW-1104-504`, `http-502`,
    `protocol_surprise`, `interrupted`, `possible_match`, ..."""
    detail: str = ""
    http_status: int | None = None
    request_id: str | None = None
    refused_if_absent: bool = False
    """409 and 412: proven absence means that the service refused the row; nothing is sent again."""


class NotAttempted(Value):
    """Stopped before its turn; nothing of it is applied."""

    code: str
    """`lane_stopped`, `sandbox_stopped`, `banned_until`, `interrupted`, `max_rows`, `max_failures`, `no_progress`,
    `listing_failed`, `rejected_rows`, ..."""
    detail: str = ""
    """Why, for a person: for a stopped lane, the refusal that stopped it."""
    store: str | None = None
    """The store of secrets that did not give the row's key, where that is why."""


class Updated(Value):
    """The connection has the row's key now."""

    connection_id: str
    etag: str | None = None
    etag_before: str | None = None
    reconciled: bool = False
    """True: the answer was lost, and the change was found by asking."""
    http_status: int | None = None
    request_id: str | None = None


class Unchanged(Value):
    """The connection was left as it is, for there was no need to change it."""

    code: str
    """Why: `not_failing`, ..."""
    detail: str
    connection_id: str
    etag: str | None = None


class Deleted(Value):
    """The connection is gone, by our hand."""

    connection_id: str
    reconciled: bool = False
    """True: the answer was lost, or it was gone already; it was found out by asking."""
    http_status: int | None = None
    request_id: str | None = None


class Kept(Value):
    """The connection was not deleted."""

    code: str
    """Why: `in_use`, `changed_by_others`, `not_enabled`, `already_gone`, `not_answered`, ..."""
    detail: str
    connection_id: str | None = None


Outcome = (
    Created
    | Existing
    | Failed
    | Rejected
    | Conflict
    | InDoubt
    | NotAttempted
    | Updated
    | Unchanged
    | Deleted
    | Kept
)


_STATUS: dict[type[Outcome], Status] = {
    Created: Status.CREATED,
    Existing: Status.EXISTING,
    Failed: Status.FAILED,
    Rejected: Status.REJECTED,
    Conflict: Status.CONFLICT,
    InDoubt: Status.IN_DOUBT,
    NotAttempted: Status.NOT_ATTEMPTED,
    Updated: Status.UPDATED,
    Unchanged: Status.UNCHANGED,
    Deleted: Status.DELETED,
    Kept: Status.KEPT,
}


STATUS_BY_NAME = {kind.__name__: status for kind, status in _STATUS.items()}
"""By the name of an outcome's class, as the ledger has it."""


def status_of(outcome: Outcome) -> Status:
    """The word that a report shows for an outcome."""
    return _STATUS[type(outcome)]


def has_connection(outcome: Outcome) -> bool:
    """Whether the row is done: its connection exists and its id is known."""
    return isinstance(outcome, Created | Existing | Updated | Unchanged)
