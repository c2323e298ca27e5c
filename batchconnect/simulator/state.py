"""The tables in which the simulator survives its own SIGKILL, and how their file is opened."""

import os
import sqlite3
from pathlib import Path
from typing import Any

import orjson

from batchconnect.simulator.records import Connection

MEMORY = ":memory:"

SCHEMA = """
create table if not exists connections (
    seq integer primary key autoincrement,
    id text not null unique,
    org_id text not null,
    sandbox text not null,
    spec_id text not null,
    spec_version text not null,
    name text not null,
    description text,
    state text not null,
    auth_spec text not null,
    params text not null,
    key_sha256 text,
    tests_well integer not null,
    in_use integer not null,
    client_id text not null,
    updated_client text not null,
    etag text not null,
    applied_at real not null,
    updated_at integer not null,
    visible_at real not null
);
create index if not exists connections_by_spec
    on connections (org_id, sandbox, spec_id, updated_at, seq);
create index if not exists connections_by_time on connections (org_id, sandbox, updated_at, seq);
create index if not exists connections_by_visibility
    on connections (org_id, sandbox, visible_at, spec_id);
create table if not exists histories (
    identity blob primary key,
    attempts integer not null,
    lost integer not null,
    streak integer not null
) without rowid;
create table if not exists revoked (
    client_id text primary key,
    up_to integer not null
) without rowid;
create table if not exists counters (
    name text primary key,
    value integer not null
) without rowid;
create table if not exists journal (
    ordinal integer primary key,
    at real not null,
    method text not null,
    path text not null,
    org_id text not null,
    sandbox text not null,
    status integer,
    reply text not null,
    applied_at real,
    connection_id text,
    marker text,
    leaked integer not null
);
"""


def open_state(place: Path | str) -> sqlite3.Connection:
    """
    Open the state, made where it is missing.

    Args:
        place: A file, or ":memory:".

    Returns:
        A connection in autocommit mode. A file is in WAL mode without fsync: what was committed survives
        the death of the process, not of the machine, and that is enough for practice.
    """
    if str(place) != MEMORY:
        path = Path(place)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Made here, for SQLite would make it readable to others; its companions copy the mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    database = sqlite3.connect(place, isolation_level=None, check_same_thread=False, timeout=10)
    database.row_factory = sqlite3.Row
    try:
        database.execute("pragma journal_mode = wal")
        database.execute("pragma synchronous = off")
        database.executescript(SCHEMA)
    except sqlite3.DatabaseError as error:
        database.close()
        raise ValueError(f"{place} is no state of the simulator: {error}") from None
    return database


def columns(connection: Connection) -> dict[str, Any]:
    """A connection as a row's columns."""
    values = {name: getattr(connection, name) for name in connection.__slots__}
    return {**values, "params": orjson.dumps(dict(connection.params)).decode()}


def from_row(row: sqlite3.Row) -> Connection:
    """A row as a connection."""
    values = dict(row)
    del values["seq"]
    values["params"] = orjson.loads(values["params"])
    values["tests_well"] = bool(values["tests_well"])
    values["in_use"] = bool(values["in_use"])
    return Connection(**values)
