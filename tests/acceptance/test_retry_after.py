"""
`Retry-After`, by the real command: said and waited for up to the patience, and beyond it the end.

What a person sees of it: for how long nothing happens, or from when on it may be tried again.
"""

import re
import signal
from collections.abc import Callable

import pytest

from batchconnect.simulator import answers
from batchconnect.simulator.decision import Decision, Instead
from batchconnect.simulator.exchange import Request
from tests.acceptance.place import Place, many, until
from tests.acceptance.practice import Practice

pytestmark = pytest.mark.acceptance

Which = Callable[[Request], bool]
CREATES: Which = lambda request: request.is_create  # noqa: E731 - one word in the list of cases
LISTINGS: Which = lambda request: request.method == "GET"  # noqa: E731 - likewise
SIGN_INS: Which = lambda request: "/ims/" in request.path  # noqa: E731 - likewise


def away(seconds: int, which: Which) -> Callable[[Request], Decision | None]:
    """Throttled for so long, and nothing of it is applied."""
    answer = answers.gateway(429, "429050", "Too many requests", ("Retry-After", str(seconds)))
    decision = Decision(apply_after_s=None, reply=Instead(answer=answer))
    return lambda request: decision if which(request) else None


@pytest.mark.parametrize(
    "which", [CREATES, LISTINGS, SIGN_INS], ids=["create", "first read", "sign-in"]
)
def test_beyond_the_patience_every_row_is_not_attempted_until_a_time(
    place: Place, practice: Practice, which: Which
) -> None:
    """At once, exit 7, with the time; the same command brings them home later."""
    sheet = place.sheet(many(5))
    practice.script = away(2400, which)
    done = place.run("run", sheet, "--settle", "2")
    rows = place.results()
    practice.script = lambda request: None
    again = place.run("rerun", "--rate", "100", "--settle", "2")

    assert done.code == 7, done
    assert len(rows) == 5
    for row in rows.values():
        assert (row["status"], row["error_code"]) == ("not_attempted", "banned_until")
        assert re.search(r"2400 s, until \d{4}-\d\d-\d\d \d\d:\d\d UTC", row["error"]), row
    assert "2400 s, until " in done.err
    assert again.code == 0, again
    assert len(practice.connections()) == 5


@pytest.mark.parametrize("command", [("run",), ("plan",), ("reconcile",)])
@pytest.mark.parametrize("which", [LISTINGS, SIGN_INS], ids=["first read", "sign-in"])
def test_a_wait_that_the_service_asks_for_is_said_with_its_time(
    place: Place, practice: Practice, which: Which, command: tuple[str, ...]
) -> None:
    """Whatever the command; and Ctrl-C ends the wait."""
    sheet = place.sheet(many(2))
    if command == ("reconcile",):
        in_doubt(place, practice)
    practice.script = away(700, which)
    words = [*command, *([str(sheet)] if command[0] in {"run", "plan"} else [])]
    running = place.start(*words, python=("-m", "batchconnect"))
    until(lambda: "asks to be left alone for 11 min" in running.told, why="it is not said")
    running.send(signal.SIGINT)
    done = running.done(10)

    # What `reconcile` leaves in doubt is exit 6, however it ended.
    assert done.code == (6 if command == ("reconcile",) else 130), done


@pytest.mark.parametrize("which", [LISTINGS, SIGN_INS], ids=["first read", "sign-in"])
def test_a_look_at_the_orgs_waits_for_no_such_time_and_tells_it(
    place: Place, practice: Practice, which: Which
) -> None:
    """Somebody sits before it: it ends with the time to come back."""
    practice.script = away(700, which)
    done = place.run("orgs", "--sandbox", "dev")

    assert done.code == 7, done
    assert "700 s, until " in " ".join(f"{done.out} {done.err}".split()), done


def in_doubt(place: Place, practice: Practice) -> None:
    """A run that was interrupted with rows in doubt."""
    lost = Decision(apply_after_s=None, reply=Instead(answer=answers.loose(504, "late")))
    practice.script = lambda request: lost if request.is_create else None
    running = place.start("run", "clients.csv", "--rate", "50", "--settle", "600")
    until(lambda: len(practice.creates()) == 2)
    running.send(signal.SIGINT)
    assert running.done().code == 130
