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
        cause = _first_of_ours(group)
        if cause is None:
            raise
        raise cause from None


def _first_of_ours(group: BaseExceptionGroup[BaseException]) -> BatchConnectError | None:
    for error in group.exceptions:
        found = _first_of_ours(error) if isinstance(error, BaseExceptionGroup) else error
        if isinstance(found, BatchConnectError):
            return found
    return None
