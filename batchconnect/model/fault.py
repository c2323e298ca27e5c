"""
An error that nobody foresaw, told without anything that it may have seen.

Its text and the variables of its frames may hold a row, a key or a token, so neither is read: what we
need to mend it is what it was, where it was raised, and by which way one came there.
"""

from collections.abc import Iterator
from traceback import walk_tb
from types import TracebackType
from typing import Final

from batchconnect.model.value import Value

INTERNAL_FAULT: Final = "internal_fault"
"""The code of a row, of a stop and of an incident that a fault of ours is the cause of."""
TITLE: Final = "A fault of batchconnect"
_MOST_FRAMES: Final = 40
"""Lines of a trace: its beginning and its end are kept, a recursion's middle is not."""
_AT_THE_START: Final = 10


class Fault(Value):
    """What is told of an unexpected error."""

    type: str
    """The name of its class, as `KeyError`."""
    place: str
    """The frame that raised it, as `batchconnect.flow_service.client:87 create_request`."""
    trace: tuple[str, ...] = ()
    """Frames like *place*, the outermost first; behind them those of what it was raised from."""

    @property
    def label(self) -> str:
        """What faults are counted by: two with the same label are the same fault."""
        return f"{self.type} at {self.place}"


def fault_of(error: BaseException) -> Fault:
    """
    Tell an unexpected error.

    Args:
        error: What was caught; of a group of them the first that is more than a consequence.
    """
    error = _cause_in(error)
    frames = list(_frames(error.__traceback__))
    lines = [*frames, *_before(error)]
    if len(lines) > _MOST_FRAMES:
        left_out = len(lines) - _MOST_FRAMES
        tail = lines[_AT_THE_START + left_out :]
        lines = [*lines[:_AT_THE_START], f"({left_out} more)", *tail]
    return Fault(
        type=type(error).__name__,
        place=frames[-1] if frames else "an unknown place",
        trace=tuple(lines),
    )


def _cause_in(error: BaseException) -> BaseException:
    """Of a group, the first error that is one: what is cancelled was cancelled for its sake."""
    while isinstance(error, BaseExceptionGroup):
        inner = error.exceptions
        error = next((one for one in inner if isinstance(one, Exception)), inner[0])
    return error


def _before(error: BaseException) -> Iterator[str]:
    """What an error was raised from, and what that was raised from."""
    seen = {id(error)}
    while True:
        cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if cause is None or id(cause) in seen:
            return
        seen.add(id(cause))
        yield f"from {type(cause).__name__}"
        yield from _frames(cause.__traceback__)
        error = cause


def _frames(trace: TracebackType | None) -> Iterator[str]:
    for frame, line in walk_tb(trace):
        module = frame.f_globals.get("__name__", "?")
        yield f"{module}:{line} {frame.f_code.co_qualname}"
