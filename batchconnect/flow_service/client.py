"""
Flow Service as the rest of the program knows it: create, list and get base connections.

Requests are made and answers judged by pure functions; the class only sends one after the other.
Tokens, pace and retries are the transport's work.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import final

from batchconnect.flow_service.answer import (
    Answer,
    NotSent,
    Unknown,
    judge_create,
    judge_create_error,
)
from batchconnect.flow_service.listing import Found, Listing
from batchconnect.flow_service.reading import (
    NotFound,
    Spec,
    Unreadable,
    read_connection,
    read_spec,
    unanswered,
)
from batchconnect.flow_service.requests import (
    count_request,
    create_request,
    get_request,
    list_request,
    spec_request,
)
from batchconnect.flow_service.sandbox_reader import SandboxReader
from batchconnect.model.fault import INTERNAL_FAULT, Fault, fault_of
from batchconnect.model.foreign_text import ForeignText, KnownSecrets
from batchconnect.model.org import Org
from batchconnect.model.secret import Secret
from batchconnect.transport.interface import Request, Response, Transport, TransportError
from batchconnect.validation.connection import BaseConnection

__all__ = [
    "FlowService",
    "NotFound",
    "Sent",
    "Spec",
    "Unreadable",
    "count_request",
    "create_request",
    "get_request",
    "list_request",
    "spec_request",
    "unforeseen",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What became of one create."""

    answer: Answer
    attempts: int = 1
    throttled: int = 0
    """How many of the attempts were answered by THROTTLED."""
    token_refused: bool = False
    """Whether one of the attempts was refused for its token: such a create was seen to be applied."""
    fault: Fault | None = None
    """The error of our own that is behind the answer."""


def unforeseen(fault: Fault, *, may_have_left: bool) -> Sent:
    """
    What became of a create that an error of our own came in between of.

    Args:
        fault: The error.
        may_have_left: Whether a byte of the request may be on its way; False only with proof.
    """
    if may_have_left:
        return Sent(answer=Unknown(code=INTERNAL_FAULT, detail=fault.label), fault=fault)
    return Sent(answer=NotSent(code=INTERNAL_FAULT, detail=fault.label), attempts=0, fault=fault)


@final
class FlowService:
    """
    One org's Flow Service.

    Args:
        transport: The lane's outermost ring.
        org: Whose requests these are.
        tokens: Every access token that an answer may repeat now.
    """

    def __init__(
        self,
        transport: Transport,
        org: Org,
        *,
        tokens: Callable[[], Iterable[Secret]] = tuple,
    ) -> None:
        self._transport = transport
        self._org = org
        self._tokens = tokens
        self._reader = SandboxReader(self._ask, org)
        self._known = KnownSecrets()

    async def create(self, connection: BaseConnection) -> Sent:
        """Send one create, and say what its answer means; whatever is answered, nothing is raised."""
        try:
            request = create_request(self._org, connection)
        except Exception as error:  # noqa: BLE001 - a fault of ours costs the row its turn, no more
            return unforeseen(fault_of(error), may_have_left=False)
        try:
            came = await self._came(request)
        except Exception as error:  # noqa: BLE001 - the rings tell whether they had handed it on
            return unforeseen(fault_of(error), may_have_left=request.departure.may_have_left)
        try:
            return self._judged(came, connection)
        except Exception as error:  # noqa: BLE001 - whatever it is: the service may have answered
            return unforeseen(fault_of(error), may_have_left=True)

    async def _came(self, request: Request) -> Response | TransportError:
        try:
            return await self._transport.send(request)
        except TransportError as error:
            return error

    def _judged(self, came: Response | TransportError, connection: BaseConnection) -> Sent:
        foreign = self._foreign(connection)
        if isinstance(came, Response):
            answer = judge_create(came, foreign)
        elif came.fault is not None:
            return unforeseen(came.fault, may_have_left=came.sent)
        else:
            answer = judge_create_error(came, foreign)
        return Sent(
            answer=answer,
            attempts=came.attempts,
            throttled=came.throttled,
            token_refused=came.token_refused,
        )

    async def list(self, sandbox: str, *, most_pages: int | None = None) -> Listing:
        """
        Read all connections of our kind in a sandbox, with a proof that they are all.

        Args:
            sandbox: Which.
            most_pages: Pages to read, without a proof; None: all. With fewer than there are, the listing is
                not complete, by the fault `not_read_on`.
        """
        if most_pages is None:
            return await self._reader.whole(sandbox)
        return await self._reader.pages(sandbox, most_pages=most_pages)

    async def newest(self, sandbox: str, *, age_s: float) -> Listing:
        """Read what was created in the last so many seconds; see `SandboxReader.newest`."""
        return await self._reader.newest(sandbox, age_s=age_s)

    async def get(self, sandbox: str, connection_id: str) -> Found | NotFound | Unreadable:
        """Read one connection by its id."""
        answer = await self._ask(get_request(self._org, sandbox, connection_id))
        if isinstance(answer, Unreadable):
            return answer
        return read_connection(answer, self._org, sandbox, connection_id)

    async def spec(self, sandbox: str) -> Spec | Unreadable:
        """Read the connection spec, as far as creates depend on it."""
        answer = await self._ask(spec_request(self._org, sandbox))
        return answer if isinstance(answer, Unreadable) else read_spec(answer)

    async def _ask(self, request: Request) -> Response | Unreadable:
        try:
            return await self._transport.send(request)
        except TransportError as error:
            return unanswered(error, self._secrets())

    def _foreign(self, connection: BaseConnection) -> ForeignText:
        """What the answer to a create may show: the row's values as a whole, never its key."""
        lasting = self._secrets()
        self._known.keep(lasting)
        return ForeignText(
            (connection.secret, *lasting),
            (
                connection.name,
                *connection.target,
                connection.sandbox,
                self._org.key,
                self._org.org_id,
            ),
            known=self._known,
        )

    def _secrets(self) -> tuple[Secret, ...]:
        # Asked when the answer is there: the token may have been fetched on the way to it.
        org = self._org
        return (*filter(None, (org.client_secret, org.access_token)), *self._tokens())
