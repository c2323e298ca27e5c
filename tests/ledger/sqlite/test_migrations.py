"""
A ledger of every earlier version is read as it is, brought to today's form by the first run, and reported
alike.

`data/made_by_c7f5d88` is a ledger that the last commit of version 1 made itself (`--simulate --fault
ambiguous`, made-up rows), with the reports that the same commit wrote of its three runs: one with a
refused row, rejected rows, a doubt and a lane that stopped; its rerun; and one that was killed at work.

`data/made_by_039ff7c` was made alike by the last commit that knew of one sheet for a run: a rejected row and a
doubt that is held, and the rerun.
"""

import csv
import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import pytest

from batchconnect.ledger.entry import Deleted, Line, RunOpened, Sending, Settled
from batchconnect.ledger.interface import SharedIdError
from batchconnect.ledger.kind import KINDS
from batchconnect.ledger.sqlite.migrations import MIGRATIONS, VERSION
from batchconnect.ledger.sqlite.store import MEMORY, SqliteLedger
from batchconnect.model import outcome
from batchconnect.model.errors import LedgerError
from batchconnect.model.outcome import Created
from tests.command_line import CommandLine

MADE: Final = Path(__file__).parent / "data" / "made_by_c7f5d88"
OF_ONE_SHEET: Final = MADE.with_name("made_by_039ff7c")
RUNS: Final = sorted(folder.name for folder in MADE.iterdir() if folder.is_dir())
RUNS_OF_ONE_SHEET: Final = sorted(one.name for one in OF_ONE_SHEET.iterdir() if one.is_dir())


def of_the_last_commit(path: Path) -> None:
    """As it is."""


def of_the_first_commits(path: Path) -> None:
    """Version 1 as it first was: without the kind in the index of the identities."""
    old = sqlite3.connect(path)
    old.executescript(
        "DROP INDEX entry_of_marker;"
        "CREATE INDEX entry_of_marker ON entry (marker, seq)"
        " WHERE marker IS NOT NULL AND kind IN ('sending', 'in_doubt', 'absent', 'settled');"
    )
    old.close()


def of_version_2(path: Path) -> None:
    """Without the index of the connections' ids."""
    with sqlite3.connect(path) as old:
        for statement in MIGRATIONS[2]:
            old.execute(statement)
        old.execute("PRAGMA user_version = 2")
    old.close()


EARLIER: Final = [of_the_first_commits, of_the_last_commit, of_version_2]
Make = Callable[[Path], None]


@pytest.fixture(params=EARLIER)
def earlier(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a ledger of an earlier version, where `--simulate` looks for it."""
    path = tmp_path / "reports" / "simulated" / "ledger.sqlite3"
    path.parent.mkdir(parents=True)
    shutil.copy(MADE / "ledger.sqlite3", path)
    request.param(path)
    return path


@pytest.fixture
def batchconnect(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CommandLine:
    """The command line, in the folder above the reports."""
    return CommandLine(tmp_path, capsys, monkeypatch, dict(os.environ))


def upgraded(path: Path) -> None:
    """What the first run of today does before anything else."""
    SqliteLedger(path, host="simulator", simulated=True).close()


def version_of(path: Path) -> int:
    db = sqlite3.connect(path)
    (version,) = db.execute("PRAGMA user_version").fetchone()
    db.close()
    return int(version)


def form_of(db: sqlite3.Connection) -> set[tuple[str, str]]:
    rows = db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {(name, " ".join(sql.split())) for name, sql in rows}


def test_the_ledger_of_the_fixture_is_of_version_1_and_has_nearly_every_kind_of_line() -> None:
    """Otherwise the tests below would show little."""
    db = sqlite3.connect(f"{(MADE / 'ledger.sqlite3').as_uri()}?mode=ro&immutable=1", uri=True)
    (version,) = db.execute("PRAGMA user_version").fetchone()
    kinds = {kind for (kind,) in db.execute("SELECT DISTINCT kind FROM entry")}
    db.close()

    assert version == 1
    assert kinds == {
        "run_opened", "row", "sending", "in_doubt", "settled", "lane", "sweep", "run_ended",
    }  # fmt: skip
    assert kinds < {kind.word for kind in KINDS}


@pytest.mark.parametrize("run_id", RUNS)
@pytest.mark.parametrize("is_upgraded", [False, True], ids=["as it is", "upgraded"])
def test_it_is_reported_as_the_old_commit_did(
    earlier: Path, batchconnect: CommandLine, run_id: str, *, is_upgraded: bool
) -> None:
    """
    Every cell and every figure that it had. Columns, keys and statuses that came since may be beside them, and
    say nothing of it; paths and advice may differ.
    """
    version = version_of(earlier)
    if is_upgraded:
        upgraded(earlier)
    done = batchconnect("report", run_id, "--simulate")
    written = batchconnect.folder / "reports" / "simulated" / run_id

    assert done.code == 0, done
    assert version_of(earlier) == (VERSION if is_upgraded else version)
    _assert_alike(written, MADE / run_id)


@pytest.mark.parametrize("run_id", RUNS_OF_ONE_SHEET)
def test_what_knew_of_one_sheet_is_reported_as_it_was(
    batchconnect: CommandLine, run_id: str
) -> None:
    """The fields that tell of several sheets came since: their absence means the one sheet, and no tab."""
    path = batchconnect.folder / "reports" / "simulated" / "ledger.sqlite3"
    path.parent.mkdir(parents=True)
    shutil.copy(OF_ONE_SHEET / "ledger.sqlite3", path)
    db = sqlite3.connect(path)
    bodies = db.execute("SELECT body FROM entry WHERE kind = 'run_opened'").fetchall()
    db.close()
    done = batchconnect("report", run_id, "--simulate")
    told = batchconnect("status", run_id, "--simulate", "--json").json
    with SqliteLedger(path, simulated=True, read_only=True) as ledger:
        opened = [line.entry for _, line, _ in ledger.runs()]

    since = {"sheet_paths", "tabs", "worksheets", "all_worksheets", "map", "choices", "alone"}
    assert all(since.isdisjoint(json.loads(body)) for (body,) in bodies)
    assert since < {field.name for field in fields(RunOpened)}
    assert done.code == 0, done
    written = path.parent / run_id
    _assert_alike(written, OF_ONE_SHEET / run_id)
    assert {row["worksheet"] for row in _rows(written)} == {""}
    assert {Path(row["sheet"]).name for row in _rows(written)} == {"clients.csv"}
    assert [Path(one["sheet"]).name for one in told["sheets"]] == ["clients.csv"]
    assert [one.files for one in opened if isinstance(one, RunOpened)] == [
        ("/srv/onboarding/clients.csv",)
    ] * 2


def _assert_alike(written: Path, before_in: Path) -> None:
    """Every cell and figure that a report had before, it has today."""
    results, results_before = _rows(written), _rows(before_in)
    assert [
        {word: now[word] for word in row} for now, row in zip(results, results_before, strict=True)
    ] == results_before
    summary, before = _summary(written), _summary(before_in)
    # What an incident says since (a fault of our own) is left out; what it said, it says.
    for now, then in zip(summary["incidents"], before["incidents"], strict=True):
        assert {word: now[word] for word in then} == then
    summary["incidents"] = before["incidents"]
    if before["sweep"] is not None and "wrong_id" not in before["sweep"]:
        assert summary["sweep"].pop("wrong_id") == [], "what a sweep looks for since"
    counts = summary["counts"]
    since = {status: counts.pop(status) for status in counts.keys() - before["counts"].keys()}
    assert not any(since.values()), "statuses that no row of an old run can have"
    assert {word: summary[word] for word in before} == before


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "results.csv").open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines))


def _summary(folder: Path) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    for place in ("ledger", "files"):
        del summary[place]
    for incident in summary["incidents"]:
        del incident["hint"], incident["title"]
    return summary


def test_it_gets_the_form_of_a_new_one(earlier: Path) -> None:
    """So whatever is built on the form of today holds for it, too."""
    upgraded(earlier)
    with SqliteLedger(MEMORY) as new, SqliteLedger(earlier, simulated=True) as old:
        assert form_of(old._db) == form_of(new._db)
        assert len(list(old.runs())) == 3


def test_what_is_in_doubt_is_known_before_and_after(earlier: Path) -> None:
    """Nothing of what was sent is forgotten on the way."""
    with SqliteLedger(earlier, simulated=True, read_only=True) as before:
        open_before = before.open_markers()
        states_before = before.states_of(open_before)
    upgraded(earlier)
    with SqliteLedger(earlier, simulated=True, read_only=True) as after:
        assert after.open_markers() == open_before
        assert after.states_of(open_before) == states_before
    assert len(open_before) > 2
    assert all(state.is_open for state in states_before.values())


def test_it_is_written_on(earlier: Path) -> None:
    """The next run gets its number, and an identity that was sent before is known by its whole story."""
    with SqliteLedger(earlier, host="simulator", simulated=True) as ledger:
        marker = ledger.open_markers()[0]
        sends = ledger.states_of([marker])[marker].sends
        run = ledger.append([Line(entry=RunOpened(run_id="r", sheets=(), sheet_sha256=""))])
        ledger.append([Line(entry=Sending(number=1), run=run, row=2, marker=marker)])
        state = ledger.states_of([marker])[marker]

        assert ledger.run_lines(run)[0].run == run
        assert (state.sends, state.is_sent) == (sends + 1, True)


def test_an_identity_is_found_by_its_index_in_a_file_of_every_version(earlier: Path) -> None:
    """`plan` reads an old file as it is, and asks for each row: never by a look at every line."""
    for _ in ("as it is", "upgraded"):
        with SqliteLedger(earlier, simulated=True, read_only=True) as ledger:
            told: list[str] = []
            ledger._db.set_trace_callback(told.append)
            ledger.states_of(["bc1-a", "bc1-b"])
            ledger.open_markers()
            ledger.has_markers()
            ledger.deleted_markers()
            ledger._db.set_trace_callback(None)
            for asked in [one for one in told if not one.startswith("PRAGMA")]:
                plan = str(ledger._db.execute(f"EXPLAIN QUERY PLAN {asked}").fetchall())
                assert "INDEX entry_of_" in plan, asked
        upgraded(earlier)


def test_what_a_run_writes_meanwhile_is_read_by_who_opened_the_old_form(earlier: Path) -> None:
    """`plan` has the file open as it was; then a run brings it to today's form, and deletes a connection."""
    marker = "bc1-a"
    with SqliteLedger(earlier, simulated=True, read_only=True) as reader:
        assert (reader.deleted_markers(), reader.states_of([marker])) == ([], {})
        with SqliteLedger(earlier, host="simulator", simulated=True) as writer:
            gone = Deleted(outcome=outcome.Deleted(connection_id="c-1"))
            writer.append([Line(entry=gone, run=1, row=2, marker=marker)])

        assert reader.deleted_markers() == [marker]
        assert reader.states_of([marker])[marker].gone == ("c-1",)


def test_an_id_of_an_old_line_is_another_rows_too(earlier: Path) -> None:
    """The index of version 4 covers what was settled before there was one."""
    db = sqlite3.connect(earlier)
    (body,) = db.execute(
        'SELECT CAST(body AS TEXT) AS told FROM entry WHERE told LIKE \'%,"is":"Created"}\''
    ).fetchone()
    db.close()
    connection_id = json.loads(body)["outcome"]["connection_id"]
    with SqliteLedger(earlier, host="simulator", simulated=True) as ledger:
        run = ledger.append([Line(entry=RunOpened(run_id="r", sheets=(), sheet_sha256=""))])
        settled = Settled(outcome=Created(connection_id=connection_id.upper()))
        with pytest.raises(SharedIdError) as shared:
            ledger.append([Line(entry=settled, run=run, row=2, marker="bc1-new")])

    (other,) = shared.value.others
    assert isinstance(other.entry, Settled)
    assert isinstance(other.entry.outcome, Created)
    assert other.entry.outcome.connection_id == connection_id


def test_a_step_that_fails_leaves_the_ledger_as_it_was(
    earlier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All steps are one transaction: no ledger stays between two versions."""
    broken = {**MIGRATIONS, VERSION + 1: ("CREATE TABLE x (y)", "CREATE TABLE entry (z)")}
    monkeypatch.setattr("batchconnect.ledger.sqlite.migrations.MIGRATIONS", broken)
    with sqlite3.connect(earlier) as db:
        before = form_of(db), version_of(earlier)
    db.close()

    with pytest.raises(LedgerError, match="already exists"):
        upgraded(earlier)

    with sqlite3.connect(earlier) as db:
        assert (form_of(db), version_of(earlier)) == before
    db.close()


def test_a_ledger_of_another_mode_is_not_brought_to_todays_form(earlier: Path) -> None:
    """It is refused before anything of it is changed."""
    before = earlier.read_bytes()

    with pytest.raises(LedgerError, match="belongs to the mode simulated"):
        SqliteLedger(earlier)

    assert earlier.read_bytes() == before
