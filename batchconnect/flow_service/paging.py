"""
The pages of a listing: which comes next, and what makes the whole of them a failure.

A listing is believed to be complete only if nothing about its pages is odd, since a page that was
lost looks just like rows that were never created.
"""

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from math import inf
from typing import Any, Final, final
from urllib.parse import SplitResult, quote, urlsplit

from batchconnect.flow_service.listing import Found, ListingFault, ReadItem, read_item
from batchconnect.flow_service.problem import json_object
from batchconnect.transport.interface import Response

FEWER_THAN_COUNTED: Final = "fewer_than_counted"
MOST_PAGES: Final = 20_000
"""Two million connections; a listing that is longer never ends."""

_TOKEN = re.compile(r"(?:^|[?&])continuationToken=([^&#]*)")
_SAFE_IN_QUERY = "%!$'()*+,;:@/?=-._~"


@final
class Pages:
    """
    The pages of one listing, one after the other; it says what to ask for next.

    Args:
        org_id: Whose items these must be.
        sandbox: In which sandbox they must be.
        platform_url: The host that a next link should name.
        counted: What `count=true` answered before the first page; None where it is not offered.
        read: Makes a value of each item.

    Source:
        Contract, section 3, the Rules below the shape.
    """

    def __init__(
        self,
        *,
        org_id: str,
        sandbox: str,
        platform_url: str,
        counted: int | None,
        read: ReadItem = read_item,
    ) -> None:
        self._read = read
        self._org_id = org_id
        self._sandbox = sandbox
        self._origin = _origin(urlsplit(platform_url))
        self._counted = counted
        self._ids: set[str] = set()
        self._tokens: set[str] = set()
        self._timed = 0
        """How many of them tell when they were created."""
        self._oldest_ms: float = inf
        """When the last of these was; no other was created before it, as long as they are listed so."""
        self._is_newest_first = True
        self.items: list[Found] = []
        """What was read so far, each id once."""
        self.warnings: tuple[str, ...] = ()

    @property
    def listed(self) -> int:
        """Connections that were shown so far, each once, whatever their kind."""
        return len(self._ids)

    def reached(self, until_ms: int | None, following: str | None) -> str | ListingFault | None:
        """
        Whether a reading of the newest first may end here.

        Args:
            until_ms: Nothing that was created before it is wanted; None: no clock tells.
            following: The next page's token.

        Returns:
            None at the end; else the token, or the fault `order_lost`.
        """
        if until_ms is None or not self._is_newest_first or self._timed < self.listed:
            return ListingFault(code="order_lost", detail="the newest are not listed first")
        return None if self._oldest_ms < until_ms else following

    def take(self, response: Response) -> str | ListingFault | None:
        """
        Take a page in.

        Args:
            response: The answer to the request for the page; status 200.

        Returns:
            The token of the next page as it stands in the link, percent-encoded; None at the end;
            or why the listing has failed.
        """
        if response.body_fault:
            return ListingFault(
                code=f"body_{response.body_fault}", detail="a page could not be read whole"
            )
        body = json_object(response)
        items = body.get("items")
        if not body:
            return ListingFault(code="not_json", detail="a page is no JSON object")
        if not isinstance(items, list):
            return ListingFault(code="no_items", detail="a page has no items")
        for item in items:
            found = self._read(item, self._org_id, self._sandbox)
            if isinstance(found, ListingFault):
                return found
            if not self._keep(found):
                return ListingFault(code="bad_item", detail="one id stands for two connections")
        token = self._next(body)
        return self._ended() if token is None else token

    def _keep(self, found: Found) -> bool:
        """Keep an item; False where its id is another's, so that nothing is proven by ids any more."""
        told_apart_by, created_at_ms = found.told_apart_by, found.created_at_ms
        if told_apart_by in self._ids:
            return self._came_before(found)
        self._ids.add(told_apart_by)
        if created_at_ms is not None:
            self._timed += 1
            self._is_newest_first = self._is_newest_first and created_at_ms <= self._oldest_ms
            self._oldest_ms = created_at_ms
        if _is_kept(found):
            self.items.append(found)
        return True

    def _came_before(self, again: Found) -> bool:
        # Pages shift while objects are created, so one may come twice; that is seldom enough for a search.
        for found in self.items:
            if found.told_apart_by == again.told_apart_by:
                was, is_now = (
                    (found.marker, found.created_at_ms),
                    (again.marker, again.created_at_ms),
                )
                return was == is_now
        return not _is_kept(again)

    def _next(self, body: Mapping[str, Any]) -> str | ListingFault | None:
        links = body.get("_links")
        link = links.get("next") if isinstance(links, dict) else links
        href = link.get("href") if isinstance(link, dict) else link
        if not href:
            return None
        token = self._token_in(href)
        if isinstance(token, str):
            if token in self._tokens:
                return ListingFault(code="token_repeated", detail="a continuation token came twice")
            self._tokens.add(token)
            if len(self._tokens) >= MOST_PAGES:
                return ListingFault(code="endless", detail=f"more than {MOST_PAGES} pages")
        return token

    def _token_in(self, href: object) -> str | ListingFault:
        token = token_of(href)
        if token is None:
            return ListingFault(
                code="no_next_token", detail="the next link has no continuation token"
            )
        # Only the token is used, at the address that we know: behind some gateways the link names an
        # inner host, and a sandbox of more than one page could never be read.
        if self._is_foreign(str(href)):
            self.warnings = (
                "The next link of the listing names another address; it was not used.",
            )
        return token

    def _is_foreign(self, href: str) -> bool:
        try:
            to = urlsplit(href)
            return bool(to.netloc) and _origin(to, self._origin[0]) != self._origin
        except ValueError:
            return True

    def _ended(self) -> ListingFault | None:
        # NOTE: the count was asked before the first page. What we create meanwhile can only add
        # ids, so our own work never makes a listing incomplete; another's delete does, and the
        # next listing heals that.
        if self._counted is not None and len(self._ids) < self._counted:
            detail = f"{len(self._ids)} connections listed, {self._counted} counted"
            return ListingFault(code=FEWER_THAN_COUNTED, detail=detail)
        return None


def _is_kept(found: Found) -> bool:
    """Whether rows are compared by it."""
    return found.is_our_kind or found.marker is not None


def token_of(href: object) -> str | None:
    """The continuation token in a link, percent-encoded as it stands there; None where it has none."""
    found = _TOKEN.search(href) if isinstance(href, str) else None
    # Kept as it is encoded there: a bare `+` would not survive decoding and encoding.
    return quote(found[1], safe=_SAFE_IN_QUERY) if found is not None and found[1] else None


def read_count(response: Response) -> int | None:
    """What `count=true` answered; None where the service does not offer it."""
    count = json_object(response).get("count") if response.status == HTTPStatus.OK else None
    return count if isinstance(count, int) and not isinstance(count, bool) else None


def read_date_ms(response: Response) -> int | None:
    """The service's clock as it answered, in milliseconds since 1970."""
    try:
        served_at = parsedate_to_datetime(response.headers.get("date", ""))
    except (ValueError, TypeError, OverflowError):
        return None
    if served_at.tzinfo is None:
        served_at = served_at.replace(tzinfo=UTC)
    return int(served_at.timestamp() * 1000)


def _origin(url: SplitResult, scheme: str = "") -> tuple[str, str | None, int]:
    """
    Scheme, host and port, by which two URLs are of one host.

    Raises:
        ValueError: The port is no number.
    """
    scheme = url.scheme or scheme
    return (scheme, url.hostname, url.port or (443 if scheme == "https" else 80))
