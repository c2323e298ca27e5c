"""
What stands in a sandbox as it is written there, for a sheet that makes the same somewhere else.

A plan compares, so `Found` has texts as they are compared; a sheet has them as they were typed. Nothing of
an item is read but name, description, state, times and the visible target: what is hidden stays unknown.
"""

from typing import Any

from batchconnect.flow_service.listing import (
    Found,
    ListingFault,
    open_text,
    params_of,
    read_item,
)
from batchconnect.model.identity import split_marker
from batchconnect.model.secret import Secret
from batchconnect.model.target import TARGET_COLUMNS, TargetParts
from batchconnect.model.value import by_name
from batchconnect.sheet.header_words import looks_secret


class Written(TargetParts[str | None]):
    """As much of a target as the service shows, as it shows it; None is hidden."""

    __slots__ = ()


class Standing(Found, hidden={"written_name", "own_description", "written", "shown_secrets"}):
    """One connection in the sandbox with its texts as they are written there."""

    written_name: str | None
    """None: the service shows none."""
    own_description: str | None
    """Without the marker; None: the service shows none."""
    written: Written
    shown_secrets: tuple[Secret, ...]
    """A listing may show a connection's credentials: known, so that no text is handed on that repeats one."""


def read_standing(item: Any, org_id: str, sandbox: str) -> Standing | ListingFault:
    """
    Read one item of a listing; as of `listing.read_item`.

    Source:
        Contract, section 13, "Export".
    """
    found = read_item(item, org_id, sandbox)
    if isinstance(found, ListingFault):
        return found
    params = params_of(item)
    description = _text(item.get("description"))
    return Standing(
        **by_name(found),
        written_name=_text(item.get("name")),
        own_description=None if description is None else split_marker(description)[0],
        written=Written(*(open_text(params, column.value) for column in TARGET_COLUMNS)),
        shown_secrets=tuple(
            Secret(text)
            for name in params
            if looks_secret(name) and (text := open_text(params, name)) is not None
        ),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
