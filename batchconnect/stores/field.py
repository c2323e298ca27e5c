"""What a client takes out of a store's answer: one field of a secret that may have several, and when it ends."""

import json
from collections.abc import Mapping
from datetime import datetime

from batchconnect.model.secret import Secret
from batchconnect.stores.interface import Refusal


def value_of(text: str, field: str | None) -> Secret | Refusal:
    """
    The value in a secret that is a text.

    Args:
        text: As it is stored. A JSON object of several members is one with fields; of one member, that one.
        field: Which of them; None: the text as a whole, or the only field.
    """
    fields = _fields(text)
    if fields is None:
        return Secret(text) if field is None else Refusal.NO_FIELD
    return field_of(fields, field)


def field_of(fields: Mapping[str, object], field: str | None) -> Secret | Refusal:
    """The value of a field; of the only one, where none is named."""
    if field is None:
        if len(fields) > 1:
            return Refusal.FIELD_NEEDED
        value = next(iter(fields.values()), None)
    elif field in fields:
        value = fields[field]
    else:
        return Refusal.NO_FIELD
    return Secret(value) if isinstance(value, str) else Refusal.NOT_TEXT


def ends_at_ms(text: object) -> int | None:
    """
    The moment that a store names, in milliseconds since the epoch.

    Args:
        text: ISO 8601 with an offset. Of one without it nobody knows which moment it is, so that it is none.
    """
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return round(at.timestamp() * 1000) if at is not None and at.tzinfo is not None else None


def _fields(text: str) -> Mapping[str, object] | None:
    if not text.lstrip().startswith("{"):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
