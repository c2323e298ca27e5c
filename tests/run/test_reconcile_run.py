"""`reconcile` settles what a run left in doubt; it asks, and never creates."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from batchconnect.ledger.entry import Line, Sending, Settled
from batchconnect.ledger.postgres.store import PostgresLedger
from batchconnect.ledger.row_state import fold_rows
from batchconnect.ledger.run_writer import RunWriter
from batchconnect.ledger.sqlite.store import SqliteLedger
from batchconnect.model.errors import LedgerError
from batchconnect.model.ledger_address import LedgerAddress
from batchconnect.model.secret import Secret
from batchconnect.simulator import Simulator
from batchconnect.simulator.answers import too_many
from batchconnect.simulator.decision import Decision, Hang, Instead, Reset
from batchconnect.simulator.exchange import Request
from batchconnect.simulator.planting import Planted
from tests.acceptance.practice import ACME, BETA, SECRETS_OF_TWO, Practice
from tests.command_line import FAST, CommandLine, many, signalled
from tests.jumping_time import JumpingTime

pytestmark = pytest.mark.usefixtures("each_ledger")

NEVER = Decision(apply_after_s=None, reply=Reset())
LATER = Decision(reply=Reset(), lag_s=5.0)
"""Later than a run over three rows takes to give up on it, on a busy machine too."""


@pytest.fixture
def batchconnect(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    jumping_time: JumpingTime,
) -> CommandLine:
    """The command, in an empty folder; it does not wait for what only time brings."""
    return CommandLine(tmp_path, capsys, monkeypatch, dict(os.environ))


@pytest.fixture
def practice(batchconnect: CommandLine) -> Iterator[Practice]:
    """A service on a real port, whose one org the environment knows."""
    with Practice() as practice:
        batchconnect.setenv(**practice.environment())
        yield practice


def left_in_doubt(batchconnect: CommandLine, practice: Practice, **fates: Decision) -> None:
    """A run of three rows that gave up on those that are named."""
    practice.by_name(**fates)
    sheet = batchconnect.sheet(many(3))
    done = batchconnect("run", sheet, *FAST, "--settle", "0.3", "--on-doubt", "hold")
    assert done.code == 6, done


def twin_of_the_first(simulator: Simulator) -> None:
    """What stands there stands there twice, as a gateway's second POST leaves it."""
    first = simulator.connections()[0]
    simulator.plant(
        Planted(org_id=ACME, sandbox=first.sandbox, name=first.name, description=first.description)
    )


def test_all_doubts_of_a_sandbox_are_settled_together(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """By one reader; each row gets its own verdict."""
    left_in_doubt(batchconnect, practice, Client_002=LATER, Client_003=LATER)

    done = batchconnect("reconcile", "--settle", "30", "-v")

    assert done.code == 0, done
    assert "3 created" in done.out
    assert len(practice.creates()) == 3


def test_what_was_settled_is_swept(batchconnect: CommandLine, practice: Practice) -> None:
    """A doubt that is found once may stand there twice: the report says what the last look saw."""
    left_in_doubt(batchconnect, practice, Client_002=LATER)

    done = batchconnect("reconcile", "--settle", "30", "--json")

    assert done.code == 0, done
    swept = done.json["sweep"]
    assert (swept["expected"], swept["found"], swept["duplicated"]) == (3, 3, [])


def test_after_a_sweep_that_found_something_the_named_command_looks_again(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """It is still so, exit 6; a person puts it right, and the same command sees that."""
    created: list[str] = []

    def script(request: Request) -> None:
        if request.is_create:
            created.append(request.path)
            if len(created) == 3:
                practice.soon(twin_of_the_first)

    practice.script = script
    ran = batchconnect("run", batchconnect.sheet(many(3)), *FAST, "--json")
    named = "batchconnect reconcile"
    still = batchconnect("reconcile", ran.json["run_id"])
    results = Path("reports", ran.json["run_id"], "results.jsonl").read_text("utf-8")
    (twin,) = (one.id for one in practice.connections() if one.id not in results)
    practice.ask(lambda simulator: simulator.others.delete(twin))
    seen = batchconnect("reconcile", ran.json["run_id"], "--json")
    after = batchconnect("reconcile", ran.json["run_id"])

    assert (ran.code, still.code, seen.code, after.code) == (6, 6, 0, 0), (ran, still, seen, after)
    assert named in still.out
    assert "1 duplicated" in still.out
    assert (seen.json["sweep"]["found"], seen.json["sweep"]["duplicated"]) == (3, [])
    assert "nothing is in doubt" in after.err


def test_after_a_sweep_that_was_cut_off_the_run_that_goes_on_sweeps(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """One row stands there twice, and nobody has looked: no exit 0 before, of `reconcile` neither."""
    sweeping = threading.Event()
    created: list[str] = []

    def script(request: Request) -> Decision | None:
        if request.is_create:
            created.append(request.path)
        elif request.method == "GET" and len(created) == 3:
            sweeping.set()
            return Decision(reply=Hang(seconds=600))
        return None

    practice.script = script
    sheet = batchconnect.sheet(many(3))
    with signalled(signal.SIGTERM, when=sweeping.is_set):
        cut_off = batchconnect("run", sheet, *FAST, "--json", "--timeout", "600")
    practice.script = lambda request: None
    practice.ask(twin_of_the_first)
    settled = batchconnect("reconcile", "--json")
    again = batchconnect("run", sheet, *FAST, "--json")

    assert (cut_off.code, cut_off.json["sweep"]) == (143, None)
    assert settled.code == 4, settled
    assert again.code == 6, again
    swept = again.json["sweep"]
    assert (swept["expected"], len(swept["duplicated"])) == (3, 1)
    assert again.json["run_id"] == cut_off.json["run_id"]
    assert len(practice.creates()) == 3


def test_an_intent_without_an_answer_is_a_doubt_too(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """As a process leaves it that was killed between the two."""
    batchconnect("run", batchconnect.sheet(many(1)), *FAST)
    url = os.environ.get("BATCHCONNECT_LEDGER")
    kept: SqliteLedger | PostgresLedger = (
        PostgresLedger(LedgerAddress(Secret(url)), host="127.0.0.1")
        if url
        else SqliteLedger(Path("reports/ledger.sqlite3").absolute(), host="127.0.0.1")
    )
    with kept as ledger:
        ((run, _, _),) = ledger.runs()
        (state,) = fold_rows(ledger.row_lines(run))
        intent = Sending(number=2)
        ledger.append([Line(entry=intent, run=run, row=state.number, marker=state.marker, at_ms=1)])

    done = batchconnect("reconcile", "--settle", "30")

    assert done.code == 0, done
    assert "1 created" in done.out
    assert len(practice.creates()) == 1


def test_proven_absence_is_told_and_left_to_the_person(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """Whether it is sent again is the matter of `rerun`, which then does."""
    left_in_doubt(batchconnect, practice, Client_002=NEVER)

    done = batchconnect("reconcile", "--settle", "0.3")
    again = batchconnect("rerun", "--settle", "0.3", *FAST)

    assert done.code in {4, 6}, done
    assert len(practice.creates()) == 4
    assert again.code == 0, again


def test_what_another_run_settled_is_not_asked_again(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """A doubt is told by all runs together: the older run takes over what the newer one found."""
    left_in_doubt(batchconnect, practice, Client_002=LATER)
    (older,) = batchconnect("runs", "--json").json["runs"]
    batchconnect("run", batchconnect.sheet(list(reversed(many(3)))), *FAST, "--settle", "30")

    done = batchconnect("reconcile", older["run_id"], "--settle", "600")

    assert done.code == 0, done
    assert "3 created" in done.out
    assert len(practice.creates()) == 3


@pytest.mark.slow
def test_ctrl_c_does_not_wait_for_the_window(batchconnect: CommandLine, practice: Practice) -> None:
    """What is in doubt stays so, and the next command settles it."""
    left_in_doubt(batchconnect, practice, Client_002=NEVER)

    before, begun = practice.mark(), time.monotonic()

    with signalled(signal.SIGINT, when=lambda: practice.mark() > before):
        done = batchconnect("reconcile", "--settle", "600")

    assert done.code == 6
    assert time.monotonic() - begun < 300
    assert "next:   batchconnect reconcile" in done.out


def test_only_named_orgs_and_sandboxes_are_spoken_to(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """A doubt elsewhere stays as it is, without a single request."""
    left_in_doubt(batchconnect, practice, Client_002=NEVER)
    before = practice.mark()

    done = batchconnect("reconcile", "--only", "sandbox=prod")

    assert done.code == 6
    assert practice.journal(ACME, since=before) == []


def test_a_verdict_that_cannot_be_written_leaves_the_other_sandboxes_theirs(
    batchconnect: CommandLine, practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 5, and the same command settles what is left."""
    practice.by_name(Client_001=LATER, Client_002=LATER)
    first, second = many(2)
    sheet = batchconnect.sheet([first, {**second, "sandbox": "prod"}])
    batchconnect("run", sheet, *FAST, "--settle", "0.3", "--on-doubt", "hold")
    settle = RunWriter.settle

    async def full(writer: RunWriter, row: int, marker: str | None, settled: Settled) -> None:
        if row == 2:
            raise LedgerError("the disk is full")
        await settle(writer, row, marker, settled)

    with monkeypatch.context() as patch:
        patch.setattr(RunWriter, "settle", full)
        broken = batchconnect("reconcile", "--settle", "30")
    counts = batchconnect("status", "--json").json["counts"]
    again = batchconnect("reconcile", "--settle", "30")

    assert (broken.code, again.code) == (5, 0), (broken, again)
    assert "the disk is full" in broken.err
    assert (counts["created"], counts["in_doubt"]) == (1, 1)
    assert len(practice.creates()) == 2


def test_a_doubt_is_settled_where_it_was_sent_or_not_at_all(batchconnect: CommandLine) -> None:
    """Its org key means another org id now: there it would be "proven absent", while it stands here."""
    with Practice() as practice:
        batchconnect.write("batchconnect.toml", practice.two_orgs())
        batchconnect.setenv(**SECRETS_OF_TWO)
        practice.by_name(Client_002=replace(LATER, lag_s=600.0))
        sheet = batchconnect.sheet(many(3, org="acme"))
        left = batchconnect("run", sheet, *FAST, "--settle", "0.3", "--on-doubt", "hold")
        swapped = practice.two_orgs().replace(ACME, "X").replace(BETA, ACME).replace("X", BETA)
        batchconnect.write("batchconnect.toml", swapped)

        done = batchconnect("reconcile", "--settle", "1")

    assert left.code == 6, left
    assert done.code == 2, done
    assert "settled where it was sent" in done.err


def test_a_rerun_without_the_org_of_a_doubt_says_so(batchconnect: CommandLine) -> None:
    """Its row is gone from the sheet as well: nobody can look for it, so nothing is begun."""
    with Practice() as practice:
        batchconnect.write("batchconnect.toml", practice.two_orgs())
        batchconnect.setenv(**SECRETS_OF_TWO)
        practice.by_name(Client_002=replace(LATER, lag_s=600.0))
        rows = [many(1, org="beta")[0], many(2, org="acme")[1]]
        left = batchconnect(
            "run", batchconnect.sheet(rows), *FAST, "--settle", "0.3", "--on-doubt", "hold"
        )
        head, _, orgs = practice.two_orgs().partition("[orgs.acme]")
        _, is_beta, beta = orgs.partition("[orgs.beta]")
        batchconnect.write("batchconnect.toml", head + is_beta + beta)

        done = batchconnect("rerun", "--sheet", batchconnect.sheet(rows[:1], "less.csv"))

    assert left.code == 6, left
    assert done.code == 2, done
    assert "was sent for the org acme, which is not in the settings" in done.err


def test_a_rerun_passes_over_a_rejected_row_that_was_taken_out(batchconnect: CommandLine) -> None:
    """It names its org as somebody typed it, which is no lane's: here a name that the settings never had."""
    with Practice() as practice:
        batchconnect.write("batchconnect.toml", practice.two_orgs())
        batchconnect.setenv(**SECRETS_OF_TWO)
        good, bad = many(2, org="acme")
        sheet = batchconnect.sheet([good, {**bad, "org": "nobody's"}])
        left = batchconnect("run", sheet, *FAST, "--skip-invalid")

        done = batchconnect("rerun", "--sheet", batchconnect.sheet([good], "less.csv"), *FAST)

    assert left.code == 4, left
    assert done.code == 4, done
    assert "1 not_attempted" in done.out


def test_a_service_that_wants_to_be_left_alone_is_not_waited_for(
    batchconnect: CommandLine, practice: Practice, jumping_time: JumpingTime
) -> None:
    """For longer than the patience: what is in doubt stays so, and the command ends."""
    left_in_doubt(batchconnect, practice, Client_002=NEVER)
    before = practice.mark()
    practice.script = lambda request: Decision(
        apply_after_s=None, reply=Instead(answer=too_many("seconds", 7200, 0.0))
    )
    ahead_s = jumping_time.ahead_s

    done = batchconnect("reconcile", "--settle", "600", "--patience", "500")

    assert done.code == 6, done
    assert practice.mark() > before
    assert jumping_time.ahead_s - ahead_s < 100


# Keys -----------------------------------------------------------------------------------------------


def keys_in_doubt(
    batchconnect: CommandLine, practice: Practice, *fates: Decision
) -> tuple[str, list[str]]:
    """A rotation of three rows that gave up on as many of them as there are fates; its run, and the connections' ids by row."""
    rows = many(3)
    assert batchconnect("run", batchconnect.sheet(rows), *FAST).code == 0
    ids = {one.name: one.id for one in practice.connections()}
    in_order = [ids[row["name"]] for row in rows]
    fate_of = dict(zip(in_order, fates, strict=False))

    def script(request: Request) -> Decision | None:
        return fate_of.get(request.path.rpartition("/")[2]) if request.method == "PATCH" else None

    practice.script = script
    sheet = batchconnect.sheet(
        [{**row, "servicePrincipalKey": f"{row['servicePrincipalKey']}-new"} for row in rows],
        "new.csv",
    )
    hold = ("--settle", "0.3", "--on-doubt", "hold", "--no-verify", "--json")
    done = batchconnect("rotate", sheet, *FAST, *hold)
    assert done.code == 6, done
    assert done.json["counts"]["in_doubt"] == len(fates)
    practice.script = lambda request: None
    return done.json["run_id"], in_order


def arrives_late(simulator: Simulator, connection_id: str) -> None:
    """The lost request takes effect now."""
    key = {"servicePrincipalKey": "new"}
    simulator.others.change(connection_id, params=key, client_id="client-acme")


def codes(document: dict[str, Any]) -> dict[str, int]:
    """Its incidents' codes, and how many rows have each."""
    return {one["code"]: one["rows"] for one in document["incidents"]}


def test_a_lost_key_is_told_by_its_connection(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """Three keys: one arrived late, one never, and of one a colleague has changed the connection since."""
    run_id, ids = keys_in_doubt(batchconnect, practice, NEVER, NEVER, NEVER)
    practice.ask(lambda simulator: arrives_late(simulator, ids[0]))
    practice.ask(lambda simulator: simulator.others.change(ids[2], name="Renamed"))
    before = practice.mark()

    done = batchconnect("reconcile", "--settle", "0.3", "--json")

    assert done.code == 4, done
    assert done.json["run_id"] == run_id, "the newest run that has any doubt"
    counts = {status: count for status, count in done.json["counts"].items() if count}
    assert counts == {"updated": 1, "not_attempted": 1, "conflict": 1}
    assert codes(done.json) == {"proven_absent": 1, "changed_meanwhile": 1}
    assert {entry.method for entry in practice.journal(ACME, since=before)} == {"GET"}


def test_a_lost_key_within_its_window_is_looked_for(
    batchconnect: CommandLine, practice: Practice
) -> None:
    run_id, ids = keys_in_doubt(batchconnect, practice, NEVER)
    looks: list[Request] = []

    def script(request: Request) -> None:
        looks.append(request)
        if len(looks) == 3:
            arrives_late(practice.simulator, ids[0])

    practice.script = script

    done = batchconnect("reconcile", run_id, "--settle", "30")

    assert done.code == 0, done
    assert "3 updated" in done.out


def test_what_another_run_found_out_of_a_key_is_taken_over(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """The same rotation, given again, has sent the key meanwhile: nothing is asked."""
    run_id, _ = keys_in_doubt(batchconnect, practice, NEVER)
    assert batchconnect("rotate", "new.csv", *FAST, "--settle", "0.3", "--no-verify").code == 0
    before = practice.mark()

    done = batchconnect("reconcile", run_id, "--settle", "600")

    assert done.code == 0, done
    assert practice.journal(ACME, since=before) == []


def test_a_key_is_asked_about_where_only_names_its_sandbox(
    batchconnect: CommandLine, practice: Practice
) -> None:
    run_id, _ = keys_in_doubt(batchconnect, practice, NEVER)
    before = practice.mark()

    done = batchconnect("reconcile", run_id, "--settle", "600", "--only", "sandbox=prod")

    assert done.code == 6, done
    assert practice.journal(ACME, since=before) == []


def test_the_doubts_of_an_undo_are_its_own(batchconnect: CommandLine, practice: Practice) -> None:
    """Looked for by their markers they would be called created."""
    batchconnect("run", batchconnect.sheet(many(1)), *FAST)
    (parent,) = batchconnect("runs", "--json").json["runs"]
    done = batchconnect("undo", parent["run_id"], "--yes", "1", *FAST, "--json")
    before = practice.mark()

    refused = batchconnect("reconcile", done.json["run_id"])

    assert refused.code == 2, refused
    assert f"batchconnect undo {parent['run_id']} --yes" in refused.err
    assert practice.journal(ACME, since=before) == []
