"""
The sweep at the end of a run that had doubts: every marker of the run is compared with the service.

What the listing does not show yet is waited for as long as it may lag, then asked for by its id; only
then it counts as missing.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import anyio

from batchconnect.flow_service import NotFound, Unreadable
from batchconnect.flow_service.listing import Listing
from batchconnect.lane.planner import Reads
from batchconnect.ledger.row_state import RowState
from batchconnect.model.event import FaultMet, Swept
from batchconnect.model.fault import fault_of
from batchconnect.model.outcome import Created, Existing

_LOOKS: Final = 4
"""Listings over the lag, at the most."""


@dataclass(slots=True)
class Expected:
    """What one sandbox should show."""

    ids: dict[str, str] = field(default_factory=dict)
    """Connection id by marker, of rows that have a connection."""
    markers: set[str] = field(default_factory=set)
    """All markers of the run: none may be borne twice."""


def expected(rows: Iterable[RowState]) -> dict[tuple[str, str], Expected]:
    """What each (org, sandbox) should show, by what the ledger says of the run's rows."""
    sandboxes: dict[tuple[str, str], Expected] = {}
    for row in rows:
        if row.planned is None or row.marker is None:
            continue
        sandbox = sandboxes.setdefault((row.planned.org, row.planned.sandbox), Expected())
        sandbox.markers.add(row.marker)
        match row.outcome:
            case Created(connection_id=connection_id):
                sandbox.ids[row.marker] = connection_id
            case Existing(connection_id=connection_id, matched_by="marker"):
                sandbox.ids[row.marker] = connection_id
            case _:
                pass
    return sandboxes


async def sweep(
    reads: Mapping[str, Reads],
    sandboxes: Mapping[tuple[str, str], Expected],
    *,
    lag_s: float,
    on_fault: Callable[[FaultMet], None] = lambda event: None,
) -> Swept:
    """
    Compare all sandboxes with what they should show.

    Args:
        reads: The lane of each org.
        sandboxes: By (org, sandbox).
        lag_s: L, how long a listing may lag behind the last create.
        on_fault: Told of each error of our own; its sandbox then counts as one that could not be read.
    """
    results: list[Swept] = []

    async def one(org: str, sandbox: str, want: Expected) -> None:
        try:
            swept = await _sweep_one(reads[org], sandbox, want, lag_s=lag_s)
        except Exception as error:  # noqa: BLE001 - a look that fails changes nothing of what is done
            on_fault(FaultMet(fault=fault_of(error), where="sweep", org=org, sandbox=sandbox))
            swept = Swept(
                expected=len(want.ids), found=0, duplicated=(), missing=(), complete=False
            )
        results.append(swept)

    async with anyio.create_task_group() as tasks:
        for (org, sandbox), want in sandboxes.items():
            tasks.start_soon(one, org, sandbox, want)
    return Swept(
        expected=sum(len(want.ids) for want in sandboxes.values()),
        found=sum(result.found for result in results),
        duplicated=tuple(sorted(m for result in results for m in result.duplicated)),
        missing=tuple(sorted(m for result in results for m in result.missing)),
        complete=all(result.complete for result in results),
    )


async def _sweep_one(reads: Reads, sandbox: str, want: Expected, *, lag_s: float) -> Swept:
    began = anyio.current_time()
    listing = await reads.list(sandbox)
    for look in range(1, _LOOKS + 1):
        if listing.refusal is not None or (listing.complete and not _absent(listing, want)):
            break
        await anyio.sleep(max(0.0, began + lag_s * look / _LOOKS - anyio.current_time()))
        listing = await reads.list(sandbox)
    absent = _absent(listing, want)
    missing: list[str] = []
    unread: list[str] = absent
    if listing.complete:
        asked = {marker: await reads.get(sandbox, want.ids[marker]) for marker in absent}
        missing = [marker for marker, found in asked.items() if isinstance(found, NotFound)]
        # What was not answered is not known to be missing.
        unread = [marker for marker, found in asked.items() if isinstance(found, Unreadable)]
    return Swept(
        expected=len(want.ids),
        found=len(want.ids) - len(missing) - len(unread),
        duplicated=tuple(_duplicated(listing, want)),
        missing=tuple(missing),
        complete=listing.complete and not unread,
    )


def _absent(listing: Listing, want: Expected) -> list[str]:
    shown = {found.id.lower() for found in listing.items}
    return [
        marker
        for marker, connection_id in want.ids.items()
        if connection_id.lower() not in shown and marker not in listing.by_marker
    ]


def _duplicated(listing: Listing, want: Expected) -> list[str]:
    borne = Counter(found.marker for found in listing.items if found.marker in want.markers)
    return [str(marker) for marker, times in borne.items() if times > 1]
