"""What lanes tell, kept until it is written: pauses, rates, stops and counts, for which no row waits."""

from collections.abc import Collection
from contextlib import suppress
from typing import Final

import anyio

from batchconnect.ledger.entry import FaultFound, LaneTold, Line
from batchconnect.ledger.run_writer import RunWriter
from batchconnect.model.errors import LedgerError
from batchconnect.model.event import (
    FaultMet,
    LaneCounted,
    LanePaused,
    LaneStopped,
    PaceChanged,
)

_EVERY_S: Final = 0.5
"""How long it is gathered before it is written."""

Told = LaneStopped | LaneCounted | LanePaused | PaceChanged | FaultMet


class LaneLines:
    """
    Collects what is told, and writes it now and then, all of it at the latest before the run's last line.

    Args:
        passing: Codes of stops that are this process's own matter: the lane goes on elsewhere.
    """

    def __init__(self, *, passing: Collection[str] = ()) -> None:
        self._passing = passing
        self._told: list[Told] = []
        self._has_told = anyio.Event()
        """Set while something is told and not written."""

    def keep(self, event: Told) -> None:
        """Have the ledger hear of it with the next lines."""
        if isinstance(event, LaneStopped) and event.code in self._passing:
            return
        self._told.append(event)
        self._has_told.set()

    async def write_now_and_then(self, writer: RunWriter) -> None:
        """Write for as long as nobody cancels."""
        while True:
            await self._has_told.wait()
            await anyio.sleep(_EVERY_S)
            await self.try_to_write(writer)

    async def try_to_write(self, writer: RunWriter) -> None:
        """Write it, if it can be; what is not durable now is written later."""
        with suppress(LedgerError):
            await self.write(writer)

    async def write(self, writer: RunWriter, *last: Line) -> None:
        """
        Write all of it, and what is to stand behind it.

        Raises:
            LedgerError: It cannot be written, and is kept.
        """
        told, self._told = self._told, []
        self._has_told = anyio.Event()
        lines = [
            writer.line(
                FaultFound(event=event) if isinstance(event, FaultMet) else LaneTold(event=event)
            )
            for event in told
        ]
        try:
            await writer.write([*lines, *last])
        except LedgerError:
            self._told = [*told, *self._told]
            self._has_told.set()
            raise
