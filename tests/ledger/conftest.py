"""Every test of what a ledger says runs on both stores."""

from collections.abc import Iterator

import pytest

from batchconnect.ledger.postgres.store import PostgresLedger
from batchconnect.ledger.sqlite.store import MEMORY, SqliteLedger


@pytest.fixture(params=["sqlite", "postgres"])
def ledger(request: pytest.FixtureRequest) -> Iterator[SqliteLedger | PostgresLedger]:
    """A new ledger of each kind."""
    if request.param == "sqlite":
        store: SqliteLedger | PostgresLedger = SqliteLedger(MEMORY)
    else:
        store = PostgresLedger(request.getfixturevalue("postgres").ledger())
    with store:
        yield store
