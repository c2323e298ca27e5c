"""
The requests to Flow Service, each made by one pure function.

Tokens and keys of the org are stamped on a request on its way through the rings.
"""

from typing import Final
from urllib.parse import quote

import orjson

from batchconnect.flow_service.reading import AUTH_SPEC
from batchconnect.model.column import Column
from batchconnect.model.identity import CONNECTION_SPEC_ID
from batchconnect.model.org import Org
from batchconnect.model.target import TARGET_COLUMNS
from batchconnect.transport.interface import Purpose, Request
from batchconnect.validation.connection import BaseConnection

BASE_PATH: Final = "/data/foundation/flowservice"
SPEC_VERSION: Final = "1.0"
PAGE: Final = 100
"""Items of a page: the most that the service gives (contract, section 3)."""
_OURS: Final = f"property=connectionSpec.id=={CONNECTION_SPEC_ID}"
"""The only filter that is sent: others break on commas and operators in their values."""
_PARTS: Final = tuple(column.value for column in TARGET_COLUMNS)
_NAME, _DESCRIPTION, _KEY = (
    column.value for column in (Column.NAME, Column.DESCRIPTION, Column.SERVICE_PRINCIPAL_KEY)
)


def create_request(org: Org, connection: BaseConnection) -> Request:
    """
    Make the POST of one base connection; tokens and keys of the org are stamped on its way.

    Source:
        Contract, section 2: only these fields, and `version` always.
    """
    body = {
        _NAME: connection.name,
        _DESCRIPTION: connection.description,
        "auth": {
            "specName": AUTH_SPEC,
            "params": {
                **_target_params(connection),
                _KEY: connection.secret.reveal(),
            },
        },
        "connectionSpec": {"id": CONNECTION_SPEC_ID, "version": SPEC_VERSION},
    }
    return Request(
        purpose=Purpose.CREATE,
        method="POST",
        url=f"{org.platform_url}{BASE_PATH}/connections",
        headers={**_headers(connection.sandbox), "Content-Type": "application/json"},
        body=orjson.dumps(body),
    )


def list_request(
    org: Org, sandbox: str, token: str | None = None, *, order: str | None = None
) -> Request:
    """
    Ask for one page of the sandbox's connections of our kind.

    Args:
        org: Whose.
        sandbox: Which.
        token: As it stands in the link to this page, percent-encoded; None: the first page.
        order: `createdAt`, or `-createdAt` for the newest first; None: the service's own.

    Source:
        Contract, section 3.
    """
    by = f"&orderby={order}" if order is not None else ""
    rest = f"&continuationToken={token}" if token is not None else ""
    return _read(org, sandbox, f"/connections?{_OURS}&limit={PAGE}{by}{rest}")


def count_request(org: Org, sandbox: str) -> Request:
    """Ask how many connections of our kind there are; never together with `limit`."""
    return _read(org, sandbox, f"/connections?{_OURS}&count=true")


def get_request(org: Org, sandbox: str, connection_id: str) -> Request:
    """Ask for one connection by its id."""
    return _read(org, sandbox, f"/connections/{quote(connection_id, safe='')}")


def spec_request(org: Org, sandbox: str) -> Request:
    """Ask for the connection spec of Azure Data Explorer."""
    return _read(org, sandbox, f"/connectionSpecs/{CONNECTION_SPEC_ID}")


def key_request(
    org: Org, connection: BaseConnection, connection_id: str, etag: str, *, whole: bool
) -> Request:
    """
    Make the PATCH that gives a connection the row's key.

    Args:
        org: Whose.
        connection: The row.
        connection_id: Of the connection that stands there.
        etag: As it was read, with the double quotes that it contains; where it contains none, they are added.
        whole: Replace all parameters: the way out where the service knows no path to a single one. What is
            left out would be dropped, so all five are sent.

    Source:
        Contract, sections 3 (calls by id) and 13 (rotate a key).
    """
    key = connection.secret.reveal()
    path = "/auth/params" if whole else f"/auth/params/{_KEY}"
    value = {**_target_params(connection), _KEY: key} if whole else key
    return Request(
        purpose=Purpose.UPDATE,
        method="PATCH",
        url=_by_id(org, connection_id),
        headers={
            **_headers(connection.sandbox),
            "Content-Type": "application/json",
            "If-Match": _quoted(etag),
        },
        body=orjson.dumps([{"op": "replace", "path": path, "value": value}]),
    )


def delete_request(org: Org, sandbox: str, connection_id: str) -> Request:
    """Make the DELETE of a connection; the contract knows no precondition for it."""
    return Request(
        purpose=Purpose.DELETE,
        method="DELETE",
        url=_by_id(org, connection_id),
        headers=_headers(sandbox),
    )


def test_request(org: Org, sandbox: str, connection_id: str) -> Request:
    """Ask whether the source accepts a connection's credentials."""
    return _read(org, sandbox, f"/connections/{quote(connection_id, safe='')}/test")


def explore_request(
    org: Org, sandbox: str, connection_id: str, table: str | None = None
) -> Request:
    """
    Ask for the tables that a connection sees, or for the columns of one.

    Never for a preview: it would bring customers' records (contract, section 13).

    Args:
        org: Whose.
        sandbox: Where the connection lives.
        connection_id: Which.
        table: A table's path, as the list of tables gives it; None: the list.
    """
    what = "root" if table is None else f"table&object={quote(table, safe='')}"
    path = f"/connections/{quote(connection_id, safe='')}/explore?objectType={what}"
    return _read(org, sandbox, path)


def usage_request(org: Org, sandbox: str, connection_id: str, token: str | None = None) -> Request:
    """Ask for a page of the source connections that use a connection."""
    rest = f"&continuationToken={token}" if token is not None else ""
    used = f"property=baseConnectionId=={quote(connection_id, safe='')}"
    return _read(org, sandbox, f"/sourceConnections?{used}&limit={PAGE}{rest}")


def _by_id(org: Org, connection_id: str) -> str:
    return f"{org.platform_url}{BASE_PATH}/connections/{quote(connection_id, safe='')}"


def _quoted(etag: str) -> str:
    return etag if etag.endswith('"') else f'"{etag}"'


def _target_params(connection: BaseConnection) -> dict[str, str]:
    return dict(zip(_PARTS, connection.target, strict=True))


def _read(org: Org, sandbox: str, path: str) -> Request:
    url = f"{org.platform_url}{BASE_PATH}{path}"
    return Request(purpose=Purpose.READ, method="GET", url=url, headers=_headers(sandbox))


def _headers(sandbox: str) -> dict[str, str]:
    return {"Accept": "application/json", "x-sandbox-name": sandbox}
