"""`verify` and `rotate` on the command line: what they say, to people and to programs, and what comes next."""

import csv
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import openpyxl
import pytest

from batchconnect.model.errors import ExitCode
from tests.acceptance.practice import Practice
from tests.command_line import FAST, CommandLine, many

BAD = "wrong-at-test-7000222"
"""As keys that have expired: the simulator knows them by their text."""


Rows = list[dict[str, str]]


def rows(*bad: int, count: int = 3) -> Rows:
    """Valid rows, of which some have a key that their source does not take."""
    return [
        {**row, "servicePrincipalKey": f"{BAD}-{number}"} if number in bad else row
        for number, row in enumerate(many(count), start=1)
    ]


def ran(batchconnect: CommandLine, sheet: Rows, *more: str, code: int = 0) -> Any:
    """A run over a sheet; its summary."""
    done = batchconnect("run", batchconnect.sheet(sheet), *FAST, "--json", *more)
    assert done.code == code, done
    return done.json


@pytest.mark.usefixtures("each_ledger")
def test_a_run_with_verify_tells_what_works_and_why_the_rest_does_not(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """Under its own cause, with exit code 4: the connections exist all the same."""
    summary = ran(batchconnect, rows(2), "--verify", code=4)

    assert summary["counts"]["created"] == 3
    assert summary["works"] == {"yes": 2, "no": 1, "not_tested": 0}
    (incident,) = summary["incidents"]
    assert (incident["code"], incident["rows"], incident["works"]) == ("AADSTS7000222", 1, "no")


@pytest.mark.usefixtures("each_ledger")
def test_a_rerun_of_a_run_that_was_tested_tests_what_it_makes(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """And no row that it leaves as it was: all of them are accounted for in the end."""
    wrong = [*rows(2, count=3)[:2], {**rows()[2], "database": ""}]
    ran(batchconnect, wrong, "--verify", "--skip-invalid", code=4)
    before = len([one for one in practice.journal() if one.path.endswith("/test")])

    done = batchconnect("rerun", "--sheet", batchconnect.sheet(rows(), "fixed.csv"), *FAST)

    tested = [one for one in practice.journal() if one.path.endswith("/test")]
    assert done.code == 0, done
    assert "works: 3 yes" in done.out
    assert len(tested) - before == 2


@pytest.mark.usefixtures("each_ledger")
def test_verify_takes_the_last_run_or_one_by_the_beginning_of_its_id(
    batchconnect: CommandLine, practice: Practice
) -> None:
    run_id = ran(batchconnect, rows())["run_id"]

    last = batchconnect("verify", *FAST)
    named = batchconnect("verify", run_id[:-2], *FAST, "--json")

    assert last.code == named.code == 0, (last, named)
    assert "works: 3 yes" in last.out
    assert (named.json["command"], named.json["parent_run_id"]) == ("verify", run_id)
    assert named.json["works"]["yes"] == 3


@pytest.mark.usefixtures("each_ledger")
def test_what_is_gone_is_not_to_be_tested_again_but_made_again(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """And the command that is named does it; then the last line's command is content."""
    ran(batchconnect, rows())
    gone = practice.connections()[0].id
    practice.ask(lambda simulator: simulator.others.delete(gone))

    done = batchconnect("verify", *FAST)

    assert done.code == ExitCode.IN_DOUBT, done
    assert "`batchconnect run` with --recreate makes it again" in done.out
    assert "`batchconnect verify` again" not in done.out
    assert "make what is gone again" in done.out
    assert batchconnect("run", "clients.csv", "--recreate", *FAST).code == 0
    assert batchconnect("verify", *FAST).code == 0


@pytest.mark.usefixtures("each_ledger")
def test_verify_of_an_undo_is_refused_and_names_the_run_that_it_is_of(
    batchconnect: CommandLine, practice: Practice
) -> None:
    run_id = ran(batchconnect, rows())["run_id"]
    undone = batchconnect("undo", run_id, *FAST, "--yes", "3", "--json").json["run_id"]

    done = batchconnect("verify", undone, *FAST)

    assert done.code == 2, done
    assert f"{undone} is an undo" in done.err
    assert f"`batchconnect verify {run_id}`" in done.err
    assert "rows in" not in done.out


@pytest.mark.usefixtures("each_ledger")
def test_verify_of_a_sheet_finds_its_connections_and_creates_none(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """A row without one is told of, and is exit 4; a key is needed by none, for none is sent."""
    ran(batchconnect, rows(count=2))
    keyless = [{**row, "servicePrincipalKey": ""} for row in rows(count=3)]

    done = batchconnect("verify", batchconnect.sheet(keyless), *FAST, "--json")

    assert done.code == 4, done
    assert done.json["counts"]["existing"] == 2
    assert done.json["counts"]["not_attempted"] == 1
    assert [one["code"] for one in done.json["incidents"]] == ["no_connection"]
    assert len(practice.ask(lambda simulator: simulator.connections())) == 2


@pytest.mark.usefixtures("each_ledger")
def test_rotate_with_failing_takes_only_what_its_last_test_said_no_of(
    batchconnect: CommandLine, practice: Practice
) -> None:
    ran(batchconnect, rows(2), "--verify", code=4)

    done = batchconnect("rotate", batchconnect.sheet(rows()), "--failing", *FAST, "--json")

    assert done.code == 0, done
    assert (done.json["counts"]["updated"], done.json["counts"]["unchanged"]) == (1, 2)
    assert "1/3 updated" in batchconnect("runs").out, "what stayed as it was counts for nothing"
    assert done.json["works_changed"] == {"no_more": 0, "again": 0}, "it was another key"


STORE = """
import json, sys
with open("held.json") as file:
    held = json.load(file)
asked = json.load(sys.stdin)["secrets"]
json.dump({"secrets": held if isinstance(held, list) else [
    {"name": one["name"], **held[one["name"]]} for one in asked if one["name"] in held
]}, sys.stdout)
"""


def in_store(batchconnect: CommandLine, **held: dict[str, str]) -> Rows:
    """A store that holds the keys of three rows, and those rows."""
    if not (batchconnect.folder / "store.py").exists():
        batchconnect.write("store.py", STORE)
        batchconnect.write(
            "batchconnect.toml",
            '[stores.kv]\nuri = "exec:"\ncommand = ["python3", "store.py"]\nsheets = true\n',
        )
    every = {f"k{n}": {"value": f"canary~key-{n:03d}.Xy", "version": "1"} for n in (1, 2, 3)}
    batchconnect.write("held.json", json.dumps({**every, **held}))
    return [{**row, "servicePrincipalKey": f"kv:k{number}"} for number, row in enumerate(rows(), 1)]


@pytest.mark.slow
def test_verify_of_a_sheet_asks_the_stores_for_its_keys_and_says_what_they_refuse(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """As a plan does: with cell and remedy, by the run's report as well; the connections work all the same."""
    sheet = in_store(batchconnect)
    ran(batchconnect, sheet)
    in_store(batchconnect, k2={"error": "not_found"}, k3={"error": "forbidden"})

    done = batchconnect("verify", batchconnect.sheet(sheet), *FAST)
    told = " ".join(done.out.split())
    again = batchconnect("report", "--json").json

    assert done.code == ExitCode.UNFINISHED, done
    assert "works: 3 yes" in told
    assert "the store `kv` does not hold the secret that the cell names" in told
    assert "the store `kv` forbids us to read the secret" in told
    assert "-> Put the secret there under this name, or correct the cell." in told
    assert {one["code"]: one["rows"] for one in again["incidents"]} == {
        "secret_not_found": 1,
        "secret_forbidden": 1,
    }
    assert again["counts"]["existing"] == 3
    results = (
        (batchconnect.folder / "reports" / "latest" / "results.csv")
        .read_text("utf-8-sig")
        .splitlines()
    )
    told_of = [
        (one["error_code"], one["error"].partition("(")[0]) for one in csv.DictReader(results)
    ]
    assert told_of == [
        ("", ""),
        ("secret_not_found", "G3: the store `kv` does not hold the secret that the cell names "),
        (
            "secret_forbidden",
            "G4: the store `kv` forbids us to read the secret that the cell names ",
        ),
    ]
    page = (batchconnect.folder / "reports" / "latest" / "report.html").read_text()
    assert "some keys are not to be had from their stores (exit code 4)" in page.lower()
    in_store(batchconnect)
    assert batchconnect("verify", batchconnect.sheet(sheet), *FAST).code == ExitCode.OK


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "verdict", "code", "look"),
    [
        ({"k2": {"error": "not_found"}}, "failure", "secret_not_found", ["Client 002"]),
        ({"k2": {"error": "forbidden"}}, "failure", "secret_forbidden", ["Client 002"]),
        (
            {f"k{number}": {"error": "signed_out"} for number in (1, 2, 3)},
            "error",
            "store_signed_out",
            ["Client 001", "Client 002", "Client 003"],
        ),
    ],
)
@pytest.mark.usefixtures("practice")
def test_a_row_without_its_key_fails_in_junit_and_is_in_failed_csv(
    batchconnect: CommandLine,
    answer: Any,
    verdict: str,
    code: str,
    look: list[str],
) -> None:
    """As the exit code has it: a key that is refused has failed, one of a store that is silent is not known."""
    sheet = in_store(batchconnect)
    ran(batchconnect, sheet)
    in_store(batchconnect, **answer)
    asked = ("--junit", "rows.xml", "--summary", "ci.md", "--patience", "1")

    done = batchconnect("verify", batchconnect.sheet(sheet), *FAST, *asked)

    assert done.code == ExitCode.UNFINISHED, done
    suite = ET.parse("rows.xml").getroot()
    cases = {case.get("name", "")[7:]: list(case) for case in suite.iter("testcase")}
    assert [name for name, inner in cases.items() if inner] == look
    for (inner,) in (cases[name] for name in look):
        assert (inner.tag, inner.get("type")) == (verdict, code)
        assert "store `kv`" in (inner.get("message") or "")
    latest = batchconnect.folder / "reports" / "latest"
    lines = (latest / "failed.csv").read_text("utf-8-sig").splitlines()
    assert [one["name"] for one in csv.DictReader(lines)] == look
    assert all("store `kv`" in one["error"] and one["hint"] for one in csv.DictReader(lines))
    (tab, *_) = openpyxl.load_workbook(latest / "results.xlsx").worksheets
    said = [cell.comment.text for row in tab.iter_rows() for cell in row if cell.comment]
    assert sum("store `kv`" in text for text in said) == (verdict == "failure")
    assert f"{len(look)} row{'s' * (len(look) > 1)} to look at" in Path("ci.md").read_text("utf-8")


@pytest.mark.slow
def test_verify_of_a_sheet_says_which_keys_end_soon_and_sends_none(
    batchconnect: CommandLine, practice: Practice
) -> None:
    sheet = in_store(batchconnect)
    ran(batchconnect, sheet)
    soon = (datetime.now(UTC) + timedelta(days=9)).isoformat()
    in_store(batchconnect, k2={"value": "canary~another-key.Xy", "version": "2", "expires": soon})

    done = batchconnect("verify", batchconnect.sheet(sheet), *FAST)

    assert done.code == ExitCode.OK, done
    assert "1 key expires within 30 days: see key_expires" in done.out
    latest = batchconnect.folder / "reports" / "latest"
    assert f"kv:k2,2,{soon[:10]}" in (latest / "results.csv").read_text("utf-8-sig")
    page = (latest / "report.html").read_text()
    assert "1 key expires within 30 days" in page
    named = re.search(r"<code>batchconnect (expiring [^<]*)</code>", page)
    assert named is not None
    ending = batchconnect(*named[1].split())
    assert ending.code == ExitCode.UNFINISHED
    assert "kv:k2  row 3" in ending.out
    keys = practice.ask(
        lambda simulator: {simulator.received_key(one.id) for one in simulator.connections()}
    )
    assert "canary~another-key.Xy" not in keys


@pytest.mark.slow
def test_a_store_that_gives_nothing_keeps_no_connection_from_being_tested(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """One incident for the store, exit 4, after `--patience`."""
    sheet = in_store(batchconnect)
    ran(batchconnect, sheet)
    batchconnect.write("held.json", '[{"name": "k1", "error": "signed_out"}]')

    done = batchconnect("verify", batchconnect.sheet(sheet), *FAST, "--patience", "1", "--json")

    assert done.code == ExitCode.UNFINISHED, done
    assert done.json["works"]["yes"] == 3
    assert [(one["code"], one["rows"]) for one in done.json["incidents"]] == [
        ("store_signed_out", 3)
    ]
