"""
Four colours with a meaning, on a terminal that shows them: created, failed, in doubt, and what comes next.

A line is ours up to its colour, so no text of a sheet can choose one.
"""

import re
from collections.abc import Mapping
from typing import Final, TextIO

_GREEN, _RED, _YELLOW, _CYAN = "32", "31", "33", "1;36"
_PAINTS: Final = (
    (re.compile(r"(\s+\d+ )(created)\b"), _GREEN),
    (re.compile(r"(\s+\d+ )(failed)\b"), _RED),
    (re.compile(r"(\s+\d+ )(in_doubt)\b"), _YELLOW),
    (re.compile(r"()(error:)"), _RED),
    (re.compile(r"()(next:)"), _CYAN),
)
"""How a line begins, what of it is painted, and the colour, as ANSI terminals number them."""


def shows_colours(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether a stream is a terminal with colours; `NO_COLOR` (no-color.org) is obeyed."""
    is_dumb = environ.get("TERM", "").lower() in {"dumb", "unknown"}
    return not environ.get("NO_COLOR") and not is_dumb and is_terminal(stream)


def is_terminal(stream: TextIO) -> bool:
    """Whether a person reads it at once; a stream that was closed is read by nobody."""
    return not stream.closed and stream.isatty()


def painted(text: str) -> str:
    """A text of one or more lines, with the words that have a colour in it."""
    return "\n".join(map(_painted, text.split("\n")))


def _painted(line: str) -> str:
    for begins, colour in _PAINTS:
        if found := begins.match(line):
            return f"{found[1]}\x1b[{colour}m{found[2]}\x1b[0m{line[found.end() :]}"
    return line
