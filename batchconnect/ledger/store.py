"""
The append-only store that hears of a call before the network does.

SQLite, WAL, `synchronous=FULL`: when `append` returns, the lines survive a power cut. Lines are never
changed or removed (triggers see to it), so every state, and every report, is a fold over them.
"""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from batchconnect.ledger.codec import decode, encode, settles, word_of
from batchconnect.ledger.entry import Line, RunOpened
from batchconnect.ledger.file import make_or_check, make_private
from batchconnect.ledger.row_state import RowState, fold
from batchconnect.model.errors import LedgerError

APPLICATION_ID: Final = 0x62634C31
"""`bcL1`: SQLite keeps it in the file's header, so that a foreign database is known as such."""
SCHEMA_VERSION: Final = 1
MEMORY: Final = ":memory:"

_SCHEMA = """
CREATE TABLE about (word TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE entry (
    seq INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    row INTEGER,
    marker TEXT,
    kind TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX entry_of_row ON entry (run, row, seq);
CREATE INDEX entry_of_marker ON entry (marker, seq, kind)
    WHERE marker IS NOT NULL AND kind IN ('sending', 'in_doubt', 'absent', 'settled');
CREATE TRIGGER entry_is_never_changed BEFORE UPDATE ON entry
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER entry_is_never_removed BEFORE DELETE ON entry
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
"""
_COLUMNS = "seq, run, row, marker, kind, at_ms, body"
_VALUES = "(?, ?, ?, ?, ?, ?)"
_INSERT = f"INSERT INTO entry ({_COLUMNS.removeprefix('seq, ')}) VALUES {_VALUES}"
_AT_ONCE = 16
"""Lines of one statement. A statement for each costs twice as much, and gives the loop's thread its turn
after each, for milliseconds if it is busy."""
_OF_MARKER = "marker IS NOT NULL AND kind IN ('sending', 'in_doubt', 'absent', 'settled')"


class Ledger:
    """
    One ledger file, open. Safe to share between the writer thread and the loop.

    Args:
        path: The file, or `:memory:`.
        host: Platform host whose connections it accounts for; another one is refused.
        simulated: Whether it belongs to the simulator; the other mode is refused.
        read_only: For `runs`, `status`, `report`: needs no lock, and creates nothing.

    Raises:
        LedgerError: The file is corrupt, of a newer version, foreign, a symlink, or not writable.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        host: str | None = None,
        simulated: bool = False,
        read_only: bool = False,
    ) -> None:
        self.path = str(path)
        self._read_only = read_only
        self._mutex = threading.RLock()
        with _translated(self.path):
            if self.path != MEMORY:
                make_or_check(Path(path), read_only=read_only)
            self._db = _connect(self.path, read_only=read_only)
            try:
                self._check_schema()
                self._make_ours()
                self._belong("mode", "simulated" if simulated else "real")
                if host is not None:
                    self._belong("host", host)
            except BaseException:
                self._db.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a ledger that is in order needs no closing."""
        with self._mutex:
            self._db.close()

    def append(self, lines: Sequence[Line]) -> int:
        """
        Write lines in one transaction; they are durable on return, all of them or none.

        Returns:
            Number of the last line. A `RunOpened` line gets its own number as its run.

        Raises:
            LedgerError: The disk is full, or the file is gone; nothing of it is written.
        """
        with self._mutex, _translated(self.path), _transaction(self._db):
            if not lines:
                return 0
            return self._insert([self._values(line) for line in lines])

    def runs(self) -> Iterator[tuple[int, Line, list[Line]]]:
        """Every run, newest first: its number, its `RunOpened` line, and its other lines without a row."""
        # From one run to the next by the index, and to its first line, whose number it bears: to look for
        # the kind would read the whole file, half a minute for a million rows that are not in memory.
        columns = ", ".join(f"entry.{name}" for name in _COLUMNS.split(", "))
        opened = self._read(
            "WITH RECURSIVE number (run) AS (SELECT max(run) FROM entry UNION ALL "
            "SELECT (SELECT max(run) FROM entry WHERE run < number.run) "
            "FROM number WHERE number.run IS NOT NULL) "
            f"SELECT {columns} FROM number JOIN entry ON entry.seq = number.run "
            "WHERE entry.kind = 'run_opened' ORDER BY entry.seq DESC"
        )
        for line in list(opened):
            yield line.run, line, self.run_lines(line.run)

    def run_lines(self, run: int) -> list[Line]:
        """The lines about a run as a whole, oldest first: opened, resumed, lanes, sweep, ended."""
        return list(
            self._read(
                f"SELECT {_COLUMNS} FROM entry WHERE run = ? AND row IS NULL ORDER BY seq", run
            )
        )

    def row_lines(self, run: int) -> Iterator[Line]:
        """The lines of a run's rows, row by row in the sheet's order, each row's oldest first."""
        return self._read(
            f"SELECT {_COLUMNS} FROM entry WHERE run = ? AND row IS NOT NULL ORDER BY row, seq", run
        )

    def last_lines(self, run: int) -> Iterator[tuple[int, int, Line | None]]:
        """
        Where each of a run's rows stands.

        Yields:
            Its number, how many intents were written for it, and its last line; None: an outcome that
            stands, of which no more is read.
        """
        # SQLite takes bare columns from the row that max() is of.
        sql = (
            "SELECT sum(kind = 'sending'), max(seq), run, row, marker, kind, at_ms, body FROM entry "
            "WHERE run = ? AND row IS NOT NULL GROUP BY row ORDER BY row"
        )
        for intents, *columns in self._select(sql, run):
            _, _, row, _, kind, _, body = columns
            yield row, intents, None if settles(kind, body) else self._line(columns)

    def lines_of_row(self, run: int, row: int) -> list[Line]:
        """The lines of one of a run's rows, oldest first."""
        return list(
            self._read(
                f"SELECT {_COLUMNS} FROM entry WHERE run = ? AND row = ? ORDER BY seq", run, row
            )
        )

    def marker_state(self, marker: str) -> RowState | None:
        """What all runs together know of an identity; None: it was never sent or settled."""
        lines = list(
            self._read(
                f"SELECT {_COLUMNS} FROM entry WHERE marker = ? AND {_OF_MARKER} ORDER BY seq",
                marker,
            )
        )
        if not lines:
            return None
        return fold(lines, RowState(number=lines[-1].row or 0, marker=marker))

    def open_markers(self) -> list[str]:
        """Every identity that was sent and never answered, whichever the run."""
        with self._mutex, _translated(self.path):
            # A bare column is of the row that max() is of: the identity's last line. The index has all
            # that is asked for, so a million settled identities take half a second (four in a ledger
            # that was made before the index had the kind in it).
            found = self._db.execute(
                f"SELECT marker, kind, max(seq) AS last FROM entry WHERE {_OF_MARKER} "
                "GROUP BY marker HAVING kind IN ('sending', 'in_doubt') ORDER BY last"
            ).fetchall()
        return [marker for marker, _kind, _last in found]

    def has_markers(self) -> bool:
        """Whether anything was ever sent, or settled with an identity; in a new ledger, nothing was."""
        with self._mutex, _translated(self.path):
            found = self._db.execute(f"SELECT 1 FROM entry WHERE {_OF_MARKER} LIMIT 1").fetchone()
        return found is not None

    def has_sent(self) -> bool:
        """Whether any intent was ever written: without one, the ledger is new, or was lost."""
        with self._mutex, _translated(self.path):
            found = self._db.execute(
                "SELECT 1 FROM entry WHERE kind = 'sending' LIMIT 1"
            ).fetchone()
        return found is not None

    def _insert(self, rows: Sequence[tuple[object, ...]]) -> int:
        last = 0
        for start in range(0, len(rows), _AT_ONCE):
            block = rows[start : start + _AT_ONCE]
            sql = _INSERT + f", {_VALUES}" * (len(block) - 1)
            last = self._db.execute(sql, [*chain.from_iterable(block)]).lastrowid or 0
        return last

    def _values(self, line: Line) -> tuple[object, ...]:
        run = line.run
        if isinstance(line.entry, RunOpened):
            run = self._db.execute("SELECT coalesce(max(seq), 0) + 1 FROM entry").fetchone()[0]
        return (run, line.row, line.marker, word_of(line.entry), line.at_ms, encode(line.entry))

    def _read(self, sql: str, *values: object) -> Iterator[Line]:
        return map(self._line, self._select(sql, *values))

    def _select(self, sql: str, *values: object, page: int = 1000) -> Iterator[Sequence[Any]]:
        with self._mutex, _translated(self.path):
            cursor = self._db.execute(sql, values)
        while True:
            with self._mutex, _translated(self.path):
                rows = cursor.fetchmany(page)
            if not rows:
                return
            yield from rows

    def _line(self, columns: Sequence[Any]) -> Line:
        seq, run, row, marker, kind, at_ms, body = columns
        try:
            entry = decode(kind, body)
        except ValueError as error:
            raise LedgerError(
                f"line {seq} of the ledger {self.path} cannot be read: {error}",
                hint="The file is kept as it is. Restore it from a backup, or name another --ledger.",
            ) from None
        return Line(entry=entry, run=run, row=row, marker=marker, at_ms=at_ms)

    def _check_schema(self) -> None:
        (application,) = self._db.execute("PRAGMA application_id").fetchone()
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if application == 0 and version == 0 and tables == 0:
            if self._read_only:
                raise LedgerError(
                    f"the ledger {self.path} is empty: no run was made with it",
                    hint="Name another file with --ledger, or its folder with --reports.",
                )
        elif application != APPLICATION_ID:
            raise LedgerError(
                f"{self.path} is a database of another program, not a ledger of batchconnect",
                hint="Name another file with --ledger.",
            )
        elif version > SCHEMA_VERSION:
            raise LedgerError(
                f"the ledger {self.path} was written by a newer batchconnect (schema {version}, "
                f"this one knows {SCHEMA_VERSION})",
                hint="Update batchconnect, or name another file with --ledger.",
            )

    def _make_ours(self) -> None:
        # Only now: a file of another program, or of a newer version, is kept byte for byte.
        if self._read_only:
            return
        if self.path != MEMORY:
            # SQLite gives its companions (-wal, -shm) the mode of the file itself.
            make_private(Path(self.path))
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            self._create()

    def _create(self) -> None:
        with _transaction(self._db):
            for statement in _statements(_SCHEMA):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _belong(self, word: str, value: str) -> None:
        """A ledger belongs to one platform host and one mode: the first use says which."""
        found = self._db.execute("SELECT value FROM about WHERE word = ?", (word,)).fetchone()
        if found is None:
            if not self._read_only:
                self._db.execute("INSERT INTO about VALUES (?, ?)", (word, value))
        elif found[0] != value:
            raise LedgerError(
                f"the ledger {self.path} belongs to the {word} {found[0]}, not to {value}",
                hint="Name another file with --ledger; one ledger accounts for one service.",
            )


def _connect(path: str, *, read_only: bool) -> sqlite3.Connection:
    if path == MEMORY:
        return sqlite3.connect(MEMORY, isolation_level=None, check_same_thread=False)
    mode = "ro" if read_only else "rw"
    return sqlite3.connect(
        f"{Path(path).absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=5.0,
    )


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        # NOTE: a COMMIT that met a full disk may have rolled back already.
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


@contextmanager
def _translated(path: str) -> Iterator[None]:
    """The door: what sqlite3 and the file system raise becomes a `LedgerError` that says what to do."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise LedgerError(f"the ledger {path}: {error}", hint=_hint(str(error))) from None
    except OSError as error:
        # NOTE: str(error) ends with the path, which may hold any word that `_hint` looks for.
        text = error.strerror or type(error).__name__
        raise LedgerError(f"the ledger {path}: {text}", hint=_hint(text)) from None


def _hint(text: str) -> str:
    if "full" in text or "No space" in text:
        return "Free disk space, then give the same command again: it goes on where it stopped."
    if "malformed" in text or "not a database" in text:
        return "The file is kept as it is. Restore it from a backup, or name another --ledger."
    if any(word in text for word in ("readonly", "Permission", "permitted", "Read-only")):
        return "Name a ledger that you may write, with --ledger."
    if "locked" in text:
        return "Another program has the file open: close it, then give the same command again."
    return "The file is kept as it is. Look at the disk, then give the same command again."
