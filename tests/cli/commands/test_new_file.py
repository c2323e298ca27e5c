"""Files for a person: new ones only, whole or not at all."""

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchconnect.cli.commands.new_file import write_new
from batchconnect.model.errors import UsageError


@pytest.mark.parametrize(
    ("error", "raised"),
    [(OSError(errno.ENOSPC, "No space left on device"), UsageError), (KeyError("x"), KeyError)],
)
def test_of_a_file_that_cannot_be_finished_nothing_is_left(
    tmp_path: Path, error: Exception, raised: type[Exception]
) -> None:
    """Whether the disk is full or what should be written fails."""

    def chunks() -> Iterator[bytes]:
        yield b"a beginning"
        raise error

    with pytest.raises(raised):
        write_new(tmp_path / "new.csv", chunks())

    assert list(tmp_path.iterdir()) == []
