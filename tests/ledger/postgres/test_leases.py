"""Leases on a real server: one holder at a time, and whoever lost a lane can write nothing to it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from batchconnect.ledger.entry import Line, RunOpened, Sending
from batchconnect.ledger.interface import LaneKey
from batchconnect.ledger.lease import Lease, Terms
from batchconnect.ledger.postgres import connections
from batchconnect.ledger.postgres.connections import Connections, Session
from batchconnect.ledger.postgres.store import PostgresLedger
from batchconnect.ledger.team import OPENING, Holding, LaneRow
from batchconnect.model.errors import LaneLostError, LedgerError
from batchconnect.model.ledger_address import LedgerAddress
from tests.postgres_cluster import LIMIT_S, Cluster

ACME = LaneKey("platform.adobe.io", "ACME@AdobeOrg", "client")
OTHER_CLIENT = ACME._replace(client_id="another")
BETA = ACME._replace(org_id="BETA@AdobeOrg")
TERMS = Terms(ttl_s=30)
SENDING = Line(entry=Sending(number=1), run=1, row=2, marker="bc1-a", at_ms=2)


@pytest.fixture
def address(postgres: Cluster) -> LedgerAddress:
    return postgres.ledger()


@pytest.fixture
def one(address: LedgerAddress) -> Iterator[PostgresLedger]:
    with PostgresLedger(address, leased=True) as ledger:
        yield ledger


@pytest.fixture
def two(address: LedgerAddress) -> Iterator[PostgresLedger]:
    with PostgresLedger(address, leased=True) as ledger:
        yield ledger


def no_sleep(_seconds: float) -> None:
    raise AssertionError("it was waited for")


def take(
    ledger: PostgresLedger,
    key: LaneKey = ACME,
    *,
    over: tuple[LaneRow, ...] = (),
    run: int | None = None,
) -> Lease | None:
    taken = ledger.leases.take(Holding(key=key), over=over, terms=TERMS, run=run)
    return taken and Lease(lane=taken[0], epoch=taken[1], terms=TERMS, asked_s=0)


def row_of(ledger: PostgresLedger, key: LaneKey = ACME) -> LaneRow:
    return next(row for row in ledger.leases.lanes() if row.holding.key == key)


def test_a_lane_has_one_holder_at_a_time(one: PostgresLedger, two: PostgresLedger) -> None:
    assert take(one) is not None
    assert take(two) is None
    assert take(two, BETA) is not None
    assert row_of(one).holder == one.leases.name


def test_what_nobody_took_is_not_written_to(one: PostgresLedger) -> None:
    """Where leases are kept, a line takes no lane by itself; nor does the first line of a run."""
    opened = RunOpened(run_id="20261130-1", sheets=("clients.csv",), sheet_sha256="ab")
    with pytest.raises(LaneLostError, match="does not hold"):
        one.of_lane(ACME).append([SENDING])
    with pytest.raises(LaneLostError, match="does not hold"):
        one.append([Line(entry=opened, at_ms=1)])

    assert one.leases.take(Holding(run_id=opened.run_id), over=(), terms=TERMS, run=None)
    assert one.append([Line(entry=opened, at_ms=1)]) == 1


def test_a_lease_that_was_seen_to_be_over_is_taken_and_its_holder_writes_nothing_more(
    one: PostgresLedger, two: PostgresLedger
) -> None:
    lost = take(one)
    assert lost is not None
    one.of_lane(ACME).append([SENDING])

    assert take(two, over=(row_of(two),)) is not None

    with pytest.raises(LaneLostError):
        one.of_lane(ACME).append([SENDING])
    assert one.leases.renew([lost]) == set()
    two.of_lane(ACME).append([SENDING])


def test_a_lease_that_was_renewed_since_is_not_taken(
    one: PostgresLedger, two: PostgresLedger
) -> None:
    """However long the taker has waited: it has not seen the last beat."""
    held = take(one)
    assert held is not None
    seen = row_of(two)
    assert one.leases.renew([held]) == {held.lane}

    assert take(two, over=(seen,)) is None


def test_two_clients_of_one_org_are_one_right(one: PostgresLedger, two: PostgresLedger) -> None:
    """Their rows have the same markers, so whoever holds one lane holds the other one off."""
    assert take(one, ACME) is not None
    assert take(two, OTHER_CLIENT) is None
    assert take(one, OTHER_CLIENT) is not None, "one process may have both"


def test_taking_the_lane_of_one_client_shuts_the_dead_holder_of_the_other_one_out(
    one: PostgresLedger, two: PostgresLedger
) -> None:
    take(one, ACME)

    assert take(two, OTHER_CLIENT, over=(row_of(two, ACME),)) is not None
    with pytest.raises(LaneLostError):
        one.of_lane(ACME).append([SENDING])


def test_what_is_handed_back_is_free_at_once_and_its_holder_writes_nothing_more(
    one: PostgresLedger, two: PostgresLedger
) -> None:
    held = take(one)
    assert held is not None
    one.leases.hand_back(held)

    with pytest.raises(LaneLostError):
        one.of_lane(ACME).append([SENDING])
    assert take(two) is not None


def test_a_lane_that_failed_is_left_alone_for_its_time(
    one: PostgresLedger, two: PostgresLedger
) -> None:
    """By everybody, and by the server's clock; a lane that then goes well is forgiven."""
    held = take(one)
    assert held is not None
    one.leases.hand_back(held, back_off_s=60)

    row = row_of(one)
    assert 50 < row.waits_s <= 60
    assert row.failures == 1
    assert take(two) is None


def test_a_person_takes_a_lane_from_its_holder(one: PostgresLedger, two: PostgresLedger) -> None:
    held = take(one)
    assert held is not None
    two.leases.release(held.lane)

    assert one.leases.renew([held]) == set()
    with pytest.raises(LaneLostError):
        one.of_lane(ACME).append([SENDING])
    assert take(two) is not None


def test_the_right_to_open_runs_is_held_like_a_lane(
    one: PostgresLedger, two: PostgresLedger
) -> None:
    assert one.leases.take(OPENING, over=(), terms=TERMS, run=None) is not None
    assert two.leases.take(OPENING, over=(), terms=TERMS, run=None) is None


def test_a_lane_is_seen_before_anybody_takes_it(one: PostgresLedger) -> None:
    one.leases.make([ACME, BETA, ACME])

    assert [row.holding.key for row in one.leases.lanes()] == [ACME, BETA]
    assert row_of(one).holder == ""


@pytest.mark.parametrize("pins", [None, frozenset(), frozenset({2, 1})])
def test_who_is_at_work_says_so_and_when_it_leaves(
    one: PostgresLedger, two: PostgresLedger, pins: frozenset[int] | None
) -> None:
    """With the lanes that it is pinned to, and none are not any."""
    one.leases.here(7, wants=False, terms=TERMS, pins={3})
    one.leases.here(7, wants=True, terms=TERMS, pins=pins)
    (seen,) = two.leases.workers()

    assert (seen.name, seen.run, seen.wants, seen.is_alive) == (one.leases.name, 7, True, True)
    assert seen.pins == pins
    one.leases.leave(())
    assert two.leases.workers() == []


def test_a_terms_length_is_its_holders(one: PostgresLedger, two: PostgresLedger) -> None:
    """Whoever takes over judges by it, and not by its own."""
    one.leases.take(Holding(key=ACME), over=(), terms=Terms(ttl_s=90), run=3)

    assert row_of(two).terms.ttl_s == 90
    assert row_of(two).run == 3


def end_sessions(postgres: Cluster) -> None:
    """As a restart does, or a server's limit for sessions that are idle."""
    with postgres.session() as session:
        session.execute(
            b"SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity "
            b"WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )


def test_connections_that_broke_while_nobody_used_them_cost_no_question_its_answer(
    postgres: Cluster, address: LedgerAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many of them are kept, and where nothing is waited for, too: a renewal comes at the first try."""
    opened: list[Session] = []

    def open_session(address: LedgerAddress) -> Session:
        opened.append(open_one(address))
        return opened[-1]

    open_one = connections.open_session

    several = Barrier(3)
    kept = Connections(address, sleep=no_sleep)
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda _: kept.ask(lambda _session: several.wait(60)), range(3)))
    end_sessions(postgres)
    monkeypatch.setattr(connections, "open_session", open_session)
    (answer,) = kept.ask(lambda session: session.execute(b"SELECT 7").fetchall(), waits=False)
    kept.close()

    assert answer == (7,)
    assert len(opened) == 1, "and the others were not tried one by one"


@pytest.mark.slow
def test_who_takes_a_lane_waits_for_a_server_that_is_away_and_who_renews_does_not(
    postgres: Cluster, address: LedgerAddress
) -> None:
    with PostgresLedger(address, leased=True) as one:
        held = take(one)
        assert held is not None
        postgres.stop()
        with pytest.raises(LedgerError):
            one.leases.renew([held])
        with ThreadPoolExecutor(1) as threads:
            taking = threads.submit(take, one, BETA)
            postgres.start()
            assert taking.result(LIMIT_S) is not None
        assert one.leases.renew([held]) == {held.lane}
