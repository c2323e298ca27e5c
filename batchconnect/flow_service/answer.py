"""
What an answer to a create means: the contract's table as one pure, exhaustive function.

The HTTP status is judged first, then the code. What no line of the table names is UNKNOWN, for a
row in doubt costs a look-up, and a row taken for refused may stand in the sandbox twice.
"""

import re
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from batchconnect.flow_service.problem import (
    UNGUARDED,
    ServiceProblem,
    json_object,
    problem_number,
    read_problem,
    request_id,
)
from batchconnect.flow_service.refusal import PASSING, STALE_TOKEN, ErrorScope, error_scope
from batchconnect.model.foreign_text import ForeignText
from batchconnect.model.remedies import title_for
from batchconnect.model.value import Value, replace
from batchconnect.transport.interface import (
    FOREIGN_ANSWER,
    Response,
    StoppedError,
    TransportError,
)


class StopScope(StrEnum):
    """What an org-level refusal stops."""

    LANE = "lane"
    SANDBOX = "sandbox"
    """Only the rows of this sandbox; the lane's other sandboxes go on."""


class ObjectCreated(Value):
    """CREATED: the object exists, and its id is known."""

    connection_id: str
    """A GUID, as the service wrote it."""
    etag: str | None
    """Byte for byte, with the double quotes that it contains."""
    http_status: int
    request_id: str | None


class NotSent(Value):
    """NOT_SENT: provably no byte of the request left; it may go out again under its intent."""

    code: str
    detail: str


class Throttled(Value):
    """THROTTLED: the gateway refused it before it was applied, for a passing cause."""

    code: str
    detail: str
    http_status: int
    request_id: str | None


class Refused(Value):
    """REFUSED: not applied, this row is wrong; the lane goes on."""

    code: str
    """The source's reason where the service passes one on, as `AADSTS7000215`: it tells what to do, and
    incidents are grouped by it. `detail` then begins with the service's own code."""
    detail: str
    http_status: int
    request_id: str | None
    may_be_org_level: bool
    """Its origin is not stated: three in a row with one code are the org's, not the row's."""


class OrgLevel(Value):
    """ORG-LEVEL: not applied, and every row of the scope would fail alike."""

    code: str
    title: str
    """A few words for an incident's headline."""
    detail: str
    scope: StopScope
    http_status: int | None
    """None: no token, so the request itself was never sent."""
    request_id: str | None


class Unknown(Value):
    """UNKNOWN: in doubt, may have been applied; found out by the marker, never simply sent again."""

    code: str
    detail: str
    http_status: int | None = None
    request_id: str | None = None
    congestion: bool = False
    """The lane slows down."""
    stops_lane: bool = False
    """What answers is not Adobe's (a redirect, a proxy, a page of HTML): no further row goes out."""
    refused_if_absent: bool = False
    """409 and 412: proven absence means that the service refused the row."""
    claimed_id: str | None = None
    """An id in the body of an odd success; GET may confirm it at once, the marker must match."""


Answer = ObjectCreated | NotSent | Throttled | Refused | OrgLevel | Unknown

PROTOCOL_SURPRISE = "protocol_surprise"

_DOUBTFUL_4XX = frozenset({407, 408, 409, 412, 425})
"""Statuses that leave open whether the request was applied, whatever the body says."""
_PASSING_4XX = frozenset({407, 408, 425})
"""Of these, statuses that say enough, whoever says them."""
# By name: an enum's member takes longer to be looked up than to be compared, and each row's answer is.
_CREATED: Final = HTTPStatus.CREATED
_TOO_MANY_REQUESTS: Final = HTTPStatus.TOO_MANY_REQUESTS
_OF_TOKENS: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def judge_create(response: Response, foreign: ForeignText = UNGUARDED) -> Answer:
    """
    Say what an answer to POST /connections means.

    401013 counts as ORG-LEVEL: the ring that stamps tokens has refreshed and tried once more by
    the time an answer comes up here (see `is_stale_token`).

    Args:
        response: What the transport's rings handed up; any status, any headers, any body.
        foreign: Knows what the answer may repeat, and what of its texts may be shown.
    Source:
        Contract, section 5, first and second table.
    """
    if response.status == _CREATED:
        return _judge_created(response, foreign)
    problem = read_problem(response, foreign)
    if is_throttled(response):
        return Throttled(
            code=problem.code,
            detail=problem.message,
            http_status=response.status,
            request_id=problem.request_id,
        )
    unknown = _unknown(response, problem)
    match response.status // 100:
        case 2:
            detail = f"HTTP {response.status} where 201 belongs"
            claimed_id = guid(json_object(response).get("id"))
            return replace(unknown, detail=detail, claimed_id=claimed_id)
        case 3:
            to = _host(response.headers.get("location", ""), foreign)
            return replace(unknown, detail=f"a redirect{to}, not followed")
        case 4:
            return _judge_4xx(response, problem)
        case _:
            return unknown


def judge_create_error(error: TransportError, foreign: ForeignText = UNGUARDED) -> Answer:
    """
    Say what it means that no answer came.

    Only the wire's own trace proves that nothing left. What left nothing and is permanent (a
    credential that IMS refuses, a host that is not allowed) awaits every row of the lane.

    Source:
        Contract, section 5, third table; section 7, error classes.
    """
    detail = foreign.own(error.detail)
    if error.sent:
        return Unknown(code=error.code, detail=detail)
    if error.permanent and not isinstance(error, StoppedError):
        return OrgLevel(
            code=error.code,
            title=title_for(error.code),
            detail=detail,
            scope=StopScope.LANE,
            http_status=None,
            request_id=None,
        )
    return NotSent(code=error.code, detail=detail)


def is_stale_token(response: Response) -> bool:
    """Whether a fresh token may help: 401013, under 401 or 403."""
    may_be = response.status in _OF_TOKENS
    return may_be and problem_number(response) in STALE_TOKEN


def is_throttled(response: Response) -> bool:
    """Whether the gateway refused the request before it was applied, for a passing cause."""
    if response.status == _TOO_MANY_REQUESTS:
        return True
    codes = PASSING.get(response.status)
    return codes is not None and problem_number(response) in codes


def is_congestion(response: Response) -> bool:
    """Whether the answer is a sign of overload beside the throttling that says so: a 5xx."""
    return _is_5xx(response.status) and not is_throttled(response)


def _is_5xx(status: int) -> bool:
    return status in range(500, 600)


def _judge_created(response: Response, foreign: ForeignText) -> ObjectCreated | Unknown:
    body = json_object(response)
    said: Any = body.get("id")
    by_body = guid(said)
    by_location = guid(_last_segment(response.headers.get("location", "")))
    surprise = ""
    if said is not None and by_body is None:
        surprise = "201 with an id that is no GUID"
    elif by_body and by_location and by_body.lower() != by_location.lower():
        surprise = "201 whose id and Location differ"
    connection_id = by_body or by_location
    if connection_id is None or surprise:
        problem = read_problem(response, foreign)
        if response.body_fault:
            return _unreadable(response, problem)
        unknown = _unknown(response, problem)
        return replace(unknown, code=PROTOCOL_SURPRISE, detail=surprise or "201 without an id")
    etag = body.get("etag")
    return ObjectCreated(
        connection_id=connection_id,
        etag=foreign.etag(etag) if isinstance(etag, str) else None,
        http_status=response.status,
        request_id=request_id(response, foreign, body),
    )


def _is_foreign(response: Response, problem: ServiceProblem) -> bool:
    """Whether somebody else refused it: who answers in Adobe's place may have let it through as well."""
    if response.status in _PASSING_4XX or response.body_fault or problem.is_shaped:
        return False
    return bool(response.body.strip())


def _judge_4xx(response: Response, problem: ServiceProblem) -> Refused | OrgLevel | Unknown:
    if _is_foreign(response, problem):
        return replace(
            _unknown(response, problem),
            code=FOREIGN_ANSWER,
            detail=f"HTTP {response.status} with a body that has no form of Adobe's",
            stops_lane=True,
            refused_if_absent=False,
        )
    if response.status in _DOUBTFUL_4XX:
        return _unknown(response, problem)
    if response.body_fault:
        return _unreadable(response, problem)
    detail = problem.message or f"HTTP {response.status}"
    match error_scope(response.status, problem):
        case None:
            return _unknown(response, problem)
        case (ErrorScope.ROW | ErrorScope.ROW_OR_LANE) as to:
            reason = problem.reason if to is ErrorScope.ROW else ""
            return Refused(
                code=reason or problem.code,
                # The service's own code is what Adobe's support asks for.
                detail=f"{problem.code}: {detail}" if reason else detail,
                http_status=response.status,
                request_id=problem.request_id,
                may_be_org_level=to is ErrorScope.ROW_OR_LANE,
            )
        case (ErrorScope.LANE | ErrorScope.SANDBOX) as to:  # the last case
            return OrgLevel(
                code=problem.code,
                title=title_for(problem.code),
                detail=detail,
                scope=StopScope.SANDBOX if to is ErrorScope.SANDBOX else StopScope.LANE,
                http_status=response.status,
                request_id=problem.request_id,
            )


def _unknown(response: Response, problem: ServiceProblem) -> Unknown:
    status = response.status
    return Unknown(
        code=problem.code,
        detail=problem.message or f"HTTP {status}",
        http_status=status,
        request_id=problem.request_id,
        congestion=_is_5xx(status),
        stops_lane=status in range(300, 400) or status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED,
        refused_if_absent=status in {HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED},
    )


def _unreadable(response: Response, problem: ServiceProblem) -> Unknown:
    """The status came, the body did not: by the contract a doubt, whatever the status."""
    fault = str(response.body_fault)
    detail = f"HTTP {response.status}, its body could not be read: {fault.replace('_', ' ')}"
    return replace(_unknown(response, problem), code=f"body_{fault}", detail=detail)


def guid(value: object) -> str | None:
    """An id as the service makes them, None for anything else: no other text is kept as an id."""
    return value if isinstance(value, str) and _GUID.fullmatch(value) else None


def _last_segment(location: str) -> str:
    try:
        path = urlsplit(location.strip()).path
    except ValueError:
        return ""
    return unquote(path.rstrip("/").rpartition("/")[2])


def _host(location: str, foreign: ForeignText) -> str:
    """` to HOST` for a redirect's message; its path and query may hold anything."""
    try:
        host = urlsplit(location.strip()).hostname
    except ValueError:
        host = None
    shown = foreign.opaque(host) if host else ""
    return f" to {shown}" if shown else ""
