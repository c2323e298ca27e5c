"""Four colours with a meaning, on a terminal that shows them."""

import io
from collections.abc import Mapping

import pytest

from batchconnect.cli.screen.paint import painted, shows_colours


class Terminal(io.StringIO):
    """A stream that says what a terminal says."""

    def isatty(self) -> bool:
        """It is one."""
        return True


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"TERM": "xterm-256color"}, True),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, False),
        ({"TERM": "xterm-256color", "NO_COLOR": ""}, True),
        ({"TERM": "dumb"}, False),
    ],
)
def test_colours_are_for_those_who_want_them(environ: Mapping[str, str], expected: bool) -> None:
    """`NO_COLOR` counts where it is not empty, as no-color.org says."""
    assert shows_colours(Terminal(), environ) is expected


def test_a_pipe_and_a_closed_stream_get_none() -> None:
    """A file with escapes in it is of no use to anybody."""
    closed = Terminal()
    closed.close()

    assert not shows_colours(io.StringIO(), {})
    assert not shows_colours(closed, {})


def test_each_colour_has_one_meaning() -> None:
    """Created, failed, in doubt, next; all else has none."""
    lines = ["  40 created", "   1 failed        refused", "   2 in_doubt      sent", "   3 existing",
             "error: no", "next:   batchconnect rerun"]  # fmt: skip

    assert painted("\n".join(lines)).split("\n") == [
        "  40 \x1b[32mcreated\x1b[0m",
        "   1 \x1b[31mfailed\x1b[0m        refused",
        "   2 \x1b[33min_doubt\x1b[0m      sent",
        "   3 existing",
        "\x1b[31merror:\x1b[0m no",
        "\x1b[1;36mnext:\x1b[0m   batchconnect rerun",
    ]


def test_a_text_of_the_sheet_chooses_no_colour() -> None:
    """Only how a line of ours begins does."""
    line = "! acme: 40 created, next: error: failed (x)"

    assert painted(line) == line
