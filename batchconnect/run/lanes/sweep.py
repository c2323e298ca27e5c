"""
The sweep at the end of a run that created something: every marker of the run is compared with the service.

Each marker stands there once, and on the connection whose id was answered, whoever doubled it. The newest
connections are read, down to ten minutes before the run's first create; the whole sandbox only where the
service does not keep to that order. What is not shown is waited for only as long as a listing may lag, and
only where that can change something; then it is asked for by its id.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

import anyio

from batchconnect.flow_service import NotFound, Unreadable
from batchconnect.flow_service.listing import Found, Listing
from batchconnect.lane.whole_listing import keeps_order
from batchconnect.ledger.row_state import RowState
from batchconnect.ledger.run_state import together
from batchconnect.model.event import FaultMet, Swept
from batchconnect.model.fault import fault_of
from batchconnect.model.outcome import Created, Existing
from batchconnect.model.value import Value, replace
from batchconnect.run.stop import Stop

_AT_ONCE: Final = 4
"""Sandboxes of a lane that are read side by side: what stands in them is held in memory meanwhile."""
_LOOKS: Final = 4
"""Listings over the lag, at the most."""
EARLIER_S: Final = 600.0
"""Seconds before the first create from which on the listing is read: clocks differ, requests are repeated."""


class Reads(Protocol):
    """What a sweep asks of the service; a lane offers it."""

    async def list(self, sandbox: str) -> Listing:
        """One reading of a sandbox."""
        ...

    async def newest(self, sandbox: str, *, age_s: float) -> Listing:
        """What was created in the last so many seconds."""
        ...

    async def get(self, sandbox: str, connection_id: str) -> Found | NotFound | Unreadable:
        """One connection."""
        ...


@dataclass(slots=True)
class Expected:
    """What one sandbox should show."""

    ids: dict[str, str] = field(default_factory=dict)
    """Connection id by marker, of rows that this run created."""
    rows: dict[str, int] = field(default_factory=dict)
    """Their numbers."""
    markers: set[str] = field(default_factory=set)
    """All markers of the run, but of what stood there before it: none may be borne twice."""
    first_ms: int | None = None
    """When the first of them was sent, by our clock, in milliseconds since 1970."""
    last_ms: int = 0
    """When the last of them was answered, or sent where no answer came."""
    had_doubts: bool = False
    """Whether an answer was lost: what was sent may still arrive."""

    def add(self, row: RowState, marker: str) -> None:
        """Expect what became of a row."""
        self.markers.add(marker)
        if not (row.sends or row.doubts):
            return
        was_in_doubt = row.doubts > 0 or row.is_open
        self.had_doubts |= was_in_doubt
        started_ms, ended_ms = row.started_at_ms or 0, row.finished_at_ms or 0
        if started_ms:
            self.first_ms = min(self.first_ms or started_ms, started_ms)
        # A doubt is settled by a look, long after it was sent: what a listing may lag counts from the sending.
        self.last_ms = max(self.last_ms, started_ms if was_in_doubt else ended_ms)
        if isinstance(row.outcome, Created) and not row.is_open:
            self.ids[marker] = row.outcome.connection_id
            self.rows[marker] = row.number


class SandboxSweep(Value):
    """What the sweep of one sandbox found, and what follows for its rows."""

    org: str
    sandbox: str
    swept: Swept
    corrected: Mapping[str, Found] = {}  # msgspec makes an empty one anew
    """By marker: the connection that bears it, where the id of another one was answered."""
    lost: tuple[str, ...] = ()
    """Markers that nothing bears as far as was shown, though an id was answered: it is another connection's."""


def expected(rows: Iterable[RowState]) -> dict[tuple[str, str], Expected]:
    """
    What each (org, sandbox) should show in which this run may have created something.

    What stood there before it is left out: the plan saw it, and a sheet may have a million such rows.
    """
    sandboxes: dict[tuple[str, str], Expected] = {}
    for row in rows:
        if row.planned is None or row.marker is None or isinstance(row.outcome, Existing):
            continue
        where = (row.planned.org, row.planned.sandbox)
        sandboxes.setdefault(where, Expected()).add(row, row.marker)
    return {where: want for where, want in sandboxes.items() if want.ids or want.had_doubts}


async def sweep(
    reads: Mapping[str, Reads],
    sandboxes: Mapping[tuple[str, str], Expected],
    *,
    lag_s: float,
    now_ms: int,
    on_fault: Callable[[FaultMet], None] = lambda event: None,
) -> list[SandboxSweep]:
    """
    Compare all sandboxes with what they should show.

    Args:
        reads: The lane of each org.
        sandboxes: By (org, sandbox).
        lag_s: L, how long a listing may lag behind the last create.
        now_ms: The moment, in milliseconds since 1970.
        on_fault: Told of each error of our own; its sandbox then counts as one that could not be read.
    """
    results: list[SandboxSweep] = []
    free = {org: anyio.Semaphore(_AT_ONCE) for org, _sandbox in sandboxes}

    async def one(org: str, sandbox: str, want: Expected) -> None:
        async with free[org]:
            results.append(await look(org, sandbox, want))

    async def look(org: str, sandbox: str, want: Expected) -> SandboxSweep:
        try:
            return await _Sweep(reads[org], org, sandbox, want).run(lag_s=lag_s, now_ms=now_ms)
        except Exception as error:  # noqa: BLE001 - a look that fails changes nothing of what is done
            on_fault(FaultMet(fault=fault_of(error), where="sweep", org=org, sandbox=sandbox))
            nothing = Swept(
                expected=len(want.ids), found=0, duplicated=(), missing=(), complete=False, org=org
            )
            return SandboxSweep(org=org, sandbox=sandbox, swept=nothing)

    async with anyio.create_task_group() as tasks:
        for (org, sandbox), want in sandboxes.items():
            tasks.start_soon(one, org, sandbox, want)
    return results


async def sweep_until(
    stop: Stop,
    reads: Mapping[str, Reads],
    sandboxes: Mapping[tuple[str, str], Expected],
    *,
    lag_s: float,
    now_ms: int,
    on_fault: Callable[[FaultMet], None] = lambda event: None,
) -> list[SandboxSweep] | None:
    """As `sweep`, cut off when the stop is asked for: None then, for what was seen is not the whole."""
    found: list[SandboxSweep] | None = None

    async def cut_off(scope: anyio.CancelScope) -> None:
        await stop.wait()
        scope.cancel()

    async with anyio.create_task_group() as beside:
        beside.start_soon(cut_off, beside.cancel_scope)
        found = await sweep(reads, sandboxes, lag_s=lag_s, now_ms=now_ms, on_fault=on_fault)
        beside.cancel_scope.cancel()
    return found


def by_org(results: Iterable[SandboxSweep]) -> list[Swept]:
    """The findings of each org, for its part of the report."""
    of_org: defaultdict[str, list[Swept]] = defaultdict(list)
    for result in results:
        of_org[result.org].append(result.swept)
    return [replace(together(sweeps), org=org) for org, sweeps in sorted(of_org.items())]


def _has(hits: Iterable[Found], connection_id: str) -> bool:
    """Whether one of them is the connection of an id, in whatever letter case."""
    # A loop: each row passes here twice, and `any` takes as long as all else.
    for found in hits:
        if found.id == connection_id or found.id.lower() == connection_id.lower():
            return True
    return False


class _Sweep:
    """The sweep of one sandbox."""

    def __init__(self, reads: Reads, org: str, sandbox: str, want: Expected) -> None:
        self._reads = reads
        self._org = org
        self._sandbox = sandbox
        self._want = want
        self._keeps_order = True
        self._age_s = 0.0

    async def run(self, *, lag_s: float, now_ms: int) -> SandboxSweep:
        """Look until all is shown, or as long as a listing may lag; then ask for the rest."""
        began = anyio.current_time()
        first_ms = now_ms if self._want.first_ms is None else self._want.first_ms
        self._age_s = max(0, now_ms - first_ms) / 1000 + EARLIER_S
        # What was answered long ago is shown by now: of a run that ended slowly nothing is left to wait for.
        left_s = max(0.0, lag_s - max(0, now_ms - self._want.last_ms) / 1000)
        listing = await self._look()
        for look in range(1, _LOOKS + 1):
            if listing.refusal is not None or self._is_enough(listing):
                break
            # A doubt may still be applied, twice even, so the last look counts there; else the first clean one.
            await anyio.sleep(max(0.0, began + left_s * look / _LOOKS - anyio.current_time()))
            listing = await self._look()
        return await self._judge(listing)

    async def _look(self) -> Listing:
        if self._keeps_order:
            listing = await self._reads.newest(self._sandbox, age_s=self._age_s)
            if listing.complete or listing.refusal is not None:
                return listing
            self._keeps_order = keeps_order(listing)
            if self._keeps_order:
                return listing
        return await self._reads.list(self._sandbox)

    def _is_enough(self, listing: Listing) -> bool:
        """Whether another look could show nothing that matters."""
        if not listing.complete or self._want.had_doubts:
            return False
        by_marker = listing.by_marker
        return all(
            _has(by_marker.get(marker, ()), connection_id)
            for marker, connection_id in self._want.ids.items()
        )

    async def _judge(self, listing: Listing) -> SandboxSweep:
        """
        Hold each answered id against what bears its marker.

        Cases, in order:
            1. The marker is on the connection that was answered.
            2. It is on another one: that is the row's, and the answer was wrong.
            3. It is nowhere, and the answered id is there: it is somebody else's.
            4. Neither is shown: the id is asked for.
        """
        want, by_marker = self._want, listing.by_marker
        corrected: dict[str, Found] = {}
        lost: list[str] = []
        missing: list[str] = []
        unread = 0
        unlike = {
            marker: connection_id
            for marker, connection_id in want.ids.items()
            if not _has(by_marker.get(marker, ()), connection_id)
        }
        # Most often there are none, and then nothing has to be known of ids.
        shown = {found.id.lower() for found in listing.items if found.id} if unlike else set()
        for marker, connection_id in unlike.items():
            hits = [found for found in by_marker.get(marker, ()) if found.id]
            if hits:
                corrected[marker] = hits[0]
            elif connection_id.lower() in shown:
                lost.append(marker)
            elif not listing.complete:
                unread += 1
            else:
                match await self._reads.get(self._sandbox, connection_id):
                    case Found(marker=there) if there == marker:
                        pass
                    case Found():
                        lost.append(marker)
                    case NotFound():
                        missing.append(marker)
                    case Unreadable():  # pragma: no branch - what was not answered is not known to be missing
                        unread += 1
        wrong = [*corrected, *lost]
        swept = Swept(
            expected=len(want.ids),
            found=len(want.ids) - len(wrong) - len(missing) - unread,
            duplicated=tuple(
                marker for marker in want.markers if len(by_marker.get(marker, ())) > 1
            ),
            missing=tuple(missing),
            wrong_id=tuple(wrong),
            complete=listing.complete and not unread,
            org=self._org,
        )
        return SandboxSweep(
            org=self._org,
            sandbox=self._sandbox,
            swept=swept,
            corrected=corrected,
            lost=tuple(lost),
        )
