"""What of an earlier run's connections was deleted by our hand, or may have been."""

from collections.abc import Iterable, Mapping, Set as AbstractSet
from itertools import islice
from typing import Final

from batchconnect.ledger.entry import UNDO, Deleting, RunOpened
from batchconnect.ledger.interface import LedgerReader
from batchconnect.model.value import Value, field

_AT_ONCE: Final = 500
"""Identities whose lines are folded at once."""


class Deletions(Value):
    """What is known of all deletes together."""

    ids: AbstractSet[str] = frozenset()
    """In lower case, of connections that are gone: a listing may show them for a while."""
    open: Mapping[str, str] = field(default_factory=dict)
    """By marker whose connection may be gone, or going, for nobody knows yet: the run that is being undone."""


def deletions_in(ledger: LedgerReader, deleted: Iterable[str] | None = None) -> Deletions:
    """
    What this ledger knows of deletes; of years of them no more is held than the ids.

    Args:
        ledger: Of all runs.
        deleted: Its `deleted_markers`; None: they are asked for.
    """
    ids: set[str] = set()
    unknown: set[str] = set()
    markers = iter(ledger.deleted_markers() if deleted is None else deleted)
    while part := list(islice(markers, _AT_ONCE)):
        for marker, state in ledger.states_of(part).items():
            ids.update(map(str.lower, state.gone))
            if isinstance(state.change, Deleting):
                unknown.add(marker)
    return Deletions(ids=frozenset(ids), open=_undone_by(ledger, unknown) if unknown else {})


def _undone_by(ledger: LedgerReader, markers: AbstractSet[str]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for number, line, _ in ledger.runs():
        opened = line.entry
        if isinstance(opened, RunOpened) and opened.command == UNDO and markers - found.keys():
            for of_row in ledger.row_lines(number):
                marker = of_row.marker
                if marker in markers and isinstance(of_row.entry, Deleting):
                    found.setdefault(marker or "", opened.parent_run_id or "")
    return {marker: found.get(marker, "") for marker in markers}
