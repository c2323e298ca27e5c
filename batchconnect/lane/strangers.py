"""
Whether somebody else is creating the rows of this sheet: another ledger, or a run whose ledger is lost.

They share no lock with us. What shows them are markers: of rows of this very sheet, in the sandbox, and
never sent by this ledger. Markers of other rows are other people's work, and none of our business.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from anyio.lowlevel import checkpoint

from batchconnect.flow_service.listing import Listing
from batchconnect.lane.decision import Send
from batchconnect.lane.planner import Known, Rules, StatesOf, first_look
from batchconnect.model.value import Value, replace
from batchconnect.validation.connection import BaseConnection

_ASKED_AT_ONCE: Final = 500
"""Markers that the ledger is asked for at once, and rows that are read between two turns of others."""

Load = Callable[[int], BaseConnection | None]
"""Reads a row again by its place; None: it is not to be looked at."""


class Arrived(Value):
    """Connections of this sheet's rows that came while we looked, and that we did not send."""

    count: int
    newest_s: float
    """Seconds since the newest was created, by the service's clock."""

    @property
    def detail(self) -> str:
        """For a person."""
        return (
            f"Somebody is creating the rows of this sheet ({self.count}, newest "
            f"{self.newest_s:.0f} s ago), or a run that died not long ago is still arriving."
        )


async def must_wait(
    offsets: Sequence[int], listing: Listing, *, load: Load, known: Known, rules: Rules
) -> bool:
    """
    Whether a sandbox has to be read again, a settle window later, before its first POST.

    Where young markers of this sheet's rows stand that the ledger never sent, more of them may be on
    their way. A sandbox in which nothing is to be created is never waited for.

    Args:
        offsets: Where its rows stand in the sheet.
        listing: A complete one.
        load: Reads a row again.
        known: What the ledger knows.
        rules: The settle window, and whether to wait in any case.

    Source:
        docs/exactly-once.md, "What breaks it".
    """
    young = await _never_sent(listing.markers_younger_than(rules.settle_s * 1000), known.states_of)
    meets, creates = rules.settle_first, False
    if not meets and not young:
        return False
    for count, offset in enumerate(offsets, start=1):
        connection = load(offset)
        if connection is not None:
            meets = meets or connection.marker in young
            creates = creates or isinstance(first_look(connection, listing, known, rules), Send)
            if meets and creates:
                return True
        if count % _ASKED_AT_ONCE == 0:
            await checkpoint()
    return False


async def arrived(
    offsets: Sequence[int],
    listing: Listing,
    *,
    load: Load,
    known: Known,
    before: Iterable[str] = (),
) -> Arrived | None:
    """
    What came to a sandbox since it was read before.

    Args:
        offsets: Where its rows stand in the sheet.
        listing: A complete one.
        load: Reads a row again.
        known: What the ledger knows.
        before: Markers that stood there before.
    """
    strangers = await _never_sent(listing.by_marker.keys() - set(before), known.states_of)
    mine: set[str] = set()
    for count, offset in enumerate(offsets if strangers else (), start=1):
        connection = load(offset)
        if connection is not None and connection.marker in strangers:
            mine.add(connection.marker)
        if count % _ASKED_AT_ONCE == 0:
            await checkpoint()
    return _arrival(mine, listing) if mine else None


async def strangers_in(listing: Listing, known: Known, before: Listing) -> Listing:
    """
    A listing without what bears no marker, or one that this ledger sent, this process included.

    Args:
        listing: What came to a sandbox since it was read before.
        known: What the ledger knows.
        before: The strangers that stood there then: they stand there still.
    """
    markers = await _never_sent(
        listing.by_marker.keys() - before.by_marker.keys(), known.states_now
    )
    items = (*before.items, *(found for found in listing.items if found.marker in markers))
    return replace(listing, items=items, listed=len(items))


def _arrival(markers: Iterable[str], listing: Listing) -> Arrived:
    ages = [
        listing.age_ms(found) / 1000 for marker in markers for found in listing.by_marker[marker]
    ]
    return Arrived(count=len(ages), newest_s=min(ages))


async def _never_sent(markers: Iterable[str], states_of: StatesOf) -> frozenset[str]:
    """Those of them that this ledger never sent."""
    asked, found = list(markers), set[str]()
    for start in range(0, len(asked), _ASKED_AT_ONCE):
        part = asked[start : start + _ASKED_AT_ONCE]
        states = await states_of(part)
        found.update(one for one in part if one not in states or states[one].sends == 0)
    return frozenset(found)
