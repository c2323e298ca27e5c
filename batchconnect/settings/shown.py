"""
What an error about settings may show of them: names as people give them, and no value.

A secret may stand where a name belongs: as a section, as a setting, behind `BATCHCONNECT_`. So a name of
unlikely form is told by its length, and what was given as a value is not told at all.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from batchconnect.model.likely_name import is_likely_name
from batchconnect.model.secret import SHORTEST_REDACTED, Secret
from batchconnect.settings.origin import spelled
from batchconnect.settings.source import ORGS_PREFIX, PREFIX, FromFile

_ORG_ID: Final = re.compile(r"[0-9A-Fa-f]{24}@AdobeOrg")


def without_values(text: str, file: FromFile, environ: Mapping[str, str]) -> str:
    """
    An error's text without the values that were set, and without names of unlikely form.

    Args:
        text: The error's message or hint.
        file: The settings file that was read.
        environ: The environment; only `BATCHCONNECT_*` is looked at.
    """
    variables = {name: value for name, value in environ.items() if name.startswith(PREFIX)}
    names = {*_names(file.values), *variables}
    secrets = {
        *_secrets(file.values),
        *(value for name, value in variables.items() if _is_secret(name)),
    }
    hidden = {secret for secret in secrets if len(secret) >= SHORTEST_REDACTED} | {
        name for name in names if not is_likely(name)
    }
    hidden |= {part for name in hidden for part in _parts(name)}
    forms = {form for name in hidden for form in (name.lower(), spelled(name))}
    hidden |= {form for form in forms if len(form) >= SHORTEST_REDACTED}
    for one in sorted(filter(None, hidden), key=len, reverse=True):
        text = text.replace(one, f"({len(one)} characters)")
    return text


def is_likely(name: str) -> bool:
    """Whether a section, a setting or a variable may well be called so."""
    bare = name.removeprefix(PREFIX)
    return _ORG_ID.fullmatch(bare) is not None or is_likely_name(bare)


def _names(table: Mapping[str, Any]) -> Iterator[str]:
    for name, value in table.items():
        yield name
        if isinstance(value, Mapping):
            yield from _names(value)


def _secrets(table: Mapping[str, Any]) -> Iterator[str]:
    for value in table.values():
        if isinstance(value, Mapping):
            yield from _secrets(value)
        elif isinstance(value, Secret):
            yield value.reveal()
        elif isinstance(value, str) and not is_likely(value) and "/" not in value:
            yield value


def _parts(variable: str) -> Iterator[str]:
    """What follows the prefix of a variable, and which of org and setting is the unlikely name in it."""
    yield variable.removeprefix(PREFIX)
    if variable.startswith(ORGS_PREFIX):
        org, _, setting = variable.removeprefix(ORGS_PREFIX).rpartition("__")
        yield from (part for part in (org, setting) if not is_likely(part))


def _is_secret(variable: str) -> bool:
    return variable.endswith(("SECRET", "TOKEN"))
