"""Which run an undo is of: one that creates, and is over."""

from batchconnect.ledger import LedgerReader
from batchconnect.ledger.entry import ONBOARD, UNDO
from batchconnect.ledger.run_state import RunState
from batchconnect.model.errors import LedgerError, UsageError
from batchconnect.run.history.history import find_run
from batchconnect.run.intake.same_run import command_of


def run_to_undo(ledger: LedgerReader, run_id: str, *, host: str, simulated: bool) -> RunState:
    """
    The run that is to be undone; of an undo, the run that it is of.

    Raises:
        UsageError: There is none, it is not over, or it is of a command that creates nothing.
        LedgerError: It created its connections on another host, or in the other mode.
    """
    run = run_that_creates(ledger, run_id)
    opened = run.opened
    made_on = ("simulated" if opened.simulated else "real", opened.platform_host or host)
    if made_on != ("simulated" if simulated else "real", host):
        raise LedgerError(
            f"run {opened.run_id} is a {' one on '.join(made_on)}, and this command talks to {host}",
            hint="Undo it with the settings, and in the mode, that it was made with.",
        )
    if not run.is_closed:
        raise UsageError(
            f"run {opened.run_id} is not finished, so what it creates is not known yet",
            hint="Let it come to its end first, by the command that began it with all of its options: "
            f"{command_of(opened)}",
        )
    return run


def run_that_creates(ledger: LedgerReader, run_id: str) -> RunState:
    """
    A run that creates; of an undo, the run that it is of.

    Raises:
        UsageError: There is none, or it is of a command that creates nothing.
    """
    run = find_run(ledger, run_id)
    if run.opened.command == UNDO and run.opened.parent_run_id:
        run = find_run(ledger, run.opened.parent_run_id)
    opened = run.opened
    if opened.command != ONBOARD:
        raise UsageError(
            f"run {opened.run_id} is of `batchconnect {opened.command}`, which creates nothing",
            hint="`batchconnect runs` shows the runs.",
        )
    return run
