"""
The house as its imports tell it: floors, doors, and rooms that know nothing of each other.

All imports count, those under `TYPE_CHECKING` and inside functions too: what a reader has to know is
the same. The ladder is style.md, section 3, for the modules as they are.
"""

import ast
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final

import pytest

import batchconnect

HOUSE: Final = "batchconnect"

FLOORS: Final[tuple[tuple[str, str], ...]] = (
    ("the doors: `python -m`, and the public face", "__main__ __init__"),
    ("the same job from Python", "api"),
    (
        "the command line: reads arguments, calls once, renders",
        "cli cli_options commands progress",
    ),
    ("events become log lines; redaction is the last step", "log"),
    (
        "one call, from a command or from Python: puts the rooms together",
        "engine opening preview recovery history hand_over service annotate",
    ),
    (
        "file, environment and flags become frozen values; nothing below knows where from",
        "settings choices",
    ),
    ("practice: knows nothing of ours", "simulator"),
    ("entries become a Summary, and that becomes files", "reports"),
    ("one run over one sheet", "batch survey accounting glance rerun sweep verdict"),
    ("the work of one lane", "lane_work lane_plan lane_doubts"),
    (
        "the life of one row, and what to do when an answer was lost",
        "onboarding plan reconcile orphan",
    ),
    (
        "hears of a request before the network does",
        "ledger",
    ),
    (
        "the service: a connection becomes a request, a response an outcome",
        "lane matching flow_service",
    ),
    ("one HTTP message: rings around the wire", "transport"),
    (
        "cells as typed, of whatever kind the sheet is",
        "sheet template template_workbook",
    ),
    (
        "a row becomes a connection, or says why not",
        "doubles connection checks directory reference",
    ),
    ("know nothing of ours: could move to another project", "pool stop"),
    (
        "the values, open to every room above",
        "event outcome hint row org redactor secret errors error_group identity inert",
    ),
)
"""
Top to bottom; within a floor the order is free, as long as there is no circle.

A folder is one name: what stands in it is its own matter, and the tests below see to it.
"""

DOORS: Final[Mapping[str, tuple[str, ...]]] = {
    "aiohttp": ("transport.wire", "simulator.*"),
    "yarl": ("transport.wire", "simulator.*"),
    "pandas": ("sheet.*", "reports.*", "api"),
    "python_calamine": ("sheet.*",),
    "openpyxl": ("sheet.*",),
    "jinja2": ("reports.*",),
    "xlsxwriter": ("reports.*", "template_workbook"),
    "typer": ("cli", "cli_*"),
    "click": ("cli", "cli_*"),
    "rich": ("cli", "cli_*", "progress.*", "commands.*"),
    "structlog": ("log.*",),
    "msgspec": ("ledger.codec",),
    "pydantic": ("settings.*",),
    "pydantic_settings": ("settings.*",),
    "sqlite3": ("ledger.*", "simulator.*"),
}
"""For each foreign library: the modules through which it comes in."""

FOLDERS: Final = (
    "checks",
    "flow_service",
    "ledger",
    "log",
    "progress",
    "reports",
    "settings",
    "sheet",
    "simulator",
    "transport",
)


def _read() -> dict[str, set[str]]:
    """Every module with all it imports: ours without the house's name, others by their own."""
    house = Path(batchconnect.__file__).parent
    paths = {_name(path.relative_to(house)): path for path in sorted(house.rglob("*.py"))}
    return {
        name: {
            imported
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            for imported in _imported(node, name, is_folder=path.stem == "__init__", ours=paths)
        }
        for name, path in paths.items()
    }


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


IMPORTS: Final = _read()
OURS: Final = {
    name: {imported for imported in imports if imported in IMPORTS}
    for name, imports in IMPORTS.items()
}


def _room(module: str) -> str:
    return module.partition(".")[0]


def _floors(module: str) -> list[int]:
    """On which floors a module stands, counted from the street; one, if all is well."""
    return [
        height
        for height, (_, rooms) in enumerate(reversed(FLOORS))
        if any(fnmatch(_room(module), room) for room in rooms.split())
    ]


def test_the_reader_sees_the_house() -> None:
    """A test of imports that reads none would always pass."""
    assert "ledger.entry" in OURS["ledger.codec"]
    assert "transport.interface" in OURS["transport.wire"]
    assert "aiohttp" in {_room(name) for name in IMPORTS["transport.wire"]}


def test_a_relative_import_is_seen_for_what_it_is() -> None:
    """`from .a import x`, `from . import a` and `from .. import a`, in a module and in a folder."""
    ours = dict.fromkeys(["reports", "reports.csv", "row", "__init__"], Path())

    def seen(text: str, importer: str, *, is_folder: bool = False) -> list[str]:
        (node,) = ast.parse(text).body
        return list(_imported(node, importer, is_folder=is_folder, ours=ours))

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
        TopologicalSorter(OURS).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' > '.join(reversed(error.args[1]))}")


def test_every_module_stands_on_one_floor() -> None:
    """A new module says where it belongs."""
    homeless = sorted(module for module in IMPORTS if len(_floors(module)) != 1)

    assert not homeless, (
        f"not on one floor: {', '.join(homeless)}. Say in FLOORS where they belong."
    )


@pytest.mark.parametrize("module", sorted(IMPORTS))
def test_imports_go_down(module: str) -> None:
    """To the own floor or to a lower one."""
    height = max(_floors(module), default=len(FLOORS))
    upward = sorted(name for name in OURS[module] if max(_floors(name), default=0) > height)

    assert not upward, f"{module} imports from a floor above its own: {', '.join(upward)}"


@pytest.mark.parametrize("library", sorted(DOORS))
def test_a_foreign_library_has_a_door(library: str) -> None:
    """So that changing one touches one place."""
    users = {
        module
        for module, imports in IMPORTS.items()
        if any(_room(imported) == library for imported in imports)
    }
    elsewhere = sorted(
        module for module in users if not any(fnmatch(module, door) for door in DOORS[library])
    )

    assert not elsewhere, f"{library} comes in through {', '.join(elsewhere)}"


@pytest.mark.parametrize("folder", FOLDERS)
def test_siblings_do_not_import_their_folder(folder: str) -> None:
    """They import `.interface` and each other; the folder's `__init__` imports them."""
    astray = sorted(
        module for module in OURS if module.startswith(f"{folder}.") and folder in OURS[module]
    )

    assert not astray, f"imports its own folder: {', '.join(astray)}"


def test_the_simulator_imports_nothing_of_ours() -> None:
    """So that it cannot share our mistakes."""
    foreign = {
        f"{module} > {name}"
        for module in OURS
        if _room(module) == "simulator"
        for name in OURS[module]
        if _room(name) != "simulator"
    }

    assert foreign == set()


@pytest.mark.parametrize("module", ["pool", "stop"])
def test_what_could_move_to_another_project_imports_nothing_of_ours(module: str) -> None:
    """No rows, no lanes."""
    assert OURS[module] == set()


def test_the_rings_know_messages_and_values_only() -> None:
    """No row, no outcome, no ledger: each ring is one `async send(Request) -> Response`."""
    values = {"event", "org", "secret", "errors"}
    others = {
        f"{module} > {name}"
        for module in OURS
        if _room(module) == "transport"
        for name in OURS[module] - values
        if _room(name) != "transport"
    }

    assert others == set()


def test_only_the_front_of_the_house_knows_the_settings() -> None:
    """All else is handed what it needs."""
    at = next(i for i, (_, rooms) in enumerate(FLOORS) if "settings" in rooms.split())
    below = [
        module
        for module in OURS
        if min(_floors(module)) < len(FLOORS) - 1 - at and "settings" in OURS[module]
    ]

    assert below == []
