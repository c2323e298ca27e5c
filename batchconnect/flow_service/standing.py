"""
What stands in a sandbox as it is written there, for a sheet that makes the same somewhere else.

A plan compares, so `Found` has texts as they are compared; a sheet has them as they were typed. Nothing of
an item is read but name, description, state, times and the visible target: what is hidden stays unknown.
"""

from dataclasses import field, fields
from typing import Any, Final

from batchconnect.flow_service.listing import (
    Found,
    ListingFault,
    open_text,
    params_of,
    read_item,
)
from batchconnect.model.identity import split_marker
from batchconnect.model.row_value import row_value
from batchconnect.model.secret import Secret
from batchconnect.model.target import TARGET_COLUMNS, TargetParts
from batchconnect.sheet.header_words import looks_secret

_OF_FOUND: Final = tuple(one.name for one in fields(Found))


class Written(TargetParts[str | None]):
    """As much of a target as the service shows, as it shows it; None is hidden."""

    __slots__ = ()


@row_value(frozen=True, slots=True, kw_only=True)
class Standing(Found):
    """One connection in the sandbox with its texts as they are written there."""

    written_name: str | None = field(repr=False)
    """None: the service shows none."""
    own_description: str | None = field(repr=False)
    """Without the marker; None: the service shows none."""
    written: Written = field(repr=False)
    shown_secrets: tuple[Secret, ...] = field(repr=False)
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
        **{name: getattr(found, name) for name in _OF_FOUND},
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
