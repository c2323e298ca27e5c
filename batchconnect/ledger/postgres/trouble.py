"""
The door: what psycopg raises becomes a `LedgerError` that says what is wrong and what to do.

What libpq and the server say may repeat the address, so nothing of it is shown before the passwords are
cut out; of an address that cannot be read nothing is repeated at all.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from psycopg import errors as e
from psycopg.conninfo import make_conninfo
from psycopg.pq import PGconn, Ping

from batchconnect.ledger.postgres.migrations import LANE_LOST, LINES_LOST, OTHER_LINES
from batchconnect.model.errors import LaneLostError, LedgerError, LedgerGoneError
from batchconnect.model.ledger_address import LedgerAddress
from batchconnect.model.secret import MASK

_NEEDS_INIT: Final = "`batchconnect ledger init` makes a ledger in a schema of its own, by a role that may create one."
_AGAIN: Final = "Then give the same command again: it goes on where it stopped."
_NEW_LEDGER: Final = (
    "Nothing more was sent. A fail-over to an asynchronous replica, or a backup, lost what was written: "
    "give the same command again with --settle-first."
)
_HINTS: Final = (
    ("password authentication failed", "Put the right password into ~/.pgpass, or PGPASSWORD."),
    ("no password supplied", "Put the password into ~/.pgpass, or PGPASSWORD."),
    ("fe_sendauth", "Put the password into ~/.pgpass, or PGPASSWORD."),
    ("pg_hba.conf", "Let the server's pg_hba.conf admit this machine, user and database."),
    (
        "certificate",
        "Name the authority's certificate as sslrootcert, and the host as the certificate has it.",
    ),
    ("SSL", "Let the server speak TLS, or choose another sslmode."),
    ("resolve host", "Correct host and port in the address, or the name service."),
    ("could not translate host name", "Correct the host in the address, or the name service."),
    ("read-write", "Name the primary: a replica cannot be written to."),
    ("read-only", "Name the primary: a replica cannot be written to."),
    ("role ", "Name a role that the server has; CREATE ROLE makes one."),
    ("does not exist", "Correct the address of the database, or have it made."),
    ("too many", "Let the server take more connections, or put PgBouncer before it."),
    (
        "remaining connection slots",
        "Let the server take more connections, or put PgBouncer before it.",
    ),
    (
        "permission denied for database",
        "Let the role make a schema there, by GRANT CREATE ON DATABASE, or have the owner give the command.",
    ),
    ("must be owner", "Have the role that made the ledger give the command."),
    (
        "permission denied",
        "Have the role granted what it needs: `batchconnect ledger init --grant ROLE`.",
    ),
    ("No space left", f"Free space on the server. {_AGAIN}"),
    ("could not extend file", f"Free space on the server. {_AGAIN}"),
)
_SEE_SERVER: Final = f"See that the server runs and can be reached from here. {_AGAIN}"
_NOT_READY: Final = (
    "The server is there and takes no connections: it starts, recovers from a crash, or ends. Its log says "
    f"how far it is. {_AGAIN}"
)
_PING_S: Final = "2"
_LINE_START: Final = re.compile(r"\s*\n\s*(?:DETAIL|HINT|CONTEXT|LINE|QUERY)\b.*", re.DOTALL)

_PASSING: Final = (
    e.ConnectionException,
    e.AdminShutdown,
    e.CrashShutdown,
    e.CannotConnectNow,
    e.TooManyConnections,
    e.SerializationFailure,
    e.DeadlockDetected,
)
"""What another try may mend, besides a connection that broke."""


def is_passing(error: psycopg.Error, *, is_lost: bool) -> bool:
    """
    Whether the server was away, or is; then what was asked is asked again.

    Args:
        error: What was raised.
        is_lost: Whether the connection broke with it, or never came about. On one that stands the server has
            answered: that its disk is full, say, and asking again would only keep a person waiting.
    """
    # Of lines that were sent twice, the second may meet the first at its end.
    is_twice = error.diag.constraint_name == "entry_pkey"
    if isinstance(error, _PASSING) or is_twice:
        return True
    return is_lost and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)


def is_not_ready(error: psycopg.OperationalError, conninfo: str) -> bool:
    """
    Whether a server that let nobody in is there, and takes no connections yet, or no more.

    libpq keeps the state (57P03) to itself and hands on the server's words, in the server's language. What
    is said in another one than English is asked about: libpq's ping is answered with just this.
    """
    if isinstance(error, e.ConnectionTimeout):
        return False  # nobody answered at all
    if "the database system is " in str(error):
        return True
    asked = make_conninfo(conninfo, connect_timeout=_PING_S)
    return PGconn.ping(asked.encode()) == Ping.REJECT


@contextmanager
def translated(address: LedgerAddress) -> Iterator[None]:
    """Have every error of psycopg told as a `LedgerError`."""
    try:
        yield
    except psycopg.Error as error:
        told = ledger_error(error, address)
        try:
            raise told
        except LedgerError:
            # What psycopg says may hold the address. In a context manager it is still handled, and would be kept.
            told.__context__ = None
            raise


def ledger_error(error: psycopg.Error, address: LedgerAddress) -> LedgerError:
    """What is wrong, in one line, and what to do."""
    where, state = f"the ledger {address}", error.sqlstate
    text = shown(error, address)
    if state == LANE_LOST:
        return LaneLostError(
            f"{where}: another process holds the lane by now",
            hint="What was in flight here stands in the ledger; who holds the lane settles it.",
        )
    if state in {LINES_LOST, OTHER_LINES}:
        return LedgerGoneError(f"{where} is not as it was left: {text}", hint=_NEW_LEDGER)
    if isinstance(error, e.UndefinedTable | e.InvalidSchemaName | e.UndefinedFunction):
        return LedgerError(f"{where}: the database holds no ledger yet", hint=_NEEDS_INIT)
    if isinstance(error, e.CannotConnectNow):
        return LedgerError(f"{where}: {text}", hint=_NOT_READY)
    hint = next((hint for word, hint in _HINTS if word in text), _SEE_SERVER)
    return LedgerError(f"{where}: {text}", hint=hint)


def shown(error: BaseException, address: LedgerAddress) -> str:
    """The first of what the server says, in one line, without a password."""
    text = _LINE_START.sub("", str(error).strip())
    for secret in (*address.passwords, address.url):
        for spelled in secret.spelled():
            text = text.replace(spelled, MASK)
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    # Of several tries, one for each address of a host, the last line says most.
    return "; ".join(dict.fromkeys(lines)) or type(error).__name__
