"""What an operator does to the ledger's schema, and asks of its server; lines are the store's matter."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from batchconnect.ledger.health import Health, Made
from batchconnect.ledger.postgres import schema
from batchconnect.ledger.postgres.connections import Connections, Session
from batchconnect.ledger.postgres.migrations import VERSION
from batchconnect.ledger.postgres.store import PostgresLedger, check_isolation
from batchconnect.model.errors import LedgerError
from batchconnect.model.ledger_address import LedgerAddress

_Answer = TypeVar("_Answer")
_NO_ENCODING: Final = "Make the database with ENCODING 'UTF8' TEMPLATE template0."


def init(address: LedgerAddress, *, writers: Sequence[str], readers: Sequence[str]) -> Made:
    """
    Make the schema where there is none, and let roles in.

    Raises:
        LedgerError: The server is away or refuses, or the schema is not ours, or of another version.
    """

    def question(session: Session) -> Made:
        before = _version(session, address)
        if 0 < before < VERSION:
            raise _older(address, before)
        if before == 0:
            _check_encoding(session, address)
            schema.make(session)
        for roles, writes in ((writers, True), (readers, False)):
            for role in roles:
                schema.grant(session, role, writes=writes)
        return Made(name=str(address), before=before, version=VERSION)

    return _ask(address, question)


def upgrade(address: LedgerAddress) -> Made:
    """
    Bring the schema to the version of today.

    Raises:
        LedgerError: As of `init`, or there is no ledger.
    """

    def question(session: Session) -> Made:
        before = _version(session, address)
        if before == 0:
            raise LedgerError(
                f"the ledger {address}: the database holds no ledger yet",
                hint="`batchconnect ledger init` makes one.",
            )
        schema.make(session)
        return Made(name=str(address), before=before, version=VERSION)

    return _ask(address, question)


def check(address: LedgerAddress, *, simulated: bool) -> Health:
    """
    Look at the ledger and at its server as a run would, without writing a line.

    Raises:
        LedgerError: A run could not use it.
    """
    # As a reader, for the ledger may have been used for neither mode yet.
    with PostgresLedger(address, simulated=simulated, read_only=True) as ledger:
        host, _ = ledger.belongs_to
        mode = ledger.mode

    def question(session: Session) -> Health:
        told = session.execute(
            "SELECT name, setting FROM pg_settings "
            "WHERE name IN ('server_version', 'fsync', 'full_page_writes')"
        )
        settings = {str(name): str(value) for name, value in told}
        found = session.execute(
            "SELECT pg_is_in_recovery(), (SELECT count(*) FROM batchconnect.run), "
            "pg_size_pretty(pg_total_relation_size('batchconnect.entry')), "
            "bool_and(has_function_privilege(p.oid, 'EXECUTE')), "
            "coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false), "
            "current_setting('transaction_isolation') "
            "FROM pg_proc AS p WHERE p.pronamespace = 'batchconnect'::regnamespace "
            "AND p.prorettype <> 'trigger'::regtype"
        ).fetchone()
        assert found is not None
        is_replica, runs, size, may_write, is_encrypted, isolation = found
        check_isolation(str(address), str(isolation))
        return Health(
            name=str(address),
            version=VERSION,
            server=settings["server_version"],
            mode=mode,
            host=host or "",
            runs=int(str(runs)),
            size=str(size),
            may_write=bool(may_write) and not is_replica,
            is_encrypted=bool(is_encrypted),
            warnings=tuple(_warnings(settings, is_replica=bool(is_replica))),
        )

    return _ask(address, question)


def _warnings(settings: Mapping[str, str], *, is_replica: bool) -> list[str]:
    found = []
    if is_replica:
        found.append("the server is a read replica: a run needs the primary")
    if settings["fsync"] == "off":
        found.append("fsync is off: a crash of the server loses what it confirmed; set it to on")
    if settings["full_page_writes"] == "off":
        found.append("full_page_writes is off: a crash may damage the ledger; set it to on")
    return found


def _version(session: Session, address: LedgerAddress) -> int:
    version = schema.version_of(session)
    if version < 0:
        raise LedgerError(
            f"the ledger {address}: the schema batchconnect of this database is something else's",
            hint="Name another database: CREATE DATABASE batchconnect, and its address with --ledger.",
        )
    if version > VERSION:
        raise LedgerError(
            f"the ledger {address} was written by a newer batchconnect (schema {version}, this one "
            f"knows {VERSION})",
            hint="Update batchconnect, or name another --ledger.",
        )
    return version


def _older(address: LedgerAddress, version: int) -> LedgerError:
    return LedgerError(
        f"the ledger {address} has schema {version}, this batchconnect needs {VERSION}",
        hint="`batchconnect ledger upgrade` brings it there, by the role that made it.",
    )


def _check_encoding(session: Session, address: LedgerAddress) -> None:
    found = session.execute("SHOW server_encoding").fetchone()
    if found is None or found[0] != "UTF8":
        raise LedgerError(f"the ledger {address}: the database is not in UTF-8", hint=_NO_ENCODING)


def _ask(address: LedgerAddress, question: Callable[[Session], _Answer]) -> _Answer:
    connections = Connections(address)
    try:
        return connections.ask(question)
    finally:
        connections.close()
