"""
What the service says when it refuses: five shapes of body, one `ServiceProblem`.

The gateway, Flow Service and their looser shapes each name code, text and request id elsewhere.
An error text may repeat our request, so whatever is kept here is redacted before it is cut.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from posixpath import commonprefix
from typing import Any

import orjson

from batchconnect.model.secret import MASK, SHORTEST_REDACTED, Secret, redact
from batchconnect.transport.interface import Response

LONGEST_MESSAGE = 200
"""Characters (contract, section 4, parse order)."""
_LONGEST_JUDGED = 2000
LONGEST_WORD = 100
"""Characters of a code or a request id."""

_TYPE_TAIL = re.compile(r"[A-Z]+-\d{4}-\d{3}$")
_NUMBER = re.compile(r"(?:[A-Z]+-)?(\d{4})(?:-(\d{3}))?|(\d{6})")
_NOT_IN_A_WORD = re.compile(r"[^A-Za-z0-9_.:{}*-]+")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceProblem:
    """What an answer that is no success says, in whatever shape it says it."""

    code: str
    """For the report: `FLOW-1308-400`, `403025`, `invalid_client`, or `http-502` without one."""
    number: str
    """For judging: the four or six digits of the code, with the status part of the HTTP status;
    `""` without a code, `other` for a code that no table can name."""
    text: str
    """One line, redacted, long enough to be judged by; empty where nothing is said."""
    request_id: str | None
    is_shaped: bool
    """Whether the body is JSON of one of the documented shapes."""

    @property
    def message(self) -> str:
        """The text for a report, at most `LONGEST_MESSAGE` characters."""
        return _cut(self.text)


def read_problem(response: Response, secrets: Iterable[Secret] = ()) -> ServiceProblem:
    """
    Read code, text and request id of an answer, in the contract's order.

    Args:
        response: Any answer; nothing in it is trusted.
        secrets: What must not be kept, should the answer repeat it.
    Source:
        Contract, section 4: gateway answers, Flow Service answers, looser shapes, parse order.
    """
    secrets = tuple(secrets)
    body = json_object(response)
    raw_code = _code(body)
    told = _told(body)
    # A body that was cut may end inside a secret, where no redaction finds it.
    text = told or ("" if response.body_fault else response.body.decode("utf-8", "replace"))
    return ServiceProblem(
        code=_word(raw_code, secrets) or f"http-{response.status}",
        number=_number(raw_code, response.status),
        text=_line(text, secrets),
        request_id=request_id(response, secrets, body),
        is_shaped=bool(told or raw_code),
    )


def json_object(response: Response) -> Mapping[str, Any]:
    """The body where it is one whole JSON object, otherwise an empty mapping."""
    if response.body_fault:
        return {}
    try:
        body = orjson.loads(response.body.removeprefix(_BOM))
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def request_id(
    response: Response, secrets: Iterable[Secret] = (), body: Mapping[str, Any] | None = None
) -> str | None:
    """The id under which Adobe finds the request: `report.request-id`, else `X-Request-Id`."""
    body = json_object(response) if body is None else body
    named = _text(_report(body), "request-id") or response.headers.get("x-request-id", "")
    return _word(named, tuple(secrets)) or None


def one_line(text: str, secrets: Iterable[Secret] = ()) -> str:
    """
    Make foreign text fit to be kept: without secrets, on one line, at most 200 characters.

    Control characters, text-direction marks and other invisible characters are taken out.
    """
    return _cut(_line(text, tuple(secrets)))


def _line(text: str, secrets: tuple[Secret, ...]) -> str:
    # Redacted twice: as it came, and again once no invisible character can split a secret.
    return _masked(_visible(_masked(text, secrets)[:_LONGEST_JUDGED]), secrets)


def _cut(line: str) -> str:
    return line if len(line) <= LONGEST_MESSAGE else line[: LONGEST_MESSAGE - 1].rstrip() + "…"


def _visible(text: str) -> str:
    kept = (
        " " if character.isspace() else character
        for character in text
        if character.isspace() or not unicodedata.category(character).startswith("C")
    )
    return " ".join("".join(kept).split())


def _masked(text: str, secrets: tuple[Secret, ...]) -> str:
    if len(text) < SHORTEST_REDACTED:
        return text  # most often there is nothing at all
    found = [
        spelling
        for secret in secrets
        if len(secret) >= SHORTEST_REDACTED
        for spelling in secret.spelled()
        if spelling[:SHORTEST_REDACTED] in text
    ]
    if found:
        text = redact(text, secrets)
        for spelling in found:
            text = _without_beginnings(text, spelling)
    return text


def _without_beginnings(text: str, spelling: str) -> str:
    """Mask what starts like a secret: the service, too, cuts the texts that it repeats."""
    head = spelling[:SHORTEST_REDACTED]
    pieces: list[str] = []
    end = 0
    start = text.find(head)
    while start >= 0:
        pieces += text[end:start], MASK
        end = start + len(commonprefix((text[start : start + len(spelling)], spelling)))
        start = text.find(head, end)
    return "".join((*pieces, text[end:]))


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


def _word(text: str, secrets: tuple[Secret, ...]) -> str:
    """A code or an id: redacted, without anything that a terminal or a spreadsheet would run."""
    return _NOT_IN_A_WORD.sub("-", _masked(text, secrets)).strip("-")[:LONGEST_WORD]
