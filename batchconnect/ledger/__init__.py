"""
The append-only store that hears of a request before the network does, and what its lines say.

`entry` are the lines, `store` keeps them, `row_state` and `run_state` fold them.
"""

from batchconnect.ledger.store import MEMORY, Ledger

__all__ = [
    "MEMORY",
    "Ledger",
]
