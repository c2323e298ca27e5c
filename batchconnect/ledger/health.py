"""What an operator is told of a team's ledger."""

from batchconnect.model.value import Value


class Made(Value):
    """What became of a schema."""

    name: str
    before: int
    """The version that it had; 0: there was none."""
    version: int


class Health(Value):
    """What is to be known of a ledger that can be used."""

    name: str
    version: int
    server: str
    """Its version."""
    mode: str
    """`real` or `simulated`; "" before the first run."""
    host: str
    """Platform host that it accounts for; "" before the first run."""
    runs: int
    size: str
    """On the server's disk, in words."""
    may_write: bool
    """Whether this role may run sheets on it."""
    is_encrypted: bool
    """Whether this connection is; one by a socket of the same machine needs no encryption."""
    warnings: tuple[str, ...]
    """What may cost what was confirmed, with what to do."""
