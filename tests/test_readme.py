"""What the README says is true: its commands run, its tables are those of the code, its options exist."""

import ast
import io
import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path

import pytest

import batchconnect as package
from batchconnect.model.column import Column
from batchconnect.model.errors import ExitCode
from batchconnect.model.outcome import Status
from batchconnect.settings import load_settings
from tests.acceptance.practice import Practice
from tests.command_line import CLIENT_SECRET, CommandLine, many

ROOT = Path(package.__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = [
    (kind, text)
    for kind, text in re.findall(r"^```(\w+)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
]


def blocks(kind: str) -> list[str]:
    """The code blocks of a language, in order."""
    return [text for found, text in BLOCKS if found == kind]


def commands(block: str) -> list[list[str]]:
    """What a block has `batchconnect` do, without comments; setting up a machine is left out."""
    lines = [re.sub(r"\s+#.*", "", line) for line in block.splitlines()]
    given = [part for line in lines for part in line.split(" && ")]
    return [
        part.split()[1:]
        for part in given
        if part.split() and part.split()[0].removeprefix(".venv/bin/") == "batchconnect"
    ]


def section(title: str) -> str:
    """One chapter."""
    return README.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def table(text: str) -> dict[str, str]:
    """The first two columns of a chapter's table."""
    rows = re.findall(r"^\| (.*?) \| (.*?) \|$", text, re.MULTILINE)
    return dict(rows[1:])


@pytest.fixture
def batchconnect(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CommandLine:
    """The command, in a copy of what the README works on."""
    shutil.copytree(ROOT / "inputs", tmp_path / "inputs")
    return CommandLine(tmp_path, capsys, monkeypatch, dict(os.environ))


@pytest.fixture
def practice(batchconnect: CommandLine) -> Iterator[Practice]:
    """A service for the blocks that speak to the real one."""
    with Practice() as practice:
        yield practice


# -- blocks ----------------------------------------------------------------------------------------


def test_the_first_two_blocks_are_the_whole_set_up() -> None:
    """On a fresh machine with Python only; `.ci/run` gives the second one word for word."""
    first, second = blocks("sh")[:2]
    everything = (ROOT / ".ci" / "run").read_text("utf-8").splitlines(keepends=True)

    assert first == (
        "python3 -m venv .venv && .venv/bin/pip install . && "
        ".venv/bin/batchconnect run inputs/tenants.csv --simulate\n"
    )
    assert second == ".ci/install && .ci/test\n"
    assert second in everything


def test_the_first_run_works_and_the_second_sends_nothing(batchconnect: CommandLine) -> None:
    """Every row `created`; given again, every row `existing`."""
    (command,) = commands(blocks("sh")[0])

    first = batchconnect(*command, "--rate", "200", "--json")
    second = batchconnect(*command, "--rate", "200", "--json")

    assert (first.code, second.code) == (0, 0)
    assert first.json["counts"]["created"] == first.json["rows"] == 40
    assert second.json["counts"]["existing"] == 40
    assert second.json["requests"]["created"] == 0


def test_the_block_for_one_org_works_as_it_stands(
    batchconnect: CommandLine, practice: Practice, tmp_path: Path
) -> None:
    """With a simulator where it names the real service; the canary ends at its two rows."""
    block = next(text for text in blocks("sh") if "export" in text)
    exported = dict(re.findall(r"^export (\w+)=(\S+)", block, re.MULTILINE))
    secret = batchconnect.write("adobe", CLIENT_SECRET)
    real = practice.environment()
    assert set(exported) == {
        "BATCHCONNECT_ORG_ID",
        "BATCHCONNECT_CLIENT_ID",
        "BATCHCONNECT_CLIENT_SECRET_FILE",
        "BATCHCONNECT_SANDBOX",
    }
    batchconnect.setenv(
        **exported
        | {name: real[name] for name in exported.keys() & real.keys()}
        | {"BATCHCONNECT_CLIENT_SECRET_FILE": str(tmp_path / secret)}
        | {name: url for name, url in real.items() if name.endswith("_URL")}
    )
    _workbook(batchconnect, "clients.xlsx", count=4)

    codes = [(command[0], batchconnect(*command).code) for command in commands(block)]

    assert codes == [("orgs", 0), ("validate", 0), ("plan", 0), ("run", 8), ("run", 0)]
    assert len(practice.creates()) == 4


def _workbook(batchconnect: CommandLine, name: str, *, count: int) -> None:
    import openpyxl

    rows = many(count, sandbox="")
    book = openpyxl.Workbook()
    tab = book.worksheets[0]
    for cells in [list(rows[0]), *(list(row.values()) for row in rows)]:
        tab.append(cells)
    book.save(batchconnect.folder / name)
    (batchconnect.folder / name).chmod(0o600)


def test_the_settings_of_many_orgs_are_read_as_they_stand(batchconnect: CommandLine) -> None:
    """Keys, aliases, references, rates."""
    (block,) = blocks("toml")
    path = batchconnect.write("batchconnect.toml", block)
    (batchconnect.folder / "secrets").mkdir()
    batchconnect.write("secrets/globex", CLIENT_SECRET)

    settings = load_settings(path=path, environ={"ACME_CLIENT_SECRET": CLIENT_SECRET})

    assert (
        ["acme", "globex"]
        == [org.key for org in settings.orgs]
        == list(tomllib.loads(block)["orgs"])
    )
    assert [org.client_secret.reveal() for org in settings.orgs if org.client_secret] == [
        CLIENT_SECRET
    ] * 2


def test_the_python_block_runs(batchconnect: CommandLine, tmp_path: Path) -> None:
    """And prints what it says; nothing is written where nothing was asked for."""
    (block,) = blocks("python")
    program = tmp_path / "program.py"
    program.write_text(block.replace('"inputs/tenants.csv"', '"few.csv"'), encoding="utf-8")
    batchconnect.sheet(many(2, org="acme"), "few.csv")
    said = io.StringIO()

    with redirect_stdout(said):
        runpy.run_path(str(program))

    assert said.getvalue().startswith("0 {")
    assert not (tmp_path / "reports").exists()
    assert "inputs/tenants.csv" in ast.unparse(ast.parse(block))


def test_other_commands_in_the_text_are_commands(batchconnect: CommandLine) -> None:
    """As `batchconnect template clients.csv`; a name in capitals stands for something."""
    inline = re.findall(r"`batchconnect ([^`]+)`", README)
    known = {command.split()[0] for command in table(section("Commands")) if command}

    assert inline
    for text in inline:
        assert text.split()[0] in _known_commands(), text
    assert known
    assert batchconnect("template", "clients.csv").code == 0


# -- tables ----------------------------------------------------------------------------------------


@cache
def _known_commands() -> tuple[str, ...]:
    """The commands of the command line itself."""
    done = subprocess.run(
        [sys.executable, "-m", "batchconnect", "--help"],
        check=True, capture_output=True, text=True,
        env={**os.environ, "COLUMNS": "100", "NO_COLOR": "1"},
    )  # fmt: skip
    return tuple(re.findall(r"^│ ([a-z]+)  ", done.stdout, flags=re.MULTILINE))


def test_every_command_is_in_the_table_and_no_other() -> None:
    """In the same order."""
    rows = table(section("Commands"))

    assert list(_known_commands()) == [command.strip("`").split()[1] for command in rows]


def test_every_option_that_is_named_exists(batchconnect: CommandLine) -> None:
    """In some command's help."""
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README))
    shown = "".join(batchconnect(command, "--help-all").out for command in _known_commands())

    assert named
    assert {option for option in named if option not in shown} == set()


def test_the_exit_codes_are_those_of_the_code() -> None:
    """Each is told, and there is no other."""
    told = {int(code) for codes in table(section("Exit codes")) for code in codes.split(", ")}

    assert {int(code) for code in ExitCode} == told


def test_the_files_of_a_run_are_those_that_a_run_writes(batchconnect: CommandLine) -> None:
    """Each of them, and no other."""
    sheet = batchconnect.sheet(many(1, org="acme"))
    batchconnect("run", sheet, "--simulate", "--rate", "200")
    written = {path.name for path in Path("reports/simulated/latest").resolve().iterdir()}

    told = {name.strip("`") for name in table(section("The files of a run"))}

    assert written == told


def test_every_status_and_every_column_is_named() -> None:
    """In the service's own spelling."""
    assert all(f"`{status}`" in README for status in Status)
    assert all(f"`{column}`" in README for column in Column)


def test_every_link_of_the_text_leads_somewhere() -> None:
    """Within the repository."""
    links = re.findall(r"\]\(([^)#]+)\)", README)

    assert {link for link in links if "://" not in link and not (ROOT / link).exists()} == set()


@pytest.mark.parametrize("variable", sorted(set(re.findall(r"BATCHCONNECT_[A-Z_]+", README))))
def test_every_variable_that_is_named_is_known(variable: str) -> None:
    """A misspelled one is warned of; this text names none."""
    value = "5C1328435BF324E90A49402A@AdobeOrg" if variable.endswith("ORG_ID") else "x"

    settings = load_settings(
        path=None,
        environ={"BATCHCONNECT_ORG_ID": "5C1328435BF324E90A49402A@AdobeOrg",
                 "BATCHCONNECT_CLIENT_ID": "c", variable: value}
        if "ORGS__" not in variable
        else {},
        resolve_secrets=False,
    )  # fmt: skip

    assert settings.warnings == ()
