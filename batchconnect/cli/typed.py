"""
Reads what was typed for a command, where that takes no library.

Typer has pydantic read each parameter, those too that nobody gave, and to have it make forty readers takes a
twentieth of a short run. But a text is a text, a path a path, and a run's options read themselves, so that a
few numbers and words are left for Typer.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, get_origin

_NOT_READ: Final = object()
"""It is Typer's to read."""
_READERS: Final = {str: str, list[str]: str, Path: Path}
"""By the type of a parameter; no path of ours is looked at before its command does."""


def read_by_ourselves(command: Any) -> None:
    """
    Have a command's parameters, and those of its own commands, read here where they can be.

    Args:
        command: As Typer has put it together. Of what Click leaves to its commands and parameters, `get_params`
            and `process_value` are replaced.
    """
    command.get_params = partial(_parameters, command.get_params)
    for each in getattr(command, "commands", {}).values():
        read_by_ourselves(each)


def _parameters(by_click: Callable[[Any], list[Any]], context: Any) -> list[Any]:
    """All of a command's, that of its help among them, which Click makes when it is asked."""
    found = by_click(context)
    for one in found:
        if not isinstance(one.process_value, partial):
            one.process_value = partial(_processed, one, one.process_value)
    return found


def _processed(parameter: Any, by_typer: Any, context: Any, value: Any) -> Any:
    found = _read(parameter, value)
    # What is missing is told by Typer, too.
    if found is _NOT_READ or (parameter.required and not found):
        return by_typer(context, value)
    return found if parameter.callback is None else parameter.callback(context, parameter, found)


def _read(parameter: Any, value: Any) -> Any:
    if value is None:
        return () if parameter.multiple or parameter.nargs == -1 else None
    # Typer before 0.27 has no such thing, and imports no pydantic.
    declared = getattr(parameter, "type_descriptor", None)
    if declared is None:
        return _NOT_READ
    kind, parser = declared.annotation, declared.parameter_info.parser
    if type(value) is kind and kind in {int, float}:
        return value  # a default, or how often a switch was given
    read = parser or _READERS.get(kind)
    if read is None:
        return _NOT_READ
    if get_origin(kind) is not list:
        return read(value) if isinstance(value, str) else _NOT_READ
    return [read(one) for one in value] if isinstance(value, list | tuple) else _NOT_READ
