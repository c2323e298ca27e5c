"""How far a run is, asked again and again: each time what came since, and what that costs."""

from collections.abc import Iterator

import pytest

from batchconnect.ledger.entry import Line, RunOpened, Sending, Settled
from batchconnect.ledger.interface import LaneKey
from batchconnect.ledger.lease import Terms
from batchconnect.ledger.postgres.store import PostgresLedger
from batchconnect.model.outcome import Existing, InDoubt, MatchedBy, NotAttempted, Outcome
from tests.ledger.postgres.test_growth import (
    LANE,
    ROWS,
    created,
    grown,
    name_of,
    read_so_far,
    sending,
)
from tests.postgres_cluster import Cluster, until

OTHER = LaneKey("platform.adobe.io", "0000000000000000000000BB@AdobeOrg", "client")
TERMS = Terms(ttl_s=30)
EXISTING = Existing(connection_id="e", matched_by=MatchedBy.MARKER)
LEFT = NotAttempted(code="handed_back", detail="Left to another worker.")
OPEN = InDoubt(code="timeout", detail="No answer.")


@pytest.fixture
def ledger(postgres: Cluster) -> Iterator[PostgresLedger]:
    with PostgresLedger(postgres.ledger()) as ledger:
        yield ledger


def opened(ledger: PostgresLedger, run_id: str) -> int:
    entry = RunOpened(run_id=run_id, sheets=("clients.csv",), sheet_sha256="ab")
    return ledger.append([Line(entry=entry, at_ms=1)])


def settled(run: int, row: int, outcome: Outcome) -> Line:
    return Line(entry=Settled(outcome=outcome), run=run, row=row, marker=f"bc1-{row}", at_ms=2)


def test_what_was_settled_since_is_told_by_lane(ledger: PostgresLedger) -> None:
    """Of this run alone; what was left for another time, or only sent, is not settled; a doubt that stays is."""
    run, another = opened(ledger, "r-1"), opened(ledger, "r-2")
    here, there = ledger.of_lane(LANE), ledger.of_lane(OTHER)
    here.append([settled(run, 2, EXISTING)])
    ends = dict(ledger.leases.arrive(run, wants=True, terms=TERMS))
    here.append([settled(run, 3, EXISTING), settled(another, 4, EXISTING), settled(run, 5, LEFT)])
    there.append(
        [
            Line(entry=Sending(number=1), run=run, row=6, marker="bc1-6", at_ms=2),
            settled(run, 7, EXISTING),
            settled(run, 8, OPEN),
        ]
    )

    lanes = {row.holding.key: row.lane for row in ledger.leases.lanes() if row.holding.key}
    assert ends == {lanes[LANE]: 1}
    behind = {lane: ends.get(lane, 0) for lane in lanes.values()}
    told = ledger.settled_behind(run, behind)

    assert {lane: (last, sorted(rows)) for lane, (last, rows) in told.items()} == {
        lanes[LANE]: (4, [3]),
        lanes[OTHER]: (3, [7, 8]),
    }
    assert ledger.settled_behind(run, {lane: last for lane, (last, _rows) in told.items()}) == {}
    (worker,) = ledger.leases.workers()
    assert worker.wants


def test_a_look_reads_what_is_new_however_long_the_run_is(postgres: Cluster) -> None:
    """And where the lanes end is one look at each."""
    address, new = postgres.ledger(), 20
    with PostgresLedger(address) as ledger:
        grown(ledger)
        ledger.of_lane(LANE).append(
            [line(ROWS + number) for number in range(new) for line in (sending, created)]
        )
    before = read_so_far(postgres, name_of(address))
    with PostgresLedger(address) as ledger:
        ((lane, end),) = ledger.leases.arrive(1, wants=True, terms=TERMS).items()
        told = ledger.settled_behind(1, {lane: end - 2 * new})

    assert len(told[lane][1]) == new

    def read_by_now() -> int:
        return read_so_far(postgres, name_of(address)) - before

    # A session's count is there when the session has ended.
    until(lambda: read_by_now() >= 2 * new, why="the server counts what was read")
    assert read_by_now() <= 3 * 2 * new
