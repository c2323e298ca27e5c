"""
Where a secret stands when it does not stand in the cell, and who looks it up there.

The form of a reference is judged without asking anybody; it is resolved once, when its row's turn has
come, and its value lives no longer than the row is on its way. A store of secrets is one more `Resolver`.
"""

import re
from collections.abc import Collection, Mapping
from typing import Final, NamedTuple, Protocol

from batchconnect.model.outcome import NotAttempted, Problem
from batchconnect.model.secret import Secret
from batchconnect.model.value import Value

ENV: Final = "env"
FILE: Final = "file"
LITERAL: Final = "literal"
OWN_WORDS: Final = (ENV, FILE, LITERAL)
"""What stands before the colon where no store is meant; no store is called so."""

_NAME: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_/+=.:-]*[A-Za-z0-9_+=-])?")
_VERSION: Final = re.compile(r"[A-Za-z0-9-]{1,100}")
_FIELD: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_LONGEST_NAME: Final = 512


class Place(NamedTuple):
    """What the text behind the colon says: `NAME[@VERSION][#FIELD]`."""

    name: str
    version: str | None = None
    """None: the newest."""
    field: str | None = None
    """Which part of a secret that has several."""


def place_of(text: str) -> Place | None:
    """
    Read what stands behind the name of a store.

    Args:
        text: `NAME[@VERSION][#FIELD]`.

    Returns:
        None where that is not its form. A name has no white space, no `..` and nothing that a URL takes for
        more than a path, so that it never leads out of the place that the settings name.
    """
    rest, has_field, part = text.partition("#")
    name, has_version, version = rest.rpartition("@")
    name = name if has_version else rest
    is_name = len(name) <= _LONGEST_NAME and _NAME.fullmatch(name) is not None
    is_path = not {"", ".", ".."} & {*name.split("/")}
    if not (is_name and is_path):
        return None
    if has_version and _VERSION.fullmatch(version) is None:
        return None
    if has_field and _FIELD.fullmatch(part) is None:
        return None
    return Place(name, version if has_version else None, part if has_field else None)


class Reference(Value, kw_only=False, hidden={"text"}):
    """Names a secret, as `env:NAME`. Until it resolved, its text may be a secret that only looks like one."""

    text: str

    @property
    def store(self) -> str:
        """The word before the colon: a store of the settings, `env` or `file`."""
        return self.text.partition(":")[0]

    @property
    def place(self) -> Place:
        """Where in the store; of a reference whose form was judged."""
        found = place_of(self.text.partition(":")[2])
        assert found is not None, "its form was judged"
        return found


class StoredSecret(Value):
    """What a store holds under a name."""

    value: Secret
    version: str | None = None
    """As the store calls it; None: it tells none."""
    expires_at_ms: int | None = None
    """When it ends, by the store's word, UTC; None: the store says nothing of it."""


class KeyOrigin(Value):
    """Where a key that was sent came from: of a reference that resolved, so that it is no secret itself."""

    reference: str
    version: str | None = None
    expires_at_ms: int | None = None

    def is_same(self, other: "KeyOrigin") -> bool:
        """Whether both are the same version of the same secret, however the version was asked for."""
        return self.version == other.version and self.secret == other.secret

    @property
    def secret(self) -> tuple[str, str, str | None] | str:
        """Which secret it is, whatever its version: store, name and field."""
        store, _, rest = self.reference.partition(":")
        place = place_of(rest)
        return self.reference if place is None else (store, place.name, place.field)


LookedUp = StoredSecret | Problem | NotAttempted
"""A secret; or what is wrong with its reference; or that its store does not answer, nor will for this run."""


class Resolver(Protocol):
    """Looks secrets up; an environment and a folder of files are one, a vault may be another."""

    async def resolve(self, references: Collection[Reference]) -> Mapping[Reference, LookedUp]:
        """
        Look up all of these, at once where the store can.

        Returns:
            For each one its secret, or why there is none: in words that hold nothing of a secret, nor of
            what the store answered, nor of a reference that did not resolve. What concerns one reference
            costs no other.
        """
        ...
