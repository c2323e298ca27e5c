"""
The last line of defence: cuts live secrets out of text that is about to leave the process.

Everything before it keeps secrets out of text in the first place. This one knows the values
themselves, in whatever spelling an echo may bring them back: as typed, JSON-escaped any number of
times, URL-encoded, HTML-escaped, as Python shows it, and base64 at any place of a longer base64 text.

Most text holds no secret, so a secret is first looked for by its *anchors*: a run of letters and digits
out of each spelling, which all encodings leave alone. Of a few secrets the longest runs are looked for: a
search leaps as far as what it looks for is long. With many secrets live, one look at the text tells that
it holds none of all their anchors. Patterns are made only where an anchor occurs.
"""

import json
import re
import sys
from binascii import b2a_base64
from collections.abc import Collection, Iterable
from contextlib import AbstractContextManager
from functools import lru_cache
from types import TracebackType
from typing import final
from urllib.parse import quote, quote_plus

from batchconnect.model.secret import MASK, SHORTEST_REDACTED, Secret

_CONTROLS = {"\n": "n", "\t": "t", "\r": "r", "\b": "b", "\f": "f"}
_ENTITIES = {'"': "quot", "&": "amp", "<": "lt", ">": "gt", "'": "apos"}
_BASE64 = "[A-Za-z0-9+/_-]"
_RUNS = re.compile(r"[A-Za-z0-9]+")
_BLOCK = 4
_ANCHOR_LENGTH = 7
"""Wherever such a run begins in a text, it covers one of the text's blocks of four."""
_MASK = (1 << 8 * _BLOCK) - 1
_ANCHOR = re.compile(f"[A-Za-z0-9]{{{_ANCHOR_LENGTH}}}")
_FEW = 4
"""Live secrets that are asked for one by one: 1 us each, where blocks cost 3 us for a line of the log."""
_UNRESERVED = re.compile(r"[A-Za-z0-9_.~-]+")
"""What neither JSON nor a URL spells in another way."""


@final
class _Held:
    """
    A live secret: how often it is held, and what it is found by.

    One is made for each row, and next to none is ever found in a text: so only what it is found by is
    made at once, which takes 5 us.
    """

    __slots__ = ("_longest", "blocks", "count", "spellings", "value")

    def __init__(self, value: str) -> None:
        self.count = 0
        self.value = value
        self.spellings = (value, *_base64_cores(value))
        self.blocks = _blocks_of_anchors([_anchor(spelling) for spelling in self.spellings])
        """One of them is a block of any text that contains an anchor; none: an anchor is too short."""
        self._longest: list[str] | None = None

    def may_be_in(self, text: str) -> bool:
        """Whether there is anything to be cut from a text."""
        if self._longest is None:
            self._longest = [_longest_run(spelling) for spelling in self.spellings]
        for anchor in self._longest:  # noqa: SIM110 - every text passes here, and `any` takes 0.5 us
            if anchor in text:
                return True
        return False

    def cut_from(self, text: str) -> str:
        """The text without this secret in any spelling."""
        text = re.sub(_escaped_text(self.value), MASK, text)
        cores = set(_base64_cores(self.value))
        cores |= {core.translate(_URL_SAFE) for core in cores}
        for core in sorted(cores, key=len, reverse=True):
            if _anchor(core) in text:
                # A core ends where its neighbours' bits begin: their character goes as well.
                text = re.sub(f"{_BASE64}?{_escaped_text(core)}{_BASE64}?", MASK, text)
        return text


class Redactor:
    """
    Cuts the secrets that are live right now out of text.

    A secret is live from `hold` to as many `release`s: a run holds its orgs' for as long as it
    lasts, and a row's key while the row is in flight. Those below `SHORTEST_REDACTED` characters are
    passed over, since a common word would go from everywhere; their fields are never shown at all.
    """

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}
        """By the secret's own text: this room is full of them, and a text is found in half the time."""
        self._blocks: set[int] = set()
        self._released = 0
        """Secrets that are gone, with their blocks still there."""
        self._without_blocks: set[_Held] = set()

    def hold(self, *secrets: Secret) -> None:
        """Make secrets live; each `hold` counts."""
        for secret in secrets:
            value = secret.reveal()
            if len(value) >= SHORTEST_REDACTED:
                held = self._held.get(value)
                if held is None:
                    held = self._held[value] = _Held(value)
                    self._blocks.update(held.blocks)
                    if not held.blocks:
                        self._without_blocks.add(held)
                held.count += 1

    def release(self, *secrets: Secret) -> None:
        """Take one `hold` back; one that nobody made is no error."""
        for secret in secrets:
            held = self._held.get(secret.reveal())
            if held is None:
                continue
            held.count -= 1
            if held.count == 0:
                del self._held[held.value]
                self._without_blocks.discard(held)
                self._forget_blocks()

    def holding(self, *secrets: Secret) -> AbstractContextManager[None]:
        """Hold secrets for the length of a block."""
        return _Holding(self, secrets)

    def text(self, text: str) -> str:
        """
        A text without the live secrets.

        Args:
            text: Final, as it is about to be written or shown.

        Returns:
            The text itself where it holds no secret, else one with `***` in the secret's place.
        """
        suspects: Collection[_Held] = self._held.values()
        if len(suspects) > _FEW and self._blocks.isdisjoint(_blocks(text)):
            suspects = self._without_blocks
        found = [held for held in suspects if held.may_be_in(text)]
        # The longest first, so that none is cut in two by one that it contains.
        for held in sorted(found, key=_length, reverse=True):
            text = held.cut_from(text)
        return text

    def _forget_blocks(self) -> None:
        # Secrets may share a block. Those of all are put together anew when half of them are gone, which
        # costs each release next to nothing; until then, one too many only makes us look twice.
        self._released += 1
        if self._released > len(self._held):
            self._blocks = {block for held in self._held.values() for block in held.blocks}
            self._released = 0


@final
class _Holding:
    """A block in which secrets are held: each row has one, and a generator would take twice the calls."""

    __slots__ = ("_redactor", "_secrets")

    def __init__(self, redactor: Redactor, secrets: tuple[Secret, ...]) -> None:
        self._redactor = redactor
        self._secrets = secrets

    def __enter__(self) -> None:
        self._redactor.hold(*self._secrets)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._redactor.release(*self._secrets)


def _length(held: _Held) -> int:
    return len(held.value)


def _anchor(text: str) -> str:
    """Seven letters and digits in a row, or as many as there are."""
    head = text[:_ANCHOR_LENGTH]
    if head.isalnum() and head.isascii():
        return head
    found = _ANCHOR.search(text)
    return found[0] if found else _longest_run(text)


def _longest_run(text: str) -> str:
    """The longest run of letters and digits in a text; "" where it has none."""
    return max(_RUNS.findall(text), key=len, default="")


def _blocks_of_anchors(anchors: Iterable[str]) -> list[int]:
    """Which of them a text may have for a block within an anchor; none where an anchor is too short."""
    blocks: list[int] = []
    for anchor in anchors:
        if len(anchor) < _ANCHOR_LENGTH:
            return []
        # Its four bytes from each of the first four on, as `_blocks` reads them.
        bits = int.from_bytes(anchor[:_ANCHOR_LENGTH].encode(), sys.byteorder)
        blocks += (bits & _MASK, bits >> 8 & _MASK, bits >> 16 & _MASK, bits >> 24)
    return blocks


def _blocks(text: str) -> Iterable[int]:
    """Each four bytes of a text, as a number."""
    raw = text.encode("utf-8", "surrogatepass")
    return memoryview(raw)[: len(raw) // _BLOCK * _BLOCK].cast("I")


def _base64_cores(value: str) -> list[str]:
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
    cores = []
    for spelling in spellings:
        raw = spelling.encode("utf-8", "surrogatepass")
        for shift, before, first in _SHIFTS:
            text = b2a_base64(before + raw, newline=False).decode()
            cores.append(text[first : (shift + len(raw)) * 8 // 6])
    return cores


_SHIFTS = ((0, b"", 0), (1, b"\0", 2), (2, b"\0\0", 3))
"""Bytes before, as a number and as bytes, and how many characters of base64 hold bits of them."""
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
