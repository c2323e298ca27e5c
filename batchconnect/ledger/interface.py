"""
What is asked of a ledger, whatever it is kept in.

Who only looks back (`runs`, `status`, `report`, `plan`) is handed a `LedgerReader`; a run is handed a
`Ledger`. Place, lock and schema are each store's own matter.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from batchconnect.ledger.entry import Line
from batchconnect.ledger.row_state import RowState

BEFORE_ALL: Final = -(1 << 31)
"""No row has this number, or a lower one: a team ledger has four bytes for it."""


class SharedIdError(Exception):
    """
    A row is created, by its answer, with an id that another row has; nothing of the lines is written.

    Args:
        others: The lines by which other rows were created with that id, where they have it still.
    """

    def __init__(self, others: Sequence[Line] = ()) -> None:
        super().__init__("two rows with one id")
        self.others = others


class LaneKey(NamedTuple):
    """Whose lines they are: what shares one limit and one token."""

    host: str
    """Of the platform, in lower case."""
    org_id: str
    client_id: str


class Identities(NamedTuple):
    """What a ledger knows of identities as a whole."""

    open: Sequence[str]
    """As of `LedgerReader.open_markers`."""
    deleted: Sequence[str]
    """As of `LedgerReader.deleted_markers`."""
    has_any: bool
    """As of `LedgerReader.has_markers`."""


class LedgerReader(Protocol):
    """
    Reads lines, and what they say of a row or an identity.

    Every method raises `LedgerError` where the ledger cannot be read, or a line of it is damaged.
    """

    @property
    def name(self) -> str:
        """What people call it, in messages and reports: a file's absolute path, a database's address."""
        ...

    @property
    def is_remote(self) -> bool:
        """Whether an answer may be a round trip away; who must not wait for one asks in a thread."""
        ...

    def runs(self) -> Iterator[tuple[int, Line, list[Line]]]:
        """Every run, newest first: its number, its `RunOpened` line, and its other lines without a row."""
        ...

    def run_lines(self, run: int) -> list[Line]:
        """The lines about a run as a whole, oldest first: opened, resumed, lanes, sweep, ended."""
        ...

    def row_lines(
        self, run: int, rows: Collection[int] | None = None, *, behind: int = BEFORE_ALL
    ) -> Iterator[Line]:
        """
        The lines of a run's rows, row by row in the sheet's order, each row's oldest first.

        Args:
            run: Its number.
            rows: Of these alone; None: of all.
            behind: Of all, those with a higher number.
        """
        ...

    def last_lines(
        self, run: int, rows: Collection[int] | None = None
    ) -> Iterator[tuple[int, int, Line | None]]:
        """
        Where each of a run's rows stands.

        Args:
            run: Its number.
            rows: These alone; None: all.

        Yields:
            Its number, how many intents were written for it, and its last line; None: an outcome that
            stands, of which no more is read.
        """
        ...

    def ends(self, run: int) -> Iterator[str | list[Line]]:
        """
        How each of a run's rows ended, in the sheet's order.

        Yields:
            The name of its outcome's class; or its lines, oldest first, where more than the last decides.
        """
        ...

    def lines_of_row(self, run: int, row: int) -> list[Line]:
        """The lines of one of a run's rows, oldest first."""
        ...

    def states_of(self, markers: Iterable[str]) -> Mapping[str, RowState]:
        """
        What all runs together know of identities; one that was never sent or settled is left out.

        Ask for many at once: a ledger may be a round trip away.
        """
        ...

    def identities(self) -> Identities:
        """What whoever looks back has to know first, asked at once: a ledger may be a round trip away."""
        ...

    def open_markers(self) -> list[str]:
        """Every identity that was sent and never answered, whichever the run."""
        ...

    def deleted_markers(self) -> list[str]:
        """Every identity whose connection was deleted by our hand, or may have been."""
        ...

    def tested_markers(self) -> list[str]:
        """Every identity whose connection was found not to work, at whatever time."""
        ...

    def has_markers(self) -> bool:
        """Whether anything was ever sent, or settled with an identity; in a new ledger, nothing was."""
        ...

    def has_sent(self) -> bool:
        """Whether any intent was ever written: without one, the ledger is new, or was lost."""
        ...


class LedgerWriter(Protocol):
    """
    Adds lines, of one lane or of a run as a whole. None is ever changed or removed.

    Its lines are numbered in their order and without a gap, for nobody else writes them: an append whose
    answer was lost may be repeated, and is written once.
    """

    @property
    def name(self) -> str:
        """What people call it, in messages and reports."""
        ...

    def append(self, lines: Sequence[Line]) -> int:
        """
        Write lines in one transaction; they are durable on return, all of them or none.

        Returns:
            Number of the last line in the whole ledger: what is written after it has a higher one. A
            `RunOpened` line gets its own number as its run.

        Raises:
            LaneLostError: Another process holds the lane by now; nothing of it is written.
            LedgerGoneError: The ledger is no longer the one that was opened; no intent is written.
            LedgerError: The disk is full, or the ledger is away; nothing of it is written.
            SharedIdError: A row is created with the id of another one.
        """
        ...

    def of_lane(self, lane: LaneKey) -> "LedgerWriter":
        """Where the lines of a lane's rows go; the same writer whenever it is asked for."""
        ...


class Ledger(LedgerReader, LedgerWriter, Protocol):
    """What a run is handed: it reads what was, and writes what is. Its own lines are those of whole runs."""
