"""
Reads what stands in a sandbox: page after page, and again in another order where nothing else proves it whole.

It only asks and hands on: what a page means is `paging`'s, what proves a listing `completeness`'s.
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, final

import anyio

from batchconnect.flow_service.completeness import (
    NEWEST_FIRST,
    OLDEST_FIRST,
    Count,
    disagreement,
)
from batchconnect.flow_service.listing import Listing, ListingFault, ReadItem, read_item
from batchconnect.flow_service.paging import FEWER_THAN_COUNTED, Pages, read_count, read_date_ms
from batchconnect.flow_service.reading import Unreadable, unreadable
from batchconnect.flow_service.requests import count_request, list_request
from batchconnect.model.org import Org
from batchconnect.model.value import replace
from batchconnect.transport.interface import Request, Response

Ask = Callable[[Request], Awaitable[Response | Unreadable]]
"""Sends a read; what was not answered is told as the reason."""

OnPage = Callable[[str, int, int], None]

NOT_READ_ON: Final = "not_read_on"
"""The fault of a listing that has more pages, which nobody wanted."""
_TRIES: Final = 3
"""Proofs that are tried, since what others create and delete meanwhile lets two readings disagree."""


@final
class SandboxReader:
    """
    One org's listings.

    Args:
        ask: Sends a read.
        org: Whose.
        on_page: Told of each page: its sandbox, its number, the connections so far.
    """

    def __init__(
        self, ask: Ask, org: Org, *, on_page: OnPage = lambda _sandbox, _page, _connections: None
    ) -> None:
        self._on_page = on_page
        self._ask = ask
        self._org = org

    async def whole(self, sandbox: str, *, read: ReadItem = read_item) -> Listing:
        """
        Read all connections of our kind, with a proof that they are all.

        Args:
            sandbox: Which.
            read: Makes a value of each item.

        Cases, in order:
            1. It could not be read: it says why, and proves nothing.
            2. The service's own count fits.
            3. It shows fewer than were counted: something may have been deleted, or the pages shifted; it is
               read once more.
            4. There is no usable count: two readings in two orders have to agree, and may try so thrice.

        Source:
            Contract, section 3, the Rules below the shape.
        """
        began_s, misfit = anyio.current_time(), None
        for _ in range(2):
            counted = await self._count(sandbox)
            if isinstance(counted, Unreadable):
                return _failed(sandbox, began_s, counted)
            if counted.number is None:
                break
            listing = await self.pages(sandbox, counted=counted.number, read=read)
            if listing.refusal is not None:
                return listing
            if listing.fault is None:
                if counted.proves(listing):
                    return replace(listing, began_s=began_s)
                break
            if listing.fault.code != FEWER_THAN_COUNTED:
                return listing
            misfit = counted.number
        return await self._agreed(sandbox, read, misfit)

    async def _agreed(self, sandbox: str, read: ReadItem, counted: int | None) -> Listing:
        """Two readings that agree, or the last one and why nothing is proven."""
        listing = Listing(sandbox=sandbox)
        for _ in range(_TRIES):
            listing = await self.pages(sandbox, order=NEWEST_FIRST, read=read)
            if listing.refusal is not None:
                return listing
            second = await self.pages(sandbox, order=OLDEST_FIRST, read=read)
            if second.refusal is not None:
                return second
            why = disagreement(listing, second, counted)
            if why is None and counted is not None and listing.listed < counted:
                odd = f"{counted} connections are counted, and {listing.listed} listed, in either order"
                return replace(listing, warnings=(*listing.warnings, odd))
            if why is None:
                return listing
            listing = replace(listing, fault=why)
        return listing

    async def newest(self, sandbox: str, *, age_s: float) -> Listing:
        """
        Read the newest connections of our kind, down to an age.

        Args:
            sandbox: Which.
            age_s: Seconds before the reading begins, by the service's own clock: ours may differ.

        Returns:
            A listing that shows everything that was created since then, and maybe older ones; its fault is
            None then. `order_lost`: the service does not list the newest first, or tells no time, so the whole
            has to be read.
        """
        return await self.pages(sandbox, order=NEWEST_FIRST, age_s=age_s)

    async def pages(
        self,
        sandbox: str,
        *,
        order: str | None = None,
        most_pages: int | None = None,
        age_s: float | None = None,
        counted: int | None = None,
        read: ReadItem = read_item,
    ) -> Listing:
        """
        Read pages to their end, or to where nobody wants more.

        Args:
            sandbox: Which.
            order: As `list_request` takes it.
            most_pages: Pages to read; with fewer than there are, the fault is `not_read_on`.
            age_s: Read no page beyond the first item that is older. Newest first only.
            counted: What the service counted before; None where it counts nothing.
            read: Makes a value of each item.
        """
        began_s = anyio.current_time()
        pages = Pages(
            org_id=self._org.org_id,
            sandbox=sandbox,
            platform_url=self._org.platform_url,
            counted=counted,
            read=read,
        )
        token: str | None = None
        first_ms: int | None = None
        waited_s = 0.0
        pages_read = 0
        while True:
            answer = await self._ask(list_request(self._org, sandbox, token, order=order))
            if isinstance(answer, Response) and answer.status != HTTPStatus.OK:
                answer = unreadable(answer)
            if isinstance(answer, Unreadable):
                return _failed(sandbox, began_s, answer, pages)
            if pages_read == 0:
                # The age counts from the beginning, however long the first answer was waited for.
                first_ms, waited_s = read_date_ms(answer), anyio.current_time() - began_s
            pages_read += 1
            following = pages.take(answer)
            self._on_page(sandbox, pages_read, len(pages.items))
            if age_s is not None and not isinstance(following, ListingFault):
                until_ms = None if first_ms is None else first_ms - round((age_s + waited_s) * 1000)
                following = pages.reached(until_ms, following)
            if isinstance(following, str) and pages_read == most_pages:
                following = ListingFault(code=NOT_READ_ON, detail="more pages follow")
            if not isinstance(following, str):
                return Listing(
                    sandbox=sandbox,
                    items=tuple(pages.items),
                    listed=pages.listed,
                    fault=following,
                    began_s=began_s,
                    served_first_ms=first_ms,
                    served_at_ms=read_date_ms(answer),
                    warnings=pages.warnings,
                )
            token = following

    async def _count(self, sandbox: str) -> Count | Unreadable:
        # NOTE: the count comes first, so that what we create meanwhile can only add to the ids.
        answer = await self._ask(count_request(self._org, sandbox))
        if isinstance(answer, Unreadable):
            return answer
        if answer.status == HTTPStatus.OK and not answer.body_fault:
            return Count(number=read_count(answer), at_ms=read_date_ms(answer))
        # The service may not offer the count; what else a 400 or 404 means, the first page tells.
        if answer.status in {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND}:
            return Count(number=None, at_ms=None)
        return unreadable(answer)


def _failed(sandbox: str, began_s: float, why: Unreadable, pages: Pages | None = None) -> Listing:
    return Listing(
        sandbox=sandbox,
        items=tuple(pages.items) if pages is not None else (),
        fault=why.fault,
        refusal=why.refusal,
        began_s=began_s,
    )
