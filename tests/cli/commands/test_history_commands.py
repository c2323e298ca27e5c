"""`runs`, `status`, `report`: what the ledger tells of runs, past and present; no lock is needed."""

import json
import os
from pathlib import Path

import anyio
import pytest

from batchconnect import RunOptions, Stop, onboard
from batchconnect.ledger.entry import (
    ONBOARD,
    UNDO,
    VERIFY,
    Deleted,
    Entry,
    Line,
    RowPlanned,
    RunEnded,
    RunOpened,
    RunResumed,
    Settled,
    Tested,
)
from batchconnect.ledger.sqlite.file import locked
from batchconnect.ledger.sqlite.store import SqliteLedger
from batchconnect.model import outcome
from batchconnect.model.outcome import Created, Works
from tests.command_line import FAST, CommandLine, many

SIMULATED = ("--simulate", *FAST)


def two_runs(batchconnect: CommandLine) -> None:
    """A canary, and what it left."""
    sheet = batchconnect.sheet(many(2, org="acme"))
    batchconnect("run", sheet, *SIMULATED, "--max-rows", "1", "--note", "CHG-1")
    batchconnect("run", sheet, *SIMULATED)


def test_before_the_first_run_there_is_nothing_to_show(batchconnect: CommandLine) -> None:
    """Which is no error; and where a ledger is looked for is said."""
    done = batchconnect("runs")

    assert done.code == 0
    assert done.out.startswith("no run yet in ")
    assert batchconnect("runs", "--json").json == {"runs": []}


def test_past_runs_are_shown_newest_first(batchconnect: CommandLine) -> None:
    """With command, exit code, what is connected, sheet and note."""
    two_runs(batchconnect)

    newer, older = batchconnect("runs", "--simulate").out.splitlines()

    assert newer.split()[1:7] == ["run", "exit", "0", "2/2", "connected", "clients.csv"]
    assert older.split()[1:] == ["run", "exit", "8", "1/2", "connected", "clients.csv", "CHG-1"]


def test_of_a_workbook_the_tabs_are_counted_and_not_listed(batchconnect: CommandLine) -> None:
    """A run is told in a line, whatever it is over."""
    sheets = ("a.csv", "b.xlsx#EMEA", "b.xlsx#APAC")
    opened = RunOpened(run_id="r1", sheets=sheets, sheet_sha256="", tabs=("", "EMEA", "APAC"))
    with SqliteLedger("ledger.sqlite3") as ledger:
        ledger.append([Line(entry=opened)])

    done = batchconnect("runs", "--ledger", "ledger.sqlite3")

    assert "a.csv, b.xlsx (2 tabs)" in done.out


def test_every_run_says_what_it_did_and_what_works(batchconnect: CommandLine) -> None:
    """In `runs` and in `status`, for people and for programs; written here, whatever command writes such lines."""
    two_runs(batchconnect)
    path = Path("reports/simulated/ledger.sqlite3")
    planned = RowPlanned(name="Acme", org="acme", sandbox="dev")
    with SqliteLedger(path.absolute(), host="simulator", simulated=True) as ledger:
        for command, run_id in ((VERIFY, "sim-8"), (UNDO, "sim-9")):
            opened = RunOpened(
                run_id=run_id,
                sheets=("clients.csv",),
                sheet_sha256="",
                command=command,
                parent_run_id="sim-7",
            )
            run = ledger.append([Line(entry=opened)])
            entries: list[Entry] = [planned, Settled(outcome=Created(connection_id="c"))]
            if command == VERIFY:
                entries.append(Tested(connection_id="c", works=Works.NO, code="x"))
            else:
                entries.append(Deleted(outcome=outcome.Deleted(connection_id="c")))
            ledger.append([Line(entry=one, run=run, row=2, marker="m") for one in entries])
            ledger.append([Line(entry=RunEnded(exit_code=4), run=run)])

    undo, verify, *_ = batchconnect("runs", "--simulate").out.splitlines()
    told = batchconnect("runs", "--simulate", "--json").json["runs"]
    status = batchconnect("status", "sim-8", "--simulate").out

    assert verify == "sim-8  verify  exit 4   1/1 connected, 0 of 1 work  clients.csv  of sim-7"
    assert "1/1 deleted  clients.csv  of sim-7" in undo
    assert [one["command"] for one in told] == ["undo", "verify", "run", "run"]
    assert told[1]["works"] == {"yes": 0, "no": 1, "not_tested": 0}
    assert status.startswith("verify sim-8 of run sim-7: 1 row")
    assert "  works: 1 no\n" in status


def test_at_most_so_many_runs_are_shown(batchconnect: CommandLine) -> None:
    """The newest ones."""
    two_runs(batchconnect)

    (only,) = batchconnect("runs", "--simulate", "--limit", "1", "--json").json["runs"]

    assert (only["exit_code"], only["closed"], only["simulated"]) == (0, True, True)


def test_a_simulation_never_mixes_with_real_runs(batchconnect: CommandLine) -> None:
    """Who forgets `--simulate` is told where the runs are."""
    two_runs(batchconnect)

    for command in ("status", "report", "rerun"):
        done = batchconnect(command)
        assert done.code == 5
        assert "There are simulated runs: add --simulate." in done.err
    assert batchconnect("runs").out.startswith("no run yet")


def test_without_any_ledger_the_hint_says_how_one_comes_to_be(batchconnect: CommandLine) -> None:
    """Or where another is."""
    done = batchconnect("status", "--simulate")

    assert done.code == 5
    assert "A run makes it." in done.err


def test_the_status_is_the_end_of_the_run_again(batchconnect: CommandLine) -> None:
    """Of the last run, or of one that is named by its beginning."""
    two_runs(batchconnect)
    newer, older = (
        one["run_id"] for one in batchconnect("runs", "--simulate", "--json").json["runs"]
    )

    last = batchconnect("status", "--simulate")
    named = batchconnect("status", "--simulate", older)

    assert f"run {newer} (simulated): 2 rows" in last.out
    assert f"run {older} (simulated): 2 rows" in named.out
    assert "next:   the command that began it, once more" in named.out
    assert batchconnect("status", "--simulate", "--json").json["exit_code"] == 0


@pytest.mark.parametrize(("name", "why"), [("nobody", "no run is called"), ("sim-", "several")])
def test_a_run_has_to_be_named_well(batchconnect: CommandLine, name: str, why: str) -> None:
    """Unknown, or not one only: exit 2."""
    two_runs(batchconnect)

    done = batchconnect("status", "--simulate", name)

    assert done.code == 2
    assert why in done.err


def test_a_run_at_work_is_shown_as_running(batchconnect: CommandLine) -> None:
    """Only an open one: who holds the lock may be at work on something else."""
    two_runs(batchconnect)
    ledger = Path("reports/simulated/ledger.sqlite3").absolute()

    with locked(ledger, about={"pid": str(os.getpid())}):
        newer, older = batchconnect("runs", "--simulate").out.splitlines()

    assert "running" not in newer
    assert "running" not in older


def test_an_interrupted_run_is_open_and_once_it_goes_on_running(
    batchconnect: CommandLine,
) -> None:
    """Both in `runs` and in `status`."""

    async def interrupted() -> None:
        stop = Stop()
        stop.ask("interrupted")
        options = RunOptions(simulate=True)
        await onboard(many(2, org="acme"), reports="reports", options=options, stop=stop)

    anyio.run(interrupted)
    ledger = Path("reports/simulated/ledger.sqlite3").absolute()

    left = batchconnect("runs", "--simulate").out
    with locked(ledger, about={}):
        held = batchconnect("runs", "--simulate").out
        resumed = RunResumed(operator="me", machine="here", tool_version="0", crashed=False)
        with SqliteLedger(ledger, host="simulator", simulated=True) as opened:
            opened.append([Line(entry=resumed, run=1, at_ms=1)])
        at_work = batchconnect("runs", "--simulate").out
        status = batchconnect("status", "--simulate").out

    assert (left.split()[2], held.split()[2]) == ("open", "open")
    assert at_work.split()[2] == "running"
    assert "2 waiting" in status
    assert "at work for" in status


@pytest.mark.parametrize("at_work", [1, 2])
def test_only_the_run_that_holds_the_ledger_is_at_work(
    batchconnect: CommandLine, at_work: int
) -> None:
    """Not one that crashed, be it older or newer; `runs`, `status` and `report` say so alike."""
    path = Path("reports/simulated/ledger.sqlite3").absolute()
    path.parent.mkdir(parents=True)
    planned = RowPlanned(name="Acme", org="acme", sandbox="dev")
    with SqliteLedger(path, host="simulator", simulated=True) as ledger:
        numbers = []
        for at_ms, run_id in enumerate(("sim-1", "sim-2"), 1):
            opened = RunOpened(run_id=run_id, sheets=("a.csv",), sheet_sha256="", simulated=True)
            run = ledger.append([Line(entry=opened, at_ms=at_ms)])
            ledger.append([Line(entry=planned, run=run, row=2, marker="m", at_ms=at_ms)])
            numbers.append(run)
        if at_work == 1:
            ledger.append([Line(entry=RunResumed(), run=numbers[0], at_ms=3)])

    with locked(path, about={}):
        runs = batchconnect("runs", "--simulate").out.splitlines()
        told = {}
        for run_id in ("sim-1", "sim-2"):
            status = batchconnect("status", run_id, "--simulate").out
            batchconnect("report", run_id, "--simulate")
            written = json.loads(Path(f"reports/simulated/{run_id}/summary.json").read_bytes())
            told[run_id] = ("at work for" in status, written["exit_code"] is None)

    assert [line.split()[2] for line in reversed(runs)] == (
        ["running", "open"] if at_work == 1 else ["open", "running"]
    )
    assert told == {"sim-1": (at_work == 1,) * 2, "sim-2": (at_work == 2,) * 2}


@pytest.mark.parametrize(
    ("command", "at_work"),
    [("reconcile", None), ("doctor", None), (UNDO, None), (VERIFY, "sim-1")],
)
def test_who_has_the_ledger_for_something_else_makes_no_run_one_at_work(
    batchconnect: CommandLine, command: str, at_work: str | None
) -> None:
    """A command tells itself in the lock: what crashed under another one stays open."""
    path = Path("reports/simulated/ledger.sqlite3").absolute()
    path.parent.mkdir(parents=True)
    with SqliteLedger(path, host="simulator", simulated=True) as ledger:
        for at_ms, (run_id, of) in enumerate((("sim-1", VERIFY), ("sim-2", ONBOARD)), 1):
            opened = RunOpened(run_id=run_id, sheets=("a.csv",), sheet_sha256="", command=of)
            ledger.append([Line(entry=opened, at_ms=at_ms)])

    with locked(path, about={"host": "workstation", "command": command}):
        runs = batchconnect("runs", "--simulate").out.splitlines()

    assert {line.split()[0] for line in runs if line.split()[2] == "running"} == {at_work} - {None}
    assert len(runs) == 2


def test_a_report_is_written_again_from_the_ledger(batchconnect: CommandLine) -> None:
    """Byte for byte, after somebody spoiled it."""
    two_runs(batchconnect)
    path = Path("reports/simulated/latest/results.csv").resolve()
    before = path.read_bytes()
    path.write_text("spoiled", encoding="utf-8")

    done = batchconnect("report", "--simulate")

    assert done.code == 0
    assert str(path) in done.out
    assert path.read_bytes() == before
    assert "results.csv" in batchconnect("report", "--simulate", "--json").json["files"]


def test_status_works_where_the_files_are_gone(batchconnect: CommandLine) -> None:
    """The ledger tells it; no folder is named that is not there."""
    import shutil

    two_runs(batchconnect)
    for folder in Path("reports/simulated").glob("sim-*"):
        shutil.rmtree(folder)

    assert "report:" not in batchconnect("status", "--simulate").out
