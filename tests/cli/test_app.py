"""The commands as they are declared: help with an example, shared options, completion, a quick answer."""

import os
import re
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules

import pytest

from batchconnect.cli import declared
from batchconnect.cli.app import PANEL_OF, command
from tests.command_line import FAST, CommandLine, many
from tests.fast_lane import few

ACME = '[orgs.acme]\norg_id = "AAAAAAAAAAAAAAAAAAAAAAAA@AdobeOrg"\nclient_id = "c"\nclient_secret = "env:NOT_SET"\n'

COMMANDS = (
    "init", "template", "orgs", "doctor",
    "validate", "plan", "run", "rerun", "reconcile", "verify",
    "runs", "status", "report",
    "rotate", "undo", "export", "expiring", "explore",
    "work", "lanes", "ledger", "simulate",
)  # fmt: skip
TALKING = ("orgs", "doctor", "plan", "run", "rerun", "verify", "rotate", "reconcile")
"""The commands that talk to the service, whose options docs/commands.md shares. An undo is of a run as it was,
and an export names its sandboxes itself."""
SHARED = (
    "--settings", "--org", "--sandbox", "--only", "--rate", "--concurrency", "--timeout",
    "--settle", "--on-doubt", "--reports", "--ledger", "--max-rows", "--max-failures", "--note",
    "--strict", "--proxy", "--ca-bundle", "--allow-host", "--simulate", "--fault", "--json",
    "--quiet", "-v",
)  # fmt: skip
OF_RUNS = (
    "--skip-invalid", "--adopt-by-name", "--recreate", "--settle-first", "--allow-refs",
    "--refs-dir", "--patience", "--drain", "--log-json", "--worksheet", "--encoding", "--seed",
)  # fmt: skip


@pytest.fixture
def batchconnect(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CommandLine:
    """The command, in an empty folder."""
    return CommandLine(tmp_path, capsys, monkeypatch, dict(os.environ))


def options(batchconnect: CommandLine, command: str) -> set[str]:
    """The options that a command's help names in its first columns."""
    lines = batchconnect(command, "--help-all").out.splitlines()
    return {
        option
        for line in lines
        for option in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", line[:30])
        if line.startswith("│ ")
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(batchconnect: CommandLine, command: str) -> None:
    """Within 80 columns, nothing cut off, and no type beside what is on or off."""
    done = batchconnect(command, "--help")

    assert done.code == 0
    assert f"Example: batchconnect {command}" in done.out
    assert all(len(line) <= 80 for line in done.out.splitlines())
    assert "…" not in done.out.replace("=…", "")
    assert "<bool>" not in re.sub(r"--help\s+-h\s+<bool>", "", done.out)
    assert "[[" not in done.out


@pytest.mark.parametrize("command", few(COMMANDS, 2))
def test_a_short_option_asks_for_help_as_well(batchconnect: CommandLine, command: str) -> None:
    assert batchconnect(command, "-h").out == batchconnect(command, "--help").out


def test_no_word_of_a_help_is_taken_for_markup(batchconnect: CommandLine) -> None:
    """A name in brackets, as of a table of the settings, is read as it was written."""
    lines = batchconnect("run", "--help-all").out.splitlines()
    told = " ".join(" ".join(line.strip("│ ") for line in lines).split())

    assert "Tell [notify.NAME] of the settings how it" in told
    written = [
        getattr(one, "help", None) or ""
        for each in command().commands.values()
        for one in each.params
    ]
    assert len(written) > 100
    assert [text for text in written if re.search(r"(?<!\\)\[[a-z]", text)] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_the_options_of_its_kind(batchconnect: CommandLine, command: str) -> None:
    """
    Each speaks JSON and can be quiet: programs and people in one.

    Those that talk to the service share what docs/commands.md lists: a command line of one serves the others.
    """
    wanted = {"--json", "--quiet", "-v", *(SHARED if command in TALKING else ())}

    assert wanted <= options(batchconnect, command)


def test_an_undo_takes_no_option_that_it_would_not_obey(batchconnect: CommandLine) -> None:
    """What is meant to hold a deletion back (`--only`, `--max-rows`) is refused, and not passed over."""
    taken = options(batchconnect, "undo")

    idle = {"--org", "--sandbox", "--only", "--strict", "--max-rows", "--max-failures"}
    assert not idle & taken
    assert set(SHARED) - idle <= taken
    assert batchconnect("undo", "run-1", "--yes", "9", "--max-rows", "1").code == 2


@pytest.mark.parametrize("command", ["plan", "run", "rerun"])
def test_a_plan_takes_whatever_a_run_takes(batchconnect: CommandLine, command: str) -> None:
    """So that what is planned is what is run."""
    assert set(OF_RUNS) <= options(batchconnect, command)


def test_only_rerun_takes_another_copy_of_its_sheet(batchconnect: CommandLine) -> None:
    """The others are given theirs."""
    assert "--sheet" in options(batchconnect, "rerun")
    assert "--sheet" not in options(batchconnect, "run")


def test_the_commands_are_listed_and_no_other(batchconnect: CommandLine) -> None:
    """In the order in which a person comes to need them, with where to begin."""
    done = batchconnect("--help")
    listed = re.findall(r"^│ ([a-z]+)  ", done.out, flags=re.MULTILINE)

    assert list(COMMANDS) == listed
    assert "Begin: batchconnect init" in done.out


def test_a_command_put_together_alone_is_the_one_among_all() -> None:
    """Only what is given is put together; what is no command's name is answered by all of them."""
    for name, one in command().commands.items():
        alone = command(name).commands

        assert [*alone] == [name]
        told = [[(each.name, each.opts) for each in of.params] for of in (one, alone[name])]
        assert told[0] == told[1]
    assert command("rnu").commands.keys() == command().commands.keys()


def test_the_list_of_commands_names_each_that_is_declared() -> None:
    """One that is declared, and not listed, nobody would reach."""
    names = {
        one.callback.__name__
        for module in iter_modules(declared.__path__)
        if hasattr(of := import_module(f"batchconnect.cli.declared.{module.name}"), "commands")
        for one in of.commands.registered_commands
    }

    assert names == set(PANEL_OF)


def test_without_a_command_there_is_the_help(batchconnect: CommandLine) -> None:
    """As a usage error, for nothing was done."""
    done = batchconnect()

    assert done.code == 2
    assert "Usage: batchconnect" in done.out + done.err


def test_the_version_is_the_package_s(batchconnect: CommandLine) -> None:
    """And the end."""
    assert f"batchconnect {version('batchconnect')}\n" == batchconnect("--version").out


@pytest.mark.parametrize(
    ("words", "at", "expected"),
    [
        ("batchconnect re", 1, {"rerun", "reconcile", "report"}),
        ("batchconnect run --max", 2, {"--max-rows", "--max-failures"}),
        ("batchconnect run --on-doubt ", 3, {"resend", "hold"}),
    ],
)
def test_the_shell_completes(
    batchconnect: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    words: str,
    at: int,
    expected: set[str],
) -> None:
    """Commands, options and the words that an option takes."""
    monkeypatch.setenv("_BATCHCONNECT_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(at))

    assert expected == set(batchconnect().out.split())


def complete(batchconnect: CommandLine, words: str) -> list[str]:
    """What the shell offers behind these words."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("_BATCHCONNECT_COMPLETE", "complete_bash")
        patch.setenv("COMP_WORDS", words)
        patch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
        return batchconnect().out.split()


def test_the_shell_completes_what_only_this_place_knows(batchconnect: CommandLine) -> None:
    """Orgs of the settings, practice profiles, and the ids of past runs, the newest first."""
    batchconnect.write("batchconnect.toml", ACME)
    sheet = batchconnect.sheet(many(1, org="acme"))
    run_ids = [
        batchconnect("run", sheet, "--simulate", *FAST, "--json").json["run_id"] for _ in range(2)
    ]

    assert complete(batchconnect, "batchconnect run x --org ") == ["acme"]
    assert complete(batchconnect, "batchconnect run x --only org=") == ["org=acme"]
    assert complete(batchconnect, "batchconnect run x --fault b") == ["badday"]
    assert complete(batchconnect, "batchconnect rerun --simulate ") == run_ids[::-1]
    assert complete(batchconnect, "batchconnect status --simulate sim-1") == []
    assert complete(batchconnect, "batchconnect status ") == []


def test_what_cannot_be_read_completes_to_nothing(batchconnect: CommandLine) -> None:
    """A shell that shows an error at TAB is worse than one that offers nothing."""
    batchconnect.write("batchconnect.toml", "[orgs.acme\n")

    assert complete(batchconnect, "batchconnect run x --org ") == []
    assert complete(batchconnect, "batchconnect rerun ") == []


def test_help_is_short_and_help_all_is_whole(batchconnect: CommandLine) -> None:
    """What somebody needs on the first day fits a screen and a half; nothing of it is lost in the long one."""
    short, whole = batchconnect("run", "--help").out, batchconnect("run", "--help-all").out

    assert len(short.splitlines()) < 60
    assert "--help-all" in short
    assert "--adopt-by-name" not in short
    assert "--adopt-by-name" in whole
    assert options(batchconnect, "run") > {"--sandbox", "--drain", "--ledger", "--proxy"}
    assert short == batchconnect("run", "--help").out


@pytest.mark.slow
def test_who_gives_a_command_imports_the_declarations_of_its_panel_alone() -> None:
    """Nobody waits for what nobody asked for."""
    code = (
        "import sys\n"
        "from batchconnect.cli.app import command\n"
        "command('runs')\n"
        "print(*(name for name in sys.modules if name.startswith('batchconnect.cli.declared.')))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    panels = {
        f"batchconnect.cli.declared.{name}"
        for name in ("begin", "sheets", "look", "later", "team", "practice")
    }
    assert panels & set(done.stdout.split()) == {"batchconnect.cli.declared.look"}


@pytest.mark.slow
def test_whoever_draws_no_report_loads_nothing_to_draw_with() -> None:
    """Nor do they wait for it."""
    code = (
        "import importlib, sys\n"
        "for command in ('status', 'runs', 'validate', 'plan', 'orgs', 'template'):\n"
        "    importlib.import_module(f'batchconnect.cli.commands.{command}')\n"
        "    if loaded := {'jinja2', 'xlsxwriter', 'pandas'} & set(sys.modules):\n"
        "        sys.exit(f'{command} loads {loaded}')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")


UNUSED = (
    *("apprise", "azure", "boto3", "hvac", "numpy", "openpyxl", "opentelemetry", "pandas"),
    *("prometheus_client", "psycopg", "pygments", "python_calamine", "requests", "rich"),
    *("batchconnect.api", "batchconnect.ledger.postgres", "batchconnect.reports.junit"),
    *("batchconnect.reports.metrics", "batchconnect.reports.workbook.template"),
    *("batchconnect.run.diagnosis", "batchconnect.run.export", "batchconnect.run.plan"),
    *("batchconnect.run.undo", "batchconnect.sheet.workbook.child", "batchconnect.stores.vault"),
    *(
        "batchconnect.telemetry.spans",
        "batchconnect.notify.child",
        "batchconnect.cli.progress.live",
    ),
)
"""Libraries and rooms of which a run of a CSV has no use: no team, store, workbook, terminal, other command."""


@pytest.mark.slow
def test_a_run_loads_nothing_that_it_has_no_use_for(tmp_path: Path) -> None:
    """From its options to its reports: what it costs is what forty rows cost, and mostly imports."""
    sheet = Path(__file__).parents[2] / "inputs" / "tenants.csv"
    code = (
        "import sys\n"
        "from batchconnect.__main__ import _main\n"
        "code = _main(sys.argv[1:])\n"
        "print(*sys.modules, file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    words = ("run", str(sheet), "--simulate", "--quiet", "--rate", "50", "--max-rows", "5")
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )

    loaded = set(done.stderr.split())
    assert {"aiohttp", "xlsxwriter", "jinja2"} <= loaded, done.stderr
    assert loaded.isdisjoint(UNUSED)
    assert all(find_spec(one) for one in UNUSED if one.startswith("batchconnect.")), "one moved"
