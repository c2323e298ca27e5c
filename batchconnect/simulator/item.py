"""How a connection looks in listings and in a GET: a chosen part of its credentials, and never its key."""

from hashlib import sha256
from typing import Any

from batchconnect.simulator.catalogue import FIELDS
from batchconnect.simulator.habits import Habits
from batchconnect.simulator.records import Connection


def item(connection: Connection, habits: Habits) -> dict[str, Any]:
    """A connection as it is shown."""
    etag = shown_etag(connection, habits)
    optional = {
        "description": connection.description,
        "version": etag,
        "etag": etag,
        "lastOperation": _last_operation(connection) if habits.shows_last_operation else None,
    }
    return {
        "id": connection.id,
        "createdAt": connection.created_at,
        "updatedAt": connection.updated_at,
        "createdBy": connection.client_id,
        "updatedBy": connection.updated_client,
        "createdClient": connection.client_id,
        "updatedClient": connection.updated_client,
        "sandboxId": sandbox_id(connection.org_id, connection.sandbox),
        "sandboxName": habits.spells(connection.sandbox),
        "imsOrgId": habits.spells(connection.org_id),
        "name": connection.name,
        "state": connection.state,
        "connectionSpec": {"id": connection.spec_id, "version": connection.spec_version},
        "auth": {
            "specName": connection.auth_spec,
            "params": {k: v for k, v in connection.params.items() if is_shown(k, habits)},
        },
        **{name: value for name, value in optional.items() if value is not None},
    }


def is_shown(param: str, habits: Habits) -> bool:
    """Whether one of the `auth.params` is shown: as chosen, and whatever is the service's own."""
    return param in habits.shown or param not in FIELDS


def shown_etag(connection: Connection, habits: Habits) -> str | None:
    """The etag as far as it is told: what is still being made has none yet."""
    is_told = habits.shows_etags and connection.state != "initializing"
    return connection.etag if is_told else None


def sandbox_id(org_id: str, sandbox: str) -> str:
    """The id of a sandbox, as a GUID."""
    return guid(f"sandbox {org_id} {sandbox}")


def guid(text: str) -> str:
    """A GUID of version 4 that is always the same for a text."""
    digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-a{digest[17:20]}-{digest[20:32]}"


def etag_of(connection_id: str, version: object, form: str = "usual") -> str:
    """A new etag, whose value has double quotes of its own."""
    fresh = guid(f"etag {connection_id} {version}")
    if form == "guid":
        return f'"{fresh}"'
    digits = fresh.replace("-", "")
    return f'"{digits[:8]}-0000-0200-0000-{digits[8:16]}0000"'


def _last_operation(connection: Connection) -> dict[str, Any]:
    return {
        "started": connection.created_at,
        "updated": connection.updated_at,
        "operation": "create" if connection.updated_at == connection.created_at else "update",
    }
