"""
`GET /connections` and its likes: filters, order, pages.

Pages are found by key, not by offset, so that a sandbox of 50,000 connections is read as fast at its
end as at its start. As with an offset, a page repeats items where new ones appeared in front of it:
clients have to drop doubles by id.
"""

import sqlite3
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import quote

import orjson

from batchconnect.simulator.answers import invalid, json_answer
from batchconnect.simulator.exchange import Answer, Request
from batchconnect.simulator.filters import COLUMNS, PARAM, ColumnOf, Condition, condition
from batchconnect.simulator.habits import Habits
from batchconnect.simulator.item import is_shown, item
from batchconnect.simulator.state import from_row
from batchconnect.simulator.store import Store

LARGEST_PAGE = 100
DEFAULT_PAGE = 20
"""Unknown at the service; small, so that a client that forgets `limit` still meets pages."""
PARAMETERS = {"property", "limit", "orderby", "continuationToken", "count"}
ORDERS = {
    None: ("updated_at", True),
    "name": ("name", False),
    "+name": ("name", False),
    "-name": ("name", True),
    "createdAt": ("applied_at", False),
    "+createdAt": ("applied_at", False),
    "-createdAt": ("applied_at", True),
}


PRESENT = "visible_at <= ? and coalesce(listed_until, 9e99) > ?"
"""What a listing shows at a time, which is given twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """What can be listed, and how it is shown."""

    path: str
    """Below the base path."""
    table: str
    columns: ColumnOf
    """The column or the SQL that a filter's field stands for."""
    item: Callable[[sqlite3.Row], dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a page begins: what a continuation token holds."""

    query: str
    """Digest of filter and order: a token is good for the listing that it came from."""
    key: str | float
    seq: int
    at: float
    """When the page before was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which part of a collection a listing is about."""

    collection: Collection
    where: str
    values: tuple[str | float, ...]
    column: str
    descending: bool
    digest: str


def connections(habits: Habits) -> Collection:
    """The connections, as far as they are shown."""

    def column_of(field: str) -> str | None:
        param = PARAM.fullmatch(field)
        if param is None:
            return COLUMNS.get(field)
        name = param.group(1)
        return f"json_extract(params, '$.{name}')" if is_shown(name, habits) else None

    return Collection(
        path="connections",
        table="connections",
        columns=column_of,
        item=lambda row: item(from_row(row), habits),
    )


def listing(request: Request, store: Store, now: float, collection: Collection) -> Answer:
    """
    One page, or the count.

    Args:
        request: With org and sandbox already checked.
        store: What there is.
        now: Unix time; what becomes visible later is not there.
        collection: What is listed.
    """
    scope = _scope(request, collection)
    if isinstance(scope, Answer):
        return scope
    limit = request.first("limit")
    if (request.first("count") or "").lower() == "true":
        if limit is not None:
            return invalid(
                "1401-400",
                "The limit and count parameters cannot be given together in the same request.",
            )
        sql = f"select count(*) from {collection.table} where {scope.where} and {PRESENT}"  # noqa: S608  # columns of our own, values are bound
        found = store.db.execute(sql, (*scope.values, now, now)).fetchone()
        return json_answer(200, {"count": found[0]})
    if limit is not None and not (limit.isascii() and limit.isdigit() and int(limit) > 0):
        return invalid("1451-400", f"Invalid params limit={limit} provided in query params.")
    size = DEFAULT_PAGE if limit is None else min(int(limit), LARGEST_PAGE)
    token = request.first("continuationToken")
    place = None if token is None else read_token(token)
    if token is not None and (place is None or place.query != scope.digest):
        return invalid("1451-400", "Invalid params continuationToken provided in query params.")
    rows = _page(store, scope, place, size, now)
    links: dict[str, Any] = {}
    if len(rows) > size:
        last = rows[size - 1]
        token = write_token(
            Place(query=scope.digest, key=last[scope.column], seq=last["seq"], at=now)
        )
        href = f"/{collection.path}?continuationToken={quote(token, safe='')}"
        links["next"] = {"href": href}
    page = [collection.item(row) for row in rows[:size]]
    return json_answer(200, {"items": page, "_links": links})


def write_token(place: Place) -> str:
    """A place as a continuation token; it may hold `+`, `/` and `=`, as tokens do."""
    return b64encode(orjson.dumps([place.query, place.key, place.seq, place.at])).decode()


def read_token(token: str) -> Place | None:
    """The place that a token means, or None where it is none of ours."""
    try:
        query, key, seq, at = orjson.loads(b64decode(token, validate=True))
    except (NotBase64, ValueError, TypeError):
        return None
    kinds = (isinstance(query, str), isinstance(key, str | int | float), isinstance(seq, int))
    if not all(kinds) or not isinstance(at, int | float):
        return None
    return Place(query=query, key=key, seq=seq, at=at)


def _scope(request: Request, collection: Collection) -> Scope | Answer:
    for name, _ in request.query:
        if name not in PARAMETERS:
            return invalid("1451-400", f"Invalid params {name} provided in query params.")
    order = request.first("orderby")
    if order not in ORDERS:
        # A `+` that was not percent-encoded arrives as a space, which is no sort order.
        if order and (order[0].isalpha() or order[0] in "+-"):
            return invalid("1433-400", f"Incorrect field={order.lstrip('+-')} passed in orderBy.")
        return invalid("1432-400", "Sort order specified is not correct.")
    conditions: list[Condition] = []
    filters = request.every("property")
    for text in filters:
        read = condition(text, collection.columns)
        if isinstance(read, Answer):
            return read
        conditions.append(read)
    column, descending = ORDERS[order]
    where = " and ".join(["org_id = ?", "sandbox = ?", *(one.sql for one in conditions)])
    values = [request.org_id, request.sandbox, *(v for one in conditions for v in one.values)]
    digest = sha256(orjson.dumps([values, where, order])).hexdigest()[:16]
    return Scope(
        collection=collection,
        where=where,
        values=tuple(values),
        column=column,
        descending=descending,
        digest=digest,
    )


def _page(
    store: Store, scope: Scope, place: Place | None, size: int, now: float
) -> list[sqlite3.Row]:
    """One item more than the page holds: it says whether there is a next page."""
    direction, beyond = ("desc", "<") if scope.descending else ("asc", ">")
    where, values = f"{scope.where} and {PRESENT}", [*scope.values, now, now]
    if place is not None:
        start = _start(store, scope, place, size, now)
        where += f" and ({scope.column}, seq) {beyond} (?, ?)"
        values += start
    return store.db.execute(
        f"select * from {scope.collection.table} where {where} "  # noqa: S608  # columns of our own, values are bound
        f"order by {scope.column} {direction}, seq {direction} limit {size + 1}",
        values,
    ).fetchall()


def _start(store: Store, scope: Scope, place: Place, size: int, now: float) -> list[str | float]:
    """Step back by as many items as appeared in front since the page before, as an offset would."""
    backward, before = ("asc", ">") if scope.descending else ("desc", "<")
    appeared = store.db.execute(
        f"select count(*) from {scope.collection.table} where {scope.where} "  # noqa: S608  # columns of our own, values are bound
        f"and visible_at > ? and visible_at <= ? and ({scope.column}, seq) {before} (?, ?)",
        (*scope.values, place.at, now, place.key, place.seq),
    ).fetchone()[0]
    # NOTE: at most half a page, so that a listing ends even while many connections are created.
    steps = min(int(appeared), size // 2)
    if steps == 0:
        return [place.key, place.seq]
    row = store.db.execute(
        f"select {scope.column} as key, seq from {scope.collection.table} where {scope.where} and {PRESENT} "  # noqa: S608  # columns of our own, values are bound
        f"and ({scope.column}, seq) {before} (?, ?) "
        f"order by {scope.column} {backward}, seq {backward} limit 1 offset {steps - 1}",
        (*scope.values, now, now, place.key, place.seq),
    ).fetchone()
    return [place.key, place.seq] if row is None else [row["key"], row["seq"]]
