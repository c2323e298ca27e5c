"""`validate`: every problem with its cell, offline."""

from pathlib import Path

import pytest

from tests.acceptance.place import INPUTS
from tests.command_line import CommandLine, cells, many

ACME = '[orgs.acme]\norg_id = "AAAAAAAAAAAAAAAAAAAAAAAA@AdobeOrg"\nclient_id = "c"\n'


def test_a_sheet_without_problems_says_what_comes_next(batchconnect: CommandLine) -> None:
    """With the options that read the same rows in the same way; one row is not `rows`."""
    sheet = batchconnect.sheet([cells(1, org="acme")], "my clients.csv")

    done = batchconnect("validate", sheet, "--simulate", "--only", "org=acme", "--strict")

    assert done.code == 0
    assert done.out.splitlines() == [
        "my clients.csv: 1 row, 1 fine, 0 rejected",
        "next:   batchconnect plan 'my clients.csv' --simulate --only org=acme --strict",
    ]


def test_every_problem_is_shown_with_its_cell_and_its_remedy(batchconnect: CommandLine) -> None:
    """In a pipe one line each, whatever its length: `grep` finds a cell with its remedy. Nothing is written."""
    done = batchconnect("validate", INPUTS / "with-problems.csv")

    assert done.code == 3
    *problems, _sum, following = done.out.splitlines()
    assert (
        "error: C8: endpoint: the endpoint names a port other than 443 -> Remove the port."
        in problems
    )
    assert all(line.startswith(("error: ", "warning: ", "note: ")) for line in problems)
    assert following.startswith("next:   batchconnect validate ")
    assert not Path("reports").exists()


def test_a_terminal_gets_lines_of_its_own_width(
    batchconnect: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each remedy below its problem; words are not cut."""
    monkeypatch.setattr("batchconnect.cli.screen.console.is_terminal", lambda stream: True)
    monkeypatch.setenv("COLUMNS", "80")

    done = batchconnect("validate", INPUTS / "with-problems.csv")

    assert "    -> Remove the port." in done.out.splitlines()
    assert all(len(line) <= 80 for line in done.out.splitlines()[:-2])


def test_like_notes_with_other_words_are_one_line_with_an_example(
    batchconnect: CommandLine,
) -> None:
    """Three thousand endpoints that were normalised, each to another one, are no three thousand lines."""
    rows = [cells(n, endpoint=f"HTTPS://acme{n}.westeurope.kusto.windows.net") for n in range(300)]

    done = batchconnect("validate", batchconnect.sheet(rows), "--simulate")

    notes = [line for line in done.out.splitlines() if line.startswith("note: ")]
    assert len(notes) == 1
    assert "C2, C3, C4" in notes[0]
    assert "and 288 more: endpoint: for example, the endpoint was normalised" in notes[0]


def test_quiet_shows_errors_only(batchconnect: CommandLine) -> None:
    """No warning, no note, no sum; of a sheet that is fine nothing."""
    rows = [cells(2, database=""), cells(3, endpoint="HTTPS://acme.westeurope.kusto.windows.net")]

    done = batchconnect("validate", batchconnect.sheet(rows), "-q")
    fine = batchconnect("validate", batchconnect.sheet(many(2), "fine.csv"), "-q")

    assert done.out.splitlines() == [
        "error: D2: database: the cell is blank -> Fill in `database`."
    ]
    assert (done.err, fine.out, fine.err) == ("", "", "")


@pytest.mark.parametrize(
    ("option", "value", "hint"),
    [
        ("--org", "acmee", "Did you mean --org acme?"),
        ("--org", "zzz", "The settings know: acme."),
        ("--sandbox", "PROD", "Did you mean --sandbox prod?"),
        ("--sandbox", "Dev_", "Did you mean --sandbox dev?"),
        ("--sandbox", "my box", "lower-case letters, digits and hyphens"),
    ],
)
@pytest.mark.parametrize("command", ["validate", "run", "plan"])
def test_options_are_checked_even_where_no_cell_is_blank(
    batchconnect: CommandLine, command: str, option: str, value: str, hint: str
) -> None:
    """Once, with the nearest name; a mistyped default would else wait for the first blank cell."""
    batchconnect.write("batchconnect.toml", f'{ACME}client_secret = "s"\nsandbox = "dev"\n')
    done = batchconnect(command, batchconnect.sheet(many(3, org="acme")), option, value)

    assert done.code == 2
    assert done.err.count(f"error: {option} {value}") == 1
    assert hint in done.err
    assert not Path("reports").exists() or not list(Path("reports").glob("2*"))


def test_the_same_problem_of_many_rows_is_told_once(batchconnect: CommandLine) -> None:
    """With the first twelve cells, and how many more there are."""
    done = batchconnect("validate", batchconnect.sheet(many(15, tenant="common")))

    assert done.out.count("name no one tenant") == 1
    assert "and 3 more" in " ".join(done.out.split())


def test_problems_beyond_what_a_person_reads_are_counted(batchconnect: CommandLine) -> None:
    """Two hundred ways to be no GUID are one line with an example; `--json` has all of them."""
    rows = [cells(number, servicePrincipalId="x" * number) for number in range(1, 211)]
    sheet = batchconnect.sheet(rows)

    done = batchconnect("validate", sheet)
    every = batchconnect("validate", sheet, "--json").json

    assert done.out.count("error: ") == 1
    assert "and 198 more: servicePrincipalId: for example, this is not a GUID" in done.out
    assert every["rejected"] == len({one["row"] for one in every["problems"]}) == 210


def test_programs_get_every_finding_by_itself(batchconnect: CommandLine) -> None:
    """A warning does not reject its row."""
    rows = [cells(1, endpoint="https://adx.example.com"), cells(2, database="")]

    done = batchconnect("validate", batchconnect.sheet(rows), "--json")

    assert done.code == 3
    assert done.json["rows"] == 2
    assert done.json["valid"] == done.json["rejected"] == 1
    assert {(one["row"], one["severity"]) for one in done.json["problems"]} >= {
        (2, "warning"),
        (3, "error"),
    }


def test_strict_makes_a_warning_an_error(batchconnect: CommandLine) -> None:
    """The same sheet, with and without."""
    sheet = batchconnect.sheet([cells(1, endpoint="https://adx.example.com")])

    assert batchconnect("validate", sheet).code == 0
    assert batchconnect("validate", sheet, "--strict").code == 3


def test_without_settings_the_org_cells_are_not_checked_and_that_is_said(
    batchconnect: CommandLine,
) -> None:
    """With settings they are; a credential is not needed for it."""
    sheet = batchconnect.sheet([cells(1, org="nobody")])

    without = batchconnect("validate", sheet)
    batchconnect.write("batchconnect.toml", ACME)
    with_settings = batchconnect("validate", sheet)

    assert without.code == 0
    assert "no org is set, so the org cells are not checked" in without.err
    assert with_settings.code == 3


def test_rows_that_only_leaves_out_are_not_judged(batchconnect: CommandLine) -> None:
    """They count as rows, and are not rejected."""
    rows = [cells(1, org="acme"), cells(2, org="beta", database="")]

    done = batchconnect("validate", batchconnect.sheet(rows), "--only", "org=acme")

    assert done.code == 0


def test_blank_rows_are_skipped_and_counted(batchconnect: CommandLine) -> None:
    """In the right number."""
    sheet = batchconnect.sheet([cells(1), {"name": " "}, cells(2)])

    assert "2 rows, 2 fine, 0 rejected, 1 blank row skipped" in batchconnect("validate", sheet).out


def test_the_problems_can_be_had_in_the_sheet_itself(batchconnect: CommandLine) -> None:
    """As a workbook without keys; a file that is there already is never overwritten."""
    sheet = batchconnect.sheet([cells(1), cells(1), cells(2, database="")])

    done = batchconnect("validate", sheet, "--annotate", "out.xlsx")
    document = batchconnect("validate", sheet, "--annotate", "out2.xlsx", "--json").json
    again = batchconnect("validate", sheet, "--annotate", "out.xlsx")

    assert (done.code, again.code) == (3, 2)
    assert "batchconnect validate out.xlsx" in done.out
    assert document["annotated"] == str(Path("out2.xlsx").absolute())
    assert cells(1)["servicePrincipalKey"].encode() not in Path("out.xlsx").read_bytes()


def test_the_annotated_sheet_is_judged_as_the_first_was(batchconnect: CommandLine) -> None:
    """By the same org, sandbox and strictness; what names a place in the first file is left out."""
    batchconnect.sheet([cells(1, sandbox="", tenant="")])
    by = ("--simulate", "--org", "acme", "--sandbox", "dev", "--strict")

    done = batchconnect(
        "validate", "clients.csv", *by, "--encoding", "utf-8", "--annotate", "out.xlsx"
    )

    assert f"then: batchconnect validate out.xlsx {' '.join(by)}\n" in done.out


def test_an_annotated_sheet_is_a_workbook(batchconnect: CommandLine) -> None:
    """The hint names it right."""
    done = batchconnect("validate", batchconnect.sheet(many(1)), "--annotate", "out.csv")

    assert done.code == 2
    assert "out.xlsx" in done.err


def test_a_hostile_cell_cannot_steer_the_terminal(batchconnect: CommandLine) -> None:
    """Escapes and overrides of direction are shown, not carried out."""
    batchconnect.sheet([cells(1)], "a\x1b[31m\u202eb.csv")

    done = batchconnect("validate", "a\x1b[31m\u202eb.csv")

    assert "\x1b" not in done.out + done.err
    assert "\u202e" not in done.out + done.err


def test_an_example_opens_without_a_warning(batchconnect: CommandLine) -> None:
    """Its keys are made up and say so; a real key in a file that everybody may read is warned of."""
    practice = batchconnect("validate", INPUTS / "tenants.csv", "--simulate")
    workbook = batchconnect("validate", INPUTS / "tenants.xlsx", "--simulate")
    sheet = batchconnect.sheet(many(2))
    sheet.chmod(0o644)
    real = batchconnect("validate", sheet, "--simulate")

    assert (practice.err, workbook.err) == ("", "")
    assert "every user of this machine may read it" in real.err
