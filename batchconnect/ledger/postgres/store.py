"""
The append-only store of a team: what `append` returned for survives a power cut of the server.

Each line goes in by one function of the schema, which looks first whether the lane is held still. Lines
are never changed or removed, so every state, and every report, is a fold over them.
"""

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby, islice
from operator import attrgetter, itemgetter
from types import TracebackType
from typing import Any, Self, TypeVar

from batchconnect.ledger.codec import UnknownKindError, decode, outcome_told
from batchconnect.ledger.conditions import (
    ENDS_AS_IT_SAYS,
    INTENTS,
    IS_DELETION,
    IS_INTENT,
    IS_OPEN,
    IS_STEP,
    IS_TEST,
    OF_CREATE,
    OF_MARKER,
    PROVISIONAL_ENDINGS,
    SAYS_NO,
    STANDS_ALWAYS,
)
from batchconnect.ledger.entry import Line, RunOpened
from batchconnect.ledger.interface import BEFORE_ALL, Identities, LaneKey, LedgerWriter
from batchconnect.ledger.kind import BY_WORD
from batchconnect.ledger.postgres.arrays import numbers, texts
from batchconnect.ledger.postgres.connections import Connections, Question, Session, answers
from batchconnect.ledger.postgres.held_lane import HeldLane, LaneWriter
from batchconnect.ledger.postgres.leases import PostgresLeases
from batchconnect.ledger.postgres.migrations import ID, IS_CREATED, VERSION
from batchconnect.ledger.postgres.tail import SETTLED_BEHIND
from batchconnect.ledger.row_state import RowState, fold_identity
from batchconnect.ledger.shared_id import Answered, by_id, check_bearers
from batchconnect.ledger.team import Holding
from batchconnect.model.errors import LaneLostError, LedgerError
from batchconnect.model.ledger_address import LedgerAddress
from batchconnect.model.who import process_name

_Value = TypeVar("_Value")
_Page = list[tuple[Any, ...]]
_COLUMNS = "seq, run, row, marker, kind, at_ms, body"
_ASKED_AT_ONCE = 2_000
"""Identities in one question."""
_PAGE = 2_500
"""Lines in one answer; the next one is on its way meanwhile."""
_ANY_SEQ = (1 << 63) - 1
"""Higher than any line's number."""
_RUNS_AT_ONCE = 50
_ENDS_SO = " OR ".join(f"right(body, {len(end)}) = '{end}'" for end in PROVISIONAL_ENDINGS)
_SETTLES = f"{STANDS_ALWAYS} OR ({ENDS_AS_IT_SAYS} AND NOT ({_ENDS_SO}))"
_BY_INDEX = "SELECT " + ", ".join(
    f"set_config('{name}', 'off', true)"
    for name in ("enable_seqscan", "enable_bitmapscan", "enable_sort", "jit")
)
"""Of a ledger that grew within the hour the server has no statistics yet: it takes it for small, and would read and
sort all of it for each page. Set for one transaction, for behind PgBouncer no session is ours."""
_OPEN_MARKERS = (
    "SELECT marker FROM (SELECT DISTINCT ON (marker) marker, kind, seq "
    f"FROM batchconnect.entry WHERE {OF_CREATE} ORDER BY marker, seq DESC) AS last "
    f"WHERE {IS_OPEN} ORDER BY seq"
)
_DELETED_MARKERS = (
    f"SELECT DISTINCT marker FROM batchconnect.entry WHERE marker IS NOT NULL AND {IS_DELETION}"
)
_ANY_MARKER = f"SELECT 1 FROM batchconnect.entry WHERE {OF_MARKER} LIMIT 1"
_NOTED = "kind:"
"""What `about` has for each kind of line that stands in the ledger: this, and its word."""


class PostgresLedger:
    """
    One team ledger, open. Safe to share between threads. A `Ledger`.

    Args:
        address: The database.
        host: Platform host whose connections it accounts for; another one is refused.
        simulated: Whether it belongs to the simulator; the other mode is refused.
        read_only: For `runs`, `status`, `report`: changes nothing, and a replica will do.
        leased: Only what was taken by a lease is written to; else a lane is taken with its first line, from
            whoever holds it.
        any_mode: Take it of whichever mode it is.
        connections: How it is reached; None: as ever.

    Raises:
        LedgerError: The server is away or refuses, there is no ledger, or one that this version does not
            know, of another host, or of the other mode.
    """

    def __init__(
        self,
        address: LedgerAddress,
        *,
        host: str | None = None,
        simulated: bool = False,
        read_only: bool = False,
        leased: bool = False,
        any_mode: bool = False,
        connections: Connections | None = None,
    ) -> None:
        self.name = str(address)
        self._leased = leased
        self._connections = connections or Connections(address)
        self._mutex = threading.RLock()
        self._writers: dict[tuple[str, str, str, str], LaneWriter] = {}
        self._run_ids: dict[int, str] = {}
        self._holder = process_name()
        # Whoever renews a lease waits for no row's commit.
        of_leases = Connections(address)
        self.leases = PostgresLeases(of_leases, name=self._holder, on_taken=self._hold)
        belongs = {} if any_mode else {"mode": "simulated" if simulated else "real"}
        self._about: dict[str, str] = {}
        if host is not None:
            belongs["host"] = host
        if leased:
            of_leases.open_ahead()
        try:
            self._check(belongs, read_only=read_only)
        except BaseException:
            self.close()
            raise
        if leased:
            # While one commits another one asks.
            self._connections.open_ahead()

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
        """Close the connections; a ledger that is in order needs no closing."""
        self._connections.close()
        self.leases.close()

    # Writing --------------------------------------------------------------------------------------

    def append(self, lines: Sequence[Line]) -> int:
        """Write lines of one run as a whole, in that run's own lane; as of `LedgerWriter.append`."""
        return self._own_writer(lines).append(lines) if lines else 0

    def take_over(self, lines: Sequence[Line]) -> int:
        """As `append`, of lines that stand in another ledger: ids are as they were."""
        return self._own_writer(lines).append(lines, checks_ids=False) if lines else 0

    def _own_writer(self, lines: Sequence[Line]) -> LaneWriter:
        first = lines[0]
        if isinstance(first.entry, RunOpened):
            return self._writer("", "", "", first.entry.run_id)
        return self._writer("", "", "", self._run_id(first.run))

    def of_lane(self, lane: LaneKey) -> LedgerWriter:
        """Where a lane's lines go; it is taken when the first is written."""
        return self._writer(lane.host, lane.org_id, lane.client_id, "")

    def _writer(self, *key: str) -> LaneWriter:
        host, org_id, client_id, run_id = key
        with self._mutex:
            whole = (host, org_id, client_id, run_id)
            if whole not in self._writers:
                self._writers[whole] = LaneWriter(
                    self._connections, partial(self._take, whole), self._check_ids, name=self.name
                )
            return self._writers[whole]

    def _hold(self, holding: Holding, held: HeldLane) -> None:
        self._writer(*(holding.key or ("", "", "")), holding.run_id).hold(held)

    def _take(self, key: tuple[str, str, str, str]) -> HeldLane:
        if self._leased:
            raise LaneLostError(
                f"the ledger {self.name}: this process does not hold the lane that it would write to",
                hint="`batchconnect lanes` shows who does.",
            )
        ((lane, epoch, n),) = self._ask(
            "SELECT id, epoch, n FROM batchconnect.take(%s, %s, %s, %s, %s)", *key, self._holder
        )
        return HeldLane(lane=lane, epoch=epoch, n=n)

    def _run_id(self, run: int) -> str:
        if run not in self._run_ids:
            found = self._ask("SELECT run_id FROM batchconnect.run WHERE number = %s", run)
            if not found:
                raise LedgerError(f"the ledger {self.name} has no run of the number {run}")
            self._run_ids[run] = found[0][0]
        return self._run_ids[run]

    def _check_ids(self, created: Sequence[Answered]) -> int:
        """See that no id is another row's; returns up to which line that was looked at."""
        of_id = by_id(created)
        ((last,),) = self._ask("SELECT coalesce(max(last_value), 0) FROM batchconnect.entry_seq")
        found = self._ask_by_index(
            f"SELECT {ID}, {_COLUMNS} FROM batchconnect.entry "
            f"WHERE {IS_CREATED} AND {ID} = ANY (%s) AND seq <= %s ORDER BY seq",
            list(of_id),
            last,
        )
        check_bearers(
            ((connection_id, self._line(columns)) for connection_id, *columns in found),
            of_id,
            self.states_of,
        )
        return int(last)

    # Reading --------------------------------------------------------------------------------------

    @property
    def is_remote(self) -> bool:
        """A server answers."""
        return True

    @property
    def mode(self) -> str:
        """`real` or `simulated`; "" before the first run."""
        return self._about.get("mode", "")

    @property
    def belongs_to(self) -> tuple[str | None, bool]:
        """Platform host, None before the first run; and whether it belongs to the simulator."""
        return self._about.get("host"), self.mode == "simulated"

    def lines(self) -> Iterator[Line]:
        """Every line, in the order in which they were written."""
        sql = f"SELECT {_COLUMNS} FROM batchconnect.entry ORDER BY seq"
        for columns in self._connections.stream(sql, page=_PAGE):
            yield self._line(columns)

    def runs(self) -> Iterator[tuple[int, Line, list[Line]]]:
        """Every run, newest first: its number, its `RunOpened` line, and its other lines without a row."""
        before = _ANY_SEQ
        while True:
            found = self._ask(
                f"SELECT {_COLUMNS} FROM batchconnect.entry WHERE row IS NULL AND run = ANY (ARRAY("
                "SELECT number FROM batchconnect.run WHERE number < %s "
                f"ORDER BY number DESC LIMIT {_RUNS_AT_ONCE})) ORDER BY run DESC, seq",
                before,
            )
            count = 0
            for number, of_run in groupby(map(self._line, found), attrgetter("run")):
                lines = list(of_run)
                yield number, lines[0], lines
                before, count = number, count + 1
            if count < _RUNS_AT_ONCE:
                return

    def run_lines(self, run: int) -> list[Line]:
        """The lines about a run as a whole, oldest first: opened, resumed, lanes, sweep, ended."""
        return self._lines("run = %s AND row IS NULL ORDER BY seq", run)

    @property
    def held(self) -> PostgresLeases:
        """Who holds what, for looking."""
        return self.leases

    def steps(self, run: int) -> list[Line]:
        """The lines of a run that say which of its lanes are through, and whether it has ended; oldest first."""
        return self._lines(f"run = %s AND row IS NULL AND {IS_STEP} ORDER BY seq", run)

    def settled_behind(
        self, run: int, behind: Mapping[int, int]
    ) -> Mapping[int, tuple[int, Sequence[int]]]:
        """As of `TeamReader`."""
        found = self._ask_by_index(SETTLED_BEHIND, [*behind], [*behind.values()], run)
        return {lane: (last, rows or ()) for lane, last, rows in found}

    def row_lines(
        self, run: int, rows: Collection[int] | None = None, *, behind: int = BEFORE_ALL
    ) -> Iterator[Line]:
        """The lines of a run's rows, row by row in the sheet's order, each row's oldest first."""
        if rows is not None:
            # A subquery with an offset is asked for each row: rows that are many, of a run that is taken for
            # short, are looked for among all of it else.
            sql = f"""SELECT {_COLUMNS} FROM unnest(%s::integer[]) AS wanted(number), LATERAL (
                    SELECT * FROM batchconnect.entry WHERE run = %s AND row = wanted.number
                    ORDER BY seq OFFSET 0
                ) AS of_row"""
            parts = (
                (sql, (numbers(part), run)) for part in _in_parts(sorted(rows), _ASKED_AT_ONCE)
            )
            for found in self._pages(lambda _page: next(parts, None)):
                yield from map(self._line, sorted(found, key=itemgetter(2, 0)))
            return
        yield from map(self._line, self._of_rows(run, behind))

    def ends(self, run: int) -> Iterator[str | list[Line]]:
        """As of `LedgerReader.ends`."""
        for _row, told in groupby(self._of_rows(run), itemgetter(2)):
            lines = list(told)
            bodies = [columns[6] for columns in lines]
            name = outcome_told([columns[4] for columns in lines], bodies)
            yield name or [self._line(columns) for columns in lines]

    def _of_rows(self, run: int, behind: int = BEFORE_ALL) -> Iterator[tuple[Any, ...]]:
        sql = (
            f"SELECT {_COLUMNS} FROM batchconnect.entry "
            f"WHERE run = %s AND (row, seq) > (%s::integer, %s) ORDER BY row, seq LIMIT {_PAGE}"
        )

        def following(page: _Page | None) -> Question | None:
            if page is not None and len(page) < _PAGE:
                return None
            seq, _, row, *_ = page[-1] if page else (_ANY_SEQ, run, behind)
            return sql, (run, row, seq)

        for page in self._pages(following):
            yield from page

    def last_lines(
        self, run: int, rows: Collection[int] | None = None
    ) -> Iterator[tuple[int, int, Line | None]]:
        """As of `LedgerReader.last_lines`."""
        if rows is not None:
            for number, told in groupby(self.row_lines(run, rows), attrgetter("row")):
                lines = list(told)
                yield number, sum(isinstance(line.entry, INTENTS) for line in lines), lines[-1]
            return

        def following(page: _Page | None) -> Question | None:
            if page is not None and len(page) < _PAGE:
                return None
            return (
                f"""SELECT intents, {_COLUMNS.replace("body", f"CASE WHEN {_SETTLES} THEN NULL ELSE body END")}
                FROM (
                    SELECT *, count(*) FILTER (WHERE {IS_INTENT}) OVER (PARTITION BY row) AS intents,
                        lead(seq) OVER (PARTITION BY row ORDER BY seq) AS next
                    FROM batchconnect.entry WHERE run = %s AND row > %s
                ) AS of_row
                WHERE next IS NULL ORDER BY row LIMIT {_PAGE}""",
                (run, page[-1][3] if page else BEFORE_ALL),
            )

        for page in self._pages(following):
            for intents, *columns in page:
                yield columns[2], intents, None if columns[-1] is None else self._line(columns)

    def lines_of_row(self, run: int, row: int) -> list[Line]:
        """The lines of one of a run's rows, oldest first."""
        return self._lines("run = %s AND row = %s ORDER BY seq", run, row)

    def states_of(self, markers: Iterable[str]) -> Mapping[str, RowState]:
        """What all runs together know of identities; one that was never sent or settled is left out."""
        sql = (
            f"SELECT {_COLUMNS} FROM batchconnect.entry "
            f"WHERE marker = ANY (%s) AND {OF_MARKER} ORDER BY marker, seq"
        )
        parts = (
            (sql, (texts([marker.encode() for marker in part]),))
            for part in _in_parts(markers, _ASKED_AT_ONCE)
        )
        found: dict[str, RowState] = {}
        for page in self._pages(lambda _page: next(parts, None)):
            for marker, told_of in groupby(map(self._line, page), attrgetter("marker")):
                found[marker] = fold_identity(marker, list(told_of))
        return found

    def identities(self) -> Identities:
        """As of `LedgerReader.identities`, for one way there and back."""
        of_open, of_deleted, _set, of_any = self._ask_all(
            (_OPEN_MARKERS, ()), (_DELETED_MARKERS, ()), (_BY_INDEX, ()), (_ANY_MARKER, ())
        )
        return Identities(
            open=[marker for (marker,) in of_open],
            deleted=[marker for (marker,) in of_deleted],
            has_any=bool(of_any),
        )

    def open_markers(self) -> list[str]:
        """Every identity that was sent and never answered, whichever the run."""
        return self._column(_OPEN_MARKERS)

    def deleted_markers(self) -> list[str]:
        """Every identity whose connection was deleted by our hand, or may have been."""
        return self._column(_DELETED_MARKERS)

    def tested_markers(self) -> list[str]:
        """Every identity whose connection was found not to work, at whatever time."""
        return self._column(
            f"SELECT DISTINCT marker FROM batchconnect.entry WHERE {OF_MARKER} AND {IS_TEST} "
            "AND strpos(body, %s) > 0",
            SAYS_NO.decode(),
        )

    def has_markers(self) -> bool:
        """Whether anything was ever sent, or settled with an identity; in a new ledger, nothing was."""
        return bool(self._ask_by_index(_ANY_MARKER))

    def has_sent(self) -> bool:
        """Whether any intent was ever written: without one, the ledger is new, or was lost."""
        found = self._ask("SELECT 1 FROM batchconnect.about WHERE word = %s", f"{_NOTED}sending")
        return bool(found)

    def _lines(self, where: str, *values: object) -> list[Line]:
        sql = f"SELECT {_COLUMNS} FROM batchconnect.entry WHERE {where}"
        return [self._line(columns) for columns in self._ask_by_index(sql, *values)]

    def _column(self, sql: str, *values: object) -> list[str]:
        return [value for (value,) in self._ask(sql, *values)]

    def _ask(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return self._connections.ask(lambda session: _answer(session, sql, values))

    def _ask_all(self, *questions: Question) -> list[_Page]:
        """The answers to several questions, for one way there and back."""
        return self._connections.ask(lambda session: answers(session, *questions))

    def _pages(self, following: Callable[[_Page | None], Question | None]) -> Iterator[_Page]:
        """
        Page after page, by index; the next one is on its way while this one is used, and no third.

        Args:
            following: What is asked behind a page, None behind all of them; and first, behind none.
        """
        answer: Callable[[], _Page] | None = None
        question = following(None)
        while question is not None:
            page = self._ask_by_index(question[0], *question[1]) if answer is None else answer()
            question = following(page)
            if question is not None:
                asking = partial(_answer_by_index, question=question)
                answer = self._connections.ask_ahead(asking)
            yield page

    def _ask_by_index(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """As `_ask`, where the lines that are asked for stand side by side in an index, in their order."""
        return self._connections.ask(partial(_answer_by_index, question=(sql, values)))

    def _line(self, columns: Sequence[Any]) -> Line:
        seq, run, row, marker, kind, at_ms, body = columns
        try:
            entry = decode(kind, body)
        except UnknownKindError as error:
            raise self._newer(f"line {seq}: {error}") from None
        except ValueError as error:
            raise LedgerError(
                f"line {seq} of the ledger {self.name} cannot be read: {error}",
                hint="The ledger is kept as it is. Restore it from a backup, or name another --ledger.",
            ) from None
        return Line(entry=entry, run=run, row=row, marker=marker, at_ms=at_ms)

    # Opening ------------------------------------------------------------------------------------

    def _check(self, belongs: Mapping[str, str], *, read_only: bool) -> None:
        of_about = ("SELECT word, value FROM batchconnect.about", ())
        ((is_replica, isolation),), about = self._ask_all(
            ("SELECT pg_is_in_recovery(), current_setting('transaction_isolation')", ()), of_about
        )
        if is_replica and not read_only:
            raise LedgerError(
                f"the ledger {self.name} is a read replica: nothing can be written to it",
                hint="Name the primary; of several hosts target_session_attrs=read-write finds it.",
            )
        if not read_only:
            check_isolation(self.name, isolation)
        known = self._about = dict(about)
        if "schema" not in known:
            raise LedgerError(
                f"the ledger {self.name}: the schema batchconnect of this database is something else's",
                hint="Name another database with --ledger.",
            )
        version = int(known["schema"])
        if version > VERSION:
            raise self._newer(f"schema {version}, this one knows {VERSION}")
        if version < VERSION:
            raise LedgerError(
                f"the ledger {self.name} has schema {version}, this batchconnect needs {VERSION}",
                hint="`batchconnect ledger upgrade` brings it there, by the role that made it.",
            )
        unknown = sorted(
            word.removeprefix(_NOTED)
            for word in known
            if word.startswith(_NOTED) and word.removeprefix(_NOTED) not in BY_WORD
        )
        if unknown:
            raise self._newer(f"lines of the kind {', '.join(unknown)}")
        if not read_only and belongs.keys() - known.keys():
            _done, about = self._ask_all(
                (
                    "SELECT batchconnect.belong(%s, %s)",
                    (list(belongs), list(belongs.values())),
                ),
                of_about,
            )
            known = self._about = dict(about)
        for word, value in belongs.items():
            found = known.get(word, value)
            if found != value:
                raise LedgerError(
                    f"the ledger {self.name} belongs to the {word} {found}, not to {value}",
                    hint="Name another database with --ledger; one ledger accounts for one service.",
                )

    def _newer(self, what: str) -> LedgerError:
        return LedgerError(
            f"the ledger {self.name} was written by a newer batchconnect ({what})",
            hint="Update batchconnect, or name another --ledger.",
        )


def check_isolation(name: str, isolation: str) -> None:
    """
    See that a statement sees what was committed before it, as the schema's functions are made for.

    Elsewhere all of a transaction sees what stood there at its beginning: who takes a lane would not see the
    lines of whoever held it until just then. It is not set here, for a setting of a session does not hold
    behind PgBouncer, and a transaction around each statement costs two more round trips.

    Raises:
        LedgerError: It is another one by default.
    """
    if isolation != "read committed":
        raise LedgerError(
            f"the ledger {name}: transactions are {isolation} by default there, and have to be read committed",
            hint="ALTER ROLE ... IN DATABASE ... SET default_transaction_isolation = 'read committed'.",
        )


def _answer(session: Session, sql: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
    with session.cursor(binary=True) as cursor:
        return cursor.execute(sql.encode(), values or None).fetchall()


def _answer_by_index(session: Session, *, question: Question) -> _Page:
    _set, found = answers(session, (_BY_INDEX, ()), question)
    return found


def _in_parts(values: Iterable[_Value], size: int) -> Iterator[list[_Value]]:
    told = iter(values)
    while part := list(islice(told, size)):
        yield part
