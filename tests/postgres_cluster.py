"""
A PostgreSQL cluster of the tests' own: made by `initdb` in a folder, on a free port, gone at the end.

As root, PostgreSQL refuses to run; then the cluster is of a user without rights. Where there is no
PostgreSQL, the tests and benchmarks that need one say so and are skipped.
"""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from unittest import SkipTest
from urllib.parse import quote

import psycopg
from psycopg.pq import PGconn, Ping

from batchconnect.ledger.postgres import schema
from batchconnect.ledger.postgres.connections import open_session
from batchconnect.model.ledger_address import LedgerAddress
from batchconnect.model.secret import Secret

MISSING = "no PostgreSQL here: apt-get install postgresql"
OWNER = "owner"
PASSWORD = "c4n4ry-of-the-cluster-0WNER"
LIMIT_S = 300
"""Whatever takes longer hangs: a busy disk may make a minute of what takes a second elsewhere."""
_FIRST_PORT, _PORTS = 20_000, 12_000
"""Below those that systems give to outgoing connections."""
_USERS = ("postgres", "nobody")
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "log_min_messages": "fatal",
    "lc_messages": "C",
    # No test pulls the power: what a server has written is there after any crash of its own. So nothing waits
    # for the disk, as each commit, and above all the first start after a crash, would.
    "fsync": "off",
}


def bindir() -> Path | None:
    """Where PostgreSQL's programs are; the newest, where there are several."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    on_path = shutil.which("initdb")
    return found[0].parent if found else Path(on_path).parent if on_path else None


def free_port() -> int:
    """
    A port of loopback that nobody listens on now, and that no outgoing connection is given.

    Between this and the server's start seconds may pass; and a client that knocks at a closed port of the other
    range may be given just that one, and then talks to itself.
    """
    while True:
        port = _FIRST_PORT + secrets.randbelow(_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def until(what: Callable[[], object], *, why: str) -> None:
    """Wait for something that will be, however slow the machine is."""
    end = time.monotonic() + LIMIT_S
    while not what():
        assert time.monotonic() < end, why
        time.sleep(0.05)


@dataclass(kw_only=True)
class Cluster:
    """One server, with as many databases as tests ask for."""

    programs: Path
    folder: Path
    port: int
    user: str | None
    """Who runs it, where that is not us."""
    namespace: Path | None = None
    """Of the network that it runs in, where that is not ours."""
    _numbers: Iterator[int] = field(default_factory=count)

    @property
    def data(self) -> Path:
        """Where it keeps what it has."""
        return self.folder / "data"

    def run(self, program: str, *words: str | Path) -> None:
        """Run one of PostgreSQL's programs as the cluster's user."""
        into: list[str] = []
        if self.namespace is not None and self.user is not None:
            who = pwd.getpwnam(self.user)
            # The namespace first, and then the rights that it takes to enter it are given away.
            of_user = [f"--setuid={who.pw_uid}", f"--setgid={who.pw_gid}"]
            into = ["nsenter", f"--net={self.namespace}", *of_user, "--"]
        done = subprocess.run(
            [*into, self.programs / program, *map(str, words)],
            user=None if into else self.user,
            cwd=self.folder,
            env={"PATH": os.defpath, "LC_ALL": "C", "HOME": str(self.folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            text=True,
            timeout=LIMIT_S + 60,
        )
        assert done.returncode == 0, f"{program}: {done.stdout}"

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        self._control("start", "-w", *self._started)

    def stop(self, mode: str = "fast") -> None:
        """End it: `fast`, or `immediate` as a crash does."""
        self._control("stop", "-w", "-m", mode)

    @contextmanager
    def starting_up(self) -> Iterator[Callable[[], None]]:
        """
        Start it so that it takes no connections until it is let; at the end of the block it does.

        It recovers from an archive, which keeps it waiting for a file.
        """
        hold = self.folder / "hold"
        hold.touch()
        (self.data / "recovery.signal").touch()
        if self.user:
            shutil.chown(self.data / "recovery.signal", self.user)
        wait = f"while test -e {hold}; do sleep 0.05; done; false"
        # Nor is it read in between, as after a crash.
        self.set(restore_command=wait, hot_standby="off")
        self._control("start", "-W", *self._started)

        def let() -> None:
            hold.unlink(missing_ok=True)

        try:
            until(lambda: self._pings() == Ping.REJECT, why="it does not say that it starts up")
            yield let
        finally:
            let()
            until(lambda: self._pings() == Ping.OK, why="it does not take connections")
            self.set(restore_command="", hot_standby="on")

    def reload(self, sql: str, goal: str) -> None:
        """Have changed settings count, and wait until a question is answered by them."""
        self._control("reload")

        def answer() -> object:
            with self.session() as session:
                return session.execute(sql.encode()).fetchone()

        until(lambda: answer() == (goal,), why=f"{sql} is not {goal}")

    @property
    def _started(self) -> tuple[str | Path, ...]:
        return ("-l", self.folder / "log", "-o", f"-p {self.port}")

    def _control(self, *words: str | Path) -> None:
        self.run("pg_ctl", *words, "-s", "-t", str(LIMIT_S), "-D", self.data)

    def _pings(self) -> int:
        return PGconn.ping(self.address("postgres").url.reveal().encode())

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
def cluster(*, namespace: Path | None = None, **settings: str) -> Iterator[Cluster]:
    """
    A cluster for as long as the block goes on, with a ledger to copy; with settings of its own.

    Args:
        namespace: Of the network that it is to run in; who enters it is root.
        settings: Of PostgreSQL.

    Raises:
        SkipTest: There is no PostgreSQL. A benchmark, which knows no pytest, hears of it so too.
    """
    programs = bindir()
    if programs is None:
        raise SkipTest(MISSING)
    # Not among pytest's own folders: those no other user may enter. A socket's path has to be short.
    folder = Path(tempfile.mkdtemp(prefix="bc-pg-"))
    user = None
    try:
        if os.geteuid() == 0:
            user = next(name for name in _USERS if _exists(name))
            shutil.chown(folder, user)
        made = Cluster(
            programs=programs, folder=folder, port=free_port(), user=user, namespace=namespace
        )
        password = folder / "password"
        password.write_text(PASSWORD)
        if user:
            shutil.chown(password, user)
        made.run(
            *("initdb", "-D", made.data, "-U", OWNER, "--no-sync", "--encoding=UTF8", "--locale=C"),
            *("--auth-local=trust", "--auth-host=scram-sha-256", "--pwfile", password),
        )
        made.set(**{**_SETTINGS, **settings}, unix_socket_directories=str(folder))
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
