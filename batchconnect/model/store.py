"""The settings profile of one store of secrets: which one it is, how one signs in, who may refer to it."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

from batchconnect.model.secret import Secret
from batchconnect.model.value import Value, field

RATE: Final = 50.0
"""Requests per second that a store is asked at most, where its settings say nothing."""
AT_ONCE: Final = 8
"""Requests that may be on their way to one store."""


class StoreKind(StrEnum):
    """Which store it is, by the word that its `uri` begins with."""

    AZURE = "akv"
    """Azure Key Vault."""
    VAULT = "vault"
    """HashiCorp Vault and OpenBao, the key-value engine of version 2."""
    AWS = "aws-sm"
    """AWS Secrets Manager."""
    EXEC = "exec"
    """A command of the operator's."""


class StoreProfile(Value, hidden={"secrets"}):
    """One store of the settings."""

    name: str
    """As in `[stores.NAME]`, and before the colon of a reference."""
    kind: StoreKind
    url: str = ""
    """Root of the server, `https://host[:port]`; "" where a library of the cloud's knows it, or a command."""
    path: str = ""
    """Of Vault the mount, of AWS the region."""
    auth: str = ""
    """How one signs in; which words there are depends on the kind."""
    is_open: bool = False
    """Whether cells of a sheet may refer to it; the settings always may."""
    prefix: str = ""
    """What each name in a cell has to begin with."""
    rate: float = RATE
    """Requests per second."""
    words: Mapping[str, str] = field(default_factory=dict)
    """What else the sign-in needs, by the setting's name: a role, a profile, a namespace."""
    secrets: Mapping[str, Callable[[], Secret]] = field(default_factory=dict)
    """Credentials of the sign-in, by the setting's name; read anew each time, since their files are renewed."""
    command: tuple[str, ...] = ()
    """Of `exec:`, program and arguments; no shell sees them."""
    hosts: frozenset[str] = frozenset()
    """Hosts that it may be reached at, beside its own and the cloud's: those of `--allow-host`."""
