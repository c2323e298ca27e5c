"""
What proves that a listing is whole: a count that fits, or two readings in two orders that agree.

A listing that was cut without a next link looks just like one of a smaller sandbox, and whoever takes it for
whole creates every connection beyond the cut a second time. Pure; `client` does the asking.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from batchconnect.flow_service.listing import Found, Listing, ListingFault
from batchconnect.model.value import Value

UNPROVEN: Final = "unproven_listing"
"""The code of a listing that nothing proves to be whole."""
NEWEST_FIRST, OLDEST_FIRST = "-createdAt", "createdAt"
"""The two orders (contract, section 3, `orderby`)."""


class Count(Value):
    """What `count=true` answered before a listing."""

    number: int | None
    """None: the service offers no count."""
    at_ms: int | None
    """When it said so, by its own clock; None where it does not tell."""

    def proves(self, listing: Listing) -> bool:
        """
        Whether nothing can be missing from a listing that was read to its end afterwards.

        A count below what was there before it counts something else, and proves nothing.
        """
        if self.number is None:
            return False
        older = sum(
            self.at_ms is not None
            and found.created_at_ms is not None
            and found.created_at_ms < self.at_ms
            for found in listing.items
        )
        return older <= self.number <= listing.listed


def disagreement(
    first: Listing, second: Listing, counted: int | None = None
) -> ListingFault | None:
    """
    Hold a listing against a second one in the opposite order.

    A cut takes the oldest from the one and the newest from the other, so that they agree only if neither
    was cut. What was created since the first began may stand in one of them alone.

    Args:
        first: Newest first.
        second: Oldest first, read after it.
        counted: What the service counts all the same, where that does not fit; None: it counts nothing.

    Returns:
        None: they agree. Else why nothing is proven.
    """
    if not second.complete:
        why = second.fault or second.refusal
        return _unproven(f"the second reading failed: {why.code if why else 'no answer'}")
    if not (_is_sorted(first.items, newest_first=True) and _is_sorted(second.items)):
        return _unproven("the service does not keep to the order that it is asked for")
    if counted is not None and first.listed <= min(counted - 1, 1):
        # One item, or none, is in every order: a cut may have left it so in both.
        return _unproven("fewer are listed than are counted, and too few to see in which order")
    if _older(first, first.served_first_ms) != _older(second, first.served_first_ms):
        return _unproven("two readings in two orders show different connections")
    return None


def _older(listing: Listing, before_ms: int | None) -> set[str]:
    """The ids of what was there before the first reading; all of them where no clock tells."""
    return {
        found.told_apart_by
        for found in listing.items
        if before_ms is None or found.created_at_ms is None or found.created_at_ms < before_ms
    }


def _is_sorted(items: Sequence[Found], *, newest_first: bool = False) -> bool:
    """Whether the order shows: without times, or at one time, only one item or none is in every order."""
    times = [found.created_at_ms for found in items if found.created_at_ms is not None]
    if len(items) > 1 and (len(times) < len(items) or len(set(times)) == 1):
        return False
    return all(
        earlier >= later if newest_first else earlier <= later for earlier, later in pairwise(times)
    )


def _unproven(detail: str) -> ListingFault:
    return ListingFault(code=UNPROVEN, detail=f"{detail}, and no count confirms one of them")
