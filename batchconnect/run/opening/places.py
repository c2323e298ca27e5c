"""Where a run keeps what it writes; what is simulated never mixes with what is real."""

from collections.abc import Iterator
from pathlib import Path

from batchconnect.model.errors import UsageError
from batchconnect.model.ledger_address import LedgerAddress
from batchconnect.options import MergedOptions


def home_of(options: MergedOptions) -> Path:
    """Where runs leave their folders."""
    return options.reports / "simulated" if options.simulate else options.reports


def ledger_place(options: MergedOptions) -> Path | LedgerAddress:
    """
    The ledger: a file, absolute, or a team's database; its text is for people, and tells no password.

    A simulation has its own file, whatever `--ledger` says of the real one.
    """
    if options.ledger is None or options.simulate:
        return (home_of(options) / "ledger.sqlite3").absolute()
    return (
        options.ledger if isinstance(options.ledger, LedgerAddress) else options.ledger.absolute()
    )


def try_places(options: MergedOptions) -> Iterator[str]:
    """
    Try the folders of reports and ledger before anything is sent: what cannot be written is known now.

    Yields:
        Warnings, each folder's once.

    Raises:
        UsageError: A report could not be written.
    """
    # Late: the reports are many modules, and a command that only reads a sheet writes none.
    from batchconnect.reports.write import try_folder  # noqa: PLC0415 - see above

    home = home_of(options).absolute()
    ledger = ledger_place(options)
    beside = [ledger.parent] if isinstance(ledger, Path) else []
    for folder in dict.fromkeys((home, *beside)):
        try:
            warning = try_folder(folder)
        except OSError as error:
            # Whether the ledger can be written is told where it is opened.
            if folder == home:
                raise UsageError(
                    f"no report could be written to {folder}: {error.strerror or error}; nothing was sent",
                    hint="Name a folder that you may write, with --reports.",
                ) from None
        else:
            if warning is not None:
                yield warning
