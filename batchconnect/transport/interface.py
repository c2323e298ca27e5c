"""
What every ring of the transport speaks: one `Request` in, one `Response` out, or a `TransportError`
that says whether a byte was sent.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol

import orjson

from batchconnect.model.fault import Fault
from batchconnect.model.value import Value, field


class Purpose(StrEnum):
    """What a request is for; it decides who may repeat it."""

    CREATE = "create"
    """Makes an object and has no idempotency key: repeated only where it surely was not applied."""
    READ = "read"
    """Changes nothing."""
    UPDATE = "update"
    """Changes an object as long as its etag is the one that is named, so that it may be repeated like a read."""
    DELETE = "delete"
    """Deletes an object, and no precondition can be named: what was looked at before it may have changed, so
    only who looks again sends it again."""
    TOKEN = "token"  # noqa: S105 - a kind of request, not a token
    """Asks IMS for an access token."""


Permit = Callable[[], bool]
"""Whether a request may leave. The wire asks it directly before the first byte, with no wait in between; a no is
proof that nothing was sent."""


def always() -> bool:
    """The permit of what may leave at any time."""
    return True


@dataclass(slots=True)
class Departure:
    """
    Whether a byte of a request may have left, for errors that nobody foresaw: they tell nothing of it.

    The rings keep it: not while they hold the request back, surely maybe as soon as one of them hands it
    to the wire. Where no ring tells, it may have left.
    """

    may_have_left: bool = True


class Request(Value, eq=False, hidden={"headers", "body", "departure", "permit"}):
    """One HTTP message to send. Headers and body may hold secrets, so neither shows in a repr."""

    purpose: Purpose
    method: str
    url: str
    """Absolute, already encoded."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    departure: Departure = field(default_factory=Departure)
    """The same one for every try. A ring that makes another request of this one hands it on."""
    permit: Permit = always


class Response(Value, hidden={"body"}):
    """One HTTP message that came back, whatever its status."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    """Asked for in lower case; of a repeated header, the first value."""
    body: bytes = b""
    """What could be read, after decompression. Bodies of listings are secret."""
    body_fault: str | None = None
    """None: the body is whole. Otherwise why it is not: `cut`, `too_large`, `timeout`, `encoding`."""
    attempts: int = 1
    """Tries of this request, this one included."""
    throttled: int = 0
    """How many of the tries were answered by THROTTLED."""
    token_number: int = 0
    """Which token of its lane the request bore, counted as they were fetched; 0: one that nobody fetches."""
    token_refused: bool = False
    """Whether one of the tries was answered by a refusal of its token, this one included."""
    lost: bool = False
    """Whether one of the tries of an update may have been applied: it left, and its answer was lost, or a 5xx."""

    def signed(self, token_number: int) -> "Response":
        """The same, to a request that bore this token."""
        # Not by `replace`, which asks for each field's name and default: each row's answer comes by here.
        return Response(
            status=self.status,
            headers=self.headers,
            body=self.body,
            body_fault=self.body_fault,
            attempts=self.attempts,
            throttled=self.throttled,
            token_number=token_number,
            token_refused=self.token_refused,
            lost=self.lost,
        )


FOREIGN_ANSWER: Final = "foreign_answer"
"""Code of an answer that is not Adobe's: a proxy's page, a portal's, another server's."""
_BOM: Final = b"\xef\xbb\xbf"


def read_json(body: bytes) -> Any:
    """
    A whole body as JSON; some gateways put a byte order mark before it.

    Raises:
        orjson.JSONDecodeError: It is none.
    """
    return orjson.loads(body.removeprefix(_BOM))


def is_json(body: bytes) -> bool:
    """Whether a whole body is JSON, of whatever shape; Adobe's answers are."""
    try:
        read_json(body)
    except orjson.JSONDecodeError:
        return False
    return True


WRITES: Final = (Purpose.CREATE, Purpose.UPDATE, Purpose.DELETE)
"""What a lane that is stopped sends no more, though it may look."""


class TransportError(Exception):
    """
    No answer came.

    Args:
        code: One lower-case word for the report: `dns`, `refused`, `unreachable`, `tls`,
            `connect_timeout`, `proxy`, `no_token`, `connection_lost`, `bad_answer`, `timeout`, ...
        sent: Whether a byte of the request may have left. False only with proof: the trace saw that
            the writing of the headers never started. An exception's type proves nothing.
        detail: One line for a person; never holds a secret.
        attempts: Tries of this request, this one included.
        throttled: How many of the tries were answered by THROTTLED.
        permanent: The same request would fail in the same way, so no ring repeats it.
        token_refused: Whether one of the tries was answered by a refusal of its token.
        lost: Whether one of the tries of an update may have been applied, as of `Response`.
        fault: The foreign error behind it, where that is one that nobody foresaw.
    """

    def __init__(
        self,
        code: str,
        *,
        sent: bool,
        detail: str = "",
        attempts: int = 1,
        throttled: int = 0,
        permanent: bool = False,
        token_refused: bool = False,
        lost: bool = False,
        fault: Fault | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.sent = sent
        self.detail = detail
        self.attempts = attempts
        self.throttled = throttled
        self.permanent = permanent
        self.token_refused = token_refused
        self.lost = lost
        self.fault = fault


class StoppedError(TransportError):
    """
    We ourselves stopped it before it was sent; it says nothing about the service.

    Args:
        code: Why: `interrupted`, `no_progress`, `lane_stopped`, ...
        detail: The same for a person.
    """

    def __init__(self, code: str, detail: str = "stopped before it was sent") -> None:
        super().__init__(code, sent=False, detail=detail, attempts=0, permanent=True)


LEASE_OVER: Final = "lease_over"
"""Code of a request that was not sent because the right to send had ended."""


class Transport(Protocol):
    """One ring: it answers a request, most often by asking the ring within."""

    async def send(self, request: Request) -> Response:
        """
        Send one request.

        Raises:
            TransportError: No answer came; `sent` says whether the service may have seen it.
        """
        ...
