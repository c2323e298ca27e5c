"""The one error behind a group of them: task groups wrap what their tasks raise, callers want the cause."""

from collections.abc import Iterator
from contextlib import contextmanager

from batchconnect.model.errors import BatchConnectError


@contextmanager
def unwrap_exception_group() -> Iterator[None]:
    """
    Raise what a group is about instead of the group.

    The first of our own errors in it is the cause; the others followed from it. A group without one
    goes up as it is.
    """
    try:
        yield
    except BaseExceptionGroup as group:
        cause = first_of_ours(group)
        if cause is None:
            raise
        # What a listener raised stands behind our error, and stays there.
        raise cause from cause.__cause__


def first_of_ours(error: BaseException) -> BatchConnectError | None:
    """The error itself, or the first in a group, that says by name what ended a command."""
    if isinstance(error, BaseExceptionGroup):
        return next(filter(None, map(first_of_ours, error.exceptions)), None)
    return error if isinstance(error, BatchConnectError) else None
