"""Connections that somebody else made: foreign specs, equal names, our markers from another machine."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from batchconnect.simulator import catalogue
from batchconnect.simulator.item import etag_of, guid
from batchconnect.simulator.records import COLLEAGUE, Connection, digest
from batchconnect.simulator.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A connection to put there; who made it does not matter."""

    org_id: str
    sandbox: str
    name: str
    description: str | None = None
    params: Mapping[str, str | bool] = field(default_factory=dict)
    """`auth.params` without the key; also such as the service adds by itself."""
    key: str | None = field(default=None, repr=False)
    """Its secret; None: a good one that nobody knows."""
    spec_id: str = catalogue.ADX_SPEC
    spec_version: str = catalogue.ADX_VERSION
    auth_spec: str = catalogue.ADX_AUTH
    state: str = "enabled"
    client_id: str = COLLEAGUE
    age_s: float = 0.0
    """How long ago it was made."""
    appears_in_s: float = 0.0
    """How long listings do not show it yet."""


def plant(store: Store, planted: Iterable[Planted], now: float) -> list[str]:
    """
    Put connections into the store.

    Returns:
        Their ids, in the order given.
    """
    ids = []
    for one in planted:
        connection_id = guid(f"planted {store.count('planted')}")
        made_at = now - one.age_s
        store.add(
            Connection(
                id=connection_id,
                org_id=one.org_id,
                sandbox=one.sandbox,
                name=one.name,
                description=one.description,
                params={k: v for k, v in one.params.items() if k != catalogue.KEY},
                needs=tuple(one.params) if one.key is None else (*one.params, catalogue.KEY),
                key_sha256=None if one.key is None else digest(one.key),
                spec_id=one.spec_id,
                spec_version=one.spec_version,
                auth_spec=one.auth_spec,
                state=one.state,
                etag=etag_of(connection_id, 1),
                client_id=one.client_id,
                updated_client=one.client_id,
                applied_at=made_at,
                updated_at=int(made_at * 1000),
                visible_at=now + one.appears_in_s if one.appears_in_s else made_at,
            ),
            key=one.key,
        )
        ids.append(connection_id)
    return ids
