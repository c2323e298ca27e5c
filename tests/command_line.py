"""The command line in this process: what a person types, what is said, and the exit code."""

import csv
import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from batchconnect.__main__ import _main
from tests.acceptance.place import CLIENT_SECRET, COLUMNS, Done, cells, many, until
from tests.jumping_time import BESIDE

__all__ = ["CLIENT_SECRET", "CommandLine", "Done", "cells", "many"]

FAST = ("--rate", "200")
"""A lane begins at two requests per second, which no test needs."""


@contextmanager
def signalled(
    signum: signal.Signals, *, when: Callable[[], object] = lambda: True
) -> Iterator[None]:
    """
    Signal this process in the midst of its command: once it listens, and something has come true.

    Args:
        signum: The signal.
        when: What is waited for besides.
    """
    # A command listens for both signals or none, and asyncio itself takes SIGINT before.
    deaf = signal.getsignal(signal.SIGTERM)

    def send() -> None:
        until(lambda: signal.getsignal(signal.SIGTERM) is not deaf)
        until(when)
        os.kill(os.getpid(), signum)

    thread = threading.Thread(target=send, name=BESIDE)
    thread.start()
    yield
    thread.join()


class CommandLine:
    """
    Gives commands in a folder of its own.

    Args:
        folder: Empty; becomes the current one.
        capsys: What is said.
        monkeypatch: Puts folder, environment and arguments back.
    """

    def __init__(
        self,
        folder: Path,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        environ: Mapping[str, str],
    ) -> None:
        self.folder = folder
        self._capsys = capsys
        self._monkeypatch = monkeypatch
        monkeypatch.chdir(folder)
        for name in [name for name in environ if name.startswith("BATCHCONNECT_")]:
            monkeypatch.delenv(name)
        for name, value in {"COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"}.items():
            monkeypatch.setenv(name, value)

    def __call__(self, *arguments: object) -> Done:
        """One command."""
        texts = [str(argument) for argument in arguments]
        self._capsys.readouterr()
        with self._monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["batchconnect", *texts])
            code = _main(texts)
        said = self._capsys.readouterr()
        return Done(code=code, out=said.out, err=said.err)

    def setenv(self, **environ: str) -> None:
        """Set variables."""
        for name, value in environ.items():
            self._monkeypatch.setenv(name, value)

    def delenv(self, name: str) -> None:
        """Unset a variable."""
        self._monkeypatch.delenv(name, raising=False)

    def write(self, name: str, text: str) -> Path:
        """A private file."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        return Path(name)

    def sheet(self, rows: Iterable[Mapping[str, Any]], name: str = "clients.csv") -> Path:
        """A private CSV of rows."""
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(rows)
        return self.write(name, text.getvalue())
