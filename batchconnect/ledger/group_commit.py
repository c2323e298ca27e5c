"""
Many rows wait for the disk together: while one commit is on its way, the next group gathers.

A durable commit costs milliseconds whatever its size, so 50 rows in flight cost as much as one.
"""

from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Final, NamedTuple, Protocol, Self

import anyio
from anyio.abc import TaskGroup

from batchconnect.ledger.entry import Line
from batchconnect.ledger.interface import LaneKey, Ledger, LedgerWriter
from batchconnect.model.errors import LedgerError, LedgerGoneError

GATHER_S: Final = 0.003
"""Seconds; less than any answer of the service takes."""


class Append(Protocol):
    """How lines become durable: `GroupCommit` in a run, `InPlace` in tests under virtual time."""

    async def append(self, lines: Sequence[Line]) -> None:
        """
        Return when the lines are durable.

        Raises:
            LedgerError: They are not, none of them.
        """
        ...

    def of_lane(self, lane: LaneKey) -> "Append":  # noqa: ARG002 - whoever has one place for all has this
        """How a lane's own lines become durable: no lane waits for another one's commit."""
        return self


class InPlace:
    """Writes at once, in the caller's own thread: virtual clocks outrun threads."""

    def __init__(self, ledger: LedgerWriter) -> None:
        self._ledger = ledger

    async def append(self, lines: Sequence[Line]) -> None:
        """Write the lines."""
        self._ledger.append(lines)

    def of_lane(self, lane: LaneKey) -> "InPlace":
        """Where a lane's lines go."""
        return InPlace(self._ledger.of_lane(lane))


class _Group:
    """The lines of all who wait for the same commit."""

    def __init__(self) -> None:
        self.parts: list[Sequence[Line]] = []
        """What each of them handed in."""
        self.errors: dict[int, Exception] = {}
        """Why a part is not durable, by its place."""
        self.done = anyio.Event()


class GroupCommit:
    """
    Writes in a thread, one transaction for all that gathered since the last one, and one of each lane.

    Args:
        ledger: Where to.
        gather_s: Seconds for which a group may gather, where the one before was of several rows: on a
            quick disk a commit is over before many have come, and each costs a hop to the thread. (As
            PostgreSQL's `commit_delay` and `commit_siblings`.)
        sleep: Waits for so many seconds.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        gather_s: float = GATHER_S,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._ledger = ledger
        self._gathering = _Gathering(gather_s, sleep, ends_early=ledger.is_remote)
        self._groups: dict[int, _Groups] = {}
        """By the identity of who writes: several lanes may have one writer."""
        self._tasks: TaskGroup | None = None
        self._own = self._groups_of(ledger)

    @property
    def waiting(self) -> int:
        """How many wait for the next commit."""
        return sum(groups.waiting for groups in self._groups.values())

    async def __aenter__(self) -> Self:
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        for groups in self._groups.values():
            self._tasks.start_soon(groups.write)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        assert self._tasks is not None
        for groups in self._groups.values():
            groups.close()
        return await self._tasks.__aexit__(kind, error, trace)

    async def append(self, lines: Sequence[Line]) -> None:
        """Wait until the lines are durable."""
        await self._own.append(lines)

    def of_lane(self, lane: LaneKey) -> Append:
        """The groups of a lane's own lines."""
        return self._groups_of(self._ledger.of_lane(lane))

    def _groups_of(self, writer: LedgerWriter) -> "_Groups":
        if id(writer) not in self._groups:
            groups = self._groups[id(writer)] = _Groups(writer, self._gathering)
            if self._tasks is not None:
                self._tasks.start_soon(groups.write)
        return self._groups[id(writer)]


class _Gathering(NamedTuple):
    """For how long a group may gather."""

    seconds: float
    sleep: Callable[[float], Awaitable[None]]
    ends_early: bool
    """Whether as many as came the last time are enough: a server's commit takes longer than a disk's, and what
    it adds to that is waited for by every row in flight."""


class _Groups:
    """The groups of one writer, one after the other."""

    def __init__(self, ledger: LedgerWriter, gathering: _Gathering) -> None:
        self._ledger = ledger
        self._gathering = gathering
        self._group = _Group()
        self._wake = anyio.Event()
        self._usual = 0
        """How many the last group was of."""
        self._enough = anyio.Event()
        """Set when as many wait again."""
        self._closing = False

    @property
    def waiting(self) -> int:
        """How many wait for the next commit."""
        return len(self._group.parts)

    def close(self) -> None:
        """Take no more; what was handed in is written."""
        self._closing = True
        self._enough.set()
        self._wake.set()

    def of_lane(self, lane: LaneKey) -> Append:  # noqa: ARG002 - it is one lane's already
        """These are its own."""
        return self

    async def append(self, lines: Sequence[Line]) -> None:
        """Wait until the lines are durable."""
        if self._closing:
            raise LedgerError(f"the ledger {self._ledger.name} is closed already")
        group = self._group
        place = len(group.parts)
        group.parts.append(lines)
        if place == 0:
            self._wake.set()
        if place + 1 == self._usual:
            self._enough.set()
        await group.done.wait()
        if (error := group.errors.get(place)) is not None:
            raise error

    async def write(self) -> None:
        """Write group after group, until nothing more can come."""
        # Shielded: whoever is cancelled while waiting, what was handed in is written.
        with anyio.CancelScope(shield=True):
            while not (self._closing and not self.waiting):
                await self._wake.wait()
                self._wake = anyio.Event()
                if self.waiting:
                    group, self._group = self._group, _Group()
                    await self._write_group(group)
                    if len(group.parts) > 1 and not self._closing:
                        await self._gather(len(group.parts))

    async def _gather(self, usual: int) -> None:
        gathering = self._gathering
        if not gathering.ends_early:
            await gathering.sleep(gathering.seconds)
            return
        self._usual, self._enough = usual, anyio.Event()
        with anyio.move_on_after(gathering.seconds):
            if self.waiting < usual:
                await self._enough.wait()

    async def _write_group(self, group: _Group) -> None:
        try:
            await self._commit([line for part in group.parts for line in part])
        except LedgerGoneError:
            await self._write_apart(group)  # an intent is refused; an answer is kept all the same
        except LedgerError as error:
            group.errors = dict.fromkeys(range(len(group.parts)), error)
        except Exception:  # noqa: BLE001 - a line that cannot be written is one row's matter
            await self._write_apart(group)
        group.done.set()

    async def _write_apart(self, group: _Group) -> None:
        for place, part in enumerate(group.parts):
            try:
                await self._commit(part)
            except Exception as error:  # noqa: BLE001 - told to whom it belongs
                group.errors[place] = error

    async def _commit(self, lines: Sequence[Line]) -> None:
        await anyio.to_thread.run_sync(self._ledger.append, lines)
