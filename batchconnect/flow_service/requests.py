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
                **dict(zip(_PARTS, connection.target, strict=True)),
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


def _read(org: Org, sandbox: str, path: str) -> Request:
    url = f"{org.platform_url}{BASE_PATH}{path}"
    return Request(purpose=Purpose.READ, method="GET", url=url, headers=_headers(sandbox))


def _headers(sandbox: str) -> dict[str, str]:
    return {"Accept": "application/json", "x-sandbox-name": sandbox}
