"""Finds the rows that were created with an id, by an index of its own; what they mean is `ledger.shared_id`'s."""

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

_ID: Final = "lower(substr(body, 30, 36))"
"""Where the codec writes it: behind `{"outcome":{"connection_id":"`."""
_IS_CREATED: Final = "kind = 'settled' AND substr(body, -16) = x'2c226973223a2243726561746564227d'"
"""Ends in `,"is":"Created"}`. As in the index (`migrations`), word for word, else SQLite does not use it."""
_ASKED_AT_ONCE: Final = 500


def bearers(
    db: sqlite3.Connection, columns: str, ids: Sequence[str]
) -> list[tuple[str, Sequence[Any]]]:
    """Each id, and the columns of a line by which a row was created with it, oldest first."""
    found: list[tuple[str, Sequence[Any]]] = []
    for start in range(0, len(ids), _ASKED_AT_ONCE):
        asked = ids[start : start + _ASKED_AT_ONCE]
        values = ", ".join("?" * len(asked))
        rows = db.execute(
            f"SELECT {_ID}, {columns} FROM entry WHERE {_IS_CREATED} AND {_ID} IN ({values}) ORDER BY seq",
            asked,
        )
        found += [(connection_id, line) for connection_id, *line in rows]
    return found
