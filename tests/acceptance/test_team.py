"""
Several processes on one team ledger: two people at once, workers that die, a database that goes away.

The bounded form is for every day; `BATCHCONNECT_TEST_DEEP=1` runs three workers, 2,000 rows and ten seeds.
"""

import os
import random
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from batchconnect.ledger.entry import LaneTaken
from tests.acceptance.database_proxy import DatabaseProxy
from tests.acceptance.place import Place, until
from tests.acceptance.practice import Practice
from tests.acceptance.team import Faults, Team, kill_loop, orgs
from tests.postgres_cluster import PASSWORD, Cluster, cluster

pytestmark = pytest.mark.acceptance

IS_DEEP = bool(os.environ.get("BATCHCONNECT_TEST_DEEP"))
ROWS, LANES, ACTS = (2000, 6, 24) if IS_DEEP else (90, 3, 5)
SEEDS = range(1, 11) if IS_DEEP else (1,)

MakeTeam = Callable[..., Team]


@pytest.fixture
def team_of(place: Place, postgres: Cluster) -> Iterator[MakeTeam]:
    """Makes a team with a service of its own."""
    open_practices: list[Practice] = []

    def make(*, rows: int, lanes: int, rate: float = 20, of: Cluster = postgres) -> Team:
        practice = Practice(orgs=orgs(lanes)).__enter__()
        open_practices.append(practice)
        return Team(
            place=place,
            practice=practice,
            cluster=of,
            address=of.ledger(),
            lanes=lanes,
            rows=rows,
            rate=rate,
        )

    yield make
    for practice in open_practices:
        practice.__exit__(None, None, None)
        place.secrets |= practice.tokens


def test_two_people_who_start_one_sheet_at_once_work_on_one_run(team_of: MakeTeam) -> None:
    """Each lane is worked by one of them, both get the same report, and nothing is made twice."""
    # A lane that is through in some seconds is not handed over.
    team = team_of(rows=120, lanes=4, rate=1)

    # Longer than a busy machine takes a breath: a lease that ends leaves doubts.
    people = [team.start("--lease", "60") for _ in range(2)]

    assert [one.done().code for one in people] == [0, 0]
    assert len(team.runs()) == 1
    assert team.broken_promises() == []
    first, second = team.results(1), team.results(2)
    assert first == second
    assert len(first) == 120
    with team.ledger() as ledger:
        lines = [line.entry for line in ledger.run_lines(team.runs()[0].number)]
    assert len({one.worker for one in lines if isinstance(one, LaneTaken)}) == 2
    doubts = [one for one in team.states() if one.doubts]
    assert doubts == [], "whoever hands a lane back has nothing on its way"


def test_the_machine_of_a_run_is_taken_away_and_the_same_command_goes_on_elsewhere(
    team_of: MakeTeam,
) -> None:
    """Killed, its reports and all else that lay on its disk gone: the ledger has all there is to know."""
    team = team_of(rows=60, lanes=2)
    taken = team.start()
    team.practice.send_at_create(15, signal.SIGKILL, taken)
    taken.process.wait()
    team.practice.script = lambda request: None
    shutil.rmtree(team.place.folder / "reports-1")

    elsewhere = team.start()

    assert elsewhere.done().code == 0, elsewhere.told
    (run,) = team.runs()
    assert run.is_closed
    assert team.broken_promises() == []


def test_a_worker_that_is_asked_to_end_hands_its_lanes_back(team_of: MakeTeam) -> None:
    """Exit 143 within the drain; the other one goes on at once, and nothing was in doubt."""
    team = team_of(rows=60, lanes=2, rate=1)
    first = team.start("--lease", "600")
    until(lambda: len(team.practice.connections()) > 3, why=first.told)
    second = team.start()
    until(lambda: "lanes:" in second.told, why=second.told)

    first.send(signal.SIGTERM)
    ended = first.done()

    assert ended.code == 143
    # No lease had to be waited for: that of the first one would have lasted ten minutes.
    assert second.done().code == 0
    assert team.broken_promises() == []
    assert [one.number for one in team.states() if one.doubts] == []


def test_a_worker_that_is_pinned_takes_its_lanes_alone(team_of: MakeTeam) -> None:
    """`work --only org=`, each from a machine of its own, once whoever opened the run has left."""
    team = team_of(rows=40, lanes=3, rate=2)
    first = team.start("--lease", "600")
    until(team.practice.creates, why=first.told)
    first.send(signal.SIGTERM)
    assert first.done().code == 143

    pinned = {
        org: team.start("--lease", "600", "--only", f"org={org}", command="work")
        for org in ("org0", "org1", "org2")
    }

    assert [one.done().code for one in pinned.values()] == [0, 0, 0]
    assert team.broken_promises() == []
    with team.ledger() as ledger:
        lines = [line.entry for line in ledger.run_lines(team.runs()[0].number)]
    taken = [one for one in lines if isinstance(one, LaneTaken)]
    for org, worker in pinned.items():
        assert {one.org for one in taken if f"/{worker.pid}-" in one.worker} == {org}


def test_a_worker_that_is_pinned_is_handed_its_lane_by_whoever_opened_the_run(
    team_of: MakeTeam,
) -> None:
    """While that one goes on with the others; both tell the whole run, and what is their own."""
    team = team_of(rows=60, lanes=3, rate=1)
    opener = team.start("--lease", "600")
    until(team.practice.creates, why=opener.told)

    pinned = team.start("--lease", "600", "--only", "org=org0", command="work")

    ended = [opener.done(), pinned.done()]
    assert [one.code for one in ended] == [0, 0]
    assert team.broken_promises() == []
    with team.ledger() as ledger:
        lines = [line.entry for line in ledger.run_lines(team.runs()[0].number)]
    taken = [(one.org, one.worker) for one in lines if isinstance(one, LaneTaken)]
    assert {org for org, worker in taken if f"/{pinned.pid}-" in worker} == {"org0"}
    assert [org for org, _worker in taken].count("org0") == 2, "it was handed over once"
    for one in ended:
        assert "run: 60 of 60 rows in" in one.err
        assert "not attempted" not in one.err


def test_a_run_with_a_bound_is_worked_alone(team_of: MakeTeam) -> None:
    """One process counts; a second one is told so, and sends nothing."""
    team = team_of(rows=60, lanes=2, rate=1)
    alone = team.start("--max-rows", "30")
    until(team.practice.creates, why=alone.told)

    second = team.start().done()

    assert second.code == 5
    assert "alone" in second.err
    assert alone.done().code == 8
    assert len(team.practice.connections()) == 30


def test_a_worker_with_another_sheet_is_refused(team_of: MakeTeam) -> None:
    """Exit 5, with what to do; nothing is sent for it."""
    team = team_of(rows=40, lanes=2, rate=1)
    first = team.start()
    until(team.practice.creates, why=first.told)
    other = team.place.write("other.csv", team.sheet.read_text().replace("Client 003", "Client X"))

    refused = team.start("--sheet", str(other), command="work").done()

    assert refused.code == 5
    assert "is not the sheet of run" in refused.err
    assert first.done().code == 0
    assert team.broken_promises() == []


def test_a_commit_whose_answer_is_lost_is_written_once(team_of: MakeTeam) -> None:
    """A fifth of all appends: the server has the lines, and nobody hears of it."""
    team = team_of(rows=60, lanes=2)
    rng = random.Random(3)
    with DatabaseProxy(team.cluster.port, swallows=lambda: rng.random() < 0.2) as proxy:
        team.place.environ["BATCHCONNECT_LEDGER"] = through(team, proxy)
        done = team.start("--lease", "10").done()

    assert done.code == 0, done
    assert proxy.swallowed > 5
    assert team.broken_promises() == []
    assert all(state.sends == 1 for state in team.states())


def test_a_worker_that_is_cut_off_from_the_ledger_stops_and_another_one_takes_over(
    team_of: MakeTeam,
) -> None:
    """No packet comes back, no connection breaks: its lease ends, and it has sent nothing since."""
    team = team_of(rows=60, lanes=1, rate=5)
    direct = team.place.environ["BATCHCONNECT_LEDGER"]
    with DatabaseProxy(team.cluster.port) as proxy:
        team.place.environ["BATCHCONNECT_LEDGER"] = through(team, proxy)
        cut_off = team.start()
        until(lambda: len(team.practice.connections()) > 5, why=cut_off.told)
        proxy.cut()
        team.place.environ["BATCHCONNECT_LEDGER"] = direct
        other = team.start()
        assert other.done().code == 0, other.told
        proxy.heal()
        cut_off.done()

    assert team.broken_promises() == []


def through(team: Team, proxy: DatabaseProxy) -> str:
    """The ledger's address by way of a proxy."""
    team.place.environ["PGPASSWORD"] = PASSWORD
    database = team.address.url.reveal().rpartition("/")[2].partition("?")[0]
    return f"postgresql://owner@127.0.0.1:{proxy.port}/{database}?sslmode=disable"


@contextmanager
def own_cluster() -> Iterator[Cluster]:
    """A cluster that may crash without another test's noticing."""
    with cluster() as made:
        yield made


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happens_to_workers_and_database_each_row_is_made_once(
    team_of: MakeTeam, seed: int
) -> None:
    """
    Three workers, killed, frozen beyond lease and window, asked to end; the database crashes; 12 % of the creates
    are lost, late or swallowed.

    No row is `never_applied` either: the service loses one answer of a row at most, and what workers and leases
    do to a row that waits for its pace is none of its three sends.
    """
    with own_cluster() as mine:
        team = team_of(rows=ROWS, lanes=LANES, of=mine)
        faults = team.practice.script = Faults(seed)

        happened = kill_loop(team, faults, seed=seed, acts=ACTS, longest_s=3600 if IS_DEEP else 900)

        broken = team.broken_promises()
        assert not broken, "\n".join([str(happened), *broken])  # whole: pytest cuts a list's items
