"""`verify`, `rotate` and `rerun` of keys: what bad input gets, at 80 columns, and that nothing is sent then."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from batchconnect import RunOptions, onboard_sync
from batchconnect.ledger.sqlite.file import locked
from batchconnect.model.outcome import Works
from tests.acceptance.practice import ACME, Practice
from tests.command_line import FAST, CommandLine, Done, cells, many

Rows = Sequence[Mapping[str, object]]


@pytest.fixture
def command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CommandLine:
    """The command, in an empty folder."""
    return CommandLine(tmp_path, capsys, monkeypatch, dict(os.environ))


@pytest.fixture
def practice(command: CommandLine) -> Iterator[Practice]:
    """A service on a real port, whose one org the environment knows."""
    with Practice() as practice:
        command.setenv(**practice.environment())
        yield practice


def made(command: CommandLine, rows: Rows, *flags: str) -> str:
    """A run over these rows; its id."""
    done = command("run", command.sheet(rows), *FAST, "--json", *flags)
    run_id: str = done.json["run_id"]
    return run_id


def new_keys(rows: Rows) -> list[dict[str, object]]:
    return [{**row, "servicePrincipalKey": f"{row['servicePrincipalKey']}-new"} for row in rows]


def refused(done: Done, code: int, *says: str) -> None:
    """It ended so, said so, and in lines that a terminal of 80 columns shows."""
    assert done.code == code, done
    for text in says:
        assert text in " ".join((done.out + done.err).split()), done
    assert "Traceback" not in done.err


def changes(practice: Practice, since: int) -> list[str]:
    """What was sent that may change anything."""
    return [
        entry.method
        for entry in practice.journal(ACME, since=since)
        if entry.method in {"POST", "PATCH", "DELETE"}
    ]


def test_a_run_that_is_not_there(command: CommandLine, practice: Practice) -> None:
    """Unknown, or of the other mode: place, cause, and where to look."""
    run_id = made(command, many(2))
    before = practice.mark()

    for word in ("verify", "rerun", "reconcile"):
        refused(command(word, "20200101-none"), 2, "no run is called", "batchconnect runs")
    refused(command("verify", run_id, "--simulate"), 2, "no run is called")
    refused(command("verify", "--reports", "elsewhere"), 2, "there is no run yet")

    assert changes(practice, before) == []


def test_a_sheet_that_is_not_there(command: CommandLine, practice: Practice) -> None:
    made(command, many(1))

    for word in ("verify", "rotate"):
        refused(command(word, "nope.csv"), 3, "nope.csv", "no such file", "clients.csv")


def test_rows_that_have_no_connection(command: CommandLine, practice: Practice) -> None:
    """They are left, with the command that creates them; the others get their key."""
    made(command, many(2))
    before = practice.mark()
    sheet = command.sheet(new_keys(many(4)), "new.csv")

    done = command("rotate", sheet, *FAST)

    refused(done, 4, "2 updated", "2 not_attempted", "no_connection", "`batchconnect run`")
    assert changes(practice, before) == ["PATCH", "PATCH"]
    assert len(practice.connections()) == 2


def test_two_rows_for_one_connection(command: CommandLine, practice: Practice) -> None:
    """Which of two keys is meant, nobody knows: both are refused."""
    made(command, many(2))
    before = practice.mark()
    twice = [*new_keys(many(2)), cells(1, servicePrincipalKey="canary~other.Xy_4Q")]

    done = command("rotate", command.sheet(twice, "twice.csv"), *FAST)

    refused(done, 3, "row 2", "row 4", "2 rejected")
    assert changes(practice, before) == []


def test_blank_keys(command: CommandLine, practice: Practice) -> None:
    """As in a workbook that was handed back: each cell is named."""
    made(command, many(2))
    before = practice.mark()
    blank = [{**row, "servicePrincipalKey": ""} for row in many(2)]

    done = command("rotate", command.sheet(blank, "blank.csv"), *FAST)

    refused(done, 3, "G2: the cell is blank", "G3: the cell is blank")
    assert changes(practice, before) == []


def test_a_rerun_of_what_creates_nothing(command: CommandLine, practice: Practice) -> None:
    """A rotation and an undo have their own ways to go on, and are told."""
    run_id = made(command, many(2))
    sheet = command.sheet(new_keys(many(2)), "new.csv")
    rotated = command("rotate", sheet, *FAST, "--json").json["run_id"]
    undone = command("undo", run_id, "--yes", "2", *FAST, "--json").json["run_id"]
    before = practice.mark()

    refused(command("rerun", rotated), 2, "`rotate`", "batchconnect rotate SHEET")
    refused(command("rerun", undone), 2, "`undo`", "batchconnect undo RUN --yes N")

    assert changes(practice, before) == []


def test_a_run_without_connections(command: CommandLine, practice: Practice) -> None:
    """There is nothing to ask about: not a failure, and not "all of them work"."""
    practice.ask(lambda simulator: simulator.deny(ACME))
    run_id = made(command, many(2))
    practice.ask(lambda simulator: simulator.allow(ACME))

    done = command("verify", run_id)

    refused(done, 0, "0 rows")
    assert "yes" not in done.out


def test_a_ledger_that_another_process_holds(command: CommandLine, practice: Practice) -> None:
    made(command, many(1))
    sheet = command.sheet(new_keys(many(1)), "new.csv")
    before = practice.mark()

    with locked(Path("reports/ledger.sqlite3").absolute(), about={"host": "workstation"}):
        refused(command("rotate", sheet, *FAST), 5, "in use")
        refused(command("verify", *FAST), 5, "in use")

    assert practice.journal(ACME, since=before) == []


def test_a_plan_of_a_rotation_sends_nothing(command: CommandLine, practice: Practice) -> None:
    made(command, many(2))
    runs = command("runs", "--json").json["runs"]
    sheet = command.sheet(new_keys(many(3)), "new.csv")
    before = practice.mark()

    shown = command("rotate", sheet, "--plan")
    told = command("rotate", sheet, "--plan", "--json")

    assert "2 get their key" in shown.out
    assert "next: batchconnect rotate new.csv" in " ".join(shown.out.split())
    (sandbox,) = told.json["sandboxes"]
    assert (sandbox["send_key"], sandbox["not_attempted"]) == (2, 1)
    assert changes(practice, before) == []
    assert command("runs", "--json").json["runs"] == runs, "and opens no run"


def test_with_json_each_gives_one_document_and_nothing_else(
    command: CommandLine, practice: Practice
) -> None:
    """`Done.json` parses all of stdout."""
    run_id = made(command, many(2))
    sheet = command.sheet(new_keys(many(2)), "new.csv")

    rotated = command("rotate", sheet, *FAST, "--json").json
    verified = command("verify", run_id, *FAST, "--json").json
    of_sheet = command("verify", sheet, *FAST, "--json").json

    assert (rotated["command"], rotated["counts"]["updated"]) == ("rotate", 2)
    for document in (verified, of_sheet):
        assert (document["command"], document["works"]["yes"]) == ("verify", 2)
        assert document["exit_code"] == 0


def test_exit_codes_of_keys_that_are_wrong(command: CommandLine, practice: Practice) -> None:
    """`run --verify`, `verify` and `rotate` are 4 where a connection does not work, and 0 where all do."""
    rows = [cells(1), cells(2, servicePrincipalKey="canary~wrong-at-test.Xy_4Q")]
    sheet = command.sheet(rows)

    ran = command("run", sheet, *FAST, "--settle", "1", "--verify")
    verified = command("verify", *FAST, "--settle", "1")
    still_wrong = command("rotate", sheet, *FAST, "--settle", "1")
    unasked = command("rotate", sheet, *FAST, "--no-verify")
    mended = command("rotate", command.sheet(many(2), "new.csv"), *FAST)
    works = command("verify", "new.csv", *FAST)

    codes = [done.code for done in (ran, verified, still_wrong, unasked, mended, works)]
    assert codes == [4, 4, 4, 0, 0, 0]
    assert "AADSTS7000215" in ran.out


def test_verify_in_the_settings_file(
    command: CommandLine, practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_org = practice.two_orgs().split("[orgs.beta]", maxsplit=1)[0]
    command.write("batchconnect.toml", f"verify = true\n{one_org}")
    for name in ("ORG_ID", "CLIENT_ID", "CLIENT_SECRET", "PLATFORM_URL", "IMS_URL"):
        monkeypatch.delenv(f"BATCHCONNECT_{name}")
    command.setenv(ACME_SECRET=practice.environment()["BATCHCONNECT_CLIENT_SECRET"])

    done = command("run", command.sheet(many(2)), *FAST)

    refused(done, 0, "works: 2 yes")


def test_from_python_a_report_tells_what_works(command: CommandLine, practice: Practice) -> None:
    rows = [cells(1), cells(2, servicePrincipalKey="canary~wrong-at-test.Xy_4Q")]

    report = onboard_sync(rows, options=RunOptions(verify=True, rate=200.0, settle=1.0))

    assert report.exit_code == 4
    assert report.works == {Works.YES: 1, Works.NO: 1}
    assert [row.works for row in report.rows] == [Works.YES, Works.NO]
    assert report.rows[1].works_error == "AADSTS7000215"
