"""
What a value becomes in a line of the log: JSON, with nothing of a secret and nothing unforeseen in it.

Values whose type is not known here are told by the name of their type alone: their `repr` is somebody
else's promise, and it may show what ours may not.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from batchconnect.outcome import Outcome, status_of
from batchconnect.secret import MASK, Secret

_LARGEST = 1 << 63
_PLAIN = frozenset({str, float, bool, type(None)})
"""Most values: they need no second look. An `int` may be too large."""
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@cache
def snake_case(name: str) -> str:
    """The name of a class as the log spells it: `RowSettled` is `row_settled`."""
    return _HUMP.sub("_", name).lower()


def fields_of(value: Any) -> dict[str, Any]:
    """The fields of a dataclass, each as `json_value`; an outcome begins with its status."""
    found = {name: json_value(getattr(value, name)) for name in _names(value.__class__)}
    return {"status": status_of(value).value, **found} if isinstance(value, Outcome) else found


@cache
def _names(kind: Any) -> tuple[str, ...]:
    """The fields of a dataclass; a class is asked once, and every row tells two events."""
    assert is_dataclass(kind)
    return tuple(field.name for field in fields(kind))


def json_value(value: object) -> Any:
    """A value as JSON knows it, nested ones too."""
    if type(value) in _PLAIN:
        return value
    found: Any
    match value:
        case Secret():
            found = MASK
        case Enum():
            found = json_value(value.value)
        case int() if not -_LARGEST <= value < _LARGEST:
            found = str(value)
        case None | bool() | str() | float() | int():
            found = value
        case Path():
            found = str(value)
        case Mapping():
            found = {str(json_value(key)): json_value(each) for key, each in value.items()}
        case list() | tuple() | set() | frozenset():
            found = [json_value(each) for each in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            found = fields_of(value)
        case _:
            found = f"<{type(value).__name__}>"
    return found


def json_line(values: Mapping[str, Any]) -> str:
    """
    One line of JSON.

    Args:
        values: Made of what `json_value` returns.
    """
    try:
        return orjson.dumps(values).decode()
    except orjson.JSONEncodeError:
        # A lone surrogate, as file names may hold them: the slow way escapes it.
        return json.dumps(values, default=json_value, separators=(",", ":"))
