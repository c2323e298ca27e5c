"""`work`, `lanes` and `status` on a team's ledger: who joins what, who holds what, and what a person may take away."""

import csv
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from batchconnect.ledger.entry import Line, RunResumed, Sending
from batchconnect.ledger.interface import LaneKey
from batchconnect.ledger.lease import Lease, Terms
from batchconnect.ledger.postgres.migrations import VERSION
from batchconnect.ledger.postgres.store import PostgresLedger
from batchconnect.ledger.team import Holding
from batchconnect.model.errors import LaneLostError
from batchconnect.model.ledger_address import LedgerAddress
from batchconnect.model.secret import Secret
from tests.acceptance.practice import ACME, Practice
from tests.command_line import FAST, CommandLine, cells, many, signalled
from tests.fast_lane import few
from tests.postgres_cluster import Cluster

SENDING = Line(entry=Sending(number=1), run=1, row=2, marker="bc1-a", at_ms=2)
LANE = LaneKey("127.0.0.1", ACME, "client-acme")


@pytest.fixture
def team(batchconnect: CommandLine, postgres: Cluster) -> LedgerAddress:
    """The command's ledger. Leases outlast whatever a busy machine does."""
    address = postgres.ledger()
    batchconnect.setenv(BATCHCONNECT_LEDGER=address.url.reveal(), BATCHCONNECT_LEASE="600")
    return address


@pytest.fixture
def other(team: LedgerAddress) -> Iterator[PostgresLedger]:
    """Another process, as the ledger sees it."""
    with PostgresLedger(team, host=LANE.host, leased=True) as ledger:
        yield ledger


def hold(ledger: PostgresLedger, run: int | None = None, key: LaneKey = LANE) -> Lease:
    taken = ledger.leases.take(Holding(key=key), over=(), terms=Terms(ttl_s=600), run=run)
    assert taken is not None
    return Lease(lane=taken[0], epoch=taken[1], terms=Terms(ttl_s=600), asked_s=0)


def cut_short(batchconnect: CommandLine, practice: Practice, *command: object) -> str:
    """A command that Ctrl-C ended in mid-run; its run's id."""
    seen = len(practice.journal())
    changes = {"POST", "PATCH"}

    def has_begun() -> bool:
        new = practice.journal(since=practice.journal()[seen - 1].ordinal if seen else 0)
        return any(one.method in changes and "/connections" in one.path for one in new)

    with signalled(signal.SIGINT, when=has_begun):
        done = batchconnect(*command, "--rate", "4")
    assert done.code == 130, done
    run_id: str = batchconnect("runs", "--json").json["runs"][0]["run_id"]
    return run_id


def told(text: str) -> str:
    return " ".join(text.split())


# What bad input gets ----------------------------------------------------------------------------


def about(cluster: Cluster, sql: str) -> LedgerAddress:
    """A ledger in which something was changed."""
    address = cluster.ledger()
    with cluster.session(address.url.reveal().split("?")[0].rpartition("/")[2]) as session:
        session.execute(sql.encode())
    return address


WRONG = "UPDATE batchconnect.about SET value = '{}' WHERE word = 'schema'"
BELONGS = "INSERT INTO batchconnect.about VALUES ('{}', '{}')"
AWAY = LedgerAddress(Secret("postgresql://owner@127.0.0.1:1/ledger"))
UNUSABLE: dict[str, tuple[Callable[[Cluster], LedgerAddress], str]] = {
    "server away": (lambda _cluster: AWAY, "See that the server runs"),
    "wrong password": (
        lambda cluster: cluster.address("postgres", over_tcp=True, password="c4n4ry-wr0ng"),
        "~/.pgpass",
    ),
    "no such database": (lambda cluster: cluster.address("nothing"), "Correct the address"),
    "no ledger": (lambda cluster: cluster.address(cluster.database()), "batchconnect ledger init"),
    "something else's": (
        lambda cluster: about(cluster, "DELETE FROM batchconnect.about"),
        "Name another database",
    ),
    "schema older": (
        lambda cluster: about(cluster, WRONG.format(VERSION - 1)),
        "batchconnect ledger upgrade",
    ),
    "schema newer": (
        lambda cluster: about(cluster, WRONG.format(VERSION + 1)),
        "Update batchconnect",
    ),
    "another host": (
        lambda cluster: about(cluster, BELONGS.format("host", "platform.adobe.io")),
        "one ledger accounts for one service",
    ),
    "another mode": (
        lambda cluster: about(cluster, BELONGS.format("mode", "simulated")),
        "one ledger accounts for one service",
    ),
}


@pytest.mark.parametrize("what", few(UNUSABLE, 3))
def test_a_ledger_that_cannot_be_used_is_told_with_its_remedy_and_nothing_is_sent(
    batchconnect: CommandLine, practice: Practice, postgres: Cluster, what: str
) -> None:
    """Exit 5, whichever command; no file is made in its place, and no password is shown."""
    make, remedy = UNUSABLE[what]
    sheet = batchconnect.sheet(many(2))
    batchconnect.setenv(BATCHCONNECT_LEDGER=make(postgres).url.reveal())

    commands: list[tuple[object, ...]] = [("run", sheet), ("rotate", sheet)]
    if (
        what != "another host"
    ):  # who looks first takes a ledger of whichever host, and there is no run in it
        commands += [("reconcile",), ("work",), ("rerun",)]
    for command in commands:
        done = batchconnect(*command)
        assert done.code == 5, (command, done)
        assert remedy in told(done.err), command
        assert "c4n4ry" not in done.err
    assert practice.journal() == []
    assert list(Path().rglob("*.sqlite3")) == []


# work -----------------------------------------------------------------------------------------------


def test_a_worker_joins_the_open_run_and_closes_it(
    batchconnect: CommandLine, practice: Practice, team: LedgerAddress
) -> None:
    """By default the newest; with the sheet from where the run's own lay."""
    run_id = cut_short(batchconnect, practice, "run", batchconnect.sheet(many(12)))
    before = len(practice.creates())

    done = batchconnect("work", *FAST, "--json")

    assert done.code == 0, done
    assert done.json["run_id"] == run_id
    assert f"joins run {run_id}" in done.err
    assert done.json["counts"]["created"] == 12
    assert 0 < before < 12
    assert len(practice.creates()) == len(practice.connections()) == 12


@pytest.mark.slow
def test_a_worker_joins_a_run_over_several_sheets(
    batchconnect: CommandLine, practice: Practice, team: LedgerAddress
) -> None:
    """It reads all of them again, and each row is told by its own number and sheet, whoever works it."""
    sheets = {"a.csv": many(3), "b.csv": [cells(number) for number in range(11, 15)]}
    for name, rows in sheets.items():
        batchconnect.sheet(rows, name)
    run_id = cut_short(batchconnect, practice, "run", *sheets)

    done = batchconnect("work", *FAST, "-v")

    told = batchconnect("report", run_id, "--json").json
    text = Path(told["files"]["results.csv"]).read_text(encoding="utf-8-sig")
    shown = [(row["sheet"], row["row"], row["name"]) for row in csv.DictReader(text.splitlines())]
    assert done.code == 0, done
    assert shown == [
        (name, str(number), row["name"])
        for name, rows in sheets.items()
        for number, row in enumerate(rows, 2)
    ]
    assert "of b.csv" in done.err
    assert len(practice.creates()) == len({one.name for one in practice.connections()}) == 7


@pytest.mark.slow
def test_an_approved_plan_is_followed_by_one_process(
    batchconnect: CommandLine, practice: Practice, team: LedgerAddress
) -> None:
    """On a team's ledger as on a file; nobody joins, for who joins does not know which rows were approved."""
    sheet = batchconnect.sheet(many(6))
    planned = batchconnect("plan", sheet, "--out", "plan.json")
    run_id = cut_short(batchconnect, practice, "run", "--plan", "plan.json")
    other = batchconnect("run", sheet, *FAST)
    created = len(practice.creates())
    batchconnect.sheet([*many(5), cells(6, database="other")])
    refused = batchconnect("run", "--plan", "plan.json", *FAST)
    batchconnect.sheet(many(6))

    done = batchconnect("run", "--plan", "plan.json", *FAST)

    assert (planned.code, refused.code, done.code) == (0, 3, 0), (refused, done)
    assert "`database` is `other`" in refused.out
    assert other.code in {0, 5}
    assert created <= 6
    assert len(practice.creates()) == len({one.name for one in practice.connections()}) == 6
    assert run_id


def test_a_worker_ends_at_once_where_nothing_is_open(
    batchconnect: CommandLine, practice: Practice, team: LedgerAddress
) -> None:
    """No run, or one that is closed: exit 0, so that a launcher that is late starts nothing anew."""
    none = batchconnect("work")
    batchconnect("run", batchconnect.sheet(many(1)), *FAST)
    run_id = batchconnect("runs", "--json").json["runs"][0]["run_id"]
    closed = batchconnect("work", run_id)

    assert (none.code, closed.code) == (0, 0)
    assert "no run is open: nothing to work on" in none.out
    assert f"run {run_id} is closed: nothing to work on" in closed.out


@pytest.mark.slow
def test_a_worker_without_the_sheet_is_told_to_name_a_copy(
    batchconnect: CommandLine, practice: Practice, team: LedgerAddress
) -> None:
    """As on another machine; nothing is sent."""
    sheet = batchconnect.sheet(many(12))
    run_id = cut_short(batchconnect, practice, "run", sheet)
    before = len(practice.creates())
    sheet.rename("moved.csv")

    refused = batchconnect("work", run_id)
    done = batchconnect("work", run_id, "--sheet", "moved.csv", *FAST)

    assert refused.code == 3, refused
    assert f"batchconnect work {run_id} --sheet FILE" in told(refused.err)
    assert before < 12
    assert done.code == 0, done
    assert len(practice.creates()) == 12


@pytest.mark.slow
def test_a_worker_joins_no_rotation_and_says_how_that_is_joined(
    batchconnect: CommandLine, practice: Practice, team: LedgerAddress
) -> None:
    """Its own command, given again, goes on with it under its id."""
    batchconnect("run", batchconnect.sheet(many(12)), *FAST)
    new = [{**row, "servicePrincipalKey": f"{row['servicePrincipalKey']}-new"} for row in many(12)]
    sheet = batchconnect.sheet(new, "new.csv")
    run_id = cut_short(batchconnect, practice, "rotate", sheet, "--no-verify")

    refused = batchconnect("work", run_id)
    again = batchconnect("rotate", sheet, *FAST, "--no-verify", "--settle", "0.3", "--json")

    assert refused.code == 2, refused
    assert "work joins runs that create" in told(refused.err)
    assert "batchconnect rotate" in refused.err
    assert again.code == 0, again
    assert again.json["run_id"] == run_id
    assert set(practice.keys().values()) == {row["servicePrincipalKey"] for row in new}


@pytest.mark.parametrize("command", [("work",), ("lanes",), ("lanes", "release", "1")])
def test_a_file_has_no_lanes(batchconnect: CommandLine, command: tuple[str, ...]) -> None:
    """Exit 2, with how a team ledger is named."""
    refused = batchconnect(*command)

    assert refused.code == 2
    assert "--ledger postgresql://" in refused.err


# lanes, status --------------------------------------------------------------------------------------


def test_lanes_shows_who_holds_which_since_when_and_what_waits(
    batchconnect: CommandLine, other: PostgresLedger
) -> None:
    """Of two orgs: one at another process, one that failed there and is left alone for a while."""
    lanes = [LANE, LaneKey(LANE.host, "B" * 24 + "@AdobeOrg", "client-beta")]
    hold(other, key=lanes[0])
    other.leases.hand_back(hold(other, key=lanes[1]), back_off_s=60)

    shown = batchconnect("lanes")
    document = batchconnect("lanes", "--json").json["lanes"]

    assert shown.code == 0
    held, waits = shown.out.splitlines()
    assert f"by {other.leases.name}" in held
    assert "held " in held
    assert "failed; left alone for" in waits
    assert [one["state"] for one in document] == ["held", "waits"]
    assert document[0]["holder"] == other.leases.name
    assert 50 < document[1]["waits_s"] <= 60


@pytest.mark.slow
def test_status_of_an_open_run_names_its_lanes_and_workers(
    batchconnect: CommandLine, practice: Practice, other: PostgresLedger
) -> None:
    """From any machine, while another one is at work."""
    run_id = cut_short(batchconnect, practice, "run", batchconnect.sheet(many(12)))
    ((number, _, _),) = other.runs()
    nobody = batchconnect("status", run_id, "--json").json["team"]
    lease = hold(other, run=number)
    other.leases.here(number, wants=False, terms=Terms(ttl_s=600))

    shown = batchconnect("status", run_id)
    team = batchconnect("status", run_id, "--json").json["team"]
    other.leases.hand_back(lease)

    assert nobody["workers"] == []
    assert [one["state"] for one in nobody["lanes"]] == ["free"]
    assert "lanes, with 1 worker:" in shown.out
    assert f"by {other.leases.name}" in shown.out
    assert team["workers"] == [other.leases.name]
    assert [(one["state"], one["run_id"]) for one in team["lanes"]] == [("held", run_id)]


@pytest.mark.slow
@pytest.mark.parametrize("is_alive", [True, False])
def test_a_run_is_at_work_where_a_worker_of_it_is_alive(
    batchconnect: CommandLine, practice: Practice, team: LedgerAddress, is_alive: bool
) -> None:
    """Not for want of an end: that a crashed one lacks, too. `runs`, `status` and `report` say so alike."""
    run_id = cut_short(batchconnect, practice, "run", batchconnect.sheet(many(12)))
    with PostgresLedger(team, host=LANE.host) as ledger:
        ((number, _, _),) = ledger.runs()
        ledger.append([Line(entry=RunResumed(), run=number)])
        if is_alive:
            ledger.leases.here(number, wants=False, terms=Terms(ttl_s=600))

        (listed,) = batchconnect("runs").out.splitlines()
        told = [
            batchconnect(word, run_id, "--json").json["exit_code"] for word in ("status", "report")
        ]

    assert listed.split()[2] == ("running" if is_alive else "open")
    assert [code is None for code in told] == [is_alive, is_alive]


def test_a_person_releases_a_lane_after_a_warning_of_what_it_risks(
    batchconnect: CommandLine, other: PostgresLedger
) -> None:
    """Without --yes nothing happens; then its holder writes nothing to it any more."""
    lease = hold(other)
    lane = str(lease.lane)

    warned = batchconnect("lanes", "release", lane)
    still = other.leases.renew([lease])
    released = batchconnect("lanes", "release", lane, "--yes")
    again = batchconnect("lanes", "release", lane, "--yes")
    unknown = batchconnect("lanes", "release", "999", "--yes")

    assert warned.code == 2
    assert "a row may be made twice" in told(warned.err)
    assert other.leases.name in warned.err.replace("\n", "")
    assert still == {lease.lane}
    assert released.code == 0
    assert "can write nothing to it any more" in told(released.out)
    assert other.leases.renew([lease]) == set()
    with pytest.raises(LaneLostError):
        other.of_lane(LANE).append([SENDING])
    assert (again.code, unknown.code) == (0, 2)
    assert "nothing to release" in again.out
    assert "there is no lane 999" in unknown.err


def test_a_run_waits_for_a_lane_that_another_process_holds_and_is_not_refused(
    batchconnect: CommandLine, practice: Practice, other: PostgresLedger
) -> None:
    """Another sheet's run in the same org: its lane is worked when it is handed back."""
    lease = hold(other, run=99)
    sheet = batchconnect.sheet([cells(1)])
    seen: list[int] = []

    def waits() -> bool:
        rows = other.leases.workers()
        if rows and not seen:
            seen.append(len(practice.creates()))
            other.leases.hand_back(lease)
        return bool(seen) and len(practice.creates()) == 1

    with signalled(signal.SIGCONT, when=waits):
        done = batchconnect("run", sheet, *FAST)

    assert done.code == 0, done
    assert seen == [0]
    assert Path("reports/latest/results.csv").exists()
