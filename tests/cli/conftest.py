"""A command line and a service to practise on, for the tests of every command."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.practice import Practice
from tests.command_line import CommandLine
from tests.jumping_time import JumpingTime


@pytest.fixture
def batchconnect(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    jumping_time: JumpingTime,
) -> CommandLine:
    """The command, in an empty folder; it does not wait for what only time brings."""
    return CommandLine(tmp_path, capsys, monkeypatch, dict(os.environ))


@pytest.fixture
def practice(batchconnect: CommandLine) -> Iterator[Practice]:
    """A service on a real port, whose one org the environment knows."""
    with Practice() as practice:
        batchconnect.setenv(**practice.environment())
        yield practice
