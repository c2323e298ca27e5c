"""A ledger that is in use, damaged, foreign or on a full disk: refused or stopped, and kept as it is."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from batchconnect.simulator.decision import Decision
from tests.acceptance.place import Place, many, until
from tests.acceptance.practice import Practice, assert_exactly_once

pytestmark = pytest.mark.acceptance


def test_a_second_process_ends_at_once_and_says_who_holds_the_ledger(
    place: Place, practice: Practice
) -> None:
    """Exit 5; `status`, `runs` and `report` can be asked meanwhile, and the first run is not disturbed."""
    sheet = place.sheet(many(3))
    with practice.silent() as arrived:
        first = place.start("run", sheet, "--rate", "20", "--timeout", "600")
        until(arrived.is_set)
        second, also, status, shown = place.run_each(
            ("run", sheet), ("reconcile",), ("status", "--json"), ("report",)
        )
        assert first.process.poll() is None
    done = first.done()

    assert (second.code, also.code) == (5, 5), (second, also)
    assert str(first.pid) in second.err
    assert "clients.csv" in second.err
    assert status.code == 0, status
    assert status.json["rows"] == 3
    assert shown.code == 0, shown
    assert done.code == 0, done
    assert_exactly_once(practice, place, {row["name"] for row in many(3)})


def corrupt(path: Path) -> None:
    """A page of noise in its middle."""
    content = bytearray(path.read_bytes())
    content[100:4096] = bytes(index % 251 for index in range(3996))
    path.write_bytes(content)


def foreign(path: Path) -> None:
    """Somebody else's database."""
    path.unlink()
    make = "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute('create table x (y)'); d.commit()"
    subprocess.run([sys.executable, "-c", make, str(path)], check=True)


def newer(path: Path) -> None:
    """Written by a later version."""
    make = "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute('pragma user_version = 99'); d.commit()"
    subprocess.run([sys.executable, "-c", make, str(path)], check=True)


def no_database(path: Path) -> None:
    """A text of that name."""
    path.write_text("name,key\n" * 1000)


def symlink(path: Path) -> None:
    """A link to the real one."""
    path.rename(path.with_name("elsewhere.sqlite3"))
    path.symlink_to("elsewhere.sqlite3")


@pytest.mark.parametrize("damage", [corrupt, foreign, newer, no_database, symlink])
def test_a_ledger_that_is_not_ours_is_refused_and_kept(
    place: Place, practice: Practice, damage: Callable[[Path], None]
) -> None:
    """Exit 5 with a sentence, nothing sent, and not a byte of it is changed."""
    sheet = place.sheet(many(1))
    ledger = place.reports / "ledger.sqlite3"
    assert place.run("run", sheet, "--rate", "20").code == 0
    for beside in ("-wal", "-shm"):
        ledger.with_name(ledger.name + beside).unlink(missing_ok=True)
    damage(ledger)
    content, sent = ledger.read_bytes(), practice.mark()
    done = place.run("run", sheet, "--json")
    read = place.run("runs")

    assert (done.code, read.code) == (5, 5), (done, read)
    assert done.json["exit_code"] == 5
    assert "ledger" in done.err
    assert "Traceback" not in done.err + read.err
    assert content == ledger.read_bytes()
    assert sent == practice.mark()


def test_a_ledger_of_another_host_or_mode_is_refused(place: Place, practice: Practice) -> None:
    """A real ledger does not account for another platform."""
    assert place.run("run", place.sheet(many(1)), "--rate", "20").code == 0
    place.environ["BATCHCONNECT_PLATFORM_URL"] = practice.url.replace("127.0.0.1", "localhost")
    done = place.run("run", "clients.csv")

    assert done.code == 5, done
    assert "localhost" in done.err
    assert len(practice.creates()) == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own that is soon full."""
    point = tmp_path / "disk"
    point.mkdir()
    mount = shutil.which("mount")
    if mount is None or sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux can mount a small disk")
    command = [mount, "-t", "tmpfs", "-o", "size=320k", "tmpfs", str(point)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("this machine does not let us mount a tmpfs")
    try:
        yield point
    finally:
        subprocess.run(["umount", str(point)], check=True)


def test_on_a_full_disk_nothing_is_sent_without_a_durable_intent(
    place: Place, practice: Practice, small_disk: Path
) -> None:
    """Exit 5 with a sentence; with room again the same command brings every row home, once."""
    rows = many(400)
    sheet, ledger = place.sheet(rows), small_disk / "ledger.sqlite3"
    command = ("run", sheet, "--ledger", ledger, "--rate", "200", "--settle", "1")
    full = place.run(*command)
    intended = {state.marker for state in place.intents(ledger) if state.sends}
    sent = {entry.marker for entry in practice.creates()}
    subprocess.run(["mount", "-o", "remount,size=32m", str(small_disk)], check=True)
    again = place.run(*command)

    assert full.code == 5, full
    assert "full" in full.err
    assert "Traceback" not in full.err
    assert sent - intended == set()
    assert again.code == 0, again
    assert_exactly_once(practice, place, {row["name"] for row in rows})


def test_a_read_only_ledger_is_refused(place: Place, practice: Practice, small_disk: Path) -> None:
    """A file system that became read-only: exit 5, nothing sent."""
    ledger = small_disk / "ledger.sqlite3"
    sheet = place.sheet(many(1))
    assert place.run("run", sheet, "--ledger", ledger, "--rate", "20").code == 0
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    content, sent = ledger.read_bytes(), practice.mark()
    done = place.run("run", sheet, "--ledger", ledger)

    assert done.code == 5, done
    assert "Traceback" not in done.err
    assert content == ledger.read_bytes()
    assert sent == practice.mark()


def test_a_report_that_cannot_be_written_loses_nothing(place: Place, practice: Practice) -> None:
    """A file stands where the run's folder should be: said, and `report` makes it up later."""
    sheet = place.sheet(many(2))
    seen: list[int] = []

    def script(request: object) -> Decision | None:
        if not seen:
            seen.append(1)
            folder = next(path for path in place.reports.iterdir() if path.name[0].isdigit())
            shutil.rmtree(folder)
            folder.write_text("in the way")
        return None

    practice.script = script
    done = place.run("run", sheet, "--rate", "20")
    for path in place.reports.iterdir():
        if path.name[0].isdigit() and path.is_file():
            path.unlink()
    shown = place.run("report")

    assert done.code != -signal.SIGKILL
    assert "Traceback" not in done.err
    assert len(practice.connections()) == 2, done
    assert shown.code == 0, shown
    run = place.runs()[-1]
    assert place.statuses(place.reports / run) == {"created": 2}
