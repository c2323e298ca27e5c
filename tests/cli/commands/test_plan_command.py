"""`plan`: what a run with the same options would do; it reads, and changes nothing."""

import json
import sys
from collections import Counter
from pathlib import Path

import pytest

from batchconnect.options import RunOptions
from batchconnect.simulator.decision import Decision, Reset
from batchconnect.simulator.planting import Planted
from tests.acceptance.place import INPUTS
from tests.acceptance.practice import ACME, Practice
from tests.command_line import FAST, CommandLine, cells, many

SIMULATED = ("--simulate", *FAST)


def test_a_plan_sends_nothing_and_makes_no_ledger(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """It tells what a run would create, and how long that takes at most."""
    done = batchconnect("plan", batchconnect.sheet(many(3)), "--rate", "1")

    assert done.code == 0
    assert "3 rows: 3 to create, 0 rejected; nothing was sent" in done.out
    assert " 0:03\n" in done.out
    assert practice.creates() == []
    assert not Path("reports/ledger.sqlite3").exists()


def test_the_next_command_is_the_same_with_run_in_its_place(batchconnect: CommandLine) -> None:
    """So that the plan of a simulation never leads to a real run."""
    sheet = batchconnect.sheet([cells(1, org="acme")])

    done = batchconnect("plan", sheet, "--simulate", "--note", "CHG 1", *FAST)

    assert "1 row: 1 to create" in done.out
    assert done.out.endswith(
        "next:   batchconnect run clients.csv --simulate --note 'CHG 1' --rate 200\n"
    )


def test_the_password_of_a_proxy_is_not_repeated(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """The next command says where it was."""
    sheet = batchconnect.sheet([cells(1)])

    done = batchconnect("plan", sheet, "--proxy", f"http://me:pass-w0rd-7@{practice.url[7:]}")

    assert "pass-w0rd-7" not in done.out + done.err


def test_the_columns_are_as_wide_as_the_names(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """An org id of 33 characters, the key where the environment is the settings, moves nothing."""
    head, row, *_ = batchconnect("plan", batchconnect.sheet(many(2))).out.splitlines()

    assert row.startswith(f"{ACME} dev ")
    assert head.index("create") + len("create") == row.index(" 2 ") + 2
    assert len(row) <= 80


def test_what_stands_there_already_and_what_is_in_the_way(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """A name that is taken by another target is a conflict: exit 4, the row and the reason."""
    sheet = batchconnect.sheet(many(3))
    first = batchconnect("run", batchconnect.sheet(many(1), "first.csv"), *FAST)
    practice.ask(
        lambda simulator: simulator.plant(Planted(org_id=ACME, sandbox="dev", name="Client 002"))
    )

    done = batchconnect("plan", sheet)
    document = batchconnect("plan", sheet, "--json").json

    assert first.code == 0
    assert done.code == 4
    assert "row 3: " in done.out
    (place,) = document["sandboxes"]
    assert (place["existing"], place["conflict"], place["create"]) == (1, 1, 1)


def test_rejected_rows_lead_to_validate(batchconnect: CommandLine) -> None:
    """Exit 3; there each problem is told with its remedy."""
    done = batchconnect("plan", INPUTS / "with-problems.csv", *SIMULATED)

    assert done.code == 3
    assert "error: C3: endpoint: the endpoint is not an `https` address" in done.out
    assert f"next:   batchconnect validate {INPUTS / 'with-problems.csv'} --simulate" in done.out


def test_validate_is_told_what_the_plan_judged_the_rows_by(batchconnect: CommandLine) -> None:
    """Without the org and the sandbox that were typed, it would refuse other rows than the plan did."""
    sheet = batchconnect.sheet([cells(1, sandbox=""), cells(2, sandbox="", tenant="")])
    typed = ("--simulate", "--org", "acme", "--sandbox", "dev")

    done = batchconnect("plan", sheet, *typed)

    assert f"next:   batchconnect validate clients.csv {' '.join(typed)}\n" in done.out


def test_with_skip_invalid_the_valid_rows_are_planned(batchconnect: CommandLine) -> None:
    """Something stands in the way, but the run goes on: exit 4, as the run itself would end."""
    done = batchconnect("plan", INPUTS / "with-problems.csv", *SIMULATED, "--skip-invalid")

    assert done.code == 4
    assert "next:   batchconnect run" in done.out


def test_a_canary_is_planned_as_one(batchconnect: CommandLine) -> None:
    """`--max-rows` counts creates."""
    sheet = batchconnect.sheet(many(5, org="acme"))

    few = batchconnect("plan", sheet, *SIMULATED, "--max-rows", "2")
    enough = batchconnect("plan", sheet, *SIMULATED, "--max-rows", "5")

    assert "5 to create (2 of them with --max-rows)" in few.out
    assert "5 to create, 0" in enough.out


def test_rows_that_only_leaves_out_are_counted(batchconnect: CommandLine) -> None:
    """As rows that nobody asked for."""
    sheet = batchconnect.sheet([cells(1, org="acme"), cells(2, org="beta")])

    done = batchconnect("plan", sheet, *SIMULATED, "--only", "org=acme")

    assert done.code == 0
    assert "1 row left out by --only" in done.out


def test_a_plan_that_is_refused_everywhere(batchconnect: CommandLine, practice: Practice) -> None:
    """Exit 7, the reason, and the command that looks closer."""
    practice.ask(lambda simulator: simulator.deny(ACME, "403025"))

    done = batchconnect("plan", batchconnect.sheet(many(1)))

    assert done.code == 7
    assert "could not be read" in done.out
    assert "403025" in done.out
    assert "next:   batchconnect orgs" in done.out


def test_a_warning_of_the_plan_is_told_with_its_row(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """The same target under another name would be a second connection to it."""
    batchconnect("run", batchconnect.sheet(many(1), "first.csv"), *FAST)

    done = batchconnect("plan", batchconnect.sheet([cells(1, name="Another name")]))

    assert done.code == 0
    assert "    + row 2: Another name\n        warning: " in done.out


def test_without_a_typed_command_the_next_one_is_put_together(
    batchconnect: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a program calls the command by itself."""
    from batchconnect.cli.commands.plan import _next
    from batchconnect.cli.options import Given
    from batchconnect.cli.start import options_of, settings_of
    from batchconnect.model.row_place import NOWHERE
    from batchconnect.run.plan.row_plan import Action
    from batchconnect.run.plan.sheet_plan import SandboxPlan, SheetPlan

    monkeypatch.setattr("sys.argv", ["program"])
    given = Given(options=RunOptions(simulate=True, reports=Path("r")))
    settings = settings_of(given, {}, offline=True)
    found = _next(
        SheetPlan(
            places=NOWHERE,
            rows=1,
            sandboxes=[
                SandboxPlan(org="acme", sandbox="dev", rows=1, counts=Counter({Action.CREATE: 1}))
            ],
        ),
        options_of(settings, given),
        ["a b.csv"],
        given,
        command="run",
        saves=False,
    )

    assert found == "batchconnect run 'a b.csv' --reports r --simulate"


def test_each_row_is_listed_with_the_sign_of_what_is_done_to_it(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """Grouped by sandbox and sign, with a legend of the signs that occur, and one line that sums up."""
    practice.by_name(Client_003=Decision(apply_after_s=None, reply=Reset()))
    options = (*FAST, "--settle", "0.3", "--on-doubt", "hold")
    batchconnect("run", batchconnect.sheet([cells(1), cells(3)], "first.csv"), *options)
    practice.ask(
        lambda simulator: simulator.plant(Planted(org_id=ACME, sandbox="dev", name="Client 002"))
    )

    done = batchconnect("plan", batchconnect.sheet(many(4)))
    planned = batchconnect("plan", "clients.csv", "--json").json["planned"]

    listed = [
        line[4:] for line in done.out.splitlines() if line.startswith("    ") and line[4] != " "
    ]
    assert listed == [
        "+ row 5: Client 004",
        "? row 4: Client 003",
        "= row 2: Client 001",
        "! row 3: Client 002",
    ]
    assert (
        "+ create   ? settle first   = stands there, nothing is sent   ! in the way\n"
        "4 rows: 1 to create, 1 existing, 1 to settle first, 1 in conflict, 0 rejected; nothing was sent"
    ) in done.out
    assert {one["row"]: (one["sign"], one["action"]) for one in planned} == {
        2: ("=", "existing"),
        3: ("!", "conflict"),
        4: ("?", "settle_first"),
        5: ("+", "create"),
    }


def test_a_long_list_is_folded_and_v_and_json_give_all(batchconnect: CommandLine) -> None:
    """The counts are of all rows whatever is listed; one row more than the fold is not worth it."""
    sheet = batchconnect.sheet([*many(30, org="acme"), *many(11, org="beta")])

    short = batchconnect("plan", sheet, *SIMULATED).out
    whole = batchconnect("plan", sheet, *SIMULATED, "-v").out
    document = batchconnect("plan", sheet, *SIMULATED, "--json").json

    assert (short.count("    + row "), whole.count("    + row ")) == (10 + 11, 41)
    assert "    + and 20 more rows; -v lists all\n" in short
    assert "more rows" not in whole
    assert "41 rows: 41 to create" in short
    assert [one["row"] for one in document["planned"]] == [*range(2, 43)]


ANSWERS = 'print(\'{"secrets": [{"name": "acme", "error": "%s"}]}\')'


def test_a_store_that_gives_nothing_is_told_once_and_looked_at_next(
    batchconnect: CommandLine,
) -> None:
    """Its sentence with the rows that it costs, each store its own; `orgs` says what each store says."""
    batchconnect.write(
        "batchconnect.toml",
        "".join(
            f"[stores.{name}]\nuri = 'exec:'\ncommand = {json.dumps([sys.executable, '-c', ANSWERS % answer])}\nsheets = true\n"
            for name, answer in (
                ("shut", "signed_out"),
                ("closed", "signed_out"),
                ("kv", "forbidden"),
            )
        ),
    )
    keys = ("shut:acme", "shut:acme", "closed:acme", "FAKE~key-of-acme-0001", "kv:acme")
    rows = [cells(number, servicePrincipalKey=key) for number, key in enumerate(keys, 1)]

    files = ("--summary", "ci.md", "--junit", "ci.xml")

    done = batchconnect("plan", batchconnect.sheet(rows), "--simulate", *files)
    quiet = batchconnect("plan", batchconnect.sheet(rows), "--simulate", "-q")
    told = batchconnect("orgs", "--simulate", "--org", "acme")

    shut = "error: The store `shut` does not take our sign-in."
    closed = "error: The store `closed` does not take our sign-in."
    assert done.code == 4, done
    for store, rows_told in ((shut, "2 rows"), (closed, "1 row")):
        (line,) = [line for line in done.out.splitlines() if store in line]
        assert line.endswith(f" {rows_told} would not be attempted.")
        assert line in quiet.out
    assert "does not take" not in done.err
    assert "key refused: row 6: " in done.out
    assert "key refused: row 6: " in quiet.out
    assert "5 rows: 5 to create (4 of them without a key), 0 rejected" in done.out
    assert done.out.endswith("next:   batchconnect orgs --simulate\n")
    assert "exec:" in told.out
    markdown, junit = Path("ci.md").read_text("utf-8"), Path("ci.xml").read_text("utf-8")
    assert markdown.count("2 rows would not be attempted.") == 1
    assert " would not be attempted.\n\n<details>" in markdown
    assert "1 key refused" in markdown
    assert [junit.count(f'type="{kind}"') for kind in ("no_key", "key_refused")] == [3, 1]
