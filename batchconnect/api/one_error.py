"""
The one kind of error that a program meets: `BatchConnectError`, never a group, never a foreign one.

What cancels a task, interrupts or ends the process is no error, and goes up as it is.
"""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from batchconnect.model.errors import BatchConnectError, ListenerError
from batchconnect.model.event import Event, RunStarted, placed
from batchconnect.model.exception_group import first_of_ours
from batchconnect.model.fault import fault_of
from batchconnect.model.row_place import NOWHERE

Given = ParamSpec("Given")
Answer = TypeVar("Answer")


def with_one_error(
    function: Callable[Given, Coroutine[Any, Any, Answer]],
) -> Callable[Given, Coroutine[Any, Any, Answer]]:
    """A public coroutine function, which raises nothing but our own error."""

    @wraps(function)
    async def called(*arguments: Given.args, **named: Given.kwargs) -> Answer:
        try:
            return await function(*arguments, **named)
        except BaseException as error:  # noqa: BLE001 - the last door: what is no error of ours is told as one
            found = _told(error)
        # Raised out here, so that it drags no foreign error along, whose text may repeat what it was given.
        raise found

    return called


def _told(error: BaseException) -> BaseException:
    cause = first_of_ours(error)
    if cause is not None:
        return cause
    if isinstance(error, BaseExceptionGroup):
        _, others = error.split(Exception)
        if others is not None:
            return _first(others)
    if not isinstance(error, Exception):
        return error
    return BatchConnectError(
        f"unexpected error: {fault_of(error).label}",
        hint="Please report it with this line. The ledger, if there is one, is safe: call again.",
    )


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


class Hearing:
    """
    Who hears of a call; once it has raised an error, it hears no more, and the call ends in good order.

    Args:
        on_event: A program's own function.
    """

    def __init__(self, on_event: Callable[[Event], object]) -> None:
        self._on_event = on_event
        self._has_failed = False
        self._places = NOWHERE

    def __call__(self, event: Event) -> None:
        """
        Tell it.

        Raises:
            ListenerError: It raised an error, which is the cause.
        """
        if self._has_failed:
            return
        if isinstance(event, RunStarted):
            self._places = event.places
        try:
            self._on_event(placed(event, self._places))
        except Exception as error:
            self._has_failed = True
            raise ListenerError(
                f"on_event raised {type(error).__name__} while it was told {type(event).__name__}",
                hint="The error itself is the __cause__ of this one.",
            ) from error
