"""Ctrl-C, SIGTERM and SIGHUP in mid-run: good order, nothing lost, and the same command goes on."""

import shlex
import signal
import threading
import time

import pytest

from batchconnect.simulator import answers
from batchconnect.simulator.decision import Decision, Hang, Instead
from batchconnect.simulator.exchange import Request
from tests.acceptance.place import Place, Running, many, until
from tests.acceptance.practice import ACME, Practice, assert_exactly_once

pytestmark = pytest.mark.acceptance

ROWS = 12
NAMES = {row["name"] for row in many(ROWS)}
HANGS = Decision(reply=Hang(seconds=600))
"""Applied, and answered never."""
PACE = ("--rate", "8", "--settle", "1", "--timeout", "600")
STOPPING = "stopping, as asked"


def interrupted(
    place: Place,
    practice: Practice,
    signum: signal.Signals,
    *options: str,
    creates: int = 4,
    fate: Decision | None = None,
) -> Running:
    """A run that was signalled in its middle, and heard it."""
    running = place.start("run", place.sheet(many(ROWS)), *PACE, *options)
    practice.send_at_create(creates, signum, running, fate=fate)
    until(lambda: STOPPING in running.told or running.process.poll() is not None)
    return running


def test_ctrl_c_once_ends_in_good_order_and_the_same_command_goes_on(
    place: Place, practice: Practice
) -> None:
    """Exit 130 with the command that resumes; after it every row once, under the same run id."""
    practice.ask(lambda simulator: setattr(simulator, "latency_s", (0.3, 0.4)))
    done = interrupted(place, practice, signal.SIGINT).done()
    run, statuses = place.latest.name, place.statuses()

    assert done.code == 130, done
    assert {"created", "not_attempted"} == set(statuses)
    assert f"next:   batchconnect run {place.folder}/clients.csv {' '.join(PACE)}" in done.out
    command = done.out.rpartition("next:   ")[2].strip()
    again = place.run(*shlex.split(command)[1:])
    assert again.code == 0, again
    assert [run] == place.runs()
    assert f"run {run} goes on" in again.err
    assert_exactly_once(practice, place, NAMES)
    assert len(practice.creates()) == ROWS


def test_ctrl_c_twice_stops_at_once_and_loses_nothing(place: Place, practice: Practice) -> None:
    """What hung on the wire, and would have for minutes, is in doubt; the same command settles it."""
    running = interrupted(place, practice, signal.SIGINT, creates=3, fate=HANGS)
    assert running.process.poll() is None, "once: it waits for what is in flight"
    running.send(signal.SIGINT)
    done = running.done()
    statuses, run = place.statuses(), place.latest.name
    practice.script = lambda request: None
    again = place.run("run", "clients.csv", *PACE)

    assert done.code == 130, done
    assert set(statuses) == {"in_doubt", "not_attempted"}
    assert again.code == 0, again
    assert [run] == place.runs()
    assert_exactly_once(practice, place, NAMES)
    assert len(practice.creates()) == ROWS


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_sigterm_ends_within_its_drain(
    place: Place, practice: Practice, signum: signal.Signals
) -> None:
    """What is still in flight after `--drain` is cut off; exit 143, and the same command goes on."""
    began = time.monotonic()
    running = interrupted(place, practice, signum, "--drain", "2", creates=2, fate=HANGS)
    done = running.done()
    took_s = time.monotonic() - began
    practice.script = lambda request: None
    again = place.run("run", "clients.csv", "--rate", "20", "--settle", "1")

    assert done.code == 143, done
    assert took_s > 2, "it gave what was in flight its time"
    assert again.code == 0, again
    assert_exactly_once(practice, place, NAMES)


def test_reconcile_settles_what_ctrl_c_left_and_creates_nothing(
    place: Place, practice: Practice
) -> None:
    """Rows that were applied become `created`; what was not begun stays for the same command."""
    running = interrupted(place, practice, signal.SIGINT, creates=3, fate=HANGS)
    running.send(signal.SIGINT)
    assert running.done().code == 130
    in_doubt = place.statuses()["in_doubt"]
    sent = len(practice.creates())
    practice.script = lambda request: None

    reconciled = place.run("reconcile", "--settle", "1", "--json")

    assert reconciled.code == 4, reconciled
    assert {"created": in_doubt, "not_attempted": ROWS - in_doubt} == place.statuses()
    assert reconciled.json["counts"] == place.summary()["counts"]
    assert sent == len(practice.creates(ACME))
    assert all(row["reconciled"] for row in place.results().values() if row["connection_id"])
    again = place.run("run", "clients.csv", "--rate", "20", "--settle", "1")
    assert again.code == 0, again
    assert_exactly_once(practice, place, NAMES)


UNHEARD = Decision(apply_after_s=None, reply=Hang(seconds=600))
"""Neither applied nor answered: whoever reads waits."""
SOON_S = 30.0
"""Far above what a busy machine needs for the end of a command, far below the ten minutes that it would wait or drain."""
PAUSED = Decision(
    apply_after_s=None,
    reply=Instead(
        answer=answers.gateway(429, "429050", "Too many requests", ("Retry-After", "600"))
    ),
)


@pytest.mark.parametrize("signals", [[signal.SIGTERM], [signal.SIGINT, signal.SIGINT]])
@pytest.mark.parametrize(
    ("command", "wait"),
    [
        *((command, UNHEARD) for command in ("plan", "orgs", "reconcile", "sweep")),
        # `orgs` has not the patience for a pause of ten minutes: it says so and ends by itself.
        *((command, PAUSED) for command in ("plan", "reconcile", "sweep")),
    ],
)
def test_a_command_that_reads_ends_within_seconds_whatever_it_waits_for(
    place: Place,
    practice: Practice,
    command: str,
    wait: Decision,
    signals: list[signal.Signals],
) -> None:
    """An answer that never comes, or a pause of ten minutes that the service asks for."""
    waits, is_created = threading.Event(), threading.Event()

    def script(request: Request) -> Decision | None:
        if request.is_create:
            is_created.set()
        if request.is_create or (command == "sweep" and not is_created.is_set()):
            return None
        waits.set()
        return wait

    if command == "reconcile":
        practice.script = lambda request: HANGS if request.is_create else None
        left = place.start("run", place.sheet(many(1)), *PACE)
        until(lambda: bool(practice.creates()))
        left.send(signal.SIGINT)
        until(lambda: STOPPING in left.told)
        left.send(signal.SIGINT)
        assert left.done().code == 130
    practice.script = script
    words = {
        "plan": ("plan", place.sheet(many(1)), "--timeout", "600"),
        "orgs": ("orgs", "--sandbox", "prod", "--timeout", "600"),
        "reconcile": ("reconcile", "--settle", "1", "--timeout", "600"),
        "sweep": ("run", place.sheet(many(1)), *PACE, "--drain", "600"),
    }
    running = place.start(*words[command])
    until(lambda: waits.is_set() or running.process.poll() is not None)
    time.sleep(0.5)
    assert running.process.poll() is None, running.told
    began = time.monotonic()
    for signum in signals:
        running.send(signum)
        time.sleep(0.2)
    done = running.done()

    assert time.monotonic() - began < SOON_S, done
    assert done.code != 0, done
    assert "Traceback" not in done.err
