"""`verify`, `rotate` and `rerun` of keys: what bad input gets, at 80 columns, and that nothing is sent then."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from batchconnect import RunOptions, onboard_sync
from batchconnect.ledger.sqlite.file import locked
from batchconnect.model.outcome import Works
from tests.acceptance.practice import ACME, Practice
from tests.command_line import FAST, CommandLine, Done, cells, many

Rows = Sequence[Mapping[str, object]]


def made(batchconnect: CommandLine, rows: Rows, *flags: str) -> str:
    """A run over these rows; its id."""
    done = batchconnect("run", batchconnect.sheet(rows), *FAST, "--json", *flags)
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


def test_a_run_that_is_not_there(batchconnect: CommandLine, practice: Practice) -> None:
    """Unknown, or of the other mode: place, cause, and where to look."""
    run_id = made(batchconnect, many(2))
    before = practice.mark()

    for word in ("verify", "rerun", "reconcile"):
        refused(batchconnect(word, "20200101-none"), 2, "no run is called", "batchconnect runs")
    refused(batchconnect("verify", run_id, "--simulate"), 2, "no run is called")
    refused(batchconnect("verify", "--reports", "elsewhere"), 2, "there is no run yet")

    assert changes(practice, before) == []


def test_a_sheet_that_is_not_there(batchconnect: CommandLine, practice: Practice) -> None:
    made(batchconnect, many(1))

    for word in ("verify", "rotate"):
        refused(batchconnect(word, "nope.csv"), 3, "nope.csv", "no such file", "clients.csv")


@pytest.mark.usefixtures("each_ledger")
def test_rows_that_have_no_connection(batchconnect: CommandLine, practice: Practice) -> None:
    """They are left, with the command that creates them; the others get their key."""
    made(batchconnect, many(2))
    before = practice.mark()
    sheet = batchconnect.sheet(new_keys(many(4)), "new.csv")

    done = batchconnect("rotate", sheet, *FAST)

    refused(done, 4, "2 updated", "2 not_attempted", "no_connection", "`batchconnect run`")
    assert changes(practice, before) == ["PATCH", "PATCH"]
    assert len(practice.connections()) == 2


def test_two_rows_for_one_connection(batchconnect: CommandLine, practice: Practice) -> None:
    """Which of two keys is meant, nobody knows: both are refused."""
    made(batchconnect, many(2))
    before = practice.mark()
    twice = [*new_keys(many(2)), cells(1, servicePrincipalKey="canary~other.Xy_4Q")]

    done = batchconnect("rotate", batchconnect.sheet(twice, "twice.csv"), *FAST)

    refused(done, 3, "row 2", "row 4", "2 rejected")
    assert changes(practice, before) == []


def test_blank_keys(batchconnect: CommandLine, practice: Practice) -> None:
    """As in a workbook that was handed back: each cell is named."""
    made(batchconnect, many(2))
    before = practice.mark()
    blank = [{**row, "servicePrincipalKey": ""} for row in many(2)]

    done = batchconnect("rotate", batchconnect.sheet(blank, "blank.csv"), *FAST)

    refused(done, 3, "G2, G3: servicePrincipalKey: the cell is blank")
    assert changes(practice, before) == []


@pytest.mark.usefixtures("each_ledger")
def test_a_rerun_of_what_creates_nothing(batchconnect: CommandLine, practice: Practice) -> None:
    """A rotation and an undo have their own ways to go on, and are told."""
    run_id = made(batchconnect, many(2))
    sheet = batchconnect.sheet(new_keys(many(2)), "new.csv")
    rotated = batchconnect("rotate", sheet, *FAST, "--json").json["run_id"]
    undone = batchconnect("undo", run_id, "--yes", "2", *FAST, "--json").json["run_id"]
    before = practice.mark()

    refused(batchconnect("rerun", rotated), 2, "`rotate`", "batchconnect rotate SHEET")
    refused(batchconnect("rerun", undone), 2, "`undo`", "batchconnect undo RUN --yes N")

    assert changes(practice, before) == []


def test_a_run_without_connections(batchconnect: CommandLine, practice: Practice) -> None:
    """There is nothing to ask about: not a failure, and not "all of them work"."""
    practice.ask(lambda simulator: simulator.deny(ACME))
    run_id = made(batchconnect, many(2))
    practice.ask(lambda simulator: simulator.allow(ACME))

    done = batchconnect("verify", run_id)

    refused(done, 0, "0 rows")
    assert "yes" not in done.out


def test_a_ledger_that_another_process_holds(batchconnect: CommandLine, practice: Practice) -> None:
    made(batchconnect, many(1))
    sheet = batchconnect.sheet(new_keys(many(1)), "new.csv")
    before = practice.mark()

    with locked(Path("reports/ledger.sqlite3").absolute(), about={"host": "workstation"}):
        refused(batchconnect("rotate", sheet, *FAST), 5, "in use")
        refused(batchconnect("verify", *FAST), 5, "in use")

    assert practice.journal(ACME, since=before) == []


@pytest.mark.usefixtures("each_ledger")
def test_a_plan_of_a_rotation_sends_nothing(batchconnect: CommandLine, practice: Practice) -> None:
    made(batchconnect, many(2))
    runs = batchconnect("runs", "--json").json["runs"]
    sheet = batchconnect.sheet(new_keys(many(3)), "new.csv")
    before = practice.mark()

    shown = batchconnect("rotate", sheet, "--plan")
    told = batchconnect("rotate", sheet, "--plan", "--json")

    assert "2 get their key" in shown.out
    assert "next: batchconnect rotate new.csv" in " ".join(shown.out.split())
    (sandbox,) = told.json["sandboxes"]
    assert (sandbox["send_key"], sandbox["not_attempted"]) == (2, 1)
    assert changes(practice, before) == []
    assert batchconnect("runs", "--json").json["runs"] == runs, "and opens no run"


@pytest.mark.usefixtures("each_ledger")
def test_with_json_each_gives_one_document_and_nothing_else(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """`Done.json` parses all of stdout."""
    run_id = made(batchconnect, many(2))
    sheet = batchconnect.sheet(new_keys(many(2)), "new.csv")

    rotated = batchconnect("rotate", sheet, *FAST, "--json").json
    verified = batchconnect("verify", run_id, *FAST, "--json").json
    of_sheet = batchconnect("verify", sheet, *FAST, "--json").json

    assert (rotated["command"], rotated["counts"]["updated"]) == ("rotate", 2)
    for document in (verified, of_sheet):
        assert (document["command"], document["works"]["yes"]) == ("verify", 2)
        assert document["exit_code"] == 0


@pytest.mark.usefixtures("each_ledger")
def test_exit_codes_of_keys_that_are_wrong(batchconnect: CommandLine, practice: Practice) -> None:
    """`run --verify`, `verify` and `rotate` are 4 where a connection does not work, and 0 where all do."""
    rows = [cells(1), cells(2, servicePrincipalKey="canary~wrong-at-test.Xy_4Q")]
    sheet = batchconnect.sheet(rows)

    ran = batchconnect("run", sheet, *FAST, "--settle", "1", "--verify")
    verified = batchconnect("verify", *FAST, "--settle", "1")
    still_wrong = batchconnect("rotate", sheet, *FAST, "--settle", "1")
    unasked = batchconnect("rotate", sheet, *FAST, "--no-verify")
    mended = batchconnect("rotate", batchconnect.sheet(many(2), "new.csv"), *FAST)
    works = batchconnect("verify", "new.csv", *FAST)

    codes = [done.code for done in (ran, verified, still_wrong, unasked, mended, works)]
    assert codes == [4, 4, 4, 0, 0, 0]
    assert "AADSTS7000215" in ran.out


def test_verify_in_the_settings_file(
    batchconnect: CommandLine, practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_org = practice.two_orgs().split("[orgs.beta]", maxsplit=1)[0]
    batchconnect.write("batchconnect.toml", f"verify = true\n{one_org}")
    for name in ("ORG_ID", "CLIENT_ID", "CLIENT_SECRET", "PLATFORM_URL", "IMS_URL"):
        monkeypatch.delenv(f"BATCHCONNECT_{name}")
    batchconnect.setenv(ACME_SECRET=practice.environment()["BATCHCONNECT_CLIENT_SECRET"])

    done = batchconnect("run", batchconnect.sheet(many(2)), *FAST)

    refused(done, 0, "works: 2 yes")


def test_from_python_a_report_tells_what_works(
    batchconnect: CommandLine, practice: Practice
) -> None:
    rows = [cells(1), cells(2, servicePrincipalKey="canary~wrong-at-test.Xy_4Q")]

    report = onboard_sync(rows, options=RunOptions(verify=True, rate=200.0, settle=1.0))

    assert report.exit_code == 4
    assert report.works == {Works.YES: 1, Works.NO: 1}
    assert [row.works for row in report.rows] == [Works.YES, Works.NO]
    assert report.rows[1].works_error == "AADSTS7000215"
