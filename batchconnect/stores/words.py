"""
How a store's answers are told to a person: with the store's name, a remedy, and nothing that it sent.

What a reference names is told only once the store knew it: until then the text in its place may be a secret.
"""

from typing import Final

from batchconnect.model.column import Column
from batchconnect.model.outcome import NotAttempted, Problem
from batchconnect.model.reference import Reference
from batchconnect.model.store import StoreKind, StoreProfile
from batchconnect.stores.interface import Refusal, Trouble, TroubleKind

_CELL: Final = "Correct the cell."
_RIGHT: Final = {
    StoreKind.AZURE: "`Key Vault Secrets User` on the vault, or `get` on secrets in its access policy",
    StoreKind.VAULT: "a policy with `read` on the secret's path below `data/`",
    StoreKind.AWS: "`secretsmanager:GetSecretValue` on it, and `kms:Decrypt` on its key",
    StoreKind.EXEC: "the right to read it",
}
_CODES: Final = {
    Refusal.NOT_FOUND: "secret_not_found",
    Refusal.NO_VERSION: "secret_no_version",
    Refusal.FORBIDDEN: "secret_forbidden",
    Refusal.DISABLED: "secret_disabled",
    Refusal.NO_FIELD: "secret_no_field",
    Refusal.FIELD_NEEDED: "secret_field_needed",
    Refusal.NOT_TEXT: "secret_not_text",
    Refusal.INVALID: "secret_invalid_name",
}
_STOPPED: Final = {
    TroubleKind.THROTTLED: ("store_throttled", "asks to be left alone"),
    TroubleKind.DOWN: ("store_down", "does not answer"),
    TroubleKind.SIGNED_OUT: ("store_signed_out", "does not take our sign-in"),
    TroubleKind.UNUSABLE: ("store_unusable", "cannot be used"),
}


def problem_of(refusal: Refusal, reference: Reference, store: StoreProfile) -> Problem:
    """What is wrong with a cell whose secret a store does not give."""
    place, name = reference.place, store.name
    typed = f"the secret that the cell names ({len(reference.text)} characters)"
    known = f"the secret `{name}:{place.name}`"
    what, remedy = {
        Refusal.NOT_FOUND: (
            f"the store `{name}` does not hold {typed}",
            "Put the secret there under this name, or correct the cell.",
        ),
        Refusal.NO_VERSION: (
            f"the store `{name}` has no such version of {typed}",
            "Name a version that is there, or leave `@VERSION` out for the newest.",
        ),
        Refusal.FORBIDDEN: (
            f"the store `{name}` forbids us to read {typed}",
            f"Give the identity that signs in {_RIGHT[store.kind]}; or correct the cell.",
        ),
        Refusal.DISABLED: (
            f"the store `{name}` holds {typed}, and it is disabled or deleted there",
            "Enable or restore it, or name another.",
        ),
        Refusal.NO_FIELD: (
            f"{known} has no field of the name that the cell gives ({len(place.field or '')} characters)",
            _CELL,
        ),
        Refusal.FIELD_NEEDED: (
            f"{known} has several fields",
            f"Say which, as `{name}:NAME#FIELD`.",
        ),
        Refusal.NOT_TEXT: (f"{known} is no text", "Store the key as a text."),
        Refusal.INVALID: (
            f"the store `{name}` can hold no secret under the name of {typed}",
            _CELL,
        ),
    }[refusal]
    return Problem(
        code=_CODES[refusal],
        column=Column.SERVICE_PRINCIPAL_KEY.value,
        what=what,
        remedy=remedy,
    )


def not_attempted(trouble: Trouble, store: StoreProfile) -> NotAttempted:
    """What rows are whose store gives nothing; one incident for all of them."""
    return NotAttempted(
        code=_STOPPED[trouble.kind][0], detail=told(trouble, store), store=store.name
    )


def told(trouble: Trouble, store: StoreProfile) -> str:
    """One line about a store that gives nothing."""
    _, what = _STOPPED[trouble.kind]
    return " ".join(
        filter(None, [f"The store `{store.name}` {what}. {trouble.detail}", trouble.remedy])
    )


def word_of(trouble: Trouble) -> str:
    """One word for it, for events."""
    return _STOPPED[trouble.kind][0]
