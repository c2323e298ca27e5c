"""
Where a ledger is asked: a file in place, a server in a thread.

A server that restarts is waited for, and a run of a million rows is folded for longer than a lease runs. Done in
the loop, either would keep it from its turn, so that leases end and the kernel's timer ends the process.
"""

from collections.abc import Callable
from typing import TypeVar

import anyio

from batchconnect.ledger.interface import LedgerReader
from batchconnect.ledger.run_state import RunState, fold_run

_Told = TypeVar("_Told")


async def aside(ledger: LedgerReader, ask: Callable[[], _Told]) -> _Told:
    """
    What a ledger says, without keeping the loop from its turn where that takes long.

    Args:
        ledger: Which is asked.
        ask: Asks it, and makes of the answer what is wanted; an iterator must be used up in here.
    """
    if ledger.is_remote:
        return await anyio.to_thread.run_sync(ask)
    return ask()


async def run_state_of(ledger: LedgerReader, number: int) -> RunState:
    """How a run stands now."""
    return await aside(ledger, lambda: fold_run(ledger.run_lines(number)))
