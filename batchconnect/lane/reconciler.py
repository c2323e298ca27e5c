"""
In doubt? Look for the marker until the settle window has passed.

The doubts of one sandbox share their listings, and no worker is held while they wait. An answer that
was lost is settled by asking: found by its marker, the row is created; absent from two complete
listings after the window, it is free to be sent again.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

import anyio

from batchconnect.flow_service.listing import Listing
from batchconnect.lane.matching import Create, NotReady, Wanted, match, match_absent, match_marker
from batchconnect.ledger.entry import ChangeDoubted, Doubted, Moment, Settled
from batchconnect.ledger.row_state import UNANSWERED
from batchconnect.ledger.run_writer import Clock, RunWriter
from batchconnect.model.defaults import PATIENCE_S, SETTLE_S
from batchconnect.model.outcome import (
    Conflict,
    Created,
    Existing,
    Failed,
    InDoubt,
    NotAttempted,
    Outcome,
)
from batchconnect.model.precaution import OnDoubt
from batchconnect.model.value import Value, replace

MOST_SENDS: Final = 3
"""The first send, and at most two more after proven absence."""
LISTINGS_FOR_ABSENCE: Final = 2
LAG_SHARE: Final = 1 / 3
"""L's share of the settle window S = D + L (120 s and 60 s)."""


@dataclass(slots=True, kw_only=True)
class Doubt:
    """A row that was sent and whose answer is unknown."""

    row: int
    wanted: Wanted
    outcome: InDoubt
    """Why the answer is unknown."""
    moment: Moment
    """When it became unknown; the window counts from here."""
    sends: int = 1
    """How often the row was sent."""
    is_ours: bool = True
    """False: nobody of us sent it; it was found before it was ready, and is waited for."""
    offset: int | None = None
    """Where the row stands in the sheet; None: it is gone, so it cannot be sent again."""
    taken_up_s: float = field(default=0.0, init=False)
    """When this process took it up, by the monotonic clock."""
    absences: int = field(default=0, init=False)
    """Complete listings after the window without a hit."""


class Policy(Value):
    """How doubts are settled."""

    settle_s: float = SETTLE_S
    """S = D + L: how long a sent POST may stay invisible at the longest."""
    on_doubt: OnDoubt = OnDoubt.RESEND
    may_send: bool = True
    """False for `reconcile`, which creates nothing."""
    patience_s: float = PATIENCE_S
    """How long the listing may fail before the doubts are left to the next command."""

    @property
    def lag_s(self) -> float:
        """L: how long a listing may lag behind."""
        return self.settle_s * LAG_SHARE

    @property
    def first_look_s(self) -> float:
        """Pause before the first look-up; the later ones grow from it."""
        return min(3.0, max(0.05, self.settle_s / 60))

    @property
    def longest_pause_s(self) -> float:
        """Longest pause between two look-ups."""
        return max(self.first_look_s, self.settle_s / 4)


class Reconciler:
    """
    Settles the doubts of one sandbox.

    Args:
        look: One complete reading of the sandbox, or a failed one.
        ledger: Hears of each verdict first.
        clock: What the window is counted with.
        policy: Window, and what follows proven absence.
        settled: Told of each row that has an outcome now.
        resend: Told of each row that is free to be sent again.
        looked: Told after each look-up: how many doubts wait, and for how long at most.
    """

    def __init__(
        self,
        *,
        look: Callable[[], Awaitable[Listing]],
        ledger: RunWriter,
        clock: Clock,
        policy: Policy,
        settled: Callable[[Doubt, Outcome], None],
        resend: Callable[[Doubt], None],
        looked: Callable[[int, float], None] = lambda waiting, left_s: None,
    ) -> None:
        self._look = look
        self._ledger = ledger
        self._clock = clock
        self._policy = policy
        self._settled = settled
        self._resend = resend
        self._looked = looked
        self._stopped = False
        self._open: dict[str, Doubt] = {}
        self._pause_s = policy.first_look_s
        self._changed = anyio.Event()

    @property
    def waiting(self) -> int:
        """Doubts that are not settled yet."""
        return len(self._open)

    @property
    def rows(self) -> tuple[int, ...]:
        """The rows in the sheet that these doubts are about."""
        return tuple(sorted(doubt.row for doubt in self._open.values()))

    def add(self, doubt: Doubt) -> None:
        """Take a doubt in; look-ups become frequent again."""
        doubt.taken_up_s = self._clock.monotonic_s()
        self._open[doubt.wanted.marker] = doubt
        self._pause_s = self._policy.first_look_s
        self._changed.set()

    def stop(self) -> None:
        """No further look-up: what is in doubt stays so, and the next command settles it."""
        self._stopped = True
        self._changed.set()

    async def run(self) -> None:
        """
        Look up until no doubt is left, the stop is set, or the listing keeps failing.

        Raises:
            LedgerError: A verdict cannot be written.
        """
        last_look = last_success = self._clock.monotonic_s()
        if any(self._window_left_s(doubt) <= 0 for doubt in self._open.values()):
            # An earlier process waited already: one that lives for seconds only must get on, too.
            last_look -= self._policy.first_look_s
        took_s = 0.0
        while self._open and not self._stopped:
            due = last_look + self._next_pause_s(took_s)
            if await self._sleep_until(due):
                continue  # a doubt came in, or the stop: the pause is another one
            started = self._clock.monotonic_s()
            listing = await self._look()
            last_look = self._clock.monotonic_s()
            took_s = last_look - started
            self._pause_s = min(self._pause_s * 2, self._policy.longest_pause_s)
            if listing.complete:
                last_success = last_look
                await self._judge(listing, started)
            elif listing.refusal is not None or (
                last_look - last_success > self._policy.patience_s
            ):
                return
            self._looked(len(self._open), self._left_s())

    async def _sleep_until(self, due: float) -> bool:
        """Returns whether the sleep ended early, by a new doubt or the stop."""
        self._changed = anyio.Event()
        with anyio.move_on_after(due - self._clock.monotonic_s()):
            await self._changed.wait()
            return True
        return False

    def _next_pause_s(self, took_s: float) -> float:
        # A look-up of a large sandbox takes long: at most a fifth of the time is spent on reading.
        pause = max(self._pause_s, 4 * took_s)
        for doubt in self._open.values():
            # Right after a window's end there is something to decide.
            pause = min(pause, max(self._window_left_s(doubt), self._policy.first_look_s))
        return pause

    def _window_left_s(self, doubt: Doubt) -> float:
        return self._policy.settle_s - self._elapsed_s(doubt)

    def _elapsed_s(self, doubt: Doubt) -> float:
        # Where a boot has no name, moments do not compare: what this process saw itself still counts.
        seen_s = self._clock.monotonic_s() - doubt.taken_up_s
        return max(seen_s, self._clock.elapsed_s(doubt.moment))

    def _left_s(self) -> float:
        return max([0.0, *map(self._window_left_s, self._open.values())])

    async def _judge(self, listing: Listing, started: float) -> None:
        """
        Args:
            listing: A complete one.
            started: When it began, by the monotonic clock: what came later it need not show.
        """
        ago = self._clock.monotonic_s() - started
        for doubt in list(self._open.values()):
            found = _found(doubt, listing)
            is_over = self._elapsed_s(doubt) - ago >= self._policy.settle_s
            if isinstance(found, NotReady):
                if is_over:
                    await self._keep(doubt, found.in_doubt)
            elif found is not None:
                await self._settle(doubt, found)
            elif is_over:
                doubt.absences += 1
                if doubt.absences >= LISTINGS_FOR_ABSENCE:
                    await self._judge_absence(doubt, listing)

    async def _judge_absence(self, doubt: Doubt, listing: Listing) -> None:
        # Cases, in order:
        # 1. Something else stands where the row wants to be: the plan's table decides.
        # 2. The service had said no (409, 412): it is refused.
        # 3. All sends are spent: a person decides.
        # 4. The policy, or the command, sends nothing.
        # 5. The row is free to be sent again.
        other = match_absent(doubt.wanted, listing)
        if isinstance(other, InDoubt):
            await self._keep(doubt, other)
        elif other is not None:
            await self._settle(doubt, other)
        elif doubt.outcome.refused_if_absent:
            await self._settle(doubt, refusal_of(doubt.outcome))
        elif doubt.sends >= MOST_SENDS:
            await self._settle(doubt, NEVER_APPLIED)
        elif self._policy.on_doubt is OnDoubt.HOLD:
            await self._keep(doubt, HELD)
        elif not self._policy.may_send or doubt.offset is None:
            await self._settle(doubt, PROVEN_ABSENT)
        else:
            del self._open[doubt.wanted.marker]
            await self._ledger.absent(doubt.row, doubt.wanted.marker)
            self._resend(doubt)

    async def _settle(self, doubt: Doubt, outcome: Outcome) -> None:
        del self._open[doubt.wanted.marker]
        await self._ledger.settle(doubt.row, doubt.wanted.marker, Settled(outcome=outcome))
        self._settled(doubt, outcome)

    async def _keep(self, doubt: Doubt, outcome: InDoubt) -> None:
        """It stays in doubt, with a better reason; a person decides."""
        del self._open[doubt.wanted.marker]
        # Its window began when it came into doubt, and is not waited out again for a better reason.
        entry = Doubted(outcome=outcome, moment=doubt.moment, attempts=0)
        line = self._ledger.line(entry, row=doubt.row, marker=doubt.wanted.marker)
        await self._ledger.write([line])
        self._settled(doubt, outcome)


def _found(doubt: Doubt, listing: Listing) -> Created | Existing | Conflict | NotReady | None:
    """What stands there of a doubt's row. What nobody of us sent is existing, as it was when it was seen."""
    if doubt.is_ours:
        return match_marker(doubt.wanted, listing)
    judged = match(doubt.wanted, listing)
    return None if isinstance(judged, Create) else judged


NEVER_APPLIED = Failed(
    code="never_applied",
    detail=f"Sent {MOST_SENDS} times without an answer, and proven absent each time.",
)
HELD = InDoubt(
    code="held", detail="Proven absent, and held: a person decides whether to send again."
)
CAME_LATE = InDoubt(
    code="came_late",
    detail="It stands there after its absence was proven, so it is not sent again.",
)
PROVEN_ABSENT = NotAttempted(
    code="proven_absent", detail="It was sent, and proven not to have been applied."
)


def refusal_of(outcome: InDoubt) -> Failed:
    """How a row ends that the service had refused, once it is known that nothing of it was applied."""
    return Failed(
        code=outcome.code,
        detail=outcome.detail,
        http_status=outcome.http_status,
        request_id=outcome.request_id,
    )


_Doubt = TypeVar("_Doubt", Doubted, ChangeDoubted)


def take_up(stored: _Doubt | None, clock: Clock, kind: type[_Doubt]) -> _Doubt:
    """
    What an earlier process left in doubt, as this one goes on with it.

    A moment of this boot counts on: a second crash does not start the window again. After a boot
    nobody knows how long ago it was, so the window starts at the recovery; so it does for an intent
    that stands without an answer.

    Args:
        stored: The doubt as it stands in the ledger; None: there is the intent alone.
        clock: The run's clocks.
        kind: Of a create, or of a change.

    Returns:
        The doubt itself where its window goes on, else a new line for the ledger.
    """
    if stored is None:
        return kind(outcome=UNANSWERED, moment=clock.moment())
    began = stored.moment
    if clock.boot_id and began.boot_id == clock.boot_id and began.clock_s <= clock.monotonic_s():
        return stored
    return replace(stored, moment=clock.moment(), attempts=0, throttled=0)
