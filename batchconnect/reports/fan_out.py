"""
All formats in step: one pass over a run's rows feeds every file.

ReadRows come out of the ledger at a price, and a million of them are kept nowhere. So each format takes
`ROWS_PER_STEP` rows, gives a chunk (an empty one where it has nothing to write yet), and waits for the
others: no more than a step's rows stand in memory, however slow or quick a format is.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from itertools import islice, tee
from typing import TypeVar

from batchconnect.reports.result import Result

ROWS_PER_STEP = 500

Item = TypeVar("Item")
Steps = Generator[None]
"""One file on its way: each step writes a chunk of it, the last one puts it in its place."""
ReadRows = Callable[[], Iterator[Result]]


def batches(rows: Iterable[Item], size: int = ROWS_PER_STEP) -> Iterator[list[Item]]:
    """The rows of each step."""
    rest = iter(rows)
    while batch := list(islice(rest, size)):
        yield batch


def fan_out(rows: Iterator[Result], files: Sequence[Callable[[ReadRows], Steps]]) -> None:
    """
    Write files from one pass over the rows, step by step; then end them one after the other.

    Args:
        rows: Asked for once.
        files: Each is handed its own view of the rows, which gives them once.
    """
    own, *views = tee(rows, len(files) + 1)
    steps = [file(view.__iter__) for file, view in zip(files, views, strict=True)]
    # A file that has failed lets go of its view: nothing is kept for it.
    del views
    try:
        for _ in batches(own):
            for file in steps:
                next(file, None)
        for file in steps:
            for _ in file:
                pass
    finally:
        for file in steps:
            file.close()
