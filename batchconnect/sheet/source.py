"""
Bytes that can be read again at any offset: a file that stays as it was opened, or bytes in memory.

The file's descriptor is kept, and each later look compares the file's identity, so that a row is
never read from a file that somebody changed in the meantime.
"""

import contextlib
import hashlib
import os
import stat
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from batchconnect.model.errors import SheetError

BLOCK = 1 << 18
OPEN_TO_ALL = "every user of this machine may read it"
"""What the warning says of a sheet that others may read."""


class Source(Protocol):
    """Bytes with random access."""

    warnings: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """Hex digest of all the bytes."""
        ...

    def read(self, offset: int, size: int) -> bytes:
        """At most *size* bytes from *offset*; `b""` at the end."""
        ...

    def check(self) -> None:
        """
        Look whether the bytes are still those that were opened.

        Raises:
            SheetError: They have changed.
        """
        ...

    def close(self) -> None:
        """Let go of the bytes."""
        ...


class MemorySource:
    """Bytes that are held: standard input, a pipe, or a text in another encoding."""

    def __init__(self, data: bytes, *, warnings: tuple[str, ...] = ()) -> None:
        self._data = data
        self.sha256 = hashlib.sha256(data).hexdigest()
        self.warnings = warnings

    def read(self, offset: int, size: int) -> bytes:
        """A part of the bytes."""
        return self._data[offset : offset + size]

    def check(self) -> None:
        """Nothing can change them."""

    def close(self) -> None:
        """Forget the bytes."""
        self._data = b""


class FileSource:
    """A regular file, read by offset through one descriptor; safe to use from several threads."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._name = os.fspath(path)
        self._descriptor = descriptor
        # A program that keeps no sheet open keeps no file open either, whether it closed it or not.
        self._closing = weakref.finalize(self, _close, descriptor)
        opened = os.fstat(descriptor)
        self._identity = _identity(opened)
        self._sha256: str | None = None
        self.warnings = _warnings(path, opened)

    @property
    def sha256(self) -> str:
        """Hex digest of the file, made when it is first asked for."""
        if self._sha256 is None:
            digest, offset = hashlib.sha256(), 0
            while block := self.read(offset, BLOCK):
                digest.update(block)
                offset += len(block)
            self.check()
            self._sha256 = digest.hexdigest()
        return self._sha256

    def read(self, offset: int, size: int) -> bytes:
        """A part of the file, without moving a position that others share."""
        try:
            return os.pread(self._descriptor, size, offset)
        except OSError as error:
            raise SheetError(f"{self._path}: cannot be read: {error.strerror}") from error

    @contextlib.contextmanager
    def as_stdin(self) -> Iterator[int]:
        """The descriptor, wound back, for a child process that gets the file but not its name."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        yield self._descriptor

    def check(self) -> None:
        """
        Compare device, inode, size and time of change with those of the file that was opened.

        The path is asked: where it leads to the same inode, the descriptor has nothing else to say.
        """
        try:
            now = _identity(os.stat(self._name))  # noqa: PTH116 - 1 us less for each row of a run
        except OSError:
            now = None
        if now != self._identity:
            raise SheetError(
                f"{self._path}: the file has changed since it was opened",
                hint="Start the command again; what is done already is not done twice.",
            )

    def close(self) -> None:
        """Close the descriptor."""
        self._closing()
        self._descriptor = -1


def _close(descriptor: int) -> None:
    with contextlib.suppress(OSError):
        os.close(descriptor)


def open_source(path: Path | None) -> Source:
    """
    Open a file, or standard input where *path* is None.

    Raises:
        SheetError: There is no such file, it is a folder or a device, or it may not be read.
    """
    if path is None:
        return MemorySource(sys.stdin.buffer.read())
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise _cannot_open(path, error) from error
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return FileSource(path, descriptor)
    if stat.S_ISFIFO(mode):
        with os.fdopen(descriptor, "rb") as pipe:
            return MemorySource(pipe.read())
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        remedy = "Name a file in it"
        if path.suffix.lower() == ".numbers":
            remedy = "In Numbers choose File > Export To > CSV, and name that file"
        raise SheetError(f"{path}: this is a folder, not a sheet", hint=f"{remedy}.")
    raise SheetError(f"{path}: this is a device, not a sheet", hint="Name a CSV or Excel file.")


def _cannot_open(path: Path, error: OSError) -> SheetError:
    match error:
        case FileNotFoundError():
            near = sorted(_siblings(path))[:5]
            listing = f" Sheets beside it: {', '.join(near)}." if near else ""
            return SheetError(f"{path}: there is no such file", hint=f"Check the path.{listing}")
        case PermissionError():
            return SheetError(
                f"{path}: no permission to read it", hint="`ls -l` shows who may; see `chmod`."
            )
        case _:
            return SheetError(f"{path}: cannot be opened: {error.strerror}", hint="Check the path.")


def _siblings(path: Path) -> list[str]:
    endings = {".csv", ".tsv", ".xlsx", ".xlsm", ".xls", ".xlsb", ".ods"}
    with contextlib.suppress(OSError):
        return [p.name for p in path.parent.iterdir() if p.suffix.lower() in endings]
    return []


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def _warnings(path: Path, status: os.stat_result) -> tuple[str, ...]:
    if os.name == "posix" and status.st_mode & (stat.S_IROTH | stat.S_IWOTH):
        return (f"{path}: {OPEN_TO_ALL}; `chmod 600` keeps the keys in",)
    return ()
