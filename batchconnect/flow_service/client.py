"""
Flow Service as the rest of the program knows it: create, list and get base connections.

Requests are made and answers judged by pure functions; the class only sends one after the other.
Tokens, pace and retries are the transport's work.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, final
from urllib.parse import quote

import anyio
import orjson

from batchconnect.flow_service.answer import Answer, judge_create, judge_create_error
from batchconnect.flow_service.listing import Found, Listing, ListingFault
from batchconnect.flow_service.paging import Pages, read_count, read_date_ms
from batchconnect.flow_service.reading import (
    AUTH_SPEC,
    NotFound,
    Spec,
    Unreadable,
    read_connection,
    read_spec,
    unanswered,
    unreadable,
)
from batchconnect.model.foreign_text import ForeignText
from batchconnect.model.identity import CONNECTION_SPEC_ID
from batchconnect.model.org import Org
from batchconnect.model.secret import Secret
from batchconnect.transport.interface import Purpose, Request, Response, Transport, TransportError
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
]

BASE_PATH: Final = "/data/foundation/flowservice"
SPEC_VERSION: Final = "1.0"
PAGE: Final = 100
"""Items of a page: the most that the service gives (contract, section 3)."""
_OURS: Final = f"property=connectionSpec.id=={CONNECTION_SPEC_ID}"
"""The only filter that is sent: others break on commas and operators in their values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What became of one create."""

    answer: Answer
    attempts: int = 1
    throttled: int = 0
    """How many of the attempts were answered by THROTTLED."""


def create_request(org: Org, connection: BaseConnection) -> Request:
    """
    Make the POST of one base connection; tokens and keys of the org are stamped on its way.

    Source:
        Contract, section 2: only these fields, and `version` always.
    """
    body = {
        "name": connection.name,
        "description": connection.description,
        "auth": {
            "specName": AUTH_SPEC,
            "params": {
                "endpoint": connection.endpoint,
                "database": connection.database,
                "tenant": connection.tenant,
                "servicePrincipalId": connection.service_principal_id,
                "servicePrincipalKey": connection.service_principal_key.reveal(),
            },
        },
        "connectionSpec": {"id": CONNECTION_SPEC_ID, "version": SPEC_VERSION},
    }
    return Request(
        purpose=Purpose.CREATE,
        method="POST",
        url=f"{org.platform_url}{BASE_PATH}/connections",
        headers={**_headers(connection.sandbox), "Content-Type": "application/json"},
        body=orjson.dumps(body),
    )


def list_request(org: Org, sandbox: str, token: str | None = None) -> Request:
    """
    Ask for one page of the sandbox's connections of our kind.

    Args:
        org: Whose.
        sandbox: Which.
        token: As it stands in the link to this page, percent-encoded; None: the first page.

    Source:
        Contract, section 3.
    """
    rest = f"&continuationToken={token}" if token is not None else ""
    return _read(org, sandbox, f"/connections?{_OURS}&limit={PAGE}{rest}")


def count_request(org: Org, sandbox: str) -> Request:
    """Ask how many connections of our kind there are; never together with `limit`."""
    return _read(org, sandbox, f"/connections?{_OURS}&count=true")


def get_request(org: Org, sandbox: str, connection_id: str) -> Request:
    """Ask for one connection by its id."""
    return _read(org, sandbox, f"/connections/{quote(connection_id, safe='')}")


def spec_request(org: Org, sandbox: str) -> Request:
    """Ask for the connection spec of Azure Data Explorer."""
    return _read(org, sandbox, f"/connectionSpecs/{CONNECTION_SPEC_ID}")


def _read(org: Org, sandbox: str, path: str) -> Request:
    url = f"{org.platform_url}{BASE_PATH}{path}"
    return Request(purpose=Purpose.READ, method="GET", url=url, headers=_headers(sandbox))


def _headers(sandbox: str) -> dict[str, str]:
    return {"Accept": "application/json", "x-sandbox-name": sandbox}


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

    async def create(self, connection: BaseConnection) -> Sent:
        """Send one create, and say what its answer means; whatever is answered, nothing is raised."""
        try:
            response = await self._transport.send(create_request(self._org, connection))
        except TransportError as error:
            answer = judge_create_error(error, self._foreign(connection))
            return Sent(answer=answer, attempts=error.attempts, throttled=error.throttled)
        answer = judge_create(response, self._foreign(connection))
        return Sent(answer=answer, attempts=response.attempts, throttled=response.throttled)

    async def list(self, sandbox: str, *, most_pages: int | None = None) -> Listing:
        """
        Read all connections of our kind in a sandbox.

        A listing that shows fewer than were counted before it is read once more at once: an object
        may have been deleted, or the pages shifted.

        Args:
            sandbox: Which.
            most_pages: Pages to read; None: all. With fewer than there are, the listing is not
                complete, by the fault `not_read_on`.
        """
        listing = await self._list_once(sandbox, most_pages)
        if listing.fault is not None and listing.fault.code == "fewer_than_counted":
            listing = await self._list_once(sandbox, most_pages)
        return listing

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

    async def _list_once(self, sandbox: str, most_pages: int | None) -> Listing:
        began_s = anyio.current_time()
        # NOTE: the count comes first, so that what we create meanwhile can only add to the ids.
        counted = await self._count(sandbox) if most_pages is None else None
        if isinstance(counted, Unreadable):
            return _failed(sandbox, began_s, counted)
        pages = Pages(
            org_id=self._org.org_id,
            sandbox=sandbox,
            platform_url=self._org.platform_url,
            counted=counted,
        )
        token: str | None = None
        read = 0
        while True:
            answer = await self._ask(list_request(self._org, sandbox, token))
            if isinstance(answer, Response) and answer.status != HTTPStatus.OK:
                answer = unreadable(answer)
            if isinstance(answer, Unreadable):
                return _failed(sandbox, began_s, answer, pages)
            read += 1
            following = pages.take(answer)
            if isinstance(following, str) and read == most_pages:
                following = ListingFault(code="not_read_on", detail="more pages follow")
            if not isinstance(following, str):
                return Listing(
                    sandbox=sandbox,
                    items=tuple(pages.items),
                    fault=following,
                    began_s=began_s,
                    served_at_ms=read_date_ms(answer),
                )
            token = following

    async def _count(self, sandbox: str) -> int | Unreadable | None:
        answer = await self._ask(count_request(self._org, sandbox))
        if isinstance(answer, Unreadable):
            return answer
        if answer.status == HTTPStatus.OK and not answer.body_fault:
            return read_count(answer)
        # The service may not offer the count; what else a 400 or 404 means, the first page tells.
        if answer.status in {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND}:
            return None
        return unreadable(answer)

    async def _ask(self, request: Request) -> Response | Unreadable:
        try:
            return await self._transport.send(request)
        except TransportError as error:
            return unanswered(error, self._secrets())

    def _foreign(self, connection: BaseConnection) -> ForeignText:
        """What the answer to a create may show: the row's values as a whole, never its key."""
        return ForeignText(
            (connection.service_principal_key, *self._secrets()),
            (
                connection.name,
                connection.endpoint,
                connection.database,
                connection.tenant,
                connection.service_principal_id,
                connection.sandbox,
                self._org.key,
                self._org.org_id,
            ),
        )

    def _secrets(self) -> tuple[Secret, ...]:
        # Asked when the answer is there: the token may have been fetched on the way to it.
        org = self._org
        return (*filter(None, (org.client_secret, org.access_token)), *self._tokens())


def _failed(sandbox: str, began_s: float, why: Unreadable, pages: Pages | None = None) -> Listing:
    return Listing(
        sandbox=sandbox,
        items=tuple(pages.items) if pages is not None else (),
        fault=why.fault,
        refusal=why.refusal,
        began_s=began_s,
    )
