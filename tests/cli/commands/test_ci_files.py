"""`--summary` and `--junit`: what a CI job shows of a plan or a run; a file that is somebody's is never replaced."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from batchconnect.simulator.planting import Planted
from tests.acceptance.practice import ACME, Practice
from tests.command_line import FAST, CommandLine, cells, many

CI = ("--summary", "ci.md", "--junit", "ci.xml")


def counted() -> tuple[int, int]:
    """Test cases, and how many of them are bad."""
    (suite,) = ET.parse("ci.xml").getroot()
    return len(suite), sum(bool(len(case)) for case in suite)


def told() -> str:
    return Path("ci.md").read_text(encoding="utf-8")


def test_plan_run_rerun_and_verify_write_them(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """Each anew; `verify` has the rows with a connection; a rerun with nothing to do tells of the run that is done."""
    practice.ask(
        lambda simulator: simulator.plant(Planted(org_id=ACME, sandbox="dev", name="Client 002"))
    )
    sheet = batchconnect.sheet(many(3))
    seen: dict[str, tuple[tuple[int, int], str]] = {}
    for command in (("plan", sheet), ("run", sheet), ("verify",), ("rerun",)):
        done = batchconnect(*command, *FAST, *CI, "--settle", "0.3")
        seen[command[0]] = (counted(), told().splitlines()[0])
        assert done.code == (0 if command == ("verify",) else 4)
    batchconnect("run", batchconnect.sheet([cells(7)], "fine.csv"), *FAST)
    nothing = batchconnect("rerun", *FAST, *CI)

    assert [numbers for numbers, _ in seen.values()] == [(3, 1), (3, 1), (2, 0), (3, 1)]
    assert [head.split()[1] for _, head in seen.values()] == ["plan", "run", "verify", "run"]
    assert (nothing.code, counted()) == (0, (1, 0))
    assert Path("ci.md").stat().st_mode & 0o777 == 0o600


def test_a_plan_that_was_refused_tells_its_changes(
    batchconnect: CommandLine, practice: Practice
) -> None:
    batchconnect("plan", batchconnect.sheet(many(2)), "--out", "plan.json")

    done = batchconnect("run", batchconnect.sheet(many(3)), "--plan", "plan.json", *CI)

    assert done.code == 3
    assert counted() == (1, 1)
    assert "- ``row 4 (Client 003): it is not in the plan (now `+ create`)``" in told()


def test_githubs_own_file_is_added_to(batchconnect: CommandLine, practice: Practice) -> None:
    """Each step writes there, whatever it is called."""
    own = batchconnect.write("step_summary_1", "before\n")
    batchconnect.setenv(GITHUB_STEP_SUMMARY=str(own))

    done = batchconnect("plan", batchconnect.sheet(many(1)), "--summary", own)

    assert done.code == 0
    assert own.read_text(encoding="utf-8").startswith("before\n### plan of `run`\n")


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("--summary", "clients.csv"), "must end with .md"),
        (("--junit", "clients.csv"), "must end with .xml"),
        (("--summary", "no/ci.md"), "there is no folder no"),
        (("--junit", "folder.xml"), "Is a directory"),
    ],
)
def test_what_cannot_be_written_is_known_before_the_first_create(
    batchconnect: CommandLine, practice: Practice, option: tuple[str, str], said: str
) -> None:
    """Exit 2, nothing sent, and the sheet is what it was."""
    Path("folder.xml").mkdir()
    sheet = batchconnect.sheet(many(1))
    before = sheet.read_bytes()

    for command in ("plan", "run"):
        done = batchconnect(command, sheet, *FAST, *option)
        assert done.code == 2
        assert said in done.err

    assert practice.journal() == []
    assert sheet.read_bytes() == before
