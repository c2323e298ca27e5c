"""Files for a person: new ones only, whole or not at all."""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchconnect.model.errors import UsageError
from batchconnect.reports.new_file import write_new


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


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder") as caught:
        write_new(tmp_path / "nodir" / "a.csv", [b"x"])

    assert str(tmp_path / "nodir") in str(caught.value)
    assert "Make the folder" in (caught.value.hint or "")


def test_a_file_has_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    """A process that is killed on the way leaves nothing that could be taken for the file."""
    path = tmp_path / "new.csv"

    def chunks() -> Iterator[bytes]:
        yield b"one "
        assert not path.exists()
        yield b"two"

    write_new(path, chunks())

    assert path.read_bytes() == b"one two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("has_links", [True, False])
def test_what_came_there_meanwhile_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool
) -> None:
    """On volumes without second names, too."""
    path = tmp_path / "new.csv"
    if not has_links:
        monkeypatch.setattr(os, "link", _no_links)

    def chunks() -> Iterator[bytes]:
        path.write_bytes(b"somebody else's")
        yield b"mine"

    with pytest.raises(UsageError, match="exists already"):
        write_new(path, chunks())

    assert path.read_bytes() == b"somebody else's"
    assert list(tmp_path.iterdir()) == [path]


def test_a_volume_without_second_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", _no_links)

    write_new(tmp_path / "new.csv", [b"whole"])

    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"whole"]


def _no_links(*_arguments: object, **_options: object) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")


@pytest.mark.parametrize("folder", ["missing", "file"])
def test_a_place_where_nothing_can_be_written(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").write_text("no folder")

    with pytest.raises(UsageError, match="cannot be written"):
        write_new(tmp_path / folder / "new.csv", [b"x"])
