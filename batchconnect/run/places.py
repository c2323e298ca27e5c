"""Where a run keeps what it writes; what is simulated never mixes with what is real."""

from pathlib import Path

from batchconnect.options import MergedOptions


def home_of(options: MergedOptions) -> Path:
    """Where runs leave their folders."""
    return options.reports / "simulated" if options.simulate else options.reports


def ledger_path_of(options: MergedOptions) -> Path:
    """The ledger, absolute. A simulation has its own, whatever `--ledger` says of the real one."""
    if options.ledger is None or options.simulate:
        return (home_of(options) / "ledger.sqlite3").absolute()
    return options.ledger.absolute()
