"""
Catches up with the time: what was to take effect by now does, and states that pass have passed.

It is done at every look from outside, so nothing has to be woken up.
"""

from batchconnect.simulator.deletion import forbidden, take_away, wrong_state
from batchconnect.simulator.habits import Habits
from batchconnect.simulator.records import Connection, Late
from batchconnect.simulator.state import from_row
from batchconnect.simulator.store import NOT_GONE, Store


def catch_up(store: Store, now: float, habits: Habits) -> None:
    """Let take effect what is due."""
    store.db.execute(
        "update connections set state = becomes, becomes = null, becomes_at = null, "
        "updated_at = max(updated_at + 1, cast(becomes_at * 1000 as integer)) where becomes_at <= ?",
        (now,),
    )
    for late in store.take_due(now):
        if not _applied(late, store, habits):
            store.came_to_nothing(late.ordinal)
    store.db.execute("delete from connections where gone_at <= ? and listed_until <= ?", (now, now))


def _applied(late: Late, store: Store, habits: Habits) -> bool:
    """Let one late request take effect, if it still can."""
    row = store.db.execute(
        f"select * from connections where id = ? and {NOT_GONE}",  # noqa: S608  # a condition of our own
        (late.connection_id, late.at),
    ).fetchone()
    connection = None if row is None else from_row(row)
    if connection is None or _overtaken(late, connection, store):
        return False
    if late.changed is None:
        take_away(connection, store, late.at, habits)
    else:
        store.update(late.changed, late.key)
    return True


def _overtaken(late: Late, connection: Connection, store: Store) -> bool:
    if late.changed is None:
        return forbidden(connection, store, late.at) is not None
    # What looked at the etag when it came looks again when it is done.
    if connection.etag != late.etag:
        return True
    publishes = connection.state == "draft" and late.changed.state == "enabled"
    return not publishes and wrong_state(connection.state, "update") is not None
