"""
`GET /sourceConnections`: what dataflows read from, and so what forbids the deletion of a connection.

They are made by others: no call of ours makes one, a test puts them there.
"""

import sqlite3
from typing import Any

from batchconnect.simulator.filters import COLUMNS
from batchconnect.simulator.item import sandbox_id
from batchconnect.simulator.listing import Collection
from batchconnect.simulator.records import SourceConnection
from batchconnect.simulator.store import Store

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


def add(store: Store, source: SourceConnection) -> None:
    """Keep a source connection."""
    values = {name: getattr(source, name) for name in source.__slots__}
    names, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
    store.db.execute(f"insert into source_connections ({names}) values ({marks})", values)  # noqa: S608  # names of our own


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
