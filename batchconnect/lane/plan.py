"""
One lane's plan, carried out as it is made: what is settled is written down, the rest is handed on.

Nothing is held back until the plan is whole: a row that is to be sent may go while its sandbox's other
rows are still being decided.
"""

from collections.abc import Awaitable, Callable, Sequence, Set as AbstractSet
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

import anyio
from anyio.lowlevel import checkpoint

from batchconnect.flow_service.completeness import UNPROVEN
from batchconnect.flow_service.listing import Listing
from batchconnect.lane.decision import Decided, Send, SendKey, Settle, SettleFirst
from batchconnect.lane.lane import LEASE_LOST, LEDGER_FAILED, LEDGER_GONE, SOMEBODY_ELSE, Lane
from batchconnect.lane.planner import Known, Rules, decide
from batchconnect.lane.strangers import Arrived, arrived, must_wait, strangers_in
from batchconnect.lane.whole_listing import (
    NOT_REACHED,
    keeps_order,
    read_newer,
    read_sandbox,
    unproven_warning,
)
from batchconnect.ledger.entry import LEFT, Left, Line, Settled
from batchconnect.ledger.row_state import RowState
from batchconnect.ledger.run_writer import RunWriter
from batchconnect.model.contact import is_of_contact
from batchconnect.model.errors import LaneLostError, LedgerError, LedgerGoneError, SheetError
from batchconnect.model.event import (
    Event,
    FaultMet,
    LanePaused,
    LaneStopped,
    RowSettled,
    SandboxListed,
)
from batchconnect.model.fault import INTERNAL_FAULT, TITLE, Fault, fault_of
from batchconnect.model.value import Value
from batchconnect.validation.connection import BaseConnection

_AT_ONCE: Final = 4
"""Sandboxes of a lane that are planned side by side. What stands in them is held in memory meanwhile;
more of them are not sooner read, for they share the lane's pace."""
_MOST_READING: Final = 1 / 5
"""Share of a lane's time for which a sandbox is read again."""
_FIRST_LOOKS_S: Final = 5.0
"""Seconds for which a lane's first row waits at most until the first sandboxes of its lane were read."""
_CHUNK: Final = 500
"""Rows decided between two commits, and between two turns of the other tasks."""

Load = Callable[[int], BaseConnection]
"""Reads a row again by its place. A `SheetError` says that the sheet changed."""


class Waiting(Value):
    """A row that is to be sent; its cells, secret included, are read when its turn comes."""

    offset: int
    number: int = 1
    """Which send of the row it will be."""
    warnings: tuple[str, ...] = ()
    is_begun: bool = False
    """Its turn had come before, here or in an earlier process: it counts already among the rows that were begun."""
    key_to: SendKey | None = None
    """Where its key is to be sent; None: it is to be created."""


@dataclass(slots=True, kw_only=True)
class _Planned:
    """A sandbox that was read."""

    offsets: Sequence[int]
    read_at_s: float
    """When that began, by the running loop's clock."""
    strangers: Listing
    """What was seen there, read again, that this ledger never sent."""
    late: set[str] = field(default_factory=set)
    """Markers that were seen there, read again, of rows that were to be sent once more."""
    keeps_order: bool = True
    """Whether the service lists its newest connections first: then it is read down to the last reading alone."""
    took_s: float = 0.0
    """What reading it again took, where the whole has to be read."""
    looking: anyio.Lock = field(default_factory=anyio.Lock)
    """Held by whoever reads it again."""


class LanePlan:
    """
    Decides for each of a lane's rows, sandbox by sandbox.

    Args:
        lane: Whose sandboxes are read.
        load: Reads a row again.
        ledger: The run writer.
        known: What the ledger knew before.
        rules: How the plan judges.
        send: Told of each row that is to be sent.
        settle_first: Told of each row that an earlier process left in doubt.
        on_event: Told of everything.
        on_broken: Told that the ledger cannot be written.
    """

    def __init__(
        self,
        *,
        lane: Lane,
        load: Load,
        ledger: RunWriter,
        known: Known,
        rules: Rules,
        send: Callable[[Waiting], None],
        settle_first: Callable[[Decided, RowState], Awaitable[None]],
        on_event: Callable[[Event], None],
        on_broken: Callable[[LedgerError], None],
    ) -> None:
        self._lane = lane
        self._load = load
        self._ledger = ledger
        self._known = known
        self._rules = rules
        self._send = send
        self._settle_first = settle_first
        self._on_event = on_event
        self._on_broken = on_broken
        self._free = anyio.Semaphore(_AT_ONCE)
        self._at_work: set[anyio.CancelScope] = set()
        self._on_hold = 0
        self._looks = 0
        self._are_looked_at = False
        self._looked = anyio.Event()
        self._planned: dict[str, _Planned] = {}
        self._sent_before: set[str] = set()
        """Markers of rows that are to be sent once more."""

    def stop(self) -> None:
        """Plan no further: what would be found would not be acted upon."""
        for scope in self._at_work:
            scope.cancel()

    async def carry_out(self, sandbox: str, offsets: Sequence[int]) -> None:
        """
        Read one sandbox, and decide for its rows.

        Args:
            sandbox: Its name.
            offsets: Where its rows stand in the sheet.
        """
        with anyio.CancelScope() as scope:
            self._at_work.add(scope)
            try:
                async with self._free:
                    listing = await self._read(sandbox)
                    # Who creates nothing cannot be too early.
                    may_wait = listing.complete and self._rules.creates
                    waits = may_wait and await must_wait(
                        offsets, listing, load=self._load, known=self._known, rules=self._rules
                    )
                    # Before the others may send: they would be too early by then.
                    self._on_hold += waits
                    self._is_looked_at()
                    if not waits:
                        await self._act_upon(listing, offsets, self._send)
                if waits:
                    before = frozenset(listing.by_marker)
                    del listing
                    await self._look_later(sandbox, offsets, before)
            except SheetError as error:
                self._lane.stop(sheet_changed(self._lane, error))
            except LedgerError as error:
                self._on_broken(error)
            except Exception as error:  # noqa: BLE001 - a fault of ours costs this sandbox, no other
                fault = fault_of(error)
                org = self._lane.org.key
                self._on_event(FaultMet(fault=fault, where="plan", org=org, sandbox=sandbox))
                self._lane.stop_sandbox(stopped_by(fault, self._lane, sandbox))
            finally:
                self._at_work.discard(scope)

    @property
    def is_on_hold(self) -> bool:
        """Whether the lane sends nothing for now, in no sandbox: others may be creating its rows."""
        return bool(self._on_hold) or not self._are_looked_at

    async def until_looked_at(self, sandboxes: int) -> None:
        """
        Wait until the first sandboxes were read; whether others are at work may show in any of them.

        Args:
            sandboxes: How many there are. One that is slow to read holds up the lane for some seconds only.
        """
        with anyio.CancelScope() as scope:
            self._at_work.add(scope)
            with anyio.move_on_after(_FIRST_LOOKS_S):
                while self._looks < min(sandboxes, _AT_ONCE):
                    self._looked = anyio.Event()
                    await self._looked.wait()
        self._at_work.discard(scope)
        self._are_looked_at = True

    def _is_looked_at(self) -> None:
        self._looks += 1
        self._looked.set()

    async def _look_later(
        self, sandbox: str, offsets: Sequence[int], before: AbstractSet[str]
    ) -> None:
        """Read the sandbox a settle window later; where rows of ours have come, nothing is sent."""
        # The other sandboxes' rows wait too: who creates these may come to those next.
        try:
            await self._wait_settled()
            held: list[Waiting] = []
            async with self._free:
                listing = await self._read(sandbox)
                await self._act_upon(listing, offsets, held.append)
                came = None
                if held:
                    came = await arrived(
                        offsets, listing, load=self._load, known=self._known, before=before
                    )
        finally:
            self._on_hold -= 1
        if came is not None:
            self._lane.stop(somebody_else(self._lane, came))
        for waiting in held:
            self._send(waiting)

    async def is_absent_still(self, connection: BaseConnection) -> bool:
        """
        Whether a row may be sent whose plan may have grown old meanwhile.

        A plan tells nothing of what others did since. Older than the settle window, its sandbox is read
        again before another row of it goes; a row that others made by then stops the lane. Whether the row's own
        create has come after all, `has_come` says.
        """
        sandbox = connection.sandbox
        one = self._planned[sandbox]
        if self._is_old(one) and not await self._read_again(sandbox, one):
            return False
        if self.has_come(connection) or connection.marker not in one.strangers.by_marker:
            return True
        came = await arrived(one.offsets, one.strangers, load=self._load, known=self._known)
        if came is not None:
            self._lane.stop(somebody_else(self._lane, came))
        return False

    def send_again(self, marker: str) -> None:
        """A row is to be sent once more: whoever reads its sandbox again looks whether it has come after all."""
        self._sent_before.add(marker)
        for one in self._planned.values():
            one.late.discard(marker)  # its absence was proven since

    def has_come(self, connection: BaseConnection) -> bool:
        """Whether a row that is to be sent once more stood there when its sandbox was last read again."""
        return connection.marker in self._planned[connection.sandbox].late

    def _is_old(self, one: _Planned) -> bool:
        # Where the whole has to be read, and that takes minutes, most of the time is for the rows all the same.
        lasts_s = max(self._rules.settle_s, one.took_s / _MOST_READING)
        return self._lane.time_s() - one.read_at_s > lasts_s

    async def _read_again(self, sandbox: str, one: _Planned) -> bool:
        """Whether its rows may be sent still; whoever comes meanwhile waits for the one reading."""
        async with one.looking:
            if self._is_old(one):
                paused_s = self._lane.paused_s
                async with self._free:
                    listing = await self._read_on(sandbox, one)
                if not listing.complete:
                    self._tell_listed(listing)
                    self._give_up(listing)
                    return False
                one.strangers = await strangers_in(listing, self._known, one.strangers)
                one.late |= self._sent_before & listing.by_marker.keys()
                if not one.keeps_order:
                    # What the service had the lane wait for is no reading.
                    took_s = self._lane.time_s() - listing.began_s
                    one.took_s = took_s - (self._lane.paused_s - paused_s)
                # Last: from now on nobody waits for what is known of them.
                one.read_at_s = listing.began_s
        return True

    async def _read_on(self, sandbox: str, one: _Planned) -> Listing:
        """What came since it was read, as far back as a listing may lag; or all of it, where there is no other way."""
        if one.keeps_order:
            newer = await read_newer(
                self._lane,
                sandbox,
                age_s=lambda: self._lane.time_s() - one.read_at_s + self._rules.settle_s,
            )
            one.keeps_order = keeps_order(newer)
            is_enough = newer.fault is None or newer.fault.code != NOT_REACHED
            if one.keeps_order and is_enough:
                return newer
        return await self._read(sandbox)

    async def _act_upon(
        self, listing: Listing, offsets: Sequence[int], send: Callable[[Waiting], None]
    ) -> None:
        self._tell_listed(listing)
        self._planned[listing.sandbox] = _Planned(
            offsets=offsets,
            read_at_s=listing.began_s,
            strangers=Listing(sandbox=listing.sandbox),
        )
        if not listing.complete:
            self._give_up(listing)
        elif not listing.items and self._known.is_blank and self._rules.creates_all:
            # Nothing stands there, and nothing was ever sent: no row need be looked at.
            await self._send_all(offsets, unproven_warning(listing), send)
        else:
            await self._decide_all(offsets, listing, send)

    async def _read(self, sandbox: str) -> Listing:
        return await read_sandbox(self._lane, sandbox, accept_unproven=self._rules.accept_unproven)

    async def _send_all(
        self,
        offsets: Sequence[int],
        warnings: tuple[str, ...],
        send: Callable[[Waiting], None],
    ) -> None:
        for start in range(0, len(offsets), _CHUNK):
            for offset in offsets[start : start + _CHUNK]:
                send(Waiting(offset=offset, warnings=warnings))
            await checkpoint()

    async def _decide_all(
        self, offsets: Sequence[int], listing: Listing, send: Callable[[Waiting], None]
    ) -> None:
        rows = 0
        lines: list[Line] = []
        told: list[Event] = []
        decisions = decide(
            offsets,
            listing,
            load=self._load,
            reads=self._lane,
            known=self._known,
            rules=self._rules,
        )
        async with aclosing(decisions):
            async for decided in decisions:
                await self._act(decided, lines, told, send)
                rows += 1
                if rows % _CHUNK == 0:
                    await self._write(lines, told)
        await self._write(lines, told)

    async def _act(
        self,
        decided: Decided,
        lines: list[Line],
        told: list[Event],
        send: Callable[[Waiting], None],
    ) -> None:
        connection = decided.connection
        row, marker = connection.row, connection.marker
        match decided.decision:
            case Send(warnings=warnings):
                spent = self._known.sends.get(marker)
                if spent:
                    self.send_again(marker)
                waiting = Waiting(
                    offset=decided.offset,
                    number=1 + (spent or 0),
                    warnings=warnings,
                    is_begun=spent is not None,
                )
                send(waiting)
            case SendKey(first=RowState() as state):
                await self._settle_first(decided, state)
            case SendKey() as key_to:
                send(Waiting(offset=decided.offset, key_to=key_to))
            case Settle(outcome=outcome, warnings=warnings):
                is_change = not self._rules.creates or marker in self._known.rotating
                if is_change and isinstance(outcome, LEFT):
                    # What became of the identity's create is no matter of its key.
                    lines.append(self._ledger.line(Left(outcome=outcome), row=row))
                else:
                    settled = Settled(outcome=outcome, warnings=warnings)
                    lines.append(self._ledger.line(settled, row=row, marker=marker))
                org, sandbox = self._lane.org.key, connection.sandbox
                told.append(RowSettled(row=row, org=org, sandbox=sandbox, outcome=outcome))
            case SettleFirst(state=state):  # the last case
                await self._settle_first(decided, state)

    async def _write(self, lines: list[Line], told: list[Event]) -> None:
        if lines:
            await self._ledger.write(lines)
        for event in told:
            self._on_event(event)
        lines.clear()
        told.clear()
        await checkpoint()

    def _give_up(self, listing: Listing) -> None:
        sandbox = listing.sandbox
        if listing.refusal is not None:
            self._lane.refuse(listing.refusal, sandbox)
        elif listing.fault is not None and not self._lane.is_stopped:
            if is_of_contact(listing.fault.code) and not self._lane.has_contact:
                self._lane.unreached(listing.fault.code, listing.fault.detail)
                return
            is_unproven = listing.fault.code == UNPROVEN
            self._lane.stop_sandbox(
                LaneStopped(
                    org=self._lane.org.key,
                    sandbox=sandbox,
                    code=UNPROVEN if is_unproven else "listing_failed",
                    title="Nothing proves that the listing is whole"
                    if is_unproven
                    else "The sandbox could not be read",
                    detail=f"{listing.fault.code}: {listing.fault.detail}",
                )
            )

    async def _wait_settled(self) -> None:
        settle_s = self._rules.settle_s
        self._on_event(
            LanePaused(
                org=self._lane.org.key,
                host=self._lane.host,
                pause_s=settle_s,
                reason="waits_for_settle",
            )
        )
        await anyio.sleep(settle_s)

    def _tell_listed(self, listing: Listing) -> None:
        why = listing.refusal or listing.fault
        self._on_event(
            SandboxListed(
                org=self._lane.org.key,
                sandbox=listing.sandbox,
                connections=len(listing.items),
                complete=listing.complete,
                detail=why.detail if why else "; ".join(listing.warnings),
                code=why.code if why else "",
            )
        )


def sheet_changed(lane: Lane, error: SheetError) -> LaneStopped:
    """Why a lane stops whose rows can no longer be read as they were judged."""
    return LaneStopped(
        org=lane.org.key,
        sandbox=None,
        code="sheet_changed",
        title="The sheet changed during the run",
        detail=error.message,
    )


def somebody_else(lane: Lane, came: Arrived) -> LaneStopped:
    """Why a lane stops whose rows others create as well."""
    return LaneStopped(
        org=lane.org.key,
        sandbox=None,
        code=SOMEBODY_ELSE,
        title="Somebody else is creating the rows of this sheet",
        detail=came.detail,
    )


def unwritable(lane: Lane, error: LedgerError) -> LaneStopped:
    """Why a lane stops whose intents cannot be written: without a durable one nothing may be sent."""
    code, title = LEDGER_FAILED, "The ledger could not be written"
    if isinstance(error, LedgerGoneError):
        code, title = LEDGER_GONE, "The ledger is gone"
    elif isinstance(error, LaneLostError):
        code, title = LEASE_LOST, "Another worker holds the lane by now"
    return LaneStopped(org=lane.org.key, sandbox=None, code=code, title=title, detail=error.message)


def stopped_by(fault: Fault, lane: Lane, sandbox: str | None = None) -> LaneStopped:
    """Why a lane, or one sandbox of it, stops that an error of our own lets go no further."""
    return LaneStopped(
        org=lane.org.key,
        sandbox=sandbox,
        code=INTERNAL_FAULT,
        title=TITLE,
        detail=fault.label,
    )
