"""The ledger: durable before anybody hears of it, never changed, never repaired behind one's back."""

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from batchconnect.ledger.entry import (
    ChangeDoubted,
    Deleted,
    Deleting,
    Doubted,
    Entry,
    Left,
    Line,
    Moment,
    ProvenAbsent,
    RowPlanned,
    RunOpened,
    Sending,
    Settled,
    Tested,
    Updating,
)
from batchconnect.ledger.sqlite.migrations import VERSION
from batchconnect.ledger.sqlite.store import APPLICATION_ID, MEMORY, SqliteLedger
from batchconnect.model import outcome as o
from batchconnect.model.errors import LedgerError
from batchconnect.model.outcome import Created, InDoubt, Kept, NotAttempted, Works
from batchconnect.model.secret import Secret

HOST = "https://platform.adobe.io"
NOBODY = 65534
OPENED = RunOpened(run_id="20261123-161530123-k3f9", sheets=("clients.csv",), sheet_sha256="ab")
DOUBT = Doubted(outcome=InDoubt(code="timeout"), moment=Moment(boot_id="b", clock_s=1.5))
CREATED = Settled(outcome=Created(connection_id="c-1"), attempts=1)
UPDATING = Updating(connection_id="c-1", etag='"1"')
DELETING = Deleting(connection_id="c-1")
DELETED = Deleted(outcome=o.Deleted(connection_id="c-1"))
KEPT = Left(outcome=Kept(code="in_use", detail=""))
LOST = ChangeDoubted(outcome=DOUBT.outcome, moment=DOUBT.moment)
TESTED = Tested(connection_id="c-1", works=Works.YES)
A, B, C, D = (f"bc1-{letter * 26}" for letter in "abcd")


def opened() -> Line:
    return Line(entry=OPENED, at_ms=1)


def line(entry: Entry, row: int | None = 2, marker: str | None = A, run: int = 1) -> Line:
    return Line(entry=entry, run=run, row=row, marker=marker, at_ms=2)


def pragma(ledger: SqliteLedger, word: str) -> Any:
    return ledger._db.execute(f"PRAGMA {word}").fetchone()[0]


def refused(path: Path, **options: Any) -> LedgerError:
    with pytest.raises(LedgerError) as caught:
        SqliteLedger(path, **options)
    assert caught.value.hint
    return caught.value


@pytest.fixture
def without_rights() -> Iterator[Path]:
    """A folder of somebody whom the file system can refuse: not of root, who may do everything."""
    with tempfile.TemporaryDirectory() as name:
        is_root = os.geteuid() == 0
        if is_root:
            os.chown(name, NOBODY, NOBODY)
            os.seteuid(NOBODY)
        try:
            yield Path(name)
        finally:
            if is_root:
                os.seteuid(0)


# What is written stays written ---------------------------------------------------------------------


def test_what_is_appended_is_read_again_by_the_next_process(tmp_path: Path) -> None:
    """Every line as it was, in its order."""
    path = tmp_path / "new folder" / "ledger.sqlite3"
    lines = [line(RowPlanned(name="Acme")), line(Sending(number=1)), line(CREATED)]
    with SqliteLedger(path) as ledger:
        run = ledger.append([opened()])
        last = ledger.append(lines)
    with SqliteLedger(path, read_only=True) as again:
        read = list(again.row_lines(run))

    assert lines == read
    assert (run, last) == (1, 4)


def test_a_commit_reaches_the_disk_before_append_returns(tmp_path: Path) -> None:
    """Write-ahead log, and a sync at each commit: a power cut takes nothing back."""
    with SqliteLedger(tmp_path / "ledger") as ledger:
        settings = (pragma(ledger, "journal_mode"), pragma(ledger, "synchronous"))

    assert settings == ("wal", 2)


@pytest.mark.parametrize("sql", ["UPDATE entry SET kind = 'row'", "DELETE FROM entry"])
def test_lines_are_never_changed_or_removed(sql: str) -> None:
    """Not even by somebody with SQL."""
    with SqliteLedger(MEMORY) as ledger:
        ledger.append([opened()])
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            ledger._db.execute(sql)


def test_an_identity_is_found_by_its_index() -> None:
    """A ledger of a million lines answers at once."""
    with SqliteLedger(MEMORY) as ledger:
        told: list[str] = []
        ledger._db.set_trace_callback(told.append)
        ledger.states_of([A])
        ledger._db.set_trace_callback(None)
        plan = str(ledger._db.execute(f"EXPLAIN QUERY PLAN {told[0]}").fetchall())

    assert "USING INDEX entry_of_marker" in plan


# Disk -----------------------------------------------------------------------------------------------


def test_a_full_disk_takes_all_lines_or_none(tmp_path: Path) -> None:
    """Nothing of the group is written; once there is room, the same writer writes on."""
    with SqliteLedger(tmp_path / "ledger") as ledger:
        run = ledger.append([opened()])
        pages = pragma(ledger, "page_count")
        ledger._db.execute(f"PRAGMA max_page_count = {pages + 1}")
        many = [line(RowPlanned(name="n" * 500), row=row) for row in range(100)]
        with pytest.raises(LedgerError, match="full") as caught:
            ledger.append([line(Sending(number=1)), *many])
        after_the_error = list(ledger.row_lines(run))
        ledger._db.execute(f"PRAGMA max_page_count = {pages + 1000}")
        ledger.append(many)
        at_last = list(ledger.row_lines(run))

    assert after_the_error == []
    assert at_last == many
    assert "Free disk space" in str(caught.value.hint)


def test_a_commit_that_fails_leaves_nothing_behind() -> None:
    """The error of the commit itself, as a failing fsync gives it, rolls back like any other."""
    with SqliteLedger(MEMORY) as ledger:
        ledger.append([opened()])
        ledger._db.executescript(
            "PRAGMA foreign_keys = ON;"
            "CREATE TABLE owner (id INTEGER PRIMARY KEY);"
            "CREATE TABLE owned (id REFERENCES owner DEFERRABLE INITIALLY DEFERRED);"
            "CREATE TRIGGER fails AFTER INSERT ON entry BEGIN INSERT INTO owned VALUES (1); END;"
        )
        with pytest.raises(LedgerError, match="FOREIGN KEY"):
            ledger.append([line(Sending(number=1))])
        ledger._db.execute("DROP TRIGGER fails")
        last = ledger.append([line(Sending(number=1))])

    assert last == 2


def test_a_transaction_that_sqlite_gave_up_is_not_rolled_back_twice() -> None:
    """SQLite ends it by itself when the disk is full; what is told is the first error."""
    with SqliteLedger(MEMORY) as ledger:
        ledger.append([opened()])
        ledger._db.execute(
            "CREATE TRIGGER gives_up BEFORE INSERT ON entry"
            " BEGIN SELECT RAISE(ROLLBACK, 'disk I/O error'); END"
        )
        with pytest.raises(LedgerError, match="disk I/O error") as caught:
            ledger.append([line(Sending(number=1))])

    assert "Look at the disk" in str(caught.value.hint)


def test_a_closed_ledger_says_so() -> None:
    """As an error of the ledger, not of SQLite."""
    ledger = SqliteLedger(MEMORY)
    ledger.close()

    with pytest.raises(LedgerError, match="closed"):
        ledger.append([opened()])


# Files ----------------------------------------------------------------------------------------------


def modes(folder: Path) -> dict[str, str]:
    return {path.name: oct(path.stat().st_mode & 0o777) for path in folder.iterdir()}


def test_the_ledger_and_its_companions_are_private(tmp_path: Path) -> None:
    """0600, the write-ahead log and its index too."""
    with SqliteLedger(tmp_path / "ledger") as ledger:
        ledger.append([opened()])
        found = modes(tmp_path)

    assert found == {"ledger": "0o600", "ledger-wal": "0o600", "ledger-shm": "0o600"}


def test_a_ledger_that_others_could_read_is_made_private(tmp_path: Path) -> None:
    """Whoever copied it here; what a crash left beside it too."""
    path = tmp_path / "ledger"
    SqliteLedger(path).close()
    open_elsewhere = sqlite3.connect(path)
    open_elsewhere.execute("SELECT count(*) FROM entry").fetchone()
    for each in tmp_path.iterdir():
        each.chmod(0o644)
    with SqliteLedger(path):
        found = modes(tmp_path)
    open_elsewhere.close()

    assert found == {"ledger": "0o600", "ledger-wal": "0o600", "ledger-shm": "0o600"}


def test_folders_are_made_private(tmp_path: Path) -> None:
    """A ledger's own folder is nobody else's business."""
    SqliteLedger(tmp_path / "reports" / "ledger").close()

    assert modes(tmp_path) == {"reports": "0o700"}


def foreign(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE bookmarks (url TEXT)")
    other.commit()
    other.close()


def of_another_application(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("PRAGMA application_id = 7")
    other.close()


def newer(path: Path) -> None:
    SqliteLedger(path).close()
    ours = sqlite3.connect(path)
    ours.execute(f"PRAGMA user_version = {VERSION + 1}")
    ours.close()


def no_database(path: Path) -> None:
    path.write_bytes(b"name,endpoint\r\n" * 1000)


def cut(path: Path) -> None:
    SqliteLedger(path).close()
    path.write_bytes(path.read_bytes()[:5000])


def scrambled(path: Path) -> None:
    SqliteLedger(path).close()
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + bytes(len(whole) - 100))


def without_its_tables(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    other.execute(f"PRAGMA user_version = {VERSION}")
    other.close()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (foreign, "another program"),
        (of_another_application, "another program"),
        (newer, "newer batchconnect"),
        (no_database, "not a database"),
        (cut, "malformed"),
        (scrambled, "malformed"),
    ],
)
@pytest.mark.parametrize("read_only", [False, True])
def test_a_file_that_is_no_ledger_of_ours_is_refused_and_kept(
    tmp_path: Path, make: Callable[[Path], None], message: str, read_only: bool
) -> None:
    """Byte for byte: nobody's bookmarks become a ledger, and no ledger is repaired."""
    path = tmp_path / "ledger"
    make(path)
    before = path.read_bytes()
    error = refused(path, read_only=read_only)

    assert message in error.message
    assert path.read_bytes() == before


def test_a_ledger_without_its_tables_is_refused(tmp_path: Path) -> None:
    """Ours by its header, and emptied since: it is not made anew."""
    without_its_tables(tmp_path / "ledger")

    assert "no such table" in refused(tmp_path / "ledger").message


def test_the_mode_of_a_foreign_file_is_kept(tmp_path: Path) -> None:
    """Its owner may want others to read it."""
    path = tmp_path / "places.sqlite"
    foreign(path)
    path.chmod(0o644)
    refused(path)

    assert modes(tmp_path) == {"places.sqlite": "0o644"}


def test_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    """Two names of one ledger would have two locks."""
    SqliteLedger(tmp_path / "ledger").close()
    (tmp_path / "link").symlink_to(tmp_path / "ledger")
    error = refused(tmp_path / "link")

    assert "symbolic link" in error.message


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    """And stays a folder."""
    (tmp_path / "ledger").mkdir()
    error = refused(tmp_path / "ledger")

    assert "Is a directory" in error.message
    assert "there is no ledger" in refused(tmp_path / "ledger", read_only=True).message


def test_a_file_in_the_place_of_its_folder_is_refused(tmp_path: Path) -> None:
    """The system's own words, after the path."""
    (tmp_path / "reports").write_text("a note")
    error = refused(tmp_path / "reports" / "ledger")

    assert "File exists" in error.message


def test_reading_makes_no_ledger(tmp_path: Path) -> None:
    """`runs` in the wrong folder is an error, and leaves nothing behind."""
    error = refused(tmp_path / "ledger", read_only=True)

    assert "there is no ledger" in error.message
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_can_become_a_ledger_and_cannot_be_read_as_one(tmp_path: Path) -> None:
    """A crash in the first instant leaves one."""
    path = tmp_path / "ledger"
    path.touch()
    error = refused(path, read_only=True)
    with SqliteLedger(path) as ledger:
        run = ledger.append([opened()])

    assert "empty" in error.message
    assert run == 1


def test_a_ledger_in_use_can_be_read(tmp_path: Path) -> None:
    """Without its lock, and up to its last line; but not written."""
    path = tmp_path / "ledger"
    with SqliteLedger(path) as ledger, SqliteLedger(path, read_only=True) as reader:
        ledger.append([opened()])
        seen = list(reader.runs())
        with pytest.raises(LedgerError, match="readonly") as caught:
            reader.append([opened()])

    assert len(seen) == 1
    assert "may write" in str(caught.value.hint)


def test_another_program_that_holds_the_file_is_named(tmp_path: Path) -> None:
    """A database browser with an open transaction."""
    path = tmp_path / "ledger"
    with SqliteLedger(path) as ledger:
        ledger._db.execute("PRAGMA busy_timeout = 0")
        browser = sqlite3.connect(path, isolation_level=None)
        browser.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match="locked") as caught:
            ledger.append([opened()])
        browser.close()

    assert "Another program" in str(caught.value.hint)


def test_a_ledger_belongs_to_one_host_and_one_mode(tmp_path: Path) -> None:
    """A simulated run never counts as a real one, a stage platform never as production."""
    path = tmp_path / "ledger"
    SqliteLedger(path, host=HOST).close()
    SqliteLedger(path, host=HOST).close()
    before = path.read_bytes()

    assert "belongs to the host" in refused(path, host="http://127.0.0.1:8080").message
    assert "belongs to the mode real, not to simulated" in refused(path, simulated=True).message
    assert path.read_bytes() == before


def test_whoever_reads_first_does_not_decide_to_whom_it_belongs(tmp_path: Path) -> None:
    """A ledger of no host yet is read by any."""
    path = tmp_path / "ledger"
    SqliteLedger(path).close()
    SqliteLedger(path, host="http://127.0.0.1:1", read_only=True).close()
    SqliteLedger(path, host=HOST).close()

    assert "belongs to the host" in refused(path, host="http://127.0.0.1:1", read_only=True).message


def test_a_file_that_one_may_not_write_is_refused_and_kept(without_rights: Path) -> None:
    """With the remedy: another --ledger."""
    path = without_rights / "ledger"
    SqliteLedger(path).close()
    before = path.read_bytes()
    path.chmod(0o400)
    error = refused(path)

    assert "Permission denied" in error.message
    assert "may write" in str(error.hint)
    assert path.read_bytes() == before


def test_a_folder_that_one_may_not_write_is_refused(without_rights: Path) -> None:
    """Whatever words its name is made of: `full` in a path is not a full disk."""
    folder = without_rights / "full of reports"
    folder.mkdir()
    folder.chmod(0o500)
    error = refused(folder / "ledger")
    folder.chmod(0o700)

    assert "may write" in str(error.hint)


# A damaged line -------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"number": "one"}', b"\xff"])
def test_a_damaged_line_is_named_by_its_number(body: bytes) -> None:
    """An error message, not a wrong report."""
    with SqliteLedger(MEMORY) as ledger:
        ledger.append([opened()])
        ledger._db.execute(
            "INSERT INTO entry (run, row, kind, at_ms, body) VALUES (1, 2, 'sending', 0, ?)",
            (body,),
        )
        with pytest.raises(LedgerError, match="line 2 of the ledger") as caught:
            list(ledger.row_lines(1))

    assert "kept as it is" in str(caught.value.hint)


def test_a_provisional_outcome_closes_an_identity() -> None:
    """Not attempted after proven absence: nothing of it is in doubt."""
    stopped = Settled(outcome=NotAttempted(code="lane_stopped"))
    with SqliteLedger(MEMORY) as ledger:
        ledger.append([opened(), line(Sending(number=1)), line(ProvenAbsent()), line(stopped)])

        assert ledger.open_markers() == []


# A newer batchconnect -------------------------------------------------------------------------------


@pytest.mark.parametrize("read_only", [False, True])
def test_a_ledger_with_lines_of_a_kind_to_come_is_refused_at_the_door(
    tmp_path: Path, read_only: bool
) -> None:
    """Half of its story would be a wrong report, and a run on it would not know what was deleted."""
    path = tmp_path / "ledger"
    SqliteLedger(path).close()
    newer = sqlite3.connect(path)
    newer.execute("INSERT INTO about VALUES ('kind:a_kind_to_come', '')")
    newer.commit()
    newer.close()
    before = path.read_bytes()
    error = refused(path, read_only=read_only)

    assert "newer batchconnect (lines of the kind a_kind_to_come)" in error.message
    assert "Update batchconnect" in str(error.hint)
    assert path.read_bytes() == before


def test_which_kinds_of_lines_a_ledger_has_stands_in_it(tmp_path: Path) -> None:
    """With the first line of each, in the same transaction: an older batchconnect may rely on it."""

    def noted(ledger: SqliteLedger) -> list[str]:
        found = ledger._db.execute("SELECT word FROM about WHERE word GLOB 'kind:*' ORDER BY word")
        return [word.removeprefix("kind:") for (word,) in found]

    with SqliteLedger(tmp_path / "ledger") as ledger:
        at_first = noted(ledger)
        ledger.append([opened()])
        with pytest.raises(TypeError):
            ledger.append([line(CREATED), line(RowPlanned(name=Secret("s")))])  # type: ignore[arg-type]  # on purpose
        ledger.append([line(Sending(number=1)), line(Sending(number=2))])
    with SqliteLedger(tmp_path / "ledger") as ledger:
        ledger.append([line(CREATED)])

        assert at_first == []
        assert noted(ledger) == ["run_opened", "sending", "settled"]


def test_a_line_of_a_kind_to_come_that_comes_while_we_read_is_said_to_be_newer() -> None:
    """The remedy is an update, not a backup."""
    with SqliteLedger(MEMORY) as ledger:
        ledger.append([opened()])
        ledger._db.execute(
            "INSERT INTO entry (run, row, kind, at_ms, body) VALUES (1, 2, 'to_come', 0, x'7b7d')"
        )
        with pytest.raises(LedgerError, match=r"newer batchconnect \(line 2") as caught:
            list(ledger.row_lines(1))

    assert "Update" in str(caught.value.hint)


def test_a_thousand_identities_are_asked_for_in_a_few_questions() -> None:
    """More than SQLite takes values in one; those of which nothing is known are left out."""
    markers = [f"bc1-{number}" for number in range(1200)]
    with SqliteLedger(MEMORY) as ledger:
        ledger.append([opened()])
        ledger.append(
            [line(Sending(number=1), marker=marker, row=row) for row, marker in enumerate(markers)]
        )
        told: list[str] = []
        ledger._db.set_trace_callback(told.append)
        states = ledger.states_of([*markers, "bc1-unknown"])

    assert len(told) == 3
    assert {marker: state.number for marker, state in states.items()} == {
        marker: row for row, marker in enumerate(markers)
    }
    assert all(state.is_sent for state in states.values())
