"""`expiring` on the command line: the first to end first, what a store refuses with its remedy, and the exit code."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from batchconnect.model.errors import ExitCode
from tests.acceptance.practice import Practice
from tests.command_line import FAST, CommandLine, many

pytestmark = pytest.mark.slow  # each look starts the program that is the store

STORE = """
import json, sys
with open("held.json") as file:
    held = json.load(file)
asked = json.load(sys.stdin)["secrets"]
json.dump({"secrets": [{"name": one["name"], **held.get(one["name"], held["any"])} for one in asked]}, sys.stdout)
"""


def holds(batchconnect: CommandLine, **held: dict[str, Any]) -> None:
    """A store that answers so, by name; without a name, with a key of no end."""
    batchconnect.write("store.py", STORE)
    batchconnect.write(
        "batchconnect.toml",
        '[stores.kv]\nuri = "exec:"\ncommand = ["python3", "store.py"]\nsheets = true\n',
    )
    endless = {"value": "canary~key-of-no-end.Xy", "version": "1"}
    batchconnect.write("held.json", json.dumps({"any": endless, **held}))


def ends(**ahead: float) -> dict[str, str]:
    """A key that ends in so many days or hours."""
    at = datetime.now(UTC) + timedelta(minutes=5, **ahead)
    return {"value": "canary~key-that-ends.Xy", "version": "2", "expires": at.isoformat()}


def sheet_of(*keys: str) -> list[dict[str, Any]]:
    """A row for each key."""
    rows = zip(many(len(keys)), keys, strict=True)
    return [{**row, "servicePrincipalKey": key} for row, key in rows]


def test_keys_of_a_sheet_are_told_the_first_to_end_first(batchconnect: CommandLine) -> None:
    """A key of several rows once; what has ended, too; what stands in a cell is counted, for nobody tells its end."""
    holds(batchconnect, k1=ends(days=9), k2=ends(hours=5), k3=ends(days=-3), k4=ends(days=90))
    shared = ["kv:k1"] * 5
    sheet = batchconnect.sheet(sheet_of(*shared, "kv:k2", "kv:k3", "kv:k4", "kv:k5", "a-cell.Xy_4"))

    done = batchconnect("expiring", sheet)

    assert done.code == ExitCode.UNFINISHED, done
    lines = done.out.splitlines()
    assert [line.split("kv:")[0].split(maxsplit=1)[1].strip() for line in lines[:3]] == [
        "ended 3 d ago",
        "in 5 hours",
        "in 9 days",
    ]
    assert lines[2].endswith("kv:k1  row 2 (Client 001), 3, 4, ...")
    assert " ".join(" ".join(lines[3:]).split()) == (
        "3 keys of 5 ending within 30 days; 1 whose store tells no end; 1 row without a key in a store"
    )


def test_rejected_rows_are_not_passed_over(batchconnect: CommandLine) -> None:
    """They are counted, and exit 4 says that not every key was looked at; but for rows that nobody chose."""
    holds(batchconnect, k1=ends(days=90))
    good, bad, other = sheet_of("kv:k1", "kv:k2", "a-cell.Xy_4")
    wrong = [
        {**good, "org": "acme"},
        *({**one, "database": "", "org": "beta"} for one in (bad, other)),
    ]
    sheet = batchconnect.sheet(wrong)

    done = batchconnect("expiring", sheet)
    told = batchconnect("expiring", sheet, "--json")
    chosen = batchconnect("expiring", sheet, "--only", "org=acme", "--json")

    assert (done.code, told.code, chosen.code) == (
        ExitCode.UNFINISHED,
        ExitCode.UNFINISHED,
        ExitCode.OK,
    )
    assert "0 keys of 1 ending within 30 days; 2 rows rejected: not looked at" in " ".join(
        done.out.split()
    )
    assert all(len(line) <= 80 for line in done.out.splitlines())
    assert (told.json["keys"], told.json["rows_rejected"]) == (1, 2)
    assert chosen.json["rows_rejected"] == 0


@pytest.mark.parametrize(
    ("within", "ending"), [("4h", 0), ("6h", 1), ("10", 2), ("10d", 2), ("2w", 2), ("0.5d", 1)]
)
def test_within_is_a_time_in_hours_days_or_weeks(
    batchconnect: CommandLine, within: str, ending: int
) -> None:
    holds(batchconnect, k1=ends(days=9), k2=ends(hours=5))
    sheet = batchconnect.sheet(sheet_of("kv:k1", "kv:k2"))

    done = batchconnect("expiring", sheet, "--within", within, "--json")

    assert len(done.json["ending"]) == ending
    assert done.code == (ExitCode.UNFINISHED if ending else ExitCode.OK)


def test_a_time_that_is_none_is_refused(batchconnect: CommandLine) -> None:
    done = batchconnect("expiring", "none.csv", "--within", "soon")

    assert done.code == ExitCode.USAGE
    assert done.err == "error: --within must be a time, as 30d, 12h or 2w\n"


def test_what_a_store_refuses_is_told_by_its_row_with_the_remedy(batchconnect: CommandLine) -> None:
    """Not by the reference: it never led to a secret, so it may be one that was typed there."""
    holds(batchconnect, k2={"error": "not_found"}, k3={"error": "forbidden"})
    sheet = batchconnect.sheet(sheet_of("kv:k1", "kv:k2", "kv:k3"))

    done = batchconnect("expiring", sheet)
    document = batchconnect("expiring", sheet, "--json").json

    told = " ".join(done.out.split())
    assert done.code == ExitCode.UNFINISHED, done
    assert "row 3 (Client 002): the store `kv` does not hold the secret" in told
    assert "-> Put the secret there under this name, or correct the cell." in told
    assert "0 keys of 3 ending within 30 days; 2 not to be had" in told
    assert "kv:k2" not in done.out
    assert [(one["key_reference"], one["code"], one["rows"]) for one in document["refused"]] == [
        (None, "secret_not_found", [3]),
        (None, "secret_forbidden", [4]),
    ]
    assert all(len(line) <= 80 for line in done.out.splitlines())


def test_a_store_that_gives_nothing_is_told_once(batchconnect: CommandLine) -> None:
    """Exit 7, as of a run that could not begin: whether a key ends, nobody knows."""
    holds(batchconnect, any={"error": "signed_out"})
    sheet = batchconnect.sheet(sheet_of("kv:k1", "kv:k2"))

    done = batchconnect("expiring", sheet, "--patience", "1")

    assert done.code == ExitCode.STOPPED, done
    assert "2 in a store that does not answer" in " ".join(done.out.split())


def test_keys_that_a_run_sent_are_told_by_its_ledger(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """The last run's; a key that is gone since is named, for it has led to a secret before."""
    holds(batchconnect)
    sheet = batchconnect.sheet(sheet_of("kv:k1", "kv:k2", "in-the-cell.Xy_4"))
    sent = batchconnect("run", sheet, *FAST, "--json")
    assert sent.code == ExitCode.OK, sent
    holds(batchconnect, k1=ends(days=2), k2={"error": "not_found"})

    last = batchconnect("expiring")
    named = batchconnect("expiring", sent.json["run_id"], "--json")

    assert (last.code, named.code) == (ExitCode.UNFINISHED, ExitCode.UNFINISHED)
    assert "kv:k1  row 2 (Client 001)" in last.out
    assert "row 3 (Client 002): kv:k2: " in last.out
    assert [one["key_reference"] for one in named.json["refused"]] == ["kv:k2"]
    assert (named.json["keys"], named.json["rows_without"]) == (2, 1)


def test_rows_of_several_sheets_are_told_with_theirs(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """By the run over both: to a person with its sheet, to a program as places."""
    holds(batchconnect, k1=ends(days=2))
    sheets = [batchconnect.sheet(sheet_of("kv:k1"), "a.csv")]
    sheets.append(batchconnect.sheet([{**sheet_of("kv:k1", "kv:k1")[1]}], "b.csv"))
    sent = batchconnect("run", *sheets, *FAST)
    assert sent.code == ExitCode.OK, sent

    done = batchconnect("expiring")
    (ending,) = batchconnect("expiring", "--json").json["ending"]

    assert "kv:k1" in done.out
    assert "b.csv" in done.out
    assert ending["rows"] == [2, 2]
    assert [one["sheet"] for one in ending["places"]] == ["a.csv", "b.csv"]
