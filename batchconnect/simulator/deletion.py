"""
`DELETE /connections/{id}`: at once, or through `delete-finalizing`; and what forbids it.

No precondition exists: whoever deletes has to look first.
"""

from dataclasses import replace

from batchconnect.simulator import answers
from batchconnect.simulator.connections import Effect, Handled
from batchconnect.simulator.exchange import Answer
from batchconnect.simulator.habits import Habits
from batchconnect.simulator.records import Connection
from batchconnect.simulator.source_connections import is_used
from batchconnect.simulator.store import Store

GOING = "delete-finalizing"
CHANGEABLE = frozenset({"enabled", "disabled"})


def wrong_state(state: str, operation: str) -> Answer | None:
    """
    What forbids a change, if anything: a state that has to pass first.

    Args:
        state: Of the connection.
        operation: `update` or `delete`.
    """
    if state in CHANGEABLE:
        return None
    if state == "initializing":
        text = "Delete or Update on Connections in `initializing` state are not allowed with UserToken."
        return answers.invalid("1417-400", text)
    if state == GOING:
        code = "1458-400" if operation == "delete" else "1457-400"
        return answers.invalid(code, f"Operation {operation} cannot be applied in state {state}.")
    text = "Delete or Update can only be applied on connection with enabled, disabled or initializing state."
    return answers.invalid("1416-400", text)


def delete(connection: Connection, store: Store, habits: Habits, effect: Effect) -> Handled:
    """`DELETE /connections/{id}`."""
    refusal = forbidden(connection, store, effect.now)
    if refusal is not None:
        return Handled(answer=refusal)
    if effect.after_s > 0:
        store.postpone(effect.at, effect.ordinal, connection, None, None)
    else:
        take_away(connection, store, effect.now, habits)
    answer = answers.empty(habits.delete_status)
    return Handled(answer=answer, applied_at=effect.at, connection_id=connection.id)


def forbidden(connection: Connection, store: Store, now: float) -> Answer | None:
    """What forbids a deletion, if anything."""
    refusal = wrong_state(connection.state, "delete")
    if refusal is None and is_used(store, connection.id, now):
        refusal = answers.invalid(
            "1418-400",
            f"The base connection with the ID {connection.id} cannot be deleted because the base "
            "connection is being used in one or more flows. Please ensure that corresponding flows are "
            "deleted before deleting a base connection.",
        )
    return refusal


def take_away(connection: Connection, store: Store, at: float, habits: Habits) -> None:
    """Let a connection go: it is found until it is gone, and listed until listings have heard of it."""
    gone_at = at + habits.finalizing_s
    going = replace(
        connection,
        state=GOING if habits.finalizing_s > 0 else connection.state,
        gone_at=gone_at,
        listed_until=gone_at + habits.delete_lag_s,
        becomes=None,
        becomes_at=None,
    )
    store.update(going, None)
    store.bury(going, gone_at)
