"""What a command does that only looks: shown while it lasts, and gone when it has its answer."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from batchconnect.cli.progress import open_progress
from batchconnect.cli.screen.console import Console
from batchconnect.model.event import (
    Event,
    LanePaused,
    Looked,
    NotReached,
    PageRead,
    SandboxListed,
    StorePaused,
)

_SHOWN = (PageRead, Looked, LanePaused, NotReached, StorePaused)
"""What went wrong in the end, the command's own result tells."""


@contextmanager
def looking(console: Console) -> Iterator[Callable[[Event], None]]:
    """
    Show at what a command looks: the sandbox and its page, the connections that it asked about, and for how
    long the service has it wait.

    Yields:
        What is told of each event.
    """
    with open_progress(
        sys.stderr,
        quiet=console.quiet,
        verbose=0,
        environ=os.environ,
        clock=time.monotonic,
    ) as progress:

        def hear(event: Event) -> None:
            if isinstance(event, _SHOWN) or (isinstance(event, SandboxListed) and event.complete):
                progress.event(event)

        yield hear
