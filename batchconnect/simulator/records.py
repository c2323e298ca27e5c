"""What is kept of a connection, of a request, and of earlier requests like it; never a secret."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from batchconnect.simulator.catalogue import KEY

COLLEAGUE = "somebody-else"
"""Client id of whoever is not under test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A connection as the service holds it, without its secret."""

    id: str
    org_id: str
    sandbox: str
    name: str
    description: str | None
    params: Mapping[str, str | bool]
    """`auth.params` without `servicePrincipalKey`, those of the service's own among them."""
    needs: tuple[str, ...]
    """Names of the `auth.params` without which the source lets nobody in, the key's among them."""
    key_sha256: str | None
    """Hex SHA-256 of the received `servicePrincipalKey`; None where none was received."""
    spec_id: str
    spec_version: str
    auth_spec: str
    state: str
    etag: str
    client_id: str
    updated_client: str
    applied_at: float
    """Unix time at which the create took, or will take, effect."""
    updated_at: int
    """Unix time in milliseconds."""
    visible_at: float
    """Unix time from which listings show it."""
    tests: int = 0
    """How often it was tested since its key came."""
    becomes: str | None = None
    """The state that it passes into by itself, at `becomes_at`."""
    becomes_at: float | None = None
    gone_at: float | None = None
    """Unix time from which a deleted one is not found any more."""
    listed_until: float | None = None
    """Unix time until which listings show a deleted one."""

    @property
    def lacking(self) -> tuple[str, ...]:
        """What it needs and does not have, since a patch dropped it."""
        has = {*self.params, *(() if self.key_sha256 is None else (KEY,))}
        return tuple(name for name in self.needs if name not in has)

    @property
    def created_at(self) -> int:
        """Unix time in milliseconds, as the service shows it."""
        return int(self.applied_at * 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """A patch or a deletion whose time has come."""

    at: float
    ordinal: int
    connection_id: str
    etag: str
    """Of what it was made for."""
    changed: Connection | None
    """None: a deletion."""
    key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRule:
    """When a key is wrong, and why."""

    reason: str
    """A number of Entra's, or a word of `source.OF_KUSTO`."""
    since: float
    """Unix time from which it is wrong."""
    tests: int | None
    """So many tests say so, and the later ones that it is right; None: every one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceConnection:
    """A source connection: what a dataflow reads a base connection's data by."""

    id: str
    org_id: str
    sandbox: str
    name: str
    base_connection_id: str
    spec_id: str
    spec_version: str
    state: str
    etag: str
    client_id: str
    applied_at: float
    updated_at: int
    """Unix time in milliseconds."""
    visible_at: float
    listed_until: float | None = None

    @property
    def created_at(self) -> int:
        """Unix time in milliseconds, as the service shows it."""
        return int(self.applied_at * 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One request and what became of it; secrets and tokens never stand here."""

    ordinal: int
    """The first request is 1."""
    at: float
    method: str
    path: str
    query: str
    """As it came, encoded, and without secrets; empty where there was none."""
    org_id: str
    sandbox: str
    status: int | None
    """None where no status line was answered, or one of no use."""
    reply: str
    """Name of the decision's reply in lower case, or `limited`."""
    applied_at: float | None
    """When it took, or will take, effect; None for a read, a refusal, or a request that was lost."""
    connection_id: str | None
    marker: str | None
    leaked: bool
    """Whether a watched secret stood in the path, the query or a header."""

    @property
    def applied(self) -> bool:
        """Whether the request changed something, now or later."""
        return self.applied_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What became of earlier requests with the same identity."""

    attempts: int = 0
    lost: int = 0
    """How many of them never took effect although the client could not know."""
    streak: int = 0
    """Faults since the last true answer."""


def digest(key: str) -> str:
    """What is kept of a secret."""
    return sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
