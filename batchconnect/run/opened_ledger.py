"""
Where a command's ledger is, and how it is opened.

The one room that knows what the ledger is kept in; everybody else is handed what `ledger.interface` says.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from batchconnect.ledger import Ledger, LedgerReader
from batchconnect.ledger.sqlite.file import is_held, locked, place_warning
from batchconnect.ledger.sqlite.store import MEMORY, SqliteLedger
from batchconnect.model.errors import LedgerError
from batchconnect.options import MergedOptions
from batchconnect.run.places import ledger_path_of


@contextmanager
def opened_ledger(
    options: MergedOptions, host: str, *, about: dict[str, str], in_memory: bool = False
) -> Iterator[Ledger]:
    """
    The ledger, locked for one run; one of an earlier version is brought to the form of today.

    Args:
        options: Where it is, and whether it belongs to the simulator.
        host: Platform host whose connections it accounts for.
        about: Who holds it, for the message that a second process gets.
        in_memory: Keep it nowhere: it ends with the process.

    Raises:
        LedgerError: It is in use or unusable.
    """
    with ExitStack() as stack:
        path: str | Path = MEMORY
        lock = None
        if not in_memory:
            path = ledger_path_of(options)
            lock = stack.enter_context(locked(ledger_path_of(options), about=about))
        ledger = SqliteLedger(path, host=host, simulated=options.simulate, lock=lock)
        yield stack.enter_context(ledger)


@contextmanager
def read_ledger(options: MergedOptions) -> Iterator[LedgerReader]:
    """
    The ledger, for looking back: needs no lock, changes nothing, and a run may be at work on it.

    Raises:
        LedgerError: There is none, or it is unusable.
    """
    path = ledger_path_of(options)
    with SqliteLedger(path, simulated=options.simulate, read_only=True) as ledger:
        yield ledger


@contextmanager
def ledger_of(options: MergedOptions) -> Iterator[LedgerReader]:
    """
    As `read_ledger`, where there has to be one: what to do without it is told.

    Raises:
        LedgerError: There is none, or it is unusable.
    """
    if not is_there(options):
        raise LedgerError(f"there is no ledger at {ledger_path_of(options)}", hint=_where(options))
    with read_ledger(options) as ledger:
        yield ledger


def _where(options: MergedOptions) -> str:
    if not options.simulate and is_there(replace(options, simulate=True)):
        return "There are simulated runs: add --simulate. A real run makes a ledger of its own."
    return "A run makes it. One that lies elsewhere: --ledger FILE, or --reports DIR."


def is_there(options: MergedOptions) -> bool:
    """Whether a run has made the ledger."""
    return ledger_path_of(options).exists()


def is_in_use(options: MergedOptions) -> bool:
    """Whether a process is at work on the ledger now."""
    return is_held(ledger_path_of(options))


def warning_of_place(options: MergedOptions) -> str | None:
    """Why the ledger lies in a bad place, if it does."""
    return place_warning(ledger_path_of(options))
