"""The state: what outlives a SIGKILL, and what never reaches a disk."""

import os
import signal
import sqlite3
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from batchconnect.simulator.control import Simulator
from batchconnect.simulator.decision import Closed, Decision
from batchconnect.simulator.exchange import Request
from batchconnect.simulator.records import History
from batchconnect.simulator.store import Store
from batchconnect.simulator.testing import MARKER, ORG, Caller, Clock, adx, code, parsed

START = 1_800_000_000.0
KILLED = """
import os, signal, sys
from batchconnect.simulator.control import Simulator
from batchconnect.simulator.decision import Closed, Decision
from batchconnect.simulator.testing import Caller, Clock, adx

sim = Simulator(state=sys.argv[1], clock=Clock(float(sys.argv[2])))
caller = Caller(sim)
caller.create(adx("at once", key="canary-key-1"))
late = Decision(apply_after_s=20.0, reply=Closed(), lag_s=10.0)
sim.script(lambda request: late if request.is_create else None)
caller.create(adx("late", key="canary-key-2"))
made = sim.connections()[0]
sim.others.use(made.id, "a dataflow")
sim.source.refuse("canary-key-1", "53003")
patch = [{"op": "replace", "path": "/name", "value": "renamed"}]
later = Decision(apply_after_s=40.0, reply=Closed())
sim.script(lambda request: later if request.is_change else None)
caller.send("PATCH", f"/connections/{made.id}", body=patch, headers={"if-match": made.etag})
print(caller.token, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_a_sigkill_loses_nothing(tmp_path: Path) -> None:
    """Connections, journal, tokens and counters stay; what was pending takes effect at its time."""
    state = tmp_path / "deep" / "state.sqlite3"
    root = str(Path(__file__).parents[2])
    child = subprocess.run(
        [sys.executable, "-c", KILLED, str(state), str(START)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert child.returncode == -signal.SIGKILL, child.stderr

    clock = Clock(START)
    sim = Simulator(state=state, clock=clock)
    caller = Caller(sim)
    caller.token = child.stdout.strip()
    assert [one.name for one in sim.connections()] == ["at once"]
    assert sim.pending == 2
    made = sim.connections()[0].id
    used = parsed(caller.send("GET", f"/sourceConnections?property=baseConnectionId=={made}"))
    assert [one["name"] for one in used["items"]] == ["a dataflow"]
    assert parsed(caller.send("GET", f"/connections/{made}/test")) == {"result": False}
    clock.advance(20)
    assert [one.name for one in sim.connections()] == ["at once", "late"]
    assert [item["name"] for item in caller.listed()] == ["at once"]
    clock.advance(10)
    assert [item["name"] for item in caller.listed()] == ["late", "at once"]
    clock.advance(10)
    assert [item["name"] for item in caller.listed()] == ["renamed", "late"]
    assert sim.pending == 0
    assert sim.tokens_issued == 1
    assert [entry.ordinal for entry in sim.journal()] == list(range(1, 10))
    assert sim.journal()[2].applied_at == START + 20


def test_no_secret_reaches_the_disk(tmp_path: Path) -> None:
    """Of a source secret its hash, of tokens and client secrets nothing."""
    state = tmp_path / "state.sqlite3"
    sim = Simulator(state=state, profile="badday", clock=Clock())
    caller = Caller(sim)
    while caller.token is None:
        caller.sign_in()
    for number in range(30):
        caller.create(adx(str(number), key=f"canary-{number}"))
    caller.create(adx(key="canary echo-me"))
    sim.receive(caller.request("GET", f"/connections/{caller.token}"))

    written = b"".join(file.read_bytes() for file in tmp_path.iterdir())

    assert len(list(tmp_path.iterdir())) == 3
    assert b"canary" not in written
    assert b"simulated-secret" not in written
    assert sha256(b"canary-1").hexdigest().encode() in written


def test_the_state_is_its_owners_alone(tmp_path: Path) -> None:
    """The companions of WAL mode too."""
    state = tmp_path / "deep" / "state.sqlite3"
    Caller(Simulator(state=state)).create()

    assert {file.stat().st_mode & 0o777 for file in state.parent.iterdir()} == {0o600}
    assert state.parent.stat().st_mode & 0o777 == 0o700


def test_an_earlier_process_leaves_the_hash_of_a_key(tmp_path: Path) -> None:
    """The key itself was only in its memory."""
    state = tmp_path / "state.sqlite3"
    made = parsed(Caller(Simulator(state=state)).create(adx(key="k")))["id"]

    later = Simulator(state=state)

    assert later.received_key(made) is None
    assert later.connections()[0].key_sha256 == sha256(b"k").hexdigest()


def test_a_revocation_outlives_the_process(tmp_path: Path) -> None:
    """A dead token stays dead."""
    state = tmp_path / "state.sqlite3"
    first = Simulator(state=state)
    caller = Caller(first)
    caller.sign_in()
    first.revoke_tokens(ORG)

    later = Caller(Simulator(state=state))
    later.token = caller.token

    assert code(later.create()) == "401013"


def test_how_often_a_body_was_lost_outlives_the_process(tmp_path: Path) -> None:
    """Else every restart could lose it once more."""
    state = tmp_path / "state.sqlite3"
    store = Store(state)
    store.remember(b"create", History(attempts=2, lost=1, streak=2), lasting=True)
    store.remember(b"read", History(attempts=2, streak=2), lasting=False)
    assert store.history(b"read").attempts == 2
    store.dispose()

    later = Store(state)

    assert later.history(b"create") == History(attempts=2, lost=1, streak=2)
    assert later.history(b"read") == History()
    later.dispose()


OLD = """
create table connections (
    seq integer primary key autoincrement, id text not null unique, org_id text not null,
    sandbox text not null, spec_id text not null, spec_version text not null, name text not null,
    description text, state text not null, auth_spec text not null, params text not null,
    key_sha256 text, tests_well integer not null, in_use integer not null, client_id text not null,
    updated_client text not null, etag text not null, applied_at real not null,
    updated_at integer not null, visible_at real not null
);
create table journal (
    ordinal integer primary key, at real not null, method text not null, path text not null,
    org_id text not null, sandbox text not null, status integer, reply text not null,
    applied_at real, connection_id text, marker text, leaked integer not null
);
"""
"""The tables that have changed since 0.1, as they were."""


def test_a_state_of_an_earlier_version_is_brought_up_to_date(tmp_path: Path) -> None:
    """Which connection is used, and whose key is wrong, is still known; and again at the next opening."""
    state = tmp_path / "state.sqlite3"
    database = sqlite3.connect(state)
    database.executescript(OLD)
    for name, well, used in (("fine", 1, 0), ("wrong", 0, 0), ("used", 1, 1)):
        values = (name, ORG, "prod", "s", "1", name, None, "enabled", "a", "{}", name, well, used)
        rest = ("c", "c", '"e"', START, int(START * 1000), START)
        database.execute(
            f"insert into connections values (null{', ?' * 19})",
            (*values, *rest),
        )
    database.execute(f"insert into journal values (7{', null' * 11})".replace("null", "'0'"))
    database.commit()
    database.close()

    for _ in range(2):
        sim = Simulator(state=state, clock=Clock(START))
        caller = Caller(sim)
        told = {
            one.name: parsed(caller.send("GET", f"/connections/{one.id}/test"))["result"]
            for one in sim.connections()
        }
        assert told == {"fine": True, "wrong": False, "used": True}
        assert code(caller.send("DELETE", "/connections/used")) == "FLOW-1418-400"
        assert sim.journal()[0].query == ""
    last = Caller(Simulator(state=state, clock=Clock(START)))
    assert last.send("DELETE", "/connections/fine").status == 204
    assert Simulator(state=state, clock=Clock(START)).deleted() == ["fine"]


def test_the_journal_has_the_query_without_secrets() -> None:
    """So that tests can count what was asked; the secret of a sign-in in the query is not repeated."""
    sim = Simulator(clock=Clock())
    sim.watch(["canary"])
    caller = Caller(sim)
    caller.send("GET", "/connections?property=name==canary&limit=5")
    secret = (("client_id", "c"), ("client_secret", "another one"))
    sim.receive(Request(method="POST", path="/ims/token/v3", query=secret))

    _, listing, sign_in = sim.journal()
    assert listing.query == "property=name%3D%3D%2A%2A%2A&limit=5"
    assert sign_in.query == "client_id=c&client_secret=%2A%2A%2A"


def test_the_journal_tells_what_became_of_each_request() -> None:
    """With marker and effect, without secrets."""
    clock = Clock(START)
    sim = Simulator(clock=clock)
    caller = Caller(sim)
    caller.create()
    late = Decision(apply_after_s=5.0, reply=Closed())
    sim.script(lambda request: late if request.is_create else None)
    caller.create()
    caller.listed()
    sim.script(None)
    caller.create(b"")

    journal = sim.journal()
    told = [(e.method, e.status, e.reply, e.applied_at, e.marker) for e in journal]
    assert told == [
        ("POST", 200, "normal", None, None),
        ("POST", 201, "normal", START, MARKER),
        ("POST", None, "closed", START + 5, MARKER),
        ("GET", 200, "normal", None, None),
        ("POST", 400, "normal", None, None),
    ]
    assert [entry.applied for entry in journal] == [False, True, True, False, False]
    assert (journal[1].org_id, journal[1].sandbox) == (ORG, "prod")
    assert journal[1].connection_id == sim.connections()[0].id
    assert not any(entry.leaked for entry in journal)


def test_a_watched_secret_outside_a_body_is_a_leak() -> None:
    """In path, query or header; it is not written down even then."""
    sim = Simulator(clock=Clock())
    caller = Caller(sim)
    sim.watch(["canary"])
    caller.send("GET", "/connections/canary")
    caller.send("GET", "/connections?property=name==canary")
    caller.send("GET", "/connections", headers={"user-agent": "canary"})
    caller.create(adx(key="canary"))

    journal = sim.journal()[1:]
    assert [entry.leaked for entry in journal] == [True, True, True, False]
    assert "canary" not in str(journal)


def test_a_request_that_fails_in_a_script_leaves_nothing_behind() -> None:
    """All or nothing, and the simulator goes on."""
    sim = Simulator(clock=Clock())
    caller = Caller(sim)
    caller.sign_in()

    def break_down(request: Request) -> Decision | None:
        raise RuntimeError("a mistake in a test")

    sim.script(break_down)
    with pytest.raises(RuntimeError, match="a mistake in a test"):
        caller.create()
    sim.script(None)

    assert caller.create().status == 201
    assert len(sim.connections()) == 1
