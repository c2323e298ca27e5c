"""
Makes the ledger's schema, brings an older one to the form of today, and says who may use it.

The owner does that; who runs sheets needs no more than the functions, and who only looks no more than to
read. So even with SQL nobody but the owner changes a line, and the owner meets the triggers.
"""

from collections.abc import Iterable
from typing import Final
from uuid import uuid4

from psycopg import sql

from batchconnect.ledger.postgres.connections import Session
from batchconnect.ledger.postgres.migrations import MIGRATIONS, SCHEMA, VERSION

_LOCK: Final = 0x62634C32
"""Of whoever makes or upgrades a schema, so that two do not at once."""


def make(session: Session) -> int:
    """
    Bring the schema from whatever it is to that of today, in one transaction.

    Returns:
        The version that it had, 0 where there was none.
    """
    with session.transaction():
        session.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        before = version_of(session)
        for version in range(before + 1, VERSION + 1):
            for statement in MIGRATIONS[version]:
                session.execute(statement.encode())
        if before < VERSION:
            roles = [role for role in _roles(session) if before]
            session.execute(
                "INSERT INTO batchconnect.about VALUES ('schema', %s), ('id', %s) "
                "ON CONFLICT (word) DO UPDATE SET value = excluded.value WHERE about.word = 'schema'",
                [str(VERSION), str(uuid4())],
            )
            for role, writes in roles:
                grant(session, role, writes=writes)
    return before


def version_of(session: Session) -> int:
    """Of the schema that is there; 0: there is none. What is no ledger of ours is -1."""
    (has_schema, has_about) = session.execute(
        "SELECT to_regnamespace(%s) IS NOT NULL, to_regclass(%s) IS NOT NULL",
        [SCHEMA, f"{SCHEMA}.about"],
    ).fetchone() or (False, False)
    if not has_schema:
        return 0
    if not has_about:
        return -1
    found = session.execute("SELECT value FROM batchconnect.about WHERE word = 'schema'").fetchone()
    return int(str(found[0])) if found else -1


def grant(session: Session, role: str, *, writes: bool) -> None:
    """Let a role look at the ledger, or run sheets on it; lines go in by the functions alone."""
    statements: Iterable[str] = (
        "GRANT USAGE ON SCHEMA batchconnect TO {}",
        "GRANT SELECT ON ALL TABLES IN SCHEMA batchconnect TO {}",
        "GRANT SELECT ON ALL SEQUENCES IN SCHEMA batchconnect TO {}",
        *(["GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA batchconnect TO {}"] if writes else []),
    )
    with session.transaction():
        for statement in statements:
            session.execute(sql.SQL(statement).format(sql.Identifier(role)))


def _roles(session: Session) -> list[tuple[str, bool]]:
    """Who was let in, and whether to write."""
    found = session.execute(
        "SELECT r.rolname, has_function_privilege(r.oid, p.oid, 'EXECUTE') "
        "FROM pg_namespace AS n, aclexplode(n.nspacl) AS a, pg_roles AS r, pg_proc AS p "
        "WHERE n.nspname = 'batchconnect' AND a.privilege_type = 'USAGE' AND r.oid = a.grantee "
        "AND r.oid <> n.nspowner AND p.pronamespace = n.oid AND p.proname = 'append'"
    ).fetchall()
    return [(str(name), bool(writes)) for name, writes in found]
