"""
What a command says, and where: results on stdout, messages on stderr.

A closed stdout or stderr never ends a command: the work goes on, and the ledger and the report tell it.
"""

import json
import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, TextIO

import orjson

from batchconnect.cli.options import OutputOptions
from batchconnect.model.escape import escape_control


class Console:
    """
    The two streams of one command.

    Args:
        output: `--json`, `--quiet`, `-v`.
    """

    def __init__(self, output: OutputOptions) -> None:
        self.json = output.json
        self.quiet = output.quiet
        self.verbose = output.verbose

    def say(self, text: str) -> None:
        """A message for a person."""
        if not self.quiet:
            _write(sys.stderr, f"{text}\n")

    def warn(self, texts: Iterable[str]) -> None:
        """What a person should know."""
        for text in texts:
            self.say(f"warning: {escape_control(text)}")

    def result(self, document: Mapping[str, Any], lines: Iterable[str]) -> None:
        """The result: the document with `--json`, else the lines for a person."""
        if self.json:
            _write(sys.stdout, _json(document, sys.stdout.encoding or "utf-8"))
        else:
            _write(sys.stdout, "".join(f"{line}\n" for line in lines))


def _json(document: Mapping[str, Any], encoding: str) -> str:
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    try:
        text = orjson.dumps(document, option=options).decode()
    except TypeError:
        # A file's name may hold bytes that are no text, which JSON cannot tell: each becomes a `?`.
        text = json.dumps(document, ensure_ascii=False, indent=2, default=str) + "\n"
        text = text.encode(errors="replace").decode()
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        # JSON has escapes of its own; Python's would make it unreadable.
        text = json.dumps(json.loads(text), indent=2) + "\n"
    return text


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
        stream.flush()
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        _write(stream, text.encode(encoding, "backslashreplace").decode(encoding))
    except (OSError, ValueError):
        # The reader is gone. What Python flushes at its end must not fail either.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
