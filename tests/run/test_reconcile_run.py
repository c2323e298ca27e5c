"""`reconcile` settles what a run left in doubt; it asks, and never creates."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchconnect.ledger.entry import Line, Sending, Settled
from batchconnect.ledger.row_state import fold_rows
from batchconnect.ledger.run_writer import RunWriter
from batchconnect.ledger.sqlite.store import SqliteLedger
from batchconnect.model.errors import LedgerError
from batchconnect.simulator.decision import Decision, Reset
from tests.acceptance.practice import ACME, BETA, SECRETS_OF_TWO, Practice
from tests.command_line import FAST, CommandLine, many, signalled

NEVER = Decision(apply_after_s=None, reply=Reset())
LATER = Decision(reply=Reset(), lag_s=1.0)


@pytest.fixture
def batchconnect(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CommandLine:
    """The command, in an empty folder."""
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


def test_an_intent_without_an_answer_is_a_doubt_too(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """As a process leaves it that was killed between the two."""
    batchconnect("run", batchconnect.sheet(many(1)), *FAST)
    path = Path("reports/ledger.sqlite3").absolute()
    with SqliteLedger(path, host="127.0.0.1") as ledger:
        (state,) = fold_rows(ledger.row_lines(1))
        intent = Sending(number=2)
        ledger.append([Line(entry=intent, run=1, row=state.number, marker=state.marker, at_ms=1)])

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
        practice.by_name(Client_002=LATER)
        sheet = batchconnect.sheet(many(3, org="acme"))
        left = batchconnect("run", sheet, *FAST, "--settle", "0.3", "--on-doubt", "hold")
        swapped = practice.two_orgs().replace(ACME, "X").replace(BETA, ACME).replace("X", BETA)
        batchconnect.write("batchconnect.toml", swapped)

        done = batchconnect("reconcile", "--settle", "1")

    assert left.code == 6, left
    assert done.code == 2, done
    assert "settled where it was sent" in done.err
