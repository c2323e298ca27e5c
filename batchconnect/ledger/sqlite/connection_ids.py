"""
Two rows with one id: a connection is one row's, so an id that another row has was answered wrongly.

Each id that a row is created with is looked up, by an index of its own, before its line goes in.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from batchconnect.ledger.entry import Line, Settled
from batchconnect.ledger.row_state import RowState
from batchconnect.model.outcome import Created

_ID: Final = "lower(substr(body, 30, 36))"
"""Where the codec writes it: behind `{"outcome":{"connection_id":"`."""
_IS_CREATED: Final = "kind = 'settled' AND substr(body, -16) = x'2c226973223a2243726561746564227d'"
"""Ends in `,"is":"Created"}`. As in the index (`migrations`), word for word, else SQLite does not use it."""
_ASKED_AT_ONCE: Final = 500


class Answered(NamedTuple):
    """A row that is created, as a line to be written says."""

    connection_id: str
    """In lower case."""
    marker: str
    is_looked_at: bool
    """Whether the connection was found by the row's marker, and not only answered."""


def answered(lines: Sequence[Line]) -> list[Answered]:
    """The rows that are created by these lines; what is copied of another run is none."""
    return [
        Answered(outcome.connection_id.lower(), line.marker, outcome.reconciled)
        for line in lines
        if isinstance(line.entry, Settled)
        and isinstance(outcome := line.entry.outcome, Created)
        and line.marker is not None
        and not line.entry.inherited
    ]


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


def has_still(state: RowState | None, line: Line) -> bool:
    """Whether a row has the connection still that a line says it was created with."""
    assert isinstance(line.entry, Settled)
    return state is not None and not state.is_create_open and state.outcome == line.entry.outcome
