"""How far a run is, counted by whoever works it with others."""

import tracemalloc
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from batchconnect.model.row_place import MOST_PLACES, numbered
from batchconnect.run.intake.accounting import Intake
from batchconnect.run.intake.known_rows import KnownRun
from batchconnect.run.survey import Survey
from batchconnect.run.team.run_count import RunCount

pytestmark = pytest.mark.anyio

ROWS = [numbered(place, own) for place in range(MOST_PLACES) for own in (2, 3, 100)]


class Settled:
    """Tells these rows each time it is asked. A `TeamReader`, as far as it is asked."""

    def settled_behind(
        self, run: int, behind: Mapping[int, int]
    ) -> Mapping[int, tuple[int, Sequence[int]]]:
        """As of `TeamReader`."""
        return dict.fromkeys(behind, (1, ROWS))


async def test_rows_of_many_sheets_are_counted_once_and_in_little_memory() -> None:
    """A row's number has its sheet in its upper bits: room for as many rows would be two gigabytes."""
    count = RunCount(cast("Any", Settled()), 1)
    known = KnownRun(rows={ROWS[0]: True}, begun=0, plan=cast("Any", None))
    count.plan(Survey(known=known, intake=Intake(rows=len(ROWS), to_do=len(ROWS) - 1)))
    tracemalloc.start()
    try:
        await count.look([1], at_once=True)
        told = await count.look([1], at_once=True)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert told is not None
    assert (told.done, told.total) == (len(ROWS), len(ROWS))
    assert most < 1 << 20
