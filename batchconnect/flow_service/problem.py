"""
What the service says when it refuses: five shapes of body, one `ServiceProblem`.

The gateway, Flow Service and their looser shapes each name code, text and request id elsewhere.
An error text may repeat our request, so it is judged here, and only what `ForeignText` shows of it is kept.
"""

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

import orjson

from batchconnect.model.foreign_text import ForeignText
from batchconnect.model.source_reason import is_entra
from batchconnect.model.value import Value
from batchconnect.transport.interface import Response, read_json

_LONGEST_JUDGED = 2000
"""Characters of a text that documented phrases are looked for in."""

OF_SOURCE: Final = frozenset({"1100", "1308", "1330", "1336", "1337", "1358", "1359", "1372"})
"""Numbers by which the source, or its connector, and not the service refuses: of creates, then of
explorations (contract, sections 4 and 13)."""

_TYPE_TAIL = re.compile(r"[A-Z]+-\d{4}-\d{3}$")
_NUMBER = re.compile(r"(?:[A-Z]+-)?(\d{4})(?:-(\d{3}))?|(\d{6})")


UNGUARDED: Final = ForeignText()
"""Of answers to requests without a secret."""


class Phrase(Enum):
    """What a text says that decides where its code does not; each with its pattern."""

    SAME_CONSTANTS = r"valid spec id|content-type"
    """What every row sends alike is refused."""
    VERSION_REQUIRED = r"\bversion\b.*\bis required\b"
    NOT_ENTITLED = "not entitled"
    NOT_FOUND = "not found with id"
    """Of the documented 404 without a code."""


_PHRASES: Final = {phrase: re.compile(phrase.value, re.IGNORECASE) for phrase in Phrase}


class ServiceProblem(Value):
    """What an answer that is no success says, in whatever shape it says it."""

    code: str
    """For the report: `FLOW-1308-400`, `403025`, `invalid_client`, or `http-502` where it names none
    that is of a documented form or made of known words."""
    number: str
    """For judging: the four or six digits of the code, with the status part of the HTTP status;
    `""` without a code, `other` for a code that no table can name."""
    message: str
    """One line for a report, at most 200 characters: what may be shown of the text; empty where that
    is nothing."""
    reason: str
    """What Entra or Azure Data Explorer said, as `source_code` tells it of the whole text: `AADSTS7000215`,
    `kusto_no_database`; `""` where the text passes on no such reason."""
    says: frozenset[Phrase]
    """The documented phrases that the text holds."""
    request_id: str | None
    is_shaped: bool
    """Whether the body is JSON of one of the documented shapes."""


def read_problem(response: Response, foreign: ForeignText = UNGUARDED) -> ServiceProblem:
    """
    Read code, text and request id of an answer, in the contract's order.

    Args:
        response: Any answer; nothing in it is trusted.
        foreign: Knows what the answer may repeat, and what of its texts may be shown.
    Source:
        Contract, section 4: gateway answers, Flow Service answers, looser shapes, parse order.
    """
    body = json_object(response)
    raw_code = _code(body)
    told = _told(body)
    # A body that was cut may end inside a secret, where no redaction finds it.
    text = told or ("" if response.body_fault else response.body.decode("utf-8", "replace"))
    judged = text[:_LONGEST_JUDGED]
    number = _number(raw_code, response.status)
    reason = foreign.reason(text)
    return ServiceProblem(
        code=foreign.code(raw_code) or f"http-{response.status}",
        number=number,
        message=foreign.shown(text),
        # Entra's numbers are nobody else's; words as "connection refused" a gateway says of itself.
        reason=reason if is_entra(reason) or number in OF_SOURCE else "",
        says=frozenset(phrase for phrase, said in _PHRASES.items() if said.search(judged)),
        request_id=request_id(response, foreign, body),
        is_shaped=bool(told or raw_code),
    )


def problem_number(response: Response) -> str:
    """As `ServiceProblem.number`, for whoever asks for nothing else of an answer."""
    return _number(_code(json_object(response)), response.status)


def json_object(response: Response) -> Mapping[str, Any]:
    """The body where it is one whole JSON object, otherwise an empty mapping."""
    if response.body_fault:
        return {}
    try:
        body = read_json(response.body)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def request_id(response: Response, foreign: ForeignText, body: Mapping[str, Any]) -> str | None:
    """The id under which Adobe finds the request: `report.request-id`, else `X-Request-Id`."""
    named = _text(_report(body), "request-id") or response.headers.get("x-request-id", "").strip()
    return (foreign.opaque(named) or None) if named else None


def _code(body: Mapping[str, Any]) -> str:
    """The tail of `type`, else `error_code` (a string, or a number), else `error`; `""` if none."""
    tail = _TYPE_TAIL.search(_text(body, "type"))
    if tail is not None:
        return tail[0]
    number = body.get("error_code")
    if isinstance(number, int) and not isinstance(number, bool):
        return str(number)
    return _text(body, "error_code") or _text(body, "error")


def _number(code: str, status: int) -> str:
    """
    The digits by which the tables name a code.

    The catalogues reuse numbers (`1102-500`, `1102-404`), so a number whose status part is not the
    HTTP status is not the one that the tables mean.
    """
    if not code:
        return ""
    found = _NUMBER.fullmatch(code)
    if found is None:
        return "other"
    digits, status_part, gateway = found.groups()
    if gateway is not None:
        return str(gateway)
    return str(digits) if status_part in {None, str(status)} else "other"


def _told(body: Mapping[str, Any]) -> str:
    return _text(_report(body), "detailed-message") or next(
        filter(None, (_text(body, key) for key in ("errorMessage", "detail", "message", "title"))),
        "",
    )


def _report(body: Mapping[str, Any]) -> Mapping[str, Any]:
    report = body.get("report")
    return report if isinstance(report, dict) else {}


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key)
    return value.strip() if isinstance(value, str) else ""
