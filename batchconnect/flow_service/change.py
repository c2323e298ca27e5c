"""
What an answer to a change of a connection means: a PATCH that names the etag, or a DELETE.

As with a create, what no line of the contract names is UNKNOWN, and is found out by asking.
"""

from http import HTTPStatus
from typing import Final, Generic, TypeVar

from batchconnect.flow_service.answer import (
    Answer,
    NotSent,
    ObjectCreated,
    OrgLevel,
    Refused,
    Throttled,
    Unknown,
    judge_create,
    judge_create_error,
)
from batchconnect.flow_service.problem import (
    UNGUARDED,
    json_object,
    problem_number,
    read_problem,
    request_id,
)
from batchconnect.flow_service.reading import is_not_found
from batchconnect.model.fault import INTERNAL_FAULT, Fault
from batchconnect.model.foreign_text import ForeignText
from batchconnect.model.value import Value
from batchconnect.transport.interface import Response, TransportError

_PATH_UNKNOWN: Final = "1455"
_IN_USE: Final = "1418"
_DELETED: Final = frozenset({HTTPStatus.OK, HTTPStatus.ACCEPTED, HTTPStatus.NO_CONTENT})


class Changed(Value):
    """Applied."""

    etag: str | None
    """Byte for byte; None where the answer names none."""
    http_status: int
    request_id: str | None


class Stale(Value):
    """Not applied: the connection is not as it was when its etag was read."""


class PathUnknown(Value):
    """Not applied: the service knows no path to a single parameter."""


class Gone(Value):
    """There is no such connection, or none that may be seen."""


class Taken(Value):
    """A delete was taken on; the connection may be shown for a while, until it is gone."""

    http_status: int
    request_id: str | None


class InUse(Value):
    """Not deleted: a dataflow uses it."""


NotApplied = NotSent | Throttled | Refused | OrgLevel
_Answer_co = TypeVar("_Answer_co", covariant=True)
UpdateAnswer = Changed | Stale | PathUnknown | Gone | NotApplied | Unknown
DeleteAnswer = Taken | InUse | Gone | NotApplied | Unknown


class SentChange(Value, Generic[_Answer_co]):
    """What became of one change."""

    answer: _Answer_co
    attempts: int = 1
    throttled: int = 0
    fault: Fault | None = None
    """The error of our own that is behind the answer."""
    may_be_applied: bool = False
    """Whether a try may have been applied, whatever this answer says: its own was lost, or its token refused."""


def judge_update(came: Response | TransportError, foreign: ForeignText = UNGUARDED) -> UpdateAnswer:
    """
    Say what an answer to a PATCH means.

    Source:
        Contract, section 13, "Rotating a key"; what it does not name, as section 5 says of a create.
    """
    if isinstance(came, TransportError):
        return _without_answer(came, foreign)
    if came.status == HTTPStatus.OK:
        body = json_object(came)
        etag = body.get("etag")
        return Changed(
            etag=foreign.etag(etag) if isinstance(etag, str) else None,
            http_status=came.status,
            request_id=request_id(came, foreign, body),
        )
    if came.status == HTTPStatus.PRECONDITION_FAILED and read_problem(came, foreign).is_shaped:
        return Stale()
    if came.status == HTTPStatus.BAD_REQUEST and problem_number(came) == _PATH_UNKNOWN:
        return PathUnknown()
    return Gone() if is_not_found(came) else _as_of_create(came, foreign)


def judge_delete(came: Response | TransportError, foreign: ForeignText = UNGUARDED) -> DeleteAnswer:
    """
    Say what an answer to a DELETE means.

    Source:
        Contract, sections 3 (calls by id) and 13, "Delete".
    """
    if isinstance(came, TransportError):
        return _without_answer(came, foreign)
    if came.status in _DELETED:
        named = request_id(came, foreign, json_object(came))
        return Taken(http_status=came.status, request_id=named)
    if came.status == HTTPStatus.BAD_REQUEST and problem_number(came) == _IN_USE:
        return InUse()
    return Gone() if is_not_found(came) else _as_of_create(came, foreign)


def _without_answer(error: TransportError, foreign: ForeignText) -> NotApplied | Unknown:
    if error.fault is not None:
        kind = Unknown if error.sent else NotSent
        return kind(code=INTERNAL_FAULT, detail=error.fault.label)
    return _narrowed(judge_create_error(error, foreign))


def _as_of_create(response: Response, foreign: ForeignText) -> NotApplied | Unknown:
    return _narrowed(judge_create(response, foreign))


def _narrowed(answer: Answer) -> NotApplied | Unknown:
    """A create's answers but for the one that a change cannot have: a 201 is none of its."""
    if isinstance(answer, ObjectCreated):
        return Unknown(code="protocol_surprise", detail="HTTP 201 where 200 belongs")
    return answer
