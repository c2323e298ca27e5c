"""Which run of a ledger is at work now: the one rule of `runs`, `status` and `report`."""

from collections.abc import Callable, Mapping

from batchconnect.ledger import LedgerReader
from batchconnect.ledger.run_state import RunState
from batchconnect.options import MergedOptions
from batchconnect.run.history.history import run_states
from batchconnect.run.opening.opened_ledger import team_reader, used_by


def live_runs(ledger: LedgerReader, options: MergedOptions) -> Callable[[RunState], bool]:
    """
    Whether a run is at work now; ask before the run is read, so that one that ends meanwhile has ended.

    A team's ledger tells who works on what. A file has one process, which tells its command, and not its run:
    each opens its run, or says that it resumes it, so of the runs without an end it is the one written to last.
    A run that crashed has no end either.

    Args:
        ledger: Where the runs stand.
        options: Where that is.
    """
    team = team_reader(ledger)
    if team is not None:
        worked = {one.run for one in team.held.workers() if one.is_alive}
    else:
        # Asked first: who lets go now has written the end of its run.
        user = used_by(options)
        without_end = [
            state
            for state in (run_states(ledger) if user is not None else ())
            if state.ended is None and _may_be_of(state, user or {})
        ]
        newest = max(without_end, key=lambda state: (state.last_at_ms, state.number), default=None)
        worked = set() if newest is None else {newest.number}
    return lambda state: state.number in worked and not state.is_closed


def _may_be_of(state: RunState, user: Mapping[str, object]) -> bool:
    """Whether a run may be the one of the process that has the ledger: some commands open none."""
    command = user.get("command")
    return command is None or command == state.opened.command
