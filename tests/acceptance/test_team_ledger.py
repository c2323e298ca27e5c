"""A run on a team's ledger is a run as any other; and it survives the folder that it was begun in."""

import re
import shutil
import signal
from pathlib import Path

import pytest

from batchconnect import RunOptions, onboard_sync
from batchconnect.ledger.entry import RunOpened
from batchconnect.ledger.postgres.store import PostgresLedger
from batchconnect.model.ledger_address import LedgerAddress
from batchconnect.simulator.decision import Closed, Decision
from tests.acceptance.place import Nursery, Place, cells, many, until
from tests.acceptance.practice import Practice, assert_exactly_once
from tests.postgres_cluster import PASSWORD, Cluster

pytestmark = pytest.mark.acceptance

ROWS = 30
FAST = ("--rate", "100", "--settle", "4")


@pytest.fixture
def team(postgres: Cluster, place: Place) -> LedgerAddress:
    """A team's ledger, whose password stands in the variable and may stand nowhere else."""
    name = postgres.ledger().url.reveal().split("?")[0].rpartition("/")[2]
    place.secrets.add(PASSWORD)
    return postgres.address(name, over_tcp=True, password=PASSWORD)


def rows() -> list[dict[str, str]]:
    return [*many(ROWS), cells(ROWS + 1, endpoint="no endpoint"), cells(ROWS + 2, sandbox="stage")]


def told(place: Place) -> tuple[object, ...]:
    """What a report says, without times, ids and names of runs."""
    results = {
        name: [row.get(field) for field in ("row", "status", "code", "sandbox")]
        for name, row in place.results().items()
    }
    summary = place.summary()
    return results, place.statuses(), summary["exit_code"], summary["sweep"]["expected"]


def test_a_run_on_a_teams_ledger_is_told_as_one_in_a_file(
    place: Place, team: LedgerAddress, tmp_path: Path, nursery: Nursery
) -> None:
    """The same rows, statuses and connections; every command that looks back finds them."""
    (tmp_path / "other").mkdir()
    there = Place(tmp_path / "other", nursery)
    there.environ["BATCHCONNECT_LEDGER"] = team.url.reveal()
    there.secrets = place.secrets
    found = []
    for one in (place, there):
        with Practice() as practice:
            one.environ.update(practice.environment())
            practice.by_name(Client_003=Decision(apply_after_s=None, reply=Closed()))
            sheet = one.sheet(rows())
            ran = one.run("run", sheet, "--skip-invalid", *FAST)
            first = told(one)
            listed = sorted(each.name for each in practice.connections())
            report = one.run("report")
            again = told(one)
            rerun = one.run("rerun", "--skip-invalid", *FAST)
            after = (one.statuses(), sorted(each.name for each in practice.connections()))
            others = one.run_each(
                ("runs",), ("status",), ("reconcile", *FAST), ("verify", *FAST), ("plan", sheet)
            )
            run_id = one.runs()[0]
            undo = one.run("undo", run_id, *FAST[2:])
            codes = [done.code for done in (ran, report, rerun, *others, undo)]
            found.append((first, listed, again, after, codes, len(one.runs())))
            one.secrets |= practice.tokens

    assert found[0] == found[1]
    assert f"ledger: {team}" in there.said.joinpath("001.err").read_text()
    assert not (there.reports / "ledger.sqlite3").exists()
    assert there.leaks() == []


def test_a_run_whose_machine_is_taken_away_goes_on_elsewhere_under_its_id(
    place: Place, team: LedgerAddress, tmp_path: Path, nursery: Nursery
) -> None:
    """Kill -9, and the folder with it: the same command in another one."""
    place.environ["BATCHCONNECT_LEDGER"] = team.url.reveal()
    with Practice() as practice:
        place.environ.update(practice.environment())
        sheet = place.sheet(many(ROWS))
        running = place.start("run", sheet, "--rate", "20", "--settle", "4")
        practice.send_at_create(10, signal.SIGKILL, running, after_s=0.05)
        assert running.done().code == -signal.SIGKILL
        begun = re.search(r"run (\S+) begins", running.told)
        before = len(practice.creates())
        shutil.rmtree(place.reports)
        (tmp_path / "other machine").mkdir()
        other = Place(tmp_path / "other machine", nursery)
        other.environ = dict(place.environ)
        done = other.run("run", other.sheet(many(ROWS)), *FAST)
        place.secrets |= practice.tokens

        assert begun is not None
        assert 0 < before < ROWS
        assert done.code == 0, done
        assert f"run {begun[1]} goes on" in done.err
        assert other.runs() == [begun[1]]
        assert other.statuses() == {"created": ROWS}
        assert sorted(one.name for one in practice.connections()) == sorted(
            row["name"] for row in many(ROWS)
        )
    other.secrets = place.secrets
    assert other.leaks() == []


def test_a_database_that_crashes_in_mid_run_is_waited_for(
    place: Place, team: LedgerAddress, postgres: Cluster
) -> None:
    """What it confirmed is there, what it did not answer comes again; the run ends as if nothing had been."""
    place.environ["BATCHCONNECT_LEDGER"] = team.url.reveal()
    with Practice() as practice:
        place.environ.update(practice.environment())
        running = place.start("run", place.sheet(many(ROWS)), "--rate", "20", "--settle", "4")
        until(lambda: len(practice.creates()) >= 5)
        postgres.stop("immediate")
        postgres.start()
        done = running.done()

        assert done.code == 0, done
        assert len(practice.creates()) == ROWS
        assert_exactly_once(practice, place, {row["name"] for row in many(ROWS)})
        place.secrets |= practice.tokens


def test_a_program_names_it_with_a_secret(
    place: Place, team: LedgerAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In place of a path; nothing is written beside it."""
    monkeypatch.chdir(place.folder)
    with Practice() as practice:
        for name, value in practice.environment().items():
            monkeypatch.setenv(name, value)
        report = onboard_sync(
            place.sheet(many(3)), ledger=team.url, options=RunOptions(rate=100, settle=4)
        )
        place.secrets |= practice.tokens
    with PostgresLedger(team, read_only=True) as ledger:
        runs = [line.entry for _, line, _ in ledger.runs()]

    assert report.exit_code == 0
    assert [run.run_id for run in runs if isinstance(run, RunOpened)] == [report.run_id]
    assert [path.name for path in place.folder.iterdir()] == ["clients.csv"]
