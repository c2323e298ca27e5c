"""A run that goes on is the same run, and nobody works beside it: with real commands, files and folders."""

import os
import shutil
import signal
from collections import Counter
from pathlib import Path

import pytest

from batchconnect.simulator.decision import Decision, Reset
from tests.acceptance.place import Place, Running, many, until
from tests.acceptance.practice import Practice, assert_exactly_once

pytestmark = pytest.mark.acceptance

PACE = ("--rate", "8", "--settle", "1")


def interrupted(
    place: Place, practice: Practice, *command: str | Path, creates: int = 4
) -> Running:
    """A command that Ctrl-C ended in its middle."""
    running = place.start(*command, *PACE)
    practice.send_at_create(creates, signal.SIGINT, running)
    done = running.done()
    assert done.code == 130, done
    return running


def sandboxes(practice: Practice) -> Counter[str]:
    return Counter(connection.sandbox for connection in practice.connections())


@pytest.mark.parametrize("by", ["option", "variable"])
def test_the_same_sheet_for_another_sandbox_is_another_run(
    place: Place, practice: Practice, by: str
) -> None:
    """The open run is named, with the command that goes on with it; that one goes on, and only that."""
    rows = many(12, sandbox="")
    sheet = place.sheet(rows)
    interrupted(place, practice, "run", sheet, "--sandbox", "prod")
    (first,) = place.runs()

    if by == "option":
        other = place.run("run", sheet, "--sandbox", "dev", *PACE)
    else:
        place.environ["BATCHCONNECT_SANDBOX"] = "dev"
        other = place.run("run", sheet, *PACE)
    assert other.code == 0, other
    assert sandboxes(practice)["dev"] == 12
    assert first in other.err
    assert f"batchconnect run {sheet} --sandbox prod" in other.err
    assert place.statuses() == {"created": 12}

    again = place.run("run", sheet, "--sandbox", "prod", *PACE)
    assert again.code == 0, again
    assert f"run {first} goes on" in again.err
    assert sandboxes(practice) == {"dev": 12, "prod": 12}


def test_two_ledgers_and_one_sheet_double_nothing(place: Place, practice: Practice) -> None:
    """The second command has a ledger of its own: it waits, finds more of its rows, and ends with 5."""
    sheet = place.sheet(many(60))
    first = place.start("run", sheet, "--rate", "8", "--settle", "4")
    until(lambda: len(practice.creates()) >= 4)
    second = place.run("run", sheet, "--rate", "8", "--settle", "4", "--reports", "other")
    done = first.done()

    assert done.code == 0, done
    assert second.code == 5, second
    assert "creating the rows of this sheet" in second.err
    assert_exactly_once(practice, place, {row["name"] for row in many(60)})
    assert len(practice.creates()) == 60


def test_two_who_begin_in_one_moment_on_two_ledgers_may_double_rows_and_both_say_so(
    place: Place, practice: Practice
) -> None:
    """
    Each has looked before the other one sent anything: that no lock of a file can prevent.

    The first is frozen at its first create, which the service never does, until the second sends its own.
    """
    sheet = place.sheet(many(24))
    pace = ("--rate", "8", "--settle", "2")
    swallowed = Decision(apply_after_s=None, reply=Reset())
    first = place.start("run", sheet, *pace)
    practice.send_at_create(1, signal.SIGSTOP, first, fate=swallowed)
    second = place.start("run", sheet, *pace, "--reports", "other")
    practice.send_at_create(1, signal.SIGCONT, first)
    ended = [first.done(), second.done()]

    names = [one.name for one in practice.connections()]
    twice = {name for name in names if names.count(name) > 1}
    said = set.union(
        *(
            set(place.summary(reports)["sweep"]["duplicated"])
            for reports in (place.latest, place.folder / "other" / "latest")
        )
    )
    assert twice
    assert len(said) == len(twice), "each that stands there twice is told by one of them"
    for done in ended:
        told = " ".join(done.out.split())
        # Whoever looks again, as for a doubt, sees the rows of the other one come, and stops.
        cause = {5: "(somebody_else)", 6: "(duplicated)"}[done.code]
        assert cause in told, done
        assert "A team ledger, --ledger postgresql://..., keeps this from happening" in told


@pytest.mark.parametrize(
    "what", ["lock removed", "folder moved", "folder removed", "ledger replaced"]
)
def test_a_run_whose_ledger_is_taken_away_stops_and_nobody_doubles_its_rows(
    place: Place, practice: Practice, what: str
) -> None:
    """Exit 5, with a report; a second command, with a ledger of its own, makes no row again."""
    sheet = place.sheet(many(40))
    practice.script = lambda request: Decision(delay_s=0.05) if request.is_create else None
    first = place.start("run", sheet, "--rate", "8", "--settle", "3")
    until(lambda: len(practice.creates()) >= 4)
    ledger = place.reports / "ledger.sqlite3"
    match what:
        case "lock removed":
            ledger.with_name("ledger.sqlite3.lock").unlink()
        case "folder moved":
            place.reports.rename(place.folder / "moved")
        case "folder removed":
            shutil.rmtree(place.reports)
        case _:
            ledger.unlink()
            ledger.touch()
    done = first.done()
    sent = len(practice.creates())

    assert done.code == 5, done
    assert sent < 40
    assert "removed, moved or replaced" in done.err
    assert "not_attempted" in place.statuses()
    if what != "ledger replaced":
        again = place.run("run", sheet, "--rate", "20", "--settle", "3")
        assert again.code == 0, again
        assert len(practice.creates()) == 40
        assert (
            Counter(connection.name for connection in practice.connections()).most_common(1)[0][1]
            == 1
        )


def test_a_sheet_that_is_changed_in_place_sends_no_row_that_was_not_planned(
    place: Place, practice: Practice
) -> None:
    """Same size, time of change kept; what is sent has the key that was planned."""
    sheet = place.sheet(many(400))
    planned = {row["name"] for row in many(400)}
    running = place.start("run", sheet, "--rate", "20", "--settle", "1")
    until(lambda: len(practice.creates()) >= 4)
    status = sheet.stat()
    content = sheet.read_bytes().replace(b"Client ", b"Klient ")
    with sheet.open("r+b") as file:
        file.write(content)
    os.utime(sheet, ns=(status.st_atime_ns, status.st_mtime_ns))
    done = running.done()

    assert {connection.name for connection in practice.connections()} <= planned
    assert done.code == 4, done
    assert "sheet" in done.err
