"""
Who a row is: the key that survives sorting the sheet, and the marker that survives a lost answer.

The service has no idempotency key and lets names repeat, so each connection bears a hash of what
was asked for at the end of its description. The secret and the row's number never enter it.
"""

import re
from hashlib import sha256
from struct import Struct
from unicodedata import category, normalize

from batchconnect.model.target import Target

CONNECTION_SPEC_ID = "0479cc14-7651-4354-b233-7480606c2ac3"
"""Azure Data Explorer in Flow Service (contract, section 2)."""

PREFIX = "bc1-"
HASHED = 26
"""Characters of base32 behind the prefix: 130 bits."""
MARKER_LENGTH = len(PREFIX) + HASHED
DESCRIPTION_LIMIT = 255
"""UTF-16 units that the service surely keeps of a description (contract, section 2)."""

_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [first + second for first in _BASE32 for second in _BASE32]
_PAIR = 1023
_LENGTH = Struct(">I").pack
_SHORT = tuple(f"\0\0\0{chr(length)}" for length in range(128))
"""The four bytes of each length that one byte of UTF-8 can tell, as text."""
_MARKER = re.compile(r"(?:^|[^a-z0-9-])(bc1-[a-z2-7]{26})\s*$")
_LONGEST_CLUSTER = 32
"""Characters given up at most to keep a combining sequence whole; longer ones are cut through."""
_JOINER = "\u200d"
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_WRAPPING = " \t\r\n\u00a0{}()"


def canonical_name(name: str) -> str:
    """A name as names are compared: in NFC, without outer white space. It is sent as typed."""
    return name.strip() if name.isascii() else normalize("NFC", name).strip()


def canonical_id(text: str) -> str:
    """A GUID or a tenant's domain as they are compared: no white space, no braces, lower case."""
    return text.strip(_WRAPPING).lower()


def canonical(
    *,
    org_id: str,
    sandbox: str,
    name: str,
    target: Target,
) -> tuple[str, ...]:
    """
    The parts of a row's key in their order, each as the key sees it.

    Args:
        org_id: As in the settings.
        sandbox: As it is sent.
        name: As typed.
        target: Of a connection to be, the database as typed.
    """
    return (
        org_id,
        sandbox,
        CONNECTION_SPEC_ID,
        canonical_name(name),
        target.endpoint.lower(),
        target.database.lower(),
        canonical_id(target.tenant),
        canonical_id(target.service_principal_id),
    )


def key(parts: tuple[str, ...]) -> bytes:
    """
    SHA-256 over the parts, each as a 4-byte big-endian length and its UTF-8 bytes.

    Raises:
        UnicodeEncodeError: A part holds a lone surrogate; `connection.parse` refuses it before.
    """
    # In one text, encoded once: 1 us less a row than part by part.
    try:
        text = "".join([f"{_SHORT[len(part)]}{part}" for part in parts])
    except IndexError:
        return sha256(_bytes_of(parts)).digest()
    return sha256(text.encode() if text.isascii() else _bytes_of(parts)).digest()


def _bytes_of(parts: tuple[str, ...]) -> bytes:
    """What `key` hashes, whatever stands in the parts."""
    encoded = [part.encode() for part in parts]
    return b"".join([_LENGTH(len(part)) + part for part in encoded])


def marker_of(parts: tuple[str, ...]) -> str:
    """The marker of a row whose canonical parts are known."""
    # Two characters at a time and no loop: a fourth of what `base64.b32encode` takes.
    bits = int.from_bytes(key(parts)[:17], "big") >> 17 * 8 - HASHED * 5
    pair = _PAIRS
    return (
        f"{PREFIX}{pair[bits >> 120]}{pair[bits >> 110 & _PAIR]}{pair[bits >> 100 & _PAIR]}"
        f"{pair[bits >> 90 & _PAIR]}{pair[bits >> 80 & _PAIR]}{pair[bits >> 70 & _PAIR]}"
        f"{pair[bits >> 60 & _PAIR]}{pair[bits >> 50 & _PAIR]}{pair[bits >> 40 & _PAIR]}"
        f"{pair[bits >> 30 & _PAIR]}{pair[bits >> 20 & _PAIR]}{pair[bits >> 10 & _PAIR]}"
        f"{pair[bits & _PAIR]}"
    )


def marker(
    *,
    org_id: str,
    sandbox: str,
    name: str,
    target: Target,
) -> str:
    """
    The marker of what a row asks for; see `canonical` for the arguments.

    Returns:
        `bc1-` and the first 26 characters of the key in lower-case base32.
    """
    return marker_of(
        canonical(
            org_id=org_id,
            sandbox=sandbox,
            name=name,
            target=target,
        )
    )


def find_marker(description: str) -> str | None:
    """The marker at the end of a description, None where it bears none (contract, section 9)."""
    found = _MARKER.search(description)
    return None if found is None else found[1]


def split_marker(text: str) -> tuple[str, str | None]:
    """
    Take the marker off a description, with the one space that `describe` puts before it.

    Returns:
        The user's own text and the marker; the text as it is and None where it bears none.
    """
    found = _MARKER.search(text)
    if found is None:
        return text, None
    return text[: found.start(1)].removesuffix(" "), found[1]


def fits(text: str, limit: int = DESCRIPTION_LIMIT) -> bool:
    """Whether a text can be sent whole with a space and a marker behind it."""
    return _units(text) + 1 + MARKER_LENGTH <= limit


def describe(text: str, marker: str, limit: int = DESCRIPTION_LIMIT) -> tuple[str, bool]:
    """
    The description that is sent: the user's text, one space, the marker.

    Args:
        text: The user's text; blank: the marker stands alone.
        marker: Never cut, whatever the limit.
        limit: UTF-16 units; that is what counts characters in a service written in Java or
            JavaScript, and never fewer than Python's count.

    Returns:
        The description, and whether the user's text had to be cut.
    """
    if not text or text.isspace():
        return marker, False
    whole = f"{text} {marker}"
    if _units(whole) <= limit:
        return whole, False
    kept = _cut(text, limit - len(marker) - 1).rstrip()
    return (f"{kept} {marker}" if kept else marker), True


def _units(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def _cut(text: str, units: int) -> str:
    """Fewer UTF-16 units of a text than it has, not through a combining sequence if avoidable."""
    end = min(len(text), max(units, 0))
    while _units(text[:end]) > units and end > 0:
        end -= 1
    for start in range(end, max(end - _LONGEST_CLUSTER, 0), -1):
        if not _belongs_to_previous(text, start):
            return text[:start]
    return text[:end]


def _belongs_to_previous(text: str, index: int) -> bool:
    character = text[index]
    return (
        category(character).startswith("M")
        or character == _JOINER
        or ord(character) in _SKIN_TONES
        or text[index - 1] == _JOINER
    )
