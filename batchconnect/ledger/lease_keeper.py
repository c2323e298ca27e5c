"""
Keeps what this process holds: renewed in a thread of its own, let go in the loop before its time is over.

The thread renews only if the loop has had its turn since: a process whose loop hangs must not hold its lanes
for ever. The loop lets go of what was not renewed in time, before the kernel's timer would end the process;
so the timer strikes only where the loop did not get to run at all.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from types import TracebackType
from typing import Final, Self

import anyio
from anyio.abc import TaskGroup

from batchconnect.ledger.lease import Lease, Terms, Watch
from batchconnect.ledger.team import Company, Holding, LaneRow, Leases
from batchconnect.model.errors import LedgerError

_HAND_BACK_S: Final = 5.0
"""How long the ledger may take to be told that a process leaves; then its leases end by themselves."""
_TICKS: Final = 2
"""Turns of the loop's own between two renewals."""

Arm = Callable[[float | None], None]
"""Have the kernel end this process in so many seconds; None: not at all."""


def leaving() -> anyio.CancelScope:
    """What is handed back in here is told to the ledger whoever cancels, and for a short time only."""
    return anyio.move_on_after(_HAND_BACK_S, shield=True)


class LeaseKeeper:
    """
    Takes, renews and lets go.

    Args:
        leases: The ledger's part.
        terms: How long a lease runs.
        boot_s: The clock that counts on while the machine sleeps, in seconds.
        arm: The kernel's timer; a library has none.
    """

    def __init__(
        self,
        leases: Leases,
        *,
        terms: Terms,
        boot_s: Callable[[], float],
        arm: Arm = lambda _seconds: None,
    ) -> None:
        self.terms = terms
        self._leases = leases
        self._boot_s = boot_s
        self._arm = arm
        self._watch = Watch()
        self._held: dict[int, tuple[Lease, Callable[[], None]]] = {}
        self._has_ticked = True
        self._closing = threading.Event()
        self._changed = anyio.Event()
        self._thread: threading.Thread | None = None
        self._tasks: TaskGroup | None = None

    async def __aenter__(self) -> Self:
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._tick)
        self._thread = threading.Thread(target=self._renew_now_and_then, name="leases", daemon=True)
        self._thread.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        assert self._tasks is not None
        self._closing.set()
        for lease, _on_lost in self._held.values():
            lease.end()
        self._arm(None)
        self._tasks.cancel_scope.cancel()
        return await self._tasks.__aexit__(kind, error, trace)

    def may_send(self, lease: Lease) -> bool:
        """Whether what changes anything may leave under a lease now: asked directly before the socket."""
        return lease.may_send(self._boot_s())

    async def look(self, run_id: str = "") -> list[LaneRow]:
        """Every lane as it is now, and this run; what is seen here is what a lease ends by."""
        rows = await anyio.to_thread.run_sync(self._leases.lanes, run_id, abandon_on_cancel=True)
        return self._seen(rows)

    async def look_around(self, run_id: str) -> Company:
        """As `look`, with all who are at work."""
        told = await anyio.to_thread.run_sync(self._leases.company, run_id, abandon_on_cancel=True)
        return Company(lanes=self._seen(told.lanes), workers=told.workers)

    def _seen(self, rows: Sequence[LaneRow]) -> list[LaneRow]:
        now_s = self._boot_s()
        for row in rows:
            if row.holder in {"", self._leases.name}:
                self._watch.forget(row.lane)
            else:
                self._watch.see(row.lane, row.sighting, now_s=now_s)
        return list(rows)

    async def take(
        self,
        holding: Holding,
        rows: Sequence[LaneRow],
        *,
        run: int | None,
        on_lost: Callable[[], None] = lambda: None,
    ) -> Lease | None:
        """
        Take it, if it is free or its lease is over by what `look` saw.

        Args:
            holding: What is to be held.
            rows: As `look` saw them last; none: it is taken only where nobody holds it.
            run: For which run.
            on_lost: Told, in the loop, when it is no longer ours; nothing leaves under it by then.
        """
        asked_s = self._boot_s()
        over = [row for row in rows if self.is_over(row)]

        def ask() -> tuple[int, int] | None:
            return self._leases.take(holding, over=over, terms=self.terms, run=run)

        taken = await anyio.to_thread.run_sync(ask)
        if taken is None:
            return None
        lane, epoch = taken
        lease = Lease(lane=lane, epoch=epoch, terms=self.terms, asked_s=asked_s)
        self._watch.forget(lane)
        if not self.may_send(lease):
            # The server was away for so long: what it gave is over, and is asked for anew.
            await self.hand_back(lease)
            return None
        self._held[lane] = (lease, on_lost)
        self._rearm()
        self._changed.set()
        return lease

    def is_over(self, row: LaneRow) -> bool:
        """Whether somebody else held what `look` saw last, and does no more for sure."""
        is_anothers = row.holder not in {"", self._leases.name}
        return is_anothers and self._watch.is_over(
            row.lane, row.sighting, row.terms, now_s=self._boot_s()
        )

    async def hand_back(self, lease: Lease, *, back_off_s: float | None = None) -> None:
        """Let go; where the ledger is away, the lease ends by itself."""
        self._let_go(lease)
        await self._tell(partial(self._leases.hand_back, lease, back_off_s=back_off_s))

    async def leave(self, leases: Iterable[Lease]) -> None:
        """
        Let go of all of these at once, and say that this process works no more.

        Whoever cancels, the ledger is told; but for a short time only, for the leases end by themselves.
        """
        leases = list(leases)
        for lease in leases:
            self._let_go(lease)
        with leaving():
            await self._tell(partial(self._leases.leave, leases))

    def _let_go(self, lease: Lease) -> None:
        """Nothing leaves under it any more, and no timer runs for it."""
        lease.end()
        self._held.pop(lease.lane, None)
        self._rearm()

    async def _tell(self, tell: Callable[[], None]) -> None:
        try:
            # Left to its thread where the time is up.
            await anyio.to_thread.run_sync(tell, abandon_on_cancel=True)
        except LedgerError:
            return

    # In the loop ----------------------------------------------------------------------------------

    async def _tick(self) -> None:
        every_s = self.terms.renew_every_s / _TICKS
        while True:
            self._has_ticked = True
            self._let_go_of_what_is_over()
            self._rearm()
            until_s = min((lease.until_s for lease, _ in self._held.values()), default=None)
            # At the latest when the first of them must not be used any more.
            left_s = every_s if until_s is None else until_s - self.terms.guard_s - self._boot_s()
            self._changed = anyio.Event()
            with anyio.move_on_after(max(0.0, min(every_s, left_s))):
                await self._changed.wait()

    def _let_go_of_what_is_over(self) -> None:
        for lane, (lease, on_lost) in list(self._held.items()):
            if not self.may_send(lease):
                lease.end()
                del self._held[lane]
                on_lost()

    def _rearm(self) -> None:
        ends = [lease.until_s for lease, _on_lost in self._held.values()]
        self._arm(min(ends) - self._boot_s() if ends else None)

    # In the thread --------------------------------------------------------------------------------

    def _renew_now_and_then(self) -> None:
        while not self._closing.wait(self.terms.renew_every_s):
            self.renew()

    def renew(self) -> None:
        """Renew all that is held, if the loop has had its turn since the last time."""
        held = [lease for lease, _on_lost in self._held.copy().values()]
        if not self._has_ticked or not held:
            return
        self._has_ticked = False
        asked_s = self._boot_s()
        try:
            still = self._leases.renew(held)
        except LedgerError:
            return  # the leases run on for as long as they were renewed before
        for lease in held:
            if lease.lane in still:
                lease.renewed(asked_s)
            else:
                lease.end()  # the loop lets go of it with its next turn
