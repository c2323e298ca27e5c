"""
What a command says, and where: results on stdout, messages on stderr.

A closed stdout or stderr never ends a command: the work goes on, and the ledger and the report tell it. A
result that could not be written whole (a full device) is said on stderr, and no such command ends with 0.
"""

import errno
import json
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Final, TextIO

import orjson

from batchconnect.cli.options import OutputOptions
from batchconnect.cli.screen.paint import is_terminal, painted, shows_colours
from batchconnect.model.errors import BatchConnectError
from batchconnect.model.escape import escape_control
from batchconnect.model.redactor import Redactor
from batchconnect.model.value import by_name, has_fields

_READER_IS_GONE = frozenset({errno.EPIPE, errno.EBADF, errno.EIO, errno.ECONNRESET})
"""Of a pipe, a descriptor or a terminal that was closed."""


_NARROWEST: Final = 40
UNWRAPPED: Final = 1_000_000
"""The width of what is no terminal: a program, or `grep`, wants each line whole."""
_COMMAND_AT_END: Final = re.compile(r"(?<=: )(?P<command>batchconnect [^`]+)$")
_LABEL: Final = re.compile(r"(?:error|hint|saved): +| *-> |! ")
_PROSE: Final = re.compile(r"(?:error|warning|note|hint|saved|key refused): | *-> |! ")


class ResultError(BatchConnectError):
    """
    The result could not be written; the work itself is done.

    Args:
        why: What the system says.
    """

    def __init__(self, why: str) -> None:
        super().__init__(
            f"the result could not be written to stdout: {why}",
            hint="The work is done, and what was sent stands in the ledger: `batchconnect status` and"
            " `batchconnect report` tell it.",
        )


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
        self.redactor = Redactor()
        """Knows the secrets that nothing of what is said may show; the command has it hold them."""

    @property
    def width(self) -> int:
        """Columns of the terminal that the result goes to."""
        return terminal_width(sys.stdout)

    def say(self, text: str) -> None:
        """A message for a person; on a terminal no word of it is cut in two."""
        if not self.quiet:
            width = terminal_width(sys.stderr)
            whole = self.redactor.text(text)
            lines = [part for line in whole.split("\n") for part in wrapped(line, width)]
            _write(sys.stderr, f"{_painted_for(sys.stderr, chr(10).join(lines))}\n")

    def warn(self, texts: Iterable[str]) -> None:
        """What a person should know."""
        for text in texts:
            self.say(f"warning: {escape_control(text)}")

    def result(
        self,
        document: Mapping[str, Any],
        lines: Iterable[str],
        *,
        errors: Iterable[str] | None = None,
    ) -> None:
        """
        The result: the document with `--json`, else the lines for a person.

        Args:
            document: For programs.
            lines: For a person.
            errors: All that is told with `--quiet`; None: the result is the answer to a question (`runs`,
                `status`, `template`), and who asks it wants it.

        Raises:
            ResultError: It could not be written whole. A reader who has gone away is no such case.
        """
        if self.json:
            text = self.redactor.text(_json(document, sys.stdout.encoding or "utf-8"))
        else:
            told = lines if errors is None or not self.quiet else errors
            redacted = map(self.redactor.text, told)
            whole = (part for line in redacted for part in _prose_wrapped(line, self.width))
            text = _painted_for(sys.stdout, "".join(f"{line}\n" for line in whole))
        why = _write(sys.stdout, text)
        if why is not None:
            raise ResultError(why)


def wrapped(line: str, width: int) -> list[str]:
    """
    A message in lines of a terminal's width.

    Args:
        line: Without a line break.
        width: Columns.

    Returns:
        Its lines, those below the first one under its text. A command at its end is a line of its own, however
        long that is: it is there to be copied.
    """
    if len(line) <= width:
        return [line]
    text, command = line, ""
    found = _COMMAND_AT_END.search(line)
    if found:
        text, command = line[: found.start()].rstrip(), found["command"]
    label = _LABEL.match(text)
    indent = " " * len(label[0]) if label else "    "
    lines = textwrap.wrap(
        text,
        width,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )
    return [*lines, *([f"{indent}{command}"] if command else [])]


def counted(count: int, word: str) -> str:
    """So many of something, as a person says it: `1 row`, `2 rows`."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def terminal_width(stream: TextIO) -> int:
    """Columns of a stream; `UNWRAPPED` where it is no terminal."""
    if not is_terminal(stream):
        return UNWRAPPED
    return max(_NARROWEST, shutil.get_terminal_size().columns)


def _prose_wrapped(line: str, width: int) -> list[str]:
    """A line of a result: a table's line and a command are left as they are."""
    return wrapped(line, width) if _PROSE.match(line) else [line]


def _painted_for(stream: TextIO, text: str) -> str:
    return painted(text) if shows_colours(stream, os.environ) else text


def _json(document: Mapping[str, Any], encoding: str) -> str:
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    try:
        text = orjson.dumps(document, by_name, options).decode()
    except TypeError:
        # A file's name may hold bytes that are no text, which JSON cannot tell: each becomes a `?`.
        text = json.dumps(document, ensure_ascii=False, indent=2, default=_simpler) + "\n"
        text = text.encode(errors="replace").decode()
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        # JSON has escapes of its own; Python's would make it unreadable.
        text = json.dumps(json.loads(text), indent=2) + "\n"
    return text


def _simpler(value: Any) -> Any:
    return by_name(value) if has_fields(type(value)) else str(value)


def _write(stream: TextIO, text: str) -> str | None:
    """Why it could not be written, if it could not and somebody should know."""
    try:
        stream.write(text)
        stream.flush()
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        return _write(stream, text.encode(encoding, "backslashreplace").decode(encoding))
    except (OSError, ValueError) as error:
        # What Python flushes at its end must not fail either.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        if isinstance(error, OSError) and error.errno not in _READER_IS_GONE:
            return error.strerror or type(error).__name__
    return None
