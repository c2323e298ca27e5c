"""The same job from Python: a path, rows or a frame; in a running loop and without one."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pandas as pd
import pytest

from batchconnect import Choices, Event, Report, Status, Stop, onboard, onboard_sync
from batchconnect.api import _filled
from batchconnect.lane.reconciler import OnDoubt
from batchconnect.model.errors import LedgerError, SettingsError, SheetError, UsageError
from batchconnect.model.event import RowSettled
from batchconnect.model.org import Org
from batchconnect.model.secret import Secret
from batchconnect.settings import Settings
from tests.acceptance.practice import Practice
from tests.command_line import CLIENT_SECRET, CommandLine, cells, many

SIMULATED = Choices(simulate=True)
FAST = Settings(rate=200.0)
ROWS = many(2, org="acme")


@pytest.fixture(autouse=True)
def place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CommandLine:
    """An empty folder, and no settings in the environment."""
    return CommandLine(tmp_path, capsys, monkeypatch, dict(os.environ))


@pytest.fixture
def practice(place: CommandLine) -> Iterator[Practice]:
    """A service on a real port, whose one org the environment knows."""
    with Practice() as practice:
        place.setenv(**practice.environment())
        yield practice


def story(report: Report) -> list[tuple[int, str, str]]:
    """What has to be the same however the job was given."""
    return [(row.row, str(row.status), row.name) for row in report.rows]


def test_rows_a_frame_and_a_file_are_the_same_job(place: CommandLine) -> None:
    """And so are a running loop and none."""
    sheet = place.sheet(ROWS)
    here = partial(onboard_sync, settings=FAST, choices=SIMULATED)

    reports = [
        here(ROWS),
        here(iter(ROWS)),
        here(pd.DataFrame(ROWS)),
        here(sheet),
        here(str(sheet)),
        anyio.run(partial(onboard, ROWS, settings=FAST, choices=SIMULATED)),
    ]

    # Row 1 is the first of rows in memory, and of a file its header.
    assert [[(str(row.status), row.name) for row in one.rows] for one in reports] == [
        [("created", "Client 001"), ("created", "Client 002")]
    ] * len(reports)
    assert [0] * len(reports) == [one.exit_code for one in reports]


def test_without_a_place_nothing_is_written() -> None:
    """Neither ledger nor report nor the simulator's state."""
    report = onboard_sync(ROWS, settings=FAST, choices=SIMULATED)

    assert report.folder is None
    assert list(Path().iterdir()) == []


def test_with_a_folder_the_report_is_in_it(tmp_path: Path) -> None:
    """And the ledger beside it, so that the next run knows of it."""
    first = onboard_sync(ROWS, settings=FAST, choices=SIMULATED, reports=tmp_path / "r")
    second = onboard_sync(ROWS, settings=FAST, choices=SIMULATED, reports=tmp_path / "r")

    assert first.folder is not None
    assert first.folder.parent == tmp_path / "r" / "simulated"
    assert (first.folder / "results.csv").exists()
    assert {status: n for status, n in first.counts.items() if n} == {Status.CREATED: 2}
    assert {status: n for status, n in second.counts.items() if n} == {Status.EXISTING: 2}
    assert (tmp_path / "r" / "simulated" / "ledger.sqlite3").exists()


def test_only_a_ledger_may_be_kept(tmp_path: Path) -> None:
    """What a simulation keeps lies beside it; nothing lies where we are."""
    report = onboard_sync(
        ROWS, settings=FAST, choices=SIMULATED, ledger=tmp_path / "kept" / "ledger.sqlite3"
    )

    assert report.folder is None
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_against_a_service_the_settings_come_from_where_the_command_finds_them(
    practice: Practice, tmp_path: Path
) -> None:
    """From the environment here; the ledger is the one that was named."""
    report = onboard_sync([cells(1)], ledger=tmp_path / "l.sqlite3")

    assert report.exit_code == 0
    assert (tmp_path / "l.sqlite3").exists()
    assert len(practice.creates()) == 1


def test_a_settings_file_may_be_named(practice: Practice, place: CommandLine) -> None:
    """As a path or as a text."""
    settings = practice.two_orgs()
    place.setenv(
        **dict.fromkeys(practice.environment(), ""),
        ACME_SECRET=CLIENT_SECRET,
        BETA_SECRET=f"{CLIENT_SECRET}-beta",
    )
    path = place.write("mine.toml", settings)

    report = onboard_sync([cells(1, org="acme")], settings=str(path))

    assert report.exit_code == 0


def test_every_event_is_heard() -> None:
    """In the order in which things happen."""
    heard: list[Event] = []

    onboard_sync(ROWS, settings=FAST, choices=SIMULATED, on_event=heard.append)

    assert sum(isinstance(event, RowSettled) for event in heard) == 2


def test_a_listener_that_fails_ends_the_run() -> None:
    """Its error goes up to the one who handed it in."""

    def hear(_event: Event) -> None:
        raise LookupError("mine")

    with pytest.raises(ExceptionGroup) as caught:
        onboard_sync(ROWS, settings=FAST, choices=SIMULATED, on_event=hear)

    assert caught.group_contains(LookupError, match="mine")


def test_a_run_may_be_asked_to_stop() -> None:
    """In good order; the rows say that they were not attempted."""

    async def work() -> Report:
        stop = Stop()
        stop.ask("interrupted")
        return await onboard(ROWS, settings=FAST, choices=SIMULATED, stop=stop)

    report = anyio.run(work)

    assert report.exit_code == 130
    assert report.counts[Status.NOT_ATTEMPTED] == 2


def test_the_report_as_a_frame_has_the_columns_of_results_csv() -> None:
    """In their order."""
    frame = onboard_sync(ROWS, settings=FAST, choices=SIMULATED).to_pandas()

    assert list(frame.columns)[:4] == ["row", "status", "name", "connection_id"]
    assert list(frame["status"]) == ["created", "created"]


def test_a_row_that_fails_raises_nothing() -> None:
    """It is in the report; an error means that there is no report."""
    report = onboard_sync(
        [cells(1, org="acme", database=""), cells(2, org="acme")],
        settings=FAST,
        choices=Choices(simulate=True, skip_invalid=True),
    )

    assert report.exit_code == 4
    assert [row.status for row in report.rows] == [Status.REJECTED, Status.CREATED]
    assert len(report.incidents) == 1


def test_what_ends_a_run_is_raised(place: CommandLine) -> None:
    """As the errors of the tree."""
    with pytest.raises(SettingsError, match="no org is set"):
        onboard_sync(ROWS)
    with pytest.raises(SheetError, match="there is no such file"):
        onboard_sync("nope.csv", choices=SIMULATED)
    path = place.write("ledger.sqlite3", "no ledger")
    with pytest.raises(LedgerError):
        onboard_sync(ROWS, settings=Settings(), reports=path.parent, ledger=path)


def test_the_twin_is_not_for_a_running_loop() -> None:
    """The hint is what to write instead."""

    async def wrong() -> Report:
        return onboard_sync(ROWS, choices=SIMULATED)

    with pytest.raises(UsageError, match="where an event loop is running") as caught:
        anyio.run(wrong)

    assert "await batchconnect.onboard" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("setting", "value", "choice", "expected"),
    [
        ("concurrency", 3, "concurrency", 3),
        ("timeout", 5.0, "timeout_s", 5.0),
        ("settle", 0.0, "settle_s", 0.0),
        ("patience", 8.0, "patience_s", 8.0),
        ("on_doubt", "hold", "on_doubt", OnDoubt.HOLD),
        ("skip_invalid", True, "skip_invalid", True),
        ("allow_refs", True, "allow_refs", True),
        ("refs_dir", Path("refs"), "refs_dir", Path("refs")),
        ("proxy", Secret("http://proxy.test:1"), "proxy", "http://proxy.test:1"),
        ("ca_bundle", Path("ca.pem"), "ca_bundle", Path("ca.pem")),
    ],
)
def test_the_settings_count_as_on_the_command_line(
    setting: str, value: Any, choice: str, expected: object
) -> None:
    """A proxy that only the command line used would be a trap; what was chosen wins."""
    settings = Settings(**{setting: value})

    assert expected == getattr(_filled(Choices(), settings), choice)
    assert Choices() == _filled(Choices(), Settings())


def test_a_choice_wins_over_the_settings() -> None:
    """As a flag does."""
    assert _filled(Choices(concurrency=2), Settings(concurrency=3)).concurrency == 2


def test_the_ledger_and_reports_of_the_settings_are_the_command_line_s() -> None:
    """From Python only what is told is written."""
    settings = Settings(rate=200.0, ledger=Path("l.sqlite3"), reports=Path("r"))

    onboard_sync(ROWS, settings=settings, choices=SIMULATED)

    assert list(Path().iterdir()) == []


def test_orgs_may_be_given_as_values(practice: Practice) -> None:
    """Without any file or variable."""
    org = Org(
        key="acme",
        org_id=practice.environment()["BATCHCONNECT_ORG_ID"],
        client_id="client-acme",
        client_secret=Secret(CLIENT_SECRET),
        platform_url=practice.url,
        ims_url=practice.url,
        sandbox="dev",
    )

    report = onboard_sync([cells(1)], settings=Settings(orgs=(org,)))

    assert story(report) == [(report.rows[0].row, "created", "Client 001")]
