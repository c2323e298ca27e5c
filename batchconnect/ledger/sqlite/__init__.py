"""
The ledger of one machine: an SQLite file, with its place and its lock.

Nobody names it but `run.opening.opened_ledger`; everybody else is handed a `Ledger` of `ledger.interface`.
"""
