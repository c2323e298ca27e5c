"""What cannot be removed is told, and what is somebody's own is left; whatever the system answers in between."""

import os
from pathlib import Path

import pytest

from batchconnect.ledger.entry import Line, RunEnded, RunOpened
from batchconnect.ledger.sqlite.store import SqliteLedger
from batchconnect.run.history.prune import Pruned, prune_reports


def ledger_of(*run_ids: str) -> SqliteLedger:
    """Runs that ended long ago, oldest first."""
    ledger = SqliteLedger(":memory:", host="platform.test")
    for run_id in run_ids:
        opened = RunOpened(run_id=run_id, sheets=("a.csv",), sheet_sha256="")
        run = ledger.append([Line(entry=opened, at_ms=1)])
        ledger.append([Line(entry=RunEnded(exit_code=0), run=run, at_ms=2)])
    return ledger


def pruned(home: Path, *run_ids: str) -> list[Pruned]:
    with ledger_of(*run_ids) as ledger:
        return list(prune_reports(ledger, home, before_ms=10))


def test_a_run_whose_folder_is_gone_already_is_passed_over(tmp_path: Path) -> None:
    """And without `latest` it is the newest run that keeps its own."""
    for name in ("b", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "results.csv").touch()

    (only,) = pruned(tmp_path, "a", "b", "c")

    assert (only.run_id, only.files, only.left) == ("b", 1, ())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c"]


def test_a_folder_that_may_not_be_read_is_told_with_the_system_s_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "results.csv").touch()
    listed = Path.iterdir

    def refuse(self: Path) -> object:
        if self.name == "a":
            raise PermissionError(13, "Permission denied", str(self))
        return listed(self)

    monkeypatch.setattr(Path, "iterdir", refuse)
    (one,) = pruned(tmp_path, "a", "b")

    assert (one.files, one.left) == (0, (". (Permission denied)",))
    assert os.path.exists(tmp_path / "a" / "results.csv")  # noqa: PTH110 - Path is not to be asked here


def test_a_file_that_goes_meanwhile_is_told_and_costs_no_other_file_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two who prune at once."""
    (tmp_path / "a").mkdir()
    for name in ("results.csv", "results.jsonl"):
        (tmp_path / "a" / name).touch()
    unlink = Path.unlink

    def gone(self: Path, missing_ok: bool = False) -> None:
        unlink(self, missing_ok)
        if self.name == "results.csv":
            raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(Path, "unlink", gone)
    (one,) = pruned(tmp_path, "a", "b")

    assert one.files == 1
    assert one.left == ("results.csv (No such file or directory)",)
