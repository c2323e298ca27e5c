"""
What the simulated service remembers: connections, journal, and how often a request was seen.

A late create is a row whose `applied_at` lies in the future, and a lagging listing one whose
`visible_at` does; what changes a row later stands in a table and is caught up with at the next look
(`late.py`). So nothing has to be woken up, and a restart changes nothing: time alone applies what was
pending. Of a source secret only its SHA-256 is kept on disk.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

from batchconnect.simulator.records import (
    Connection,
    History,
    JournalEntry,
    Late,
)
from batchconnect.simulator.state import MEMORY, columns, from_columns, from_row, open_state

NOT_GONE = "(gone_at is null or gone_at > ?)"
JOURNAL_KEPT = 500_000
"""Entries. Older ones are dropped, so that a long-lived simulator does not fill a disk."""


class Store:
    """
    The state of one simulator.

    Args:
        place: A file, or ":memory:".
    """

    def __init__(self, place: Path | str = MEMORY) -> None:
        self._place = place
        self._open: sqlite3.Connection | None = open_state(place)
        self._keys: dict[str, str] = {}
        self._late_keys: dict[str, str] = {}
        self._histories: dict[bytes, History] = {}
        self._revoked: dict[str, int] = dict(self.db.execute("select * from revoked").fetchall())
        row = self.db.execute("select max(ordinal) as last from journal").fetchone()
        self._ordinal: int = row["last"] or 0

    @property
    def db(self) -> sqlite3.Connection:
        """The database, opened again where it was closed: assertions come after the server."""
        if self._open is None:
            self._open = open_state(self._place)
        return self._open

    def close(self) -> None:
        """Let go of the file; what is in memory stays readable."""
        if str(self._place) != MEMORY:
            self.dispose()

    def dispose(self) -> None:
        """Let go of the file or the memory."""
        if self._open is not None:
            self._open.close()
            self._open = None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that one request changes, or nothing of it; what a script asks within one is part of it."""
        if self.db.in_transaction:
            yield
            return
        self.db.execute("begin immediate")
        try:
            yield
        except BaseException:
            self.db.execute("rollback")
            raise
        self.db.execute("commit")

    # Connections

    def add(self, connection: Connection, key: str | None) -> None:
        """Keep a connection; its secret stays in memory only."""
        values = columns(connection)
        names = ", ".join(values)
        marks = ", ".join(f":{name}" for name in values)
        self.db.execute(f"insert into connections ({names}) values ({marks})", values)  # noqa: S608  # names of our own
        if key is not None:
            self._keys[connection.id] = key

    def update(self, connection: Connection, key: str | None) -> None:
        """Replace a connection; with a key, its secret too."""
        values = columns(connection)
        setting = ", ".join(f"{name} = :{name}" for name in values)
        self.db.execute(f"update connections set {setting} where id = :id", values)  # noqa: S608  # names of our own
        if key is not None:
            self._keys[connection.id] = key
        elif connection.key_sha256 is None:
            self._keys.pop(connection.id, None)

    def bury(self, connection: Connection, at: float) -> None:
        """Note that a connection is gone, and forget its secret."""
        self.db.execute(
            "insert or ignore into deleted values (?, ?, ?, ?)",
            (connection.id, connection.org_id, connection.sandbox, at),
        )
        self._keys.pop(connection.id, None)

    def deleted(self, now: float) -> list[str]:
        """Ids of all connections that were deleted and are gone by now, the first one first."""
        rows = self.db.execute(
            "select connection_id from deleted where at <= ? order by at", (now,)
        )
        return [row["connection_id"] for row in rows]

    def find(self, connection_id: str, org_id: str, sandbox: str, now: float) -> Connection | None:
        """The connection with an id, as far as it stands in this org and sandbox by now."""
        row = self.db.execute(
            f"select * from connections where {NOT_GONE} "  # noqa: S608  # a condition of our own, values are bound
            "and id = ? and org_id = ? and sandbox = ? and applied_at <= ?",
            (now, connection_id, org_id, sandbox, now),
        ).fetchone()
        return None if row is None else from_row(row)

    def every(self, now: float) -> list[Connection]:
        """All connections of all orgs that exist by now, in the order in which they took effect."""
        rows = self.db.execute(
            f"select * from connections where applied_at <= ? and {NOT_GONE} order by applied_at, seq",  # noqa: S608  # a condition of our own, values are bound
            (now, now),
        )
        return [from_row(row) for row in rows]

    def by_id(self, connection_id: str) -> Connection:
        """
        The connection with an id, wherever it stands and whether it exists yet or still.

        Raises:
            ValueError: There is none.
        """
        row = self.db.execute("select * from connections where id = ?", (connection_id,)).fetchone()
        if row is None:
            raise ValueError(f"there is no connection {connection_id}")
        return from_row(row)

    def pending(self, now: float) -> int:
        """How many creates, patches and deletions have yet to take effect."""
        found = self.db.execute(
            "select (select count(*) from connections where applied_at > ?) + "
            "(select count(*) from late where at > ?)",
            (now, now),
        ).fetchone()
        return int(found[0])

    def key(self, connection_id: str) -> str | None:
        """The secret as this process received it; None for one that an earlier process received."""
        return self._keys.get(connection_id)

    # What takes effect later

    def postpone(
        self, at: float, ordinal: int, was: Connection, changed: Connection | None, key: str | None
    ) -> None:
        """
        Keep a change for later.

        Args:
            at: Unix time at which it takes effect.
            ordinal: Of its request.
            was: What it was made for.
            changed: What it makes of it; None: nothing, for it is deleted.
            key: The new secret, if it has one.
        """
        whole = None if changed is None else orjson.dumps(columns(changed)).decode()
        self.db.execute(
            "insert into late (at, ordinal, connection_id, etag, changed) values (?, ?, ?, ?, ?)",
            (at, ordinal, was.id, was.etag, whole),
        )
        if changed is not None and key is not None:
            self._late_keys[changed.etag] = key

    def take_due(self, now: float) -> list[Late]:
        """What was kept for later and is due, the first one first; it is kept no longer."""
        rows = self.db.execute(
            "select * from late where at <= ? order by at, seq", (now,)
        ).fetchall()
        if rows:
            self.db.execute("delete from late where at <= ?", (now,))
        return [self._late(row) for row in rows]

    def _late(self, row: sqlite3.Row) -> Late:
        whole = row["changed"]
        changed = None if whole is None else from_columns(orjson.loads(whole))
        return Late(
            at=row["at"],
            ordinal=row["ordinal"],
            connection_id=row["connection_id"],
            etag=row["etag"],
            changed=changed,
            key=None if changed is None else self._late_keys.pop(changed.etag, None),
        )

    # Histories: a write's outlives a restart, for it bounds how often the same one may be lost.

    def history(self, identity: bytes) -> History:
        """What became of earlier requests like this one."""
        known = self._histories.get(identity)
        if known is None:
            row = self.db.execute(
                "select attempts, lost, streak from histories where identity = ?", (identity,)
            ).fetchone()
            known = History() if row is None else History(**dict(row))
        return known

    def remember(self, identity: bytes, history: History, *, lasting: bool) -> None:
        """Note one more request; a lasting note is on disk."""
        if not lasting:
            self._histories[identity] = history
            return
        self.db.execute(
            "insert or replace into histories values (?, ?, ?, ?)",
            (identity, history.attempts, history.lost, history.streak),
        )

    # Tokens and counters

    def count(self, name: str) -> int:
        """Add one to a counter and say where it stands."""
        row = self.db.execute(
            "insert into counters values (?, 1) on conflict (name) do update set value = value + 1 "
            "returning value",
            (name,),
        ).fetchone()
        return int(row["value"])

    def counter(self, name: str) -> int:
        """Where a counter stands."""
        row = self.db.execute("select value from counters where name = ?", (name,)).fetchone()
        return 0 if row is None else int(row["value"])

    def revoke(self, client_id: str, up_to: int) -> None:
        """Let every token of a client up to an ordinal die."""
        self.db.execute("insert or replace into revoked values (?, ?)", (client_id, up_to))
        self._revoked[client_id] = up_to

    def revoked_up_to(self, client_id: str) -> int:
        """Ordinal of the last token of a client that died by revocation."""
        return self._revoked.get(client_id, 0)

    # Journal

    def next_ordinal(self) -> int:
        """Number of the request that is now looked at."""
        self._ordinal += 1
        return self._ordinal

    def write(self, entry: JournalEntry) -> None:
        """Note one request."""
        self.db.execute(
            "insert or replace into journal values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                entry.ordinal,
                entry.at,
                entry.method,
                entry.path,
                entry.org_id,
                entry.sandbox,
                entry.status,
                entry.reply,
                entry.applied_at,
                entry.connection_id,
                entry.marker,
                entry.leaked,
                entry.query,
            ),
        )
        if entry.ordinal % 1000 == 0:
            self.db.execute(
                "delete from journal where ordinal <= ?", (entry.ordinal - JOURNAL_KEPT,)
            )

    def came_to_nothing(self, ordinal: int) -> None:
        """Take back that a request would take effect: when its time came, nothing could."""
        self.db.execute("update journal set applied_at = null where ordinal = ?", (ordinal,))

    def journal(self) -> list[JournalEntry]:
        """All requests, oldest first."""
        rows = self.db.execute("select * from journal order by ordinal")
        return [JournalEntry(**{**dict(row), "leaked": bool(row["leaked"])}) for row in rows]
