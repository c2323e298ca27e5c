"""
The pages in `docs/` tell the truth: their commands run, their tables match the code, their links lead somewhere.

How a page is run, in the order of its blocks, in one shell and an empty folder:

- A block whose first line names a file, as ```` ```csv clients.csv ````, is saved under that name.
- `sh` is carried out. A line of `batchconnect` must end with 0, or with the N of its comment `# exit N`.
- `python` is carried out.
- `text output` quotes the block before it: each of its lines stands in what that block wrote.
- Everything else is only read.
"""

import dataclasses
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal

from batchconnect.cli import options
from batchconnect.cli.app import command
from batchconnect.model import remedies, source_remedies
from batchconnect.model.defaults import SETTLE_S
from batchconnect.model.errors import ExitCode
from batchconnect.model.outcome import Status
from batchconnect.model.precaution import OnDoubt
from batchconnect.model.report_columns import RESULT_COLUMNS
from batchconnect.options import DEFAULTS
from batchconnect.reports import FORMATS, LOG, metrics
from batchconnect.reports.json import schema
from batchconnect.settings.source import FILE_VARIABLE, ONE_ORG_VARIABLES, PLAIN_VARIABLES, SECRETS
from batchconnect.settings.tables import KEYS, NotifyTable, OrgTable, StoreTable, Tables
from batchconnect.simulator import PROFILES, Simulator
from tests.benchmarks.__main__ import BENCHMARKS
from tests.stores.pages import Stage, stage_of

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
NAMES = [page.name for page in PAGES]

SET_UP = {
    "pip install 'batchconnect[vault]'": "likewise, and they ask no registry",
    "pip install 'batchconnect[azure]'": "likewise",
    "pip install 'batchconnect[aws]'": "likewise",
    "python3 -m venv .venv": "the tests run in an environment that is set up",
    ".venv/bin/pip install .": "likewise, and they ask no registry",
    ". .venv/bin/activate": "likewise",
}
"""Lines of `sh` that are not carried out, and why. Nothing else is passed over."""

ORGS = {
    "5C1328435BF324E90A49402A@AdobeOrg": ("0123456789abcdef0123456789abcdef", "FAKE-acme-secret"),
    "6D2439546CA435FA1B5A513B@AdobeOrg": ("fedcba9876543210fedcba9876543210", "FAKE-globex-secret"),
}
"""The orgs of the pages, as the simulator knows them when it stands in for the real service."""

_AT_ONCE = 4
_LONGEST_S = 900
"""Against a page that hangs. The longest one needs some 10 s where nothing else is at work."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block of a page."""

    info: str
    text: str

    @property
    def file(self) -> str | None:
        """The name under which a reader saves it."""
        language, _, name = self.info.partition(" ")
        return name if name and language in {"csv", "toml"} else None


def blocks(page: Path) -> list[Block]:
    found = re.findall(r"^```(.*)\n((?:(?!```).*\n)*)```$", page.read_text("utf-8"), re.MULTILINE)
    return [Block(info=info.strip(), text=text) for info, text in found]


def prose(page: Path) -> str:
    """A page without its blocks."""
    return re.sub(r"^```.*\n(?:(?!```).*\n)*```$", "", page.read_text("utf-8"), flags=re.MULTILINE)


def table(name: str, heading: str) -> list[list[str]]:
    """The rows of the first table below a heading."""
    lines = (DOCS / name).read_text("utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if line.lstrip("#").strip() == heading)
    section: list[str] = []
    for line in lines[start + 1 :]:
        if line.startswith("#") or (section and not line.startswith("|")):
            break
        section += [line] if line.startswith("|") else []
    return [
        [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in section[2:]
    ]


def codes(name: str, heading: str) -> list[str]:
    """The first column of a table, without its back quotes."""
    return [row[0].strip("`") for row in table(name, heading)]


# The pages are carried out -----------------------------------------------------------------------------


def _is_run(block: Block) -> bool:
    return block.info in {"sh", "python"}


RUN_PAGES = [page for page in PAGES if any(map(_is_run, blocks(page)))]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of a page."""

    code: int
    told: str
    wrote: dict[str, str]
    """What each block wrote, by its file."""
    quoted: list[tuple[str, str]]


@pytest.fixture(scope="module")
def carried_out(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[dict[Path, Future[Done]]]:
    """The pages that are asked for, side by side: most of their time they wait for the simulator."""
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    named = {item.callspec.params.get("page") for item in items if hasattr(item, "callspec")}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        yield {
            page: pool.submit(_carry_out, page, tmp_path_factory.mktemp(page.stem))
            for page in RUN_PAGES
            if page in named
        }


@pytest.mark.acceptance
@pytest.mark.parametrize("page", RUN_PAGES, ids=lambda page: page.name)
def test_every_block_of_a_page_does_what_it_says(
    page: Path, carried_out: dict[Path, Future[Done]]
) -> None:
    """A reader who copies one block after the other gets what the page promises."""
    done = carried_out[page].result()

    assert done.code == 0, f"{done.told}\n{done.wrote}"
    for name, line in done.quoted:
        assert _plain(line) in _plain(done.wrote[name]), f"no line {line!r}:\n{done.wrote[name]}"


def _carry_out(page: Path, folder: Path) -> Done:
    with stage_of(page.name, folder) as stage:
        return _carried_out(page, folder, stage)


def _carried_out(page: Path, folder: Path, stage: Stage) -> Done:
    place = _place(folder, stage.programs)
    script = _Script(folder)
    for block in blocks(page):
        text = block.text
        for word, here in stage.words.items():
            text = text.replace(word, here)
        script.add(dataclasses.replace(block, text=text))
    with (
        _service() as url,
        subprocess.Popen(
            ["bash", "-c", script.text()],
            cwd=place,
            env={
                "PATH": f"{folder / 'bin'}:/usr/bin:/bin",
                "HOME": str(folder / "home"),
                "LANG": "C.UTF-8",
                "BATCHCONNECT_PLATFORM_URL": url,
                "BATCHCONNECT_IMS_URL": url,
                "ACME_CLIENT_SECRET": "FAKE-acme-secret",
                **stage.environ,
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as shell,
    ):
        try:
            _, told = shell.communicate(timeout=_LONGEST_S)
        except subprocess.TimeoutExpired:
            # The shell and whatever it has started.
            os.killpg(shell.pid, signal.SIGKILL)
            _, told = shell.communicate()
            told += f"not done after {_LONGEST_S} s"
    wrote = {path.name: path.read_text("utf-8") for path in sorted(folder.glob("*.out"))}
    return Done(code=shell.returncode, told=told, wrote=wrote, quoted=script.quoted)


@contextmanager
def _service() -> Iterator[str]:
    """IMS and Flow Service as the pages' orgs know them; the address of both."""
    with start_blocking_portal("asyncio") as portal:
        simulator = portal.call(lambda: Simulator(orgs=ORGS))
        with portal.wrap_async_context_manager(simulator):
            yield simulator.url


class _Script:
    """Turns the blocks of a page into one shell script."""

    def __init__(self, folder: Path) -> None:
        self.quoted: list[tuple[str, str]] = []
        """Lines that a page quotes, with the file that has to hold them."""
        self._folder = folder
        self._lines = [
            "set -eu",
            "expect() { [ $1 -eq $2 ] || { echo exit $1: $3 >&2; exit 97; }; }",
        ]
        self._count = 0
        self._last = ""

    def text(self) -> str:
        return "\n".join(self._lines)

    def add(self, block: Block) -> None:
        self._count += 1
        aside = self._folder / f"block-{self._count}"
        if block.file is not None:
            aside.write_text(block.text, "utf-8")
            self._lines.append(f"cp {aside} {shlex.quote(block.file)}")
        elif block.info == "python":
            aside.write_text(block.text, "utf-8")
            self._lines.append(f"{shlex.quote(sys.executable)} {aside}")
        elif block.info == "sh":
            self._last = f"{aside.name}.out"
            lines = [_checked(line) for line in block.text.replace("\\\n", "").splitlines()]
            self._lines += ["{", *lines, ":", f"}} > {aside}.out 2>&1"]
        elif block.info == "text output":
            self.quoted += [(self._last, line) for line in block.text.splitlines()]


def _checked(line: str) -> str:
    if line.strip() in SET_UP:
        return ":"
    if "||" in line or not re.match(r"(?:[A-Z_]+=\S+ )*batchconnect ", line):
        return line
    command, _, comment = line.partition("#")
    told = re.search(r"exit (\d+)", comment)
    code = told[1] if told else "0"
    return f"code=0; {command} || code=$?; expect $code {code} {shlex.quote(command)}"


def _plain(text: str) -> str:
    """A text with one blank where it has several: how columns are aligned is no promise."""
    return re.sub(r"[ \t]+", " ", text).strip()


def _place(folder: Path, programs: Mapping[str, str]) -> Path:
    """An empty folder to work in, with what the pages say is there."""
    place = folder / "place"
    (place / "secrets").mkdir(parents=True)
    shutil.copytree(ROOT / "inputs", place / "inputs")
    for name, (_, secret) in zip(("acme", "globex"), ORGS.values(), strict=True):
        (place / "secrets" / name).write_text(f"{secret}\n", "utf-8")
    (folder / "home").mkdir()
    (folder / "bin").mkdir()
    ours = f"{shlex.quote(sys.executable)} -m batchconnect"
    for name, program in {"batchconnect": ours, **programs}.items():
        shim = folder / "bin" / name
        shim.write_text(f'#!/bin/sh\nexec {program} "$@"\n')
        shim.chmod(0o755)
    return place


def test_what_is_not_carried_out_is_there() -> None:
    """No rule of exemption outlives the line that needed it."""
    lines = {line for page in PAGES for block in blocks(page) for line in block.text.splitlines()}

    assert SET_UP.keys() <= lines


def test_every_block_has_a_kind_that_somebody_looks_at() -> None:
    kinds = {block.info.partition(" ")[0] for page in PAGES for block in blocks(page)}

    # What is JSON is held to the description of the service, in tests/contract; what starts workers is looked at in
    # tests/test_launchers.py.
    assert kinds <= {"sh", "python", "csv", "toml", "text", "json", "ini", "yaml"}


# What pages mention exists --------------------------------------------------------------------------------


COMMANDS: dict[str, Any] = dict(command().commands)


def options_of(command: Any) -> set[str]:
    return {name for option in command.params for name in option.opts if name.startswith("-")}


ROOT_OPTIONS = options_of(command()) | {"--help", "-h"}
ALL_OPTIONS = ROOT_OPTIONS | set(chain.from_iterable(map(options_of, COMMANDS.values())))


def _code(page: Path) -> Iterator[str]:
    yield from re.findall(r"`([^`\n]+)`", prose(page))
    for block in blocks(page):
        yield from block.text.replace("\\\n", "").splitlines()


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_no_page_names_a_command_or_an_option_that_is_not_there(page: Path) -> None:
    for code in _code(page):
        for verb, rest in re.findall(r"\bbatchconnect ([a-z]+)([^|>#]*)", code):
            assert verb in COMMANDS, code
            named = set(re.findall(r"(?<!\S)--[a-z-]+", rest))
            assert named <= options_of(COMMANDS[verb]) | ROOT_OPTIONS, code
        if code.startswith("--"):
            assert re.split(r"[ =]", code)[0] in ALL_OPTIONS, code


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        path, _, anchor = link.partition("#")
        goal = (page.parent / path).resolve() if path else page
        assert goal.exists(), link
        assert goal.is_relative_to(ROOT), link
        if anchor:
            assert anchor in _anchors(goal), link


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_no_page_bears_the_traces_of_a_machine(page: Path) -> None:
    text = page.read_text("utf-8")

    assert not re.search(r"/(?:work|tmp|home|root|Users)/|\bpypi\b|localhost:|127\.0\.0\.1", text)


def test_every_benchmark_is_named_with_what_it_measures() -> None:
    rows = re.findall(
        r"^\| `([a-z]+)` \| \S", (DOCS / "performance.md").read_text("utf-8"), re.MULTILINE
    )

    assert set(rows) == BENCHMARKS.keys()


def test_the_index_names_every_page() -> None:
    links = set(re.findall(r"\]\(([a-z-]+\.md)\)", (DOCS / "README.md").read_text("utf-8")))

    assert links == {name for name in NAMES if name != "README.md"}


# Settings -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("heading", "model"),
    [
        ("Keys of the file", Tables),
        ("Keys of one org", OrgTable),
        ("Keys of one store", StoreTable),
        ("Keys of one address", NotifyTable),
    ],
)
def test_every_key_of_the_settings_is_documented(
    heading: str, model: type[Tables] | type[OrgTable] | type[StoreTable] | type[NotifyTable]
) -> None:
    """The second column is what a wrong value is told: the field's own description."""
    documented = {row[0].strip("`"): row[1] for row in table("settings.md", heading)}
    options = {name: one.shape.must_be for name, one in KEYS.items()} if model is Tables else {}

    told = {name: field.description for name, field in model.model_fields.items()}
    assert documented == {**told, **options}


def test_needed_keys_of_an_org_are_marked() -> None:
    needed = [row[0].strip("`") for row in table("settings.md", "Keys of one org") if row[2]]
    required = [name for name, field in OrgTable.model_fields.items() if field.is_required()]

    assert [*required, "client_secret"] == needed


def test_defaults_of_the_settings_are_those_of_the_code() -> None:
    defaults = {
        row[0].strip("`"): row[2].strip("`") for row in table("settings.md", "Keys of the file")
    }
    told = {name: _default(name) for name in KEYS if _default(name)}

    assert told == {name: defaults[name] for name in told}
    assert defaults["settle"] == f"{SETTLE_S:g}"


def _default(name: str) -> str:
    """A default as the page writes it; none where what holds is told in words."""
    match getattr(DEFAULTS, name):
        case bool() as switch:
            return str(switch).lower()
        case float() as number:
            return f"{number:g}"
        case None | ():
            return ""
        case value:
            return str(value)


def test_keys_of_the_file_and_options_are_told_together() -> None:
    for key, _, _, option in table("settings.md", "Keys of the file"):
        declared = KEYS.get(key.strip("`"))
        assert option == (f"`{declared.flag}`" if declared else ""), key


def test_every_variable_is_documented() -> None:
    text = prose(DOCS / "settings.md")
    rows = re.findall(r"^\| `(BATCHCONNECT_\w+)` \| (.+) \|$", text, re.MULTILINE)
    expected = {
        name: f"`{field}`" for name, field in {**ONE_ORG_VARIABLES, **PLAIN_VARIABLES}.items()
    }
    expected |= {f"BATCHCONNECT_{name.upper()}_FILE": f"`{name}`, from a file" for name in SECRETS}

    assert dict(rows) == {**expected, FILE_VARIABLE: "which file is read"}


def test_every_metric_is_documented() -> None:
    documented = {
        name.removeprefix("batchconnect_run_")
        for name in codes("watch-runs.md", "Metrics for Prometheus")
    }

    assert documented == metrics._HELP.keys()


def test_no_page_names_a_variable_that_is_not_there() -> None:
    known = {*ONE_ORG_VARIABLES, *PLAIN_VARIABLES, FILE_VARIABLE}
    known |= {f"BATCHCONNECT_{name.upper()}_FILE" for name in SECRETS}
    for page in PAGES:
        for name in re.findall(r"\bBATCHCONNECT_[A-Z_]+[A-Z]\b", page.read_text("utf-8")):
            field = re.fullmatch(r"BATCHCONNECT_ORGS__[A-Z]+__([A-Z_]+)", name)
            assert name in known or (field and field[1].lower() in OrgTable.model_fields), name


# Commands -------------------------------------------------------------------------------------------------

GROUPS: dict[str, tuple[str, ...]] = {
    "Output options": tuple(one.name for one in dataclasses.fields(options.OutputOptions)),
    **{group.heading: group.names for group in options.GROUPS},
}
"""The names of a group's options by the heading of its table."""


def _section(command: str) -> str:
    text = (DOCS / "commands.md").read_text("utf-8")
    return text.split(f"\n## batchconnect {command}\n")[1].split("\n## ")[0]


def _own_options(command: str) -> list[str]:
    first = re.search(r"^\| option \|.*\n\|.*\n((?:\|.*\n)*)", _section(command), re.MULTILINE)
    return [line.split("|")[1].strip() for line in first[1].splitlines()] if first else []


def _spelled(option: Any) -> str:
    """An option as a table names it: its names, or its name with what it takes."""
    if len(option.opts) > 1:
        return " / ".join(f"`{name}`" for name in option.opts)
    takes = option.metavar or ("|".join(OnDoubt) if option.name == "on_doubt" else "")
    return f"`{option.opts[0]} {takes}`".replace(" `", "`")


def test_every_command_has_its_section() -> None:
    text = (DOCS / "commands.md").read_text("utf-8")

    assert re.findall(r"^## batchconnect (\w+)$", text, re.MULTILINE) == list(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_a_command_is_documented(command: str) -> None:
    """In its own table, or in that of a group that the section names."""
    groups = re.findall(r"\[(\w+ options)\]\(#", _section(command))
    shared = {name for heading in groups for name in GROUPS[heading]}
    options = {
        option.name: _spelled(option)
        for option in COMMANDS[command].params
        if option.opts[0].startswith("-") and option.name not in {"help", "help_all"}
    }

    assert shared <= options.keys()
    own = {name: text for name, text in options.items() if name not in shared}
    documented = [text.replace("\\|", "|") for text in _own_options(command)]
    assert sorted(own.values()) == sorted(documented)


@pytest.mark.parametrize("heading", GROUPS)
def test_every_shared_option_is_documented(heading: str) -> None:
    names = GROUPS[heading]
    options: dict[str, str] = {
        option.name: _spelled(option)
        for command in COMMANDS.values()
        for option in command.params
        if option.name in names
    }

    assert sorted(row[0] for row in table("commands.md", heading)) == sorted(options.values())


def test_every_exit_code_is_documented() -> None:
    codes_told = [int(row[0]) for row in table("commands.md", "Exit codes")]

    assert codes_told == [int(code) for code in ExitCode]


def test_exit_codes_mean_the_same_as_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    for code, means in table("commands.md", "Exit codes"):
        if int(code) < ExitCode.INTERRUPTED:
            assert f"| {code} | {means} |" in readme


def test_every_fault_profile_is_documented() -> None:
    profiles = re.findall(r"^\| `(\w+)` \|", _section("simulate"), re.MULTILINE)

    assert sorted(profiles) == sorted(PROFILES)


# Results --------------------------------------------------------------------------------------------------


def test_every_file_of_a_run_is_documented() -> None:
    assert {*FORMATS, LOG} == set(codes("results.md", "Files"))


def test_every_column_of_the_results_is_documented_in_its_place() -> None:
    assert list(RESULT_COLUMNS) == codes("results.md", "Columns of results.csv")


def test_every_key_of_a_result_is_documented() -> None:
    documented = {*RESULT_COLUMNS, *codes("results.md", "Lines of results.jsonl")}

    assert schema("result")["properties"].keys() == documented


@pytest.mark.parametrize(
    ("heading", "way"),
    [
        ("Keys of summary.json", ()),
        ("Keys of requests", ("requests",)),
        ("Keys of a lane", ("lanes", "items")),
        ("Keys of an incident", ("incidents", "items")),
        ("Keys of the sweep", ("sweep", "anyOf", 1)),
    ],
)
def test_every_key_of_the_summary_is_documented(heading: str, way: tuple[str | int, ...]) -> None:
    found: Any = schema("summary")
    for number, step in enumerate(way):
        found = found["properties"][step] if number == 0 else found[step]

    assert list(found["properties"]) == codes("results.md", heading)


@pytest.mark.parametrize(
    ("page", "heading"),
    [("results.md", "Statuses"), ("read-the-report.md", "What each status asks of you")],
)
def test_every_status_is_documented(page: str, heading: str) -> None:
    assert [status.value for status in Status] == codes(page, heading)


# Troubleshooting ------------------------------------------------------------------------------------------

HINTS: dict[str, tuple[str, str]] = {**remedies._TABLE, **source_remedies.TABLE}
WITH_TITLES = (
    "Sign-in and permission",
    "Sandbox",
    "Refusals of one row",
    "Reasons of the source",
    "Refusals that mean us",
    "Looks into the source",
    "Too many requests",
    "Answers that were lost",
    "Network",
    "Conflicts",
    "What an undo keeps",
    "Keys and tests",
    "Rows that had no turn",
    "A fault of batchconnect",
)
SERVER_FAULTS = {"1102-500", "1103-503", "1104-504", "http-500", "http-502", "http-504"}
"""Of the contract's class "any other 5xx", which the hints cover by their status."""


def _bare(code: str) -> str:
    return code.removeprefix("FLOW-")


def test_every_code_with_a_hint_is_documented_under_its_title() -> None:
    documented = {
        _bare(row[0].strip("`")): row[1]
        for heading in WITH_TITLES
        for row in table("troubleshooting.md", heading)
    }

    assert documented == {code: title for code, (title, _) in HINTS.items()}


def test_no_page_names_a_code_that_nobody_gives() -> None:
    source = "\n".join(
        path.read_text("utf-8")
        for path in (ROOT / "batchconnect").rglob("*.py")
        if "simulator" not in path.relative_to(ROOT).parts
    )
    named = set(codes("troubleshooting.md", "Problems of the sheet"))
    named |= {"terminated", "not_selected", "row_gone"}
    for page in PAGES:
        text = page.read_text("utf-8")
        named |= set(re.findall(r"`(?:FLOW-)?(\d{4}-\d{3}|\d{6}|http-\d{3})`", text))

    known = HINTS.keys() | SERVER_FAULTS | set(re.findall(r'"([a-z]+(?:_[a-z]+)*)"', source))
    assert named <= known, named - known
