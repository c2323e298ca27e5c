"""
A ledger that grew within the hour costs no more than one that is known to the server for long.

The planner has no statistics of it yet, and takes it for small. What is counted here is what the server
reads, by its own count.
"""

from collections.abc import Callable

import psycopg
import pytest

from batchconnect.ledger.entry import Line, RunOpened, Sending, Settled
from batchconnect.ledger.interface import LaneKey
from batchconnect.ledger.postgres import held_lane, store
from batchconnect.ledger.postgres.arrays import teach
from batchconnect.ledger.postgres.store import PostgresLedger
from batchconnect.model.ledger_address import LedgerAddress
from batchconnect.model.outcome import Created
from tests.fast_lane import few
from tests.postgres_cluster import Cluster, until

LANE = LaneKey("platform.adobe.io", "5C1328435BF324E90A49402A@AdobeOrg", "client")
ROWS = 1_000


def marker_of(number: int) -> str:
    return f"bc1-{number:026}"


def sending(number: int) -> Line:
    return Line(entry=Sending(number=1), run=1, row=number + 2, marker=marker_of(number), at_ms=2)


def created(number: int) -> Line:
    outcome = Created(
        connection_id=f"{number:08x}-6d0a-4a52-8f6e-{number:012x}", etag=None, http_status=201
    )
    return Line(
        entry=Settled(outcome=outcome), run=1, row=number + 2, marker=marker_of(number), at_ms=3
    )


def grown(ledger: PostgresLedger) -> None:
    """A run whose rows were all created."""
    opened = RunOpened(run_id="20261130-1", sheets=("clients.csv",), sheet_sha256="ab")
    assert ledger.append([Line(entry=opened, at_ms=1)]) == 1
    lines = [line(number) for number in range(ROWS) for line in (sending, created)]
    ledger.of_lane(LANE).append(lines)


@pytest.mark.parametrize("is_repeated", [False, True])
def test_a_group_of_lines_costs_the_server_the_same_however_many_were_written_before(
    postgres: Cluster, is_repeated: bool
) -> None:
    """No index is read as a whole, also where a group comes again because its answer was lost."""
    address, group = postgres.ledger(), 20
    with PostgresLedger(address) as ledger:
        grown(ledger)
    lines = [created(ROWS + number) for number in range(group)]
    packed = held_lane._packed(lines, checks_ids=True)
    with psycopg.connect(address.url.reveal()) as session:
        teach(session)
        found = session.execute(
            "SELECT id, epoch FROM batchconnect.lane WHERE org_id <> ''"
        ).fetchone()
        assert found is not None
        values = (*found, 2 * ROWS + 1, *packed.columns, packed.ids, 0)
        if is_repeated:
            session.execute(held_lane._APPEND, values, binary=True)
            session.commit()
        session.execute(held_lane._APPEND, values, binary=True)
        read = session.execute(
            "SELECT indexrelid::regclass::text, pg_stat_get_xact_tuples_returned(indexrelid) "
            "FROM pg_index WHERE indrelid = 'batchconnect.entry'::regclass"
        ).fetchall()

    assert {str(name).rpartition(".")[2] for name, _ in read} >= {
        "entry_pkey",
        "entry_of_connection",
    }
    assert sum(int(str(many)) for _, many in read) <= 2 * group


@pytest.mark.parametrize(
    "read",
    few(
        [
            lambda ledger: list(ledger.row_lines(1)),
            lambda ledger: list(ledger.row_lines(1, range(2, ROWS + 2))),
            lambda ledger: list(ledger.last_lines(1)),
            lambda ledger: list(ledger.ends(1)),
            lambda ledger: ledger.states_of(map(marker_of, range(ROWS))),
        ],
        2,
    ),
    ids=["lines", "lines of rows", "last lines", "ends", "states"],
)
def test_each_line_is_read_about_once_whatever_is_asked_page_by_page(
    postgres: Cluster, monkeypatch: pytest.MonkeyPatch, read: Callable[[PostgresLedger], object]
) -> None:
    """No page reads, and sorts, all that comes after it."""
    for bound in ("_PAGE", "_ASKED_AT_ONCE"):
        monkeypatch.setattr(store, bound, 50)
    address = postgres.ledger()
    with PostgresLedger(address) as ledger:
        grown(ledger)
    before = read_so_far(postgres, name_of(address))
    with PostgresLedger(address) as ledger:
        read(ledger)

    def read_by_now() -> int:
        return read_so_far(postgres, name_of(address)) - before

    # A session's count is there when the session has ended.
    until(lambda: read_by_now() >= ROWS, why="the server counts what was read")
    assert read_by_now() <= 3 * 2 * ROWS


def read_so_far(cluster: Cluster, database: str) -> int:
    with cluster.session(database) as session:
        found = session.execute(
            "SELECT coalesce(seq_tup_read, 0) + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes "
            "WHERE relid = t.relid) FROM pg_stat_user_tables AS t WHERE relname = 'entry'"
        ).fetchone()
    return int(str(found[0])) if found else 0


def name_of(address: LedgerAddress) -> str:
    return address.url.reveal().split("?")[0].rpartition("/")[2]
