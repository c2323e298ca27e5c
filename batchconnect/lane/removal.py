"""
The way of one connection out of the sandbox, top to bottom, without concurrency.

A DELETE names no precondition, so it leaves directly after a look: the connection is as we left it, it is
enabled, and nobody uses it. What was not answered is a reason to keep it. Its intent is durable before the
wire, and a lost answer is a doubt that is settled by looking: gone is gone, for an id is never given twice.
"""

from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import Final, Protocol, TypeVar, assert_never

import anyio

from batchconnect.flow_service import NotFound, Unreadable
from batchconnect.flow_service.answer import NotSent, OrgLevel, Refused, Throttled, Unknown
from batchconnect.flow_service.change import DeleteAnswer, Gone, InUse, SentChange, Taken
from batchconnect.flow_service.listing import Found
from batchconnect.lane.onboarding import outcome_of, persistently
from batchconnect.lane.reconciler import MOST_SENDS
from batchconnect.lane.why_kept import Looks, Made, is_going, is_unseen, kept_as, reason_to_keep
from batchconnect.ledger import entry as e
from batchconnect.ledger.run_writer import RunWriter
from batchconnect.model.fault import INTERNAL_FAULT, Fault, fault_of
from batchconnect.model.outcome import Deleted, Failed, InDoubt, Kept, NotAttempted, Outcome
from batchconnect.model.value import Value, replace

_FIRST_PAUSE_S: Final = 0.25
_LONGEST_PAUSE_S: Final = 15.0
"""Between two looks at one connection that is going, or may be; a lane has hundreds of them at once."""
_AGAIN_SHARE: Final = 1 / 12
"""Of the settle window: how long a delete whose answer was lost is waited for before it is sent again."""
_MOST_UNSENT: Final = 20
"""Deletes of one connection that were surely not applied, before it is left to the next command."""
_UNFINISHED: Final = InDoubt(
    code="delete_unfinished", detail="The delete was taken on, and the connection is not gone yet."
)


class Service(Looks, Protocol):
    """What a removal asks of the service."""

    async def delete(self, sandbox: str, connection_id: str) -> SentChange[DeleteAnswer]:
        """Delete a connection: one request, whose answer is judged."""
        ...


class Begun(Value):
    """A delete of an earlier process that may have been applied; it stands in the ledger as a doubt."""

    outcome: InDoubt
    ago_s: float
    """For how long that has been unknown."""


class _Step(Enum):
    """What comes next, where the story has not ended."""

    LOOK = auto()
    WAIT = auto()
    """And look again then."""
    SEND = auto()


Ended = Deleted | Kept | Failed | InDoubt | NotAttempted | None
_End = TypeVar("_End", bound=Deleted | Kept | Failed | NotAttempted)


class Removal:
    """
    Deletes one connection.

    Args:
        made: The connection.
        service: The lane.
        ledger: Hears of everything first.
        settle_s: How long a delete whose answer was lost may still be applied.
        pause: Waits for so many seconds, holding nobody up; False: nothing more is asked or sent.
        is_stopped: Whether nothing more is sent.
        most_sends: Deletes whose answer may be lost, the one of an earlier process among them.
        may_send: False: nobody agreed to it, and only what an earlier process left in doubt is settled.
        begun: What an earlier process left in doubt.
        on_doubt: Told of each answer that was lost.
        on_fault: Told of an error of our own that is behind an answer.
    """

    def __init__(
        self,
        made: Made,
        *,
        service: Service,
        ledger: RunWriter,
        settle_s: float,
        pause: Callable[[float], Awaitable[bool]],
        is_stopped: Callable[[], bool],
        most_sends: int = MOST_SENDS,
        may_send: bool = True,
        begun: Begun | None = None,
        on_doubt: Callable[[InDoubt], None] = lambda doubt: None,
        on_fault: Callable[[Fault], None] = lambda fault: None,
    ) -> None:
        self._made = made
        self._service = service
        self._ledger = ledger
        self._settle_s = settle_s
        self._pause = pause
        self._is_stopped = is_stopped
        self._most_sends, self._may_send = most_sends, may_send
        self._on_doubt = on_doubt
        self._on_fault = on_fault
        self._pause_s = _FIRST_PAUSE_S
        self._sends = self._unsent = 0
        self._attempts = self._throttled = 0
        """Of the last delete, until a line of the ledger tells them."""
        self._since_s: float | None = None
        """When the last delete left that may have been applied, by the loop's clock; None: none did."""
        self._taken: Taken | None = None
        self._doubt: InDoubt | None = None
        """What stands in the ledger as its doubt."""
        self._refused: Failed | NotAttempted | None = None
        """How the last delete ended that was surely not applied."""
        self._is_begun = begun is not None
        """Whether the ledger has an intent of it: then its end is written for the identity."""
        if begun is not None:
            self._sends = 1
            self._since_s, self._doubt = anyio.current_time() - begun.ago_s, begun.outcome

    async def run(self) -> Ended:
        """
        Carry the connection from a look to its outcome.

        Returns:
            The outcome, durable. `InDoubt`: it may be gone, and the next command looks again. None: the
            stop came before anything was found out.

        Raises:
            LedgerError: The ledger cannot be written. Before the wire nothing was sent; after it the
                intent stands, and the next command looks whether the connection is gone.

        Source:
            Contract, section 13, "Delete".
        """
        while True:
            found = await self._service.get(self._made.sandbox, self._made.connection_id)
            step = await (self._judge(found) if self._since_s is None else self._settle(found))
            if step is _Step.SEND:
                step = await self._send()
            if step is _Step.WAIT and not await self._wait():
                step = await self._stopped()
            if not isinstance(step, _Step):
                return step

    # What was seen --------------------------------------------------------------------------------

    async def _judge(self, found: Found | NotFound | Unreadable) -> Ended | _Step:
        """Nothing of ours may have been applied: it goes, or it is kept for what is seen now."""
        kept = await reason_to_keep(self._made, found, self._service)
        if self._is_stopped() and (kept is None or is_unseen(kept.code)):
            return self._refused  # it was the stop that left it unanswered
        return _Step.SEND if kept is None else await self._end(kept)

    async def _settle(self, found: Found | NotFound | Unreadable) -> Ended | _Step:
        """
        A delete may have been applied, or be so yet.

        Cases, in order:
            1. It is gone: by our hand.
            2. It was taken on, or its answer was lost just now: it is given its time.
            3. It is going, or cannot be looked at: nobody can know before the settle window has passed, and
               then it stays in doubt.
            4. It stands as we left it: it is sent again.
            5. It stands, and is not to be deleted any more, or all sends are spent: kept, when nothing
               of what was sent can be applied any more.
        """
        if isinstance(found, NotFound):
            return await self._gone()
        assert self._since_s is not None
        passed_s = anyio.current_time() - self._since_s
        is_over = passed_s >= self._settle_s
        if not is_over and (self._taken is not None or passed_s < self._settle_s * _AGAIN_SHARE):
            return _Step.WAIT
        if isinstance(found, Unreadable) or is_going(found):
            return await self._stay_in_doubt() if is_over else _Step.WAIT
        kept = await reason_to_keep(self._made, found, self._service)
        if kept is None and not self._is_spent():
            return _Step.SEND
        return (
            await self._end(kept or self._refused or self._not_deleted()) if is_over else _Step.WAIT
        )

    def _is_spent(self) -> bool:
        """Whether it is not sent once more."""
        is_tried = self._sends >= self._most_sends or self._unsent >= _MOST_UNSENT
        return is_tried or self._is_stopped() or not self._may_send

    async def _wait(self) -> bool:
        pause_s, self._pause_s = self._pause_s, min(2 * self._pause_s, _LONGEST_PAUSE_S)
        return await self._pause(pause_s)

    async def _stopped(self) -> Ended:
        return self._refused if self._since_s is None else await self._stay_in_doubt()

    # What is sent ---------------------------------------------------------------------------------

    async def _send(self) -> Ended | _Step:
        made = self._made
        intent = e.Deleting(connection_id=made.connection_id)
        self._is_begun = True
        await self._ledger.begin_change(made.row, made.wanted.marker, intent)
        try:
            sent = await self._service.delete(made.sandbox, made.connection_id)
        except Exception as error:  # noqa: BLE001 - whatever it is: the request may have left
            fault = fault_of(error)
            unknown = Unknown(code=INTERNAL_FAULT, detail=fault.label)
            sent = SentChange(answer=unknown, fault=fault)
        if sent.fault is not None:
            self._on_fault(sent.fault)
        self._attempts, self._throttled = sent.attempts, sent.throttled
        return await self._after(sent.answer)

    async def _after(self, answer: DeleteAnswer) -> Ended | _Step:
        match answer:
            case Taken() | Gone():
                # A 404 may hide a missing permission: whether it is gone is told by a look.
                self._taken = answer if isinstance(answer, Taken) else None
                self._may_be_applied()
                return _Step.LOOK
            case Unknown():
                outcome = outcome_of(answer)
                assert isinstance(outcome, InDoubt)
                self._taken = None
                self._may_be_applied()
                await self._write_doubt(outcome)
                self._on_doubt(outcome)
                return _Step.WAIT
            case InUse():
                return await self._end(kept_as(self._made, "in_use", "Used by a dataflow."))
            case NotSent() | Throttled() | Refused() | OrgLevel():
                return await self._not_applied(outcome_of(answer))
            case _:
                assert_never(answer)

    def _may_be_applied(self) -> None:
        self._since_s = anyio.current_time()
        self._sends += 1
        self._pause_s = _FIRST_PAUSE_S

    async def _not_applied(self, outcome: Outcome) -> Ended | _Step:
        """It did nothing; one before it may have, and then that is what is unknown still."""
        assert isinstance(outcome, Failed | NotAttempted)
        self._refused = outcome
        self._unsent += 1
        if self._since_s is not None:
            await self._write_doubt(self._doubt or _UNFINISHED)
            return _Step.WAIT
        await self._end(outcome)
        is_over = isinstance(outcome, Failed) or self._unsent >= _MOST_UNSENT or self._is_stopped()
        return outcome if is_over else _Step.WAIT

    # How it ends ----------------------------------------------------------------------------------

    async def _gone(self) -> Deleted:
        taken = self._taken
        return await self._end(
            Deleted(
                connection_id=self._made.connection_id,
                reconciled=taken is None,
                http_status=taken.http_status if taken else None,
                request_id=taken.request_id if taken else None,
            )
        )

    async def _stay_in_doubt(self) -> InDoubt:
        doubt = self._doubt
        if doubt is None or self._taken is not None:
            doubt = _unfinished(self._taken)
            await self._write_doubt(doubt)
        return doubt

    async def _write_doubt(self, outcome: InDoubt) -> None:
        self._doubt, made = outcome, self._made
        attempts, throttled = self._told()
        await persistently(
            lambda: self._ledger.doubt_change(
                made.row, made.wanted.marker, outcome, attempts=attempts, throttled=throttled
            )
        )

    async def _end(self, outcome: _End) -> _End:
        made = self._made
        marker = made.wanted.marker if self._is_begun else None
        attempts, throttled = self._told()
        end: e.Deleted | e.Left
        if isinstance(outcome, Deleted):
            end = e.Deleted(outcome=outcome, attempts=attempts, throttled=throttled)
        else:
            end = e.Left(outcome=outcome, attempts=attempts, throttled=throttled)
        await persistently(lambda: self._ledger.end_change(made.row, marker, end))
        return outcome

    def _told(self) -> tuple[int, int]:
        told = (self._attempts, self._throttled)
        self._attempts = self._throttled = 0
        return told

    def _not_deleted(self) -> Kept:
        times = "once" if self._sends == 1 else f"{self._sends} times"
        detail = f"The delete was sent {times}, and the connection stands there still."
        return kept_as(self._made, "not_deleted", detail)


def _unfinished(taken: Taken | None) -> InDoubt:
    if taken is None:
        return _UNFINISHED
    return replace(_UNFINISHED, http_status=taken.http_status, request_id=taken.request_id)
