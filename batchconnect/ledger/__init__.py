"""
The append-only store that hears of a request before the network does, and what its lines say.

`entry` are the lines, `kind` lists their kinds, `interface` says what a ledger is asked, `sqlite` is the
one that is a file, `postgres` a team's; `row_state` and `run_state` fold the lines.
"""

from batchconnect.ledger.interface import Ledger, LedgerReader, LedgerWriter

__all__ = [
    "Ledger",
    "LedgerReader",
    "LedgerWriter",
]
