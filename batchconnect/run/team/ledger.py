"""
What is done to a team's ledger as a whole: made, looked at, upgraded, filled from a file, written to one.

Rows are nobody's matter here; a run is `engine`'s.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from operator import attrgetter
from pathlib import Path
from typing import Final, Protocol

from batchconnect.ledger.entry import Line, RunOpened
from batchconnect.ledger.health import Health, Made
from batchconnect.ledger.same_story import Story, story_of
from batchconnect.ledger.sqlite.file import locked
from batchconnect.ledger.sqlite.store import SqliteLedger
from batchconnect.model.errors import LedgerError, UsageError
from batchconnect.model.ledger_address import LedgerAddress
from batchconnect.model.value import Value, field
from batchconnect.options import MergedOptions
from batchconnect.run.opening.opened_ledger import with_driver
from batchconnect.run.opening.places import ledger_place

_AT_ONCE: Final = 1_000
"""Lines of one commit."""


class Copied(Value):
    """What was copied, and that both say it."""

    source: str
    goal: str
    story: Story


class Granted(Value):
    """Roles of the server, and what they may do with the ledger."""

    writers: Sequence[str] = field(default_factory=tuple)
    """Run sheets on it."""
    readers: Sequence[str] = field(default_factory=tuple)
    """Look at it."""


def init(options: MergedOptions, granted: Granted) -> Made:
    """
    Make the ledger in its database; where it is there already, only let roles in.

    Raises:
        LedgerError: The server is away or refuses, or the schema is something else's.
        UsageError: No team's ledger is named.
    """
    with with_driver():
        from batchconnect.ledger.postgres import care  # noqa: PLC0415 - with its driver

        return care.init(address_of(options), writers=granted.writers, readers=granted.readers)


def upgrade(options: MergedOptions) -> Made:
    """
    Bring the ledger's schema to that of today; who was let in stays so.

    Raises:
        LedgerError: As of `init`, or there is none.
        UsageError: No team's ledger is named.
    """
    with with_driver():
        from batchconnect.ledger.postgres import care  # noqa: PLC0415 - with its driver

        return care.upgrade(address_of(options))


def check(options: MergedOptions) -> Health:
    """
    Look whether a run could use it, and whether its server keeps what it confirms.

    Raises:
        LedgerError: It could not; why, and what to do.
        UsageError: No team's ledger is named.
    """
    with with_driver():
        from batchconnect.ledger.postgres import care  # noqa: PLC0415 - with its driver

        return care.check(address_of(options), simulated=options.simulate)


def export_to(options: MergedOptions, path: Path) -> Copied:
    """
    Write a team's ledger as a file, in the order in which its lines were written.

    Raises:
        LedgerError: It cannot be read, the file is there already, or cannot be written.
        UsageError: No team's ledger is named.
    """
    address = address_of(options)
    if path.exists() or path.is_symlink():
        raise LedgerError(f"{path} is there already", hint="Name a new file.")
    with with_driver():
        from batchconnect.ledger.postgres.store import PostgresLedger  # noqa: PLC0415

        with PostgresLedger(address, read_only=True, any_mode=True) as source:
            host, simulated = source.belongs_to
            with SqliteLedger(path, host=host, simulated=simulated) as goal:
                story = _copy(source, goal)
    return Copied(source=str(address), goal=str(path), story=story)


def import_from(options: MergedOptions, path: Path) -> Copied:
    """
    Write the lines of a file into a team's ledger that has none yet.

    Raises:
        LedgerError: The file cannot be read or is in use, or the ledger has lines.
        UsageError: No team's ledger is named.
    """
    address = address_of(options)
    with with_driver():
        from batchconnect.ledger.postgres.store import PostgresLedger  # noqa: PLC0415

        with (
            locked(path.absolute(), about={"command": "ledger import"}),
            SqliteLedger(path, read_only=True, any_mode=True) as source,
        ):
            host, simulated = source.belongs_to
            if simulated:
                raise LedgerError(
                    f"{path} is the ledger of simulated runs: a team's is for real ones",
                    hint="A simulation keeps its own file, whatever --ledger says.",
                )
            with PostgresLedger(address, host=host) as goal:
                if next(goal.runs(), None) is not None:
                    raise LedgerError(
                        f"the ledger {goal.name} has runs already",
                        hint="Lines are taken over into a new one: name another database.",
                    )
                story = _copy(source, goal)
    return Copied(source=str(path), goal=str(address), story=story)


def address_of(options: MergedOptions) -> LedgerAddress:
    """
    The team's ledger that the options name.

    Raises:
        UsageError: They name none.
    """
    place = ledger_place(options)
    if isinstance(place, LedgerAddress):
        return place
    raise UsageError(
        f"the ledger is a file, {place}: this command is for a team's",
        hint="Name it with --ledger postgresql://USER@HOST/DATABASE, or BATCHCONNECT_LEDGER.",
    )


class _Copyable(Protocol):
    """A ledger that is read as a whole, or taken over into."""

    @property
    def name(self) -> str: ...

    def lines(self) -> Iterator[Line]: ...

    def take_over(self, lines: Sequence[Line]) -> int: ...


def _copy(source: _Copyable, goal: _Copyable) -> Story:
    """Every line, in its order; numbers of runs become those that the goal gives."""
    numbers: dict[int, int] = {}
    for of_run in _groups(source.lines()):
        first = of_run[0]
        if isinstance(first.entry, RunOpened):
            numbers[first.run] = goal.take_over([first])
            of_run = of_run[1:]  # noqa: PLW2901 - the rest of them
        if of_run:
            goal.take_over([line._replace(run=numbers.get(line.run, line.run)) for line in of_run])
    told, copied = story_of(source.lines()), story_of(goal.lines())
    if told != copied:
        raise LedgerError(
            f"the ledgers {source.name} and {goal.name} do not say the same: {told.lines} lines, and "
            f"{copied.lines}",
            hint="Something wrote to one of them meanwhile. Begin again with a new one.",
        )
    return told


def _groups(lines: Iterator[Line]) -> Iterator[list[Line]]:
    """Lines that go in together: of one run, a run's first line first."""
    for _, of_run in groupby(lines, attrgetter("run")):
        while part := list(islice(of_run, _AT_ONCE)):
            yield part
