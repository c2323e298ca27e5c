"""
The ledger of a team: a schema of its own in a PostgreSQL database, written to from any machine.

Nobody names it but `run.opening.opened_ledger`; everybody else is handed a `Ledger` of `ledger.interface`.
"""
