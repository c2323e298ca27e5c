"""The same job from Python: a path, rows or a frame; in a running loop and without one."""

import errno
import os
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pandas as pd
import pytest

from batchconnect import Event, Report, RunOptions, Status, Stop, Works, onboard, onboard_sync
from batchconnect.api.call import begin
from batchconnect.model.errors import (
    LedgerError,
    ListenerError,
    SettingsError,
    SheetError,
    UsageError,
)
from batchconnect.model.event import RowSettled
from batchconnect.model.org import Org
from batchconnect.model.precaution import OnDoubt
from batchconnect.model.report_columns import RESULT_COLUMNS
from batchconnect.model.secret import Secret
from batchconnect.settings import Settings
from tests.acceptance.practice import Practice
from tests.command_line import CLIENT_SECRET, CommandLine, cells, many

SIMULATED = RunOptions(simulate=True)
FAST = Settings(options=RunOptions(rate=200.0))
ROWS = many(2, org="acme")


def story(report: Report) -> list[tuple[int, str, str]]:
    """What has to be the same however the job was given."""
    return [(row.row, str(row.status), row.name) for row in report.rows]


def test_rows_a_frame_and_a_file_are_the_same_job(place: CommandLine) -> None:
    """And so are a running loop and none."""
    sheet = place.sheet(ROWS)
    here = partial(onboard_sync, settings=FAST, options=SIMULATED)

    reports = [
        here(ROWS),
        here(iter(ROWS)),
        here(pd.DataFrame(ROWS)),
        here(sheet),
        here(str(sheet)),
        anyio.run(partial(onboard, ROWS, settings=FAST, options=SIMULATED)),
    ]

    # Row 1 is the first of rows in memory, and of a file its header.
    assert [[(str(row.status), row.name) for row in one.rows] for one in reports] == [
        [("created", "Client 001"), ("created", "Client 002")]
    ] * len(reports)
    assert [0] * len(reports) == [one.exit_code for one in reports]


def test_without_a_place_nothing_is_written() -> None:
    """Neither ledger nor report nor the simulator's state."""
    report = onboard_sync(ROWS, settings=FAST, options=SIMULATED)

    assert report.folder is None
    assert list(Path().iterdir()) == []


def test_with_a_folder_the_report_is_in_it(tmp_path: Path) -> None:
    """And the ledger beside it, so that the next run knows of it."""
    first = onboard_sync(ROWS, settings=FAST, options=SIMULATED, reports=tmp_path / "r")
    second = onboard_sync(ROWS, settings=FAST, options=SIMULATED, reports=tmp_path / "r")

    assert first.folder is not None
    assert first.folder.parent == tmp_path / "r" / "simulated"
    assert (first.folder / "results.csv").exists()
    assert {status: n for status, n in first.counts.items() if n} == {Status.CREATED: 2}
    assert {status: n for status, n in second.counts.items() if n} == {Status.EXISTING: 2}
    assert (tmp_path / "r" / "simulated" / "ledger.sqlite3").exists()


def test_only_a_ledger_may_be_kept(tmp_path: Path) -> None:
    """What a simulation keeps lies beside it; nothing lies where we are."""
    report = onboard_sync(
        ROWS, settings=FAST, options=SIMULATED, ledger=tmp_path / "kept" / "ledger.sqlite3"
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

    onboard_sync(ROWS, settings=FAST, options=SIMULATED, on_event=heard.append)

    assert sum(isinstance(event, RowSettled) for event in heard) == 2


def test_a_listener_that_fails_ends_the_run() -> None:
    """In one error of ours, behind which its own stands; never a group."""

    def hear(_event: Event) -> None:
        raise LookupError("mine")

    with pytest.raises(ListenerError, match="LookupError") as caught:
        onboard_sync(ROWS, settings=FAST, options=SIMULATED, on_event=hear)

    assert isinstance(caught.value.__cause__, LookupError)
    assert str(caught.value.__cause__) == "mine"


def test_a_run_may_be_asked_to_stop() -> None:
    """In good order; the rows say that they were not attempted."""

    async def work() -> Report:
        stop = Stop()
        stop.ask("interrupted")
        return await onboard(ROWS, settings=FAST, options=SIMULATED, stop=stop)

    report = anyio.run(work)

    assert report.exit_code == 130
    assert report.counts[Status.NOT_ATTEMPTED] == 2


def test_the_report_as_a_frame_has_the_columns_of_results_csv() -> None:
    """In their order."""
    frame = onboard_sync(ROWS, settings=FAST, options=SIMULATED).to_pandas()

    assert list(frame.columns)[:4] == ["row", "status", "name", "connection_id"]
    assert list(frame.columns)[-5:] == list(RESULT_COLUMNS[-5:])
    assert list(frame["status"]) == ["created", "created"]


def test_the_report_says_what_works_where_that_was_asked() -> None:
    """As counts, and of each row; nobody asks without being told to."""
    asked = onboard_sync(ROWS, settings=FAST, options=RunOptions(simulate=True, verify=True))
    unasked = onboard_sync(ROWS, settings=FAST, options=SIMULATED)

    assert (asked.works, unasked.works) == ({Works.YES: 2}, {})
    assert [row.works for row in asked.rows] == [Works.YES, Works.YES]
    assert list(asked.to_pandas()["works"]) == ["yes", "yes"]


def test_a_row_that_fails_raises_nothing() -> None:
    """It is in the report; an error means that there is no report."""
    report = onboard_sync(
        [cells(1, org="acme", database=""), cells(2, org="acme")],
        settings=FAST,
        options=RunOptions(simulate=True, skip_invalid=True),
    )

    assert report.exit_code == 4
    assert [row.status for row in report.rows] == [Status.REJECTED, Status.CREATED]
    assert len(report.incidents) == 1


def test_what_ends_a_run_is_raised(place: CommandLine) -> None:
    """As the errors of the tree."""
    with pytest.raises(SettingsError, match="no org is set"):
        onboard_sync(ROWS)
    with pytest.raises(SheetError, match="there is no such file"):
        onboard_sync("nope.csv", options=SIMULATED)
    path = place.write("ledger.sqlite3", "no ledger")
    with pytest.raises(LedgerError):
        onboard_sync(ROWS, settings=Settings(), reports=path.parent, ledger=path)


def test_an_option_wins_over_the_settings_also_where_it_is_the_default(place: CommandLine) -> None:
    """What was chosen is chosen; and what was not, the settings say."""
    settings = Settings(
        options=RunOptions(concurrency=3, on_doubt="hold", rate=7.0, proxy="http://p:1")
    )

    chosen = begin(settings=settings, options=RunOptions(concurrency=64, on_doubt="resend"))
    left = begin(settings=settings, options=None)

    assert (chosen.options.concurrency, chosen.options.on_doubt) == (64, OnDoubt.RESEND)
    assert (left.options.concurrency, left.options.on_doubt) == (3, OnDoubt.HOLD)
    assert chosen.settings.options.rate == 7.0
    assert left.options.proxy == Secret("http://p:1")


def test_a_rate_is_that_of_every_org() -> None:
    """As `--rate` is; also of orgs that came as values."""
    org = Org(key="acme", org_id="A@AdobeOrg", client_id="a", rate=2.0)

    call = begin(settings=Settings(orgs=(org,)), options=RunOptions(rate=5.0))

    assert [org.rate for org in call.settings.orgs] == [5.0]


def test_a_proxy_may_be_a_reference(place: CommandLine) -> None:
    """As in the settings; and one that is no address is told without being shown."""
    place.setenv(PROXY=f"http://u:{CLIENT_SECRET}@proxy.test:1", NO_PROXY_AT_ALL=CLIENT_SECRET)

    call = begin(settings=Settings(), options=RunOptions(proxy="env:PROXY"))
    with pytest.raises(SettingsError, match=r"^proxy must be an address") as caught:
        begin(settings=Settings(), options=RunOptions(proxy="env:NO_PROXY_AT_ALL"))

    assert call.options.proxy == Secret(f"http://u:{CLIENT_SECRET}@proxy.test:1")
    assert Secret(CLIENT_SECRET) in call.settings.secrets
    assert CLIENT_SECRET not in f"{call} {caught.value} {caught.value.hint}"


def test_places_may_be_options_as_well(tmp_path: Path) -> None:
    """What the call itself names wins."""
    kept = RunOptions(simulate=True, reports=tmp_path / "kept")

    by_option = onboard_sync(ROWS, settings=FAST, options=kept)
    by_call = onboard_sync(ROWS, settings=FAST, options=kept, reports=tmp_path / "mine")

    assert by_option.folder is not None
    assert by_option.folder.parent == tmp_path / "kept" / "simulated"
    assert by_call.folder is not None
    assert by_call.folder.parent == tmp_path / "mine" / "simulated"


def test_how_a_sheet_is_read_counts_as_on_the_command_line(place: CommandLine) -> None:
    """An encoding that nobody knows is refused, and not passed over."""
    with pytest.raises(UsageError, match="--encoding nonsense"):
        onboard_sync(
            place.sheet(ROWS), settings=FAST, options=RunOptions(simulate=True, encoding="nonsense")
        )


@pytest.mark.parametrize("wrong", [{"concurrency": 0}, {"on_doubt": "guess"}, {"concurency": 2}])
def test_a_wrong_option_is_a_usage_error_before_anything_begins(wrong: Any) -> None:
    """Neither a hang nor a group of errors; a misspelled one is told by the nearest name."""
    with pytest.raises(UsageError) as caught:
        onboard_sync(ROWS, settings=FAST, options=RunOptions(simulate=True, **wrong))

    assert next(iter(wrong)) in caught.value.message


def test_the_ledger_and_reports_of_the_settings_count_as_on_the_command_line() -> None:
    """A program and a command that share their settings share what they know of each row, too."""
    settings = Settings(options=RunOptions(rate=200.0, ledger="l.sqlite3", reports="r"))

    first = onboard_sync(ROWS, settings=settings, options=SIMULATED)
    second = onboard_sync(ROWS, settings=settings, options=SIMULATED)

    assert first.folder == Path("r/simulated", first.run_id).absolute()
    assert [path.name for path in Path().iterdir()] == ["r"]
    assert second.counts[Status.EXISTING] == 2


def test_the_environment_names_places_too(practice: Practice, place: CommandLine) -> None:
    """And what the call itself names wins over it."""
    place.setenv(BATCHCONNECT_REPORTS="kept", BATCHCONNECT_LEDGER="kept/l.sqlite3")

    by_environment = onboard_sync([cells(1)])
    by_call = onboard_sync([cells(1)], reports="mine")

    assert by_environment.folder == Path("kept", by_environment.run_id).absolute()
    assert by_call.folder == Path("mine", by_call.run_id).absolute()
    assert by_call.counts[Status.EXISTING] == 1, "the ledger is that of the environment"


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


# The places ---------------------------------------------------------------------------------------


def refusing(number: int) -> Any:
    """A call of the system that a volume refuses."""

    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(number, os.strerror(number))

    return refuse


def test_the_places_are_tried_before_the_first_create(
    practice: Practice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by the command: no row is created whose report could not be written."""
    monkeypatch.setattr(os, "replace", refusing(errno.EROFS))
    with pytest.raises(UsageError, match="nothing was sent"):
        onboard_sync(many(2), settings=FAST, reports=tmp_path / "reports")

    assert practice.creates() == []
    assert practice.journal() == []


def test_a_volume_that_keeps_no_modes_is_a_warning_of_pythons(
    practice: Practice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every row is created, every file written."""
    for call in ("chmod", "fchmod"):
        monkeypatch.setattr(os, call, refusing(errno.EPERM))
    with pytest.warns(UserWarning, match="keeps no modes of files"):
        report = onboard_sync(many(2), reports=tmp_path / "reports", options=RunOptions(rate=200.0))

    assert report.exit_code == 0
    assert len(practice.creates()) == 2


def test_without_a_folder_nothing_is_tried(
    practice: Practice, place: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what was named is written to."""
    monkeypatch.setattr(os, "replace", refusing(errno.EROFS))
    report = onboard_sync(many(1), options=RunOptions(rate=200.0))

    assert report.exit_code == 0
    assert list(place.folder.iterdir()) == []
