"""
What an error about settings may show of them: names as people give them, and no value.

A secret may stand where a name belongs: as a section, as a setting, behind `BATCHCONNECT_`. So a name of
unlikely form is told by its length, and what was given as a value is not told at all.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from batchconnect.model.secret import SHORTEST_REDACTED, Secret, is_entra_secret
from batchconnect.settings.source import PREFIX, FromFile

_LONGEST_NAME: Final = 60
_LONGEST_JUMBLE: Final = 20
"""Characters; a longer name with digits, capitals and small letters in it is nobody's name."""
_NAME: Final = re.compile(r"[\w .,&@()/-]+")
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
    hidden |= {name.removeprefix(PREFIX) for name in hidden}
    for one in sorted(filter(None, hidden), key=len, reverse=True):
        text = text.replace(one, f"({len(one)} characters)")
    return text


def is_likely(name: str) -> bool:
    """Whether a section, a setting or a variable may well be called so."""
    bare = name.removeprefix(PREFIX)
    if _ORG_ID.fullmatch(bare):
        return True
    kinds = (str.isdigit, str.isupper, str.islower)
    is_jumble = len(bare) > _LONGEST_JUMBLE and all(any(map(kind, bare)) for kind in kinds)
    is_name = len(bare) <= _LONGEST_NAME and _NAME.fullmatch(bare) is not None
    return is_name and not is_jumble and not is_entra_secret(bare)


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


def _is_secret(variable: str) -> bool:
    return variable.endswith(("SECRET", "TOKEN"))
