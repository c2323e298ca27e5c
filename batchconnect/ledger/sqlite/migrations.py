"""
How the file's form came to be what it is, step by step.

A new ledger goes the whole way and an old one the rest of it, so both end with the same form. A step that
stands here is never changed: somewhere lies a ledger that has gone it.
"""

import sqlite3
from collections.abc import Mapping
from typing import Final

MIGRATIONS: Final[Mapping[int, tuple[str, ...]]] = {
    1: (
        "CREATE TABLE about (word TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
        """CREATE TABLE entry (
            seq INTEGER PRIMARY KEY,
            run INTEGER NOT NULL,
            row INTEGER,
            marker TEXT,
            kind TEXT NOT NULL,
            at_ms INTEGER NOT NULL,
            body BLOB NOT NULL
        ) STRICT""",
        "CREATE INDEX entry_of_row ON entry (run, row, seq)",
        # NOTE: the first ledgers of this version have no `kind` in this index.
        """CREATE INDEX entry_of_marker ON entry (marker, seq, kind)
            WHERE marker IS NOT NULL AND kind IN ('sending', 'in_doubt', 'absent', 'settled')""",
        """CREATE TRIGGER entry_is_never_changed BEFORE UPDATE ON entry
            BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END""",
        """CREATE TRIGGER entry_is_never_removed BEFORE DELETE ON entry
            BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END""",
    ),
    # What is known of an identity is found by the index whatever kinds of lines are still to come, and
    # the first ledgers get their `kind` in it: "what is open" takes them 0.5 s instead of 4 for a million.
    2: (
        "DROP INDEX entry_of_marker",
        """CREATE INDEX entry_of_marker ON entry (marker, seq, kind)
            WHERE marker IS NOT NULL AND kind <> 'row'""",
    ),
    # Each run asks what was deleted by our hand: few lines among millions.
    3: (
        """CREATE INDEX entry_of_deletion ON entry (marker)
            WHERE marker IS NOT NULL AND kind IN ('deleting', 'deleted')""",
    ),
    # Which rows were created with an id (`connection_ids`); the text alone tells, without reading JSON, so
    # that it costs a row some microseconds, and a damaged line nothing. The blob is `,"is":"Created"}`.
    4: (
        """CREATE INDEX entry_of_connection ON entry (lower(substr(body, 30, 36)))
            WHERE kind = 'settled' AND substr(body, -16) = x'2c226973223a2243726561746564227d'""",
    ),
}
"""For each version of the form, the statements that lead to it from the one before."""

FINDS_ANY_KIND: Final = 2
"""From this version on the index of the identities has lines of every kind; before, those of creates alone,
and there are no others."""
FINDS_DELETIONS: Final = 3
"""From this version on deletions have their index; before, there are none."""

VERSION: Final = max(MIGRATIONS)
"""What `PRAGMA user_version` says of a ledger of today."""


def migrate(db: sqlite3.Connection, *, version: int) -> None:
    """
    Bring a ledger to the form of today; to be called inside a transaction, so that all of it holds or none.

    Args:
        db: The ledger.
        version: The form that it has; 0: it is empty.
    """
    for step, statements in MIGRATIONS.items():
        if step > version:
            for statement in statements:
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {step}")
