"""Onboard a sheet, end to end: the main job with the real command, as its issue says when it is done."""

from pathlib import Path

import openpyxl
import orjson
import pytest

from batchconnect.simulator import Simulator
from tests.acceptance.place import COLUMNS, INPUTS, Place, cells, many
from tests.acceptance.practice import ACME, Practice, assert_exactly_once

pytestmark = pytest.mark.acceptance

HOSTILE_KEYS = {
    "leading zeros": "00123",
    "exponent": "1e5",
    "twenty digits": "12345678901234567890",
    "outer spaces": "  two before, one after ",
    "quotes": "\"double\" and 'single'",
    "commas": "a,b;c|d",
    "not ascii": "Schlüssel-ß-日本-🔑",
    "formula": "=1+1",
    "plus": "+49 30",
    "minus": "-x",
    "at": "@SUM(A1)",
    "percent": "100%&a=b\\n",
}
"""By the row's name; each has to arrive byte for byte."""
NO_KEYS = {"not a number": "NA", "null": "null", "one character": "x"}
"""What is no key of anybody's: refused with its cell, and never read as a blank one."""


def posts(place: Place) -> int:
    """Creates that the simulator of `--simulate` has ever got."""
    simulator = Simulator(state=place.reports / "simulated" / "simulator.sqlite3")
    return sum(
        entry.method == "POST" and entry.path.endswith("/connections")
        for entry in simulator.journal()
    )


def test_the_example_is_created_at_once_and_stands_there_the_second_time(place: Place) -> None:
    """README's first command: every row `created`; given again, every row `existing` and 0 POSTs."""
    first = place.run("run", INPUTS / "tenants.csv", "--simulate", "--rate", "40")
    sent = posts(place)
    second = place.run("run", INPUTS / "tenants.csv", "--simulate", "--rate", "40")

    assert (first.code, sent) == (0, 40), first
    assert "40 created" in first.out
    assert (second.code, posts(place)) == (0, 40), second
    assert "40 existing" in second.out


PROBLEMS = {
    "endpoint is http": "C3",
    "endpoint without https://": "C4",
    "endpoint with a path": "C5",
    "endpoint with a query": "C6",
    "endpoint with a user": "C7",
    "endpoint with port 8080": "C8",
    "endpoint is an IP address": "C9",
    "endpoint is a single label": "C10",
    "endpoint with an umlaut": "C11",
    "endpoint is blank": "C12",
    "": "A13",
    "database is blank": "D15",
    "database is a failed formula": "D16",
    "tenant is common": "E17",
    "tenant is no domain": "E18",
    "principal id is truncated": "F19",
    "principal id is a name": "F20",
    "principal id with smart quotes inside": "F21",
    "principal id became a number": "F22",
    "key is blank": "G23",
    "key with a line break": "G24",
    "key is a reference": "G25",
    "sandbox is blank": "I26",
    "sandbox in upper case": "I27",
    "sandbox is a title": "I28",
    "description with a control character": "B29",
    "same row twice": "row 31",
    "same name, two targets": "A33",
}
"""Of `inputs/with-problems.csv`: a row's name, and the cell that has to be named."""


def test_every_planted_problem_is_named_with_its_cell(place: Place) -> None:
    """`validate` finds them offline, and exits with 3."""
    told = place.run("validate", INPUTS / "with-problems.csv", "--simulate")
    found = place.run("validate", INPUTS / "with-problems.csv", "--simulate", "--json")

    assert (told.code, found.code) == (3, 3)
    errors = [one for one in found.json["problems"] if one["severity"] == "error"]
    assert set(PROBLEMS.values()) - {one["cell"] or f"row {one['row']}" for one in errors} == set()
    assert [where for where in PROBLEMS.values() if f" {where}" not in told.out] == []
    assert tuple(found.json[word] for word in ("rows", "valid", "rejected")) == (33, 3, 30)


def test_a_sheet_with_problems_sends_nothing_unless_they_are_skipped(place: Place) -> None:
    """`run` exits with 3 and the reports are there; `--skip-invalid` runs the rest, exit 4."""
    sheet = INPUTS / "with-problems.csv"
    refused = place.run("run", sheet, "--simulate")
    home = place.reports / "simulated"
    folder = home / place.runs(home)[-1]
    sent, statuses = posts(place), place.statuses(folder)
    failed, results = place.table("failed.csv", folder), place.table("results.csv", folder)
    skipped = place.run("run", sheet, "--simulate", "--skip-invalid", "--rate", "40")

    assert (refused.code, sent) == (3, 0), refused
    assert statuses == {"rejected": 30, "not_attempted": 3}
    assert (len(results), len(failed)) == (33, 33)
    assert "servicePrincipalKey" not in failed[0]
    assert "C3" in refused.out
    assert (skipped.code, posts(place)) == (4, 3), skipped
    assert "3 created" in skipped.out


def workbook(place: Place, rows: list[dict[str, object]]) -> Path:
    """An XLSX of rows whose texts are text cells."""
    book = openpyxl.Workbook()
    tab = book.worksheets[0]
    tab.append(COLUMNS)
    for row in rows:
        tab.append([row[column] for column in COLUMNS])
        for cell in tab[tab.max_row]:
            if isinstance(cell.value, str):
                cell.data_type = "s"
                cell.number_format = "@"
    path = place.write("clients.xlsx", b"")
    book.save(path)
    return path


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_keys_arrive_byte_for_byte(place: Place, practice: Practice, kind: str) -> None:
    """Whatever a spreadsheet or a CSV reader likes to make of them."""
    rows = [
        cells(number, name=name, servicePrincipalKey=key)
        for number, (name, key) in enumerate({**HOSTILE_KEYS, **NO_KEYS}.items(), start=1)
    ]
    sheet = place.sheet(rows) if kind == "csv" else workbook(place, rows)
    place.secrets |= {key for key in HOSTILE_KEYS.values() if len(key) > 8}

    done = place.run("run", sheet, "--rate", "40", "-v", "--skip-invalid")

    assert done.code == 4, done
    assert practice.keys() == HOSTILE_KEYS
    refused = {name: row["error_code"] for name, row in place.results().items() if name in NO_KEYS}
    assert refused == dict.fromkeys(NO_KEYS, "key_placeholder")


def test_excel_numbers_are_refused_with_their_cell(place: Place, practice: Practice) -> None:
    """Nobody can know any more what was typed, so nothing is sent."""
    rows: list[dict[str, object]] = [
        cells(1, servicePrincipalKey=123),
        cells(2, servicePrincipalKey=1e5),
        cells(3, database=20261123),
        cells(4, servicePrincipalKey=True),
        cells(5, servicePrincipalKey=12345678901234567890),
    ]
    done = place.run("run", workbook(place, rows))

    assert done.code == 3, done
    for cell in ("G2", "G3", "D4", "G5", "G6"):
        assert cell in done.out
    assert "text" in done.out
    assert practice.journal() == []


def test_a_rehearsal_leaves_no_trace_in_the_real_ledger(place: Place, practice: Practice) -> None:
    """`--simulate` of a real sheet; `rerun` and `runs` never pick it, and the real run sends all rows."""
    sheet = place.sheet(many(3))
    rehearsal = place.run("run", sheet, "--simulate", "--rate", "40")
    assert rehearsal.code == 0, rehearsal
    assert not (place.reports / "ledger.sqlite3").exists()
    assert place.run("rerun").code == 5
    assert practice.journal() == []

    practice.ask(lambda simulator: simulator.deny(ACME, "403025"))
    real = place.run("run", sheet, "--rate", "40")
    assert real.code == 7, real
    place.run("run", sheet, "--simulate")
    practice.ask(lambda simulator: simulator.allow(ACME))
    rerun = place.run("rerun", "--rate", "40")

    assert rerun.code == 0, rerun
    assert f"rerun of {place.summary()['parent_run_id']}" in rerun.err
    assert_exactly_once(practice, place, {row["name"] for row in many(3)})
    runs = place.run("runs", "--json").json["runs"]
    assert [one["simulated"] for one in runs] == [False, False]


FROM_PYTHON = """
import asyncio, json, sys
import batchconnect

def facts(report):
    keep = ("row", "status", "name", "org", "sandbox", "error_code", "matched_by")
    frame = report.to_pandas()
    return [report.exit_code, {str(k): v for k, v in report.counts.items()},
            frame[list(keep)].fillna("").astype(str).to_dict("records")]

async def in_a_loop(sheet):
    twin = batchconnect.onboard_sync(sheet, reports="beside-the-loop")
    report = await batchconnect.onboard(sheet, reports="in-loop")
    assert facts(twin) == facts(report)
    return report

first = asyncio.run(in_a_loop(sys.argv[1]))
second = batchconnect.onboard_sync(sys.argv[1], reports="without-loop")
print(json.dumps([facts(first), facts(second)]))
"""


def test_the_same_job_from_python_gives_the_same_report(place: Place) -> None:
    """In a running loop, without one, and by the command: the same rows, statuses and exit code."""
    sheet = place.sheet([*many(3), cells(4, endpoint="http://nowhere")])
    options = "options=batchconnect.RunOptions(simulate=True, skip_invalid=True)"
    code = FROM_PYTHON.replace("reports=", f"{options}, reports=")
    done = place.run(sheet, python=("-c", code))
    command = place.run("run", sheet, "--simulate", "--skip-invalid")

    assert done.code == 0, done
    in_loop, without = orjson.loads(done.out)
    assert in_loop == without
    assert 4 == in_loop[0] == command.code
    home = place.reports / "simulated"
    rows = place.results(home / place.runs(home)[-1]).values()
    assert [row["status"] for row in in_loop[2]] == [row["status"] for row in rows]
    assert [row["error_code"] for row in in_loop[2]] == [row["error_code"] or "" for row in rows]
