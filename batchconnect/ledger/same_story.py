"""
Whether two ledgers tell the same story: the same lines of the same runs, in the same order.

Numbers of runs are each store's own, so a run goes by its id.
"""

import hashlib
from collections.abc import Iterable

from batchconnect.ledger.codec import encode
from batchconnect.ledger.entry import Line, RunOpened
from batchconnect.ledger.kind import word_of
from batchconnect.model.value import Value


class Story(Value, kw_only=False):
    """All lines of a ledger, in short."""

    runs: int
    lines: int
    digest: str
    """SHA-256, in hex."""


def story_of(lines: Iterable[Line]) -> Story:
    """Tell a ledger's lines, in the order in which they were written, in short."""
    ids: dict[int, str] = {}
    digest, count = hashlib.sha256(), 0
    for line in lines:
        if isinstance(line.entry, RunOpened):
            ids[line.run] = line.entry.run_id
        words = (ids.get(line.run, ""), line.row, line.marker, line.at_ms, word_of(line.entry))
        for part in (repr(words).encode(), encode(line.entry)):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
        count += 1
    return Story(len(ids), count, digest.hexdigest())
