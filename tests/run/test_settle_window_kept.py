"""What follows a run looks for as long as the run allowed for, unless a person says otherwise."""

from dataclasses import replace
from random import Random
from typing import Any, cast

import anyio
import pytest

from batchconnect.ledger.run_state import RunState
from batchconnect.model.event import Event, RowInDoubt
from batchconnect.model.outcome import Status
from batchconnect.options import RunOptions, with_defaults
from batchconnect.run.exit_code import INTERRUPTED
from batchconnect.run.opening.service import ConnectedService
from batchconnect.run.reconcile_run import settle_run
from batchconnect.run.rerun.past import look_back
from batchconnect.run.stop import Stop
from batchconnect.sheet.memory import MemorySheet
from batchconnect.transport.interface import Purpose
from batchconnect.validation.org_registry import OrgRegistry
from tests.fake_service import ACME, HOST, Bench, FakeService, Fate, Seen, cells, lost, parser

CONFIGURED_S = 180.0
OWN_S = 600.0
pytestmark = pytest.mark.anyio


def late(seen: Seen) -> Fate | None:
    """Nobody hears of the create, and no listing shows it before most of the run's own window is over."""
    return lost(shown_s=OWN_S - 60) if seen.purpose is Purpose.CREATE else None


async def left_in_doubt(bench: Bench, *, settle_s: float = OWN_S) -> RunState:
    """A run of that window, interrupted while its row is in doubt."""
    bench.service, stop = FakeService(late), Stop()
    sheet = MemorySheet([cells(1)])
    opened = replace(bench.job(sheet).opened, settle_s=settle_s)

    def hear(event: Event) -> None:
        if isinstance(event, RowInDoubt):
            stop.ask(INTERRUPTED)

    bench.on_event = hear
    state = await bench.run(sheet, opened=opened, stop=stop)
    bench.on_event = lambda _event: None
    assert bench.statuses(state) == [Status.IN_DOUBT]
    return state


async def reconciled(bench: Bench, state: RunState, chosen_s: float | None) -> Status:
    """What becomes of the row where 180 seconds are configured."""
    service = ConnectedService(
        orgs=OrgRegistry((ACME,)),
        host=HOST,
        settle_s=CONFIGURED_S if chosen_s is None else chosen_s,
        wire=cast("Any", bench.service),
        limits=bench.limits,
        slots=anyio.CapacityLimiter(4),
        rng=Random(0),
        on_event=bench.hear,
    )
    after = await settle_run(
        state, ledger=bench.ledger, writer=bench.writer(state.number), service=service,
        options=with_defaults(RunOptions()), clock=bench.clock, on_event=bench.hear, stop=Stop(),
        settle_s=chosen_s,
    )  # fmt: skip
    return bench.statuses(after)[0]


@pytest.mark.parametrize(
    ("own_s", "chosen_s", "becomes"),
    [
        (OWN_S, None, Status.CREATED),  # proven absent after 180 seconds, it was sent a second time
        (OWN_S, CONFIGURED_S, Status.NOT_ATTEMPTED),  # a person said so
        (5.0, OWN_S, Status.CREATED),
        (5.0, None, Status.NOT_ATTEMPTED),  # what is configured is the least
    ],
)
async def test_reconcile_proves_no_absence_before_the_window_of_the_run_is_over(
    own_s: float, chosen_s: float | None, becomes: Status
) -> None:
    """`--settle` says more than the run; without it the longer of the run's and the configured one holds."""
    bench = Bench()
    state = await left_in_doubt(bench, settle_s=own_s)

    assert await reconciled(bench, state, chosen_s) is becomes


async def test_who_goes_on_with_a_run_knows_its_window() -> None:
    """Whether it is the same command again, or a rerun of it."""
    bench = Bench()
    state = await left_in_doubt(bench)
    sheet = MemorySheet([cells(1)])
    opened = bench.job(sheet).opened

    for parent in (None, state.opened.run_id):
        past = look_back(
            bench.ledger, sheet, parser(sheet, [ACME]), opened=opened, parent=parent, scanner=None
        )
        assert past.settle_s == OWN_S
