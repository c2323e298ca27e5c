"""
A connection is created, and read by its id.

The service has no idempotency key and no unique names: the same body sent twice makes two objects.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from batchconnect.simulator import answers, catalogue
from batchconnect.simulator.exchange import Answer, Request
from batchconnect.simulator.habits import Habits
from batchconnect.simulator.item import etag_of, guid, item, shown_etag
from batchconnect.simulator.records import Connection, digest
from batchconnect.simulator.source import Source
from batchconnect.simulator.source_connections import use

USED = "used-by-a-dataflow"
"""A key that holds this makes a source connection besides, for whoever practises with a sheet."""
MARKER = re.compile(r"(?:^|[^a-z0-9-])(bc1-[a-z2-7]{26})\s*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """When a request that is not refused takes effect."""

    identity: str
    """What the request is; a further try of it has the same."""
    now: float
    """Unix time at which it came."""
    ordinal: int = 0
    """Of the request in the journal."""
    attempt: int = 1
    """Identity and attempt make the id of what is created, so the same run gets the same ids."""
    after_s: float = 0.0
    lag_s: float = 0.0
    """How long listings do not show what was created."""

    @property
    def at(self) -> float:
        """Unix time at which it takes effect."""
        return self.now + self.after_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Handled:
    """What the rules say to a request."""

    answer: Answer
    applied_at: float | None = None
    """When it takes effect; None where it changes nothing."""
    connection_id: str | None = None
    takes_s: float = 0.0
    """What it takes beyond the usual latency."""


def marker_of(description: Any) -> str | None:
    """The lookup marker at the end of a description."""
    found = MARKER.search(description) if isinstance(description, str) else None
    return None if found is None else found.group(1)


def create(request: Request, source: Source, client_id: str, effect: Effect) -> Handled:
    """`POST /connections`, and the same with `mode=draft`."""
    refusal = refused(request)
    if refusal is not None:
        return Handled(answer=refusal)
    key = request.json["auth"]["params"][catalogue.KEY]
    source.meet(key)
    connection = made(request, source.habits, client_id, effect)
    source.store.add(connection, key)
    if USED in key:
        use(source.store, connection, effect.at)
    return Handled(
        answer=answers.created(connection.id, shown_etag(connection, source.habits)),
        applied_at=connection.applied_at,
        connection_id=connection.id,
    )


def made(request: Request, habits: Habits, client_id: str, effect: Effect) -> Connection:
    """
    What a good create makes.

    Args:
        request: Whose body is in order.
        habits: How the service is.
        client_id: Who asks for it.
        effect: Makes the id, and says when it takes effect and how long listings lag.
    """
    body, applied_at = request.json, effect.at
    sent = body["auth"]["params"]
    params = {**sent, **habits.own_params}
    connection_id = guid(f"connection {effect.identity} {effect.attempt}")
    is_draft = request.first("mode") == "draft"
    is_slow = habits.initializing_s > 0 and not is_draft
    return Connection(
        id=connection_id,
        org_id=request.org_id,
        sandbox=request.sandbox,
        name=body["name"],
        description=body.get("description"),
        params=without_key(params),
        needs=(*catalogue.FIELDS, *habits.own_params),
        key_sha256=digest(sent[catalogue.KEY]),
        spec_id=body["connectionSpec"]["id"],
        spec_version=body["connectionSpec"]["version"],
        auth_spec=body["auth"]["specName"],
        state="draft" if is_draft else "initializing" if is_slow else "enabled",
        becomes="enabled" if is_slow else None,
        becomes_at=applied_at + habits.initializing_s if is_slow else None,
        etag=etag_of(connection_id, 1, habits.etag_form),
        client_id=client_id,
        updated_client=client_id,
        applied_at=applied_at,
        updated_at=int(applied_at * 1000),
        visible_at=applied_at + effect.lag_s,
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
        return answers.missing("name")
    if not isinstance(body.get("description", ""), str):
        return answers.invalid("1000-400", "description has to be a text.")
    return None


def _wrong_auth(body: dict[str, Any]) -> Answer | None:
    auth = body.get("auth")
    if not isinstance(auth, dict) or not auth.get("specName"):
        return answers.missing("auth.specName")
    if auth["specName"] != catalogue.ADX_AUTH:
        return answers.invalid(
            "1415-400",
            f"The auth spec '{auth['specName']}' could not be found for the connection spec ID "
            f"{catalogue.ADX_SPEC}.",
        )
    params = auth.get("params")
    if not isinstance(params, dict):
        return answers.missing("auth.params")
    for field in catalogue.FIELDS:
        if not _is_text(params.get(field)):
            return answers.missing(f"auth.params.{field}")
    if not all(isinstance(value, str) for value in params.values()):
        return answers.invalid("1000-400", "auth.params have to be texts.")
    return wrong_secret(params) if is_refused(params[catalogue.KEY]) else None


def read(connection: Connection, habits: Habits) -> Answer:
    """`GET /connections/{id}`: the envelope of a listing, with one item."""
    return answers.json_answer(200, {"items": [item(connection, habits)]})


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def is_refused(key: str) -> bool:
    """Whether the service looks at a key at once, and does not like it."""
    return "wrong-at-post" in key or "echo-me" in key


def wrong_secret(params: Mapping[str, Any]) -> Answer:
    """The refusal of a key that the service looks at."""
    database, endpoint = params.get("database"), params.get("endpoint")
    return answers.invalid(
        "1308-400",
        f"AADSTS7000215: Invalid client secret provided. Failed to connect to database '{database}' "
        f"at '{endpoint}' as '{params.get('servicePrincipalId')}'{_echo(params[catalogue.KEY])}.",
    )


def without_key(params: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of the `auth.params`."""
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
