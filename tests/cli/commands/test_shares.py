"""Volumes that refuse modes, or writing at all: known before the first create, and said."""

import errno
import os
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
