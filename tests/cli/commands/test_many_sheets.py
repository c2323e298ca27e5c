"""Several sheets and tabs make one run: every command agrees on each row's number, sheet, tab and status."""

import csv
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from batchconnect.simulator import Simulator
from batchconnect.simulator.decision import Decision, Reset
from batchconnect.simulator.planting import Planted
from tests.acceptance.practice import ACME, Practice
from tests.command_line import FAST, CommandLine, cells, many

QUICK = (*FAST, "--settle", "0.3")
SHEETS = ("a.csv", "b.xlsx", "--all-worksheets")
COMPOSITE = re.compile(
    r"(?<![\w.-])(1677721[6-9]|167772[2-9]\d|3355443[2-9]|335544[4-9]\d)(?![\w-])"
)
"""A row's number with its sheet's place in it, which nobody is to see."""

Where = tuple[int, str, str | None]
"""Number, file and tab of a row."""


def book(path: str, tabs: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    made = openpyxl.Workbook()
    made.remove(made.worksheets[0])
    for name, rows in tabs.items():
        tab = made.create_sheet(name)
        for line in [list(rows[0]), *(list(row.values()) for row in rows)]:
            tab.append(line)
    made.save(path)
    Path(path).chmod(0o600)


@pytest.fixture
def sheets(batchconnect: CommandLine) -> list[Where]:
    """Three sheets in two files; where their rows stand, in order."""
    batchconnect.sheet(many(2), "a.csv")
    book(
        "b.xlsx",
        {
            "EMEA": [{**cells(n), "Wave": "1"} for n in (10, 11)],
            "APAC": [{"Wave": "2", **cells(n)} for n in (20, 21)],
        },
    )
    places: list[tuple[str, str | None]] = [("a.csv", None), ("b.xlsx", "EMEA"), ("b.xlsx", "APAC")]
    return [(number, *place) for place in places for number in (2, 3)]


def results(folder: Path = Path("reports/latest")) -> list[dict[str, Any]]:
    text = (folder / "results.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def where(rows: Sequence[Mapping[str, Any]]) -> list[Where]:
    return [(row["row"], row["sheet"], row["worksheet"]) for row in rows]


def nobody_sees_a_composite(*said: str) -> None:
    """Neither on a screen nor in a file of the reports."""
    texts = list(said)
    for path in Path("reports").rglob("*"):
        if path.suffix == ".xlsx":
            with zipfile.ZipFile(path) as packed:
                texts += [packed.read(name).decode() for name in packed.namelist()]
        elif path.suffix in {".csv", ".jsonl", ".json", ".html", ".md", ".xml"}:
            texts.append(path.read_text(encoding="utf-8"))
    for text in texts:
        assert COMPOSITE.search(text) is None, COMPOSITE.search(text)


@pytest.mark.slow
def test_every_command_agrees_on_each_row(
    batchconnect: CommandLine, practice: Practice, sheets: list[Where]
) -> None:
    """validate, plan, run, report, verify and a second run: numbers, tabs and statuses, in the order given."""
    practice.ask(
        lambda simulator: simulator.plant(Planted(org_id=ACME, sandbox="dev", name="Client 011"))
    )

    validated = batchconnect("validate", *SHEETS, "--json").json
    planned = batchconnect("plan", *SHEETS, "--json").json["planned"]
    shown = batchconnect("plan", *SHEETS)
    ran = batchconnect("run", *SHEETS, *QUICK, "-v")
    of_run = results()
    status = batchconnect("status", "--json").json
    again = batchconnect("run", *SHEETS, *QUICK, "--summary", "ci.md", "--junit", "s.xml")
    verified = batchconnect("verify", *SHEETS, *QUICK)

    assert validated["sheets"] == [
        {"sheet": "a.csv", "worksheet": None},
        {"sheet": "b.xlsx", "worksheet": "EMEA"},
        {"sheet": "b.xlsx", "worksheet": "APAC"},
    ]
    assert status["sheets"] == validated["sheets"]
    assert (validated["rows"], ran.code, again.code, verified.code) == (6, 4, 4, 4)
    assert where(of_run) == sheets
    assert where(planned) == sheets
    assert [one["action"] for one in planned] == [
        "conflict" if row["name"] == "Client 011" else "create" for row in of_run
    ]
    assert [row["status"] for row in of_run] == [
        "conflict" if row["name"] == "Client 011" else "created" for row in of_run
    ]
    assert "    ! row 3 of b.xlsx#EMEA: Client 011" in shown.out
    assert "row 3 of b.xlsx#EMEA" in ran.out
    assert "row 2 of b.xlsx#APAC acme" not in ran.err
    assert "row 2 of b.xlsx#APAC" in ran.err
    with Path("reports/latest/failed.csv").open(encoding="utf-8-sig", newline="") as file:
        (failed, *_) = csv.DictReader(file)
    assert (failed["name"], failed["worksheet"], failed["row"]) == ("Client 011", "EMEA", "3")
    nobody_sees_a_composite(
        *(done.out + done.err for done in (shown, ran, again, verified)),
        Path("ci.md").read_text(encoding="utf-8"),
        Path("s.xml").read_text(encoding="utf-8"),
    )


def test_a_key_in_two_sheets_rejects_both_rows_and_names_both_places(
    batchconnect: CommandLine, practice: Practice, sheets: list[Where]
) -> None:
    """Nothing is sent; so is a name that two sheets give to two targets."""
    batchconnect.sheet([cells(9), cells(20), cells(11, database="other")], "c.csv")

    done = batchconnect("run", "b.xlsx", "c.csv", "--all-worksheets", *QUICK)
    validated = batchconnect("validate", "b.xlsx", "c.csv", "--all-worksheets")

    assert (done.code, validated.code) == (3, 3)
    for said in (done.out, validated.out):
        flat = " ".join(said.split())
        assert "APAC!2:2: the same connection is asked for by row 3 of c.csv" in flat
        assert "c.csv!3:3: the same connection is asked for by row 2 of APAC" in flat
        assert "c.csv!A4: name: the same name" in flat
        assert "is given by row 3 of EMEA" in flat
    assert practice.creates() == []
    nobody_sees_a_composite(done.out, validated.out)


@pytest.mark.slow
def test_a_run_that_was_cut_off_goes_on_over_the_same_sheets(
    batchconnect: CommandLine, practice: Practice, sheets: list[Where]
) -> None:
    """Under the same run id; other tabs are another run."""
    practice.by_name(Client_010=Decision(apply_after_s=None, reply=Reset()))
    first = batchconnect("run", *SHEETS, *QUICK, "--on-doubt", "hold", "--json").json

    rest = batchconnect("rerun", *QUICK, "--json").json
    again = batchconnect("run", *SHEETS, *QUICK, "--json").json

    assert first["counts"]["in_doubt"] == 1
    assert (rest["parent_run_id"], rest["counts"]["created"]) == (first["run_id"], 6)
    assert again["counts"]["existing"] == 6
    assert where(results()) == sheets
    assert len({one.name for one in practice.connections()}) == len(practice.connections()) == 6


def test_what_is_reconciled_is_told_with_its_sheet(
    batchconnect: CommandLine, practice: Practice, sheets: list[Where]
) -> None:
    """On the screen and in the log, which goes on where the run's ended."""
    practice.by_name(Client_020=Decision(apply_after_s=None, reply=Reset()))
    hold = (*QUICK, "--on-doubt", "hold")
    first = batchconnect("run", *SHEETS, *hold)
    log = Path("reports/latest/run.log.jsonl")
    before = log.read_text(encoding="utf-8")
    done = batchconnect("reconcile", *hold, "-v")

    after = log.read_text(encoding="utf-8").removeprefix(before)
    told = [json.loads(line) for line in after.splitlines()]
    assert (first.code, done.code) == (6, 6)
    assert "row 2 of b.xlsx#APAC" in done.err
    assert ("b.xlsx", "APAC", 2) in [
        (one.get("sheet"), one.get("worksheet"), one.get("row")) for one in told
    ]
    nobody_sees_a_composite(done.out, done.err)


@pytest.mark.slow
def test_what_follows_a_run_tells_each_row_with_its_sheet(
    batchconnect: CommandLine, practice: Practice, sheets: list[Where]
) -> None:
    """The tables that its connections see, and those that are gone; an undo, whose rows are the run's."""
    ran = batchconnect("run", *SHEETS, *QUICK, "--json").json
    explored = batchconnect("explore", *FAST)
    text = Path("reports", ran["run_id"], "tables.csv").read_text(encoding="utf-8-sig")
    tables = list(csv.DictReader(text.splitlines()))
    gone = next(one.id for one in practice.connections() if one.name == "Client 011")
    practice.ask(lambda simulator: simulator.others.delete(gone))
    lacking = batchconnect("export", "made.csv", "--run", ran["run_id"], "--json", *FAST)
    shown = batchconnect("undo", ran["run_id"], "--json", *FAST)

    assert (explored.code, lacking.code) == (0, 4), (explored, lacking)
    told = [(int(row["row"]), row["sheet"], row["worksheet"] or None) for row in tables]
    assert list(dict.fromkeys(told)) == sheets
    assert list(tables[0])[-2:] == ["sheet", "worksheet"]
    assert "row 3 of b.xlsx#EMEA Client 011" in explored.out
    assert where(lacking.json["missing"]) == [(3, "b.xlsx", "EMEA")]
    assert f"row 3 of b.xlsx#EMEA: its connection {gone} stands no more" in lacking.err
    assert where(shown.json["rows"]) == sheets
    nobody_sees_a_composite(explored.out, lacking.err)


@pytest.mark.slow
def test_a_mended_sheet_is_rerun_beside_the_others(
    batchconnect: CommandLine, practice: Practice, sheets: list[Where]
) -> None:
    """All of the run's sheets are read again, by their paths and tabs; or those that are named."""
    batchconnect.sheet([cells(1), cells(2, database="")], "a.csv")
    ran = batchconnect("run", *SHEETS, *QUICK, "--skip-invalid")
    batchconnect.sheet(many(2), "mended.csv")

    done = batchconnect("rerun", "--sheet", "mended.csv", "--sheet", "b.xlsx", *QUICK)

    assert (ran.code, done.code) == (4, 0)
    assert where(results()) == [
        (number, "mended.csv" if sheet == "a.csv" else sheet, tab) for number, sheet, tab in sheets
    ]
    assert len(practice.connections()) == 6


@pytest.mark.slow
def test_keys_of_all_sheets_are_rotated_and_a_plan_of_them_is_carried_out(
    batchconnect: CommandLine, practice: Practice, sheets: list[Where]
) -> None:
    """A plan has its sheets and tabs, so that neither is named again."""
    planned = batchconnect("plan", *SHEETS, "--out", "plan.json")
    ran = batchconnect("run", "--plan", "plan.json", *QUICK)
    batchconnect.sheet([cells(1), cells(2, description="other")], "a.csv")
    refused = batchconnect("run", "--plan", "plan.json", *QUICK)
    rotated = batchconnect("rotate", *SHEETS, *QUICK, "--no-verify")

    assert (planned.code, ran.code, refused.code, rotated.code) == (0, 0, 3, 0)
    assert refused.out == (
        "row 3 of a.csv (Client 002): `description` is `other`, planned `Data of client 2`\n"
    )
    assert '"row": 2, "of": "b.xlsx#APAC"' in Path("plan.json").read_text(encoding="utf-8")
    assert [row["status"] for row in results()] == ["updated"] * 6


def test_parts_and_choices_of_several_sheets(
    batchconnect: CommandLine, practice: Practice, sheets: list[Where]
) -> None:
    """A carried column of some of them chooses rows of those; a report is parted by tab."""
    some = batchconnect("run", *SHEETS, *QUICK, "--only", "wave=2", "--json").json
    parts = batchconnect("report", "--by", "worksheet", "--json").json["parts"]

    assert (some["counts"]["created"], some["counts"]["not_attempted"]) == (2, 4)
    assert {tab: Path(folder).name for tab, folder in parts.items()} == {
        "": "without-worksheet",
        "EMEA": "EMEA",
        "APAC": "APAC",
    }


def test_what_headers_mean_is_said_once_in_the_settings(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """`[columns]` and `--map` hold together; a column that is none is a setting's error."""
    rows = [{("Nr" if name == "name" else name): value for name, value in cells(1).items()}]
    text = "\n".join(",".join(map(str, one)) for one in (rows[0], rows[0].values()))
    batchconnect.write("odd.csv", f"{text}\n")
    unknown = batchconnect("validate", "odd.csv")
    mapped = batchconnect("validate", "odd.csv", "--map", "Nr=name")
    batchconnect.write("batchconnect.toml", '[columns]\n"Nr" = "name"\n')
    settled = batchconnect("run", "odd.csv", *QUICK)
    rerun = batchconnect("rerun", *QUICK)
    batchconnect.write("batchconnect.toml", '[columns]\n"Nr" = "nobody"\n')
    wrong = batchconnect("validate", "odd.csv")

    assert [done.code for done in (unknown, mapped, settled, rerun, wrong)] == [3, 0, 0, 0, 2]
    assert "[columns] Nr: what it should mean is no column of ours" in wrong.err


def test_a_list_of_paths_from_python(
    batchconnect: CommandLine, practice: Practice, sheets: list[Where]
) -> None:
    """As on the command line."""
    import batchconnect as library

    options = library.RunOptions(all_worksheets=True, rate=200.0)
    report = library.onboard_sync(["a.csv", "b.xlsx"], options=options)

    assert [(row.row, row.sheet, row.worksheet or None) for row in report.rows] == sheets
    assert report.exit_code == 0


def test_what_takes_one_sheet_says_so(batchconnect: CommandLine, sheets: list[Where]) -> None:
    """Exit 2, with what to do."""
    annotated = batchconnect("validate", *SHEETS, "--annotate", "out.xlsx")
    twice = batchconnect("validate", "a.csv", "./a.csv")
    tabs = ("--worksheet", "EMEA", "--worksheet", "APAC")
    compared = batchconnect("export", "--against", "b.xlsx", *tabs, "--simulate")

    assert (annotated.code, twice.code, compared.code) == (2, 2, 2)
    assert "one tab is compared at a time" in compared.err
    assert "one sheet is annotated at a time" in annotated.err
    assert "named twice" in twice.err


@pytest.mark.slow
def test_the_tabs_of_a_workbook_are_annotated_each_on_its_own(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """No row is lost, each cell is where it was, and the copy is read without a word about our own tab."""
    emea = [{**cells(1), "Wave": "1"}, {**cells(2, sandbox="Not a box"), "Wave": "2"}]
    apac = [{"Region": "east", **cells(3)}, {"Region": "west", **cells(4, database="")}]
    book("b.xlsx", {"EMEA": emea, "about": apac})

    found = batchconnect("validate", "b.xlsx", "--all-worksheets", "--json").json["problems"]
    done = batchconnect(
        "validate", "b.xlsx", "--all-worksheets", "--annotate", "copy.xlsx", "--keep-keys"
    )
    again = batchconnect("validate", "copy.xlsx", "--all-worksheets", "--json")

    bare = batchconnect("validate", "b.xlsx", "--all-worksheets", "--annotate", "bare.xlsx")
    assert "fill in the keys again (--keep-keys keeps them), then: batchconnect" in bare.out
    copy = openpyxl.load_workbook("copy.xlsx")
    names = {tab.title: [cell.value for cell in tab["A"]] for tab in copy}
    assert (done.code, again.code) == (3, 3)
    assert names["EMEA"] == ["name", *(row["name"] for row in emea)]
    assert names["about 2"] == ["Region", "east", "west"]
    assert [cell.value for cell in copy["EMEA"]["J"]] == ["Wave", "1", "2"]
    assert "keep_keys" not in done.err
    assert "warning" not in again.err
    assert "copy.xlsx --all-worksheets" in done.out
    placed = [(one["row"], one["column"], one["code"]) for one in found]
    assert [(one["row"], one["column"], one["code"]) for one in again.json["problems"]] == placed
    for one, tab in zip(found, ("EMEA", "about 2"), strict=True):
        assert copy[tab][one["cell"].partition("!")[2]].comment is not None


@pytest.mark.slow
def test_a_workbook_of_several_sheets_says_of_each_row_where_it_stands(
    batchconnect: CommandLine, practice: Practice, sheets: list[Where]
) -> None:
    """Below each other, in columns that a reader knows for ours: it is taken back as the fixed sheet."""
    batchconnect.sheet([cells(1), cells(2, database="")], "a.csv")
    ran = batchconnect("run", *SHEETS, *QUICK, "--skip-invalid")
    path = Path("reports/latest/results.xlsx")
    book_of_results = openpyxl.load_workbook(path)
    tab = book_of_results["rows"]
    titles = [cell.value for cell in tab[1]]
    shown = [dict(zip(titles, row, strict=True)) for row in tab.iter_rows(2, values_only=True)]
    by_name = {row["name"]: row for row in map(cells, range(1, 30))}
    for at, row in enumerate(shown, 2):
        key = by_name[row["name"]]["servicePrincipalKey"]
        tab.cell(at, titles.index("servicePrincipalKey") + 1).value = key
    tab.cell(3, titles.index("database") + 1).value = "db002"
    book_of_results.save("fixed.xlsx")

    done = batchconnect("rerun", "--sheet", "fixed.xlsx", "--all-worksheets", *QUICK)

    assert [(int(str(row["row"])), row["sheet"], row["worksheet"]) for row in shown] == sheets
    assert (ran.code, done.code) == (4, 0), done
    assert "not our columns" not in done.err
    assert len(practice.connections()) == 6


@pytest.mark.slow
def test_three_thousand_rows_of_five_sheets_are_the_same_rows_to_every_command(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """validate, plan, run and `report --by` agree on each row's number, tab and status: three tabs beside two files."""
    of_each, wrong, taken, news = 600, 100, 200, 20
    tabs: list[tuple[str, str | None]] = [
        ("a.csv", None), ("b.xlsx", "EMEA"), ("b.xlsx", "APAC"), ("b.xlsx", "LATAM"), ("c.csv", None),
    ]  # fmt: skip
    rows = {
        tab: [
            cells(
                at * 1000 + n,
                sandbox=("dev", "prod")[n % 2],
                **({"database": ""} if n == wrong else {}),
            )
            for n in range(of_each)
        ]
        for at, tab in enumerate(tabs, 1)
    }
    book("b.xlsx", {tab: of_tab for (_, tab), of_tab in rows.items() if tab is not None})
    for name, tab in tabs:
        if tab is None:
            batchconnect.sheet(rows[name, tab], name)
    special = {wrong: "rejected", taken: "conflict"}
    wanted = {
        (n + 2, *tab): (special.get(n, "created" if n < news else "existing"), row["sandbox"])
        for tab, of_tab in rows.items()
        for n, row in enumerate(of_tab)
    }

    def plant(simulator: Simulator) -> None:
        """Most of it stands there already: what is created one by one is the same to a reader, and slow."""
        for (row, *tab), (status, sandbox) in wanted.items():
            asked = rows[tuple(tab)][row - 2]  # type: ignore[index]
            if status not in {"existing", "conflict"}:
                continue
            simulator.plant(
                Planted(
                    org_id=ACME,
                    sandbox=sandbox,
                    name=asked["name"],
                    params={
                        **{
                            name: asked[name]
                            for name in ("endpoint", "tenant", "servicePrincipalId")
                        },
                        "database": asked["database"] if status == "existing" else "another",
                    },
                )
            )

    practice.ask(plant)
    files = ("a.csv", "b.xlsx", "c.csv", "--all-worksheets")
    rejected = [place for place, (status, _) in wanted.items() if status == "rejected"]

    validated = batchconnect("validate", *files, "--json").json
    planned = batchconnect("plan", *files, "--skip-invalid", "--json").json["planned"]
    # In a short settle window each look at a sandbox would be old before the next create.
    ran = batchconnect("run", *files, "--skip-invalid", "--rate", "1000")
    told = results()
    by_tab = batchconnect("report", "--by", "worksheet", "--json").json["parts"]
    by_sandbox = batchconnect("report", "--by", "sandbox", "--json").json["parts"]

    assert ran.code == 4, ran
    assert (validated["rows"], validated["rejected"]) == (len(wanted), len(tabs)) == (3000, 5)
    errors = [one for one in validated["problems"] if one["severity"] == "error"]
    assert where(errors) == rejected
    word = {"create": "created", "conflict": "conflict", "existing": "existing"}
    assert {
        place: word[one["action"]] for place, one in zip(where(planned), planned, strict=True)
    } == {place: status for place, (status, _) in wanted.items() if status != "rejected"}
    assert where(told) == list(wanted), "in the order of the sheets"
    assert {
        place: (row["status"], row["sandbox"]) for place, row in zip(where(told), told, strict=True)
    } == wanted
    for tab in {tab for _, tab in tabs}:
        part = results(Path(by_tab[tab or ""]))
        assert part == [row for row in told if row["worksheet"] == tab]
    for sandbox in ("dev", "prod"):
        assert results(Path(by_sandbox[sandbox])) == [r for r in told if r["sandbox"] == sandbox]
    assert len(practice.creates()) == news * len(tabs)
