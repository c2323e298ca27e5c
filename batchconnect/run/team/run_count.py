"""How far a run is, by all who work it: what is known when a process comes, and what the ledger heard since."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial
from typing import Final

import anyio

from batchconnect.ledger.team import TeamReader
from batchconnect.model.event import RunCounted
from batchconnect.model.row_place import own_number, place_of
from batchconnect.run.survey import Survey

EVERY_S: Final = 5.0
"""Seconds between two looks."""


class RunCount:
    """
    Counts the rows of a run that are settled.

    Args:
        ledger: A team's.
        number: Of the run.
    """

    def __init__(self, ledger: TeamReader, number: int) -> None:
        self._ledger = ledger
        self._number = number
        self._seen: dict[int, int] = {}
        """By lane: the last line that was counted."""
        self._counted: dict[int, bytearray] = {}
        """By sheet, then by row: whether it was settled since this process came; one that was settled anew counts once."""
        self._known: Mapping[int, bool] = {}
        self._done = self._total = 0
        self._looked_s: float | None = None

    async def begin(self, ends: Callable[[], Awaitable[Mapping[int, int]]]) -> None:
        """
        Hold on to where the lanes end, before the run's rows are looked through.

        Args:
            ends: Asks for the number of each lane's last line.
        """
        self._seen = dict(await ends())

    def plan(self, found: Survey) -> None:
        """Take what the rows were when they were looked through."""
        self._known = found.known.rows
        self._total = found.intake.rows
        self._done = found.intake.rows - found.intake.to_do

    async def look(self, lanes: Collection[int], *, at_once: bool = False) -> RunCounted | None:
        """
        Count on; None: that was done a moment ago.

        Args:
            lanes: Of the run.
            at_once: However long ago that was.
        """
        now_s = anyio.current_time()
        if not at_once and self._looked_s is not None and now_s - self._looked_s < EVERY_S:
            return None
        self._looked_s = now_s
        behind = {lane: self._seen.get(lane, 0) for lane in lanes}
        ask = partial(self._ledger.settled_behind, self._number, behind)
        told = await anyio.to_thread.run_sync(ask)
        for lane, (last, rows) in told.items():
            self._seen[lane] = last
            for row in rows:
                self._add(row)
        return RunCounted(done=min(self._done, self._total), total=self._total)

    def _add(self, row: int) -> None:
        counted, own = self._counted.setdefault(place_of(row), bytearray()), own_number(row)
        if own >= len(counted):
            counted.extend(bytes(own + 1 - len(counted)))
        if not counted[own] and not self._known.get(row):
            counted[own] = True
            self._done += 1
