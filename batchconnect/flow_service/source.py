"""
What the source behind a connection says: whether it takes the credentials, and which tables it shows.

Texts of a source may repeat what was sent to it, its errors too: nothing is told of them but their code.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import orjson

from batchconnect.flow_service.listing import ListingFault
from batchconnect.flow_service.problem import OF_SOURCE, json_object, read_problem
from batchconnect.flow_service.reading import (
    NotFound,
    Unreadable,
    is_not_found,
    unreadable,
    unreadable_one,
)
from batchconnect.model.value import Value
from batchconnect.transport.interface import Response, read_json

MAYBE_CUT: Final = frozenset({100, 1000})
"""Lengths of a list of tables at which a service may have cut it (contract, section 13)."""


class Table(Value):
    """One table that a connection sees."""

    path: str
    """What the table is asked for by."""
    name: str


class Column(Value):
    """One column of a table."""

    name: str
    type: str


class Refusal(Value):
    """The source refuses the connection."""

    code: str
    """The source's reason, as `AADSTS7000215`, where its text names one; else `FLOW-1308-400`."""


def read_test(response: Response) -> bool | NotFound | Unreadable:
    """
    Read the answer to GET /connections/{id}/test.

    Returns:
        Whether the connection works. Whatever is no clear word about that says nothing of it.

    Source:
        Contract, section 13, "Test".
    """
    if response.status == HTTPStatus.OK and not response.body_fault:
        result = json_object(response).get("result")
        if isinstance(result, bool):
            return result
        return _odd("no_result", "the answer to the test says neither true nor false")
    return NotFound(connection_id="") if is_not_found(response) else unreadable_one(response)


def read_tables(response: Response) -> tuple[Table, ...] | Refusal | NotFound | Unreadable:
    """
    Read the answer to GET /connections/{id}/explore for the root, in both of its shapes.

    Source:
        Contract, section 13, "Explore".
    """
    refused = _refused(response)
    if refused is not None:
        return refused
    told = _json(response)
    items = told.get("items") if isinstance(told, dict) else told
    if not isinstance(items, list):
        return _odd("no_items", "the answer holds no list of tables")
    return tuple(
        Table(path=_text(item, "path") or _text(item, "name"), name=_text(item, "name"))
        for item in items
        if isinstance(item, dict)
    )


def read_columns(response: Response) -> tuple[Column, ...] | Refusal | NotFound | Unreadable:
    """
    Read the answer to GET /connections/{id}/explore for one table.

    Source:
        Contract, sections 11 and 13.
    """
    refused = _refused(response)
    if refused is not None:
        return refused
    schema = json_object(response).get("schema")
    columns = schema.get("columns") if isinstance(schema, dict) else None
    if not isinstance(columns, list):
        return _odd("no_items", "the answer holds no columns")
    return tuple(
        Column(name=_text(one, "name"), type=_text(one, "type"))
        for one in columns
        if isinstance(one, dict)
    )


def read_usage(response: Response) -> tuple[int, str | None] | Unreadable:
    """
    Read a page of the answer to GET /sourceConnections.

    Returns:
        How many there are on it, and the link to the next page, if there is one.

    Source:
        Contract, section 13, "Delete".
    """
    if response.status != HTTPStatus.OK or response.body_fault:
        return unreadable(response)
    body = json_object(response)
    items = body.get("items")
    if not isinstance(items, list):
        return _odd("no_items", "the answer holds no list of source connections")
    links = body.get("_links")
    following = links.get("next") if isinstance(links, dict) else None
    href = following.get("href") if isinstance(following, dict) else None
    return len(items), href if isinstance(href, str) and href else None


def _refused(response: Response) -> Refusal | NotFound | Unreadable | None:
    if response.status == HTTPStatus.OK and not response.body_fault:
        return None
    if is_not_found(response):
        return NotFound(connection_id="")
    problem = read_problem(response)
    if problem.reason:
        return Refusal(code=problem.reason)
    if response.status == HTTPStatus.BAD_REQUEST and problem.number in OF_SOURCE:
        return Refusal(code=f"FLOW-{problem.number}-400")
    return unreadable_one(response)


def _json(response: Response) -> Any:
    try:
        return read_json(response.body)
    except orjson.JSONDecodeError:
        return None


def _odd(code: str, detail: str) -> Unreadable:
    return Unreadable(fault=ListingFault(code=code, detail=detail))


def _text(item: Mapping[str, Any], key: str) -> str:
    value = item.get(key)
    return value if isinstance(value, str) else ""
