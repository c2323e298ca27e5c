"""
What Entra calls things: tenant, application (client) id, client secret, and how each goes wrong.

Ids are identifiers: braces, upper case and invisible characters are taken off, with a note. The
secret is sent byte for byte, so here it is only looked at.
"""

import re

from batchconnect.model.column import Column
from batchconnect.model.outcome import Problem
from batchconnect.model.secret import SHORTEST_REDACTED, Secret
from batchconnect.model.target import Target
from batchconnect.validation.damage import (
    clean,
    damage,
    has_control,
    has_line_break,
    has_surrogate,
    secret_damage,
)
from batchconnect.validation.finding import AS_TYPED, NOTHING, Problems, error, note, warning
from batchconnect.validation.placeholder import no_key
from batchconnect.validation.reference import PREFIXES

GUID_LENGTH = 36
_GROUPS = (8, 4, 4, 4, 12)
_ORDINALS = ("first", "second", "third", "fourth")
"""Of the groups before the last: that one is short where the whole is cut off."""
_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_GUID_LIKE = re.compile(r"[{(]?[0-9a-f-]{9,}[)}]?")
_DOMAIN = re.compile(
    r"(?=.{3,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?![0-9]+\Z)[a-z0-9-]{2,63}(?<!-)"
)
_SHARED_TENANTS = frozenset({"common", "organizations", "consumers"})
_MASKED = re.compile(r".{0,4}[*\u2022\u25cf]{5,}")


def check_principal_id(text: str) -> tuple[str | None, Problems]:
    """
    Judge the application (client) id.

    Args:
        text: The cell as typed; not blank.

    Returns:
        The GUID in lower case, None where it may not be sent; and what was found.
    """
    if _GUID.fullmatch(text):
        return text, NOTHING
    guid, removed = _bare_guid(text)
    if _GUID.fullmatch(guid):
        return guid, (_normalised(Column.SERVICE_PRINCIPAL_ID, removed),)
    return None, (
        error(
            Column.SERVICE_PRINCIPAL_ID,
            "principal_id_not_guid",
            f"this is not a GUID: {_what_is_wrong(guid)}",
            "Copy the `Application (client) ID` from the app registration in Entra.",
        ),
    )


def check_tenant(text: str) -> tuple[str | None, Problems]:
    """
    Judge the tenant: a GUID or a domain.

    Args:
        text: The cell as typed; not blank.

    Returns:
        GUID or domain in lower case, None where it may not be sent; and what was found.
    """
    if _GUID.fullmatch(text):
        return text, NOTHING
    guid, removed = _bare_guid(text)
    is_guid_like = _GUID_LIKE.fullmatch(guid) is not None
    if _GUID.fullmatch(guid) or (not is_guid_like and _DOMAIN.fullmatch(guid)):
        found = NOTHING if guid == text else (_normalised(Column.TENANT, removed),)
        return guid, found
    remedy = "Give the `Directory (tenant) ID` from Entra, or its domain as `acme.onmicrosoft.com`."
    if guid in _SHARED_TENANTS:
        what = "`common`, `organizations` and `consumers` name no one tenant"
        return None, (error(Column.TENANT, "tenant_not_specific", what, remedy),)
    if "/" in guid or "@" in guid:
        what = "this is a web or mail address, neither a tenant's GUID nor its domain"
        return None, (error(Column.TENANT, "tenant_is_address", what, remedy),)
    what = f"this is neither a GUID nor a domain: {_what_is_wrong(guid)}"
    return None, (error(Column.TENANT, "tenant_invalid", what, remedy),)


def has_same_ids(target: Target) -> bool:
    """Whether tenant and application id are one and the same GUID, so that one of them is wrong."""
    return bool(target.tenant) and target.tenant == target.service_principal_id


def same_ids() -> Problems:
    """The warning for a row whose tenant and application id are one and the same GUID."""
    what = "tenant and servicePrincipalId hold the same id"
    fix = "Compare both with `Directory (tenant) ID` and `Application (client) ID` in Entra."
    return (warning(Column.SERVICE_PRINCIPAL_ID, "ids_equal", what, fix),)


def judge_key(secret: Secret) -> Problems:
    """Judge a client secret, wherever it stood."""
    if not secret or secret.reveal().isspace():
        what = "the reference leads to an empty secret"
        fix = "Put the secret where the cell says."
        return (error(Column.SERVICE_PRINCIPAL_KEY, "reference_empty", what, fix),)
    return check_key(secret.reveal())


def check_key(text: str) -> Problems:
    """
    Judge the client secret, which is sent byte for byte.

    Args:
        text: The secret, a reference already resolved; not blank.
    """
    column = Column.SERVICE_PRINCIPAL_KEY
    copy = "Copy the secret's `Value` again, alone and whole."
    why = no_key(text)
    if why is not None:
        return (error(column, "key_placeholder", f"the secret {why}", copy),)
    problems = _unsendable(column, text, copy)
    is_broken = has_line_break(text)
    if has_control(text) and not problems:
        what = "the secret has a control character"
        problems.append(warning(column, "key_control", what, copy, then=AS_TYPED))
    if text != text.strip() and not is_broken:
        what = "the secret begins or ends with white space"
        problems.append(warning(column, "key_outer_space", what, copy, then=AS_TYPED))
    if _GUID.fullmatch(_bare_guid(text)[0]):
        what = "the secret has the shape of a GUID; Entra shows a `Secret ID` beside the `Value`"
        fix = "Use the `Value`, which Entra shows once, right after the secret was made."
        problems.append(warning(column, "key_looks_like_id", what, fix))
    if text.lower().startswith(PREFIXES):
        what = "the secret begins like a reference"
        fix = "Write `env:`, `file:` or `literal:` in lower case where a reference is meant."
        then = f"{AS_TYPED}, no reference is followed"
        problems.append(warning(column, "key_looks_like_reference", what, fix, then=then))
    if _MASKED.fullmatch(text):
        what = "the secret looks like a masked display, not like the value"
        fix = "Make a new secret in Entra; an old one is never shown again."
        problems.append(warning(column, "key_masked", what, fix))
    problems += [
        warning(column, code, f"the secret {seen}", copy, then=AS_TYPED)
        for code, seen in secret_damage(text)
    ]
    if len(text) < SHORTEST_REDACTED and not problems:
        what = f"the secret has {len(text)} characters, Entra's have about 40"
        problems.append(warning(column, "key_short", what, copy, then=AS_TYPED))
    return tuple(problems)


def _unsendable(column: Column, text: str, copy: str) -> list[Problem]:
    has = f"the secret of {len(text)} characters"
    cases = (
        (has_line_break(text), "key_line_break", f"{has} has a line break"),
        (has_surrogate(text), "key_surrogate", f"{has} holds half of a character (a surrogate)"),
        ("\0" in text, "key_nul", f"{has} has a NUL character"),
    )
    return [error(column, code, what, copy) for is_so, code, what in cases if is_so]


def _bare_guid(text: str) -> tuple[str, str]:
    cleaned, removed = clean(text)
    bare = cleaned
    if cleaned[:1] + cleaned[-1:] in {"{}", "()"}:
        bare = cleaned[1:-1].strip()
        removed = f"{removed} and braces" if removed else "braces"
    lowered = bare.lower()
    if lowered != bare:
        removed = f"{removed}; letters were lowered" if removed else "letters were lowered"
    return lowered, removed


def _normalised(column: Column, removed: str) -> Problem:
    what = removed if removed == "letters were lowered" else f"taken off: {removed}"
    return note(column, "id_normalised", f"the identifier was normalised: {what}")


def _what_is_wrong(guid: str) -> str:
    known = damage(guid)
    if known is not None:
        return known
    if len(guid) == GUID_LENGTH - 4 and "-" not in guid:
        return "its four hyphens are missing"
    if len(guid) < GUID_LENGTH and (lost := _short_group(guid)) is not None:
        return lost
    if len(guid) < GUID_LENGTH:
        return f"it is cut off: it has {len(guid)} of {GUID_LENGTH} characters"
    if len(guid) > GUID_LENGTH:
        return f"it has {len(guid)} characters, a GUID has {GUID_LENGTH}"
    return "its digits or hyphens stand in other places than in a GUID"


def _short_group(guid: str) -> str | None:
    """A group before the last that lacks characters: whoever took it for a number dropped its zeros."""
    groups = guid.split("-")
    if len(groups) != len(_GROUPS):
        return None
    for name, group, length in zip(_ORDINALS, groups, _GROUPS, strict=False):
        if len(group) < length:
            return f"its {name} group has {len(group)} of {length} characters; a leading zero may be lost"
    return None
