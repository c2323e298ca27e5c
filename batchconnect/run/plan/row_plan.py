"""What a run would do to one row, in one word, with why; for a screen, for programs, and to be approved."""

from enum import StrEnum
from typing import Final, assert_never

from batchconnect.lane.decision import Decided, Decision, Send, SendKey, Settle, SettleFirst
from batchconnect.ledger.row_state import UNANSWERED
from batchconnect.model.outcome import (
    Conflict,
    Existing,
    MatchedBy,
    NotAttempted,
    Outcome,
    Unchanged,
)
from batchconnect.model.value import Value


class Action(StrEnum):
    """What a run would do to a row."""

    CREATE = "create"
    """Nothing of it stands there."""
    SEND_KEY = "send_key"
    """Its connection stands there, and gets the row's key."""
    SETTLE_FIRST = "settle_first"
    """It is in doubt: it is looked for first, and created only where it is proven absent."""
    EXISTING = "existing"
    """Its connection stands there; nothing is sent."""
    UNCHANGED = "unchanged"
    """Its connection stands there, and there is no need to send its key."""
    CONFLICT = "conflict"
    """Something else stands in its way; a person decides."""
    NOT_ATTEMPTED = "not_attempted"
    """Nothing can be done for it now."""

    @property
    def sign(self) -> str:
        """The sign that a plan shows before a row."""
        return SIGNS[self]


SIGNS: Final = {
    Action.CREATE: "+",
    Action.SEND_KEY: "~",
    Action.SETTLE_FIRST: "?",
    Action.EXISTING: "=",
    Action.UNCHANGED: "=",
    Action.CONFLICT: "!",
    Action.NOT_ATTEMPTED: "!",
}
"""In the order in which they are shown: what is sent, what may be, what is not."""

IN_THE_WAY: Final = frozenset({Action.CONFLICT, Action.NOT_ATTEMPTED})
"""A row of these has no connection when the run is over."""


class RowPlan(Value):
    """What a run would do to one row."""

    row: int
    name: str
    marker: str
    action: Action
    code: str = ""
    """Why, where that is told by a code."""
    why: str = ""
    """One sentence for a person."""
    connection_id: str | None = None
    """The connection that stands there for the row, or that was made for it."""
    matched_by: MatchedBy | None = None
    warnings: tuple[str, ...] = ()

    @property
    def told_why(self) -> str:
        """Code and sentence, as far as there are any."""
        return ": ".join(part for part in (self.code, self.why) if part)


def row_plan(decided: Decided) -> RowPlan:
    """What was decided for a row, as a value without a secret."""
    wanted, decision = decided.connection, decided.decision
    action, code, why, connection_id, matched_by = _told(decision)
    return RowPlan(
        row=wanted.row,
        name=wanted.name,
        marker=wanted.marker,
        action=action,
        code=code,
        why=why,
        connection_id=connection_id,
        matched_by=matched_by,
        warnings=decision.warnings if isinstance(decision, Send | Settle) else (),
    )


_Told = tuple[Action, str, str, str | None, MatchedBy | None]
"""What is done, the code and the sentence of why, the connection, and what it was known by."""


def _told(decision: Decision) -> _Told:
    match decision:
        case Send():
            return Action.CREATE, "", "", None, None
        case SendKey(connection_id=connection_id):
            return Action.SEND_KEY, "", "", connection_id, None
        case SettleFirst(state=state):
            doubt = state.doubt.outcome if state.doubt is not None else UNANSWERED
            return Action.SETTLE_FIRST, doubt.code, doubt.detail, state.made, None
        case Settle(outcome=outcome):
            return _settled(outcome)
        case _:
            assert_never(decision)


def _settled(outcome: Outcome) -> _Told:
    match outcome:
        case Existing(connection_id=connection_id, matched_by=matched_by):
            return Action.EXISTING, "", "", connection_id, matched_by
        case Unchanged(code=code, detail=detail, connection_id=connection_id):
            return Action.UNCHANGED, code, detail, connection_id, None
        case Conflict(code=code, detail=detail, connection_ids=ids):
            return Action.CONFLICT, code, detail, next(iter(ids), None), None
        case NotAttempted(code=code, detail=detail):
            return Action.NOT_ATTEMPTED, code, detail, None, None
        case _:  # pragma: no cover - a plan settles a row in no other way
            raise AssertionError(outcome)
