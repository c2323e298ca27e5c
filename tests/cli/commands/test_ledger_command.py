"""A team's ledger is made, looked at, upgraded and copied, and what cannot be is said with what to do."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from batchconnect.ledger.entry import Line, RowPlanned, RunOpened, Sending, Settled
from batchconnect.ledger.postgres import care, schema
from batchconnect.ledger.postgres.care import _warnings
from batchconnect.ledger.postgres.migrations import VERSION
from batchconnect.ledger.postgres.store import PostgresLedger
from batchconnect.ledger.same_story import story_of
from batchconnect.ledger.sqlite.store import SqliteLedger
from batchconnect.model.ledger_address import LedgerAddress
from batchconnect.model.outcome import Created
from tests.command_line import CommandLine
from tests.postgres_cluster import Cluster

HOST = "platform.adobe.io"


def lines_of(run: int, name: str) -> list[Line]:
    marker = f"bc1-{name}"
    told = (
        RowPlanned(name=name),
        Sending(number=1),
        Settled(outcome=Created(connection_id=f"c-{name}"), attempts=1),
    )
    return [Line(entry=each, run=run, row=2, marker=marker, at_ms=run) for each in told]


def opened(run_id: str) -> Line:
    return Line(entry=RunOpened(run_id=run_id, sheets=("clients.csv",), sheet_sha256="ab"), at_ms=1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A ledger of two runs whose lines come by turns."""
    path = tmp_path / "old.sqlite3"
    with SqliteLedger(path, host=HOST) as ledger:
        first = ledger.append([opened("first")])
        ledger.append(lines_of(first, "ä")[:2])
        second = ledger.append([opened("second")])
        ledger.append(lines_of(second, "b"))
        ledger.append(lines_of(first, "ä")[2:])
    return path


def test_it_is_made_once_and_roles_are_let_in(batchconnect: CommandLine, postgres: Cluster) -> None:
    """Whoever runs sheets may add lines by the functions alone; whoever looks may not."""
    name = postgres.database()
    with postgres.session() as session:
        session.execute(b"DROP ROLE IF EXISTS worker, looker")
        session.execute(b"CREATE ROLE worker LOGIN")
        session.execute(b"CREATE ROLE looker LOGIN")
    url = postgres.address(name).url.reveal()
    made = batchconnect(
        "ledger", "init", "--ledger", url, "--grant", "worker", "--grant-read", "looker"
    )
    again = batchconnect("ledger", "init", "--ledger", url)
    said = {
        user: batchconnect(
            "ledger", "check", "--ledger", postgres.address(name, user=user).url.reveal()
        ).out
        for user in ("worker", "looker")
    }
    with PostgresLedger(postgres.address(name, user="worker"), host=HOST) as ledger:
        ledger.append([opened("by the worker")])

    assert (made.code, again.code) == (0, 0)
    assert ": made, schema" in made.out
    assert ": there already, schema" in again.out
    assert "this role may run sheets on it" in said["worker"]
    assert "this role may look at it, not run sheets" in said["looker"]


@pytest.mark.parametrize("user", ["worker", "looker"])
def test_a_role_that_was_let_in_changes_no_line(postgres: Cluster, user: str) -> None:
    """Nor adds one past the fence, with whatever SQL."""
    address = postgres.ledger()
    name = address.url.reveal().split("?")[0].rpartition("/")[2]
    with postgres.session(name) as session:
        session.execute(
            f"DO $$ BEGIN CREATE ROLE {user} LOGIN; EXCEPTION WHEN OTHERS THEN END $$".encode()
        )
        from batchconnect.ledger.postgres import schema

        schema.grant(session, user, writes=user == "worker")
    from batchconnect.ledger.postgres.connections import open_session

    with open_session(postgres.address(name, user=user)) as session:
        for sql in (
            "INSERT INTO batchconnect.entry VALUES (1, 1, 1, 1, 1, 1, NULL, NULL, 'row', '{}')",
            "UPDATE batchconnect.entry SET run = 1",
            "DELETE FROM batchconnect.run",
            "TRUNCATE batchconnect.entry",
            "UPDATE batchconnect.lane SET epoch = 1",
            "UPDATE batchconnect.about SET value = '0'",
            "ALTER TABLE batchconnect.entry DISABLE TRIGGER ALL",
        ):
            with pytest.raises(Exception, match=r"permission denied|must be owner"):
                session.execute(sql.encode())


def test_a_file_goes_into_a_teams_ledger_and_back_and_says_the_same(
    batchconnect: CommandLine, postgres: Cluster, file: Path, tmp_path: Path
) -> None:
    """Line by line in the order in which they were written, though runs have other numbers."""
    address = postgres.ledger()
    url, back = address.url.reveal(), tmp_path / "back.sqlite3"
    there = batchconnect("ledger", "import", str(file), "--ledger", url)
    again = batchconnect("ledger", "export", str(back), "--ledger", url)
    with (
        SqliteLedger(file, read_only=True) as old,
        SqliteLedger(back, read_only=True) as new,
        PostgresLedger(address, read_only=True) as team,
    ):
        stories = {story_of(ledger.lines()) for ledger in (old, new, team)}
        states = [ledger.states_of(["bc1-ä", "bc1-b"]) for ledger in (old, new, team)]

    assert (there.code, again.code) == (0, 0), there.err + again.err
    assert "2 runs, 8 lines from" in there.out
    assert "both say the same" in again.out
    assert len(stories) == 1
    assert states[0] == states[1] == states[2]


def test_who_may_not_make_it_is_told_so(batchconnect: CommandLine, postgres: Cluster) -> None:
    """With what the server has to allow."""
    name = postgres.database()
    with postgres.session(name) as session:
        session.execute(b"DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN")
    url = postgres.address(name, user="guest").url.reveal()
    done = batchconnect("ledger", "init", "--ledger", url)

    assert done.code == 5
    assert "permission denied for database" in done.err
    assert "GRANT CREATE ON DATABASE" in re.sub(r"\s+", " ", done.err)


def test_a_simulated_file_is_not_taken_over(
    batchconnect: CommandLine, postgres: Cluster, tmp_path: Path
) -> None:
    """A team's ledger is for what is real; a simulation never writes to it."""
    path = tmp_path / "simulated.sqlite3"
    with SqliteLedger(path, host="simulated", simulated=True) as ledger:
        ledger.append([opened("practice")])
    done = batchconnect("ledger", "import", str(path), "--ledger", postgres.ledger().url.reveal())

    assert done.code == 5
    assert "simulated runs" in done.err


@pytest.mark.slow
def test_without_its_driver_it_is_said_what_to_install() -> None:
    """Whoever keeps a file need not have it."""
    program = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from batchconnect.__main__ import main\n"
        "sys.argv = ['batchconnect', 'runs', '--ledger', 'postgresql://db/ledger']\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120
    )

    assert done.returncode == 2
    assert "pip install 'batchconnect[postgres]'" in done.stderr


def test_lines_are_taken_over_into_a_new_ledger_alone(
    batchconnect: CommandLine, postgres: Cluster, file: Path
) -> None:
    """And a copy never goes over a file that is there."""
    url = postgres.ledger().url.reveal()
    batchconnect("ledger", "import", str(file), "--ledger", url)
    twice = batchconnect("ledger", "import", str(file), "--ledger", url)
    over = batchconnect("ledger", "export", str(file), "--ledger", url)

    assert (twice.code, over.code) == (5, 5)
    assert "has runs already" in twice.err
    assert "is there already" in over.err


def test_two_ledgers_that_part_are_told_apart(file: Path) -> None:
    """The comparison can fail: by a line, by its order, by its run."""
    with SqliteLedger(file, read_only=True) as ledger:
        lines = list(ledger.lines())
    swapped = [*lines[:-2], lines[-1], lines[-2]]
    moved = [*lines[:-1], lines[-1]._replace(run=lines[4].run)]

    assert len({story_of(told) for told in (lines, lines[:-1], swapped, moved)}) == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["check"], "the ledger is a file"),
        (["init"], "the ledger is a file"),
        (["export"], "ledger export needs a FILE"),
        (["check", "x"], "ledger check takes no FILE"),
        (["upgrade", "--grant", "x"], "belong to ledger init"),
    ],
)
def test_words_that_cannot_be_meant_are_refused(
    batchconnect: CommandLine, words: list[str], said: str
) -> None:
    """With exit code 2, before any server is asked."""
    done = batchconnect("ledger", *words)

    assert done.code == 2
    assert said in re.sub(r"\s+", " ", done.err)


# What an operator has to change before ---------------------------------------------------------------


def with_schema(cluster: Cluster, version: int) -> str:
    """A ledger that says that it is of another schema; its URL."""
    address = cluster.ledger()
    with cluster.session(database_of(address)) as session:
        session.execute(
            "UPDATE batchconnect.about SET value = %s WHERE word = 'schema'", [str(version)]
        )
    return address.url.reveal()


def database_of(address: LedgerAddress) -> str:
    return address.url.reveal().split("?")[0].rpartition("/")[2]


def test_an_older_ledger_is_upgraded_on_demand_alone(
    batchconnect: CommandLine, postgres: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`init` names the command that does it, since it may take its time; whoever was let in stays."""
    address = postgres.address(postgres.database())
    with monkeypatch.context() as then:
        for room in (schema, care):
            then.setattr(room, "VERSION", VERSION - 1)
        care.init(address, writers=(), readers=())
    url = address.url.reveal()
    made = batchconnect("ledger", "init", "--ledger", url)
    upgraded = batchconnect("ledger", "upgrade", "--ledger", url)
    again = batchconnect("ledger", "upgrade", "--ledger", url)

    assert (made.code, upgraded.code, again.code) == (5, 0, 0)
    assert f"has schema {VERSION - 1}, this batchconnect needs {VERSION}" in made.err
    assert "batchconnect ledger upgrade" in made.err
    assert f": upgraded from schema {VERSION - 1}, schema {VERSION}" in upgraded.out
    assert f": there already, schema {VERSION}" in again.out


@pytest.mark.parametrize("action", ["init", "upgrade"])
def test_a_newer_ledger_is_left_as_it_is(
    batchconnect: CommandLine, postgres: Cluster, action: str
) -> None:
    done = batchconnect("ledger", action, "--ledger", with_schema(postgres, VERSION + 1))

    assert done.code == 5
    assert f"was written by a newer batchconnect (schema {VERSION + 1}" in done.err
    assert "Update batchconnect" in done.err


@pytest.mark.parametrize("action", ["init", "upgrade"])
@pytest.mark.parametrize("theirs", ["", "CREATE TABLE batchconnect.about (word text, value text)"])
def test_what_is_something_elses_is_not_touched(
    batchconnect: CommandLine, postgres: Cluster, action: str, theirs: str
) -> None:
    """A schema of our name, with or without a table of our name."""
    name = postgres.database()
    with postgres.session(name) as session:
        session.execute(f"CREATE SCHEMA batchconnect; {theirs}".encode())
    done = batchconnect("ledger", action, "--ledger", postgres.address(name).url.reveal())

    assert done.code == 5
    assert "is something else's" in done.err
    assert "Name another database" in done.err


def test_there_is_nothing_to_upgrade_where_there_is_none(
    batchconnect: CommandLine, postgres: Cluster
) -> None:
    url = postgres.address(postgres.database()).url.reveal()
    done = batchconnect("ledger", "upgrade", "--ledger", url)

    assert done.code == 5
    assert "the database holds no ledger yet" in done.err
    assert "`batchconnect ledger init` makes one" in done.err


def test_a_database_in_another_encoding_is_refused(
    batchconnect: CommandLine, postgres: Cluster
) -> None:
    """A client's name would not fit into it in mid-run."""
    with postgres.session() as session:
        session.execute(b"CREATE DATABASE in_latin1 ENCODING 'LATIN1' TEMPLATE template0")
    done = batchconnect("ledger", "init", "--ledger", postgres.address("in_latin1").url.reveal())

    assert done.code == 5
    assert "the database is not in UTF-8" in done.err
    assert "ENCODING 'UTF8'" in done.err


@pytest.mark.parametrize(
    ("settings", "is_replica", "said"),
    [
        ({}, False, []),
        ({"fsync": "off"}, False, ["fsync is off"]),
        ({"full_page_writes": "off"}, True, ["read replica", "full_page_writes is off"]),
    ],
)
def test_a_server_that_may_lose_what_it_confirmed_is_warned_about(
    settings: dict[str, str], is_replica: bool, said: list[str]
) -> None:
    """And one that a run could not write to; each with what to do."""
    found = _warnings({"fsync": "on", "full_page_writes": "on", **settings}, is_replica=is_replica)

    assert len(found) == len(said)
    assert all(part in whole for part, whole in zip(said, found, strict=True))
