"""A result that cannot be written is no success: said on stderr, and not exit 0."""

import errno
import io
import os
from typing import Any

import pytest

from tests.command_line import FAST, CommandLine, cells, many


class Device(io.StringIO):
    """A stdout whose device fails."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def write(self, _text: str) -> int:
        raise OSError(self._number, os.strerror(self._number))


@pytest.mark.parametrize("flags", [[], ["--json"]])
@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EPIPE], ids=errno.errorcode.get
)
def test_a_result_that_a_device_does_not_take_is_said_and_is_not_exit_0(
    batchconnect: CommandLine,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    flags: list[str],
) -> None:
    """A reader who went away, as `head` does, is nobody's trouble."""
    sheet = batchconnect.sheet(many(1, org="acme"))
    monkeypatch.setattr("sys.stdout", Device(number))
    done: Any = batchconnect("run", sheet, "--simulate", *FAST, *flags)
    is_gone = number == errno.EPIPE

    assert done.code == (0 if is_gone else 1)
    assert (os.strerror(number) in done.err) is not is_gone


def test_a_worse_exit_code_stands(
    batchconnect: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that are rejected are exit 3, whatever becomes of the result."""
    sheet = batchconnect.sheet([cells(2, org="acme", endpoint="nowhere")])
    monkeypatch.setattr("sys.stdout", Device(errno.ENOSPC))
    done = batchconnect("run", sheet, "--simulate", *FAST, "--json")

    assert done.code == 3
    assert os.strerror(errno.ENOSPC) in done.err
