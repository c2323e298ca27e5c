"""
Connections to the ledger's database: few, each for one question at a time, made anew where one broke.

Nothing is kept in a session, so that any of them may answer, through PgBouncer's transaction mode too.
Whatever is asked here may be asked again: questions change nothing, and lines have their numbers.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import psycopg
from psycopg import errors as e
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from batchconnect.ledger.postgres.arrays import teach
from batchconnect.ledger.postgres.trouble import is_not_ready, is_passing, translated
from batchconnect.model.errors import LedgerError
from batchconnect.model.ledger_address import LedgerAddress

Session = psycopg.Connection[tuple[object, ...]]
_Answer = TypeVar("_Answer")

MOST: Final = 8
"""At once; more who ask wait. Every lane commits for itself, and a server is quickest with few."""
PATIENCE_S: Final = 20.0
"""For how long a server that was there may be away (a restart, a fail-over) before that is an error. One that
answers that it takes no connections yet is there, and is waited for as long at first contact, too."""
RECOVERY_S: Final = 60.0
"""For how long one that was there may say so: after a crash it first reads what it had not yet put in place."""
_FIRST_WAIT_S: Final = 0.1
_LONGEST_WAIT_S: Final = 2.0

_ALWAYS: Final = {
    "connect_timeout": "10",
    "keepalives": "1",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
    "application_name": "batchconnect",
}
"""A server that is cut off is missed after seconds; by default TCP waits for a quarter of an hour. What the
address itself says of these counts."""


@dataclass(slots=True)
class _Lent:
    """A connection that one question has."""

    session: Session
    was_kept: bool
    """It answered before, who knows when; else it was made for this question."""
    is_broken: bool = False
    """It broke by itself."""


class Connections:
    """
    Opens, keeps and lends them. Safe to share between threads.

    Args:
        address: Where to.
        patience_s: Seconds for which a server that was there may be away.
        recovery_s: Seconds for which it may say that it takes no connections yet.
        sleep: Waits for so many seconds, in the caller's thread.
    """

    def __init__(
        self,
        address: LedgerAddress,
        *,
        patience_s: float = PATIENCE_S,
        recovery_s: float = RECOVERY_S,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.address = address
        self._patience_s = patience_s
        self._recovery_s = recovery_s if patience_s else 0.0
        self._sleep = sleep
        self._idle: list[Session] = []
        self._mutex = threading.Lock()
        self._slots = threading.BoundedSemaphore(MOST)
        self._coming: list[threading.Thread] = []
        """Each makes a connection that nobody has asked for yet."""
        self._was_there = False
        self._is_closed = False

    def open_ahead(self) -> None:
        """
        Make a connection beside whatever else is done, so that whoever asks first need not wait for it.

        What is wrong with the server is met by whoever asks.
        """
        coming = threading.Thread(target=self._open_one, name="connection", daemon=True)
        with self._mutex:
            self._coming.append(coming)
        coming.start()

    def _open_one(self) -> None:
        with suppress(psycopg.Error, LedgerError):
            self._keep(self._opened())

    def ask_ahead(self, question: Callable[[Session], _Answer]) -> Callable[[], _Answer]:
        """
        Have a question answered beside whatever else is done.

        Returns:
            Waits for the answer; raises as `ask` does.
        """
        told: list[_Answer] = []
        failed: list[BaseException] = []

        def ask() -> None:
            try:
                told.append(self.ask(question))
            except BaseException as error:  # noqa: BLE001 - raised where it is waited for
                failed.append(error)

        def answer() -> _Answer:
            asking.join()
            if failed:
                raise failed[0]
            return told[0]

        asking = threading.Thread(target=ask, name="question", daemon=True)
        asking.start()
        return answer

    def ask(self, question: Callable[[Session], _Answer], *, waits: bool = True) -> _Answer:
        """
        Have a question answered; again, where the connection breaks on the way.

        Args:
            question: Asks it.
            waits: Whether a server that is away is waited for; else only a kept connection that turns out to be
                broken is replaced.

        Raises:
            LedgerError: The server is away, or refuses.
        """
        began, wait_s = time.monotonic(), _FIRST_WAIT_S
        while True:
            if self._is_closed:
                raise LedgerError(f"the ledger {self.address} is closed already")
            with translated(self.address):
                lent: _Lent | None = None
                try:
                    with self._lent() as lent:
                        return question(lent.session)
                except psycopg.Error as error:
                    if lent is not None and lent.was_kept and lent.is_broken:
                        # A restart, or a server's limit for idle sessions, broke the others too.
                        self._close_idle()
                        continue
                    is_lost = lent is None or lent.is_broken
                    waits_s = self._waits_s(error, is_lost=is_lost) if waits else 0.0
                    if time.monotonic() - began >= waits_s:
                        raise
            self._sleep(wait_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    def _waits_s(self, error: psycopg.Error, *, is_lost: bool) -> float:
        """For how long what failed so is asked again."""
        if isinstance(error, e.CannotConnectNow):
            return self._recovery_s if self._was_there else self._patience_s
        return self._patience_s if self._was_there and is_passing(error, is_lost=is_lost) else 0.0

    def stream(self, sql: str, *, page: int) -> Iterator[tuple[object, ...]]:
        """
        Answer after answer to one long question, all of one moment, without holding them.

        Raises:
            LedgerError: The server is away, or refuses; such a question is not asked again.
        """
        with translated(self.address), self._lent() as lent, lent.session.transaction():
            cursor = lent.session.cursor("long_question", binary=True)
            cursor.itersize = page
            with cursor:
                yield from cursor.execute(sql.encode())

    def close(self) -> None:
        """Close all that nobody uses; the others when they are given back."""
        self._is_closed = True
        self._close_idle()

    def _close_idle(self) -> None:
        with self._mutex:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    @contextmanager
    def _lent(self) -> Iterator[_Lent]:
        with self._slots:
            connection = self._kept()
            was_kept = connection is not None
            if connection is None:
                connection = self._opened()
            lent = _Lent(connection, was_kept=was_kept)
            try:
                yield lent
            except BaseException:
                lent.is_broken = connection.closed
                # Whatever is half done in it, or was half read, is nobody's any more.
                connection.close()
                raise
            self._keep(connection)

    def _opened(self) -> Session:
        session = open_session(self.address)
        self._was_there = True
        return session

    def _kept(self) -> Session | None:
        """One that nobody uses, waited for where it is on its way; None: there is none."""
        while True:
            with self._mutex:
                if self._idle:
                    return self._idle.pop()
                if not self._coming:
                    return None
                coming = self._coming.pop()
            coming.join()

    def _keep(self, connection: Session) -> None:
        with self._mutex:
            if not self._is_closed:
                self._idle.append(connection)
                return
        connection.close()


Question = tuple[str, Sequence[object]]
"""A statement, and its values."""


def answers(session: Session, *questions: Question) -> list[list[tuple[Any, ...]]]:
    """
    The answers to several questions, for one way there and back.

    All of it is one transaction, in which each statement sees what was committed before it. Nothing is read before
    the last one is sent: whoever waits for an answer within libpq's pipeline waits for its end once more.
    """
    asked: list[psycopg.Cursor[tuple[Any, ...]]] = []
    broken: psycopg.Error | None = None
    try:
        with session.pipeline():
            try:
                for sql, values in questions:
                    cursor = session.cursor(binary=True)
                    asked.append(cursor.execute(sql.encode(), values or None))
            except psycopg.Error as error:
                # At the pipeline's end psycopg would log what follows from it: for people, on the screen.
                broken = error
    except psycopg.Error as error:
        broken = broken or error
    if broken is not None:
        raise broken
    return [cursor.fetchall() for cursor in asked]


def open_session(address: LedgerAddress) -> Session:
    """
    Connect.

    Raises:
        LedgerError: The address cannot be read; nothing of it is repeated.
        psycopg.errors.CannotConnectNow: The server is there, and takes no connections yet, or no more.
        psycopg.Error: It is away, or refuses.
    """
    try:
        told = conninfo_to_dict(address.url.reveal())
    except (psycopg.Error, UnicodeError):
        told = None
    if told is None:
        raise LedgerError(
            "the ledger's address cannot be read",
            hint="It is postgresql://USER@HOST:PORT/DATABASE, with ?sslmode=verify-full&sslrootcert=FILE "
            "and the like behind it.",
        )
    conninfo = make_conninfo("", **{**_ALWAYS, **told, "client_encoding": "utf8"})
    try:
        # No statement is prepared: behind PgBouncer the next one may go to another session.
        connection = psycopg.connect(conninfo, autocommit=True, prepare_threshold=None)
    except psycopg.OperationalError as error:
        if not is_not_ready(error, conninfo):
            raise
        text = str(error)
    else:
        teach(connection)
        return connection
    raise e.CannotConnectNow(text)
