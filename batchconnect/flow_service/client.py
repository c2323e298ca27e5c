"""
Flow Service as the rest of the program knows it: create, list and get base connections.

Requests are made and answers judged by pure functions; the class only sends one after the other.
Tokens, pace and retries are the transport's work.
"""

from collections.abc import Callable
from typing import TypeVar, final

from batchconnect.flow_service.answer import (
    Answer,
    NotSent,
    Unknown,
    judge_create,
    judge_create_error,
)
from batchconnect.flow_service.change import (
    DeleteAnswer,
    SentChange,
    UpdateAnswer,
    judge_delete,
    judge_update,
)
from batchconnect.flow_service.listing import Found, Listing, ListingFault, ReadItem, read_item
from batchconnect.flow_service.paging import token_of
from batchconnect.flow_service.reading import (
    NotFound,
    Spec,
    Unreadable,
    foreign_page,
    read_connection,
    read_spec,
    unanswered,
)
from batchconnect.flow_service.requests import (
    count_request,
    create_request,
    delete_request,
    explore_request,
    get_request,
    key_request,
    list_request,
    spec_request,
    test_request,
    usage_request,
)
from batchconnect.flow_service.sandbox_reader import OnPage, SandboxReader
from batchconnect.flow_service.source import (
    Column,
    Refusal,
    Table,
    read_columns,
    read_tables,
    read_test,
    read_usage,
)
from batchconnect.model.fault import INTERNAL_FAULT, Fault, fault_of
from batchconnect.model.foreign_text import ForeignText, KnownSecrets
from batchconnect.model.org import Org
from batchconnect.model.secret import Secret
from batchconnect.model.value import Value
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


class Sent(Value):
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


_Answer = TypeVar("_Answer")


def _unmade(fault: Fault) -> SentChange[NotSent]:
    return SentChange(
        answer=NotSent(code=INTERNAL_FAULT, detail=fault.label), attempts=0, fault=fault
    )


@final
class FlowService:
    """
    One org's Flow Service.

    Args:
        transport: The lane's outermost ring.
        org: Whose requests these are.
        tokens: Every access token that an answer may repeat now.
        on_page: Told of each page that is read of a sandbox, as `SandboxReader` tells it.
    """

    def __init__(
        self,
        transport: Transport,
        org: Org,
        *,
        tokens: Callable[[], tuple[Secret, ...]] = tuple,
        on_page: OnPage = lambda _sandbox, _page, _connections: None,
    ) -> None:
        self._transport = transport
        self._org = org
        self._tokens = tokens
        self._reader = SandboxReader(self._ask, org, on_page=on_page)
        self._known = KnownSecrets()
        self._of_tokens: tuple[Secret, ...] | None = None
        self._lasting: tuple[Secret, ...] = ()
        """The org's secrets, with these tokens."""

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

    async def list(
        self, sandbox: str, *, most_pages: int | None = None, read: ReadItem = read_item
    ) -> Listing:
        """
        Read all connections of our kind in a sandbox, with a proof that they are all.

        Args:
            sandbox: Which.
            most_pages: Pages to read, without a proof; None: all. With fewer than there are, the listing is
                not complete, by the fault `not_read_on`.
            read: Makes a value of each item.
        """
        if most_pages is None:
            return await self._reader.whole(sandbox, read=read)
        return await self._reader.pages(sandbox, most_pages=most_pages, read=read)

    async def newest(self, sandbox: str, *, age_s: float) -> Listing:
        """Read what was created in the last so many seconds; see `SandboxReader.newest`."""
        return await self._reader.newest(sandbox, age_s=age_s)

    async def get(self, sandbox: str, connection_id: str) -> Found | NotFound | Unreadable:
        """Read one connection by its id."""
        answer = await self._ask(get_request(self._org, sandbox, connection_id))
        if isinstance(answer, Unreadable):
            return answer
        return read_connection(answer, self._org, sandbox, connection_id)

    async def send_key(
        self, connection: BaseConnection, connection_id: str, etag: str, *, whole: bool = False
    ) -> SentChange[UpdateAnswer]:
        """
        Give a connection the row's key, if it is still as the etag says; nothing is raised.

        Args:
            connection: The row.
            connection_id: Of the connection that stands there.
            etag: As it was read.
            whole: As of `key_request`.
        """
        try:
            request = key_request(self._org, connection, connection_id, etag, whole=whole)
        except Exception as error:  # noqa: BLE001 - a fault of ours costs the row its turn, no more
            return _unmade(fault_of(error))
        foreign = self._foreign(connection)
        return await self._change(request, lambda came: judge_update(came, foreign))

    async def delete(self, sandbox: str, connection_id: str) -> SentChange[DeleteAnswer]:
        """Delete a connection; nothing is raised. It is sent once: only who has looked again repeats it."""
        request = delete_request(self._org, sandbox, connection_id)
        foreign = ForeignText(self._secrets())
        return await self._change(request, lambda came: judge_delete(came, foreign))

    async def _change(
        self, request: Request, judge: Callable[[Response | TransportError], _Answer]
    ) -> SentChange[_Answer | NotSent | Unknown]:
        try:
            came = await self._came(request)
            answer = judge(came)
        except Exception as error:  # noqa: BLE001 - the rings tell whether they had handed it on
            fault = fault_of(error)
            if not request.departure.may_have_left:
                return _unmade(fault)
            return SentChange(answer=Unknown(code=INTERNAL_FAULT, detail=fault.label), fault=fault)
        return SentChange(
            answer=answer,
            attempts=came.attempts,
            throttled=came.throttled,
            fault=came.fault if isinstance(came, TransportError) else None,
            may_be_applied=came.lost or came.token_refused,
        )

    async def test(self, sandbox: str, connection_id: str) -> bool | NotFound | Unreadable:
        """Ask whether the source accepts a connection's credentials."""
        answer = await self._ask(test_request(self._org, sandbox, connection_id))
        return answer if isinstance(answer, Unreadable) else read_test(answer)

    async def tables(
        self, sandbox: str, connection_id: str
    ) -> tuple[Table, ...] | Refusal | NotFound | Unreadable:
        """Ask which tables a connection sees."""
        answer = await self._ask(explore_request(self._org, sandbox, connection_id))
        return answer if isinstance(answer, Unreadable) else read_tables(answer)

    async def columns(
        self, sandbox: str, connection_id: str, table: str
    ) -> tuple[Column, ...] | Refusal | NotFound | Unreadable:
        """Ask for the columns of one of its tables, by the table's path."""
        answer = await self._ask(explore_request(self._org, sandbox, connection_id, table))
        return answer if isinstance(answer, Unreadable) else read_columns(answer)

    async def usage(self, sandbox: str, connection_id: str) -> int | Unreadable:
        """Count the source connections that use a connection."""
        count, token = 0, None
        seen: set[str] = set()
        while True:
            answer = await self._ask(usage_request(self._org, sandbox, connection_id, token))
            page = answer if isinstance(answer, Unreadable) else read_usage(answer)
            if isinstance(page, Unreadable):
                return page
            on_page, href = page
            count += on_page
            token = token_of(href) if href else None
            if token is None and not href:
                return count
            if token is None or token in seen:
                fault = ListingFault(code="token_repeated", detail="the pages lead nowhere")
                return Unreadable(fault=fault)
            seen.add(token)

    async def spec(self, sandbox: str) -> Spec | Unreadable:
        """Read the connection spec, as far as creates depend on it."""
        answer = await self._ask(spec_request(self._org, sandbox))
        return answer if isinstance(answer, Unreadable) else read_spec(answer)

    async def _ask(self, request: Request) -> Response | Unreadable:
        try:
            response = await self._transport.send(request)
        except TransportError as error:
            return unanswered(error, self._secrets())
        return foreign_page(response) or response

    def _foreign(self, connection: BaseConnection) -> ForeignText:
        """What the answer to a create may show: the row's values as a whole, never its key."""
        return ForeignText(
            (connection.secret, *self._secrets()),
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
        tokens = self._tokens()
        if tokens is not self._of_tokens:
            org = self._org
            self._of_tokens = tokens
            self._lasting = (*filter(None, (org.client_secret, org.access_token)), *tokens)
            self._known.keep(self._lasting)
        return self._lasting
