"""The public face: about ten names, sorted, loaded when they are first used."""

import subprocess
import sys
from importlib.resources import files

import pytest

import batchconnect


def test_the_names_are_sorted_and_few() -> None:
    """Case counts as in `sorted`."""
    assert sorted(batchconnect.__all__) == batchconnect.__all__
    assert len(batchconnect.__all__) < 20


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
