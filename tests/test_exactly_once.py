"""
No row twice, no row lost: a process ends hard at every single one of its side effects.

The service is the in-memory one, the ledger outlives the process, time is virtual. After each crash the
same command is given again, and what was promised has to hold, whatever came before.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import anyio
import pytest

from batchconnect.ledger import MEMORY
from batchconnect.outcome import Status, has_connection
from batchconnect.run_state import RunState
from tests.fake_service import OK, Bench, Bomb, FakeService, Fate, MortalLedger, Seen, cells, lost

pytestmark = pytest.mark.anyio

ROWS = [cells(number) for number in (1, 2, 3)] + [cells(number, "beta") for number in (4, 5, 6)]
TROUBLE: dict[int, Sequence[Fate]] = {
    2: [lost(shown_s=55)],
    3: [lost(applied_s=115, shown_s=59)],
    5: [lost(applied_s=None, answered_s=100)],
    6: [Fate(applied_s=30, shown_s=10, answered_s=40)],
}
"""What becomes of a row's first, second, ... send; afterwards all is well."""


@dataclass(slots=True)
class Trouble:
    """Chooses the fate of each send by its row, so that a restart changes nothing of it."""

    rows: Sequence[dict[str, str]] = field(default_factory=lambda: ROWS)
    sends: Counter[str] = field(default_factory=Counter)

    def __call__(self, seen: Seen) -> Fate | None:
        if seen.marker is None:
            return None
        number = NUMBERS[seen.marker]
        self.sends[seen.marker] += 1
        fates = TROUBLE.get(number, [])
        return (*fates, OK)[min(self.sends[seen.marker] - 1, len(fates))]


def _numbers() -> dict[str, int]:
    from tests.fake_service import judged

    return {judged(row).marker: number for number, row in enumerate(ROWS, start=1)}


NUMBERS = _numbers()


def bench() -> Bench:
    return Bench(service=FakeService(Trouble()))


async def points() -> list[str]:
    """The side effects of a run that nothing ends."""
    bomb = Bomb()
    assert await bench().run_until_crash(ROWS, bomb)
    return bomb.points


async def is_as_promised(world: Bench, state: RunState, rows: Sequence[dict[str, str]]) -> None:
    assert world.broken_promises(state, len(rows)) == []
    assert set(world.statuses(state)) <= {Status.CREATED, Status.EXISTING}
    assert all(has_connection(row.shown) for row in world.rows(state))
    sent = len(world.service.posts)
    await anyio.sleep(300)
    again = await world.run(rows)
    assert world.broken_promises(again, len(rows)) == []
    assert len(world.service.posts) == sent, "a further run sends nothing"


async def test_a_crash_at_every_side_effect_costs_no_row_and_makes_none_twice() -> None:
    """The N-th commit, send or reply is the last thing that the process does, for every N."""
    count = len(await points())
    print(Counter(await points()))
    for at in range(1, count + 1):
        world = bench()
        assert not await world.run_until_crash(ROWS, Bomb(at))
        state = await world.run(ROWS)
        await is_as_promised(world, state, ROWS)
