"""A terminal of 80 columns: a command with somebody before it who reads the screen, and types."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.acceptance.place import PATIENCE_S, Done, Place

COLUMNS, LINES = 80, 40
_STEERING = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[()][A-Z0-9]|\x1b[=>78]")


def on_terminal(
    place: Place, *arguments: str | Path, answers: Sequence[tuple[str, str]] = ()
) -> Done:
    """
    Give a command in a terminal, and wait for its end.

    Args:
        place: Where; all that the screen showed is searched for secrets with the rest.
        arguments: Of the command.
        answers: What is typed, each when the screen ends with the words before it.

    Returns:
        Its exit code and the screen, as `out`: what was drawn over is not in it.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "batchconnect", *map(str, arguments)],
        cwd=place.folder,
        env={**place.environ, "TERM": "xterm-256color"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,  # so that a secret is asked for here, and not where the tests run
    )
    os.close(theirs)
    left, shown, since = list(answers), b"", 0
    try:
        for some in _read(ours, process):
            shown += some
            new = _STEERING.sub("", shown[since:].decode(errors="replace")).rstrip(" ")
            if left and new.endswith(left[0][0]):
                os.write(ours, f"{left.pop(0)[1]}\n".encode())
                since = len(shown)
    finally:
        if process.poll() is None:
            process.kill()
        os.close(ours)
    assert left == [], f"never asked: {left}; the screen:\n{shown.decode(errors='replace')}"
    screen = "\n".join(_lines(shown.decode(errors="replace")))
    (place.said / f"screen-{time.monotonic_ns()}").write_text(screen, encoding="utf-8")
    return Done(code=process.wait(PATIENCE_S), out=screen, err="")


def _read(ours: int, process: "subprocess.Popen[bytes]") -> Iterator[bytes]:
    """What is written, until everybody has closed the terminal."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if not select.select([ours], [], [], 0.2)[0]:
            if process.poll() is not None:
                return
            continue
        try:
            some = os.read(ours, 1 << 16)
        except OSError:  # Linux says so where the last one has closed it
            return
        if not some:
            return
        yield some


def _lines(raw: str) -> Iterator[str]:
    """The lines that are left: of each what was written over its beginning last."""
    for line in _STEERING.sub("", raw).replace("\r\n", "\n").split("\n"):
        yield line.rsplit("\r", 1)[-1].rstrip()
