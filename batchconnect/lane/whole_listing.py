"""A sandbox, read again until its listing is whole, or a person takes it for that."""

from typing import Final, Protocol

from batchconnect.flow_service.completeness import UNPROVEN
from batchconnect.flow_service.listing import Listing
from batchconnect.model.value import replace

_UNPROVEN_ACCEPTED: Final = (
    "created although nothing proved that the listing of its sandbox is whole"
    " (--accept-unproven-listing): it may stand there twice"
)
_READINGS: Final = 3
"""Readings of a sandbox before it counts as unreadable; each request in them is retried by itself."""


class Lists(Protocol):
    """What reads a sandbox; a lane does."""

    async def list(self, sandbox: str) -> Listing:
        """One reading of a sandbox."""
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
    listing = await reads.list(sandbox)
    for _ in range(_READINGS - 1):
        if listing.complete or listing.refusal is not None:
            break
        if listing.fault is not None and listing.fault.code == UNPROVEN:
            break  # it was tried three times already, in two orders
        listing = await reads.list(sandbox)
    if accept_unproven and listing.fault is not None and listing.fault.code == UNPROVEN:
        return replace(listing, fault=None, warnings=(*listing.warnings, _UNPROVEN_ACCEPTED))
    return listing


def is_proven(listing: Listing) -> bool:
    """Whether the service, and not a person, says that a complete listing is whole."""
    return _UNPROVEN_ACCEPTED not in listing.warnings


def unproven_warning(listing: Listing) -> tuple[str, ...]:
    """What every row has to say that is created by a listing which nothing proved."""
    return () if is_proven(listing) else (_UNPROVEN_ACCEPTED,)
