"""JSON Patch as Flow Service takes it: an array of `add`, `replace` and `remove` on a few paths."""

from dataclasses import dataclass
from typing import Any

from batchconnect.simulator.answers import invalid
from batchconnect.simulator.exchange import Answer
from batchconnect.simulator.records import Connection

OPERATIONS = ("add", "replace", "remove")
PARAMS = "/auth/params"


@dataclass(slots=True, kw_only=True)
class Patched:
    """What a patch makes of a connection."""

    name: str
    description: str | None
    params: dict[str, str]
    replaces_params: bool = False
    """Whether the patch named all parameters; those it left out are dropped."""


def patched(connection: Connection, body: Any) -> Patched | Answer:
    """
    Apply a patch, all of it or nothing.

    Args:
        connection: What is changed. Its secret is not part of it: a patch of one parameter keeps it,
            one of `/auth/params` has to name it.
        body: The parsed body.

    Returns:
        The new values, or the refusal (1405, 1414, 1434, 1455).
    """
    if not isinstance(body, list) or not body:
        return invalid("1405-400", "The request body has to be an array of patch instructions.")
    result = Patched(
        name=connection.name,
        description=connection.description,
        params=dict(connection.params),
    )
    for instruction in body:
        refusal = _apply(result, instruction)
        if refusal is not None:
            return refusal
    return result


def _apply(result: Patched, instruction: Any) -> Answer | None:
    if not isinstance(instruction, dict):
        return _wrong("an instruction has to be an object")
    operation, path, value = (instruction.get(name) for name in ("op", "path", "value"))
    if operation not in OPERATIONS:
        return invalid("1434-400", f"Unsupported operation '{operation}' received.")
    if not isinstance(path, str):
        return _wrong('Missing field "path"')
    if path.startswith("/connectionSpec"):
        return invalid("1414-400", "The connection spec of a connection cannot be updated.")
    change = _params if path == PARAMS else _field
    return change(result, operation, path, value)


def _params(result: Patched, operation: str, path: str, value: Any) -> Answer | None:
    if operation == "remove" or not isinstance(value, dict):
        return _wrong(f'Missing field "value" of {path}')
    result.params = dict(value)
    result.replaces_params = True
    return None


def _field(result: Patched, operation: str, path: str, value: Any) -> Answer | None:
    if operation != "remove" and not isinstance(value, str):
        return _wrong(f'Missing field "value" of {path}')
    match path:
        case "/name" if operation != "remove":
            result.name = value
        case "/description":
            result.description = None if operation == "remove" else value
        case str() if path.startswith(f"{PARAMS}/") and operation != "remove":
            result.params[path.removeprefix(f"{PARAMS}/")] = value
        case _:
            return _wrong(f'Missing field "{path}"')
    return None


def _wrong(what: str) -> Answer:
    return invalid(
        "1455-400", f"An error has occurred while validating patch instructions: {what}."
    )
