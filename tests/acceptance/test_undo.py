"""
`undo` by the real command: what it takes back, what it leaves and why, and that nothing changes that.

Answers are lost, the command is killed, and others work in the same sandbox meanwhile.
"""

import random
import signal
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from batchconnect.simulator.decision import Closed, Decision, Instead, Reset
from batchconnect.simulator.exchange import Request
from batchconnect.simulator.registry import DENIALS
from tests.acceptance.place import Done, Place, Running, many, until
from tests.acceptance.practice import ACME, Practice

pytestmark = pytest.mark.acceptance

FAST = ("--rate", "100")
ROWS = 100
USED, RENAMED, GONE = (7, 50, 93), (21, 22), 64
"""Rows that others did something with since they were created."""


def made(place: Place, practice: Practice, rows: int = ROWS) -> str:
    """A run that created its rows; its id."""
    done = place.run("run", place.sheet(many(rows)), *FAST, "--json")
    assert done.code == 0, done
    run_id: str = done.json["run_id"]
    assert len(practice.connections()) == rows
    return run_id


def ids(practice: Practice) -> Mapping[int, str]:
    """Connection ids by the number of the client."""
    return {int(one.name[-3:]): one.id for one in practice.connections() if one.name[-3:].isdigit()}


def meddle(practice: Practice) -> None:
    """Three are used by a dataflow, two are renamed by hand, and one is gone already."""
    of = ids(practice)

    def others(simulator: Any) -> None:
        for number in USED:
            simulator.others.use(of[number])
        for number in RENAMED:
            simulator.others.change(of[number], name=f"Renamed {number}")
        simulator.others.delete(of[GONE])

    practice.ask(others)


def deletes(practice: Practice) -> int:
    return sum(one.method == "DELETE" for one in practice.journal())


def reasons(place: Place) -> Mapping[str, int]:
    """How many rows of the newest run have which status and code."""
    rows = place.results().values()
    return Counter(f"{row['status']} {row['error_code'] or ''}".strip() for row in rows)


EXPECTED = {
    "deleted": 94,
    "kept in_use": 3,
    "kept changed_by_others": 2,
    "kept already_gone": 1,
}
MADE_AGAIN = {"created": 94, "existing": 5, "conflict": 1}
"""What the next run of the same sheet finds: what was renamed bears its marker still, what is gone is told."""


def test_a_hundred_rows_are_undone_but_for_what_others_rely_on(
    place: Place, practice: Practice
) -> None:
    run_id = made(place, practice)
    meddle(practice)

    preview = place.run("undo", run_id, *FAST)
    refused = place.run("undo", run_id, *FAST, "--yes", "100")
    sent = deletes(practice)
    done = place.run("undo", run_id, *FAST, "--yes", "94", "--note", "CHG-7")
    found, summary, failed = reasons(place), place.summary(), place.table("failed.csv")
    again = place.run("run", "clients.csv", *FAST)

    assert (preview.code, refused.code, sent) == (4, 2, 0), (preview, refused)
    assert "94 to delete" in preview.out
    assert f"next:   batchconnect undo {run_id} --yes 94" in preview.out
    assert "would delete 94; nothing was sent" in refused.err
    assert done.code == 4, done
    assert found == EXPECTED
    assert (summary["parent_run_id"], summary["note"], summary["exit_code"]) == (run_id, "CHG-7", 4)
    hints = {one["code"]: one["hint"] for one in summary["incidents"]}
    assert "Delete the dataflow first" in hints["in_use"]
    assert len(failed) == 6
    assert len(place.runs()) == 3, "the one that was refused opened no run"
    assert again.code == 4, again
    assert place.statuses() == MADE_AGAIN


def test_lost_answers_and_kills_change_nothing_in_that(place: Place) -> None:
    """Every fifth answer to a delete is lost, applied or not, and the command is killed six times."""
    rng = random.Random(5)
    with Practice() as practice:
        place.environ.update(practice.environment())
        run_id = made(place, practice)
        meddle(practice)
        practice.ask(lambda simulator: setattr(simulator.habits, "finalizing_s", 0.3))
        practice.ask(lambda simulator: setattr(simulator.habits, "delete_status", 202))
        practice.ask(lambda simulator: setattr(simulator.habits, "delete_lag_s", 60.0))
        command = ("undo", run_id, "--rate", "60", "--settle", "2", "--yes", "94")

        def fate() -> Decision | None:
            if rng.random() >= 0.2:
                return None
            applied = rng.choice((0.0, 0.0, rng.random(), None))
            return Decision(apply_after_s=applied, reply=rng.choice((Reset(), Closed())))

        for _ in range(6):
            running = place.start(*command)
            done = killed_at_delete(practice, running, rng.randint(2, 12), fate)
            assert done.code == -signal.SIGKILL, done
        practice.script = lambda request: fate() if request.method == "DELETE" else None
        last = place.run(*command)
        found = reasons(place)
        practice.script = lambda request: None
        twice = place.run(*command)
        again = place.run("run", "clients.csv", *FAST)
        place.secrets |= practice.tokens

        assert last.code == 4, last
        assert found == EXPECTED
        assert len(place.runs()) == 3, "each command went on with the same undo"
        assert twice.code == 4, twice
        assert "94 deleted by an undo before" in twice.out
        assert again.code == 4, again
        assert place.statuses() == MADE_AGAIN
        standing = Counter(one.name for one in practice.connections())
        assert set(standing.values()) == {1}, "nothing twice"
        assert len(standing) == 99


def killed_at_delete(
    practice: Practice, running: Running, number: int, fate: Callable[[], Decision | None]
) -> Done:
    """Kill a command as its *number*-th delete from now on arrives, or a moment later."""
    arrived = 0

    def script(request: Request) -> Decision | None:
        nonlocal arrived
        if request.method != "DELETE":
            return None
        arrived += 1
        if arrived == number:
            running.send(signal.SIGKILL)
        return fate()

    practice.script = script
    until(lambda: arrived >= number or running.process.poll() is not None)
    return running.done()


def test_an_interrupted_undo_names_the_command_that_goes_on(
    place: Place, practice: Practice
) -> None:
    run_id = made(place, practice, 12)
    running = place.start("undo", run_id, "--rate", "8", "--yes", "12")
    until(lambda: deletes(practice) >= 2)
    running.send(signal.SIGINT)
    cut = running.done()
    preview = place.run("undo", run_id, *FAST)
    other = place.run("undo", run_id, *FAST, "--yes", "3")
    done = place.run("undo", run_id, *FAST, "--yes", "12")

    assert cut.code == 130, cut
    assert f"undo {run_id} --rate 8 --yes 12" in cut.out
    assert f"next:   batchconnect undo {run_id} --yes 12" in preview.out
    assert other.code == 2, other
    assert done.code == 0, done
    assert place.statuses() == {"deleted": 12}
    assert practice.connections() == []
    assert len(place.runs()) == 2


def test_what_is_not_answered_is_kept(place: Place, practice: Practice) -> None:
    """A credential that may not read /sourceConnections deletes nothing."""
    run_id = made(place, practice, 3)
    _, answer = DENIALS["403025"]
    practice.script = lambda request: (
        Decision(apply_after_s=None, reply=Instead(answer=answer))
        if request.path.endswith("/sourceConnections")
        else None
    )

    preview = place.run("undo", run_id, *FAST, "--json")
    given = place.run("undo", run_id, *FAST, "--yes", "3")

    assert preview.code == 4, preview
    assert (preview.json["delete"], preview.json["keep_by_code"]) == (0, {"not_answered": 3})
    assert preview.json["next"] is None
    assert given.code == 4, given
    assert len(practice.connections()) == 3


def test_bad_input_gets_a_message_and_nothing_is_sent(place: Place, practice: Practice) -> None:
    run_id = made(place, practice, 2)
    before = practice.mark()

    unknown = place.run("undo", "20200101-nothing")
    no_ledger = place.run("undo", run_id, "--reports", "elsewhere")
    negative = place.run("undo", run_id, "--yes", "-1")
    running = place.start("run", place.sheet(many(30), "more.csv"), "--rate", "2")
    until(lambda: len(practice.connections()) > 4)
    running.send(signal.SIGKILL)
    running.done()
    newest = place.runs()[-1]
    still_open = place.run("undo", newest, "--yes", "1")

    assert unknown.code == 2, unknown
    assert "no run is called" in unknown.err
    assert no_ledger.code == 5, no_ledger
    assert negative.code == 2, negative
    assert still_open.code == 2, still_open
    assert "not finished" in still_open.err
    assert "batchconnect run" in still_open.err
    sent = practice.journal(ACME, since=before)
    assert not any(entry.method == "DELETE" for entry in sent)


def test_a_run_that_created_nothing_says_so(place: Place, practice: Practice) -> None:
    made(place, practice, 2)
    place.run("run", "clients.csv", *FAST)
    newest = place.runs()[-1]

    done = place.run("undo", newest, *FAST)

    assert done.code == 0, done
    assert "created nothing" in done.out
