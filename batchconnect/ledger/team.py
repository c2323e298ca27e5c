"""
What a team's ledger is asked besides: who holds which lane, and who is at work.

A lane belongs to one process at a time, over all runs. So does what a run says of itself as a whole, and the
right to open one. Ages come from the server's clock, and are for people; whether a lease is over is told by
`ledger.lease` alone.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from batchconnect.ledger.entry import Line
from batchconnect.ledger.interface import LaneKey, Ledger, LedgerReader
from batchconnect.ledger.lease import Lease, Sighting, Terms
from batchconnect.model.value import Value


class Holding(Value):
    """What may be held: a lane of an org, or what one run says as a whole, or the right to open runs."""

    key: LaneKey | None = None
    """Of a lane."""
    run_id: str = ""
    """Of a run as a whole; `OPENING` is the right to open one."""

    def is_one_right_with(self, other: "Holding") -> bool:
        """
        Whether only one process at a time may have both.

        Lanes of two clients of one org are: their rows have the same markers.
        """
        if self.key is None or other.key is None:
            return self == other
        return (self.key.host, self.key.org_id) == (other.key.host, other.key.org_id)


OPENING = Holding(run_id="opening")
"""Whoever looks for an open run, and begins a new one where there is none, holds it meanwhile."""


class LaneRow(Value):
    """A lane as the ledger has it now."""

    lane: int
    holding: Holding
    sighting: Sighting
    holder: str
    """Who holds it, "" where nobody does."""
    terms: Terms
    """Its holder's."""
    run: int | None
    """For which run it was taken last."""
    held_s: float
    """Seconds since it was taken, or handed back."""
    silent_s: float
    """Seconds since its lease was renewed last."""
    waits_s: float
    """Seconds for which nobody may take it, after it failed; 0: it may be taken."""
    failures: int
    """How often in a row it failed as soon as it was taken."""


class WorkerRow(Value):
    """A process that is at work on a run, or would be."""

    name: str
    run: int
    wants: bool
    """Whether it holds fewer lanes than it could work."""
    silent_s: float
    terms: Terms
    pins: frozenset[int] | None = None
    """Numbers of the lanes that it takes and nobody else should, once it can work them; None: it takes any."""

    @property
    def is_alive(self) -> bool:
        """Whether it was heard of within the time of a lease; for shares and for people, never for a lease."""
        return self.silent_s < self.terms.take_after_s


class Company(NamedTuple):
    """Who works beside whom, as one look shows it."""

    lanes: Sequence[LaneRow]
    """As of `LaneReader.lanes`."""
    workers: Sequence[WorkerRow]
    """As of `LaneReader.workers`."""


class LaneReader(Protocol):
    """Looks at who holds what."""

    def lanes(self, run_id: str = "") -> Sequence[LaneRow]:
        """Every lane, the right to open runs, and what this run says as a whole."""
        ...

    def workers(self) -> Sequence[WorkerRow]:
        """Every process that said that it is at work, and not that it left."""
        ...

    def company(self, run_id: str) -> Company:
        """Both, asked at once: a ledger may be a round trip away."""
        ...


class Leases(LaneReader, Protocol):
    """Takes, renews and hands back. Each method raises `LedgerError` where the ledger is away."""

    @property
    def name(self) -> str:
        """What this process is called in the ledger, its own among all."""
        ...

    def make(self, keys: Collection[LaneKey]) -> None:
        """Have lanes in the ledger, so that they are seen before anybody takes them."""
        ...

    def take(
        self, holding: Holding, *, over: Collection[LaneRow], terms: Terms, run: int | None
    ) -> tuple[int, int] | None:
        """
        Take what is free, or what its holder was seen to hold no more.

        A lane of another client of the same org is the same right: both create the same rows.

        Args:
            holding: What is to be taken.
            over: Rows whose lease is over, as they were seen; one that was renewed since is not taken.
            terms: For how long.
            run: For which run.

        Returns:
            Its number and epoch; None: somebody holds it, or it is left alone for a while.
        """
        ...

    def renew(self, leases: Collection[Lease]) -> Collection[int]:
        """Renew what this process holds; returns the numbers of the lanes that it still does."""
        ...

    def hand_back(self, lease: Lease, *, back_off_s: float | None = None) -> None:
        """
        Let go of what is held; nothing can be written under it any more.

        Args:
            lease: What was held.
            back_off_s: It failed: for so long nobody is to take it, by the server's clock.
        """
        ...

    def release(self, lane: int) -> None:
        """Take a lane from whoever holds it, whatever the holder does: for a person who knows better."""
        ...

    def here(
        self, run: int, *, wants: bool, terms: Terms, pins: Collection[int] | None = None
    ) -> None:
        """Say that this process is at work on a run; as of `WorkerRow`."""
        ...

    def arrive(
        self, run: int, *, wants: bool, terms: Terms, pins: Collection[int] | None = None
    ) -> Mapping[int, int]:
        """As `here`, and at once: the number of each lane's last line, 0 where it has none."""
        ...

    def leave(self, leases: Collection[Lease]) -> None:
        """Hand all of these back, and say that this process is at work no more; all of it at once."""
        ...


class TeamReader(LedgerReader, Protocol):
    """A team's ledger, for looking back."""

    @property
    def held(self) -> LaneReader:
        """Who holds what."""
        ...

    def steps(self, run: int) -> Sequence[Line]:
        """The lines of a run that `run_lanes` folds, oldest first."""
        ...

    def settled_behind(
        self, run: int, behind: Mapping[int, int]
    ) -> Mapping[int, tuple[int, Sequence[int]]]:
        """
        Which rows of a run were settled since, at the cost of what is new.

        Args:
            run: Its number.
            behind: By lane: the number of a line.

        Returns:
            By lane that has lines behind that: the number of the last one, and the rows that they settle.
        """
        ...


class TeamLedger(Ledger, TeamReader, Protocol):
    """A team's ledger, as a run is handed it: it writes the lines of what it holds, and no others."""

    @property
    def leases(self) -> Leases:
        """What it holds, on connections of their own."""
        ...
