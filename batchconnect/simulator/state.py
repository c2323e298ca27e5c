"""The tables in which the simulator survives its own SIGKILL, and how their file is opened."""

import os
import sqlite3
from collections.abc import Mapping
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
    client_id text not null,
    updated_client text not null,
    etag text not null,
    applied_at real not null,
    updated_at integer not null,
    visible_at real not null,
    needs text not null default '[]',
    tests integer not null default 0,
    becomes text,
    becomes_at real,
    gone_at real,
    listed_until real
);
create index if not exists connections_by_spec
    on connections (org_id, sandbox, spec_id, updated_at, seq);
create index if not exists connections_by_time on connections (org_id, sandbox, updated_at, seq);
create index if not exists connections_by_visibility
    on connections (org_id, sandbox, visible_at, spec_id);
create table if not exists source_connections (
    seq integer primary key autoincrement,
    id text not null unique,
    org_id text not null,
    sandbox text not null,
    name text not null,
    base_connection_id text not null,
    spec_id text not null,
    spec_version text not null,
    state text not null,
    etag text not null,
    client_id text not null,
    applied_at real not null,
    updated_at integer not null,
    visible_at real not null,
    listed_until real
);
create index if not exists source_connections_by_base
    on source_connections (base_connection_id, org_id, sandbox);
create table if not exists key_rules (
    key_sha256 text primary key,
    reason text not null,
    since real not null,
    tests integer
) without rowid;
create table if not exists late (
    seq integer primary key autoincrement,
    at real not null,
    ordinal integer not null,
    connection_id text not null,
    etag text not null,
    changed text
);
create table if not exists deleted (
    connection_id text primary key,
    org_id text not null,
    sandbox text not null,
    at real not null
) without rowid;
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
    leaked integer not null,
    query text not null default ''
);
"""
WAITING = """
create index if not exists connections_becoming on connections (becomes_at)
    where becomes_at is not null;
create index if not exists connections_going on connections (gone_at) where gone_at is not null;
"""
"""Apart, for their columns are younger than the table."""
OF_OLD = {
    "connections": {
        "needs": "text not null default '[]'",
        "tests": "integer not null default 0",
        "becomes": "text",
        "becomes_at": "real",
        "gone_at": "real",
        "listed_until": "real",
    },
    "journal": {"query": "text not null default ''"},
}
"""Columns that a state of an earlier version lacks."""
FROM_OLD = """
insert or ignore into key_rules
    select key_sha256, '7000215', 0.0, null from connections
    where tests_well = 0 and key_sha256 is not null;
update connections set needs = '["servicePrincipalKey"]' where tests_well = 0 and key_sha256 is null;
insert into source_connections (id, org_id, sandbox, name, base_connection_id, spec_id, spec_version,
        state, etag, client_id, applied_at, updated_at, visible_at)
    select 'used-' || id, org_id, sandbox, name, id, spec_id, spec_version,
        'enabled', etag, client_id, applied_at, updated_at, visible_at from connections where in_use;
alter table connections drop column tests_well;
alter table connections drop column in_use;
"""
"""What an earlier version said of a connection in columns of their own."""


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
        _upgrade(database)
        database.executescript(WAITING)
    except sqlite3.DatabaseError as error:
        database.close()
        raise ValueError(f"{place} is no state of the simulator: {error}") from None
    return database


def _upgrade(database: sqlite3.Connection) -> None:
    for table, lacked in OF_OLD.items():
        has = {row["name"] for row in database.execute(f"pragma table_info({table})")}
        for name, kind in lacked.items():
            if name not in has:
                database.execute(f"alter table {table} add column {name} {kind}")
        if "tests_well" in has:
            database.executescript(f"begin; {FROM_OLD} commit;")


def columns(connection: Connection) -> dict[str, Any]:
    """A connection as a row's columns."""
    values = {name: getattr(connection, name) for name in connection.__slots__}
    params, needs = dict(connection.params), list(connection.needs)
    return {
        **values,
        "params": orjson.dumps(params).decode(),
        "needs": orjson.dumps(needs).decode(),
    }


def from_row(row: sqlite3.Row) -> Connection:
    """A row as a connection."""
    return from_columns({name: row[name] for name in row.keys() if name != "seq"})  # noqa: SIM118  # a row is no mapping


def from_columns(values: Mapping[str, Any]) -> Connection:
    """A row's columns as a connection."""
    params, needs = orjson.loads(values["params"]), tuple(orjson.loads(values["needs"]))
    return Connection(**{**values, "params": params, "needs": needs})
