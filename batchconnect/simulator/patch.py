"""
JSON Patch as Flow Service takes it: an array of `add`, `replace` and `remove` on a few paths.

As RFC 6902 has it, what is replaced or removed has to be there.
"""

from dataclasses import dataclass
from typing import Any

from batchconnect.simulator import catalogue
from batchconnect.simulator.answers import invalid
from batchconnect.simulator.exchange import Answer
from batchconnect.simulator.habits import Habits
from batchconnect.simulator.records import Connection

OPERATIONS = ("add", "replace", "remove")
PARAMS = "/auth/params"


@dataclass(slots=True, kw_only=True)
class Patched:
    """What a patch makes of a connection."""

    name: str
    description: str | None
    params: dict[str, Any]
    """Without the secret, unless the patch names it."""
    replaces_params: bool = False
    """Whether the patch named all parameters; those it left out are dropped."""


def patched(connection: Connection, body: Any, habits: Habits) -> Patched | Answer:
    """
    Apply a patch, all of it or nothing.

    Args:
        connection: What is changed. Its secret is not part of it: a patch of one parameter keeps it,
            one of `/auth/params` has to name it.
        body: The parsed body.
        habits: Say whether a single parameter has a path.

    Returns:
        The new values, or the refusal (1405, 1414, 1420, 1434, 1455).
    """
    if not isinstance(body, list) or not body:
        return invalid("1405-400", "The request body has to be an array of patch instructions.")
    result = Patched(
        name=connection.name,
        description=connection.description,
        params=dict(connection.params),
    )
    for instruction in body:
        refusal = _apply(result, instruction, habits)
        if refusal is not None:
            return refusal
    return result


def _apply(result: Patched, instruction: Any, habits: Habits) -> Answer | None:
    refusal = _refused(instruction)
    if refusal is not None:
        return refusal
    operation, path, value = (instruction.get(name) for name in ("op", "path", "value"))
    if path == PARAMS:
        return _params(result, operation, value)
    if path.startswith(f"{PARAMS}/"):
        return _param(result, operation, path.removeprefix(f"{PARAMS}/"), value, habits)
    return _text(result, operation, path, value)


def _refused(instruction: Any) -> Answer | None:
    """What is wrong with an instruction, whatever it is to change."""
    if not isinstance(instruction, dict):
        return _wrong("an instruction has to be an object")
    operation, path = instruction.get("op"), instruction.get("path")
    if operation not in OPERATIONS:
        return invalid("1434-400", f"Unsupported operation '{operation}' received.")
    if not isinstance(path, str):
        return _lacking("path")
    if path.startswith("/connectionSpec"):
        return invalid("1414-400", "The connection spec of a connection cannot be updated.")
    if path == "/auth/specName":
        return invalid("1420-400", "The authentication of a connection cannot be updated.")
    return None


def _params(result: Patched, operation: str, value: Any) -> Answer | None:
    if operation == "remove" or not isinstance(value, dict):
        return _wrong(f'Missing field "value" of {PARAMS}')
    result.params = dict(value)
    result.replaces_params = True
    return None


def _param(result: Patched, operation: str, name: str, value: Any, habits: Habits) -> Answer | None:
    is_known = name in catalogue.FIELDS or name in result.params
    if not habits.knows_nested_params or not is_known or operation == "remove":
        return _lacking(name)
    if not isinstance(value, str) or not value:
        return _wrong(f'Missing field "value" of {PARAMS}/{name}')
    result.params[name] = value
    return None


def _text(result: Patched, operation: str, path: str, value: Any) -> Answer | None:
    name = path.removeprefix("/")
    if name not in {"name", "description"}:
        return _lacking(name)
    if operation == "remove":
        if name == "name" or result.description is None:
            return _lacking(name)
        result.description = None
        return None
    if not isinstance(value, str) or (name == "name" and not value.strip()):
        return _wrong(f'Missing field "value" of {path}')
    if operation == "replace" and getattr(result, name) is None:
        return _lacking(name)
    setattr(result, name, value)
    return None


def _lacking(field: str) -> Answer:
    return _wrong(f'Missing field "{field}"')


def _wrong(what: str) -> Answer:
    return invalid(
        "1455-400", f"An error has occurred while validating patch instructions: {what}."
    )
