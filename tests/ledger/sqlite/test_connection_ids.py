"""An id that a row was created with is found by an index of its own."""

from batchconnect.ledger.entry import Line, RowPlanned, Settled
from batchconnect.ledger.sqlite.connection_ids import bearers
from batchconnect.ledger.sqlite.store import MEMORY, SqliteLedger
from batchconnect.model.outcome import Created

GUID = "7f1fbb2e-6d0a-4a52-8f6e-3b1a54ec4d1{}"
SHARED = GUID.format("a")


def test_an_id_is_found_by_its_index() -> None:
    """Never by a look at every line: it is asked for with each row that is created."""
    told: list[str] = []
    settled = Settled(outcome=Created(connection_id=SHARED))
    with SqliteLedger(MEMORY) as ledger:
        ledger.append(
            [
                Line(entry=RowPlanned(name="A"), run=1, row=2, marker="a"),
                Line(entry=settled, run=1, row=2, marker="a"),
            ]
        )
        ledger._db.set_trace_callback(told.append)
        assert len(bearers(ledger._db, "seq", [GUID.format("c"), SHARED])) == 1
        ledger._db.set_trace_callback(None)
        (asked,) = told
        plan = str(ledger._db.execute(f"EXPLAIN QUERY PLAN {asked}").fetchall())

    assert "INDEX entry_of_connection" in plan, plan
