"""
The shapes in which Adobe answers, each spelled out once.

Shapes and texts are those of the contract's section 4. The gateway speaks before Flow Service sees
a request; Flow Service itself has one strict shape and several looser ones.
"""

from email.utils import formatdate
from typing import Any, Literal, get_args

import orjson

from batchconnect.simulator.exchange import BASE_PATH, Answer, Headers

JSON = ("Content-Type", "application/json")
HTML = ("Content-Type", "text/html")

RetryAfter = Literal[
    "seconds", "date", "malformed", "absent", "absurd", "negative", "past", "cycle"
]
"""How a refusal names its pause; `cycle` goes through seconds, date, absent and malformed in turn."""
NotFound = Literal["text", "1101", "1439"]
"""How an id that is not there is told: without a code, or with one of two, of which 1439 comes under 400."""
CYCLE: tuple[RetryAfter, ...] = ("seconds", "date", "absent", "malformed")
RETRY_AFTERS: tuple[RetryAfter, ...] = get_args(RetryAfter)
A_YEAR_S = 31_536_000


def json_answer(status: int, value: Any, *headers: tuple[str, str]) -> Answer:
    """A value as JSON."""
    return Answer(status=status, headers=(JSON, *headers), body=orjson.dumps(value))


def gateway(status: int, code: str | int, message: str, *headers: tuple[str, str]) -> Answer:
    """The gateway's shape; the code is a string, in some documents a number."""
    return json_answer(status, {"error_code": code, "message": message}, *headers)


def flow(code: str, title: str, message: str, *, request_id: str = "") -> Answer:
    """
    Flow Service's own shape.

    Args:
        code: Number and status, as `2120-403`.
        title: A few words.
        message: The text, which stands in the body three times.
        request_id: Repeated in `report.request-id`; set by the front where it is left empty.
    """
    status = int(code.rsplit("-", 1)[1])
    report = {"detailed-message": message, "request-id": request_id}
    return json_answer(
        status,
        {
            "type": f"https://ns.adobe.com/aep/errors/FLOW-{code}",
            "title": title,
            "status": status,
            "report": report,
            "errorMessage": message,
            "errorDetails": message,
        },
    )


def invalid(code: str, message: str) -> Answer:
    """Flow Service's usual refusal."""
    return flow(code, "Invalid request", message)


def missing(field: str) -> Answer:
    """What has to be there is not, or is empty."""
    return invalid("1304-400", f"The mandatory field {field} is missing or empty.")


def loose(status: int, message: str) -> Answer:
    """A looser shape: two texts and no code."""
    return json_answer(status, {"errorMessage": message, "errorDetails": message})


def plain_message(status: int, message: str) -> Answer:
    """The loosest shape: one text."""
    return json_answer(status, {"message": message})


def not_a_content_type() -> Answer:
    """POST and PATCH without `application/json`."""
    return json_answer(
        400,
        {
            "type": "/placeholder/type/uri",
            "status": 400,
            "title": "BadRequestError",
            "detail": "A valid content-type must be specified",
        },
    )


def html(status: int, title: str) -> Answer:
    """A page of a proxy on the way."""
    page = f"<html><head><title>{status} {title}</title></head><body><h1>{title}</h1></body></html>"
    return Answer(status=status, headers=(HTML,), body=page.encode())


def empty(status: int) -> Answer:
    """Nothing but a status."""
    return Answer(status=status)


def connections_not_found(connection_id: str, form: NotFound = "text") -> Answer:
    """What is said of an id that is not there: usually 404, in the looser shape."""
    match form:
        case "1101":
            return no_resource()
        case "1439":
            text = f"The requested connections resource {connection_id} is not found."
            return flow("1439-400", "Resource not found", text)
        case "text":  # the last case
            return loose(404, f"connections not found with id = [{connection_id}]")


def no_resource() -> Answer:
    """404, in the strict shape."""
    return flow(
        "1101-404",
        "Resource not found",
        "The requested resource is not found. Error from flow provider: Resource with given id does not exist.",
    )


def location(connection_id: str) -> tuple[str, str]:
    """Where a new connection stands."""
    return ("Location", f"{BASE_PATH}/connections/{connection_id}")


def created(connection_id: str, etag: str | None) -> Answer:
    """201; the etag's value has double quotes of its own, and where it is not told yet it is left out."""
    told = {"id": connection_id} if etag is None else {"id": connection_id, "etag": etag}
    return json_answer(201, told, location(connection_id))


def redirect(status: int, url: str) -> Answer:
    """A 3xx that must never be followed: the body holds a secret."""
    return Answer(status=status, headers=(("Location", url),))


def retry_after(form: RetryAfter, wait_s: int, now: float) -> Headers:
    """
    The header that asks for a pause, in one of the forms met in the wild.

    Args:
        form: Which form; `cycle` must have been resolved.
        wait_s: Whole seconds to ask for.
        now: Unix time, also sent as `Date`, which a date is measured against.
    """
    date = ("Date", formatdate(now, usegmt=True))
    values: dict[RetryAfter, Headers] = {
        "seconds": (("Retry-After", str(wait_s)),),
        "date": (("Retry-After", formatdate(now + wait_s, usegmt=True)), date),
        "past": (("Retry-After", formatdate(now - wait_s, usegmt=True)), date),
        "negative": (("Retry-After", str(-wait_s)),),
        "malformed": (("Retry-After", "soon"),),
        "absurd": (("Retry-After", str(A_YEAR_S)),),
    }
    return values.get(form, ())


def too_many(form: RetryAfter, wait_s: int, now: float) -> Answer:
    """429 by the gateway."""
    return gateway(429, "429050", "Too many requests", *retry_after(form, wait_s, now))


def overloaded() -> Answer:
    """Too many requests at once may show as 500."""
    return flow(
        "1102-500",
        "Internal Error",
        "An internal error has occurred. If you are making many simultaneous calls, you may be "
        "reaching the API limit.",
    )
