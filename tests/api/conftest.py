"""An empty folder, and a service on a real port that the environment knows."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.practice import Practice
from tests.command_line import CommandLine
from tests.jumping_time import JumpingTime


@pytest.fixture(autouse=True)
def place(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    jumping_time: JumpingTime,
) -> CommandLine:
    """An empty folder, and no settings in the environment; a call that has its own loop does not wait for time alone."""
    return CommandLine(tmp_path, capsys, monkeypatch, dict(os.environ))


@pytest.fixture
def practice(place: CommandLine) -> Iterator[Practice]:
    """A service on a real port, whose one org the environment knows."""
    with Practice() as practice:
        place.setenv(**practice.environment())
        yield practice
