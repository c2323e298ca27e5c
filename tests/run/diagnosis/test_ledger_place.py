"""`doctor` tries the places of ledger and reports as a run would use them: disk, modes, locks, and the ledger itself."""

import os
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from batchconnect.ledger.entry import Line, RunOpened
from batchconnect.ledger.sqlite.file import locked
from batchconnect.ledger.sqlite.store import SqliteLedger
from batchconnect.model.errors import LedgerError
from batchconnect.model.ledger_address import LedgerAddress
from batchconnect.model.secret import Secret
from batchconnect.options import MergedOptions, RunOptions, with_defaults
from batchconnect.run.diagnosis.check import Check, Verdict
from batchconnect.run.diagnosis.ledger_place import look_at_places


class Usage(NamedTuple):
    """As of `shutil.disk_usage`."""

    total: int
    used: int
    free: int


@pytest.fixture
def options(tmp_path: Path) -> MergedOptions:
    home = tmp_path / "reports"
    home.mkdir(mode=0o700)
    return with_defaults(RunOptions(reports=home))


@pytest.fixture
def file(options: MergedOptions) -> Path:
    """The ledger of a run."""
    path = Path(str(options.reports)) / "ledger.sqlite3"
    with SqliteLedger(path, host="platform.adobe.io") as ledger:
        ledger.append(
            [Line(entry=RunOpened(run_id="r", sheets=("a.csv",), sheet_sha256=""), at_ms=1)]
        )
    return path


def seen(options: MergedOptions, topic: str) -> list[Check]:
    return [check for check in look_at_places(options) if check.topic == topic]


def test_a_place_that_is_well_says_so_and_nothing_is_left_there(options: MergedOptions) -> None:
    (folder,), (ledger,) = seen(options, "folder"), seen(options, "ledger")

    assert (folder.verdict, ledger.verdict) == (Verdict.OK, Verdict.OK)
    assert "may be written, is private, has locks" in folder.what
    assert ledger.what == "there is none yet; the first run makes it"
    assert list(Path(str(options.reports)).iterdir()) == []


def test_a_ledger_that_is_there_is_read(options: MergedOptions, file: Path) -> None:
    (ledger,) = seen(options, "ledger")

    assert (ledger.verdict, ledger.what) == (Verdict.OK, "readable, 1 run")


def test_a_ledger_that_a_run_is_at_work_on_is_no_trouble(
    options: MergedOptions, file: Path
) -> None:
    with locked(file, about={}):
        (ledger,) = seen(options, "ledger")

    assert ledger.verdict is Verdict.NOTE
    assert ledger.what == "readable, 1 run; a run is at work on it now"


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_a_ledger_that_others_may_read_is_warned_about(options: MergedOptions, file: Path) -> None:
    """The command that mends it is the remedy, to be copied."""
    file.chmod(0o644)
    (ledger,) = seen(options, "ledger")

    assert ledger.verdict is Verdict.WARNING
    assert ledger.remedy == f"chmod 600 {file}"


@pytest.mark.parametrize(
    ("free", "verdict", "size"),
    [(19_000_000, Verdict.FAILED, "19 MB"), (400_000_000, Verdict.WARNING, "400 MB")],
)
def test_a_disk_that_is_nearly_full_is_told_before_a_run_ends_on_it(
    options: MergedOptions, monkeypatch: pytest.MonkeyPatch, free: int, verdict: Verdict, size: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: Usage(free, 0, free))
    first, _well = seen(options, "folder")

    assert (first.verdict, first.what) == (verdict, f"its disk has {size} left")


def test_a_volume_without_locks_cannot_keep_a_ledger(
    options: MergedOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_lock(_path: Path) -> None:
        raise LedgerError("No locks available")

    monkeypatch.setattr("batchconnect.run.diagnosis.ledger_place.try_lock", no_lock)
    (folder,) = seen(options, "folder")

    assert folder.verdict is Verdict.FAILED
    assert folder.what == "it has no locks: No locks available"
    assert "local disk" in folder.remedy


def test_a_ledger_on_a_share_is_warned_about(
    options: MergedOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "batchconnect.run.diagnosis.ledger_place.warning_of_place", lambda _options: "it is on NFS"
    )
    first, _ledger = seen(options, "ledger")

    assert (first.verdict, first.what) == (Verdict.WARNING, "it is on NFS")
    assert first.remedy == "Name a local path with --ledger."


def test_of_a_team_s_ledger_the_folder_of_the_reports_is_tried_alone(tmp_path: Path) -> None:
    """What its server says is asked as well; here it is away."""
    address: Any = LedgerAddress(Secret("postgresql://nowhere.invalid/ledger"))
    options = with_defaults(RunOptions(reports=tmp_path, ledger=address))
    (folder,), (ledger,) = seen(options, "folder"), seen(options, "ledger")

    assert folder.subject == str(tmp_path)
    assert ledger.verdict is Verdict.FAILED
    assert ledger.remedy
