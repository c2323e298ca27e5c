"""
One lane's plan, carried out as it is made: what is settled is written down, the rest is handed on.

Nothing is held back until the plan is whole: a row that is to be sent may go while its sandbox's other
rows are still being decided.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

import anyio
from anyio.lowlevel import checkpoint

from batchconnect.flow_service.completeness import UNPROVEN
from batchconnect.flow_service.listing import Listing
from batchconnect.lane.lane import Lane
from batchconnect.lane.planner import (
    Decided,
    Known,
    Rules,
    Send,
    Settle,
    SettleFirst,
    decide,
    must_wait,
    read_sandbox,
    unproven_warning,
)
from batchconnect.ledger.entry import Line, Settled
from batchconnect.ledger.row_state import RowState
from batchconnect.ledger.run_writer import RunWriter
from batchconnect.model.errors import LedgerError, SheetError
from batchconnect.model.event import (
    Event,
    FaultMet,
    LanePaused,
    LaneStopped,
    RowSettled,
    SandboxListed,
)
from batchconnect.model.fault import INTERNAL_FAULT, TITLE, Fault, fault_of
from batchconnect.validation.connection import BaseConnection

_AT_ONCE: Final = 4
"""Sandboxes of a lane that are planned side by side. What stands in them is held in memory meanwhile;
more of them are not sooner read, for they share the lane's pace."""
_CHUNK: Final = 500
"""Rows decided between two commits, and between two turns of the other tasks."""

Load = Callable[[int], BaseConnection]
"""Reads a row again by its place. A `SheetError` says that the sheet changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A row that is to be sent; its cells, secret included, are read when its turn comes."""

    offset: int
    number: int = 1
    """Which send of the row it will be."""
    warnings: tuple[str, ...] = ()


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
                    waits = listing.complete and await must_wait(
                        listing, known=self._known, rules=self._rules
                    )
                    if not waits:
                        await self._act_upon(listing, offsets)
                if waits:
                    del listing
                    await self._wait_settled()
                    async with self._free:
                        await self._act_upon(await self._read(sandbox), offsets)
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

    async def _act_upon(self, listing: Listing, offsets: Sequence[int]) -> None:
        self._tell_listed(listing)
        if not listing.complete:
            self._give_up(listing)
        elif not listing.items and self._known.is_blank:
            # Nothing stands there, and nothing was ever sent: no row need be looked at.
            await self._send_all(offsets, unproven_warning(listing))
        else:
            await self._decide_all(offsets, listing)

    async def _read(self, sandbox: str) -> Listing:
        return await read_sandbox(self._lane, sandbox, accept_unproven=self._rules.accept_unproven)

    async def _send_all(self, offsets: Sequence[int], warnings: tuple[str, ...]) -> None:
        for start in range(0, len(offsets), _CHUNK):
            for offset in offsets[start : start + _CHUNK]:
                self._send(Waiting(offset=offset, warnings=warnings))
            await checkpoint()

    async def _decide_all(self, offsets: Sequence[int], listing: Listing) -> None:
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
                await self._act(decided, lines, told)
                rows += 1
                if rows % _CHUNK == 0:
                    await self._write(lines, told)
        await self._write(lines, told)

    async def _act(self, decided: Decided, lines: list[Line], told: list[Event]) -> None:
        connection = decided.connection
        row, marker = connection.row, connection.marker
        match decided.decision:
            case Send(warnings=warnings):
                number = self._known.sends.get(marker, 0) + 1
                self._send(Waiting(offset=decided.offset, number=number, warnings=warnings))
            case Settle(outcome=outcome, warnings=warnings):
                settled = Settled(outcome=outcome, warnings=warnings)
                lines.append(self._ledger.line(settled, row=row, marker=marker))
                org, sandbox = self._lane.org.key, connection.sandbox
                told.append(RowSettled(row=row, org=org, sandbox=sandbox, outcome=outcome))
            case SettleFirst(state=state):  # pragma: no branch - the last of a closed set
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
                detail=why.detail if why else "",
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


def stopped_by(fault: Fault, lane: Lane, sandbox: str | None = None) -> LaneStopped:
    """Why a lane, or one sandbox of it, stops that an error of our own lets go no further."""
    return LaneStopped(
        org=lane.org.key,
        sandbox=sandbox,
        code=INTERNAL_FAULT,
        title=TITLE,
        detail=fault.label,
    )
