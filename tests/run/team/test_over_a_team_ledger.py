"""Commands over a run of a team ledger: what they write to they hold, and let go of before the report."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from batchconnect.ledger.postgres.store import PostgresLedger
from batchconnect.model.event import Event, RowTested
from batchconnect.model.org import Org
from batchconnect.model.redactor import Redactor
from batchconnect.model.secret import Secret
from batchconnect.options import RunOptions, with_defaults
from batchconnect.reports.summary import Summary
from batchconnect.run.desk import Listener
from batchconnect.run.engine import onboard_sheet
from batchconnect.run.reconcile_run import settle
from batchconnect.run.stop import Stop
from batchconnect.run.task import Task
from batchconnect.run.team.work import Together
from batchconnect.run.undo.undo import undo
from batchconnect.run.undo.undo_plan import UndoPlan
from batchconnect.run.verify_run import verify
from batchconnect.settings import Settings
from batchconnect.sheet.memory import MemorySheet
from batchconnect.simulator import Simulator
from tests.fake_service import ACME, CANARY, cells
from tests.postgres_cluster import Cluster

pytestmark = pytest.mark.asyncio


class Desk:
    """One person's commands, on a ledger that others see."""

    def __init__(self, home: Path, cluster: Cluster, url: str) -> None:
        self.address = cluster.ledger()
        self.options = with_defaults(RunOptions(reports=home, ledger=self.address, settle=2.0))
        org = Org(
            key="acme",
            org_id=ACME.org_id,
            client_id="client",
            client_secret=Secret(CANARY),
            platform_url=url,
            ims_url=url,
            rate=100.0,
        )
        self.settings = Settings(orgs=(org,))
        self.armed: list[float | None] = []
        self.on_event: Callable[[Event], None] = lambda event: None
        self.at_report: list[tuple[set[str], float | None]] = []
        """Who held what, and whether the kernel's timer ran, whenever a report was made."""

    @property
    def listener(self) -> Listener:
        return Listener(
            on_event=self.on_event,
            stop=Stop(),
            redactor=Redactor(),
            together=Together(arm=self.armed.append),
        )

    def report(self, _summary: Summary) -> None:
        self.at_report.append((self.holders(), self.armed[-1]))

    def holders(self) -> set[str]:
        """Of all that may be held, as another process sees it."""
        with PostgresLedger(self.address, read_only=True) as ledger:
            runs = [opened.entry.run_id for _, opened, _ in ledger.runs()]  # type: ignore[union-attr]
            return {row.holder for run in ["", *runs] for row in ledger.held.lanes(run)}

    async def run(self) -> Summary:
        return await onboard_sheet(
            MemorySheet([cells(1), cells(2)]),
            settings=self.settings,
            options=self.options,
            environ={},
            listener=self.listener,
            report=self.report,
            task=Task(),
        )

    async def verify(self) -> Summary:
        return await verify(
            None,
            settings=self.settings,
            options=self.options,
            listener=self.listener,
            report=self.report,
        )

    async def settle(self, run_id: str) -> Summary:
        return await settle(
            run_id,
            settings=self.settings,
            options=self.options,
            listener=self.listener,
            report=self.report,
        )

    async def undo(self, run_id: str) -> Summary | UndoPlan:
        return await undo(
            run_id,
            2,
            settings=self.settings,
            options=self.options,
            listener=self.listener,
            report=self.report,
        )


@pytest_asyncio.fixture
async def desk(tmp_path: Path, postgres: Cluster) -> AsyncIterator[Desk]:
    async with Simulator(orgs={ACME.org_id: ("client", CANARY)}) as simulator:
        yield Desk(tmp_path, postgres, simulator.url)


async def test_nothing_is_held_while_a_report_is_made_or_afterwards(desk: Desk) -> None:
    """
    A report of a million rows takes longer than a lease, in the loop: the kernel's timer is off by then.

    Nor is any run left that nobody renews: the next command takes it at once.
    """
    first = await desk.run()
    await desk.verify()
    await desk.settle(first.opened.run_id)
    await desk.undo(first.opened.run_id)

    assert desk.at_report == [({""}, None)] * 4
    assert desk.holders() == {""}


async def test_a_verification_is_held_from_its_first_line_on(desk: Desk) -> None:
    """So a second one of the same run finds it in living hands, and does not go on with it."""
    await desk.run()
    held: list[set[str]] = []

    def hear(event: Event) -> None:
        if isinstance(event, RowTested):
            held.append(desk.holders() - {""})

    desk.on_event = hear
    await desk.verify()

    assert len(held) == 2
    assert all(len(holders) == 1 for holders in held)
