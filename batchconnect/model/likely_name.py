"""
Tells a name as people give them from what may be a secret that stands where a name belongs.

A section, a variable or a file is told by its name only where nobody would take that for a key.
"""

import re
from pathlib import Path
from typing import Final

from batchconnect.model.secret import is_entra_secret

_LONGEST_NAME: Final = 60
_LONGEST_JUMBLE: Final = 20
"""Characters; a longer name with digits, capitals and small letters in it is nobody's name."""
_NAME: Final = re.compile(r"~?[\w .,&@()/-]+")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_KINDS: Final = (str.isdigit, str.isupper, str.islower)


def is_likely_name(text: str) -> bool:
    """Whether something may well be called so."""
    is_name = len(text) <= _LONGEST_NAME and _NAME.fullmatch(text) is not None
    is_jumble = len(text) > _LONGEST_JUMBLE and _is_mixed(text)
    return is_name and not is_jumble and not is_entra_secret(text)


def is_likely_variable(text: str) -> bool:
    """Whether a variable of the environment may well be called so."""
    return _VARIABLE.fullmatch(text) is not None and is_likely_name(text)


def is_likely_path(path: Path) -> bool:
    """Whether a file may well lie there: a name of mixed letters and digits has an ending at least."""
    is_told = "." in path.name or not _is_mixed(path.name)
    return is_told and all(is_likely_name(part) for part in path.parts if part != "~")


def _is_mixed(text: str) -> bool:
    return all(any(map(kind, text)) for kind in _KINDS)
