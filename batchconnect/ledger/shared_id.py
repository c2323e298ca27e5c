"""
Two rows with one id: a connection is one row's, so an id that another row has was answered wrongly.

Each id that a row is created with is looked up, by an index of its own, before its line goes in. How a
store finds its bearers is its own matter; what they mean is told here.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from batchconnect.ledger.entry import Line, Settled
from batchconnect.ledger.interface import SharedIdError
from batchconnect.ledger.row_state import RowState
from batchconnect.model.outcome import Created


class Answered(NamedTuple):
    """A row that is created, as a line to be written says."""

    connection_id: str
    """In lower case."""
    marker: str
    is_looked_at: bool
    """Whether the connection was found by the row's marker, and not only answered."""


def answered_in(line: Line) -> Answered | None:
    """The row that is created by a line; what is copied of another run is none."""
    entry, marker = line.entry, line.marker
    if not isinstance(entry, Settled) or entry.inherited or marker is None:
        return None
    outcome = entry.outcome
    if not isinstance(outcome, Created):
        return None
    return Answered(outcome.connection_id.lower(), marker, outcome.reconciled)


def answered(lines: Sequence[Line]) -> list[Answered]:
    """The rows that are created by these lines."""
    return [one for one in map(answered_in, lines) if one is not None]


def by_id(created: Iterable[Answered]) -> dict[str, Answered]:
    """
    Each id with the row that is created with it.

    Raises:
        SharedIdError: Two of them have one id.
    """
    found: dict[str, Answered] = {}
    for one in created:
        if found.setdefault(one.connection_id, one).marker != one.marker:
            raise SharedIdError  # handed in at once: one by one they are told apart
    return found


def check_bearers(
    bearers: Iterable[tuple[str, Line]],
    created: Mapping[str, Answered],
    states_of: Callable[[Iterable[str]], Mapping[str, RowState]],
) -> None:
    """
    See that no id is another row's.

    Args:
        bearers: Each id with a line by which a row was created with it, oldest first.
        created: By id, the rows that are to be written.
        states_of: What is known of identities.

    Raises:
        SharedIdError: One is.
    """
    others: dict[str, Line] = {}
    for connection_id, line in bearers:
        if line.marker is not None and line.marker != created[connection_id].marker:
            others[line.marker] = line
    if not others:
        return
    states = states_of(others)
    standing = [line for marker, line in others.items() if _has_still(states.get(marker), line)]
    if standing or not all(one.is_looked_at for one in created.values()):
        raise SharedIdError(standing)


def _has_still(state: RowState | None, line: Line) -> bool:
    """Whether a row has the connection still that a line says it was created with."""
    assert isinstance(line.entry, Settled)
    return state is not None and not state.is_create_open and state.outcome == line.entry.outcome
