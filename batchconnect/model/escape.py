"""Text from a sheet or from the service, made harmless for a terminal."""

import unicodedata
from typing import Final

_STEERING: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories of characters that steer a terminal, or that nobody sees."""


def escape_control(text: str) -> str:
    """Show what would steer a terminal (escapes, overrides of direction, line ends) as its escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char.encode("unicode_escape").decode() if unicodedata.category(char) in _STEERING else char
        for char in text
    )
