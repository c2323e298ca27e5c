"""`undo` as a command calls it: preview, agreement, and whatever comes in between, against a service on a port."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from batchconnect.ledger.entry import FaultFound
from batchconnect.ledger.sqlite.store import SqliteLedger
from batchconnect.model.errors import ExitCode
from batchconnect.model.event import Event, FaultMet, RowSettled, RowStarted
from batchconnect.model.org import Org
from batchconnect.model.outcome import Status
from batchconnect.model.redactor import Redactor
from batchconnect.model.secret import Secret
from batchconnect.options import MergedOptions, RunOptions, with_defaults
from batchconnect.reports.summary import Summary
from batchconnect.run.desk import Listener
from batchconnect.run.engine import onboard_sheet
from batchconnect.run.exit_code import INTERRUPTED, TERMINATED
from batchconnect.run.stop import Stop
from batchconnect.run.task import Task
from batchconnect.run.undo.undo import preview_undo, undo
from batchconnect.run.undo.undo_plan import UndoPlan
from batchconnect.settings import Settings
from batchconnect.sheet.memory import MemorySheet
from batchconnect.simulator import Simulator
from tests.fake_service import ACME, CANARY, cells

pytestmark = pytest.mark.asyncio

COUNT = 4


@dataclass(kw_only=True)
class Place:
    """A run that created some connections, and whoever undoes it."""

    simulator: Simulator
    settings: Settings
    options: MergedOptions
    run_id: str = ""
    stop: Stop = field(default_factory=Stop)
    events: list[Event] = field(default_factory=list)
    on_event: Callable[[Event], None] = lambda event: None
    reports: list[Summary] = field(default_factory=list)

    @property
    def listener(self) -> Listener:
        return Listener(on_event=self.hear, stop=self.stop, redactor=Redactor())

    def hear(self, event: Event) -> None:
        self.events.append(event)
        self.on_event(event)

    def heard(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    async def run(self) -> Summary:
        return await onboard_sheet(
            MemorySheet([cells(number) for number in range(1, COUNT + 1)]),
            settings=self.settings,
            options=self.options,
            environ={},
            listener=self.listener,
            report=self.reports.append,
            task=Task(),
        )

    async def preview(self) -> UndoPlan:
        return await preview_undo(
            self.run_id, settings=self.settings, options=self.options, hold=lambda secret: None
        )

    async def undo(self, agreed: int = COUNT) -> Summary | UndoPlan:
        return await undo(
            self.run_id,
            agreed,
            settings=self.settings,
            options=self.options,
            listener=self.listener,
            report=self.reports.append,
        )

    @property
    def left(self) -> int:
        """Connections that stand there."""
        return len(self.simulator.connections())

    def faults(self) -> list[FaultFound]:
        """As the ledger has them, of every run."""
        path = Path(str(self.options.reports)) / "ledger.sqlite3"
        with SqliteLedger(path, read_only=True) as ledger:
            lines = [line.entry for _, _, lines in ledger.runs() for line in lines]
        return [entry for entry in lines if isinstance(entry, FaultFound)]


@pytest_asyncio.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with Simulator(orgs={ACME.org_id: ("client", CANARY)}) as simulator:
        org = Org(
            key="acme",
            org_id=ACME.org_id,
            client_id="client",
            client_secret=Secret(CANARY),
            platform_url=simulator.url,
            ims_url=simulator.url,
            rate=200.0,
        )
        options = with_defaults(RunOptions(reports=tmp_path, settle=2.0, no_sweep=True))
        place = Place(simulator=simulator, settings=Settings(orgs=(org,)), options=options)
        place.run_id = (await place.run()).opened.run_id
        place.events.clear()
        yield place


async def test_what_the_preview_shows_is_what_goes_and_a_second_time_nothing_is_left_to_do(
    place: Place,
) -> None:
    plan = await place.preview()
    assert (plan.to_delete, place.left) == (COUNT, COUNT)

    done = await place.undo()
    again = await place.undo()

    assert isinstance(done, Summary)
    assert (done.counts[Status.DELETED], done.exit_code, place.left) == (COUNT, ExitCode.OK, 0)
    assert isinstance(again, UndoPlan)
    assert (again.to_delete, again.deleted_before, again.exit_code) == (0, COUNT, ExitCode.OK)


@pytest.mark.parametrize(
    ("reason", "code"), [(INTERRUPTED, ExitCode.INTERRUPTED), (TERMINATED, ExitCode.TERMINATED)]
)
async def test_a_stop_while_it_is_still_looked_at_has_sent_nothing(
    place: Place, reason: str, code: ExitCode
) -> None:
    """No run is opened either: the same command begins anew."""
    place.stop.ask(reason)

    plan = await place.undo()

    assert isinstance(plan, UndoPlan)
    assert (plan.cut_off, plan.exit_code) == (reason, code)
    assert place.left == COUNT


async def test_an_undo_that_was_interrupted_goes_on_with_the_number_that_was_agreed_on(
    place: Place,
) -> None:
    """Whatever is there by now: who agreed to four has four deleted."""
    place.on_event = lambda event: (
        place.stop.ask(INTERRUPTED) if isinstance(event, RowStarted) else None
    )
    first = await place.undo()
    assert isinstance(first, Summary)
    assert first.exit_code == ExitCode.INTERRUPTED
    assert place.left > 0

    place.stop, place.on_event = Stop(), lambda event: None
    second = await place.undo(COUNT)

    assert isinstance(second, Summary)
    assert second.opened.run_id == first.opened.run_id
    assert (second.exit_code, place.left) == (ExitCode.OK, 0)


async def test_an_error_of_ours_that_ends_an_undo_is_in_the_ledger_and_the_next_one_goes_on(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its type and place; whoever writes the report finds it there."""
    with monkeypatch.context() as patch:

        async def broken(*_words: object) -> None:
            raise KeyError("x")

        patch.setattr("batchconnect.run.undo.undo_run.UndoRun._work", broken)
        with pytest.raises(ExceptionGroup) as raised:
            await place.undo()
        assert raised.group_contains(KeyError)

    (met,) = place.heard(FaultMet)
    assert (met.where, met.fault.type) == ("run", "KeyError")
    assert [found.event for found in place.faults()] == [met]

    done = await place.undo()
    assert isinstance(done, Summary)
    assert (done.exit_code, place.left) == (ExitCode.OK, 0)


async def test_a_listener_s_own_error_ends_the_undo_and_is_no_fault_of_ours(place: Place) -> None:
    """It is raised when nothing is on its way any more; what was deleted is known."""

    def fail() -> None:
        raise RuntimeError("theirs")

    place.on_event = lambda event: fail() if isinstance(event, RowSettled) else None
    with pytest.raises(ExceptionGroup) as raised:
        await place.undo()
    assert raised.group_contains(RuntimeError, match="theirs")
    assert place.faults() == []
    assert place.heard(FaultMet) == []

    # The error asked the first one to stop; whatever it had not sent by then is the next one's.
    place.on_event, place.stop = lambda event: None, Stop()
    await place.undo()
    assert place.left == 0


async def test_an_org_that_is_gone_from_the_settings_is_told_before_anything_is_sent(
    place: Place,
) -> None:
    other = replace(place.settings.orgs[0], key="beta", org_id="BETA@AdobeOrg")
    place.settings = Settings(orgs=(other,))

    with pytest.raises(Exception, match="acme"):
        await place.undo()
    assert place.left == COUNT
