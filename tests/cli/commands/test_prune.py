"""`runs --prune`: old report folders go; no line of the ledger does, and nothing that is somebody's own."""

import hashlib
import os
from pathlib import Path

import anyio
import pytest

from batchconnect import Report, RunOptions, Stop, onboard
from batchconnect.ledger.sqlite.store import SqliteLedger
from tests.command_line import FAST, CommandLine, many

HOME = Path("reports/simulated")
SIMULATED = ("--simulate", *FAST)


@pytest.fixture
def runs(batchconnect: CommandLine) -> list[str]:
    """Three runs, oldest first."""
    sheet = batchconnect.sheet(many(2, org="acme"))
    return [
        str(batchconnect("run", sheet, *SIMULATED, "--json", "--note", note).json["run_id"])
        for note in ("a", "b", "c")
    ]


def lines_of_ledger() -> str:
    """A digest of every line that it has."""
    with SqliteLedger(HOME / "ledger.sqlite3", simulated=True, read_only=True) as ledger:
        found = [
            repr(line)
            for number, _, lines in ledger.runs()
            for line in (*lines, *ledger.row_lines(number))
        ]
    return hashlib.sha256("\n".join(found).encode()).hexdigest()


def folders() -> set[str]:
    """The runs that have a folder."""
    return {path.name for path in HOME.iterdir() if path.is_dir() and not path.is_symlink()}


def test_old_folders_go_and_the_ledger_keeps_every_line(
    batchconnect: CommandLine, runs: list[str]
) -> None:
    """The newest run keeps its folder; `report` writes the others again, as they were."""
    before = lines_of_ledger()
    results = (HOME / runs[0] / "results.csv").read_bytes()
    assert batchconnect("report", runs[0], "--simulate", "--by", "org").code == 0

    done = batchconnect("runs", "--simulate", "--prune", "0")

    assert done.code == 0
    assert folders() == {runs[2]}
    assert lines_of_ledger() == before
    assert [line.split()[:2] for line in done.out.splitlines()[:2]] == [
        [runs[1], "removed,"],
        [runs[0], "removed,"],
    ]
    assert "2 report folders removed; the ledger has every line" in done.out
    assert len(batchconnect("runs", "--simulate").out.splitlines()) == 3
    assert batchconnect("report", runs[0], "--simulate").code == 0
    assert (HOME / runs[0] / "results.csv").read_bytes() == results


def test_what_ended_within_the_days_stays(batchconnect: CommandLine, runs: list[str]) -> None:
    done = batchconnect("runs", "--simulate", "--prune", "1", "--json")

    assert (done.code, done.json) == (0, {"pruned": []})
    assert folders() == set(runs)


def test_what_is_somebody_s_own_stays_and_is_named(
    batchconnect: CommandLine, runs: list[str], tmp_path: Path
) -> None:
    """A file beside ours, a folder, and a link in the place of one of ours, which leads elsewhere."""
    own = HOME / runs[0]
    (own / "notes.txt").write_text("mine")
    (own / "mine").mkdir()
    (own / "mine" / "results.csv").write_text("mine")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "results.csv").write_text("mine")
    (own / "by-org").symlink_to(elsewhere)

    done = batchconnect("runs", "--simulate", "--prune", "0", "--json")

    told = {one["run_id"]: one for one in done.json["pruned"]}
    assert told[runs[0]]["left"] == ["by-org", "mine", "notes.txt"]
    assert (elsewhere / "results.csv").read_text() == "mine"
    assert sorted(path.name for path in own.iterdir()) == ["by-org", "mine", "notes.txt"]
    assert (own / "mine" / "results.csv").read_text() == "mine"
    assert told[runs[1]]["left"] == []


def test_a_link_in_a_folder_s_place_is_not_followed(
    batchconnect: CommandLine, runs: list[str], tmp_path: Path
) -> None:
    moved = tmp_path / "moved"
    (HOME / runs[0]).rename(moved)
    (HOME / runs[0]).symlink_to(moved)

    assert batchconnect("runs", "--simulate", "--prune", "0").code == 0
    assert (moved / "results.csv").exists()


@pytest.mark.slow
def test_a_run_that_is_open_keeps_its_folder(batchconnect: CommandLine, runs: list[str]) -> None:
    """The same command goes on with it."""

    async def cut_off() -> Report:
        stop = Stop()
        stop.ask("interrupted")
        options = RunOptions(simulate=True, rate=200.0)
        return await onboard(many(3, org="beta"), reports="reports", options=options, stop=stop)

    is_open = anyio.run(cut_off).run_id
    newest = batchconnect("run", batchconnect.sheet(many(2, org="acme")), *SIMULATED, "--json")

    assert batchconnect("runs", "--simulate", "--prune", "0").code == 0
    assert folders() == {is_open, newest.json["run_id"]}


def test_the_folder_that_latest_leads_to_stays(batchconnect: CommandLine, runs: list[str]) -> None:
    """Somebody set it by hand, or the newest run could write none."""
    (HOME / "latest").unlink()
    (HOME / "latest").symlink_to(runs[0])

    assert batchconnect("runs", "--simulate", "--prune", "0").code == 0
    assert folders() == {runs[0], runs[2]}


def test_what_cannot_be_removed_is_told(
    batchconnect: CommandLine, runs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path.name == "report.html":
            raise PermissionError(13, os.strerror(13))
        real(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    done = batchconnect("runs", "--simulate", "--prune", "0")

    assert done.code == 0
    assert f"{runs[0]}  kept, " in done.out
    assert "in it still: report.html (Permission denied)" in done.out
    assert "2 folders kept" in done.out


def test_without_a_ledger_nothing_is_removed(batchconnect: CommandLine, runs: list[str]) -> None:
    """Which run a folder is of, only a ledger knows."""
    done = batchconnect("runs", "--prune", "0")

    assert done.code == 5
    assert folders() == set(runs)
    assert batchconnect("runs", "--simulate", "--prune", "-1").code == 2
