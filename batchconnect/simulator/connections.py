"""
The life of one connection: created, read, tested, patched, deleted.

The service has no idempotency key and no unique names: the same body sent twice makes two objects.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from batchconnect.simulator import answers, catalogue
from batchconnect.simulator.exchange import Answer, Request
from batchconnect.simulator.listing import guid, item
from batchconnect.simulator.patch import Patched, patched
from batchconnect.simulator.records import Connection, digest
from batchconnect.simulator.store import Store

MARKER = re.compile(r"(?:^|[^a-z0-9-])(bc1-[a-z2-7]{26})\s*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """When a request that is not refused takes effect."""

    identity: str
    """What the request is; a further try of it has the same."""
    attempt: int = 1
    """Identity and attempt make the id of what is created, so the same run gets the same ids."""
    after_s: float = 0.0
    lag_s: float = 0.0
    """How long listings do not show what was created."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handled:
    """What the rules say to a request."""

    answer: Answer
    applied_at: float | None = None
    """When it takes effect; None where it changes nothing."""
    connection_id: str | None = None


def marker_of(description: Any) -> str | None:
    """The lookup marker at the end of a description."""
    found = MARKER.search(description) if isinstance(description, str) else None
    return None if found is None else found.group(1)


def etag_of(connection_id: str, version: object) -> str:
    """A new etag, whose value has double quotes of its own."""
    fresh = guid(f"etag {connection_id} {version}").replace("-", "")
    return f'"{fresh[:8]}-0000-0200-0000-{fresh[8:16]}0000"'


def create(request: Request, store: Store, client_id: str, now: float, effect: Effect) -> Handled:
    """`POST /connections`."""
    refusal = refused(request)
    if refusal is not None:
        return Handled(answer=refusal)
    body = request.json
    params: dict[str, str] = dict(body["auth"]["params"])
    key = params.pop(catalogue.KEY)
    applied_at = now + effect.after_s
    connection_id = guid(f"connection {effect.identity} {effect.attempt}")
    connection = Connection(
        id=connection_id,
        org_id=request.org_id,
        sandbox=request.sandbox,
        name=body["name"],
        description=body.get("description"),
        params=params,
        key_sha256=digest(key),
        spec_id=body["connectionSpec"]["id"],
        spec_version=body["connectionSpec"]["version"],
        auth_spec=body["auth"]["specName"],
        state="enabled",
        etag=etag_of(connection_id, 1),
        tests_well="wrong-at-test" not in key,
        in_use=False,
        client_id=client_id,
        updated_client=client_id,
        applied_at=applied_at,
        updated_at=int(applied_at * 1000),
        visible_at=applied_at + effect.lag_s,
    )
    store.add(connection, key)
    return Handled(
        answer=answers.created(connection_id, connection.etag),
        applied_at=applied_at,
        connection_id=connection_id,
    )


def refused(request: Request) -> Answer | None:
    """What is wrong with the body of a create, if anything: the first thing that the service meets."""
    if not request.body:
        return answers.invalid(
            "1405-400",
            "The request body cannot be null or empty. Please provide a request body and try again.",
        )
    body = request.json
    if not isinstance(body, dict):
        return answers.invalid("1000-400", "The request body is not a JSON object.")
    checks = (_wrong_spec, _wrong_texts, _wrong_auth)
    return next((wrong for check in checks if (wrong := check(body)) is not None), None)


def _wrong_spec(body: dict[str, Any]) -> Answer | None:
    spec = body.get("connectionSpec")
    if not isinstance(spec, dict) or not spec.get("id"):
        return answers.plain_message(400, "Please provide a valid spec id")
    if spec["id"] != catalogue.ADX_SPEC:
        text = "The spec ID provided is invalid. Please provide a valid spec ID and try again."
        return answers.invalid("1413-400", text)
    if not spec.get("version"):
        return answers.loose(422, "version in connectionSpec is required")
    if spec["version"] != catalogue.ADX_VERSION:
        return answers.invalid("1413-400", "The version of the spec ID provided is invalid.")
    return None


def _wrong_texts(body: dict[str, Any]) -> Answer | None:
    if not _is_text(body.get("name")):
        return _missing("name")
    if not isinstance(body.get("description", ""), str):
        return answers.invalid("1000-400", "description has to be a text.")
    return None


def _wrong_auth(body: dict[str, Any]) -> Answer | None:
    auth = body.get("auth")
    if not isinstance(auth, dict) or not auth.get("specName"):
        return _missing("auth.specName")
    if auth["specName"] != catalogue.ADX_AUTH:
        return answers.invalid(
            "1415-400",
            f"The auth spec '{auth['specName']}' could not be found for the connection spec ID "
            f"{catalogue.ADX_SPEC}.",
        )
    params = auth.get("params")
    if not isinstance(params, dict):
        return _missing("auth.params")
    for field in catalogue.FIELDS:
        if not _is_text(params.get(field)):
            return _missing(f"auth.params.{field}")
    if not all(isinstance(value, str) for value in params.values()):
        return answers.invalid("1000-400", "auth.params have to be texts.")
    return _wrong_secret(params) if _is_refused(params[catalogue.KEY]) else None


def read(connection_id: str, connection: Connection | None, shown: frozenset[str]) -> Answer:
    """`GET /connections/{id}`: the envelope of a listing, with one item."""
    if connection is None:
        return answers.connections_not_found(connection_id)
    return answers.json_answer(200, {"items": [item(connection, shown)]})


def explore(connection_id: str, connection: Connection | None, request: Request) -> Answer:
    """`GET /connections/{id}/explore`."""
    if connection is None:
        return answers.connections_not_found(connection_id)
    if not connection.tests_well:
        return answers.invalid("1308-400", "AADSTS7000215: Invalid client secret provided.")
    match (request.first("objectType") or "").lower():
        case "root":
            return answers.json_answer(200, catalogue.TABLES)
        case "table" if request.first("object") in {table["path"] for table in catalogue.TABLES}:
            return answers.json_answer(200, catalogue.TABLE)
        case "table":
            return answers.flow("1101-404", "Resource not found", "The table is not found.")
        case _:
            return answers.invalid("1451-400", "Invalid params objectType provided.")


def wrong_state(connection: Connection) -> Answer | None:
    """What forbids a PATCH or DELETE, if anything: a state that passes by itself."""
    match connection.state:
        case "enabled" | "disabled":
            return None
        case "initializing":
            text = "Delete or Update on Connections in `initializing` state are not allowed with UserToken."
            return answers.invalid("1417-400", text)
        case _:
            text = "Delete or Update can only be applied on connection with enabled, disabled or initializing state."
            return answers.invalid("1416-400", text)


def change(
    connection: Connection, request: Request, store: Store, client_id: str, now: float
) -> Handled:
    """`PATCH /connections/{id}` with the current etag in `If-Match`."""
    if_match = request.headers.get("if-match")
    if if_match is None:
        return Handled(
            answer=answers.flow(
                "1403-400",
                "Header is missing",
                "The header 'If-Match' is missing in the request. Please provide the header and try again.",
            )
        )
    if if_match != connection.etag:
        return Handled(
            answer=answers.flow(
                "1404-412",
                "Version not matching",
                f"The supplied version '{if_match}' does not match the current version on entity '{connection.etag}'.",
            )
        )
    result = patched(connection, request.json)
    if not isinstance(result, Patched):
        return Handled(answer=result)
    if not all(isinstance(value, str) for value in result.params.values()):
        return Handled(answer=answers.invalid("1000-400", "auth.params have to be texts."))
    key = result.params.get(catalogue.KEY)
    if key is not None and _is_refused(key):
        return Handled(answer=_wrong_secret(result.params))
    changed = replace(
        connection,
        name=result.name,
        description=result.description,
        params=_without_key(result.params),
        updated_client=client_id,
        updated_at=max(int(now * 1000), connection.updated_at + 1),
    )
    if key is not None:
        changed = replace(changed, key_sha256=digest(key), tests_well="wrong-at-test" not in key)
    elif result.replaces_params:
        # A smaller object drops what it leaves out, the secret too.
        changed = replace(changed, key_sha256=None, tests_well=False)
    changed = replace(changed, etag=etag_of(changed.id, changed.updated_at))
    store.update(changed, key)
    answer = answers.json_answer(200, {"id": changed.id, "etag": changed.etag})
    return Handled(answer=answer, applied_at=now, connection_id=changed.id)


def delete(connection: Connection, store: Store, now: float, status: int) -> Handled:
    """`DELETE /connections/{id}`."""
    if connection.in_use:
        return Handled(
            answer=answers.invalid(
                "1418-400",
                f"The base connection with the ID {connection.id} cannot be deleted because the base "
                "connection is being used in one or more flows.",
            )
        )
    store.delete(connection.id)
    return Handled(answer=answers.empty(status), applied_at=now, connection_id=connection.id)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_refused(key: str) -> bool:
    return "wrong-at-post" in key or "echo-me" in key


def _wrong_secret(params: Mapping[str, str]) -> Answer:
    database, endpoint = params.get("database"), params.get("endpoint")
    return answers.invalid(
        "1308-400",
        f"AADSTS7000215: Invalid client secret provided. Failed to connect to database '{database}' "
        f"at '{endpoint}' as '{params.get('servicePrincipalId')}'{_echo(params[catalogue.KEY])}.",
    )


def _missing(field: str) -> Answer:
    return answers.invalid("1304-400", f"The mandatory field {field} is missing or empty.")


def _without_key(params: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in params.items() if name != catalogue.KEY}


def _echo(key: str) -> str:
    # Error texts of connectors may repeat what they were given, in any spelling.
    if "echo-me" not in key:
        return ""
    raw = key.encode("utf-8", "surrogatepass")
    if "echo-me-base64" in key:
        return f" with {base64.b64encode(raw).decode()}"
    if "echo-me-url" in key:
        return f" with {quote(raw, safe='')}"
    return f" with {key}"
