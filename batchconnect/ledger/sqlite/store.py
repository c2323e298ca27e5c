"""
The append-only store that hears of a call before the network does.

SQLite, WAL, `synchronous=FULL`: when `append` returns, the lines survive a power cut. Lines are never
changed or removed (triggers see to it), so every state, and every report, is a fold over them.
"""

import sqlite3
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import chain, groupby, islice
from operator import attrgetter, itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from uuid import uuid4

from batchconnect.ledger.codec import (
    NAME_WITHIN,
    UNTESTED,
    UnknownKindError,
    decode,
    encode,
    name_told,
    settles,
)
from batchconnect.ledger.conditions import (
    INTENTS,
    IS_CREATE,
    IS_DELETION,
    IS_INTENT,
    IS_OPEN,
    IS_OPENING,
    IS_OUTCOME,
    IS_PLANNED,
    IS_TEST,
    IS_UNUSUAL,
    OF_CREATE,
    OF_MARKER,
    SAYS_NO,
    TESTED,
)
from batchconnect.ledger.entry import Line, RunOpened
from batchconnect.ledger.interface import BEFORE_ALL, Identities, LaneKey, LedgerWriter
from batchconnect.ledger.kind import BY_WORD, word_of
from batchconnect.ledger.row_state import RowState, fold_identity
from batchconnect.ledger.shared_id import Answered, answered, by_id, check_bearers
from batchconnect.ledger.sqlite.connection_ids import bearers
from batchconnect.ledger.sqlite.file import HeldFile, make_or_check, make_private
from batchconnect.ledger.sqlite.migrations import FINDS_ANY_KIND, FINDS_DELETIONS, VERSION, migrate
from batchconnect.ledger.sqlite.trouble import NOT_LOCAL, translated
from batchconnect.model.errors import LedgerError

APPLICATION_ID: Final = 0x62634C31
"""`bcL1`: SQLite keeps it in the file's header, so that a foreign database is known as such."""
MEMORY: Final = ":memory:"

_COLUMNS = "seq, run, row, marker, kind, at_ms, body"
_OF_ROWS = f"SELECT {_COLUMNS} FROM entry WHERE run = ? AND row > ? ORDER BY row, seq"
_OF_ROWS_UNTIL = _OF_ROWS.replace(" ORDER", " AND row <= ? ORDER")
# Bare columns are of the row's last line, which max() is of. Of most rows no more of a line is handed over than the
# name that it ends with.
_END = f"substr(body, -{NAME_WITHIN})"
_ENDS = (
    f"SELECT row, max(seq), CASE WHEN {IS_OUTCOME} AND sum({IS_UNUSUAL}) = 0 "
    f"AND sum({IS_PLANNED}) > 0 AND sum({IS_OUTCOME} AND instr({_END}, x'{UNTESTED.hex()}') = 0) = 0 "
    f"THEN {_END} END FROM entry WHERE run = ? AND row IS NOT NULL GROUP BY row ORDER BY row"
)
_PAGE = 1000
"""Rows that are asked for at once."""
_VALUES = "(?, ?, ?, ?, ?, ?)"
_INSERT = f"INSERT INTO entry ({_COLUMNS.removeprefix('seq, ')}) VALUES {_VALUES}"
_AT_ONCE = 16
"""Lines of one statement. A statement for each costs twice as much, and gives the loop's thread its turn
after each, for milliseconds if it is busy."""
_ASKED_AT_ONCE = 500
"""Identities in one question; SQLite takes 999 values at the least."""


_NOTED = "kind:"
"""What `about` has for each kind of line that stands in the ledger: this, and its word."""


class SqliteLedger:
    """
    One ledger file, open. Safe to share between the writer thread and the loop. A `Ledger`.

    Args:
        path: The file, or `:memory:`.
        host: Platform host whose connections it accounts for; another one is refused.
        simulated: Whether it belongs to the simulator; the other mode is refused.
        read_only: For `runs`, `status`, `report`: needs no lock, and creates nothing.
        lock: The lock that its holder relies on, and looks at again before each intent.
        any_mode: Take it of whichever mode and host it is.

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
        lock: HeldFile | None = None,
        any_mode: bool = False,
    ) -> None:
        self.name = str(path)
        self._held: list[HeldFile] = [] if lock is None else [lock]
        self._read_only = read_only
        self._mutex = threading.RLock()
        self._noted: set[str] = set()
        """Kinds of lines that the ledger says it has."""
        belongs = {} if any_mode else {"mode": "simulated" if simulated else "real"}
        if host is not None:
            belongs["host"] = host
        with translated(self.name):
            if self.name != MEMORY:
                make_or_check(Path(path), read_only=read_only)
            self._db = _connect(self.name, read_only=read_only)
            try:
                if self._check_form():
                    self._check_belonging(belongs)
                    self._check_kinds()
                # Only now: what is not ours, or of a newer version, is kept byte for byte.
                if not read_only:
                    self._make_ours(belongs)
                    if self.name != MEMORY:
                        self._held.append(HeldFile(Path(path), self._is_at_its_path))
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

    def of_lane(self, lane: LaneKey) -> LedgerWriter:  # noqa: ARG002 - one lock holds them all
        """Where a lane's lines go: one file has one writer, and numbers all lines in one series."""
        return self

    def append(self, lines: Sequence[Line]) -> int:
        """
        Write lines in one transaction; they are durable on return, all of them or none.

        Returns:
            Number of the last line. A `RunOpened` line gets its own number as its run.

        Raises:
            LedgerGoneError: There is an intent among them, and the ledger or its lock is no longer where it
                was; nothing of it is written. Without an intent, lines go into the file that is held.
            LedgerError: The disk is full; nothing of it is written.
            SharedIdError: A row is created, by its answer, with an id that another row was created with.
        """
        if not lines:
            return 0
        if any(isinstance(line.entry, INTENTS) for line in lines):
            for held in self._held:
                held.check()
        created = answered(lines)
        if created:
            self._check_ids(created)
        return self.take_over(lines)

    def take_over(self, lines: Sequence[Line]) -> int:
        """As `append`, of lines that stand in another ledger: nothing is sent by them, and ids are as they were."""
        with self._mutex, translated(self.name), _transaction(self._db):
            last = self._insert([self._values(line) for line in lines])
            new = {word_of(line.entry) for line in lines} - self._noted
            notes = [(f"{_NOTED}{word}",) for word in sorted(new)]
            self._db.executemany("INSERT OR IGNORE INTO about VALUES (?, '')", notes)
        self._noted |= new
        return last

    @property
    def is_remote(self) -> bool:
        """It is a file."""
        return False

    @property
    def belongs_to(self) -> tuple[str | None, bool]:
        """Platform host, None before the first run; and whether it belongs to the simulator."""
        with self._mutex, translated(self.name):
            about = dict(self._db.execute("SELECT word, value FROM about"))
        return about.get("host"), about.get("mode") == "simulated"

    def lines(self) -> Iterator[Line]:
        """Every line, in the order in which they were written."""
        return self._read(f"SELECT {_COLUMNS} FROM entry ORDER BY seq")

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
            f"WHERE entry.{IS_OPENING} ORDER BY entry.seq DESC"
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

    def row_lines(
        self, run: int, rows: Collection[int] | None = None, *, behind: int = BEFORE_ALL
    ) -> Iterator[Line]:
        """The lines of a run's rows, row by row in the sheet's order, each row's oldest first."""
        if rows is not None:
            return chain.from_iterable(self.lines_of_row(run, row) for row in sorted(rows))
        return self._read(_OF_ROWS, run, behind)

    def ends(self, run: int) -> Iterator[str | list[Line]]:
        """As of `LedgerReader.ends`."""
        ends = self._select(_ENDS, run)
        while page := list(islice(ends, _PAGE)):
            names = [None if end is None else name_told(end) for _row, _last, end in page]
            unnamed = [row for (row, *_), name in zip(page, names, strict=True) if name is None]
            told = self._lines_of_each(run, unnamed)
            for (row, *_), name in zip(page, names, strict=True):
                yield name or told[row]

    def _lines_of_each(self, run: int, rows: Sequence[int]) -> dict[int, list[Line]]:
        """By row, the lines of rows that stand together."""
        if not rows:
            return {}
        wanted = frozenset(rows)
        between = self._select(_OF_ROWS_UNTIL, run, rows[0] - 1, rows[-1])
        return {
            row: [self._line(columns) for columns in lines]
            for row, lines in groupby(between, itemgetter(2))
            if row in wanted
        }

    def last_lines(
        self, run: int, rows: Collection[int] | None = None
    ) -> Iterator[tuple[int, int, Line | None]]:
        """As of `LedgerReader.last_lines`."""
        if rows is not None:
            for number in sorted(rows):
                if lines := self.lines_of_row(run, number):
                    intents = sum(isinstance(line.entry, INTENTS) for line in lines)
                    yield number, intents, lines[-1]
            return
        # SQLite takes bare columns from the row that max() is of.
        sql = (
            f"SELECT sum({IS_INTENT}), max(seq), run, row, marker, kind, at_ms, body FROM entry "
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

    def states_of(self, markers: Iterable[str]) -> dict[str, RowState]:
        """What all runs together know of identities; one that was never sent or settled is left out."""
        found: dict[str, RowState] = {}
        asked, of_marker = list(markers), self._of_marker()
        for start in range(0, len(asked), _ASKED_AT_ONCE):
            part = asked[start : start + _ASKED_AT_ONCE]
            told = self._read(
                f"SELECT {_COLUMNS} FROM entry WHERE marker IN ({', '.join('?' * len(part))}) "
                f"AND {of_marker} ORDER BY marker, seq",
                *part,
            )
            for marker, told_of in groupby(told, attrgetter("marker")):
                found[marker] = fold_identity(marker, list(told_of))
        return found

    def identities(self) -> Identities:
        """As of `LedgerReader.identities`."""
        return Identities(
            open=self.open_markers(), deleted=self.deleted_markers(), has_any=self.has_markers()
        )

    def open_markers(self) -> list[str]:
        """Every identity that was sent and never answered, whichever the run."""
        with self._mutex, translated(self.name):
            # A bare column is of the row that max() is of: the identity's last line. The index has all
            # that is asked for, so a million settled identities take half a second.
            found = self._db.execute(
                f"SELECT marker, kind, max(seq) AS last FROM entry WHERE {OF_CREATE} "
                f"GROUP BY marker HAVING {IS_OPEN} ORDER BY last"
            ).fetchall()
        return [marker for marker, _kind, _last in found]

    def deleted_markers(self) -> list[str]:
        """Every identity whose connection was deleted by our hand, or may have been."""
        if self._version() < FINDS_DELETIONS:
            return []
        with self._mutex, translated(self.name):
            found = self._db.execute(
                f"SELECT DISTINCT marker FROM entry WHERE marker IS NOT NULL AND {IS_DELETION}"
            ).fetchall()
        return [marker for (marker,) in found]

    def tested_markers(self) -> list[str]:
        """Every identity whose connection was found not to work, at whatever time."""
        if TESTED not in self._noted:
            return []  # every identity would have to be looked at
        with self._mutex, translated(self.name):
            found = self._db.execute(
                f"SELECT DISTINCT marker FROM entry WHERE {OF_MARKER} AND {IS_TEST}"
                " AND instr(body, ?) > 0",
                (SAYS_NO,),
            ).fetchall()
        return [marker for (marker,) in found]

    def has_markers(self) -> bool:
        """Whether anything was ever sent, or settled with an identity; in a new ledger, nothing was."""
        with self._mutex, translated(self.name):
            found = self._db.execute(
                f"SELECT 1 FROM entry WHERE {self._of_marker()} LIMIT 1"
            ).fetchone()
        return found is not None

    def has_sent(self) -> bool:
        """Whether any intent was ever written: without one, the ledger is new, or was lost."""
        with self._mutex, translated(self.name):
            found = self._db.execute(f"SELECT 1 FROM entry WHERE {IS_CREATE} LIMIT 1").fetchone()
        return found is not None

    def _version(self) -> int:
        """Of the file's form now: a run may bring it to today's while it is open here to be read."""
        if not self._read_only:
            return VERSION
        with self._mutex, translated(self.name):
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
        return int(version)

    def _of_marker(self) -> str:
        """Which lines say what became of identities, so that the index of a form of any age finds them."""
        return OF_MARKER if self._version() >= FINDS_ANY_KIND else OF_CREATE

    def _check_ids(self, created: Sequence[Answered]) -> None:
        of_id = by_id(created)
        with self._mutex, translated(self.name):
            found = bearers(self._db, _COLUMNS, [*of_id])
        check_bearers(
            ((connection_id, self._line(columns)) for connection_id, columns in found),
            of_id,
            self.states_of,
        )

    def _is_at_its_path(self) -> bool:
        """Whether its path leads to the ledger that is open, by its own id and its last line."""
        try:
            with closing(_connect(self.name, read_only=True)) as there, self._mutex:
                return self._names_itself(there) == self._names_itself(self._db)
        except sqlite3.Error:
            return False

    def _names_itself(self, db: sqlite3.Connection) -> tuple[object, ...]:
        about = db.execute("SELECT value FROM about WHERE word = 'id'").fetchone()
        last = db.execute("SELECT max(seq) FROM entry").fetchone()
        return (about, last)

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

    def _select(self, sql: str, *values: object, page: int = _PAGE) -> Iterator[Sequence[Any]]:
        with self._mutex, translated(self.name):
            cursor = self._db.execute(sql, values)
        while True:
            with self._mutex, translated(self.name):
                rows = cursor.fetchmany(page)
            if not rows:
                return
            yield from rows

    def _line(self, columns: Sequence[Any]) -> Line:
        seq, run, row, marker, kind, at_ms, body = columns
        try:
            entry = decode(kind, body)
        except UnknownKindError as error:
            raise self._newer(f"line {seq}: {error}") from None
        except ValueError as error:
            raise LedgerError(
                f"line {seq} of the ledger {self.name} cannot be read: {error}",
                hint="The file is kept as it is. Restore it from a backup, or name another --ledger.",
            ) from None
        return Line(entry=entry, run=run, row=row, marker=marker, at_ms=at_ms)

    # Opening ------------------------------------------------------------------------------------

    def _check_form(self) -> bool:
        """Whether there is anything in it yet; what is no ledger of ours is refused."""
        (application,) = self._db.execute("PRAGMA application_id").fetchone()
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if application == 0 and version == 0 and tables == 0:
            if self._read_only:
                raise LedgerError(
                    f"the ledger {self.name} is empty: no run was made with it",
                    hint="Name another file with --ledger, or its folder with --reports.",
                )
            return False
        if application != APPLICATION_ID:
            raise LedgerError(
                f"{self.name} is a database of another program, not a ledger of batchconnect",
                hint="Name another file with --ledger.",
            )
        if version > VERSION:
            raise self._newer(f"schema {version}, this one knows {VERSION}")
        return True

    def _check_belonging(self, belongs: Mapping[str, str]) -> None:
        """A ledger belongs to one platform host and one mode: the first use says which."""
        about = dict(self._db.execute("SELECT word, value FROM about"))
        for word, value in belongs.items():
            found = about.get(word, value)
            if found != value:
                raise LedgerError(
                    f"the ledger {self.name} belongs to the {word} {found}, not to {value}",
                    hint="Name another file with --ledger; one ledger accounts for one service.",
                )

    def _check_kinds(self) -> None:
        """
        Refuse a ledger with lines of a kind to come, before anything relies on those that are known.

        What it says of a row would be half of the story: a connection that is deleted since would be
        reported as created.
        """
        noted = self._db.execute("SELECT word FROM about WHERE word GLOB ?", (f"{_NOTED}*",))
        self._noted = {word.removeprefix(_NOTED) for (word,) in noted}
        unknown = sorted(self._noted - BY_WORD.keys())
        if unknown:
            raise self._newer(f"lines of the kind {', '.join(unknown)}")

    def _make_ours(self, belongs: Mapping[str, str]) -> None:
        if self.name != MEMORY:
            # SQLite gives its companions (-wal, -shm) the mode of the file itself.
            make_private(Path(self.name))
            (journal,) = self._db.execute("PRAGMA journal_mode = WAL").fetchone()
            if journal != "wal":
                raise LedgerError(
                    f"the ledger {self.name} cannot keep a write-ahead log where it lies",
                    hint=f"{NOT_LOCAL} Name a local path with --ledger.",
                )
            self._db.execute("PRAGMA synchronous = FULL")
        with _transaction(self._db):
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version == 0:
                self._db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            migrate(self._db, version=version)
            words = [*belongs.items(), ("id", str(uuid4()))]
            self._db.executemany("INSERT OR IGNORE INTO about VALUES (?, ?)", words)

    def _newer(self, what: str) -> LedgerError:
        return LedgerError(
            f"the ledger {self.name} was written by a newer batchconnect ({what})",
            hint="Update batchconnect, or name another file with --ledger.",
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
