"""
What the simulated service remembers: connections, journal, and how often a request was seen.

A late create is a row whose `applied_at` lies in the future, and a lagging listing one whose
`visible_at` does. So nothing has to be woken up, and a restart changes nothing: time alone applies
what was pending. Of a source secret only its SHA-256 is kept on disk.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from batchconnect.simulator.records import Connection, History, JournalEntry
from batchconnect.simulator.state import MEMORY, columns, from_row, open_state

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
        """All that one request changes, or nothing of it."""
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

    def delete(self, connection_id: str) -> None:
        """Forget a connection."""
        self.db.execute("delete from connections where id = ?", (connection_id,))
        self._keys.pop(connection_id, None)

    def use(self, connection_id: str) -> None:
        """Let a flow use a connection."""
        self.db.execute("update connections set in_use = 1 where id = ?", (connection_id,))

    def find(self, connection_id: str, org_id: str, sandbox: str, now: float) -> Connection | None:
        """The connection with an id, as far as it stands in this org and sandbox by now."""
        row = self.db.execute(
            "select * from connections where id = ? and org_id = ? and sandbox = ? and applied_at <= ?",
            (connection_id, org_id, sandbox, now),
        ).fetchone()
        return None if row is None else from_row(row)

    def every(self, now: float) -> list[Connection]:
        """All connections of all orgs that exist by now, in the order in which they took effect."""
        rows = self.db.execute(
            "select * from connections where applied_at <= ? order by applied_at, seq", (now,)
        )
        return [from_row(row) for row in rows]

    def pending(self, now: float) -> int:
        """How many creates have yet to take effect."""
        found = self.db.execute(
            "select count(*) from connections where applied_at > ?", (now,)
        ).fetchone()
        return int(found[0])

    def key(self, connection_id: str) -> str | None:
        """The secret as this process received it; None for one that an earlier process received."""
        return self._keys.get(connection_id)

    # Histories: a create's outlives a restart, for it bounds how often the same body may be lost.

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
            "insert or replace into journal values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
            ),
        )
        if entry.ordinal % 1000 == 0:
            self.db.execute(
                "delete from journal where ordinal <= ?", (entry.ordinal - JOURNAL_KEPT,)
            )

    def journal(self) -> list[JournalEntry]:
        """All requests, oldest first."""
        rows = self.db.execute("select * from journal order by ordinal")
        return [JournalEntry(**{**dict(row), "leaked": bool(row["leaked"])}) for row in rows]
