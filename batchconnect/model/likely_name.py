"""
Tells a name as people give them from what may be a secret that stands where a name belongs.

A section or a variable is told by its name only where nobody would take that for a key.
"""

import re
from typing import Final

from batchconnect.model.secret import is_entra_secret

_LONGEST_NAME: Final = 60
_LONGEST_JUMBLE: Final = 20
"""Characters; a longer name with digits, capitals and small letters in it is nobody's name."""
_NAME: Final = re.compile(r"~?[\w .,&@()/-]+")
_KINDS: Final = (str.isdigit, str.isupper, str.islower)


def is_likely_name(text: str) -> bool:
    """Whether something may well be called so."""
    is_name = len(text) <= _LONGEST_NAME and _NAME.fullmatch(text) is not None
    is_jumble = len(text) > _LONGEST_JUMBLE and _is_mixed(text)
    return is_name and not is_jumble and not is_entra_secret(text)


def _is_mixed(text: str) -> bool:
    return all(any(map(kind, text)) for kind in _KINDS)
