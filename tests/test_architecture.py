"""
The house as its imports tell it: floors, doors, and rooms that know nothing of each other.

All imports count, those under `TYPE_CHECKING` and inside functions too: what a reader has to know is
the same. `docs/architecture.md` tells the same story in words.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final

import pytest

import batchconnect

HOUSE: Final = "batchconnect"
ROOT: Final = Path(batchconnect.__file__).parent

FLOORS: Final = (
    ("the doors: `python -m`, and the public face", "__main__ __init__ events"),
    ("the same job from a terminal and from Python", "cli api"),
    ("one run over one sheet", "run"),
    ("one lane, and one row", "lane"),
    ("the service: a connection becomes a request, a response an answer", "flow_service settings"),
    (
        "a row becomes a connection; entries become files; a reference becomes a secret",
        "validation reports stores notify",
    ),
    (
        "cells as typed; one HTTP message; what happened, kept; what a person may choose",
        "sheet transport ledger options telemetry",
    ),
    (
        "the values, open to every room above; practice, which knows nothing of ours",
        "model simulator",
    ),
)
"""
Top to bottom, folder by folder. Within a floor nobody imports a neighbour, but for the doors.

A folder is one name: what stands in it is its own matter, and the tests below see to it.
"""

DOORS: Final[Mapping[str, tuple[str, ...]]] = {
    "aiohttp": ("transport.resolver", "transport.wire", "simulator.*"),
    "yarl": ("transport.wire", "simulator.*"),
    "pandas": ("sheet.*", "api.*"),
    "python_calamine": ("sheet.workbook.*",),
    "openpyxl": ("sheet.workbook.*",),
    "jinja2": ("reports.page.*",),
    "xlsxwriter": ("reports.workbook.*",),
    "typer": ("cli.app", "cli.declared.*", "cli.options", "cli.completion"),
    "click": ("cli.options",),
    "rich": ("cli.*",),
    "structlog": ("cli.log.*",),
    "msgspec": ("model.value", "ledger.codec", "sheet.workbook.*"),
    "pydantic": ("settings.*",),
    "azure": ("stores.azure",),
    "boto3": ("stores.aws",),
    "botocore": ("stores.aws",),
    "hvac": ("stores.vault",),
    "requests": ("stores.vault",),
    "opentelemetry": ("telemetry.spans",),
    "prometheus_client": ("reports.metrics",),
    "apprise": ("notify.child",),
    "sqlite3": ("ledger.sqlite.*", "simulator.*"),
    "psycopg": ("ledger.postgres.*",),
}
"""For each foreign library: the modules through which it comes in."""


@cache
def imports() -> dict[str, set[str]]:
    """Every module with all it imports: ours without the house's name, others by their own."""
    paths = {_name(path.relative_to(ROOT)): path for path in sorted(ROOT.rglob("*.py"))}
    return {
        name: {
            imported
            for node in _statements(ast.parse(path.read_text(encoding="utf-8")))
            for imported in _imported(node, name, is_folder=path.stem == "__init__", ours=paths)
        }
        for name, path in paths.items()
    }


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Every statement, however deep; no import stands within an expression."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
            yield child
            yield from _statements(child)


def _name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def _imported(
    node: ast.AST, importer: str, *, is_folder: bool, ours: Mapping[str, Path]
) -> Iterator[str]:
    """What one statement imports; `from folder import module` imports the module, not the folder."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield _without_house(alias.name)
    elif isinstance(node, ast.ImportFrom):
        module = node.module or ""
        if node.level:
            folder = f"{HOUSE}.{importer}".split(".")
            folder = folder[: len(folder) - node.level + is_folder]
            module = ".".join([*folder, module] if module else folder)
        base = _without_house(module)
        for alias in node.names:
            inner = alias.name if base == "__init__" else f"{base}.{alias.name}"
            yield inner if inner in ours else base


def _without_house(module: str) -> str:
    return "__init__" if module == HOUSE else module.removeprefix(f"{HOUSE}.")


@cache
def ours() -> dict[str, set[str]]:
    """Every module with what it imports of ours."""
    read = imports()
    return {name: imported & read.keys() for name, imported in read.items()}


STORES: Final = ("ledger.sqlite", "ledger.postgres")
FOLDERS: Final = sorted(
    _name(path.parent.relative_to(ROOT)) for path in ROOT.glob("*/**/__init__.py")
)
"""Every folder of the house, those inside others too."""


def _room(module: str) -> str:
    return module.partition(".")[0]


def _floors(module: str) -> list[int]:
    """On which floors a module stands, counted from the street; one, if all is well."""
    return [
        height
        for height, (_, rooms) in enumerate(reversed(FLOORS))
        if _room(module) in rooms.split()
    ]


def _listing(folder: str, imports: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """The arrows between the entries of one folder's listing, each inner folder being one entry."""

    def entry(module: str) -> str | None:
        inner = module.removeprefix(f"{folder}.") if folder else module
        if inner == module and folder:
            return "__init__" if module == folder else None
        return _room(inner)

    arrows: dict[str, set[str]] = {}
    for module, imported in imports.items():
        if (of := entry(module)) is not None:
            arrows.setdefault(of, set()).update({to for to in map(entry, imported) if to} - {of})
    return arrows


def test_the_reader_sees_the_house() -> None:
    """A test of imports that reads none would always pass."""
    assert "ledger.entry" in ours()["ledger.codec"]
    assert "transport.interface" in ours()["transport.wire"]
    assert "aiohttp" in {_room(name) for name in imports()["transport.wire"]}


def test_a_relative_import_is_seen_for_what_it_is() -> None:
    """`from .a import x`, `from . import a` and `from .. import a`, in a module and in a folder."""
    paths = dict.fromkeys(["reports", "reports.csv", "row", "__init__"], Path())

    def seen(text: str, importer: str, *, is_folder: bool = False) -> list[str]:
        (node,) = ast.parse(text).body
        return list(_imported(node, importer, is_folder=is_folder, ours=paths))

    assert seen("from .csv import render", "reports.json") == ["reports.csv"]
    assert seen("from . import csv", "reports.json") == ["reports.csv"]
    assert seen("from . import FORMATS", "reports.json") == ["reports"]
    assert seen("from . import csv", "reports", is_folder=True) == ["reports.csv"]
    assert seen("from .. import row", "reports.json") == ["row"]
    assert seen("from batchconnect import row", "reports.json") == ["row"]
    assert seen("from batchconnect import onboard", "cli") == ["__init__"]


def test_there_is_no_circle() -> None:
    """Each module can be read after those that it imports."""
    try:
        TopologicalSorter(ours()).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' > '.join(reversed(error.args[1]))}")


@pytest.mark.parametrize("folder", ["", *FOLDERS])
def test_no_listing_holds_a_circle(folder: str) -> None:
    """At every level the entries of a folder, files and folders, can be read one after the other."""
    try:
        TopologicalSorter(_listing(folder, ours())).prepare()
    except CycleError as error:
        pytest.fail(f"a circle in {folder or HOUSE}: {' > '.join(reversed(error.args[1]))}")


def test_a_circle_of_folders_would_be_seen() -> None:
    """No circle of files, and yet one of their folders, at the root and further in."""
    arrows = {"lane.work": {"run.stop"}, "run.batch": {"lane.lane"}}

    for folder, prefix in (("", ""), ("cli", "cli.")):
        inner = {prefix + of: {prefix + to for to in imported} for of, imported in arrows.items()}
        with pytest.raises(CycleError):
            TopologicalSorter(_listing(folder, inner)).prepare()


def test_every_module_stands_on_one_floor() -> None:
    """A new folder says where it belongs."""
    homeless = sorted(module for module in imports() if len(_floors(module)) != 1)

    assert not homeless, (
        f"not on one floor: {', '.join(homeless)}. Say in FLOORS where they belong."
    )


def test_the_floors_name_no_room_that_is_gone() -> None:
    """The list is the house, not a memory of it."""
    named = {room for _, rooms in FLOORS for room in rooms.split()}

    assert named == {_room(module) for module in imports()}


def test_imports_go_down() -> None:
    """To the own folder or to a lower floor; the two doors may know each other."""
    height = {module: max(_floors(module), default=len(FLOORS)) for module in imports()}
    astray = sorted(
        f"{module} > {name}"
        for module, imported in ours().items()
        for name in imported
        if _room(name) != _room(module)
        and height[name] >= height[module]
        and _room(module) not in {"__main__", "__init__"}
    )

    assert not astray, f"from the own floor or one above: {', '.join(astray)}"


def test_the_folders_of_a_run_are_told_in_their_order() -> None:
    """A reader meets in `docs/architecture.md` none before those that it imports, and all of them."""
    page = (ROOT.parent / "docs" / "architecture.md").read_text("utf-8")
    told = re.findall(r"^- `(\w+)/`", page, flags=re.MULTILINE)
    listing = _listing("run", ours())

    assert sorted(told) == sorted(
        name.removeprefix("run.") for name in FOLDERS if name.startswith("run.")
    )
    astray = [
        f"{name} > {later}"
        for at, name in enumerate(told)
        for later in told[at:]
        if later in listing[name]
    ]
    assert not astray, f"told too early: {', '.join(astray)}"


@pytest.mark.parametrize("library", sorted(DOORS))
def test_a_foreign_library_has_a_door(library: str) -> None:
    """So that changing one touches one place."""
    users = {
        module
        for module, imported in imports().items()
        if any(_room(name) == library for name in imported)
    }
    elsewhere = sorted(
        module for module in users if not any(fnmatch(module, door) for door in DOORS[library])
    )

    assert not elsewhere, f"{library} comes in through {', '.join(elsewhere)}"


@pytest.mark.parametrize("folder", FOLDERS)
def test_siblings_do_not_import_their_folder(folder: str) -> None:
    """They import `.interface` and each other; the folder's `__init__` imports them."""
    astray = sorted(
        module for module in ours() if module.startswith(f"{folder}.") and folder in ours()[module]
    )

    assert not astray, f"imports its own folder: {', '.join(astray)}"


def test_the_simulator_imports_nothing_of_ours() -> None:
    """So that it cannot share our mistakes."""
    foreign = {
        f"{module} > {name}"
        for module in ours()
        if _room(module) == "simulator"
        for name in ours()[module]
        if _room(name) != "simulator"
    }

    assert foreign == set()


@pytest.mark.parametrize("module", ["lane.pool", "run.stop"])
def test_what_could_move_to_another_project_imports_nothing_of_ours(module: str) -> None:
    """No rows, no lanes."""
    assert ours()[module] == set()


def test_the_rings_know_messages_and_values_only() -> None:
    """No row, no outcome, no ledger: each ring is one `async send(Request) -> Response`."""
    values = {
        "event",
        "fault",
        "org",
        "secret",
        "errors",
        "defaults",
        "foreign_text",
        "value",
    }
    values = {f"model.{name}" for name in values}
    others = {
        f"{module} > {name}"
        for module in ours()
        if _room(module) == "transport"
        for name in ours()[module] - values
        if _room(name) != "transport"
    }

    assert others == set()


def test_one_room_knows_what_the_ledger_is_kept_in() -> None:
    """All else names the protocols, so that a second store is one folder and one branch."""
    knowing = {
        module
        for module, imported in ours().items()
        if any(name.startswith(STORES) for name in imported) and not module.startswith(STORES)
    }

    assert knowing == {"run.opening.opened_ledger", "run.team.ledger"}


def test_only_the_front_of_the_house_knows_the_settings() -> None:
    """All else is handed what it needs."""
    knowing = {
        _room(module)
        for module, imported in ours().items()
        if any(_room(name) == "settings" for name in imported) and _room(module) != "settings"
    }

    assert knowing <= {"__init__", "api", "cli", "run"}
