"""
A PostgreSQL cluster of the tests' own: made by `initdb` in a folder, on a free port, gone at the end.

As root, PostgreSQL refuses to run; then the cluster is of a user without rights. Where there is no
PostgreSQL, the tests that need one say so and are skipped.
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from batchconnect.ledger.postgres import schema
from batchconnect.ledger.postgres.connections import open_session
from batchconnect.model.ledger_address import LedgerAddress
from batchconnect.model.secret import Secret

MISSING = "no PostgreSQL here: apt-get install postgresql"
OWNER = "owner"
PASSWORD = "c4n4ry-of-the-cluster-0WNER"
_USERS = ("postgres", "nobody")
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "log_min_messages": "fatal",
    "lc_messages": "C",
}


def bindir() -> Path | None:
    """Where PostgreSQL's programs are; the newest, where there are several."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    on_path = shutil.which("initdb")
    return found[0].parent if found else Path(on_path).parent if on_path else None


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(kw_only=True)
class Cluster:
    """One server, with as many databases as tests ask for."""

    programs: Path
    folder: Path
    port: int
    user: str | None
    """Who runs it, where that is not us."""
    _numbers: Iterator[int] = field(default_factory=count)

    @property
    def data(self) -> Path:
        """Where it keeps what it has."""
        return self.folder / "data"

    def run(self, program: str, *words: str | Path) -> None:
        """Run one of PostgreSQL's programs as the cluster's user."""
        done = subprocess.run(
            [self.programs / program, *map(str, words)],
            user=self.user,
            cwd=self.folder,
            env={"PATH": os.defpath, "LC_ALL": "C", "HOME": str(self.folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, f"{program}: {done.stdout}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        log = self.folder / "log"
        self.run("pg_ctl", "start", "-w", "-s", "-D", self.data, "-l", log, "-o", f"-p {self.port}")

    def stop(self, mode: str = "fast") -> None:
        """End it: `fast`, or `immediate` as a crash does."""
        self.run("pg_ctl", "stop", "-w", "-s", "-D", self.data, "-m", mode)

    def set(self, **settings: str) -> None:
        """Have settings count from the next start, or reload, on."""
        with (self.data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def address(
        self, database: str, *, user: str = OWNER, over_tcp: bool = False, **options: str
    ) -> LedgerAddress:
        """Where a database is; over TCP a password is asked for."""
        told = dict(options) if over_tcp else {"host": str(self.folder), **options}
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in told.items())
        place = f"127.0.0.1:{self.port}" if over_tcp else f":{self.port}"
        return LedgerAddress(Secret(f"postgresql://{user}@{place}/{database}?{query}"))

    def session(self, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        """The owner's own connection, for what a test does with SQL."""
        return open_session(self.address(database))

    def database(self, template: str = "template1") -> str:
        """A new database of this name."""
        name = f"d{next(self._numbers)}"
        with self.session() as session:
            session.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        return name

    def ledger(self) -> LedgerAddress:
        """A new ledger, as `batchconnect ledger init` makes it."""
        return self.address(self.database("ledger_template"))


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A cluster for as long as the block goes on, with a ledger to copy."""
    programs = bindir()
    if programs is None:
        pytest.skip(MISSING)
    # Not among pytest's own folders: those no other user may enter. A socket's path has to be short.
    folder = Path(tempfile.mkdtemp(prefix="bc-pg-"))
    user = None
    try:
        if os.geteuid() == 0:
            user = next(name for name in _USERS if _exists(name))
            shutil.chown(folder, user)
        made = Cluster(programs=programs, folder=folder, port=free_port(), user=user)
        password = folder / "password"
        password.write_text(PASSWORD)
        if user:
            shutil.chown(password, user)
        made.run(
            *("initdb", "-D", made.data, "-U", OWNER, "--no-sync", "--encoding=UTF8", "--locale=C"),
            *("--auth-local=trust", "--auth-host=scram-sha-256", "--pwfile", password),
        )
        made.set(**_SETTINGS, unix_socket_directories=str(folder))
        made.start()
        try:
            with made.session() as session:
                session.execute(b"CREATE DATABASE ledger_template")
            with made.session("ledger_template") as session:
                schema.make(session)
            yield made
        finally:
            made.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
