"""`report --by org`: each client gets their own rows, lanes and incidents, and nobody else's."""

import csv
import json
import re
import zipfile
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands.test_many_sheets import book
from tests.command_line import FAST, CommandLine, cells, many


def files_with(word: str, folder: Path) -> list[str]:
    """Files of a report that hold a word in any letters; in a workbook, whatever is packed in it."""
    found = []
    for file in folder.iterdir():
        parts = [file.read_bytes()]
        if file.suffix == ".xlsx":
            with zipfile.ZipFile(file) as packed:
                parts = [packed.read(name) for name in packed.namelist()]
        if any(word.casefold().encode() in part.lower() for part in parts):
            found.append(file.name)
    return found


def test_each_org_gets_a_report_of_its_own(batchconnect: CommandLine) -> None:
    """Nothing in it tells of another org: neither a row, nor a lane, nor a name."""
    rows = [*many(2, org="acme"), cells(3, org="globex")]
    batchconnect("run", batchconnect.sheet(rows), "--simulate", *FAST)

    done = batchconnect("report", "--simulate", "--by", "org", "--json")

    assert done.code == 0
    assert set(done.json["orgs"]) == {"acme", "globex"}
    folder = Path(done.json["orgs"]["acme"])
    summary = json.loads((folder / "summary.json").read_bytes())
    assert (summary["rows"], summary["exit_code"]) == (2, 0)
    assert [lane["org"] for lane in summary["lanes"]] == ["acme"]
    with (folder / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        assert {row["org"] for row in csv.DictReader(file)} == {"acme"}
    for name in ("results.csv", "results.jsonl", "failed.csv", "summary.json", "report.html"):
        assert b"globex" not in (folder / name).read_bytes()


def test_each_org_s_report_tells_of_the_sweep_of_its_own_rows(batchconnect: CommandLine) -> None:
    """Not of the whole run, and not that nobody looked."""
    rows = [*many(2, org="acme"), cells(3, org="globex")]
    batchconnect("run", batchconnect.sheet(rows), "--simulate", *FAST)

    done = batchconnect("report", "--simulate", "--by", "org", "--json")

    found = {}
    for name, folder in done.json["orgs"].items():
        sweep = json.loads((Path(folder) / "summary.json").read_bytes())["sweep"]
        found[name] = (sweep["expected"], sweep["found"])
        assert "No sweep was made" not in (Path(folder) / "report.html").read_text()
    assert found == {"acme": (2, 2), "globex": (1, 1)}


def test_what_is_the_agency_s_own_matter_is_not_handed_over(
    batchconnect: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither who ran it, where, why and over which ledger, nor where the files lie."""
    monkeypatch.setenv("USER", "maria-of-the-agency")
    monkeypatch.setenv("LOGNAME", "maria-of-the-agency")
    monkeypatch.setattr("platform.node", lambda: "ops-of-the-agency")
    sheet = batchconnect.sheet(many(2, org="acme"))
    batchconnect("run", sheet, "--simulate", "--note", "MARGIN-40", *FAST)

    done = batchconnect("report", "--simulate", "--by", "org", "--json")

    whole = Path("reports/simulated/latest").resolve()
    own = (
        "maria-of-the-agency",
        "ops-of-the-agency",
        "MARGIN-40",
        "ledger.sqlite3",
        str(Path.cwd()),
    )
    assert all(word in (whole / "summary.json").read_text() for word in own)
    for word in own:
        assert files_with(word, Path(done.json["orgs"]["acme"])) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("files", "given"),
    [
        ({"for-acme.csv": "acme", "for-globex.csv": "globex"}, ()),
        (
            {"for-acme.xlsx": {"Acme": "acme"}, "for-globex.xlsx": {"Globex": "globex"}},
            ("--all-worksheets",),
        ),
        ({"all.xlsx": {"Acme": "acme", "Globex": "globex"}}, ("--all-worksheets",)),
        (
            {"all.xlsx": {"Acme": "acme", "Globex": "globex"}},
            ("--worksheet", "globex", "--worksheet", "acme"),
        ),
        ({"for-globex.xlsx": {"Globex": "globex"}, "for-acme.csv": "acme"}, ("--worksheet", "Globex")),
    ],
)  # fmt: skip
@pytest.mark.parametrize("by", ["org", "sheet and tab"])
def test_a_part_tells_of_no_file_and_tab_but_its_own(
    batchconnect: CommandLine,
    files: dict[str, str | dict[str, str]],
    given: tuple[str, ...],
    by: str,
) -> None:
    """Of a run, its verification, a verification of the sheet and a rotation, whose next steps name a file each."""
    made = count(1)

    def two(org: str) -> list[dict[str, Any]]:
        """One that works and one that does not, so that there is a next step."""
        good, bad = (cells(next(made), org=org) for _ in range(2))
        return [good, {**bad, "servicePrincipalKey": "canary~wrong-at-test-1.Xy_4Q"}]

    for name, content in files.items():
        if isinstance(content, str):
            batchconnect.sheet(two(content), name)
        else:
            book(name, {tab: two(org) for tab, org in content.items()})
    sheets, mode = [str(Path(name).absolute()) for name in files], ("--simulate", *FAST)
    parted = by if by == "org" else ("sheet" if len(files) > 1 else "worksheet")

    for told in (
        ("run", *sheets, *given, "--verify"),
        ("verify",),
        ("verify", *sheets, *given),
        ("rotate", *sheets, *given),
    ):
        assert batchconnect(*told, *mode).code == 4
        parts = batchconnect("report", "--simulate", "--by", parted, "--json").json["parts"]
        assert len(parts) == 2
        for own, foreign in (("acme", "globex"), ("globex", "acme")):
            (folder,) = (Path(parts[value]) for value in parts if own in value.casefold())
            assert files_with(foreign, folder) == []
            assert files_with(str(Path.cwd()), folder) == []
            summary = json.loads((folder / "summary.json").read_bytes())
            assert summary["rows"] == 2
            (place,) = summary["sheets"]
            assert {place["sheet"], place["worksheet"]} <= {
                "all.xlsx", f"for-{own}.csv", f"for-{own}.xlsx", own.capitalize(), None,
            }  # fmt: skip
            page = (folder / "report.html").read_text(encoding="utf-8")
            named = re.findall(r"batchconnect rotate (\S+) --failing", page)
            assert named == ([place["sheet"]] if told[0] != "run" and len(told) > 1 else [])


@pytest.mark.parametrize("by", ["sheet", "client"])
def test_a_row_that_is_doubled_in_anothers_sheet_is_told_so_without_its_name(
    batchconnect: CommandLine, by: str
) -> None:
    """The cause is told, and whose file it is in is not: the same connection, and one name for two targets."""
    for client in ("north", "south"):
        rows = [
            {**cells(1), "client": client},
            {**cells(2, database=f"db-{client}"), "client": client},
        ]
        lines = (",".join(map(str, one)) for one in (rows[0], *(row.values() for row in rows)))
        batchconnect.write(f"for-{client}.csv", "\n".join(lines))
    sheets = [str(Path(f"for-{client}.csv").absolute()) for client in ("north", "south")]
    assert batchconnect("run", *sheets, "--simulate", *FAST).code == 3

    parts = batchconnect("report", "--simulate", "--by", by, "--json").json["parts"]

    for own, foreign in (("north", "south"), ("south", "north")):
        (folder,) = (Path(parts[value]) for value in parts if own in value)
        assert files_with(foreign, folder) == []
        told = (folder / "results.csv").read_text(encoding="utf-8-sig")
        assert "asked for by row 2 of another sheet" in told
        assert "is given by row 3 of another sheet" in told


def test_a_part_of_several_sheets_has_no_column_of_another_s(batchconnect: CommandLine) -> None:
    """Nor a cell of its own in another's place; in each file that has columns, and of rejected rows as well."""
    own = {"acme": {"Wave": "1", "Acme unit": "A-7"}, "globex": {"Globex unit": "G-9"}}
    for number, (org, columns) in enumerate(own.items(), 1):
        row = {**columns, **cells(number, org=org, database="" if org == "globex" else "db")}
        batchconnect.write(
            f"{org}.csv", "\n".join(",".join(map(str, one)) for one in (row, row.values()))
        )
    batchconnect("run", "acme.csv", "globex.csv", "--simulate", "--skip-invalid", *FAST)

    parts = batchconnect("report", "--simulate", "--by", "org", "--json").json["parts"]

    for (org, columns), foreign in zip(own.items(), reversed(own), strict=True):
        folder = Path(parts[org])
        assert files_with(foreign, folder) == []
        for name, rows in (("results.csv", 1), ("failed.csv", 1 if org == "globex" else 0)):
            with (folder / name).open(encoding="utf-8-sig", newline="") as file:
                reader = csv.DictReader(file)
                told = [*reader]
            assert {*(reader.fieldnames or [])} & {"Wave", "Acme unit", "Globex unit"} == {*columns}
            assert len(told) == rows
            assert all(columns.items() <= row.items() for row in told)


def test_latest_still_points_to_the_run(batchconnect: CommandLine) -> None:
    batchconnect("run", batchconnect.sheet(many(1, org="acme")), "--simulate", *FAST)
    before = Path("reports/simulated/latest").resolve()

    batchconnect("report", "--simulate", "--by", "org")

    assert before == Path("reports/simulated/latest").resolve()
    assert not (before / "by-org" / "latest").exists()


ODD_ORGS = [
    "acme", "ACME", "Acme, Inc. / EU", "Acme Inc. EU", "x" * 300, "x" * 300 + "y", "..", "../..", ".",
    "/etc", "C:\\orgs", "тенант", "租户", "a~b", "abc8Q~" + "k" * 34, "unknown-org", "without-org",
]  # fmt: skip


@pytest.mark.slow
def test_every_org_has_a_short_safe_folder_whatever_is_typed(batchconnect: CommandLine) -> None:
    """None is skipped, none leads out of the run's own, and none is another one's in other letters."""
    sheet = batchconnect.sheet([cells(number + 2, org=org) for number, org in enumerate(ODD_ORGS)])
    batchconnect("run", sheet, "--simulate", "--skip-invalid", *FAST)

    done = batchconnect("report", "--simulate", "--by", "org", "--json")

    assert done.code == 0, done
    by_org = Path("reports/simulated/latest").resolve() / "by-org"
    folders = [Path(folder).resolve() for folder in done.json["orgs"].values()]
    rows = sum(json.loads((folder / "summary.json").read_bytes())["rows"] for folder in folders)
    assert rows == len(ODD_ORGS)
    assert {folder.parent for folder in folders} == {by_org}
    assert sorted(folders) == sorted(by_org.iterdir())
    assert len({folder.name.casefold() for folder in folders}) == len(folders)
    assert all(
        re.fullmatch(r"[A-Za-z0-9@_-][A-Za-z0-9@_.-]{0,69}", folder.name) for folder in folders
    )
    assert not any("kkkk" in folder.name for folder in folders)


def test_a_folder_that_cannot_be_written_keeps_none_of_the_others_back(
    batchconnect: CommandLine,
) -> None:
    rows = [cells(number, org=org) for number, org in enumerate(("acme", "globex", "initech"), 2)]
    batchconnect("run", batchconnect.sheet(rows), "--simulate", *FAST)
    by_org = Path("reports/simulated/latest").resolve() / "by-org"
    by_org.mkdir(mode=0o700)
    (by_org / "globex").write_text("a file stands where the folder belongs")

    done = batchconnect("report", "--simulate", "--by", "org")

    assert done.code == 1
    assert "globex" in done.err
    assert "Free disk space" not in done.err
    assert {"acme", "globex", "initech"} == {folder.name for folder in by_org.iterdir()}
    assert (by_org / "initech" / "results.csv").is_file()


def test_any_column_parts_a_report(batchconnect: CommandLine) -> None:
    """Carried ones too; each part has its own rows, counts, sweep and exit code, and none is lost."""
    rows = [
        {**cells(1, org="acme"), "Account manager": "Ada"},
        {**cells(2, org="globex"), "Account manager": "Ben"},
        {**cells(3, org="acme"), "Account manager": ""},
        {**cells(4, org="acme", database=""), "Account manager": "Ben"},
    ]
    text = "\n".join(",".join(map(str, one)) for one in [rows[0], *(row.values() for row in rows)])
    batchconnect.write("managed.csv", f"{text}\n")
    batchconnect("run", "managed.csv", "--simulate", "--skip-invalid", *FAST)

    done = batchconnect("report", "--simulate", "--by", "account-manager", "--json")

    assert done.code == 0
    told = {
        value: json.loads((Path(folder) / "summary.json").read_bytes())
        for value, folder in done.json["parts"].items()
    }
    assert {value: (one["rows"], one["exit_code"]) for value, one in told.items()} == {
        "Ada": (1, 0),
        "Ben": (2, 4),
        "": (1, 0),
    }
    assert {value: one["sweep"]["expected"] for value, one in told.items()} == {
        "Ada": 1,
        "Ben": 1,
        "": 1,
    }
    assert all(
        Path(told).is_absolute()
        for told in (*done.json["files"].values(), *done.json["parts"].values())
    )
    assert {Path(folder).parent.name for folder in done.json["parts"].values()} == {
        "by-account_manager"
    }


def test_a_column_that_is_not_there_is_said_with_those_that_are(batchconnect: CommandLine) -> None:
    """Nor is a report parted by a key."""
    batchconnect("run", batchconnect.sheet(many(1, org="acme")), "--simulate", *FAST)

    wrong = batchconnect("report", "--simulate", "--by", "wave")
    key = batchconnect("report", "--simulate", "--by", "client secret")

    assert (wrong.code, key.code) == (2, 2)
    assert "have no such column" in wrong.err
    assert "`database`" in wrong.err
    assert "servicePrincipalKey" not in wrong.err + key.err
