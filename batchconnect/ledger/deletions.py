"""What of an earlier run's connections was deleted by our hand, or may have been."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from batchconnect.ledger.entry import Deleting
from batchconnect.ledger.interface import LedgerReader


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletions:
    """What is known of all deletes together."""

    ids: AbstractSet[str] = frozenset()
    """In lower case, of connections that are gone: a listing may show them for a while."""
    open: AbstractSet[str] = frozenset()
    """Markers whose connection may be gone, or going: nobody knows yet."""


def deletions_in(ledger: LedgerReader) -> Deletions:
    """What this ledger knows of deletes; few identities have any."""
    states = ledger.states_of(ledger.deleted_markers())
    return Deletions(
        ids=frozenset(one.lower() for state in states.values() for one in state.gone),
        open=frozenset(
            marker for marker, state in states.items() if isinstance(state.change, Deleting)
        ),
    )
