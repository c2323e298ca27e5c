"""
The way of a row's key to the connection that exists, top to bottom, without concurrency.

The connection is read first, and changed only as it was read: its etag goes with the key. So a key may be
sent once more where its answer was lost; what others changed meanwhile is never overwritten.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, assert_never

import anyio

from batchconnect.flow_service import NotFound, Unreadable
from batchconnect.flow_service.answer import NotSent, OrgLevel, Refused, Throttled, Unknown
from batchconnect.flow_service.change import (
    Changed,
    Gone,
    PathUnknown,
    SentChange,
    Stale,
    UpdateAnswer,
)
from batchconnect.flow_service.listing import Found
from batchconnect.lane.matching import unfit_for_change, wanted
from batchconnect.lane.onboarding import outcome_of, persistently
from batchconnect.lane.reconciler import HELD, MOST_SENDS, Policy
from batchconnect.ledger import entry as e
from batchconnect.ledger.run_writer import Clock, RunWriter
from batchconnect.model.fault import INTERNAL_FAULT, Fault, fault_of
from batchconnect.model.outcome import (
    Conflict,
    Failed,
    InDoubt,
    NotAttempted,
    Outcome,
    Updated,
)
from batchconnect.model.precaution import OnDoubt
from batchconnect.validation.connection import BaseConnection

_GONE: Final = Conflict(
    code="deleted_since", detail="The connection stood there, and is gone; no key was sent."
)
_PARAMS_OF_OTHERS: Final = (
    "The service changes all parameters of this connection or none, and there are some that we did not send:"
    " they would be lost. No key was sent."
)


class Service(Protocol):
    """What a rotation asks of the service; a lane offers it."""

    async def get(self, sandbox: str, connection_id: str) -> Found | NotFound | Unreadable:
        """One connection."""
        ...

    async def send_key(
        self, connection: BaseConnection, connection_id: str, etag: str, *, whole: bool = False
    ) -> SentChange[UpdateAnswer]:
        """Give a connection the row's key, if it is still as its etag says."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyTurn:
    """A row whose key is to be sent, and to which connection."""

    connection: BaseConnection
    connection_id: str
    is_adopted: bool = False
    """It has not the row's marker: name and target made it the row's."""
    number: int = 1
    """Which send of the key this is; above 1 after one whose answer was lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDoubt:
    """A key that was sent, and whose answer is unknown; it stands in the ledger as such."""

    outcome: InDoubt
    before: Found
    """The connection as it was when the key was sent."""
    moment: e.Moment
    """Since when it is unknown."""


class Rotation:
    """
    Sends one row's key.

    Args:
        turn: The row.
        service: The lane.
        client_id: Ours: what was changed by it was changed by us.
        ledger: Hears of everything first.
        on_fault: Told of an error of our own that is behind the outcome.
    """

    def __init__(
        self,
        turn: KeyTurn,
        *,
        service: Service,
        client_id: str,
        ledger: RunWriter,
        on_fault: Callable[[Fault], None] = lambda fault: None,
    ) -> None:
        self.turn = turn
        self._service = service
        self._client_id = client_id
        self._ledger = ledger
        self._on_fault = on_fault
        self._has_read_again = False

    async def run(self) -> Outcome | KeyDoubt:
        """
        Carry the row's key from its intent to its outcome.

        Returns:
            The outcome, durable; or a doubt, to be settled by `settle`.

        Raises:
            LedgerError: The ledger cannot be written. Before the wire nothing was sent.

        Source:
            Contract, section 13, "Rotating a key".
        """
        found = await self._read()
        while isinstance(found, Found):
            sent = await self._send(found)
            if isinstance(sent.answer, PathUnknown):
                if found.has_other_params:
                    ids = (self.turn.connection_id,)
                    return await self._end(
                        Conflict(
                            code="params_of_others", detail=_PARAMS_OF_OTHERS, connection_ids=ids
                        ),
                        sent,
                    )
                sent = await self._send(found, whole=True)
            after = await self._after(found, sent)
            if not isinstance(after, Found):
                return after
            found = after
        return await self._end(found)

    async def settle(
        self,
        doubt: KeyDoubt,
        *,
        clock: Clock,
        policy: Policy,
    ) -> Outcome | None:
        """
        Find out by reading whether a key arrived whose answer was lost.

        Cases, in order:
            1. The connection was changed since, by us: it has the key.
            2. By somebody else: a person decides.
            3. It is as it was: the same etag may go with the key once more, which is applied once at most.
               When all sends are spent, or none is wanted, the settle window decides.

        Returns:
            None: the key may be sent again. `InDoubt` where it could not be found out.
        """
        pause_s, last_read_s = policy.first_look_s, clock.monotonic_s()
        while True:
            await anyio.sleep(pause_s)
            pause_s = min(2 * pause_s, policy.longest_pause_s)
            found = await self._read(doubt.before)
            if isinstance(found, NotAttempted):  # it could not be read
                if clock.monotonic_s() - last_read_s > policy.patience_s:
                    return doubt.outcome
                continue
            last_read_s = clock.monotonic_s()
            if isinstance(found, Conflict):
                return await self._end(found)
            if found.etag != doubt.before.etag:
                return await self._end(self._changed_since(doubt.before, found))
            may_send = policy.may_send and policy.on_doubt is OnDoubt.RESEND
            if may_send and self.turn.number < MOST_SENDS:
                return None
            if clock.elapsed_s(doubt.moment) >= policy.settle_s:
                return await self._not_applied(policy)

    async def _not_applied(self, policy: Policy) -> Outcome:
        if not policy.may_send:
            detail = "It was sent, and not applied."
            return await self._end(NotAttempted(code="proven_absent", detail=detail))
        if policy.on_doubt is OnDoubt.HOLD:
            await self._doubt(HELD)
            return HELD
        detail = f"Sent {MOST_SENDS} times without an answer, and not applied."
        return await self._end(Failed(code="never_applied", detail=detail))

    # The steps ------------------------------------------------------------------------------------

    async def _read(self, before: Found | None = None) -> Found | Conflict | NotAttempted:
        """The connection, or why no key may go there; *before*: of what it showed nothing may differ."""
        connection, turn = self.turn.connection, self.turn
        found = await self._service.get(connection.sandbox, turn.connection_id)
        match found:
            case NotFound():
                return _GONE
            case Unreadable(fault=fault):
                detail = f"The connection could not be read ({fault.code}); no key was sent."
                return NotAttempted(code="not_readable", detail=detail)
            case Found():
                unfit = unfit_for_change(wanted(connection), found, is_adopted=turn.is_adopted)
                is_alike = before is None or _shown(before) == _shown(found)
                return unfit or (found if is_alike else self._meanwhile())
            case _:
                assert_never(found)

    async def _send(self, found: Found, *, whole: bool = False) -> SentChange[UpdateAnswer]:
        turn, etag = self.turn, found.etag or ""
        intent = e.Updating(
            connection_id=turn.connection_id,
            etag=etag,
            updated_at_ms=found.updated_at_ms,
            number=turn.number,
        )
        row = turn.connection
        await self._ledger.begin_change(row.row, row.marker, intent)
        try:
            sent = await self._service.send_key(row, turn.connection_id, etag, whole=whole)
        except Exception as error:  # noqa: BLE001 - whatever it is: the request may have left
            fault = fault_of(error)
            unknown = Unknown(code=INTERNAL_FAULT, detail=fault.label)
            sent = SentChange(answer=unknown, fault=fault)
        if sent.fault is not None:
            self._on_fault(sent.fault)
        return sent

    async def _after(
        self, before: Found, sent: SentChange[UpdateAnswer]
    ) -> Found | Outcome | KeyDoubt:
        """What an answer makes of the row; a connection: send once more, for it is as it is now."""
        answer = sent.answer
        match answer:
            case Changed():
                updated = Updated(
                    connection_id=self.turn.connection_id,
                    etag=answer.etag,
                    etag_before=before.etag,
                    http_status=answer.http_status,
                    request_id=answer.request_id,
                )
                return await self._end(updated, sent)
            case Stale():
                return await self._after_stale(before, sent)
            case Gone():
                return await self._end(_GONE, sent)
            case PathUnknown():
                detail = "The service knows no path to the connection's parameters."
                return await self._end(Failed(code="FLOW-1455-400", detail=detail), sent)
            case Unknown():
                outcome = outcome_of(answer)
                assert isinstance(outcome, InDoubt)
                moment = await self._doubt(outcome, sent)
                return KeyDoubt(outcome=outcome, before=before, moment=moment)
            case Refused() | OrgLevel() | NotSent() | Throttled():
                return await self._end(outcome_of(answer), sent)
            case _:
                assert_never(answer)

    async def _after_stale(
        self, before: Found, sent: SentChange[UpdateAnswer]
    ) -> Found | Outcome | KeyDoubt:
        """
        Somebody changed it: read it again, once.

        Cases, in order:
            1. It shows something else now, or the last who changed it was not us: a person decides.
            2. A try of ours was lost before this answer: it was that one.
            3. Another process of ours changed it: the key goes with the new etag.
        """
        now = await self._read(before)
        if isinstance(now, NotAttempted) and sent.may_be_applied:
            doubt = InDoubt(code=now.code, detail="The key was sent, and may have been taken.")
            moment = await self._doubt(doubt, sent)
            return KeyDoubt(outcome=doubt, before=before, moment=moment)
        if not isinstance(now, Found):
            return await self._end(now, sent)
        changed = self._changed_since(before, now)
        if isinstance(changed, Conflict) or sent.may_be_applied:
            return await self._end(changed, sent)
        if self._has_read_again:
            return await self._end(self._meanwhile(), sent)
        self._has_read_again = True
        return now

    def _changed_since(self, before: Found, now: Found) -> Updated | Conflict:
        """By whom it was changed (contract, section 13: assumed by its client id and time)."""
        was, is_now = before.updated_at_ms, now.updated_at_ms
        is_later = was is None or is_now is None or is_now > was
        if now.updated_by != self._client_id or not is_later:
            return self._meanwhile()
        return Updated(
            connection_id=self.turn.connection_id,
            etag=now.etag,
            etag_before=before.etag,
            reconciled=True,
        )

    def _meanwhile(self) -> Conflict:
        return Conflict(
            code="changed_meanwhile",
            detail="Somebody else changed the connection while its key was to be sent.",
            connection_ids=(self.turn.connection_id,),
        )

    async def _doubt(
        self, outcome: InDoubt, sent: SentChange[UpdateAnswer] | None = None
    ) -> e.Moment:
        row = self.turn.connection
        moments: list[e.Moment] = []

        async def write() -> None:
            moments.append(
                await self._ledger.doubt_change(
                    row.row,
                    row.marker,
                    outcome,
                    attempts=sent.attempts if sent else 0,
                    throttled=sent.throttled if sent else 0,
                )
            )

        await persistently(write)
        return moments[-1]

    async def _end(self, outcome: Outcome, sent: SentChange[UpdateAnswer] | None = None) -> Outcome:
        row = self.turn.connection
        counts = {
            "attempts": sent.attempts if sent else 0,
            "throttled": sent.throttled if sent else 0,
        }
        end: e.Updated | e.Left
        if isinstance(outcome, Updated):
            end = e.Updated(outcome=outcome, **counts)
        else:
            assert isinstance(outcome, Failed | Conflict | NotAttempted)
            end = e.Left(outcome=outcome, **counts)
        await persistently(lambda: self._ledger.end_change(row.row, row.marker, end))
        return outcome


def _shown(found: Found) -> tuple[object, ...]:
    """What a change of a key does not change."""
    return (found.name, found.marker, found.shown, found.state, found.is_our_kind)
