"""The public face: ten commands with their twins and what goes with them, sorted, loaded when they are first used."""

import re
import subprocess
import sys
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import get_args

import pytest

import batchconnect
from batchconnect import events
from batchconnect.events import Event, Outcome


def test_the_names_are_sorted() -> None:
    """Case counts as in `sorted`: ten commands with their twins, and what these take, return and raise."""
    assert sorted(batchconnect.__all__) == batchconnect.__all__
    assert len(batchconnect.__all__) < 60


def test_every_name_exists_and_says_what_it_is() -> None:
    """From its own home."""
    for name in batchconnect.__all__:
        value = getattr(batchconnect, name)
        assert value.__module__.startswith("batchconnect.") or name == "Event"
        assert value.__doc__


def test_the_names_are_the_ones_that_have_a_home() -> None:
    """Neither more nor less."""
    assert set(batchconnect.__all__) == set(batchconnect._HOMES)
    assert set(batchconnect.__all__) <= set(dir(batchconnect))


def test_a_name_that_is_not_there_is_told_as_python_does() -> None:
    """So that `hasattr` works."""
    assert not hasattr(batchconnect, "nonsense")
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = batchconnect.nonsense


def test_importing_the_package_loads_nothing_heavy() -> None:
    """A program that only catches our error pays for nothing else."""
    code = (
        "import sys, batchconnect\n"
        "batchconnect.BatchConnectError\n"
        "dir(batchconnect)\n"
        "heavy = {'aiohttp', 'pandas', 'pydantic', 'typer', 'rich', 'anyio'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")


def test_the_types_are_part_of_the_package() -> None:
    """A checker believes them only with the marker file."""
    assert files("batchconnect").joinpath("py.typed").is_file()


def test_every_name_is_told_in_the_how_to() -> None:
    """A function by its name alone: how its twin is called, the page says once."""
    page = (Path(__file__).parents[1] / "docs" / "from-python.md").read_text("utf-8")
    untold = {
        name
        for name in (*batchconnect.__all__, "__version__")
        if not re.search(rf"\b{name.removesuffix('_sync')}\b", page)
    }

    assert untold == set()


def test_the_version_is_that_of_the_package() -> None:
    assert batchconnect.__version__ == version("batchconnect")
    assert "__version__" in dir(batchconnect)


def test_every_event_and_every_outcome_may_be_matched() -> None:
    """`batchconnect.events` has each member of both unions, and the unions."""
    members = {one.__name__ for one in (*get_args(Event), *get_args(Outcome))}

    assert set(events.__all__) == {*members, "Event", "Outcome"}
    assert sorted(events.__all__) == events.__all__
