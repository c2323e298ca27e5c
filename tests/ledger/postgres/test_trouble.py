"""Whatever is wrong with the server, the address or the schema is said with its cause and what to do; exit 5."""

import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from batchconnect.ledger.entry import Line, RunOpened, Sending
from batchconnect.ledger.interface import LaneKey
from batchconnect.ledger.postgres.connections import Connections, Session
from batchconnect.ledger.postgres.migrations import VERSION
from batchconnect.ledger.postgres.store import PostgresLedger
from batchconnect.model.errors import ExitCode, LedgerError
from batchconnect.model.ledger_address import LedgerAddress
from batchconnect.model.secret import Secret
from tests.postgres_cluster import LIMIT_S, PASSWORD, Cluster, free_port, until

LANE = LaneKey("platform.adobe.io", "5C1328435BF324E90A49402A@AdobeOrg", "client")
OPENED = Line(
    entry=RunOpened(run_id="20261130-1", sheets=("clients.csv",), sheet_sha256="ab"), at_ms=1
)
SENDING = Line(entry=Sending(number=1), run=1, row=2, marker="bc1-a", at_ms=2)
WRONG = "c4n4ry-wr0ng-password"


def name_of(address: LedgerAddress) -> str:
    return address.url.reveal().split("?")[0].rpartition("/")[2]


def over_tcp(
    cluster: Cluster, name: str, password: str = PASSWORD, **options: str
) -> LedgerAddress:
    return cluster.address(name, over_tcp=True, password=password, **options)


def refused(address: LedgerAddress, *, read_only: bool = False, **options: Any) -> LedgerError:
    """What is said; with a remedy, and never with a password."""
    with pytest.raises(LedgerError) as caught:
        PostgresLedger(address, read_only=read_only, **options)
    error = caught.value
    assert error.exit_code == ExitCode.LEDGER
    assert error.hint
    assert error.__cause__ is None
    assert error.__context__ is None
    told = f"{error!r} {error} {error.hint}"
    assert WRONG not in told
    assert PASSWORD not in told
    assert "\n" not in error.message
    return error


def test_a_server_that_is_away(postgres: Cluster) -> None:
    """At once: a ledger that was never there is not waited for."""
    address = LedgerAddress(Secret(f"postgresql://me:{WRONG}@127.0.0.1:{free_port()}/ledger"))
    error = refused(address)

    assert "Connection refused" in error.message
    assert "See that the server runs" in str(error.hint)


def test_a_host_that_has_no_address() -> None:
    """The name, or the name service, is wrong."""
    error = refused(LedgerAddress(Secret("postgresql://nowhere.invalid/ledger")))

    assert "Correct host" in str(error.hint)


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://me:{}@db:port/l",
        "postgresql://me:{}@db/l?what=1",
        "postgresql://me:{}\udc80@db/l",
    ],
)
def test_an_address_that_cannot_be_read_is_not_repeated(text: str) -> None:
    """The driver would repeat all of it, its password too."""
    error = refused(LedgerAddress(Secret(text.format(WRONG))))

    assert "address" in str(error.hint) + error.message


def test_a_wrong_password(postgres: Cluster) -> None:
    """It is said that it is wrong, not what it was."""
    error = refused(over_tcp(postgres, name_of(postgres.ledger()), WRONG))

    assert "password authentication failed" in error.message
    assert "~/.pgpass" in str(error.hint)


def test_no_password(postgres: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where one is asked for."""
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "none"))
    monkeypatch.delenv("PGPASSWORD", raising=False)
    error = refused(postgres.address(name_of(postgres.ledger()), over_tcp=True))

    assert "no password supplied" in error.message
    assert "~/.pgpass" in str(error.hint)


def test_a_password_of_the_environment_or_of_pgpass_is_taken(
    postgres: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By libpq, as every client of PostgreSQL does."""
    name = name_of(postgres.ledger())
    address = postgres.address(name, over_tcp=True)
    passfile = tmp_path / "pgpass"
    passfile.write_text(f"127.0.0.1:*:*:*:{PASSWORD}\n")
    passfile.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(passfile))
    PostgresLedger(address).close()
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "none"))
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    PostgresLedger(address).close()


@pytest.fixture
def certificate(postgres: Cluster) -> Iterator[Path]:
    """The server's own certificate, which it shows from now on."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here: apt-get install openssl")
    key, made = postgres.data / "server.key", postgres.data / "server.crt"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-keyout", str(key), "-out", str(made), "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    key.chmod(0o600)
    if postgres.user:
        shutil.chown(key, postgres.user)
        shutil.chown(made, postgres.user)
    postgres.set(ssl="on")
    postgres.reload("SHOW ssl", "on")
    yield made
    postgres.set(ssl="off")
    postgres.reload("SHOW ssl", "off")


@pytest.mark.slow
def test_a_certificate_that_is_not_trusted_is_refused_and_a_trusted_one_taken(
    postgres: Cluster, certificate: Path, tmp_path: Path
) -> None:
    """`sslmode` and `sslrootcert` go to libpq as they are."""
    name = name_of(postgres.ledger())
    own, other = tmp_path / "own.pem", tmp_path / "other.pem"
    own.write_bytes(certificate.read_bytes())
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-keyout", str(tmp_path / "k"), "-out", str(other), "-subj", "/CN=127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    error = refused(over_tcp(postgres, name, sslmode="verify-full", sslrootcert=str(other)))
    address = over_tcp(postgres, name, sslmode="verify-full", sslrootcert=str(own))
    with PostgresLedger(address) as ledger:
        ledger.append([OPENED])

    assert "certificate" in error.message
    assert "sslrootcert" in str(error.hint)


def test_a_server_without_tls_where_it_is_asked_for(postgres: Cluster) -> None:
    """Nothing is sent in the clear."""
    error = refused(over_tcp(postgres, name_of(postgres.ledger()), sslmode="require"))

    assert "SSL" in error.message


@pytest.mark.parametrize("read_only", [True, False])
def test_a_database_without_a_ledger(postgres: Cluster, read_only: bool) -> None:
    """Of something else, or empty."""
    name = postgres.database()
    with postgres.session(name) as session:
        session.execute(b"CREATE TABLE orders (id int)")
    error = refused(postgres.address(name), read_only=read_only)

    assert "holds no ledger" in error.message
    assert "batchconnect ledger init" in str(error.hint)


def test_a_schema_of_the_same_name_that_is_something_elses(postgres: Cluster) -> None:
    """Nothing in it is touched."""
    name = postgres.database()
    with postgres.session(name) as session:
        session.execute(b"CREATE SCHEMA batchconnect")
        session.execute(b"CREATE TABLE batchconnect.about (word text, value text)")
    error = refused(postgres.address(name))

    assert "something else's" in error.message


@pytest.mark.parametrize(
    ("version", "said", "remedy"),
    [
        (VERSION + 1, "newer batchconnect (schema", "Update batchconnect"),
        (VERSION - 1, f"this batchconnect needs {VERSION}", "batchconnect ledger upgrade"),
    ],
)
@pytest.mark.parametrize("read_only", [True, False])
def test_a_schema_of_another_version(
    postgres: Cluster, version: int, said: str, remedy: str, read_only: bool
) -> None:
    """A newer one is not guessed at, an older one not upgraded behind its owner's back."""
    address = postgres.ledger()
    with postgres.session(name_of(address)) as session:
        session.execute(
            "UPDATE batchconnect.about SET value = %s WHERE word = 'schema'", [str(version)]
        )
    error = refused(address, read_only=read_only)

    assert said in error.message
    assert remedy in str(error.hint)


def test_lines_of_a_kind_to_come(postgres: Cluster) -> None:
    """Half of its story would be a wrong report."""
    address = postgres.ledger()
    with postgres.session(name_of(address)) as session:
        session.execute(b"INSERT INTO batchconnect.about VALUES ('kind:to_come', '')")

    assert "lines of the kind to_come" in refused(address).message


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ({"host": "platform-nld2.adobe.io"}, "belongs to the host platform.adobe.io"),
        ({"host": "platform.adobe.io", "simulated": True}, "belongs to the mode real"),
    ],
)
def test_a_ledger_belongs_to_one_host_and_one_mode(
    postgres: Cluster, second: dict[str, Any], said: str
) -> None:
    """The first use says which."""
    address = postgres.ledger()
    PostgresLedger(address, host="platform.adobe.io").close()

    assert said in refused(address, **second).message


def test_a_role_without_rights(postgres: Cluster) -> None:
    """Is told who lets it in."""
    address = postgres.ledger()
    with postgres.session() as session:
        session.execute(b"DROP ROLE IF EXISTS stranger; CREATE ROLE stranger LOGIN")
    error = refused(postgres.address(name_of(address), user="stranger"))

    assert "permission denied" in error.message
    assert "--grant ROLE" in str(error.hint)


@pytest.mark.slow
def test_a_read_replica_is_read_and_not_written_to(postgres: Cluster) -> None:
    """`runs` and `report` may look at it; a run needs the primary."""
    address = postgres.ledger()
    with PostgresLedger(address) as ledger:
        ledger.append([OPENED])
    standby = Cluster(
        programs=postgres.programs,
        folder=postgres.folder / "standby",
        port=free_port(),
        user=postgres.user,
    )
    standby.folder.mkdir(mode=0o700)
    if postgres.user:
        shutil.chown(standby.folder, postgres.user)
    postgres.run(
        *("pg_basebackup", "-R", "--no-sync", "-c", "fast", "-D", standby.data),
        *("-h", postgres.folder, "-p", str(postgres.port), "-U", "owner"),
    )
    standby.set(unix_socket_directories=str(standby.folder))
    standby.start()
    try:
        copy = standby.address(name_of(address))
        error = refused(copy)
        with PostgresLedger(copy, read_only=True) as reader:
            runs = [number for number, _, _ in reader.runs()]
    finally:
        standby.stop("immediate")

    assert "read replica" in error.message
    assert "primary" in str(error.hint)
    assert runs == [1]


# A server that was there, or is about to be ---------------------------------------------------------


def patient(address: LedgerAddress, comes: Callable[[], object]) -> Connections:
    """Connections that wait for as long as a slow machine may take; the server comes while they do."""
    waits = count(1)

    def sleep(seconds: float) -> None:
        if next(waits) == 2:
            comes()
        time.sleep(seconds)

    return Connections(address, patience_s=LIMIT_S, recovery_s=LIMIT_S, sleep=sleep)


@pytest.mark.slow
def test_a_server_that_crashes_and_comes_back_is_waited_for(postgres: Cluster) -> None:
    """What was confirmed is there, and what was not is written once."""
    address = postgres.ledger()
    with PostgresLedger(address, connections=patient(address, postgres.start)) as ledger:
        ledger.append([OPENED])
        writer = ledger.of_lane(LANE)
        writer.append([SENDING])
        postgres.stop("immediate")
        writer.append([SENDING])
        found = list(ledger.row_lines(1))

    assert found == [SENDING, SENDING]


@pytest.mark.slow
def test_a_server_that_starts_up_is_waited_for_at_first_contact(postgres: Cluster) -> None:
    """It says that it is there: so it is not as one that was never there."""
    address = postgres.ledger()
    postgres.stop()
    with (
        postgres.starting_up() as let,
        PostgresLedger(address, connections=patient(address, let)) as ledger,
    ):
        ledger.append([OPENED])
        found = [line.entry for line in ledger.run_lines(1)]

    assert found == [OPENED.entry]


@pytest.mark.slow
def test_a_server_that_starts_up_is_waited_for_in_mid_run(postgres: Cluster) -> None:
    """Also where it was gone without a word, and takes its time to come back."""
    address = postgres.ledger()
    lets: list[Callable[[], None]] = []
    connections = patient(address, lambda: [let() for let in lets])
    with PostgresLedger(address, connections=connections) as ledger:
        ledger.append([OPENED])
        writer = ledger.of_lane(LANE)
        writer.append([SENDING])
        postgres.stop("immediate")
        with postgres.starting_up() as let:
            lets.append(let)
            writer.append([SENDING])
            found = list(ledger.row_lines(1))

    assert found == [SENDING] * 2


@pytest.mark.slow
def test_a_server_that_does_not_come_is_told_with_what_it_says(postgres: Cluster) -> None:
    """When the patience is over: why, where to look, and that the same command goes on."""
    address = postgres.ledger()
    postgres.stop()
    with postgres.starting_up():
        told = [
            refused(address, connections=Connections(address, patience_s=0), read_only=is_read_only)
            for is_read_only in (False, True)
        ]

    for error in told:
        assert "FATAL: the database system is " in error.message
        assert "Its log says how far it is" in str(error.hint)
        assert "the same command again" in str(error.hint)


IN_GERMAN = r"""
import socket, struct
said = b"SFATAL\0VFATAL\0C57P03\0Mdas Datenbanksystem startet\0\0"
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    client, _ = listener.accept()
    client.recv(4096)
    client.sendall(b"E" + struct.pack("!i", 4 + len(said)) + said)
    client.close()
"""


def test_a_server_that_starts_up_is_known_in_every_language() -> None:
    """libpq hands on its words alone, and asks for its state where they are not English."""
    waits: list[float] = []
    # A process of its own, for libpq asks without letting another thread of ours go on.
    with subprocess.Popen([sys.executable, "-c", IN_GERMAN], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        address = LedgerAddress(Secret(f"postgresql://me@127.0.0.1:{port}/l?sslmode=disable"))
        connections = Connections(address, patience_s=0.2, sleep=waits.append)
        error = refused(address, connections=connections)
        server.kill()

    assert "das Datenbanksystem startet" in error.message
    assert "takes no connections" in str(error.hint)
    assert waits


def test_what_a_server_that_is_there_refuses_is_told_at_once(postgres: Cluster) -> None:
    """As a full disk: asking again for the time of a restart would only keep whoever waits."""
    asked = 0
    waits: list[float] = []
    connections = Connections(postgres.ledger(), patience_s=LIMIT_S, sleep=waits.append)

    def too_slow(session: Session) -> None:
        nonlocal asked
        asked += 1
        session.execute("SET statement_timeout = 1")
        session.execute("SELECT pg_sleep(60)")

    with closing(connections), pytest.raises(LedgerError, match="statement timeout"):
        connections.ask(too_slow)
    assert asked == 1
    assert not waits


def test_an_operator_who_ends_all_sessions_is_not_noticed(postgres: Cluster) -> None:
    """As before a planned restart; each question is asked once more."""
    address = postgres.ledger()
    with PostgresLedger(address) as ledger:
        ledger.append([OPENED])
        writer = ledger.of_lane(LANE)
        writer.append([SENDING])
        with postgres.session() as session:
            session.execute(
                b"SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity "
                b"WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
        writer.append([SENDING])
        found = list(ledger.row_lines(1))

    assert found == [SENDING] * 2


class Between:
    """A way to the server on which the answer to one question can be lost."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.loses = threading.Event()
        """The next answers are not passed on, and the connections broken."""
        self.lost = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._to))
            for words in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._pass, args=words, daemon=True).start()

    def _pass(self, source: socket.socket, goal: socket.socket, is_answer: bool) -> None:
        with closing(source), closing(goal):
            while True:
                try:
                    data = source.recv(65536)
                    if not data:
                        return
                    if is_answer and self.loses.is_set():
                        # It came from the server, so that what was asked is done.
                        self.loses.clear()
                        self.lost += 1
                        source.shutdown(socket.SHUT_RDWR)
                        goal.shutdown(socket.SHUT_RDWR)
                        return
                    goal.sendall(data)
                except OSError:
                    return


@contextmanager
def between(cluster: Cluster) -> Iterator[Between]:
    way = Between(cluster.port)
    try:
        yield way
    finally:
        way.close()


def test_lines_whose_answer_was_lost_are_written_once(postgres: Cluster) -> None:
    """The server had committed them; they come again under the same numbers."""
    name = name_of(postgres.ledger())
    with between(postgres) as way:
        url = f"postgresql://owner:{PASSWORD}@127.0.0.1:{way.port}/{name}?sslmode=disable"
        with PostgresLedger(LedgerAddress(Secret(url))) as ledger:
            ledger.append([OPENED])
            writer = ledger.of_lane(LANE)
            last = writer.append([SENDING])
            way.loses.set()
            after = writer.append([SENDING, SENDING])
            found = list(ledger.row_lines(1))

    assert way.lost == 1
    assert found == [SENDING] * 3
    assert after == last + 2


@contextmanager
def pgbouncer(cluster: Cluster) -> Iterator[int]:
    """PgBouncer before the server; its port. Few sessions, so that no two statements can rely on one."""
    program = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
    if not Path(program).exists():
        pytest.skip("no PgBouncer here: apt-get install pgbouncer")
    port = free_port()
    users, config = cluster.folder / "users", cluster.folder / "bouncer.ini"
    users.write_text('"owner" ""\n')
    config.write_text(
        f"[databases]\n* = host={cluster.folder} port={cluster.port}\n[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = trust\nauth_file = {users}\n"
        "pool_mode = transaction\ndefault_pool_size = 2\nserver_login_retry = 1\n"
        "unix_socket_dir =\n"
    )
    for path in (users, config):
        path.chmod(0o644)
    bouncer = subprocess.Popen(
        [program, "-q", config],
        user=cluster.user,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def listens() -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        return False

    try:
        until(listens, why="PgBouncer does not listen")
        yield port
    finally:
        bouncer.terminate()
        bouncer.wait()


@pytest.mark.slow
def test_through_pgbouncer_in_transaction_mode(postgres: Cluster) -> None:
    """With fewer sessions than lanes, so that no two statements can rely on one."""
    name = name_of(postgres.ledger())
    with pgbouncer(postgres) as port:
        address = LedgerAddress(Secret(f"postgresql://owner@127.0.0.1:{port}/{name}"))
        with PostgresLedger(address, host="platform.adobe.io") as ledger:
            ledger.append([OPENED])
            lanes = [LANE._replace(client_id=f"client {number}") for number in range(6)]

            def write(lane: LaneKey) -> None:
                for _ in range(20):
                    ledger.of_lane(lane).append([SENDING])

            threads = [threading.Thread(target=write, args=(lane,)) for lane in lanes]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            lines = sum(1 for _ in ledger.lines())
            states = ledger.states_of(["bc1-a"])

    assert lines == 1 + 6 * 20
    assert states["bc1-a"].sends == 6 * 20


@pytest.mark.slow
def test_a_server_behind_pgbouncer_that_starts_up_is_waited_for(postgres: Cluster) -> None:
    """PgBouncer hands on what it says, at first contact and in mid-run."""
    name = name_of(postgres.ledger())
    with pgbouncer(postgres) as port:
        address = LedgerAddress(Secret(f"postgresql://owner@127.0.0.1:{port}/{name}"))
        postgres.stop()
        with (
            postgres.starting_up() as let,
            PostgresLedger(address, connections=patient(address, let)) as ledger,
        ):
            ledger.append([OPENED])
            writer = ledger.of_lane(LANE)
            writer.append([SENDING])
            found = list(ledger.row_lines(1))

    assert found == [SENDING]


def test_nothing_of_a_broken_connection_is_told_beside_the_ledgers_own_words(
    postgres: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    """psycopg would log what follows from it, which for want of a log is written on the screen."""
    address = postgres.ledger()
    with PostgresLedger(address) as ledger:
        ledger.identities()
        with postgres.session() as session:
            session.execute(
                "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = %s",
                [name_of(address)],
            )
        found = ledger.identities()

    assert not found.has_any
    assert caplog.records == []
