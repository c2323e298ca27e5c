"""
What an answer to a read means: a value of ours, or why it could not be read.

A read has no row of its own, so whatever refuses one (sign-in, permission, an unknown sandbox)
refuses them all, and is told as the org-level refusal that it is.

What a read answers may hold the credentials of others, its errors too: nothing of a body is told but its
code, in words of ours.
"""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final, assert_never

from batchconnect.flow_service.answer import (
    Answer,
    NotSent,
    ObjectCreated,
    OrgLevel,
    Refused,
    StopScope,
    Throttled,
    Unknown,
    judge_create,
    judge_create_error,
)
from batchconnect.flow_service.listing import Found, ListingFault, read_item
from batchconnect.flow_service.problem import Phrase, json_object, read_problem
from batchconnect.model.foreign_text import ForeignText
from batchconnect.model.org import Org
from batchconnect.model.remedies import NOT_ADOBES, title_for
from batchconnect.model.secret import Secret
from batchconnect.model.value import Value, replace
from batchconnect.transport.interface import FOREIGN_ANSWER, Response, TransportError

AUTH_SPEC: Final = "Service Principal Based Authentication"

_GONE: Final = {("404", "1439"), ("404", "1101"), ("404", "1102"), ("400", "1439")}
_MUTE: Final = ForeignText(mute=True)
_REDIRECTS: Final = range(300, 400)
_LONGEST_BLANK: Final = 1000
"""Bytes at the begin of a body that may be blank."""
_BEGINS_JSON: Final = frozenset({bytes([sign]) for sign in b'{["-0123456789tfn'})
_REFUSING: Final = frozenset({401, 403, 404})


class NotFound(Value):
    """The service says that no connection has this id; a 404 may hide a missing permission."""

    connection_id: str


class Unreadable(Value):
    """The service did not say."""

    fault: ListingFault
    refusal: OrgLevel | None = None
    """The org-level refusal behind it; its lane, or its sandbox, stops."""


class Spec(Value):
    """The connection spec, as far as creates depend on it."""

    name: str
    version: str
    auth_specs: tuple[str, ...]

    @property
    def is_as_expected(self) -> bool:
        """Whether the authentication that every create names is offered, where any is shown."""
        return not self.auth_specs or AUTH_SPEC in self.auth_specs


def unreadable(response: Response) -> Unreadable:
    """Say why a read that was not answered by a whole 200 cannot be used."""
    return _unreadable(judge_create(response, _MUTE), response.status)


def foreign_page(response: Response) -> Unreadable | None:
    """Say that what came with a 200 is no answer of Adobe's: a portal's page, a filter's; None where it may be."""
    if response.status != HTTPStatus.OK or response.body_fault or _may_be_json(response.body):
        return None
    return _not_adobes(response.status)


def _may_be_json(body: bytes) -> bool:
    """By its first sign, for a whole page of a listing is not read twice; of nothing, it may."""
    begin = body[:_LONGEST_BLANK].removeprefix(b"\xef\xbb\xbf").lstrip()
    return not begin or begin[:1] in _BEGINS_JSON


def _not_adobes(status: int) -> Unreadable:
    refusal = OrgLevel(
        code=FOREIGN_ANSWER,
        title=NOT_ADOBES,
        detail=f"HTTP {status} in no form of Adobe's",
        scope=StopScope.LANE,
        http_status=status,
        request_id=None,
    )
    return Unreadable(fault=ListingFault(code=refusal.code, detail=refusal.detail), refusal=refusal)


def unanswered(error: TransportError, secrets: Iterable[Secret] = ()) -> Unreadable:
    """Say why a read was not answered; a credential that IMS refuses is a refusal."""
    return _unreadable(judge_create_error(error, ForeignText(secrets)), status=None)


def _unreadable(answer: Answer, status: int | None, *, is_of_object: bool = False) -> Unreadable:
    """
    Args:
        answer: What the answer would mean to a create.
        status: Its HTTP status; None: there was no answer, and the words are ours.
        is_of_object: Whether it speaks of one object alone, so that nothing else is refused by it.
    """
    if status is not None and not isinstance(answer, ObjectCreated):
        answer = replace(answer, detail=title_for(answer.code))
    match answer:
        case OrgLevel():
            fault = ListingFault(code=answer.code, detail=answer.detail)
            return Unreadable(fault=fault, refusal=answer)
        case Refused():
            refusal = _for_all(answer) if status in _REFUSING and not is_of_object else None
            return Unreadable(
                fault=ListingFault(code=answer.code, detail=answer.detail), refusal=refusal
            )
        case Unknown(stops_lane=True) if status is not None and (
            answer.code == FOREIGN_ANSWER or status in _REDIRECTS
        ):
            return _not_adobes(status)
        case Unknown(stops_lane=True):
            fault = ListingFault(code=answer.code, detail=answer.detail)
            return Unreadable(fault=fault, refusal=_foreign(answer))
        case Unknown() | Throttled() | NotSent():
            return Unreadable(fault=ListingFault(code=answer.code, detail=answer.detail))
        case ObjectCreated():
            detail = f"HTTP {status} where 200 belongs"
            return Unreadable(fault=ListingFault(code=f"http-{status}", detail=detail))
        case _:
            assert_never(answer)


def _foreign(unknown: Unknown) -> OrgLevel:
    return OrgLevel(
        code=unknown.code,
        title=NOT_ADOBES,
        detail=unknown.detail,
        scope=StopScope.LANE,
        http_status=unknown.http_status,
        request_id=unknown.request_id,
    )


def _for_all(refused: Refused) -> OrgLevel:
    return OrgLevel(
        code=refused.code,
        title=title_for(refused.code),
        detail=refused.detail,
        scope=StopScope.LANE,
        http_status=refused.http_status,
        request_id=refused.request_id,
    )


def read_connection(
    response: Response, org: Org, sandbox: str, connection_id: str
) -> Found | NotFound | Unreadable:
    """
    Read the answer to GET /connections/{id}.

    Source:
        Contract, section 3, calls by id: the envelope of a listing with one object; "not found".
    """
    if response.status == HTTPStatus.OK and not response.body_fault:
        return _one(response, org, sandbox, connection_id)
    if is_not_found(response):
        return NotFound(connection_id=connection_id)
    return unreadable_one(response)


def is_not_found(response: Response) -> bool:
    """Whether the service says that no connection has the id that was asked for."""
    problem = read_problem(response, _MUTE)
    is_bare_404 = response.status == HTTPStatus.NOT_FOUND and not problem.number
    return (str(response.status), problem.number) in _GONE or (
        is_bare_404 and problem.is_shaped and Phrase.NOT_FOUND in problem.says
    )


def unreadable_one(response: Response) -> Unreadable:
    """As `unreadable`, of a request about one connection: what refuses that need not refuse others."""
    answer = judge_create(response, _MUTE)
    is_of_object = isinstance(answer, Refused) and response.status == HTTPStatus.NOT_FOUND
    return _unreadable(answer, response.status, is_of_object=is_of_object)


def _one(response: Response, org: Org, sandbox: str, connection_id: str) -> Found | Unreadable:
    items = json_object(response).get("items")
    if not isinstance(items, list) or len(items) != 1:
        return _odd("no_items", "the answer does not hold one connection")
    found = read_item(items[0], org.org_id, sandbox)
    if isinstance(found, ListingFault):
        return Unreadable(fault=found)
    if found.id.lower() != connection_id.lower():
        return _odd("foreign_item", "the answer holds another connection")
    return found


def read_spec(response: Response) -> Spec | Unreadable:
    """
    Read the answer to GET /connectionSpecs/{id}.

    Source:
        Contract, section 3, calls by id, last line.
    """
    if response.status != HTTPStatus.OK or response.body_fault:
        return unreadable(response)
    items = json_object(response).get("items")
    if not isinstance(items, list) or not items or not isinstance(items[0], dict):
        return _odd("no_items", "the answer holds no connection spec")
    offered = items[0].get("authSpec")
    names = (
        auth.get("name")
        for auth in (offered if isinstance(offered, list) else ())
        if isinstance(auth, dict)
    )
    return Spec(
        name=_text(items[0].get("name")),
        version=_text(items[0].get("version")),
        auth_specs=tuple(name for name in names if isinstance(name, str)),
    )


def _odd(code: str, detail: str) -> Unreadable:
    return Unreadable(fault=ListingFault(code=code, detail=detail))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
