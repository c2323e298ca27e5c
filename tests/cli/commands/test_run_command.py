"""`run`, `rerun`, `reconcile`: the whole job as a person gives it; what the screen says, and the exit code."""

import html
import re
from pathlib import Path

import openpyxl
import orjson
import pytest

from batchconnect.model.column import SHOWN_COLUMNS, Column
from batchconnect.model.errors import ExitCode
from batchconnect.simulator.decision import Decision, Instead, Reset
from batchconnect.simulator.exchange import Answer
from tests.acceptance.place import INPUTS
from tests.acceptance.practice import ACME, Practice
from tests.command_line import CLIENT_SECRET, FAST, CommandLine, Done, cells, many

SIMULATED = ("--simulate", *FAST)
REFUSED = Decision(
    apply_after_s=None,
    reply=Instead(
        answer=Answer(
            status=400,
            headers=(("Content-Type", "application/json"),),
            body=b'{"type":"https://ns.adobe.com/aep/errors/FLOW-1308-400","status":400,"title":"no"}',
        )
    ),
)
LOST = Decision(apply_after_s=None, reply=Reset())
LOST_AND_HIDDEN = Decision(reply=Reset(), lag_s=1.5)


def summary(done: Done) -> dict[str, object]:
    document: dict[str, object] = orjson.loads(done.out)
    return document


# -- run -------------------------------------------------------------------------------------------


def test_a_run_tells_what_it_did_and_where_its_report_is(batchconnect: CommandLine) -> None:
    """The result on stdout; progress, and which ledger it is, on stderr."""
    sheet = batchconnect.sheet(many(2, org="acme"))

    first = batchconnect("run", sheet, *SIMULATED)
    second = batchconnect("run", sheet, *SIMULATED)

    assert (first.code, second.code) == (0, 0)
    assert "  2 created\n" in first.out
    assert "report: reports/simulated/sim-" in first.out
    assert "next:" not in first.out
    assert "begins, simulated; ledger: " in first.err
    assert "  2 existing" in second.out


def test_with_json_stdout_holds_one_document(batchconnect: CommandLine) -> None:
    """The summary, with the files that were written."""
    done = batchconnect("run", batchconnect.sheet(many(1, org="acme")), *SIMULATED, "--json")

    document = summary(done)
    assert document["exit_code"] == 0
    assert document["simulated"] is True
    assert "results.csv" in str(document["files"])


def test_quiet_says_errors_only(batchconnect: CommandLine) -> None:
    """Of a run that went well nothing at all; of another what is wrong, and no word more."""
    well = batchconnect("run", batchconnect.sheet(many(1, org="acme")), *SIMULATED, "-q")
    rows = [cells(2, org="acme", database=""), cells(3, org="acme")]
    sheet = batchconnect.sheet(rows, "wrong.csv")
    refused = batchconnect("run", sheet, *SIMULATED, "-q")
    partly = batchconnect("run", sheet, *SIMULATED, "-q", "--skip-invalid")

    assert (well.code, well.out, well.err) == (0, "", "")
    assert refused.out == "error: D2: database: the cell is blank -> Fill in `database`.\n"
    assert partly.out.splitlines()[0].startswith("! acme: database: the cell is blank")
    assert len(partly.out.splitlines()) == 2
    assert (refused.err, partly.err) == ("", "")


def test_the_log_can_be_had_on_stderr_too(batchconnect: CommandLine) -> None:
    """As JSON lines."""
    done = batchconnect("run", batchconnect.sheet(many(1, org="acme")), *SIMULATED, "--log-json")

    assert '"event"' in done.err
    assert '"event"' not in done.out


def test_verbose_tells_of_each_row(batchconnect: CommandLine) -> None:
    """Its number, and what became of it."""
    sheet = batchconnect.sheet(many(1, org="acme"))

    assert "row 2" in batchconnect("run", sheet, *SIMULATED, "-v").err


def test_rejected_rows_keep_a_run_from_starting(batchconnect: CommandLine) -> None:
    """Every problem as `validate` shows it; nothing was sent; the sheet with its problems comes next."""
    sheet = batchconnect.sheet([cells(1, org="acme", database=""), cells(2, org="acme")])

    done = batchconnect("run", sheet, *SIMULATED)

    assert done.code == 3
    shown = batchconnect("validate", sheet, "--simulate").out.splitlines()
    assert done.out.splitlines()[0] == shown[0]
    assert shown[0] == "error: D2: database: the cell is blank -> Fill in `database`."
    again = "batchconnect validate clients.csv --annotate clients-annotated.xlsx --simulate"
    assert f"next:   {again}" in done.out
    assert f"next:   {again}" in shown
    assert batchconnect(*again.split()[1:]).code == 3
    again = again.replace("annotated", "annotated2")
    assert f"next:   {again}" in batchconnect("run", sheet, *SIMULATED).out


@pytest.mark.slow
def test_a_thousand_like_problems_are_one_line(batchconnect: CommandLine) -> None:
    """With a count; all of them stand in failed.csv."""
    done = batchconnect("run", batchconnect.sheet(many(1003, tenant="common")), *SIMULATED)

    assert done.code == 3
    assert done.out.count("name no one tenant") == 1
    assert "and 991 more" in done.out


def test_skip_invalid_runs_the_others(batchconnect: CommandLine) -> None:
    """By the option, or by the settings: both have the same effect."""
    sheet = batchconnect.sheet([cells(1, org="acme", database=""), cells(2, org="acme")])

    by_option = batchconnect("run", sheet, *SIMULATED, "--skip-invalid")
    batchconnect.write("batchconnect.toml", "skip_invalid = true\n")
    by_settings = batchconnect("run", sheet, *SIMULATED)

    assert (by_option.code, by_settings.code) == (4, 4)
    assert "1 created" in by_option.out
    assert "1 existing" in by_settings.out


def test_a_canary_ends_as_it_was_asked_to(batchconnect: CommandLine) -> None:
    """Exit 8, and the same command takes the next rows."""
    sheet = batchconnect.sheet(many(3, org="acme"))

    first = batchconnect("run", sheet, *SIMULATED, "--max-rows", "2", "--note", "CHG-1")
    second = batchconnect("run", sheet, *SIMULATED, "--max-rows", "2", "--note", "CHG-1")

    assert (first.code, second.code) == (8, 0)
    assert "next:   batchconnect run clients.csv --simulate --rate 200 --max-rows 2" in first.out


def test_too_many_failures_stop_the_run(batchconnect: CommandLine, practice: Practice) -> None:
    """Exit 7; the rest is not attempted."""
    practice.script = lambda request: REFUSED if request.is_create else None

    done = batchconnect(
        "run", batchconnect.sheet(many(9)), "--rate", "20", "--concurrency", "1",
        "--max-failures", "2",
    )  # fmt: skip

    assert done.code == 7
    assert "not_attempted" in done.out


def test_a_sheet_that_cannot_be_opened_sends_nothing(batchconnect: CommandLine) -> None:
    """Exit 3, one sentence and what to do."""
    done = batchconnect("run", "nope.csv", *SIMULATED)

    assert done.code == 3
    assert done.err.startswith("error: nope.csv: there is no such file\nhint:  ")
    assert not Path("reports/simulated/ledger.sqlite3").exists()


def test_no_secret_is_said_or_written(batchconnect: CommandLine, practice: Practice) -> None:
    """Neither of the org nor of a row."""
    done = batchconnect("run", batchconnect.sheet(many(1)), *FAST, "-v", "--log-json")

    written = b"".join(path.read_bytes() for path in Path("reports").rglob("*") if path.is_file())
    for secret in (CLIENT_SECRET, cells(1)["servicePrincipalKey"]):
        assert secret not in done.out + done.err
        assert secret.encode() not in written


# -- rerun -----------------------------------------------------------------------------------------


def failed_run(batchconnect: CommandLine, practice: Practice) -> Done:
    """A run of two rows, the second of which was refused."""
    practice.by_name(Client_002=REFUSED)
    done = batchconnect("run", batchconnect.sheet(many(2)), *FAST)
    assert done.code == 4, done
    return done


def test_a_rerun_takes_up_what_is_unfinished(batchconnect: CommandLine, practice: Practice) -> None:
    """The screen names the run; its report covers all rows."""
    failed = failed_run(batchconnect, practice)

    done = batchconnect("rerun", *FAST)

    assert done.code == 0
    assert "1 of 2 rows unfinished" in done.err
    assert "2 created" in done.out
    assert len(practice.creates()) == 3
    assert f"next:   batchconnect rerun {done.err.split()[2].rstrip(':')}" in failed.out
    assert "rerun of" in batchconnect("runs").out


def test_a_rerun_with_nothing_to_do(batchconnect: CommandLine) -> None:
    """Exit 0, nothing is sent, no sheet is read."""
    sheet = batchconnect.sheet(many(1, org="acme"))
    batchconnect("run", sheet, *SIMULATED)
    Path(sheet).write_text("no sheet any more", encoding="utf-8")

    done = batchconnect("rerun", *SIMULATED)

    assert done.code == 0
    assert "every row has its connection, nothing to do" in done.out


def test_a_rerun_with_nothing_to_do_still_refuses_a_sheet_that_is_not_there(
    batchconnect: CommandLine,
) -> None:
    batchconnect("run", batchconnect.sheet(many(1, org="acme")), *SIMULATED)

    done = batchconnect("rerun", "--sheet", "nosuch.csv", *SIMULATED)

    assert done.code == 3, done
    assert "nosuch.csv: there is no such file" in done.err


def test_a_rerun_finds_its_run_by_the_environment(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """`BATCHCONNECT_REPORTS` counts for finding the run, as for everything else."""
    batchconnect.setenv(BATCHCONNECT_REPORTS="elsewhere")
    failed_run(batchconnect, practice)

    done = batchconnect("rerun", *FAST)

    assert done.code == 0
    assert not Path("reports").exists()


def test_a_rerun_of_a_sheet_that_is_gone_says_how_to_name_another(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """And that other one is taken."""
    failed_run(batchconnect, practice)
    Path("clients.csv").rename("moved.csv")

    without = batchconnect("rerun")
    with_sheet = batchconnect("rerun", "--sheet", "moved.csv", *FAST)

    assert (without.code, with_sheet.code) == (3, 0)
    assert "is not there any more" in without.err
    assert "--sheet FILE" in without.err


def test_a_rerun_of_standard_input_needs_a_file(
    batchconnect: CommandLine, practice: Practice, monkeypatch: object
) -> None:
    """Secrets are never stored, so they have to come from somewhere."""
    import sys

    practice.by_name(Client_002=REFUSED)
    sheet = batchconnect.sheet(many(2))
    assert hasattr(monkeypatch, "setattr")
    with Path(sheet).open(encoding="utf-8") as file:
        monkeypatch.setattr(sys, "stdin", file)
        run = batchconnect("run", "-", *FAST)

    done = batchconnect("rerun")

    assert (run.code, done.code) == (4, 2)
    assert "was no file" in done.err


# -- reconcile -------------------------------------------------------------------------------------


def doubtful_run(batchconnect: CommandLine, practice: Practice, fate: Decision) -> Done:
    """A run of two rows that gives up on the second while it is in doubt."""
    practice.by_name(Client_002=fate)
    sheet = batchconnect.sheet(many(2))
    done = batchconnect("run", sheet, *FAST, "--settle", "0.3", "--on-doubt", "hold")
    assert done.code == 6, done
    return done


def test_a_doubt_is_settled_by_asking(batchconnect: CommandLine, practice: Practice) -> None:
    """The connection shows up later; the report is written again, and nothing is sent."""
    doubtful = doubtful_run(batchconnect, practice, LOST_AND_HIDDEN)

    done = batchconnect("reconcile", "--settle", "30")

    assert "next:   batchconnect reconcile" in doubtful.out
    assert done.code == 0
    assert "2 created" in done.out
    assert len(practice.creates()) == 2
    assert "nothing is in doubt" in batchconnect("reconcile").err


def test_a_doubt_that_is_proven_absent_stays_with_the_person(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """`reconcile` never sends it again."""
    doubtful_run(batchconnect, practice, LOST)

    done = batchconnect("reconcile", "--settle", "0.3")

    assert done.code in {4, 6}
    assert len(practice.creates()) == 2


def test_only_the_chosen_doubts_are_settled(batchconnect: CommandLine, practice: Practice) -> None:
    """The others stay in doubt, and the exit code says so."""
    doubtful_run(batchconnect, practice, LOST_AND_HIDDEN)

    elsewhere = batchconnect("reconcile", "--settle", "30", "--sandbox", "prod")
    named = batchconnect("reconcile", "--settle", "30", "--org", ACME, "--only", "sandbox=dev")

    assert (elsewhere.code, named.code) == (6, 0)


def test_a_doubt_of_an_org_that_is_gone_from_the_settings(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """Said with the row and the org; nothing is guessed."""
    doubtful_run(batchconnect, practice, LOST_AND_HIDDEN)
    batchconnect.setenv(BATCHCONNECT_ORG_ID="BBBBBBBBBBBBBBBBBBBBBBBB@AdobeOrg")

    done = batchconnect("reconcile")

    assert done.code == 2
    assert "which is not in the settings" in done.err


def test_without_doubts_a_run_stays_as_it_ended(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """What it lacks is no doubt: exit 4, and its report keeps its own code and duration."""
    batchconnect("run", batchconnect.sheet(many(3)), *FAST, "--max-rows", "1")
    before = batchconnect("status", "--json").json

    done = batchconnect("reconcile", "--max-rows", "1")
    after = batchconnect("status", "--json").json

    assert done.code == 4
    assert "without effect here" in done.err
    assert "nothing is in doubt in run" in done.err
    assert before == after
    assert after["exit_code"] == 8


def test_reconcile_names_what_it_cannot_find(batchconnect: CommandLine, practice: Practice) -> None:
    """No run of that name."""
    batchconnect("run", batchconnect.sheet(many(1)), *FAST)

    done = batchconnect("reconcile", "nobody")

    assert done.code == 2
    assert "no run is called nobody" in done.err


def test_the_planted_problems_of_the_inputs_send_nothing(batchconnect: CommandLine) -> None:
    """As the issue says: `run` on it sends nothing."""
    done = batchconnect("run", INPUTS / "with-problems.csv", *SIMULATED, "--json")

    assert done.code == 3
    assert '"sent": 0' in done.out


@pytest.mark.slow
def test_a_practice_that_met_no_trouble_says_why(batchconnect: CommandLine) -> None:
    """Where an earlier run made all rows, nothing is sent: another folder begins anew."""
    sheet = batchconnect.sheet(many(2, org="acme"))
    first = batchconnect("run", sheet, *SIMULATED, "--fault", "badday")
    again = batchconnect("run", sheet, *SIMULATED, "--fault", "badday")
    anew = batchconnect("run", sheet, *SIMULATED, "--fault", "badday", "--reports", "storm")

    assert "no trouble to see; another --reports begins anew" in again.err
    assert all("no trouble to see" not in done.err for done in (first, anew))
    assert "2 created" in anew.out


def test_every_command_that_a_report_names_finds_the_run_where_it_lies(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """On the screen, in the workbook, in failed.csv, for CI: each has the places that the run was given."""
    practice.by_name(Client_001=REFUSED)
    places = ("--reports", "else where", "--ledger", "l.sqlite3")
    flags = "--reports 'else where' --ledger l.sqlite3"

    done = batchconnect(
        "run", batchconnect.sheet(many(2)), *FAST, *places, "--summary", "ci.md", "--junit", "s.xml"
    )
    status = batchconnect("status", *places)

    (folder,) = (batchconnect.folder / "else where").glob("2*")
    book = openpyxl.load_workbook(folder / "results.xlsx")
    cells = [str(cell.value) for tab in book for row in tab for cell in row]
    texts = {
        "screen": " ".join(done.out.split()),
        "status": " ".join(status.out.split()),
        "failed.csv": (folder / "failed.csv").read_text(encoding="utf-8-sig"),
        "results.xlsx": "\n".join(cells),
        "report.html": html.unescape((folder / "report.html").read_text(encoding="utf-8")),
        "ci.md": Path("ci.md").read_text(encoding="utf-8"),
        "s.xml": html.unescape(Path("s.xml").read_text(encoding="utf-8")),
    }
    for name, text in texts.items():
        told = re.findall(r"batchconnect (?:rerun|verify|status|rotate|reconcile)\b[^`\n<]*", text)
        assert told, name
        assert [one for one in told if flags not in one] == [], name


def test_a_sheet_that_cannot_be_read_to_its_end_leaves_no_run_for_another_to_go_on_with(
    batchconnect: CommandLine,
) -> None:
    """Nothing of it is open or to be done; the next sheet has a run, columns and reruns of its own."""
    batchconnect("template", "empty.csv")
    first = batchconnect("run", "empty.csv", *SIMULATED)
    batchconnect.sheet([cells(1), cells(2)])

    done = batchconnect("run", "clients.csv", *SIMULATED, "--json")

    assert (first.code, done.code) == (ExitCode.SHEET, ExitCode.OK)
    shown = batchconnect("runs", "--simulate", "--json").json["runs"]
    assert [(one["sheet"], one["closed"], one["exit_code"]) for one in shown] == [
        ("clients.csv", True, ExitCode.OK),
        ("empty.csv", True, ExitCode.SHEET),
    ]
    assert batchconnect("run", "empty.csv", *SIMULATED).code == ExitCode.SHEET
    for command in ("status", "rerun", "verify"):
        assert done.json["run_id"] in batchconnect(command, "--simulate", "--json").out, command


@pytest.mark.parametrize("flags", [(), ("--only", "sandbox=dev")], ids=["by blocks", "row by row"])
def test_each_cell_of_a_row_arrives_in_its_report(
    batchconnect: CommandLine, flags: tuple[str, ...]
) -> None:
    """Of a column that somebody adds, too: a way that forgets one leaves it blank, and no type is wrong."""
    row = {**cells(1), "org": "acme"}
    assert [column for column in Column if not row.get(column)] == [], "`cells` has none"
    batchconnect.sheet([row])

    done = batchconnect("run", "clients.csv", *SIMULATED, *flags)

    assert done.code == ExitCode.OK, done.err
    (told,) = Path("reports/simulated/latest/results.jsonl").read_bytes().splitlines()
    arrived = orjson.loads(told)
    expected = {c.value: row[c] for c in SHOWN_COLUMNS if c is not Column.DESCRIPTION}
    assert {name: arrived[name] for name in expected} == expected


def test_rejected_rows_name_both_ways_on(batchconnect: CommandLine) -> None:
    """The cells are corrected, or the others are sent without them."""
    batchconnect.sheet([cells(1), cells(2, tenant="not a tenant"), cells(3)])

    done = batchconnect("run", "clients.csv", *SIMULATED)

    assert done.code == ExitCode.SHEET
    assert "or send the 2 others without them: batchconnect run clients.csv --simulate" in done.err
    assert (
        batchconnect("run", "clients.csv", *SIMULATED, "--skip-invalid").code == ExitCode.UNFINISHED
    )
