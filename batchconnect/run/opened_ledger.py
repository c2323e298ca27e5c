"""
Where a command's ledger is, and how it is opened.

The one room that knows what the ledger is kept in; everybody else is handed what `ledger.interface` says.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from batchconnect.ledger import Ledger, LedgerReader
from batchconnect.ledger.sqlite.file import is_held, locked, place_warning
from batchconnect.ledger.sqlite.store import MEMORY, SqliteLedger
from batchconnect.run.choices import Choices


@contextmanager
def opened_ledger(
    choices: Choices, host: str, *, about: dict[str, str], in_memory: bool = False
) -> Iterator[Ledger]:
    """
    The ledger, locked for one run; one of an earlier version is brought to the form of today.

    Args:
        choices: Where it is, and whether it belongs to the simulator.
        host: Platform host whose connections it accounts for.
        about: Who holds it, for the message that a second process gets.
        in_memory: Keep it nowhere: it ends with the process.

    Raises:
        LedgerError: It is in use or unusable.
    """
    with ExitStack() as stack:
        path: str | Path = MEMORY
        if not in_memory:
            path = choices.ledger_path
            stack.enter_context(locked(choices.ledger_path, about=about))
        yield stack.enter_context(SqliteLedger(path, host=host, simulated=choices.simulate))


@contextmanager
def read_ledger(choices: Choices) -> Iterator[LedgerReader]:
    """
    The ledger, for looking back: needs no lock, changes nothing, and a run may be at work on it.

    Raises:
        LedgerError: There is none, or it is unusable.
    """
    path = choices.ledger_path
    with SqliteLedger(path, simulated=choices.simulate, read_only=True) as ledger:
        yield ledger


def is_there(choices: Choices) -> bool:
    """Whether a run has made the ledger."""
    return choices.ledger_path.exists()


def is_in_use(choices: Choices) -> bool:
    """Whether a process is at work on the ledger now."""
    return is_held(choices.ledger_path)


def warning_of_place(choices: Choices) -> str | None:
    """Why the ledger lies in a bad place, if it does."""
    return place_warning(choices.ledger_path)
