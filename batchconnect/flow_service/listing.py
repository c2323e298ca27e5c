"""
What stands in a sandbox: every base connection of our kind, read page by page.

Absence is proved by a complete listing alone, so anything odd makes a listing *failed*, never
"empty". The items' bodies are secret: each is boiled down to what rows are compared by.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from functools import cached_property, lru_cache
from typing import Any, Final, TypeVar

from batchconnect.flow_service.answer import OrgLevel, guid
from batchconnect.flow_service.problem import UNGUARDED
from batchconnect.model.column import Column
from batchconnect.model.foreign_text import ForeignText, is_harmless_etag
from batchconnect.model.identity import (
    CONNECTION_SPEC_ID,
    canonical_name,
    find_marker,
)
from batchconnect.model.secret import Secret
from batchconnect.model.target import TARGET_COLUMNS, Target, TargetParts
from batchconnect.model.value import Value
from batchconnect.validation.rules import RULES

TargetKey = tuple[str, str, str]
"""Endpoint, database and service principal id, canonical."""

_Key = TypeVar("_Key", bound=Hashable)
_MASK = "*• "

ENABLED: Final = "enabled"
INITIALIZING: Final = "initializing"
"""It was created, and is not ready yet."""
ODD_STATE: Final = "odd_state"
"""Stands for a state that is none of the documented ones; what the service wrote is repeated nowhere."""
_STATES: Final = frozenset({ENABLED, INITIALIZING, "disabled", "draft"})
_FINALIZING: Final = re.compile("(?:create|delete|update|enable|disable|publish)-finalizing")


class Shown(TargetParts[str | None]):
    """As much of a connection's target as the service shows, canonical; None is hidden."""

    __slots__ = ()


class Found(Value, hidden={"updated_by", "odd_id"}):
    """One connection in the sandbox, without anything secret."""

    id: str
    """A GUID, as the service wrote it; empty where it wrote anything else."""
    etag: str | None
    """Byte for byte, with the double quotes that it contains."""
    name: str
    """Canonical, as names are compared; empty where the service shows none."""
    marker: str | None
    """The marker at the end of its description, whoever's it is."""
    shown: Shown
    is_our_kind: bool
    """Whether it is an Azure Data Explorer connection, as far as the service says."""
    created_at_ms: int | None
    """Milliseconds since 1970, by the service's clock."""
    state: str | None = None
    """In lower case; None: it shows none. What is no state that we know is `ODD_STATE`."""
    updated_at_ms: int | None = None
    """As *created_at_ms*."""
    updated_by: str = ""
    """Client id of who changed it last; for comparing alone."""
    has_other_params: bool = False
    """Whether it shows parameters besides those that we send: the service, or a person, added them."""
    odd_id: str = ""
    """
    What the service wrote where a GUID belongs, and what else tells it from its neighbours. It may be
    anything, so it is for no eyes and no file.
    """

    @property
    def is_usable(self) -> bool:
        """Whether it counts as existing: it is enabled, or shows no state (contract, section 12)."""
        return self.state in {None, ENABLED}

    @property
    def kept_etag(self) -> str | None:
        """The etag where it may be kept and shown: no row's key is known here, and it may be a part of one."""
        return self.etag if self.etag is not None and is_harmless_etag(self.etag) else None

    @property
    def told_apart_by(self) -> str:
        """What tells one item of a listing from another."""
        return self.id.lower() or self.odd_id


class ListingFault(Value):
    """Why a sandbox, or one connection of it, could not be read."""

    code: str
    """`http-502`, `timeout`, `body_cut`, `not_json`, `no_items`, `foreign_item`, `bad_item`,
    `token_repeated`, `no_next_token`, `endless`, `fewer_than_counted`, `unproven_listing`."""
    detail: str
    """One line for a person, redacted."""


class Listing(Value, dict=True, hidden={"items"}):
    """What one reading of a sandbox showed. A hit counts in any, absence in a complete one alone."""

    sandbox: str
    items: tuple[Found, ...] = ()
    """As the service lists them; each once."""
    listed: int = 0
    """Connections that were shown, whatever their kind."""
    fault: ListingFault | None = None
    refusal: OrgLevel | None = None
    """The org-level refusal that stopped the reading; its lane, or its sandbox, stops."""
    began_s: float = 0.0
    """When the first request went out, by the running loop's clock: what was applied later need not
    be shown."""
    served_first_ms: int | None = None
    """The service's clock (`Date`) as it answered first: what it created before that has to be shown."""
    served_at_ms: int | None = None
    """The service's clock (`Date`) as it answered last."""
    warnings: tuple[str, ...] = ()
    """What was odd about it, and yet no reason to disbelieve it."""

    @cached_property
    def by_marker(self) -> Mapping[str, tuple[Found, ...]]:
        """Those with a marker. Each index is made when a row first asks for it: most never do."""
        return _index((found.marker, found) for found in self.items)

    @cached_property
    def by_name(self) -> Mapping[str, tuple[Found, ...]]:
        """Of our kind only: another kind of connection may have the same name."""
        return _index((found.name or None, found) for found in self._ours)

    @cached_property
    def by_target(self) -> Mapping[TargetKey, tuple[Found, ...]]:
        """Of our kind, by endpoint, database and principal, where all three are shown."""
        return _index((target_key(found.shown), found) for found in self._ours)

    @property
    def _ours(self) -> Iterator[Found]:
        return (found for found in self.items if found.is_our_kind)

    @property
    def complete(self) -> bool:
        """Whether what it does not show is not there, or was applied after `began_s` less the lag."""
        return self.fault is None and self.refusal is None

    def markers_younger_than(self, age_ms: float) -> list[str]:
        """
        Markers of ours whose connections were created less than so many milliseconds ago.

        By the service's own clock; one whose age it does not tell counts as just created.
        """
        return [
            found.marker
            for found in self.items
            if found.marker is not None and self.age_ms(found) < age_ms
        ]

    def age_ms(self, found: Found) -> int:
        """Milliseconds since it was created, by the service's own clock; 0 where that is not told."""
        if self.served_at_ms is None or found.created_at_ms is None:
            return 0
        return max(self.served_at_ms - found.created_at_ms, 0)


ReadItem = Callable[[Any, str, str], Found | ListingFault]
"""Makes a value of an item, given the org id and the sandbox that it has to be of; see `read_item`."""


def target_key(shown: Shown | Target) -> TargetKey | None:
    """What a possible match is looked for by (contract, section 9); None where a part is hidden."""
    if shown.endpoint is None or shown.database is None or shown.service_principal_id is None:
        return None
    return (shown.endpoint, shown.database, shown.service_principal_id)


def _index(pairs: Iterable[tuple[_Key | None, Found]]) -> Mapping[_Key, tuple[Found, ...]]:
    index: defaultdict[_Key, list[Found]] = defaultdict(list)
    for key, found in pairs:
        if key is not None:
            index[key].append(found)
    return {key: tuple(hits) for key, hits in index.items()}


def read_item(item: Any, org_id: str, sandbox: str) -> Found | ListingFault:
    """
    Boil one item of a listing down to what rows are compared by.

    Returns:
        ListingFault: it is of another organization or sandbox, or no connection at all. A field that
        is absent is unknown, not different.

    Source:
        Contract, section 3, the shape and "credentials shown".
    """
    if not isinstance(item, dict):
        return ListingFault(code="bad_item", detail="an item is no connection")
    shown_org, shown_sandbox = item.get("imsOrgId"), item.get("sandboxName")
    # As they were written, most often: letter cases are looked at where that is not so.
    is_ours = (shown_org == org_id or _may_be(shown_org, org_id)) and (
        shown_sandbox == sandbox or _may_be(shown_sandbox, sandbox)
    )
    if not is_ours:
        return ListingFault(
            code="foreign_item", detail="an item of another organization or sandbox"
        )
    params = params_of(item)
    etag = item.get("etag", item.get("version"))
    # A listing may show a connection's credentials: they are secret, whoever's they are.
    shown_key = _text(params, Column.SERVICE_PRINCIPAL_KEY)
    foreign = ForeignText([Secret(shown_key)]) if shown_key else UNGUARDED
    raw_id = item.get("id")
    item_id = guid(raw_id) or ""
    marker, created_at_ms = find_marker(_text(item, "description") or ""), _int(item, "createdAt")
    return Found(
        id=item_id,
        # Where ids are none, or all the same, the rest has to tell one item from another.
        odd_id="" if item_id else f"odd {raw_id!r} {marker} {created_at_ms}",
        etag=foreign.etag(etag) if isinstance(etag, str) else None,
        name=canonical_name(_text(item, "name") or ""),
        marker=marker,
        shown=_shown(params),
        is_our_kind=_text(_dict(item, "connectionSpec"), "id") in _OUR_KIND,
        created_at_ms=created_at_ms,
        state=_state(item.get("state")),
        updated_at_ms=_int(item, "updatedAt"),
        updated_by=_text(item, "updatedClient") or "",
        has_other_params=not params.keys() <= _OUR_PARAMS,
    )


_OUR_KIND: Final = (None, CONNECTION_SPEC_ID)
"""What is no text is as good as not shown."""


def _state(told: object) -> str | None:
    if told is None:
        return None
    state = told.lower() if isinstance(told, str) else ""
    return state if state in _STATES or _FINALIZING.fullmatch(state) else ODD_STATE


_OUR_PARAMS: Final = frozenset(
    (*(column.value for column in TARGET_COLUMNS), Column.SERVICE_PRINCIPAL_KEY.value)
)


def params_of(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """A connection's credentials, as far as the service shows them."""
    return _dict(_dict(item, "auth"), "params")


_PARTS = tuple(
    (column.value, lru_cache(maxsize=1024)(RULES[column].canonical)) for column in TARGET_COLUMNS
)
"""Many connections of a sandbox share cluster and tenant: one text each is kept for all of them."""


def _shown(params: Mapping[str, Any]) -> Shown:
    # No generator and no call for each part: a sandbox may have a million connections.
    shown: list[str | None] = []
    for name, canonical in _PARTS:
        text = params.get(name)
        is_open = isinstance(text, str) and text and text.strip(_MASK)
        shown.append(canonical(text) if is_open else None)
    return Shown(*shown)


def open_text(params: Mapping[str, Any], key: str) -> str | None:
    """A text that is shown; one of asterisks is hidden just as well."""
    text = _text(params, key)
    return text if text and text.strip(_MASK) else None


def _may_be(shown: object, ours: str) -> bool:
    """The letter case of an org id or a sandbox may be the service's own (contract, section 12)."""
    return shown is None or (isinstance(shown, str) and shown.casefold() == ours.casefold())


def _text(item: Mapping[str, Any], key: str) -> str | None:
    value = item.get(key)
    return value if isinstance(value, str) else None


def _int(item: Mapping[str, Any], key: str) -> int | None:
    value = item.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _dict(item: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = item.get(key)
    return value if isinstance(value, dict) else {}
