"""
What a store is asked, and the few things that it may answer; no client's own words or errors go further.

A client's exception holds what the server sent, a secret among it, so each client makes one of these values
of it and drops the rest.
"""

import errno
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from pathlib import Path
from typing import Final, Protocol

from batchconnect.model.reference import Place, StoredSecret
from batchconnect.model.secret import Secret
from batchconnect.model.value import Value

REQUEST_S: Final = 30.0
"""Seconds that one request to a store may take."""


class Refusal(Enum):
    """Why a store gives no secret for one name; it says nothing of others."""

    NOT_FOUND = auto()
    NO_VERSION = auto()
    """There is such a secret, and no such version of it."""
    FORBIDDEN = auto()
    DISABLED = auto()
    """It is there, and disabled or deleted."""
    NO_FIELD = auto()
    FIELD_NEEDED = auto()
    """It has several fields, and the reference names none."""
    NOT_TEXT = auto()
    """It is no text, so that it cannot be sent as it is."""
    INVALID = auto()
    """The store takes the name for none that it could hold."""


class TroubleKind(Enum):
    """Why a store gives nothing at all, for now or for good."""

    THROTTLED = auto()
    DOWN = auto()
    SIGNED_OUT = auto()
    """It does not take our sign-in, or does not any more."""
    UNUSABLE = auto()
    """No later try could help: a library is missing, the mount is not there."""


class Trouble(Value):
    """A store gives nothing: no row's fault."""

    kind: TroubleKind
    detail: str
    """One sentence of our own; nothing of it comes from the store, but numbers."""
    remedy: str = ""
    """What to do, where the kind does not say it."""
    retry_after_s: float | None = None


NO_THREAD: Final = Trouble(
    kind=TroubleKind.DOWN,
    detail="It was not asked: this machine has no thread left for it.",
    remedy="Raise the limit on its processes and threads (`ulimit -u`, or the container's `pids`).",
)
_SHORTAGES: Final = frozenset(
    {errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ETXTBSY}
)
"""What a machine is short of for a while, and a program that is being replaced."""

Answer = StoredSecret | Refusal


class Store(Protocol):
    """One store of the settings."""

    batch: int
    """How many names it may be asked for at once."""

    async def fetch(self, places: Sequence[Place]) -> Mapping[Place, Answer] | Trouble:
        """
        Ask for these, *batch* of them at most, in one request where the store can.

        Nothing is repeated here: when to ask again is decided above, for all stores alike.
        """
        ...

    async def check(self) -> Trouble | None:
        """Sign in, and ask for no secret; None: all is well."""
        ...

    async def close(self) -> None:
        """Let go of sockets and tokens."""
        ...


class Network(Value):
    """The way out, the same for every store as for the service."""

    proxy: Secret | None = None
    """Its URL; nothing on this machine is asked through it."""
    authorities: Path | None = None
    """A file of the certificates to trust, the system's among them; None: those of each library."""


def short_of(error: OSError) -> Trouble | None:
    """What a machine cannot do for a store just now; None: not for want of anything."""
    if error.errno not in _SHORTAGES:
        return None
    return Trouble(
        kind=TroubleKind.DOWN,
        detail=f"It was not asked: this machine is short of something now ({error.strerror}).",
        remedy="Raise its limits (`ulimit -n`, `ulimit -u`, or the container's memory and `pids`).",
    )


def gone_by(status: int, retry_after: str | None) -> Trouble | None:
    """What an HTTP status says of the store as a whole; None: it speaks of the one request."""
    if status == 429:  # noqa: PLR2004 - HTTP's
        after_s = float(retry_after) if retry_after and retry_after.isdecimal() else None
        return Trouble(kind=TroubleKind.THROTTLED, detail="It answered 429.", retry_after_s=after_s)
    if status >= 500:  # noqa: PLR2004 - HTTP's
        return Trouble(kind=TroubleKind.DOWN, detail=f"It answered {status}.")
    if 300 <= status < 400:  # noqa: PLR2004 - HTTP's
        return Trouble(
            kind=TroubleKind.UNUSABLE,
            detail=f"It answered {status}, and no redirect is followed.",
            remedy="Name the server itself in `uri`.",
        )
    return None


def not_understood(error: Exception) -> Trouble:
    """What an error deep in a store's client says, which answers of another form end in: its class, no word of it."""
    detail = f"Its answer could not be understood ({type(error).__name__})."
    return Trouble(kind=TroubleKind.DOWN, detail=detail)
