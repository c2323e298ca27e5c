"""Another library's import without one that it can do without."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without(library: str) -> Iterator[None]:
    """
    Whatever is imported inside finds this library missing, unless it is imported already.

    For the command line alone, whose process is its own: what was imported inside does without it for good.
    """
    if library in sys.modules:
        yield
        return
    sys.modules[library] = None  # type: ignore[assignment]  # Python's own sign for a module that is not to be found
    try:
        yield
    finally:
        del sys.modules[library]
