"""
The last line of defence: cuts live secrets out of text that is about to leave the process.

Everything before it keeps secrets out of text in the first place. This one knows the values
themselves, in whatever spelling an echo may bring them back: as typed, JSON-escaped any number of
times, URL-encoded, HTML-escaped, as Python shows it, and base64 at any place of a longer base64 text.

Most text holds no secret, so each spelling is first looked for by its *anchor*, its longest run of
letters and digits, which all encodings leave alone; only where that occurs a pattern is made.
"""

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import final
from urllib.parse import quote, quote_plus

from batchconnect.secret import MASK, SHORTEST_REDACTED, Secret

_CONTROLS = {"\n": "n", "\t": "t", "\r": "r", "\b": "b", "\f": "f"}
_ENTITIES = {'"': "quot", "&": "amp", "<": "lt", ">": "gt", "'": "apos"}
_BASE64 = "[A-Za-z0-9+/_-]"
_RUNS = re.compile(r"[A-Za-z0-9]+")
_UNRESERVED = re.compile(r"[A-Za-z0-9_.~-]+")
"""What neither JSON nor a URL spells in another way."""


@final
class _Needle:
    """One text to be found, with its anchor."""

    __slots__ = ("_pattern", "anchor", "text")

    def __init__(self, text: str, *, is_base64: bool = False) -> None:
        self.text = text
        runs: list[str] = [text] if text.isascii() and text.isalnum() else _RUNS.findall(text)
        self.anchor = max(runs, key=len, default="")
        # A core of base64 ends where its neighbours' bits begin: their character goes as well.
        self._pattern = f"{_BASE64}?{{}}{_BASE64}?" if is_base64 else "{}"

    def cut_from(self, text: str) -> str:
        """The text without this needle in any escaped form."""
        return re.sub(self._pattern.format(_escaped_text(self.text)), MASK, text)


@final
class _Held:
    """A live secret: how often it is held, and what it is found by."""

    __slots__ = ("count", "length", "needles")

    def __init__(self, value: str) -> None:
        self.count = 0
        self.length = len(value)
        self.needles = (
            _Needle(value),
            *(
                _Needle(core, is_base64=True)
                for core in sorted(_base64_cores(value), key=len, reverse=True)
            ),
        )


class Redactor:
    """
    Cuts the secrets that are live right now out of text.

    A secret is live from `hold` to as many `release`s: a run holds its orgs' for as long as it
    lasts, and a row's key while the row is in flight. Those below `SHORTEST_REDACTED` characters are
    passed over, since a common word would go from everywhere; their fields are never shown at all.
    """

    def __init__(self) -> None:
        self._held: dict[Secret, _Held] = {}
        self._in_order: list[_Needle] | None = []

    def hold(self, *secrets: Secret) -> None:
        """Make secrets live; each `hold` counts."""
        for secret in secrets:
            if len(secret) >= SHORTEST_REDACTED:
                if secret not in self._held:
                    self._held[secret] = _Held(secret.reveal())
                    self._in_order = None
                self._held[secret].count += 1

    def release(self, *secrets: Secret) -> None:
        """Take one `hold` back; one that nobody made is no error."""
        for secret in secrets:
            held = self._held.get(secret)
            if held is None:
                continue
            held.count -= 1
            if held.count == 0:
                del self._held[secret]
                self._in_order = None

    @contextmanager
    def holding(self, *secrets: Secret) -> Iterator[None]:
        """Hold secrets for the length of a block."""
        self.hold(*secrets)
        try:
            yield
        finally:
            self.release(*secrets)

    def text(self, text: str) -> str:
        """
        A text without the live secrets.

        Args:
            text: Final, as it is about to be written or shown.

        Returns:
            The text itself where it holds no secret, else one with `***` in the secret's place.
        """
        if self._in_order is None:
            # The longest first, so that none is cut in two by one that it contains.
            in_order = sorted(self._held.values(), key=lambda held: held.length, reverse=True)
            self._in_order = [needle for held in in_order for needle in held.needles]
        for needle in self._in_order:
            if needle.anchor in text:
                text = needle.cut_from(text)
        return text


def _base64_cores(value: str) -> set[str]:
    """
    What of a value is the same in every base64 text that contains it.

    Three bytes become four characters, so it depends on the bytes before, modulo 3, which characters
    a value becomes; those at its ends also hold bits of its neighbours and are left out here. A body
    may have been escaped before it was encoded.
    """
    spellings = {value}
    if not _UNRESERVED.fullmatch(value):
        spellings |= {
            json.dumps(value)[1:-1],
            json.dumps(value, ensure_ascii=False)[1:-1],
            quote(value, safe="", errors="surrogatepass"),
            quote_plus(value, errors="surrogatepass"),
        }
    cores = set()
    for spelling in spellings:
        raw = spelling.encode("utf-8", "surrogatepass")
        for shift in range(3):
            first, last = -(-shift * 8 // 6), (shift + len(raw)) * 8 // 6
            core = base64.b64encode(bytes(shift) + raw).decode()[first:last]
            cores |= {core, core.translate(_URL_SAFE)}
    return cores


_URL_SAFE = str.maketrans("+/", "-_")


def _escaped_text(text: str) -> str:
    """
    A pattern for a text in all of its spellings.

    Backslashes before any sign are part of its spelling. Each run of them is eaten whole, from its
    first on, so that a hostile echo with thousands of them costs no more than its length.
    """
    pieces: list[str] = re.findall(r"\\+|[^\\]", text)
    pattern = "" if _is_plain(text[0]) else r"(?<!\\)"
    after_run = False
    for piece in pieces:
        if piece[0] == "\\":
            pattern += r"(?:\\|(?i:u005c|x5c|%(?:25)*5c|&(?:amp;)*#(?:0*92|x0*5c);))+"
        elif _is_plain(piece):
            pattern += piece
        else:
            pattern += _escaped(piece) if after_run else rf"\\*+{_escaped(piece)}"
        after_run = piece[0] == "\\"
    return pattern


def _is_plain(char: str) -> bool:
    return char.isascii() and char.isalnum()


@lru_cache(maxsize=1024)
def _escaped(char: str) -> str:
    """A pattern for a sign in all of its spellings, without the backslashes before it."""
    code = ord(char)
    units = char.encode("utf-16-be", "surrogatepass").hex()
    json_units = r"\\*+".join(f"u{units[at : at + 4]}" for at in range(0, len(units), 4))
    url_bytes = "".join(f"%(?:25)*{byte:02x}" for byte in char.encode("utf-8", "surrogatepass"))
    named = f"{_ENTITIES[char]}|" if char in _ENTITIES else ""
    ways = [
        re.escape(char),
        f"(?i:{json_units}|x{code:02x}|U{code:08x})",
        f"(?i:{url_bytes})",
        f"(?i:&(?:amp;)*(?:{named}#0*{code}|#x0*{code:x});)",
    ]
    if char in _CONTROLS:
        ways.append(_CONTROLS[char])
    if char == " ":
        ways.append(r"\+")
    return f"(?:{'|'.join(ways)})"
