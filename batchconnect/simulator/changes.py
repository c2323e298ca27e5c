"""`PATCH /connections/{id}` and the publishing of a draft: what changes a connection, and gives it a new etag."""

from dataclasses import replace

from batchconnect.simulator import answers, catalogue
from batchconnect.simulator.connections import (
    Effect,
    Handled,
    is_refused,
    without_key,
    wrong_secret,
)
from batchconnect.simulator.deletion import wrong_state
from batchconnect.simulator.exchange import Answer, Request
from batchconnect.simulator.habits import Habits
from batchconnect.simulator.item import etag_of
from batchconnect.simulator.patch import Patched, patched
from batchconnect.simulator.records import Connection, digest
from batchconnect.simulator.source import Source


def change(
    connection: Connection,
    request: Request,
    source: Source,
    client_id: str,
    effect: Effect,
) -> Handled:
    """`PATCH /connections/{id}` with the current etag in `If-Match`."""
    if not source.habits.is_patched:
        return Handled(answer=answers.invalid("1445-400", "PATCH Connection Feature not enabled."))
    refusal = wrong_state(connection.state, "update") or _wrong_etag(connection, request)
    if refusal is not None:
        return Handled(answer=refusal)
    result = patched(connection, request.json, source.habits)
    if isinstance(result, Answer):
        return Handled(answer=result)
    refusal = _wrong_params(result)
    if refusal is not None:
        return Handled(answer=refusal)
    key = result.params.get(catalogue.KEY)
    changed = as_patched(connection, result, source.habits, client_id, effect.at)
    if key is not None:
        source.meet(str(key))
    new_key = None if key is None else str(key)
    return _done(connection, changed, new_key, source, effect)


def as_patched(
    connection: Connection, result: Patched, habits: Habits, client_id: str, at: float
) -> Connection:
    """
    What a patch makes of a connection.

    Args:
        connection: As it stands.
        result: Name, description and params, as the patch has them.
        habits: Say how an etag looks.
        client_id: Who changes it.
        at: Unix time.
    """
    changed = replace(
        connection,
        name=result.name,
        description=result.description,
        params=without_key(result.params),
    )
    key = result.params.get(catalogue.KEY)
    if key is not None:
        changed = replace(changed, key_sha256=digest(str(key)), tests=0)
    elif result.replaces_params:
        # A smaller object drops what it leaves out, the secret too; and whoever planted it needed one.
        needs = tuple({**dict.fromkeys(connection.needs), catalogue.KEY: None})
        changed = replace(changed, key_sha256=None, needs=needs)
    return touched(changed, habits, client_id, at)


def touched(connection: Connection, habits: Habits, client_id: str, at: float) -> Connection:
    """A connection that somebody has just changed: a new etag, and who and when."""
    updated_at = max(int(at * 1000), connection.updated_at + 1)
    return replace(
        connection,
        etag=etag_of(connection.id, updated_at, habits.etag_form),
        updated_client=client_id,
        updated_at=updated_at,
    )


def publish(
    connection: Connection,
    request: Request,
    source: Source,
    client_id: str,
    effect: Effect,
) -> Handled:
    """`POST /connections/{id}/action?op=publish`: a draft becomes a connection."""
    operation = (request.first("op") or "").lower()
    if operation != "publish":
        text = f"Unsupported operation '{operation}' received."
        return Handled(answer=answers.invalid("1434-400", text))
    if connection.state != "draft":
        text = f"The action publish cannot be applied on the current state {connection.state}."
        return Handled(answer=answers.invalid("1422-400", text))
    published = replace(connection, state="enabled")
    changed = touched(published, source.habits, client_id, effect.at)
    return _done(connection, changed, None, source, effect)


def _done(
    was: Connection, changed: Connection, key: str | None, source: Source, effect: Effect
) -> Handled:
    """Now or later, as it is meant to be."""
    if effect.after_s > 0:
        source.store.postpone(effect.at, effect.ordinal, was, changed, key)
    else:
        source.store.update(changed, key)
    answer = answers.json_answer(200, {"id": changed.id, "etag": changed.etag})
    return Handled(answer=answer, applied_at=effect.at, connection_id=changed.id)


def _wrong_etag(connection: Connection, request: Request) -> Answer | None:
    if_match = request.headers.get("if-match")
    if if_match is None:
        return answers.flow(
            "1403-400",
            "Header is missing",
            "The header 'If-Match' is missing in the request. Please provide the header and try again.",
        )
    if if_match != connection.etag:
        return answers.flow(
            "1404-412",
            "Version not matching",
            f"The supplied version '{if_match}' does not match the current version on entity '{connection.etag}'.",
        )
    return None


def _wrong_params(result: Patched) -> Answer | None:
    if not all(isinstance(value, str | bool) for value in result.params.values()):
        return answers.invalid("1000-400", "auth.params have to be texts.")
    key = result.params.get(catalogue.KEY)
    if key is None:
        return None
    if not isinstance(key, str) or not key:
        return answers.missing(f"auth.params.{catalogue.KEY}")
    return wrong_secret(result.params) if is_refused(key) else None
