"""Templates are compiled once for all commands, as Python's modules are, and nothing depends on it."""

from pathlib import Path

import pytest
from jinja2 import DictLoader, Environment

from batchconnect.reports.page.compiled import Compiled


@pytest.fixture(autouse=True)
def bytecode_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment of these tests says."""
    monkeypatch.setattr("sys.dont_write_bytecode", False)


def shown(folder: Path, text: str = "Hello {{ name }}") -> str:
    """What a process of its own shows: its environment knows of nothing but what is kept."""
    page = Environment(
        loader=DictLoader({"page": text}), bytecode_cache=Compiled(folder), autoescape=True
    )
    return page.get_template("page").render(name="you")


def kept(folder: Path) -> list[Path]:
    return sorted((folder / "__pycache__").glob("*"))


def test_what_was_compiled_is_kept_beside_the_templates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next process compiles nothing."""
    first = shown(tmp_path)
    monkeypatch.setattr(Environment, "compile", None)

    assert (first, shown(tmp_path)) == ("Hello you", "Hello you")
    assert len(kept(tmp_path)) == 1


def test_a_template_that_changed_is_compiled_anew(tmp_path: Path) -> None:
    """Its text decides, not its time."""
    shown(tmp_path)

    assert shown(tmp_path, "Good day {{ name }}") == "Good day you"
    assert len(kept(tmp_path)) == 1


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_what_is_damaged_is_made_again(tmp_path: Path, share: float) -> None:
    """Wherever the file ends, or whatever it holds."""
    shown(tmp_path)
    (file,) = kept(tmp_path)
    whole = file.read_bytes()
    for damaged in (whole[: int(len(whole) * share)], whole[:20] + b"?" * 80):
        file.write_bytes(damaged)

        assert shown(tmp_path) == "Hello you"
        assert file.read_bytes() == whole


def test_where_nothing_can_be_kept_nothing_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that is none, and a Python that is told to leave no bytecode."""
    (tmp_path / "__pycache__").write_text("a file in its place")
    in_the_way = shown(tmp_path)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    (tmp_path / "other").mkdir()

    assert (in_the_way, shown(tmp_path / "other")) == ("Hello you", "Hello you")
    assert kept(tmp_path / "other") == []
