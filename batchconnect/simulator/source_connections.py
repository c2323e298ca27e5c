"""
`GET /sourceConnections`: what dataflows read from, and so what forbids the deletion of a connection.

They are made by others: no call of ours makes one, a test puts them there.
"""

import sqlite3
from typing import Any

from batchconnect.simulator.filters import COLUMNS
from batchconnect.simulator.item import etag_of, guid, sandbox_id
from batchconnect.simulator.listing import Collection
from batchconnect.simulator.records import COLLEAGUE, Connection, SourceConnection
from batchconnect.simulator.store import Store

OF_A_DATAFLOW = "Acme dataflow's source"
OF_PARAMS = frozenset({"auth.specName", "updatedClient", "updatedBy"})
"""What a connection can be asked for, and a source connection cannot."""


def _column_of(field: str) -> str | None:
    if field == "baseConnectionId":
        return "base_connection_id"
    return None if field in OF_PARAMS else COLUMNS.get(field)


def _item(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "createdAt": int(row["applied_at"] * 1000),
        "updatedAt": row["updated_at"],
        "createdBy": row["client_id"],
        "updatedBy": row["client_id"],
        "createdClient": row["client_id"],
        "updatedClient": row["client_id"],
        "sandboxId": sandbox_id(row["org_id"], row["sandbox"]),
        "sandboxName": row["sandbox"],
        "imsOrgId": row["org_id"],
        "name": row["name"],
        "state": row["state"],
        "baseConnectionId": row["base_connection_id"],
        "connectionSpec": {"id": row["spec_id"], "version": row["spec_version"]},
        "data": {"format": "tabular"},
        "params": {"path": "Events"},
        "version": row["etag"],
        "etag": row["etag"],
    }


SOURCE_CONNECTIONS = Collection(
    path="sourceConnections", table="source_connections", columns=_column_of, item=_item
)


def use(store: Store, connection: Connection, now: float, name: str = OF_A_DATAFLOW) -> str:
    """
    Let a dataflow read from a connection.

    Args:
        store: Keeps it.
        connection: What it reads from.
        now: Unix time.
        name: Of the source connection.

    Returns:
        The source connection's id.
    """
    source_id = guid(f"source connection {store.count('source connections')}")
    source = SourceConnection(
        id=source_id,
        org_id=connection.org_id,
        sandbox=connection.sandbox,
        name=name,
        base_connection_id=connection.id,
        spec_id=connection.spec_id,
        spec_version=connection.spec_version,
        state="enabled",
        etag=etag_of(source_id, 1),
        client_id=COLLEAGUE,
        applied_at=now,
        updated_at=int(now * 1000),
        visible_at=now,
    )
    values = {column: getattr(source, column) for column in source.__slots__}
    names, marks = ", ".join(values), ", ".join(f":{column}" for column in values)
    store.db.execute(f"insert into source_connections ({names}) values ({marks})", values)  # noqa: S608  # names of our own
    return source_id


def is_used(store: Store, connection_id: str, now: float) -> bool:
    """Whether a source connection reads from a base connection."""
    row = store.db.execute(
        "select 1 from source_connections where base_connection_id = ? and applied_at <= ?",
        (connection_id, now),
    ).fetchone()
    return row is not None


def release(store: Store, connection_id: str) -> None:
    """Take every source connection off a base connection."""
    store.db.execute(
        "delete from source_connections where base_connection_id = ?", (connection_id,)
    )
