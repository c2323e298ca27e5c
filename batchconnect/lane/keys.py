"""
The keys that one lane sends to connections that exist, and those of them whose answers were lost.

No worker is held while such a key is looked for: it is settled beside the rows, and may come back as one
that is to be sent again.
"""

from collections.abc import Awaitable, Callable
from functools import partial

import anyio
from anyio.abc import TaskGroup

from batchconnect.flow_service.listing import Found
from batchconnect.lane.decision import SendKey
from batchconnect.lane.lane import Lane
from batchconnect.lane.matching import wanted
from batchconnect.lane.plan import Waiting
from batchconnect.lane.recipient import Address, KeyDoubt, Recipient
from batchconnect.lane.reconciler import Policy, take_up
from batchconnect.lane.rotation import KeyTurn, Rotation
from batchconnect.ledger.entry import ChangeDoubted, Updating
from batchconnect.ledger.row_state import RowState
from batchconnect.ledger.run_writer import Clock, RunWriter
from batchconnect.model.errors import LedgerError
from batchconnect.model.event import Event, FaultMet, RowInDoubt, RowSettled
from batchconnect.model.fault import Fault, fault_of
from batchconnect.model.outcome import InDoubt, Outcome
from batchconnect.model.value import replace
from batchconnect.validation.connection import BaseConnection


class LaneKeys:
    """
    Sends the keys of one lane's rows.

    Args:
        lane: Whose connections get them.
        ledger: The run writer.
        clock: The run's clocks.
        policy: How what was lost is settled.
        on_event: Told of everything.
        on_broken: Told that the ledger cannot be written.
        resend: Told of each row whose key may be sent again; never, where the policy sends nothing.
        on_change: Told when a lost key is settled, or given up.
    """

    def __init__(
        self,
        *,
        lane: Lane,
        ledger: RunWriter,
        clock: Clock,
        policy: Policy,
        on_event: Callable[[Event], None],
        on_broken: Callable[[LedgerError], None],
        resend: Callable[[Waiting], None] = lambda waiting: None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._lane = lane
        self._ledger = ledger
        self._clock = clock
        self._policy = policy
        self._resend = resend
        self._on_event = on_event
        self._on_broken = on_broken
        self._on_change = on_change
        self._tasks: TaskGroup | None = None
        self._open: set[anyio.CancelScope] = set()

    @property
    def are_open(self) -> bool:
        """Whether a key is being looked for, so that its row may come back to be sent again."""
        return bool(self._open)

    def begin(self, tasks: TaskGroup) -> None:
        """Settle in this group from now on."""
        self._tasks = tasks

    def stop(self) -> None:
        """Look no more; what is in doubt stays so, and the same command goes on with it."""
        for scope in self._open:
            scope.cancel()

    async def send(self, connection: BaseConnection, waiting: Waiting) -> None:
        """
        Send one row's key.

        Raises:
            LedgerError: The ledger cannot be written.
        """
        assert waiting.key_to is not None
        turn = KeyTurn(
            connection=connection,
            connection_id=waiting.key_to.connection_id,
            is_adopted=waiting.key_to.is_adopted,
            number=waiting.number,
            begun=waiting.key_to.begun,
        )
        began = self._clock.monotonic_s()
        rotation = Rotation(
            turn,
            service=self._lane,
            client_id=self._lane.org.client_id,
            ledger=self._ledger,
            on_fault=lambda fault: self._tell_fault(fault, turn.address),
        )
        became = await rotation.run()
        if isinstance(became, KeyDoubt):
            again = _again(waiting, became)
            # Beside the rows the key itself is not held: what is looked for shows none.
            self._settle_beside(rotation.recipient, became, lambda: self._resend(again))
        else:
            took_ms = round((self._clock.monotonic_s() - began) * 1000)
            self._tell(turn.address, became, took_ms)

    def outlast(self, connection: BaseConnection, waiting: Waiting, key_to: SendKey) -> None:
        """Send a row's key only when the one that another run sent has arrived, or cannot any more."""
        assert key_to.first is not None
        before = key_to.first.change
        assert isinstance(before, Updating)
        recipient = Recipient(
            Address(
                row=connection.row,
                wanted=wanted(connection),
                sandbox=connection.sandbox,
                connection_id=key_to.connection_id,
                is_adopted=key_to.is_adopted,
            ),
            service=self._lane,
            client_id=self._lane.org.client_id,
            ledger=self._ledger,
        )
        # It stays that run's doubt, and its report tells of it: of this one, nothing was sent yet.
        known = take_up(key_to.first.change_doubt, self._clock, ChangeDoubted)
        doubt = KeyDoubt(outcome=known.outcome, before=before, moment=known.moment)
        self._tell_doubt(recipient.address, known.outcome.code)
        self._begin_beside(recipient, partial(self._outlast, recipient, doubt, waiting))

    async def take_up(self, address: Address, state: RowState) -> None:
        """
        Settle a key that an earlier process left in doubt: its window counts from the recovery, once.

        Raises:
            LedgerError: The recovery cannot be written.
        """
        assert isinstance(state.change, Updating)
        known = take_up(state.change_doubt, self._clock, ChangeDoubted)
        if known != state.change_doubt:
            line = self._ledger.line(known, row=address.row, marker=address.wanted.marker)
            await self._ledger.write([line])
        recipient = Recipient(
            address,
            service=self._lane,
            client_id=self._lane.org.client_id,
            ledger=self._ledger,
        )
        doubt = KeyDoubt(
            outcome=known.outcome,
            before=state.change,
            moment=known.moment,
            sends=state.change.number,
        )
        self._settle_beside(recipient, doubt, lambda: None)

    async def _outlast(self, recipient: Recipient, doubt: KeyDoubt, waiting: Waiting) -> None:
        found = await recipient.outlast(doubt, clock=self._clock, policy=self._policy)
        if isinstance(found, Found):
            self._resend(waiting)
        else:
            self._tell(recipient.address, await recipient.end(found))

    def _settle_beside(
        self, recipient: Recipient, doubt: KeyDoubt, resend: Callable[[], None]
    ) -> None:
        self._tell_doubt(recipient.address, doubt.outcome.code)
        self._begin_beside(recipient, partial(self._settle, recipient, doubt, resend))

    async def _settle(
        self, recipient: Recipient, doubt: KeyDoubt, resend: Callable[[], None]
    ) -> None:
        outcome = await recipient.settle(doubt, clock=self._clock, policy=self._policy)
        if outcome is None:
            resend()
        elif not isinstance(outcome, InDoubt):
            self._tell(recipient.address, outcome)

    def _begin_beside(self, recipient: Recipient, work: Callable[[], Awaitable[None]]) -> None:
        assert self._tasks is not None
        scope = anyio.CancelScope()
        self._open.add(scope)
        self._tasks.start_soon(self._beside, recipient, work, scope)

    async def _beside(
        self,
        recipient: Recipient,
        work: Callable[[], Awaitable[None]],
        scope: anyio.CancelScope,
    ) -> None:
        try:
            with scope:
                await work()
        except LedgerError as error:
            self._on_broken(error)
        except Exception as error:  # noqa: BLE001 - a fault of ours leaves the doubt to the next command
            self._tell_fault(fault_of(error), recipient.address)
        finally:
            self._open.discard(scope)
            self._on_change()

    def _tell_doubt(self, of: Address, code: str) -> None:
        org = self._lane.org.key
        self._on_event(RowInDoubt(row=of.row, org=org, sandbox=of.sandbox, code=code))

    def _tell(self, address: Address, outcome: Outcome, took_ms: int | None = None) -> None:
        self._on_event(
            RowSettled(
                row=address.row,
                org=self._lane.org.key,
                sandbox=address.sandbox,
                outcome=outcome,
                duration_ms=took_ms,
            )
        )

    def _tell_fault(self, fault: Fault, address: Address) -> None:
        self._on_event(
            FaultMet(
                fault=fault,
                where="row",
                org=self._lane.org.key,
                sandbox=address.sandbox,
                rows=(address.row,),
            )
        )


def _again(waiting: Waiting, doubt: KeyDoubt) -> Waiting:
    """The row once more, for the connection as it stood before its key was lost."""
    assert waiting.key_to is not None
    key_to = replace(waiting.key_to, begun=doubt.before)
    return replace(waiting, number=waiting.number + 1, key_to=key_to)
