"""A lane has one writer: who lost it writes nothing, and what was sent twice is written once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from batchconnect.ledger.entry import Line, RunOpened, Sending, Settled
from batchconnect.ledger.interface import LaneKey, SharedIdError
from batchconnect.ledger.postgres import care, held_lane, migrations, schema, store
from batchconnect.ledger.postgres.store import PostgresLedger
from batchconnect.model.errors import LaneLostError, LedgerError, LedgerGoneError
from batchconnect.model.ledger_address import LedgerAddress
from batchconnect.model.outcome import Created
from tests.postgres_cluster import LIMIT_S, Cluster, until

LANE = LaneKey("platform.adobe.io", "5C1328435BF324E90A49402A@AdobeOrg", "client")
OPENED = Line(
    entry=RunOpened(run_id="20261130-1", sheets=("clients.csv",), sheet_sha256="ab"), at_ms=1
)
SENDING = Line(entry=Sending(number=1), run=1, row=2, marker="bc1-a", at_ms=2)


@pytest.fixture
def address(postgres: Cluster) -> LedgerAddress:
    return postgres.ledger()


def name_of(address: LedgerAddress) -> str:
    return address.url.reveal().split("?")[0].rpartition("/")[2]


@pytest.fixture
def ledger(address: LedgerAddress) -> Iterator[PostgresLedger]:
    with PostgresLedger(address) as ledger:
        ledger.append([OPENED])
        yield ledger


def lines(address: LedgerAddress, columns: str = "n, epoch, kind") -> list[tuple[object, ...]]:
    """What stands in the lane, by SQL."""
    with psycopg.connect(address.url.reveal()) as session:
        sql = f"SELECT {columns} FROM batchconnect.entry WHERE row IS NOT NULL ORDER BY n"
        return session.execute(sql.encode()).fetchall()


def test_lines_are_numbered_in_their_lane_without_a_gap(
    ledger: PostgresLedger, address: LedgerAddress
) -> None:
    """However they are grouped, and whoever writes them; each with the epoch of its writer."""
    ledger.of_lane(LANE).append([SENDING, SENDING])
    ledger.of_lane(LANE).append([SENDING])
    with PostgresLedger(address) as next_one:
        next_one.of_lane(LANE).append([SENDING])

    assert lines(address, "n, epoch") == [(1, 1), (2, 1), (3, 1), (4, 2)]


def test_who_lost_a_lane_writes_no_line_of_it(
    ledger: PostgresLedger, address: LedgerAddress
) -> None:
    """The other lanes of the same process go on."""
    ledger.of_lane(LANE).append([SENDING])
    other = ledger.of_lane(LANE._replace(client_id="another"))
    with PostgresLedger(address) as taker:
        taker.of_lane(LANE).append([SENDING])
        with pytest.raises(LaneLostError, match="another process holds the lane"):
            ledger.of_lane(LANE).append([SENDING])
        other.append([SENDING])

    assert len(lines(address)) == 3


@pytest.mark.parametrize("sql", ["UPDATE {} SET run_id = run_id", "DELETE FROM {}", "TRUNCATE {}"])
@pytest.mark.parametrize("table", ["entry", "run"])
def test_lines_are_never_changed_or_removed(
    ledger: PostgresLedger, address: LedgerAddress, sql: str, table: str
) -> None:
    """Not even by the owner with SQL."""
    ledger.of_lane(LANE).append([SENDING])
    sql = sql.format(f"batchconnect.{table}").replace(
        "run_id", "run" if table == "entry" else "run_id"
    )
    with (
        psycopg.connect(address.url.reveal()) as session,
        pytest.raises(psycopg.errors.RaiseException, match="append-only"),
    ):
        session.execute(sql.encode())


def test_a_server_that_lost_what_it_had_confirmed_is_found_out(
    ledger: PostgresLedger, address: LedgerAddress
) -> None:
    """As a fail-over to an asynchronous replica does, or a backup: the numbers have a gap, and nothing is sent."""
    writer = ledger.of_lane(LANE)
    writer.append([SENDING])
    with psycopg.connect(address.url.reveal()) as session:
        session.execute("ALTER TABLE batchconnect.entry DISABLE TRIGGER USER")
        session.execute("DELETE FROM batchconnect.entry WHERE row IS NOT NULL")
        session.execute("ALTER TABLE batchconnect.entry ENABLE TRIGGER USER")
    with pytest.raises(LedgerGoneError, match="not as it was left") as caught:
        writer.append([SENDING])

    assert "--settle-first" in str(caught.value.hint)


def test_what_is_more_than_a_page_is_read_page_by_page(
    ledger: PostgresLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each line once and in its place, whatever the page's size; a row's lines may stand on two."""
    monkeypatch.setattr(store, "_PAGE", 3)
    monkeypatch.setattr(store, "_RUNS_AT_ONCE", 2)
    rows = [*range(2, 9), 1, 0]
    writer = ledger.of_lane(LANE)
    for entry in (Sending(number=1), Sending(number=2)):
        writer.append([SENDING._replace(row=row, entry=entry) for row in rows])
    for number in range(5):
        opened = RunOpened(run_id=f"later {number}", sheets=("s",), sheet_sha256="ab")
        ledger.append([OPENED._replace(entry=opened)])
    lines = [
        (line.row, line.entry.number)
        for line in ledger.row_lines(1)
        if isinstance(line.entry, Sending)
    ]

    assert lines == [(row, number) for row in sorted(rows) for number in (1, 2)]
    assert [(row, sent) for row, sent, _ in ledger.last_lines(1)] == [
        (row, 2) for row in sorted(rows)
    ]
    assert len(list(ledger.lines())) == 1 + 2 * len(rows) + 5
    assert len(list(ledger.runs())) == 6


@pytest.mark.parametrize("version", sorted(migrations.MIGRATIONS)[:-1])
def test_a_ledger_of_each_earlier_schema_is_brought_to_that_of_today(
    postgres: Cluster, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    """What stood in it is told as before, and the same lane goes on."""
    address = postgres.address(postgres.database())
    with monkeypatch.context() as then:
        for room in (schema, store, care):
            then.setattr(room, "VERSION", version)
        care.init(address, writers=(), readers=())
        with PostgresLedger(address) as ledger:
            ledger.append([OPENED])
            ledger.of_lane(LANE).append([SENDING, created(1)])
            before = list(ledger.lines())

    made = care.upgrade(address)

    assert (made.before, made.version) == (version, migrations.VERSION)
    with PostgresLedger(address) as ledger:
        assert list(ledger.lines()) == before
        ledger.of_lane(LANE).append([created(2)])
        with pytest.raises(SharedIdError):
            ledger.of_lane(LANE).append([created(1)._replace(marker="bc1-another")])
    assert lines(address, "n, epoch") == [(1, 1), (2, 1), (3, 2)]


def test_lines_that_nobody_knows_of_and_cannot_be_written_block_no_other(
    ledger: PostgresLedger, address: LedgerAddress
) -> None:
    """They waited for the next append, while another lane wrote their id for its own row."""
    writer = ledger.of_lane(LANE)
    writer.append([SENDING])
    ledger.of_lane(LANE._replace(client_id="another")).append([created(1)])
    # As an append leaves it whose answer was lost.
    mine = created(1)._replace(marker="bc1-another")
    writer._unanswered = held_lane._packed([mine], checks_ids=True)  # type: ignore[attr-defined]

    writer.append([SENDING])

    assert sorted(lines(address, "n, epoch")) == [(1, 1), (1, 1), (2, 1)]


def created(number: int) -> Line:
    outcome = Created(
        connection_id=f"{number:08x}-6d0a-4a52-8f6e-{number:012x}", etag=None, http_status=201
    )
    return Line(
        entry=Settled(outcome=outcome), run=1, row=number + 2, marker=f"bc1-{number:026}", at_ms=3
    )


def test_an_upgrade_keeps_who_was_let_in(
    postgres: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next step's tables and functions are theirs, too, as far as the others were."""
    address = postgres.ledger()
    with psycopg.connect(address.url.reveal(), autocommit=True) as session:
        for role in ("writer", "reader"):
            session.execute(f"DROP ROLE IF EXISTS {role}".encode())
            session.execute(f"CREATE ROLE {role}".encode())
            schema.grant(session, role, writes=role == "writer")
        step = (
            "CREATE TABLE batchconnect.new (id int)",
            "CREATE FUNCTION batchconnect.new() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "REVOKE ALL ON ALL FUNCTIONS IN SCHEMA batchconnect FROM PUBLIC",
        )
        version = migrations.VERSION
        monkeypatch.setattr(schema, "MIGRATIONS", {**migrations.MIGRATIONS, version + 1: step})
        monkeypatch.setattr(schema, "VERSION", version + 1)
        before, again = schema.make(session), schema.make(session)
        found = {
            role: session.execute(
                "SELECT has_table_privilege(%s, 'batchconnect.new', 'SELECT'), "
                "has_table_privilege(%s, 'batchconnect.new', 'INSERT'), "
                "has_function_privilege(%s, 'batchconnect.new()', 'EXECUTE'), "
                "has_function_privilege(%s, 'batchconnect.append(bigint, bigint, bigint, bigint[], "
                "integer[], text[], text[], bigint[], text[], text[], bigint)', 'EXECUTE')",
                [role] * 4,
            ).fetchone()
            for role in ("writer", "reader")
        }
        for role in ("writer", "reader"):
            session.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())

    assert (before, again) == (version, version + 1)
    assert found == {"writer": (True, False, True, True), "reader": (True, False, False, False)}


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read"])
def test_who_takes_a_lane_sees_the_lines_that_were_on_their_way(
    postgres: Cluster, address: LedgerAddress, isolation: str
) -> None:
    """In a transaction that is not read committed it would number its own lines as those: so none is taken."""
    append = (
        "SELECT batchconnect.append(%s, %s, 1, '{1}'::bigint[], '{2}'::integer[], '{a}'::text[], "
        "'{sending}'::text[], '{1}'::bigint[], '{body}'::text[], NULL::text[], 0)"
    )
    take = "SELECT id, epoch, n FROM batchconnect.take('h', 'o', 'c', '', 'taker')"
    with postgres.session(name_of(address)) as holder, postgres.session(name_of(address)) as taker:
        held = holder.execute(take.replace("taker", "holder").encode()).fetchone()
        assert held is not None
        taker.execute(f"SET default_transaction_isolation = '{isolation}'".encode())
        pid = taker.info.backend_pid
        with ThreadPoolExecutor(1) as threads, holder.transaction():
            holder.execute(append.encode(), held[:2])
            taking = threads.submit(lambda: taker.execute(take.encode()).fetchone())
            with postgres.session() as looker:
                waits = f"SELECT 1 FROM pg_locks WHERE pid = {pid} AND NOT granted"
                until(lambda: looker.execute(waits.encode()).fetchone(), why="it does not wait")
        taken = taking.result(LIMIT_S)
    assert taken is not None

    sees_all = taken[2] == 2
    assert sees_all is (isolation == "read committed")


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_a_database_where_transactions_are_not_read_committed_is_refused(
    postgres: Cluster, address: LedgerAddress, isolation: str
) -> None:
    """By `ledger check` as by a run; who only looks may."""
    with postgres.session() as session:
        session.execute(
            f"ALTER DATABASE {name_of(address)} SET default_transaction_isolation = '{isolation}'".encode()
        )
    with pytest.raises(LedgerError, match=f"transactions are {isolation} by default") as by_run:
        PostgresLedger(address)
    with pytest.raises(LedgerError, match="have to be read committed") as by_check:
        care.check(address, simulated=False)
    with PostgresLedger(address, read_only=True) as ledger:
        assert list(ledger.runs()) == []

    assert by_run.value.hint == by_check.value.hint
    assert "ALTER ROLE" in str(by_run.value.hint)
