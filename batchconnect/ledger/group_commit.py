"""
Many rows wait for the disk together: while one commit is on its way, the next group gathers.

A durable commit costs milliseconds whatever its size, so 50 rows in flight cost as much as one.
"""

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

import anyio
from anyio.abc import TaskGroup

from batchconnect.errors import LedgerError
from batchconnect.ledger.entry import Line
from batchconnect.ledger.store import Ledger


class Append(Protocol):
    """How lines become durable: `GroupCommit` in a run, `InPlace` in tests under virtual time."""

    async def append(self, lines: Sequence[Line]) -> None:
        """
        Return when the lines are durable.

        Raises:
            LedgerError: They are not, none of them.
        """
        ...


class InPlace:
    """Writes at once, in the caller's own thread: virtual clocks outrun threads."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def append(self, lines: Sequence[Line]) -> None:
        """Write the lines."""
        self._ledger.append(lines)


class _Waiter:
    __slots__ = ("done", "error", "lines")

    def __init__(self, lines: Sequence[Line]) -> None:
        self.lines = lines
        self.done = anyio.Event()
        self.error: Exception | None = None


class GroupCommit:
    """Writes in a thread, one transaction for all that gathered since the last one."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting: list[_Waiter] = []
        self._wake = anyio.Event()
        self._closing = False
        self._tasks: TaskGroup | None = None

    async def __aenter__(self) -> Self:
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._write_groups)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        assert self._tasks is not None
        self._closing = True
        self._wake.set()
        return await self._tasks.__aexit__(kind, error, trace)

    async def append(self, lines: Sequence[Line]) -> None:
        """Wait until the lines are durable."""
        if self._closing:
            raise LedgerError(f"the ledger {self._ledger.path} is closed already")
        waiter = _Waiter(lines)
        self._waiting.append(waiter)
        self._wake.set()
        await waiter.done.wait()
        if waiter.error is not None:
            raise waiter.error

    async def _write_groups(self) -> None:
        # Shielded: whoever is cancelled while waiting, what was handed in is written.
        with anyio.CancelScope(shield=True):
            while not (self._closing and not self._waiting):
                await self._wake.wait()
                self._wake = anyio.Event()
                if self._waiting:
                    group, self._waiting = self._waiting, []
                    await self._write(group)

    async def _write(self, group: list[_Waiter]) -> None:
        lines = [line for waiter in group for line in waiter.lines]
        failed: Exception | None = None
        try:
            await anyio.to_thread.run_sync(self._ledger.append, lines)
        except LedgerError as error:
            failed = error
        except Exception as error:  # noqa: BLE001 - a line that cannot be written is one row's matter
            failed = error
            if len(group) > 1:
                for waiter in group:
                    await self._write([waiter])
                return
        for waiter in group:
            waiter.error = failed
            waiter.done.set()
