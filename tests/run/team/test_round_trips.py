"""
What a run on a team's ledger asks of it besides the lines of its rows, counted in ways there and back.

Over a link of milliseconds that is what a small run takes longer than on a file. A clock would tell of the machine.
"""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from batchconnect.model.ledger_address import LedgerAddress
from batchconnect.model.org import Org
from batchconnect.model.redactor import Redactor
from batchconnect.model.secret import Secret
from batchconnect.options import RunOptions, with_defaults
from batchconnect.reports.summary import Summary
from batchconnect.run.desk import Listener
from batchconnect.run.engine import onboard_sheet
from batchconnect.run.stop import Stop
from batchconnect.run.task import Task
from batchconnect.run.team.team import Team
from batchconnect.settings import Settings
from batchconnect.sheet.memory import MemorySheet
from batchconnect.simulator import Simulator
from tests.fake_service import ACME, CANARY, cells
from tests.postgres_cluster import PASSWORD, Cluster
from tests.round_trips import RoundTrips, counted

pytestmark = pytest.mark.asyncio

ROWS = 2
OF_A_CONNECTION = 4
"""Whether TLS is spoken, who comes, and two for the password."""
OF_ROWS = 2 * ROWS
"""Each has an intent and an answer; at best all of them share two commits."""
BEGINNING = 14
"""
May it be written to, whose is it; whose it is from now on. The right to open a run, whether one is open already,
and once more when it was looked for whose rows it is; the run as a whole; its first line; the right handed back. Who is
at work; what is known of identities. The rows; the lanes; that they are there; the run handed back.
"""
IN_THE_LANE = 13
"""
Who works beside whom; what of it is done; the lane; what of it is done by now; that it is taken, and what is known by
now; that this process has its share. What the lane told meanwhile, if anything. What was created, what the sweep found, what the lane did and that it is through;
the lane handed back. Who works beside whom and what is done.
"""
CLOSING = 8
"""The run; its lines; its rows; its end; all of it left. The report: its lines, the run before, its rows."""


class Desk:
    """One person's command, over a counted link."""

    def __init__(self, home: Path, address: LedgerAddress, url: str, told: RoundTrips) -> None:
        self.told = told
        self._options = with_defaults(RunOptions(reports=home, ledger=address, lease=3600.0))
        self._settings = Settings(
            orgs=(
                Org(
                    key="acme",
                    org_id=ACME.org_id,
                    client_id="client",
                    client_secret=Secret(CANARY),
                    platform_url=url,
                    ims_url=url,
                    rate=100.0,
                ),
            )
        )

    async def run(self) -> Summary:
        return await onboard_sheet(
            MemorySheet([cells(number) for number in range(1, 1 + ROWS)]),
            settings=self._settings,
            options=self._options,
            environ={},
            listener=Listener(on_event=lambda event: None, stop=Stop(), redactor=Redactor()),
            report=lambda summary: None,
            task=Task(),
        )


@pytest_asyncio.fixture
async def desk(
    tmp_path: Path, postgres: Cluster, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Desk]:
    # Nobody looks around again because the machine is slow.
    monkeypatch.setattr("batchconnect.run.team.work.Team", partial(Team, poll_s=3600.0))
    # Nor is what a lane tells written bit by bit.
    monkeypatch.setattr("batchconnect.run.lanes.lane_lines._EVERY_S", 3600.0)
    near = postgres.address(postgres.database("ledger_template"), over_tcp=True, password=PASSWORD)
    with counted(postgres.port) as told:
        url = near.url.reveal().replace(f":{postgres.port}/", f":{told.port}/")
        async with Simulator(orgs={ACME.org_id: ("client", CANARY)}) as simulator:
            yield Desk(tmp_path, LedgerAddress(Secret(url)), simulator.url, told)


async def test_a_run_asks_for_little_besides_the_lines_of_its_rows(desk: Desk) -> None:
    """Seventy questions and more were a quarter of a second over 3.5 ms."""
    summary = await desk.run()

    assert summary.exit_code == 0
    of_connections = desk.told.connections * OF_A_CONNECTION
    assert desk.told.ways - of_connections <= BEGINNING + IN_THE_LANE + CLOSING + OF_ROWS
