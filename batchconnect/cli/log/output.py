"""
Where the lines of the log go, each place until it fails.

A full disk or a closed terminal ends the log there, is said once, and is nobody else's trouble.
"""

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, final

from batchconnect.model.file_mode import set_mode

MODE = 0o600

OnTrouble = Callable[[str], None]
"""Is told, once for each output, that the log is given up there."""


def open_file(path: Path) -> BinaryIO:
    """
    Open a log to be gone on with, or make it with mode 0600.

    Raises:
        OSError: It cannot be written, or it is a link or no plain file.
    """
    flags = os.O_RDWR | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
    try:
        handle = os.open(path, flags | os.O_CREAT | os.O_EXCL, MODE)
    except FileExistsError:
        # A run goes on in its own log; O_NONBLOCK: a FIFO there must not make us wait for a reader.
        handle = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    file = os.fdopen(handle, "ab", buffering=0)
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise OSError("it is not a plain file")  # noqa: TRY301  # told as the system's own are
        if os.name == "posix":  # pragma: no branch - Windows has no modes to set
            set_mode(handle, MODE)
        # A process that was killed in mid-line must not spoil the first line of the next one.
        if status.st_size:
            os.lseek(handle, -1, os.SEEK_END)
            if os.read(handle, 1) != b"\n":
                file.write(b"\n")
    except OSError:
        file.close()
        raise
    return file


@final
class LogFile:
    """
    One place that lines go to, until it fails.

    Args:
        stream: Unbuffered, or flushed after each line.
        name: For the message that it failed.
        is_ours: Whether it is closed with the log.
    """

    def __init__(self, stream: BinaryIO, name: str, *, is_ours: bool) -> None:
        self.name = name
        self._stream = stream
        self._is_ours = is_ours

    def write(self, line: bytes) -> None:
        """Write a whole line, or raise."""
        written = self._stream.write(line)
        if written != len(line):
            raise OSError("no space is left for a whole line")
        self._stream.flush()

    def close(self) -> None:
        """Close a file of ours; stderr stays as it is."""
        if self._is_ours:
            with suppress(OSError, ValueError):
                self._stream.close()


@final
class LogFiles:
    """What structlog takes for a logger: gets the finished line, with the level as the method."""

    def __init__(self, file: LogFile | None, stderr: LogFile | None, on_trouble: OnTrouble) -> None:
        self._file = file
        self._stderr = stderr
        self._on_trouble = on_trouble

    def are_open(self) -> bool:
        """Whether any output still works."""
        return self._file is not None or self._stderr is not None

    def info(self, line: str) -> None:
        """A line for every output."""
        raw = line.encode() + b"\n"
        if self._file is not None and not self._reached(self._file, raw):
            self._file = None
        if self._stderr is not None and not self._reached(self._stderr, raw):
            self._stderr = None

    debug = warning = error = info

    def close(self) -> None:
        """Write nothing more."""
        if self._file is not None:
            self._file.close()
        self._file = self._stderr = None

    def _reached(self, output: LogFile, raw: bytes) -> bool:
        try:
            output.write(raw)
        # ValueError: somebody closed the stream under us.
        except (OSError, ValueError) as error:
            output.close()
            why = getattr(error, "strerror", None) or error
            self._on_trouble(f"the log ends early: {output.name} cannot be written: {why}")
            return False
        return True
