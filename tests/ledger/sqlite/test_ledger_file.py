"""The ledger as a file: one run at a time, and a word about bad places."""

import errno
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from batchconnect.ledger.entry import (
    Deleted,
    Deleting,
    Line,
    RunOpened,
    Sending,
    Settled,
    Updating,
)
from batchconnect.ledger.sqlite.file import held_by, locked, make_or_check, place_warning
from batchconnect.ledger.sqlite.store import SqliteLedger
from batchconnect.model import outcome
from batchconnect.model.errors import ExitCode, LedgerError, LedgerGoneError, LedgerInUseError
from batchconnect.model.outcome import Created

HOLDER = """
import sys
from pathlib import Path
from batchconnect.ledger.entry import Line, RunOpened, Sending, Settled
from batchconnect.ledger.sqlite.file import locked
with locked(Path(sys.argv[1]), about={"host": "workstation", "sheet": sys.argv[2]}):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process(ledger: Path, sheet: str = "clients.csv") -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock until its standard input ends."""
    command = [sys.executable, "-c", HOLDER, str(ledger), sheet]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process


def test_the_second_process_hears_at_once_who_holds_the_ledger(tmp_path: Path) -> None:
    """Its number, its machine, its sheet; exit 5."""
    ledger = tmp_path / "ledger"
    with (
        another_process(ledger) as holder,
        pytest.raises(LedgerInUseError) as caught,
        locked(ledger, about={}),
    ):
        pass

    assert f"in use by pid {holder.pid}, host workstation, sheet clients.csv" in str(caught.value)
    assert "batchconnect status" in str(caught.value.hint)
    assert caught.value.exit_code == ExitCode.LEDGER


def test_the_lock_dies_with_its_process(tmp_path: Path) -> None:
    """After `kill -9` nobody has to clean up."""
    ledger = tmp_path / "ledger"
    with another_process(ledger) as holder:
        holder.kill()
        holder.wait()
        with locked(ledger, about={}):
            taken = True

    assert taken


def test_a_ledger_is_free_again_after_its_run(tmp_path: Path) -> None:
    """Within one process too; a run inside a run is refused."""
    ledger = tmp_path / "new folder" / "ledger"
    with locked(ledger, about={}), pytest.raises(LedgerInUseError), locked(ledger, about={}):
        pass
    with locked(ledger, about={"sheet": "b.csv"}):
        told = ledger.with_name("ledger.lock").read_text()

    assert f'{{"pid": {os.getpid()}, "sheet": "b.csv"}}' == told


def test_the_lock_is_private_and_no_link(tmp_path: Path) -> None:
    """It names a sheet; and a link could overwrite a foreign file."""
    with locked(tmp_path / "ledger", about={}):
        mode = (tmp_path / "ledger.lock").stat().st_mode & 0o777
    (tmp_path / "other.lock").symlink_to(tmp_path / "foreign")
    with (
        pytest.raises(LedgerError, match="cannot be made") as caught,
        locked(tmp_path / "other", about={}),
    ):
        pass

    assert mode == 0o600
    assert "--ledger" in str(caught.value.hint)
    assert not (tmp_path / "foreign").exists()


def test_a_holder_that_told_nothing_is_another_process(tmp_path: Path) -> None:
    """It died between taking the lock and saying so, or its words are damaged."""
    ledger = tmp_path / "ledger"
    with locked(ledger, about={}):
        for told in ("", "[1]", "{"):
            ledger.with_name("ledger.lock").write_text(told)
            with (
                pytest.raises(LedgerInUseError, match="in use by another process"),
                locked(ledger, about={}),
            ):
                pass


def test_a_sheet_whose_name_is_no_text_does_not_hinder_the_lock(tmp_path: Path) -> None:
    """Linux allows any bytes in a name."""
    with locked(tmp_path / "ledger", about={"sheet": "caf\udce9.csv"}):
        told = (tmp_path / "ledger.lock").read_text()

    assert "caf?.csv" in told


def test_a_full_disk_does_not_hinder_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who holds it is a courtesy; that it is held is not."""

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    ledger = tmp_path / "ledger"
    with locked(ledger, about={}):
        held = held_by(ledger)

    assert held is not None


def test_a_file_system_without_locks_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not the same as a ledger in use."""

    def unsupported(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with (
        pytest.raises(LedgerError, match="No locks available") as caught,
        locked(tmp_path / "ledger", about={}),
    ):
        pass

    assert not isinstance(caught.value, LedgerInUseError)


def test_whether_a_run_holds_the_ledger_can_be_asked_without_the_lock(tmp_path: Path) -> None:
    """By `status`, as often as it likes."""
    ledger = tmp_path / "ledger"
    before = held_by(ledger)
    with another_process(ledger):
        during = (held_by(ledger), held_by(ledger))
    after = held_by(ledger)

    assert (before, after) == (None, None)
    assert None not in during


def test_a_lock_that_cannot_be_opened_is_nobodys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that belongs to somebody else: asking is no error."""

    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    with locked(tmp_path / "ledger", about={}):
        monkeypatch.setattr(os, "open", refuse)
        held = held_by(tmp_path / "ledger")

    assert held is None


def test_a_pipe_is_no_ledger(tmp_path: Path) -> None:
    """Nor any other thing that is not a file; and asking does not hang."""
    os.mkfifo(tmp_path / "ledger")
    with pytest.raises(LedgerError, match="not a regular file"):
        make_or_check(tmp_path / "ledger", read_only=False)


MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
systemd-1 /mnt/share autofs rw 0 0
server:/export /mnt/share nfs4 rw 0 0
//server/team /mnt/team\\040files cifs rw 0 0
/dev/sdb1 /mnt/share/local xfs rw 0 0
broken line
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/mnt/share/reports/ledger", "nfs4"),
        ("/mnt/team files/ledger", "cifs"),
    ],
)
def test_a_ledger_on_a_network_share_is_warned_about(path: str, kind: str) -> None:
    """Of two mounts on one point the later one counts."""
    warning = place_warning(Path(path), MOUNTS)

    assert f"network share ({kind})" in str(warning)


@pytest.mark.parametrize(
    "path", ["/home/ada/ledger", "/mnt/share/local/ledger", "/mnt/shares/ledger"]
)
def test_a_ledger_on_a_local_disk_is_not(path: str) -> None:
    """A local disk below a share is local."""
    assert place_warning(Path(path), MOUNTS) is None


@pytest.mark.parametrize(
    "folder",
    [
        "Dropbox (Personal)",
        "OneDrive - Contoso",
        "Google Drive",
        "Mobile Documents",
        "CloudStorage",
        "Nextcloud",
    ],
)
def test_a_ledger_in_a_synced_folder_is_warned_about(folder: str) -> None:
    """Named as on Linux, Windows and macOS."""
    warning = place_warning(Path("/home/ada") / folder / "reports" / "ledger", MOUNTS)

    assert f"synced folder ({folder})" in str(warning)


def test_the_machine_is_asked_where_no_mounts_are_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it has no table of mounts, nothing is said."""
    SqliteLedger(tmp_path / "ledger").close()
    asked = place_warning(tmp_path / "ledger")

    def no_table(*_: object, **__: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", no_table)

    assert asked is None
    assert place_warning(tmp_path / "ledger") is None


def test_no_mount_holds_a_path_outside_all_of_them() -> None:
    """As in a container that hides its root."""
    assert place_warning(Path("/srv/ledger"), "tmpfs /run tmpfs rw 0 0") is None


# Whether it is still there --------------------------------------------------------------------------

OPENED = Line(entry=RunOpened(run_id="r", sheets=("s",), sheet_sha256="ab"))
INTENT = Line(entry=Sending(number=1), run=1, row=2, marker="m")
ANSWER = Line(
    entry=Settled(outcome=Created(connection_id="c")), run=1, row=2, marker="m"
)  # fmt: skip


def removed(path: Path) -> None:
    path.unlink()


def moved(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))


def replaced(path: Path) -> None:
    moved(path)
    path.touch()


def folder_moved(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))


def folder_removed(path: Path) -> None:
    for each in path.parent.iterdir():
        each.unlink()
    path.parent.rmdir()


def another_ledger(path: Path) -> None:
    folder_moved(path)
    path.parent.mkdir()
    if path.suffix == ".lock":
        path.write_text("{}")
    else:
        with SqliteLedger(path, host="platform.test") as other:
            other.append([OPENED])


@contextmanager
def open_ledger(path: Path) -> Iterator[SqliteLedger]:
    path.parent.mkdir()
    with (
        locked(path, about={"sheet": "clients.csv"}) as lock,
        SqliteLedger(path, host="platform.test", lock=lock) as ledger,
    ):
        ledger.append([OPENED])
        yield ledger


@pytest.mark.parametrize(
    "happens",
    [
        removed,
        moved,
        replaced,
        folder_moved,
        folder_removed,
        another_ledger,
    ],
)
@pytest.mark.parametrize("of", ["ledger.sqlite3", "ledger.sqlite3.lock"])
def test_no_intent_is_written_to_a_ledger_that_was_taken_away(
    tmp_path: Path, of: str, happens: Callable[[Path], None]
) -> None:
    """Ledger or lock, or the folder of both: answers are kept in what is held, intents are refused."""
    path = tmp_path / "reports" / "ledger.sqlite3"
    with open_ledger(path) as ledger:
        ledger.append([INTENT])
        happens(path.with_name(of))

        with pytest.raises(LedgerGoneError) as caught:
            ledger.append([ANSWER, INTENT])
        ledger.append([ANSWER])

        assert of in str(caught.value)
        assert caught.value.exit_code == ExitCode.LEDGER
        assert [type(line.entry) for line in ledger.row_lines(1)] == [Sending, Settled]


@pytest.mark.parametrize(
    "intent", [Updating(connection_id="c-1", etag='"1"'), Deleting(connection_id="c-1")]
)
def test_no_intent_of_a_change_is_written_to_a_ledger_that_was_taken_away(
    tmp_path: Path, intent: Updating | Deleting
) -> None:
    """Nobody would know that the connection was changed, or is gone by our hand; what came of one is kept."""
    path = tmp_path / "reports" / "ledger.sqlite3"
    gone = ANSWER._replace(entry=Deleted(outcome=outcome.Deleted(connection_id="c-1")))
    with open_ledger(path) as ledger:
        ledger.append([INTENT._replace(entry=intent)])
        removed(path)

        with pytest.raises(LedgerGoneError):
            ledger.append([INTENT._replace(entry=intent)])
        ledger.append([gone])

        assert [line.entry for line in ledger.row_lines(1)] == [intent, gone.entry]


def test_a_mount_that_numbers_its_files_anew_takes_nothing_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Device and inode are others now; the ledger's id and last line, and the lock's words, are the same."""
    path = tmp_path / "reports" / "ledger.sqlite3"
    with open_ledger(path) as ledger:
        for held in ledger._held:
            monkeypatch.setattr(held, "_identity", (0, 0))
        ledger.append([INTENT])
        ledger.append([ANSWER])
        ledger.append([INTENT])

        assert [line.entry for line in ledger.row_lines(1)] == [
            INTENT.entry, ANSWER.entry, INTENT.entry,
        ]  # fmt: skip


def test_a_copy_of_the_folder_in_its_place_is_found_out_by_what_it_does_not_hear(
    tmp_path: Path,
) -> None:
    """At first it reads alike; the first line that goes into the held ledger alone tells them apart."""
    path = tmp_path / "reports" / "ledger.sqlite3"
    with open_ledger(path) as ledger:
        folder_moved(path)
        shutil.copytree(tmp_path / "elsewhere", tmp_path / "reports")
        ledger.append([INTENT])
        ledger.append([ANSWER])

        with pytest.raises(LedgerGoneError):
            ledger.append([INTENT])
