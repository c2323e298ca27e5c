"""
What a value becomes in a line of the log: JSON, with nothing of a secret and nothing unforeseen in it.

Values whose type is not known here are told by the name of their type alone: their `repr` is somebody
else's promise, and it may show what ours may not.
"""

import json
import re
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import Any, get_args

import orjson

from batchconnect.model.outcome import Outcome, status_of
from batchconnect.model.secret import MASK, Secret
from batchconnect.model.value import has_fields, names_of

_LARGEST = 1 << 63
_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@cache
def snake_case(name: str) -> str:
    """The name of a class as the log spells it: `RowSettled` is `row_settled`."""
    return _HUMP.sub("_", name).lower()


def fields_of(value: Any) -> dict[str, Any]:
    """The fields of a value as they are; an outcome begins with its status."""
    names, values, is_outcome = _fields(value.__class__)
    found = dict(zip(names, values(value), strict=True))
    return {"status": status_of(value), **found} if is_outcome else found


@cache
def _fields(kind: Any) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]], bool]:
    """
    The fields of a value, what reads them, and whether it is an outcome.

    A class is asked once, for every row tells events.
    """
    names = names_of(kind)
    is_outcome = kind in get_args(Outcome)
    if len(names) > 1:
        return names, attrgetter(*names), is_outcome
    return names, lambda value: tuple(getattr(value, name) for name in names), is_outcome


def json_value(value: object) -> Any:
    """A value as JSON knows it, nested ones too."""
    match value:
        case Enum():
            return json_value(value.value)
        case int() if not -_LARGEST <= value < _LARGEST:
            return str(value)
        case None | bool() | str() | float() | int():
            return value
        case Mapping():
            return {str(json_value(key)): json_value(each) for key, each in value.items()}
        case list() | tuple():
            return [json_value(each) for each in value]
        case _:
            return json_value(_simpler(value))


def _simpler(value: Any) -> Any:
    """A value that JSON does not know, made of values that are looked at in turn."""
    match value:
        case _ if _is_its_fields(value.__class__):
            return fields_of(value)
        case Secret():
            return MASK
        case Path():
            return str(value)
        case Mapping():
            return dict(value)
        case tuple() | set() | frozenset():
            return list(value)
        case _:
            return f"<{type(value).__name__}>"


@cache
def _is_its_fields(kind: Any) -> bool:
    """Whether a value of this kind is told by its fields, as the outcome that is in each row's line."""
    others = (Secret, Path, Mapping, tuple)
    return isinstance(kind, type) and has_fields(kind) and not issubclass(kind, others)


def json_line(values: Mapping[str, Any]) -> str:
    """
    One line of JSON.

    Args:
        values: Anything; what JSON does not know is told as `json_value` tells it.
    """
    try:
        # Only what orjson does not know comes back to us: walking through all values ourselves took
        # twice as long as the whole line takes now.
        return orjson.dumps(values, default=_simpler, option=_OPTIONS).decode()
    except orjson.JSONEncodeError:
        # A lone surrogate, as file names may hold them, a key that is no text, a number beyond 64 bits.
        return json.dumps(json_value(values), separators=(",", ":"))
