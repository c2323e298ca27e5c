"""
Where a command's ledger is, and how it is opened.

The one room that knows what the ledger is kept in; everybody else is handed what `ledger.interface` says.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from batchconnect.ledger import Ledger, LedgerReader
from batchconnect.ledger.sqlite.file import held_by, locked, place_warning
from batchconnect.ledger.sqlite.store import MEMORY, SqliteLedger
from batchconnect.ledger.team import TeamLedger, TeamReader
from batchconnect.model.errors import LedgerError, UsageError
from batchconnect.model.ledger_address import LedgerAddress
from batchconnect.model.value import replace
from batchconnect.options import MergedOptions
from batchconnect.run.opening.places import ledger_place

if TYPE_CHECKING:
    from batchconnect.ledger.postgres.store import PostgresLedger


@contextmanager
def opened_ledger(
    options: MergedOptions, host: str, *, about: dict[str, str], in_memory: bool = False
) -> Iterator[Ledger]:
    """
    The ledger, for one run. A file is locked, and one of an earlier version brought to the form of today.

    Args:
        options: Where it is, and whether it belongs to the simulator.
        host: Platform host whose connections it accounts for.
        about: Who holds it, for the message that a second process gets.
        in_memory: Keep it nowhere: it ends with the process.

    Raises:
        LedgerError: It is in use or unusable.
        UsageError: It is a team's, and what is needed for that is not installed.
    """
    place = ledger_place(options)
    with ExitStack() as stack:
        if in_memory:
            ledger: Ledger = stack.enter_context(
                SqliteLedger(MEMORY, host=host, simulated=options.simulate)
            )
        elif isinstance(place, LedgerAddress):
            ledger = stack.enter_context(
                _team_ledger()(place, host=host, simulated=options.simulate, leased=True)
            )
        else:
            lock = stack.enter_context(locked(place, about=about))
            ledger = stack.enter_context(
                SqliteLedger(place, host=host, simulated=options.simulate, lock=lock)
            )
        yield ledger


def as_team(ledger: Ledger) -> TeamLedger | None:
    """A ledger that a team shares; None: it is one process's own."""
    return cast("TeamLedger", ledger) if hasattr(ledger, "leases") else None


@contextmanager
def read_ledger(options: MergedOptions) -> Iterator[LedgerReader]:
    """
    The ledger, for looking back: needs no lock, changes nothing, and a run may be at work on it.

    Raises:
        LedgerError: There is none, or it is unusable.
        UsageError: It is a team's, and what is needed for that is not installed.
    """
    place = ledger_place(options)
    if isinstance(place, LedgerAddress):
        with _team_ledger()(place, simulated=options.simulate, read_only=True) as team:
            yield team
    else:
        with SqliteLedger(place, simulated=options.simulate, read_only=True) as ledger:
            yield ledger


@contextmanager
def read_team(options: MergedOptions) -> Iterator[TeamReader]:
    """
    As `read_ledger`, of a ledger that is a team's.

    Raises:
        LedgerError: There is none, or it is unusable.
    """
    with read_ledger(options) as ledger:
        yield cast("TeamReader", ledger)


def team_reader(ledger: LedgerReader) -> TeamReader | None:
    """A ledger that a team shares, for looking back; None: it is one process's own."""
    return cast("TeamReader", ledger) if hasattr(ledger, "held") else None


def release_lane(options: MergedOptions, lane: int) -> None:
    """
    Take a lane of a team ledger from whoever holds it.

    Raises:
        LedgerError: The ledger is away, or the role may only read.
    """
    place = ledger_place(options)
    assert isinstance(place, LedgerAddress)
    with _team_ledger()(place, simulated=options.simulate, leased=True) as team:
        team.leases.release(lane)


@contextmanager
def ledger_of(options: MergedOptions) -> Iterator[LedgerReader]:
    """
    As `read_ledger`, where there has to be one: what to do without it is told.

    Raises:
        LedgerError: There is none, or it is unusable.
    """
    if not is_there(options):
        raise LedgerError(
            f"there is no ledger at {ledger_place(options)}", hint=where_else(options)
        )
    with read_ledger(options) as ledger:
        yield ledger


def where_else(options: MergedOptions) -> str:
    """Where runs are to be had, when there is no ledger."""
    if not options.simulate and is_there(replace(options, simulate=True)):
        return "There are simulated runs: add --simulate. A real run makes a ledger of its own."
    return "A run makes it. One that lies elsewhere: --ledger FILE, or --reports DIR."


def is_there(options: MergedOptions) -> bool:
    """Whether a run has made the ledger; a team's is there, or is missed with a reason when it is opened."""
    place = ledger_place(options)
    return isinstance(place, LedgerAddress) or place.exists()


def is_shared(options: MergedOptions) -> bool:
    """Whether the ledger is a team's."""
    return isinstance(ledger_place(options), LedgerAddress)


def is_in_use(options: MergedOptions) -> bool:
    """Whether a process is at work on the ledger now."""
    return used_by(options) is not None


def used_by(options: MergedOptions) -> Mapping[str, object] | None:
    """Which process is at work on the ledger now, as `opened_ledger` was told about it; None: none is."""
    place = ledger_place(options)
    return held_by(place) if isinstance(place, Path) else None


def try_lock(path: Path) -> None:
    """
    Lock a file as a ledger's is, and give it free again: some volumes have no locks.

    Raises:
        LedgerError: It cannot be locked.
    """
    with locked(path, about={"command": "doctor"}):
        pass


def warning_of_place(options: MergedOptions) -> str | None:
    """Why the ledger lies in a bad place, if it does."""
    place = ledger_place(options)
    return place_warning(place) if isinstance(place, Path) else None


def _team_ledger() -> "type[PostgresLedger]":
    with with_driver():
        # Late: who has no team ledger need not have its driver.
        from batchconnect.ledger.postgres.store import PostgresLedger  # noqa: PLC0415 - see above

        return PostgresLedger


@contextmanager
def with_driver() -> Iterator[None]:
    """Import what needs PostgreSQL's driver; where that is missing, say what to install."""
    try:
        yield
    except ImportError as error:
        raise UsageError(
            f"a ledger on PostgreSQL needs a package that is not installed: {error}",
            hint="pip install 'batchconnect[postgres]'",
        ) from None
