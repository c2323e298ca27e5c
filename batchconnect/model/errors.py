"""
What ends a command, each with its exit code.

One failing row is an `Outcome`; an exception means that further rows are pointless.

    BatchConnectError            1   unexpected
    ├── InterruptedEarlyError  130   asked to end before anything was begun
    ├── ListenerError            1   from Python: who listens to a run raised an error of its own
    ├── UnfinishedError          of its result: what `raise_for_failures` raises
    ├── UsageError               2   an option that cannot be meant
    ├── SettingsError            2   settings, environment, references
    ├── SheetError               3   the sheet as a whole cannot be used
    ├── PlanChangedError         3   a run would not do what its approved plan says
    ├── UnreachedError           7   what stands there could not be read, so that no approved plan is held against it
    └── LedgerError              5   unusable: corrupt, newer, foreign, read-only, full
        ├── LedgerInUseError     5   another run holds it
        ├── LedgerGoneError      5   it, or its lock, was taken away in mid-run
        └── LaneLostError        5   another process holds the lane by now
"""

from collections.abc import Sequence
from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of every command; the README repeats this table."""

    OK = 0
    """Every row has its connection."""
    UNEXPECTED = 1
    """An error that nobody foresaw."""
    USAGE = 2
    """Usage or settings."""
    SHEET = 3
    """The sheet is unusable or has rejected rows; nothing was sent."""
    UNFINISHED = 4
    """Finished; some rows have no connection."""
    LEDGER = 5
    """The ledger is in use, unusable or taken away, or somebody else is creating the same rows."""
    IN_DOUBT = 6
    """Finished; some rows are in doubt, or the sweep found duplicates or gaps."""
    STOPPED = 7
    """Every lane refused, or asked to stay away for longer than the patience, or `--max-failures` was reached."""
    AS_ASKED = 8
    """Stopped as asked by `--max-rows`."""
    INTERRUPTED = 130
    """Ctrl-C."""
    TERMINATED = 143
    """SIGTERM or SIGHUP."""


class BatchConnectError(Exception):
    """
    The root of the tree above.

    Args:
        message: What is wrong, and where.
        hint: What to do next; shown on a line of its own.
    """

    exit_code = ExitCode.UNEXPECTED

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InterruptedEarlyError(BatchConnectError):
    """The command was asked to end before it had begun anything."""

    exit_code = ExitCode.INTERRUPTED


class UsageError(BatchConnectError):
    """An option, or a combination of options, that cannot be meant."""

    exit_code = ExitCode.USAGE


class SettingsError(BatchConnectError):
    """A setting is missing or wrong; the message names the setting, the file and the variable."""

    exit_code = ExitCode.USAGE


class SheetError(BatchConnectError):
    """The sheet as a whole cannot be used; the message names file, tab, line and column."""

    exit_code = ExitCode.SHEET


class PlanChangedError(BatchConnectError):
    """
    A run would not do what its approved plan says; nothing was sent.

    Args:
        changes: What is different now, a sentence for each row or setting.
    """

    exit_code = ExitCode.SHEET

    def __init__(self, changes: Sequence[str]) -> None:
        count = "1 change" if len(changes) == 1 else f"{len(changes)} changes"
        super().__init__(
            f"not as planned: {count}; nothing was sent",
            hint="Plan again, and have that approved: batchconnect plan SHEET --out FILE",
        )
        self.changes = tuple(changes)


class UnreachedError(BatchConnectError):
    """Nobody could be asked what stands there; nothing was sent."""

    exit_code = ExitCode.STOPPED


class LedgerError(BatchConnectError):
    """The ledger cannot be used; it is never repaired or replaced by us."""

    exit_code = ExitCode.LEDGER


class LedgerInUseError(LedgerError):
    """Another process holds the ledger's lock."""


class LedgerGoneError(LedgerError):
    """The ledger or its lock was removed, moved or replaced: another command may hold another one by now."""


class LaneLostError(LedgerError):
    """Another process took the lane over: whatever this one still has to say of it, it may not write."""


class ListenerError(BatchConnectError):
    """
    Who was handed in to hear of a run raised an error: its `__cause__` is that error.

    The run was ended in good order.
    """


class UnfinishedError(BatchConnectError):
    """
    A call from Python came to its end, and not everything is as it was asked for.

    Args:
        message: What is left.
        hint: Where that is told.
        exit_code: As the command line would have ended.
    """

    def __init__(self, message: str, *, hint: str | None, exit_code: int) -> None:
        super().__init__(message, hint=hint)
        self.exit_code = ExitCode(exit_code)
