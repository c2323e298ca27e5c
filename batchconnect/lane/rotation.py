"""
The way of a row's key to the connection that exists, top to bottom, without concurrency.

The connection is read first, and changed only as it was read: its etag goes with the key. So a key may be
sent once more where its answer was lost; what others changed meanwhile is never overwritten.
"""

from collections.abc import Callable
from typing import Final, Protocol, assert_never

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
from batchconnect.lane import recipient as r
from batchconnect.lane.matching import wanted
from batchconnect.lane.onboarding import outcome_of
from batchconnect.lane.recipient import GONE, Address, Before, KeyDoubt, Recipient
from batchconnect.ledger.run_writer import RunWriter
from batchconnect.model.fault import INTERNAL_FAULT, Fault, fault_of
from batchconnect.model.foreign_text import ForeignText
from batchconnect.model.outcome import (
    Conflict,
    Failed,
    InDoubt,
    NotAttempted,
    Outcome,
    Updated,
)
from batchconnect.model.value import Value
from batchconnect.validation.connection import BaseConnection

_PARAMS_OF_OTHERS: Final = (
    "The service changes all parameters of this connection or none, and there are some that we did not send:"
    " they would be lost. No key was sent."
)
_NOT_SHOWN: Final = (
    "The service changes all parameters of this connection or none, and does not show its whole target:"
    " it may be another one than the row's. No key was sent."
)
_ETAG_REPEATS: Final = "Its etag may repeat the row's key, so it is not kept. No key was sent."


class Service(r.Service, Protocol):
    """What a rotation asks of the service; a lane offers it."""

    async def send_key(
        self, connection: BaseConnection, connection_id: str, etag: str, *, whole: bool = False
    ) -> SentChange[UpdateAnswer]:
        """Give a connection the row's key, if it is still as its etag says."""
        ...


class KeyTurn(Value):
    """A row whose key is to be sent, and to which connection."""

    connection: BaseConnection
    connection_id: str
    is_adopted: bool = False
    """It has not the row's marker; name and target made it the row's."""
    number: int = 1
    """Which send of the key this is; above 1 after one whose answer was lost."""
    begun: Before | None = None
    """The connection as it stood when the key was sent before, and the answer was lost; maybe by another process."""

    @property
    def address(self) -> Address:
        """Where the key goes."""
        return Address(
            row=self.connection.row,
            wanted=wanted(self.connection),
            sandbox=self.connection.sandbox,
            connection_id=self.connection_id,
            is_adopted=self.is_adopted,
        )


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
        self.recipient = Recipient(
            turn.address, service=service, client_id=client_id, ledger=ledger
        )
        self._service = service
        self._on_fault = on_fault
        self._has_read_again = False

    async def run(self) -> Outcome | KeyDoubt:
        """
        Carry the row's key from its intent to its outcome.

        Returns:
            The outcome, durable; or a doubt, to be settled by its recipient.

        Raises:
            LedgerError: The ledger cannot be written. Before the wire nothing was sent.

        Source:
            Contract, section 13, "Rotating a key".
        """
        begun, found = self.turn.begun, self._unless_changed(await self._read())
        if begun is not None and isinstance(found, NotAttempted):
            return await self._may_be_taken(found, begun)
        while isinstance(found, Found):
            sent = await self._send(found)
            if isinstance(sent.answer, PathUnknown):
                in_the_way = self._unfit_for_whole(found)
                if in_the_way is not None:
                    return await self.recipient.end(in_the_way, sent)
                sent = await self._send(found, whole=True)
            after = await self._after(found, sent)
            if not isinstance(after, Found):
                return after
            found = after
        return await self.recipient.end(found)

    async def _read(self, before: Before | None = None) -> Found | Conflict | NotAttempted:
        """The connection; not where its etag, which is kept from the intent on, repeats the row's key."""
        found = await self.recipient.read(before)
        if isinstance(found, Found) and found.etag is not None:
            foreign = ForeignText([self.turn.connection.secret])
            if foreign.etag(found.etag) is None:
                ids = (self.turn.connection_id,)
                return Conflict(code="no_etag", detail=_ETAG_REPEATS, connection_ids=ids)
        return found

    def _unfit_for_whole(self, found: Found) -> Conflict | None:
        """Why not all of its parameters may be replaced by the row's; None where they may be."""
        ids = (self.turn.connection_id,)
        if found.has_other_params:
            return Conflict(code="params_of_others", detail=_PARAMS_OF_OTHERS, connection_ids=ids)
        is_ours = found.marker == self.turn.connection.marker
        if not is_ours and None in found.shown:
            return Conflict(code="target_not_shown", detail=_NOT_SHOWN, connection_ids=ids)
        return None

    def _unless_changed(
        self, found: Found | Conflict | NotAttempted
    ) -> Found | Conflict | NotAttempted:
        """What was read; or that somebody else changed it since the key was sent before."""
        begun = self.turn.begun
        if begun is None or not isinstance(found, Found) or found.etag == begun.etag:
            return found
        # Changed by us, it has a key of this sheet; which one, nobody can see, so today's is sent.
        changed = self.recipient.changed_since(begun, found)
        return changed if isinstance(changed, Conflict) else found

    async def _send(self, found: Found, *, whole: bool = False) -> SentChange[UpdateAnswer]:
        turn, etag = self.turn, found.etag or ""
        await self.recipient.begin(found, turn.number, turn.connection.key_origin)
        try:
            sent = await self._service.send_key(
                turn.connection, turn.connection_id, etag, whole=whole
            )
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
        answer, end = sent.answer, self.recipient.end
        match answer:
            case Changed():
                updated = Updated(
                    connection_id=self.turn.connection_id,
                    etag=answer.etag,
                    etag_before=before.etag,
                    http_status=answer.http_status,
                    request_id=answer.request_id,
                )
                return await end(updated, sent)
            case Stale():
                return await self._after_stale(before, sent)
            case Gone():
                return await end(GONE, sent)
            case PathUnknown():
                detail = "The service knows no path to the connection's parameters."
                return await self._unless_applied(
                    Failed(code="FLOW-1455-400", detail=detail), before, sent
                )
            case Unknown():
                outcome = outcome_of(answer)
                assert isinstance(outcome, InDoubt)
                return await self._doubt(outcome, before, sent)
            case Refused() | OrgLevel() | NotSent() | Throttled():
                outcome = outcome_of(answer)
                assert isinstance(outcome, Failed | NotAttempted)
                return await self._unless_applied(outcome, before, sent)
            case _:
                assert_never(answer)

    async def _unless_applied(
        self, outcome: Failed | NotAttempted, before: Found, sent: SentChange[UpdateAnswer]
    ) -> Outcome | KeyDoubt:
        """
        How a row ends whose last answer says that the key was not taken.

        That answer is no word on a try, or a send, before it whose own was lost: it is found out by reading.
        """
        if not sent.may_be_applied and self.turn.begun is None:
            return await self.recipient.end(outcome, sent)
        if isinstance(outcome, NotAttempted):
            return await self._may_be_taken(outcome, before, sent)
        refused = InDoubt(
            code=outcome.code,
            detail=outcome.detail,
            http_status=outcome.http_status,
            request_id=outcome.request_id,
            refused_if_absent=True,
        )
        return await self._doubt(refused, before, sent)

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
        recipient = self.recipient
        now = await self._read(before)
        if isinstance(now, NotAttempted) and sent.may_be_applied:
            return await self._may_be_taken(now, before, sent)
        if not isinstance(now, Found):
            return await recipient.end(now, sent)
        changed = recipient.changed_since(before, now)
        if isinstance(changed, Conflict) or sent.may_be_applied:
            return await recipient.end(changed, sent)
        if self._has_read_again:
            return await recipient.end(recipient.changed_meanwhile(), sent)
        self._has_read_again = True
        return now

    async def _may_be_taken(
        self, why: NotAttempted, before: Before, sent: SentChange[UpdateAnswer] | None = None
    ) -> KeyDoubt:
        """A key that was sent before: it cannot be read now, or be sent once more, what became of it."""
        outcome = InDoubt(code=why.code, detail="The key was sent, and may have been taken.")
        return await self._doubt(outcome, before, sent)

    async def _doubt(
        self, outcome: InDoubt, before: Before, sent: SentChange[UpdateAnswer] | None
    ) -> KeyDoubt:
        moment = await self.recipient.doubt(outcome, sent)
        return KeyDoubt(outcome=outcome, before=before, moment=moment, sends=self.turn.number)
