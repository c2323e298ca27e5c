"""
Keeps a credential from being shown by accident, from the cell to the wire.

`Secret` has no readable repr and does not pickle, so only the code that says `reveal()` sees the
value: the wire's body and the token request. `Redactor` is the last line of defence for text that
leaves the process.
"""

import base64
import hmac
import json
import re
from collections.abc import Iterable
from typing import NoReturn, final
from urllib.parse import quote, quote_plus

MASK = "***"
SHORTEST_REDACTED = 8
"""Characters. A shorter value may be a common word: cutting it out everywhere would destroy text."""
_ENTRA = re.compile(
    r"(?<![A-Za-z0-9_.~-])[A-Za-z0-9_.~-]{3}[0-9]Q~[A-Za-z0-9_.~-]{31,34}(?![A-Za-z0-9_.~-])",
    re.ASCII,
)
"""A client secret as Entra makes them: three characters, a digit, `Q~`, and 31 to 34 more."""
_UNRESERVED = re.compile(r"[A-Za-z0-9_.~-]+")
"""What neither JSON nor a URL spells in another way."""


@final
class Secret:
    """A text that is not shown; equal to another secret with the same text."""

    __slots__ = ("__weakref__", "_spelled", "_value")

    def __init__(self, value: str) -> None:
        self._value = value
        self._spelled: tuple[str, ...] | None = None

    def reveal(self) -> str:
        """The text itself, byte for byte as it was typed."""
        return self._value

    def spelled(self) -> tuple[str, ...]:
        """Its `spellings`, made when they are first asked for."""
        if self._spelled is None:
            self._spelled = spellings(self._value)
        return self._spelled

    def __len__(self) -> int:
        return len(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return f"Secret('{MASK}')"

    __str__ = __repr__

    def __format__(self, format_spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        mine, others = self._value, other._value
        return hmac.compare_digest(
            *(one.encode("utf-8", "surrogatepass") for one in (mine, others))
        )

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled or copied to another process")


def is_entra_secret(text: str) -> bool:
    """Whether a text is, or holds, what has the shape of a client secret of Entra."""
    return "Q~" in text and _ENTRA.search(text) is not None


def spellings(value: str) -> tuple[str, ...]:
    """
    The ways in which a text may come back inside another: as typed, JSON-escaped, URL-encoded, base64.

    Returns:
        Distinct spellings, the longest first, so that none is cut out of a longer one.
    """
    raw = value.encode("utf-8", "surrogatepass")
    in_base64 = (
        base64.b64encode(raw).decode().rstrip("="),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
    )
    if _UNRESERVED.fullmatch(value):
        return tuple(sorted({value, *in_base64}, key=len, reverse=True))
    found = {
        value,
        *in_base64,
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        quote(value, safe="", errors="surrogatepass"),
        quote_plus(value, errors="surrogatepass"),
    }
    return tuple(sorted(found, key=len, reverse=True))


def redact(text: str, secrets: Iterable[Secret]) -> str:
    """
    Cut every spelling of every secret out of a text.

    Args:
        text: What is about to be kept or shown.
        secrets: The values that the text may repeat. Those below `SHORTEST_REDACTED` characters are
            passed over: fields that hold them are never shown at all.
    """
    for secret in secrets:
        if len(secret) >= SHORTEST_REDACTED:
            for spelling in secret.spelled():
                text = text.replace(spelling, MASK)
    return text
