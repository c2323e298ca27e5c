"""What a run does for one row: the closed set of decisions, which `planner` makes and `plan` carries out."""

from batchconnect.lane.recipient import Before
from batchconnect.ledger.row_state import RowState
from batchconnect.model.outcome import Outcome, Unchanged
from batchconnect.model.reference import KeyOrigin
from batchconnect.model.value import Value
from batchconnect.validation.connection import BaseConnection


class Send(Value):
    """Nothing of it stands there: it is to be created."""

    warnings: tuple[str, ...] = ()


class Settle(Value):
    """It has an outcome without a request."""

    outcome: Outcome
    warnings: tuple[str, ...] = ()


class SettleFirst(Value):
    """It was sent by an earlier process, which never learned the answer."""

    state: RowState


class SendKey(Value):
    """Its connection exists: its key is to be sent there."""

    connection_id: str
    is_adopted: bool
    """It has not the row's marker."""
    begun: Before | None = None
    """The connection as it stood when the key was sent before, and the answer was lost."""
    first: RowState | None = None
    """Another run sent a key there, which may be another one and may still arrive: that is settled first."""
    only_changed: bool = False
    """It is sent only if it is another one than *key_before*, which is known when it was looked up."""
    key_before: KeyOrigin | None = None
    """Where the key was looked up that the connection has; None: that is not known."""

    def unless_changed(self, key: KeyOrigin | None) -> Unchanged | None:
        """
        Why there is no need to send a key that was looked up; None: it is sent.

        Args:
            key: Where it stands; None: in the sheet.
        """
        if not self.only_changed:
            return None
        if key is None or key.version is None:
            detail = "No version tells whether its key has changed; without --changed it is sent."
            return Unchanged(code="no_version", detail=detail, connection_id=self.connection_id)
        if self.key_before is not None and key.is_same(self.key_before):
            detail = "Its connection has this version of its key."
            return Unchanged(code="same_version", detail=detail, connection_id=self.connection_id)
        return None


Decision = Send | Settle | SettleFirst | SendKey


class Decided(Value):
    """One row with what a run would do for it."""

    offset: int
    connection: BaseConnection
    decision: Decision
