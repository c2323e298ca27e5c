"""
Reads `property=` filters as the service reads them, traps included.

A comma in a value means OR, and `=`, `<`, `>`, `!` and `~` inside a value are taken for operators. So a
filter on a user's text hits or misses falsely: that is what makes it unusable as proof.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from batchconnect.simulator.answers import invalid
from batchconnect.simulator.exchange import Answer

OPERATORS = re.compile(r"[=<>!~]+")
COLUMNS = {
    "id": "id",
    "name": "name",
    "description": "description",
    "state": "state",
    "connectionSpec.id": "spec_id",
    "connectionSpec.version": "spec_version",
    "auth.specName": "auth_spec",
    "createdClient": "client_id",
    "updatedClient": "updated_client",
    "createdBy": "client_id",
    "updatedBy": "updated_client",
    "imsOrgId": "org_id",
    "sandboxName": "sandbox",
    "etag": "etag",
    "version": "etag",
}
TIMES = {"createdAt": "cast(applied_at * 1000 as integer)", "updatedAt": "updated_at"}
PARAM = re.compile(r"auth\.params\.([A-Za-z]+)")

ColumnOf = Callable[[str], str | None]
"""The column, or other SQL, that a field of a filter stands for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A piece of SQL and its values."""

    sql: str
    values: tuple[str | int, ...]


def condition(text: str, column_of: ColumnOf) -> Condition | Answer:
    """
    Read one filter.

    Args:
        text: As `connectionSpec.id==0479cc14-…`.
        column_of: Says which column a field stands for; what it does not know cannot be asked for.

    Returns:
        The condition, or the refusal (1440, 1443, 1448 to 1450, 1452, 1453).
    """
    found = OPERATORS.search(text)
    if found is None or not text[found.end() :]:
        return invalid("1453-400", f"Invalid query value {text} provided in query param.")
    field, operator, value = text[: found.start()], found.group(), text[found.end() :]
    if OPERATORS.search(value):
        return invalid("1450-400", f"Invalid operator in filter params: {value}")
    values = value.split(",")
    if field in TIMES:
        return _time(field, operator, values)
    column = column_of(field)
    if column is None:
        return invalid("1449-400", f"Invalid field {field} in filter params.")
    if operator == "==":
        marks = ", ".join("?" * len(values))
        return Condition(sql=f"{column} in ({marks})", values=tuple(values))
    return _wrong_operator(field, operator)


def _wrong_operator(field: str, operator: str) -> Answer:
    match operator:
        case "~" | "!~":
            return invalid("1440-400", f"Operator '{operator}' not implemented.")
        case "<" | "<=" | ">" | ">=":
            return invalid("1448-400", f"Operator {operator} not supported for field {field}.")
        case _:
            return invalid("1450-400", f"Invalid operator {operator} in filter params.")


def _time(field: str, operator: str, values: list[str]) -> Condition | Answer:
    if operator not in {"==", "<", "<=", ">", ">="}:
        return invalid("1450-400", f"Invalid operator {operator} in filter params.")
    if not all(value.isascii() and value.isdigit() for value in values):
        return invalid("1452-400", f"Invalid value {','.join(values)} for field {field}.")
    if len(values) > 1 and operator != "==":
        return invalid("1443-400", f"Operator '{operator}' is not allowed for multiple values.")
    # Digits without end are no 64-bit integer, which SQLite refuses; none of our times is that large.
    numbers = tuple(min(int(value), 2**62) for value in values)
    sign = "=" if operator == "==" else operator
    each = " or ".join(f"{TIMES[field]} {sign} ?" for _ in numbers)
    return Condition(sql=f"({each})", values=numbers)
