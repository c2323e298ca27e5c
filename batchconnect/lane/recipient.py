"""
The connection that a row's key is for: read before the key goes, and asked whether a lost one arrived.

Only what it shows can be told: what of it is another than it was, and who changed it last. A key is never shown.
"""

from typing import Final, Protocol, assert_never

import anyio

from batchconnect.flow_service import NotFound, Unreadable
from batchconnect.flow_service.answer import OrgLevel
from batchconnect.flow_service.change import SentChange, UpdateAnswer
from batchconnect.flow_service.listing import Found
from batchconnect.lane.matching import Wanted, unfit_for_change
from batchconnect.lane.onboarding import persistently
from batchconnect.lane.reconciler import HELD, MOST_SENDS, Policy, refusal_of
from batchconnect.ledger import entry as e
from batchconnect.ledger.run_writer import Clock, RunWriter
from batchconnect.model.outcome import (
    Conflict,
    Failed,
    InDoubt,
    NotAttempted,
    Outcome,
    Updated,
)
from batchconnect.model.precaution import OnDoubt
from batchconnect.model.reference import KeyOrigin
from batchconnect.model.value import Value

_NOT_READABLE: Final = "not_readable"
"""Code of a connection that a later look may well show."""
GONE: Final = Conflict(code="deleted_since", detail="The connection stood there, and is gone.")

Before = Found | e.Updating
"""A connection as it was when its key was sent: as it was read, or what an intent keeps of that."""


class Service(Protocol):
    """What reads a connection; a lane does."""

    async def get(self, sandbox: str, connection_id: str) -> Found | NotFound | Unreadable:
        """One connection."""
        ...

    def refuse(self, refusal: OrgLevel, sandbox: str) -> None:
        """Take no further row of what such a refusal awaits."""
        ...


class Address(Value):
    """Which connection a row's key is for, and what it is recognised by."""

    row: int
    wanted: Wanted
    sandbox: str
    connection_id: str
    is_adopted: bool = False
    """It need not have the row's marker: name and target made it the row's."""


class KeyDoubt(Value):
    """A key that was sent, and whose answer is unknown; it stands in the ledger as such."""

    outcome: InDoubt
    before: Before
    moment: e.Moment
    """Since when it is unknown."""
    sends: int = 1
    """How often the key was sent."""


class Recipient:
    """
    Reads one connection, and has the ledger hear what became of its key.

    Args:
        address: Which, and whose.
        service: The lane.
        client_id: Ours: what was changed by it was changed by us.
        ledger: Hears of everything first.
    """

    def __init__(
        self, address: Address, *, service: Service, client_id: str, ledger: RunWriter
    ) -> None:
        self.address = address
        self._service = service
        self._client_id = client_id
        self._ledger = ledger
        self._is_begun = False

    async def settle(self, doubt: KeyDoubt, *, clock: Clock, policy: Policy) -> Outcome | None:
        """
        Find out by reading whether a key arrived whose answer was lost.

        Cases, in order:
            1. The connection was changed since, by us: it has the key.
            2. By somebody else: a person decides.
            3. It is as it was: the same etag may go with the key once more, which is applied once at most.
               When all sends are spent, none is wanted, or the service refused it, the settle window decides.
            4. The service refuses to show it: it would do so again, and the key stays in doubt.

        Returns:
            None: the key may be sent again. `InDoubt` where it could not be found out.
        """
        self._is_begun = True
        pause_s, last_read_s = policy.first_look_s, clock.monotonic_s()
        while True:
            await anyio.sleep(pause_s)
            pause_s = min(2 * pause_s, policy.longest_pause_s)
            found = await self.read(doubt.before)
            if isinstance(found, NotAttempted):  # it could not be read
                is_refused = found.code != _NOT_READABLE
                if is_refused or clock.monotonic_s() - last_read_s > policy.patience_s:
                    return doubt.outcome
                continue
            last_read_s = clock.monotonic_s()
            if isinstance(found, Conflict):
                return await self.end(found)
            if found.etag != doubt.before.etag:
                return await self.end(self.changed_since(doubt.before, found))
            may_send = policy.may_send and policy.on_doubt is OnDoubt.RESEND
            is_refused = doubt.outcome.refused_if_absent
            if may_send and not is_refused and doubt.sends < MOST_SENDS:
                return None
            if clock.elapsed_s(doubt.moment) >= policy.settle_s:
                return await self._not_applied(doubt, policy)

    async def outlast(
        self, doubt: KeyDoubt, *, clock: Clock, policy: Policy
    ) -> Found | Conflict | NotAttempted:
        """
        Wait until a key of another run that is on its way has arrived, or cannot any more.

        Both keys would go with one etag, and of a change nobody can see which of them made it. With
        another etag, or after the settle window, the earlier one is applied no more.

        Returns:
            The connection as it stands then; or why no key may go there.
        """
        pause_s, last_read_s = 0.0, clock.monotonic_s()
        while True:
            await anyio.sleep(pause_s)
            pause_s = min(2 * pause_s or policy.first_look_s, policy.longest_pause_s)
            is_due = clock.elapsed_s(doubt.moment) >= policy.settle_s
            found = await self.read()
            if isinstance(found, NotAttempted):
                is_refused = found.code != _NOT_READABLE
                if is_refused or clock.monotonic_s() - last_read_s > policy.patience_s:
                    return found
                continue
            last_read_s = clock.monotonic_s()
            if isinstance(found, Conflict) or is_due or found.etag != doubt.before.etag:
                return found

    async def _not_applied(self, doubt: KeyDoubt, policy: Policy) -> Outcome:
        if doubt.outcome.refused_if_absent:
            return await self.end(refusal_of(doubt.outcome))
        if not policy.may_send:
            detail = "The key was sent, and proven not to have been applied."
            return await self.end(NotAttempted(code="proven_absent", detail=detail))
        if policy.on_doubt is OnDoubt.HOLD:
            await self.doubt(HELD)
            return HELD
        detail = f"Sent {MOST_SENDS} times without an answer, and not applied."
        return await self.end(Failed(code="never_applied", detail=detail))

    # What it shows --------------------------------------------------------------------------------

    async def read(self, before: Before | None = None) -> Found | Conflict | NotAttempted:
        """The connection, or why no key may go there; *before*: of what it showed nothing may differ."""
        to = self.address
        found = await self._service.get(to.sandbox, to.connection_id)
        match found:
            case NotFound():
                return GONE
            case Unreadable(refusal=OrgLevel() as refusal):
                self._service.refuse(refusal, to.sandbox)
                detail = (
                    f"The service refuses to show the connection; no key was sent. {refusal.detail}"
                )
                return NotAttempted(code=refusal.code, detail=detail.strip())
            case Unreadable(fault=fault):
                detail = f"The connection could not be read ({fault.code}); no key was sent."
                return NotAttempted(code=_NOT_READABLE, detail=detail)
            case Found():
                unfit = unfit_for_change(to.wanted, found, is_adopted=to.is_adopted)
                is_alike = not isinstance(before, Found) or _shown(before) == _shown(found)
                return unfit or (found if is_alike else self.changed_meanwhile())
            case _:
                assert_never(found)

    def changed_since(self, before: Before, now: Found) -> Updated | Conflict:
        """By whom it was changed (contract, section 13: assumed by its client id and time)."""
        was, is_now = before.updated_at_ms, now.updated_at_ms
        is_later = was is None or is_now is None or is_now > was
        if now.updated_by != self._client_id or not is_later:
            return self.changed_meanwhile()
        return Updated(
            connection_id=self.address.connection_id,
            etag=now.kept_etag,
            etag_before=before.etag,
            reconciled=True,
        )

    def changed_meanwhile(self) -> Conflict:
        """What is told where somebody else was quicker."""
        return Conflict(
            code="changed_meanwhile",
            detail="Somebody else changed the connection while its key was to be sent.",
            connection_ids=(self.address.connection_id,),
        )

    # What the ledger hears ------------------------------------------------------------------------

    async def begin(self, found: Found, number: int, key: KeyOrigin | None = None) -> None:
        """The intent; when this returns, and not before, the key may leave."""
        intent = e.Updating(
            connection_id=self.address.connection_id,
            etag=found.etag or "",
            updated_at_ms=found.updated_at_ms,
            number=number,
            key=key,
        )
        self._is_begun = True
        await self._ledger.begin_change(self.address.row, self.address.wanted.marker, intent)

    async def doubt(
        self, outcome: InDoubt, sent: SentChange[UpdateAnswer] | None = None
    ) -> e.Moment:
        """Whether the key arrived is unknown from now on; returns the moment that the window counts from."""
        moments: list[e.Moment] = []

        async def write() -> None:
            moments.append(
                await self._ledger.doubt_change(
                    self.address.row,
                    self.address.wanted.marker,
                    outcome,
                    attempts=sent.attempts if sent else 0,
                    throttled=sent.throttled if sent else 0,
                )
            )

        await persistently(write)
        return moments[-1]

    async def end(self, outcome: Outcome, sent: SentChange[UpdateAnswer] | None = None) -> Outcome:
        """What became of the key, durable when this returns."""
        row = self.address.row
        marker = self.address.wanted.marker if self._is_begun else None
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
        await persistently(lambda: self._ledger.end_change(row, marker, end))
        return outcome


def _shown(found: Found) -> tuple[object, ...]:
    """What a change of a key does not change."""
    return (found.name, found.marker, found.shown, found.state, found.is_our_kind)
