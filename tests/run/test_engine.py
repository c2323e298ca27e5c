"""What a command sets going, whole: lock, connect, run, report, on the built-in simulator's loopback."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio
import pytest

from batchconnect.lane.planner import Rules
from batchconnect.ledger.run_writer import Clock
from batchconnect.model.errors import ExitCode, LedgerInUseError, UsageError
from batchconnect.model.event import (
    Event,
    LaneStopped,
    RowSettled,
    RowStarted,
    Verifying,
)
from batchconnect.model.outcome import Status
from batchconnect.model.redactor import Redactor
from batchconnect.options import RunOptions, with_defaults
from batchconnect.reports.summary import Summary
from batchconnect.run.desk import Listener
from batchconnect.run.engine import onboard_sheet
from batchconnect.run.exit_code import INTERRUPTED
from batchconnect.run.judging import rules_of
from batchconnect.run.opening import header
from batchconnect.run.opening.header import new_run_id
from batchconnect.run.opening.opened_ledger import opened_ledger
from batchconnect.run.opening.service import connected
from batchconnect.run.reconcile_run import settle
from batchconnect.run.stop import Stop
from batchconnect.run.task import onboarding
from batchconnect.run.verify_run import verify
from batchconnect.settings import Settings
from batchconnect.sheet.memory import MemorySheet
from tests.fake_service import CANARY, cells
from tests.jumping_time import JumpingTime

SHEET = [cells(number) for number in (1, 2, 3)] + [cells(4, "beta")]


class Desk:
    """One person's folder, and the commands that are given in it."""

    def __init__(self, home: Path) -> None:
        self.options = with_defaults(RunOptions(simulate=True, reports=home))
        self.settings = Settings(options=RunOptions(rate=100.0))
        self.events: list[Event] = []
        self.reported: list[Summary] = []
        self.on_event: Callable[[Event, Stop], None] = lambda event, stop: None
        self.is_cut_off = False
        """Whether the command is to end at once, before it has asked anything."""

    def listener(self) -> Listener:
        stop = Stop()
        if self.is_cut_off:
            stop.now()

        def hear(event: Event) -> None:
            self.events.append(event)
            self.on_event(event, stop)

        return Listener(on_event=hear, stop=stop, redactor=Redactor())

    def run(
        self,
        rows: list[dict[str, str]] | None = None,
        *,
        parent: str | None = None,
        in_memory: bool = False,
    ) -> Summary:
        command = partial(
            onboard_sheet,
            MemorySheet(rows or SHEET),
            settings=self.settings,
            options=self.options,
            environ={},
            listener=self.listener(),
            report=self.reported.append,
            task=onboarding(self.options, parent=parent),
            in_memory=in_memory,
        )
        return anyio.run(command)

    def verify(self) -> Summary:
        command = partial(
            verify,
            None,
            settings=self.settings,
            options=self.options,
            listener=self.listener(),
            report=self.reported.append,
        )
        return anyio.run(command)

    def settle(self, run_id: str | None = None) -> Summary:
        command = partial(
            settle,
            run_id,
            settings=self.settings,
            options=self.options,
            listener=self.listener(),
            report=self.reported.append,
        )
        return anyio.run(command)


def written(home: Path) -> list[Path]:
    """Every file below a folder."""
    return [path for path in home.rglob("*") if path.is_file()]


@pytest.fixture
def desk(tmp_path: Path, jumping_time: JumpingTime) -> Desk:
    """Its commands wait for what is under way alone."""
    return Desk(tmp_path)


def test_every_row_is_created_and_the_second_time_it_exists(desk: Desk) -> None:
    first = desk.run()
    second = desk.run()

    assert _counts(first) == {Status.CREATED: 4}
    assert _counts(second) == {Status.EXISTING: 4}
    assert ExitCode.OK == first.exit_code == second.exit_code
    assert first.opened.run_id != second.opened.run_id
    assert [first, second] == desk.reported


def test_no_file_of_it_holds_a_key(desk: Desk, tmp_path: Path) -> None:
    desk.run()

    files = written(tmp_path)
    assert {"simulated"} == {path.relative_to(tmp_path).parts[0] for path in files}
    assert not any(CANARY.encode() in path.read_bytes() for path in files)


def test_in_memory_leaves_nothing(desk: Desk, tmp_path: Path) -> None:
    summary = desk.run(in_memory=True)

    assert _counts(summary) == {Status.CREATED: 4}
    assert written(tmp_path) == []


def test_what_a_lane_tells_stands_in_the_report(desk: Desk) -> None:
    """The stop of a lane is heard by the run, so the report says why its rows were not attempted."""
    rows = [cells(1), cells(2, sandbox="missing-one")]

    summary = desk.run(rows)

    assert [e.code for e in desk.events if isinstance(e, LaneStopped)] == ["FLOW-2100-404"]
    assert [incident.code for incident in summary.incidents] == ["FLOW-2100-404"]
    assert summary.exit_code == ExitCode.UNFINISHED


def test_an_interrupted_run_goes_on_under_its_id(desk: Desk) -> None:
    desk.settings = replace(desk.settings, options=RunOptions(rate=20.0))
    desk.on_event = lambda event, stop: (
        stop.ask(INTERRUPTED) if isinstance(event, RowSettled) else None
    )
    first = desk.run([cells(number) for number in range(1, 30)])
    desk.on_event = lambda event, stop: None

    second = desk.run([cells(number) for number in range(1, 30)])

    assert first.exit_code == ExitCode.INTERRUPTED
    assert (first.opened.run_id, ExitCode.OK) == (second.opened.run_id, second.exit_code)


def test_a_run_that_is_cut_off_leaves_a_doubt_for_the_next_command(desk: Desk) -> None:
    desk.on_event = lambda event, stop: stop.now() if isinstance(event, RowStarted) else None
    first = desk.run()
    desk.on_event = lambda event, stop: None

    second = desk.run()

    assert first.exit_code == ExitCode.INTERRUPTED
    assert (first.opened.run_id, {Status.CREATED: 4}) == (second.opened.run_id, _counts(second))


def test_a_rerun_takes_up_what_is_unfinished(desk: Desk) -> None:
    parent = desk.run([*SHEET, cells(9, sandbox="missing-one")])

    rerun = desk.run([*SHEET, cells(9)], parent=parent.opened.run_id)

    assert parent.opened.run_id == rerun.opened.parent_run_id
    assert _counts(rerun) == {Status.CREATED: 5}


def test_a_rerun_that_was_cut_off_goes_on_under_its_own_id(desk: Desk) -> None:
    parent = desk.run([*SHEET, cells(9, sandbox="missing-one")])
    desk.on_event = lambda event, stop: stop.now() if isinstance(event, RowStarted) else None
    cut_off = desk.run([*SHEET, cells(9)], parent=parent.opened.run_id)
    desk.on_event = lambda event, stop: None

    again = desk.run([*SHEET, cells(9)], parent=cut_off.opened.run_id)

    assert cut_off.opened.run_id == again.opened.run_id != parent.opened.run_id
    assert _counts(again) == {Status.CREATED: 5}


def test_a_parent_that_nobody_knows_is_a_usage_error(desk: Desk) -> None:
    """As itself, and not as a group of errors from some task."""
    with pytest.raises(UsageError, match="no run is called nobody"):
        desk.run(parent="nobody")


def test_a_ledger_in_use_is_refused_at_once(desk: Desk) -> None:
    with (
        opened_ledger(desk.options, "simulator", about={"command": "first"}),
        pytest.raises(LedgerInUseError, match="first"),
    ):
        desk.run()


def test_reconcile_settles_what_a_cut_off_run_left(desk: Desk) -> None:
    """It asks the service, creates nothing, and writes the same run's report."""
    desk.on_event = lambda event, stop: stop.now() if isinstance(event, RowStarted) else None
    first = desk.run([cells(1)])
    desk.on_event = lambda event, stop: None
    assert _counts(first) == {Status.IN_DOUBT: 1}

    settled = desk.settle()

    assert first.opened.run_id == settled.opened.run_id
    assert Status.IN_DOUBT not in _counts(settled)


def test_a_hard_stop_ends_a_reconcile_at_once_and_what_is_in_doubt_stays_so(
    desk: Desk,
) -> None:
    desk.on_event = lambda event, stop: stop.now() if isinstance(event, RowStarted) else None
    first = desk.run([cells(1)])
    desk.is_cut_off = True

    cut_off = desk.settle()

    assert (first.opened.run_id, {Status.IN_DOUBT: 1}) == (
        cut_off.opened.run_id,
        _counts(cut_off),
    )
    desk.is_cut_off, desk.on_event = False, lambda event, stop: None
    assert Status.IN_DOUBT not in _counts(desk.settle())


def test_a_hard_stop_ends_a_verify_at_once_and_the_same_command_goes_on(desk: Desk) -> None:
    desk.run()
    desk.on_event = lambda event, stop: stop.now() if isinstance(event, Verifying) else None
    first = desk.verify()
    desk.on_event = lambda event, stop: None

    second = desk.verify()

    assert first.exit_code == ExitCode.INTERRUPTED
    assert (first.opened.run_id, ExitCode.OK) == (second.opened.run_id, second.exit_code)


@pytest.mark.asyncio
async def test_the_plans_rules_are_the_options(desk: Desk) -> None:
    options = replace(
        desk.options, settle=7.0, settle_first=True, adopt_by_name=True, recreate=True
    )

    async with connected(
        desk.settings, options, on_event=print, hold=lambda _secret: None, in_memory=True
    ) as service:
        rules = rules_of(service, options)

    expected = Rules(settle_s=7.0, settle_first=True, adopt_by_name=True, recreate=True)
    assert expected == rules


def test_a_run_id_can_be_sorted() -> None:
    clock = Clock(now_ms=lambda: 1_795_450_530_123, monotonic_s=lambda: 0.0, boot_id="")

    real, rehearsed = new_run_id(clock, simulated=False), new_run_id(clock, simulated=True)

    assert re.fullmatch(r"20261123-\d{6}123-[a-z0-9]{4}", real)
    assert rehearsed.startswith("sim-20261123-")


@pytest.mark.parametrize(
    ("name", "path"), [("book.xlsx#tab", "book.xlsx"), ("a#b.csv", "a#b.csv"), ("-", None)]
)
def test_a_sheet_is_known_by_its_path(
    name: str, path: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a rerun finds it again, whatever is in its name."""
    monkeypatch.chdir(tmp_path)
    for file in ("book.xlsx", "a#b.csv"):
        Path(file).touch()

    assert (None if path is None else str(tmp_path / path)) == header._path_of(name)


def _counts(summary: Summary) -> dict[Status, int]:
    return {status: count for status, count in summary.counts.items() if count}
