"""What is kept of a connection, of a request, and of earlier requests like it; never a secret."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A connection as the service holds it, without its secret."""

    id: str
    org_id: str
    sandbox: str
    name: str
    description: str | None
    params: Mapping[str, str]
    """`auth.params` without `servicePrincipalKey`."""
    key_sha256: str | None
    """Hex SHA-256 of the received `servicePrincipalKey`; None where none was received."""
    spec_id: str
    spec_version: str
    auth_spec: str
    state: str
    etag: str
    tests_well: bool
    """What `/test` says."""
    in_use: bool
    """Whether a flow uses it, which forbids its deletion."""
    client_id: str
    updated_client: str
    applied_at: float
    """Unix time at which the create took, or will take, effect."""
    updated_at: int
    """Unix time in milliseconds."""
    visible_at: float
    """Unix time from which listings show it."""

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
    """Without the query."""
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
