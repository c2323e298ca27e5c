"""
Whether an id repeats a secret, in any spelling that ids have signs for.

Most services answer each row with an id of a form that nobody documents, and the spellings of a key are three
thousand characters, those of an access token a hundred thousand. So they are put together only for an id that
may hold one, every third place of it is looked at, and a secret that outlives many rows is indexed.
"""

import re
import sys
from array import array
from binascii import b2a_base64
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Final, final

ECHO: Final = 6
"""Characters in a row that an id and a secret's spelling share by no chance."""

_PIECE: Final = 4
_STRIDE: Final = ECHO - _PIECE + 1
"""Of any `ECHO` characters in a row, a piece begins at one of every so many places."""
_OFTEN: Final = 16
"""Searches from which on an index is the cheaper way."""
_SIGNS: Final = re.compile("[^A-Za-z0-9]+")
_CODE_SIGNS: Final = "+/=_-"
_CODED: Final = re.compile(f"[a-z0-9{_CODE_SIGNS}]{{{ECHO}}}".encode())
"""What a text needs, in lower case, to share anything with hex, base32 or base64."""
_ANY_BYTE: Final = bytes(range(256))
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
_ROT13: Final = str.maketrans(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    "NOPQRSTUVWXYZABCDEFGHIJKLMnopqrstuvwxyzabcdefghijklm",
)


@final
class Spellings:
    """
    A secret as ids could repeat it, whatever the letter case; escapes need signs that no id has.

    Args:
        value: The secret.
    """

    __slots__ = ("_all", "_plain", "_value")

    def __init__(self, value: str) -> None:
        self._value = value
        self._plain: _Searched | None = None
        self._all: _Searched | None = None

    def are_in(self, text: str) -> bool:
        """
        Whether a text holds `ECHO` characters in a row of any of them.

        Args:
            text: ASCII. It is read as it is, and without the signs that may stand between its characters.
        """
        lowered = text.lower()
        bare = _SIGNS.sub("", lowered)
        if len(bare) < ECHO and self._lacks(set(lowered).difference(bare)):
            return False
        return any(self._is_part(seen.encode()) for seen in {lowered, bare})

    def _lacks(self, signs: set[str]) -> bool:
        """Whether no spelling has any of these: most etags are a few digits between quotes."""
        return signs.isdisjoint(_CODE_SIGNS) and signs.isdisjoint(self._value)

    def _is_part(self, text: bytes) -> bool:
        if _CODED.search(text) is None:
            if self._plain is None:
                self._plain = _Searched(_plain(self._value))
            return self._plain.shares(text)
        if self._all is None:
            self._all = _Searched(chain(_plain(self._value), _coded(self._value)))
        return self._all.shares(text)


class _Searched:
    """Spellings, one after the other in lower case, that are asked for parts of texts."""

    __slots__ = ("_index", "_searches", "_text")

    def __init__(self, spellings: Iterable[bytes]) -> None:
        self._text = b"\0".join(spellings)
        self._searches = 0
        self._index: array[int] | None = None

    def shares(self, text: bytes) -> bool:
        """Whether a text holds `ECHO` characters of them in a row."""
        self._searches += 1
        if self._searches == _OFTEN:
            self._index = _pieces_of(self._text)
        last = len(text) - ECHO
        places = range(0, last + _STRIDE, _STRIDE)
        # As a rule none is found, and all is done.
        return any(
            self._has_whole(text[first : first + ECHO])
            for at in (
                self._searched(text, places) if self._index is None else self._indexed(text, places)
            )
            for first in range(max(0, at - _STRIDE + 1), min(at, last) + 1)
        )

    def _searched(self, text: bytes, places: range) -> list[int]:
        """Places of pieces that may be there: looked for in what is left without all that the text has not."""
        left = self._text.translate(None, _ANY_BYTE.translate(None, text))
        return [at for at in places if text[at : at + _PIECE] in left]

    def _indexed(self, text: bytes, places: range) -> list[int]:
        index, end = self._index or (), len(self._index or ())
        found = []
        for at in places:
            wanted = int.from_bytes(text[at : at + _PIECE], sys.byteorder)
            near = bisect_left(index, wanted)
            if near < end and index[near] == wanted:
                found.append(at)
        return found

    def _has_whole(self, part: bytes) -> bool:
        # In a hundred thousand characters each piece is found by chance, but seldom all three of a part.
        is_likely = self._index is None or len(self._indexed(part, range(_STRIDE))) == _STRIDE
        return is_likely and part in self._text


def _pieces_of(text: bytes) -> "array[int]":
    """Every four bytes in a row, as numbers, in order: four bytes each, where a set would take sixty."""
    found: set[int] = set()
    for first in range(_PIECE):
        rest = memoryview(text)[first:]
        found.update(rest[: len(rest) // _PIECE * _PIECE].cast("I"))
    return array("I", sorted(found))


def _plain(value: str) -> Iterator[bytes]:
    bare = _SIGNS.sub("", value)
    for spelling in (value, value[::-1], bare, bare[::-1], value.translate(_ROT13)):
        yield spelling.lower().encode("utf-8", "surrogatepass")


def _coded(value: str) -> Iterator[bytes]:
    raws = [value.encode(name, "surrogatepass") for name in ("utf-8", "utf-16-le", "utf-16-be")]
    yield from base32(raws)
    for raw in raws:
        yield raw.hex().encode()
        for before in (b"", b"\0", b"\0\0"):
            once = b2a_base64(before + raw, newline=False)
            yield once.lower()
            if b"+" in once or b"/" in once:
                yield once.translate(_URL_SAFE).lower()
            yield b2a_base64(once, newline=False).lower()


def base32(raws: Sequence[bytes]) -> list[bytes]:
    """
    Texts in base32 (RFC 4648) and lower case, as `base64.b32encode` has them.

    That takes 19 us for a key in three encodings, letter by letter: half of what it costs to hold an id against
    it. Here all letters are found at once: five bytes are one number, which is halved three times, each half
    moved to a place of its own, until every five bits stand in a byte.
    """
    spaced = b"".join([raw + bytes(-len(raw) % 5) for raw in raws])
    room = bytearray(len(spaced) // 5 * 8)
    for at in range(5):
        room[3 + at :: 8] = spaced[at::5]
    bits = int.from_bytes(room, "big")
    for shift, low, high in _halves(len(room) // 8):
        bits = (bits & low) | (bits & high) << shift
    letters = bits.to_bytes(len(room), "big").translate(_BASE32)
    texts, start = [], 0
    for raw in raws:
        end = start + -(-len(raw) // 5) * 8
        padding = _PADDING[len(raw) % 5]
        texts.append(letters[start : end - padding] + b"=" * padding)
        start = end
    return texts


@lru_cache(maxsize=64)
def _halves(count: int) -> tuple[tuple[int, int, int], ...]:
    """How far the upper halves move, and which bits are of lower and of upper ones, in *count* times 64 bits."""
    each = int.from_bytes((bytes(7) + b"\1") * count, "big")
    steps = []
    for half, shift, places in ((20, 12, (0,)), (10, 6, (0, 32)), (5, 3, (0, 16, 32, 48))):
        ones = (1 << half) - 1
        low = sum(ones << place for place in places)
        steps.append((shift, each * low, each * (low << half)))
    return tuple(steps)


_BASE32: Final = b"abcdefghijklmnopqrstuvwxyz234567".ljust(256, b"\0")
_PADDING: Final = (0, 6, 4, 3, 1)
"""Signs behind the last letter, by how many bytes there are beyond groups of five."""
