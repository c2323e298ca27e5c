"""Volumes that refuse modes, or writing at all: known before the first create, and said."""

import errno
import os
import stat
from pathlib import Path

import pytest

from tests.acceptance.practice import Practice
from tests.command_line import FAST, CommandLine, many


@pytest.mark.parametrize(
    "number", [errno.EPERM, errno.EACCES, errno.ENOTSUP], ids=errno.errorcode.get
)
def test_a_volume_that_refuses_modes_costs_a_warning_and_nothing_else(
    batchconnect: CommandLine, practice: Practice, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Azure Files, CIFS: every row created, every file written, one warning, exit 0."""

    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(number, os.strerror(number))

    sheet = batchconnect.sheet(many(2))
    monkeypatch.setattr(os, "chmod", refuse)
    monkeypatch.setattr(os, "fchmod", refuse)
    done = batchconnect("run", sheet, *FAST)

    assert done.code == 0, done
    assert done.err.count("keeps no modes of files") == 1
    assert len(practice.creates()) == 2
    written = {path.name for path in Path("reports/latest").resolve().iterdir()}
    assert {
        "results.csv",
        "results.xlsx",
        "report.html",
        "summary.json",
        "run.log.jsonl",
    } <= written
    assert not [path for path in Path("reports").iterdir() if path.name.startswith(".try")]


def test_a_volume_that_takes_modes_and_keeps_none_costs_a_warning(
    batchconnect: CommandLine, practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mount with modes of its own: nothing is refused, and everybody may read what was written."""
    sheet, opened = batchconnect.sheet(many(2)), os.open

    def to_all(path: Path, flags: int, _mode: int = 0o777, **options: int) -> int:
        return opened(path, flags, 0o777, **options)

    monkeypatch.setattr(os, "chmod", lambda *_, **__: None)
    monkeypatch.setattr(os, "fchmod", lambda *_, **__: None)
    monkeypatch.setattr(os, "open", to_all)
    before = os.umask(0)
    try:
        done = batchconnect("run", sheet, *FAST)
    finally:
        os.umask(before)

    assert done.code == 0, done
    assert done.err.count("keeps no modes of files") == 1
    assert len(practice.creates()) == 2


@pytest.mark.parametrize("call", ["symlink", "link"])
def test_a_volume_that_knows_no_links_costs_nothing(
    batchconnect: CommandLine, practice: Practice, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """`latest` is a convenience; every row is created, every file is there."""

    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    sheet = batchconnect.sheet(many(2))
    monkeypatch.setattr(os, call, refuse)
    done, status = batchconnect("run", sheet, *FAST), batchconnect("status")

    assert (done.code, status.code) == (0, 0), done
    assert len(practice.creates()) == 2
    (folder,) = (
        path for path in Path("reports").iterdir() if path.is_dir() and not path.is_symlink()
    )
    assert (folder / "results.csv").exists()


def test_a_volume_that_syncs_no_folder_costs_nothing(
    batchconnect: CommandLine, practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some network mounts sync files alone."""
    synced = os.fsync

    def of_files(number: int) -> None:
        if stat.S_ISDIR(os.fstat(number).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        synced(number)

    sheet = batchconnect.sheet(many(2))
    monkeypatch.setattr(os, "fsync", of_files)
    done = batchconnect("run", sheet, *FAST)

    assert done.code == 0, done
    assert len(practice.creates()) == 2


@pytest.mark.parametrize("call", ["replace", "fsync"])
def test_a_folder_that_takes_no_report_is_known_before_the_first_create(
    batchconnect: CommandLine, practice: Practice, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Exit 2, nothing sent, and nobody is told to free a disk that is not full."""

    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    sheet = batchconnect.sheet(many(2))
    monkeypatch.setattr(os, call, refuse)
    done = batchconnect("run", sheet, *FAST)

    assert done.code == 2, done
    assert "nothing was sent" in done.err
    assert "Free disk space" not in done.err
    assert practice.creates() == []
