"""A sandbox, read again until its listing is whole, or a person takes it for that; and what came to it since."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, Protocol

from batchconnect.flow_service.completeness import UNPROVEN
from batchconnect.flow_service.listing import Listing, ListingFault
from batchconnect.model.value import replace

_UNPROVEN_ACCEPTED: Final = (
    "created although nothing proved that the listing of its sandbox is whole"
    " (--accept-unproven-listing): it may stand there twice"
)
_READINGS: Final = 3
"""Readings of a sandbox before it counts as unreadable; each request in them is retried by itself."""


_NO_ORDER: Final = frozenset({"order_lost", "http-400", "FLOW-1432-400", "FLOW-1433-400"})
"""Faults of a listing in an order of ours that the service does not keep, or does not know."""


NOT_REACHED: Final = "not_reached"
"""The fault of a listing of the newest that shows nothing older."""


class Lists(Protocol):
    """What reads a sandbox; a lane does."""

    async def list(self, sandbox: str) -> Listing:
        """One reading of a sandbox."""
        ...


class ListsNewest(Protocol):
    """What reads on in a sandbox; a lane does."""

    async def newest(self, sandbox: str, *, age_s: float) -> Listing:
        """What was created in the last so many seconds."""
        ...


async def read_sandbox(reads: Lists, sandbox: str, *, accept_unproven: bool = False) -> Listing:
    """
    Read all that stands in a sandbox; a reading that fails is repeated.

    Args:
        reads: The lane.
        sandbox: Which.
        accept_unproven: Whether a person said that a listing which nothing proves is to be believed.

    Returns:
        A complete listing, or the last one that failed.
    """
    listing = await _repeated(partial(reads.list, sandbox))
    if accept_unproven and listing.fault is not None and listing.fault.code == UNPROVEN:
        return replace(listing, fault=None, warnings=(*listing.warnings, _UNPROVEN_ACCEPTED))
    return listing


async def read_newer(reads: ListsNewest, sandbox: str, *, age_s: Callable[[], float]) -> Listing:
    """
    Read what came to a sandbox in the last so many seconds; a reading that fails is repeated.

    Args:
        reads: The lane.
        sandbox: Which.
        age_s: Asked as each reading begins: one that failed may have taken minutes.

    Returns:
        A listing; its fault is `not_reached` where it ends without anything older, so that nothing tells it from
        one that was cut, and the whole, which brings a proof of its own, has to be read.
    """
    seconds = 0.0

    async def read() -> Listing:
        nonlocal seconds
        seconds = age_s()
        return await reads.newest(sandbox, age_s=seconds)

    listing = await _repeated(read)
    if not listing.complete or _reaches(listing, seconds):
        return listing
    return replace(listing, fault=ListingFault(code=NOT_REACHED, detail="nothing older is shown"))


def _reaches(listing: Listing, age_s: float) -> bool:
    """Whether a listing shows something that is older."""
    first_ms = listing.served_first_ms
    return first_ms is not None and any(
        found.created_at_ms is not None and first_ms - found.created_at_ms > age_s * 1000
        for found in reversed(listing.items)
    )


def keeps_order(listing: Listing) -> bool:
    """Whether the service listed the newest first, as it was asked."""
    return listing.fault is None or listing.fault.code not in _NO_ORDER


async def _repeated(read: Callable[[], Awaitable[Listing]]) -> Listing:
    listing = await read()
    for _ in range(_READINGS - 1):
        if listing.complete or listing.refusal is not None or not keeps_order(listing):
            break
        if listing.fault is not None and listing.fault.code == UNPROVEN:
            break  # it was tried three times already, in two orders
        listing = await read()
    return listing


def is_proven(listing: Listing) -> bool:
    """Whether the service, and not a person, says that a complete listing is whole."""
    return _UNPROVEN_ACCEPTED not in listing.warnings


def unproven_warning(listing: Listing) -> tuple[str, ...]:
    """What every row has to say that is created by a listing which nothing proved."""
    return () if is_proven(listing) else (_UNPROVEN_ACCEPTED,)
