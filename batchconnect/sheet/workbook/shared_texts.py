"""
The texts of an XLSX that its cells share, looked at for what a cell does not show of them.

Most are plain, and known as a whole by one pattern, as rows are (`plain_rows`); a parser gets the others.
"""

import re
from collections.abc import Iterator
from functools import partial
from itertools import chain
from typing import IO
from xml.parsers import expat

from batchconnect.model import possessive
from batchconnect.sheet.workbook.inspected import BY_NUMBER, WHITE
from batchconnect.sheet.workbook.plain_rows import ESCAPE, TEXT, TRIMMED

BLANK = "blank"
"""Of a shared text: it is white space or nothing."""
ESCAPED, CUT = "escaped", "cut"
"""Of a text: `_x0041_` stands in it for a letter; blanks at an end are not kept."""
_LAST_SHOWN = 0xFF
"""The last letter by number that calamine shows as Excel does; what is beyond it leaves as it is written."""

_BLOCK = 1 << 20
_END = b"</si>"
_ITEMS = re.compile(
    rb"(?:<si><t(?: xml:space=\"preserve\">" + TEXT + rb"|>" + TRIMMED + rb")</t></si>\s*+)++"
)
_START = b"<si>"


def odd_texts(xml: IO[bytes]) -> dict[int, str]:
    """Of each shared text that is blank, escaped, cut or has letters by number, its number and which."""
    return _Texts().of(xml)


def oddity(text: str, *, is_kept: bool) -> str | None:
    """What a cell does not show of a text; *is_kept*: `xml:space` keeps the blanks at its ends."""
    numbers = (
        [int(found[1], 16) for found in ESCAPE.finditer(text.encode())] if "_x" in text else ()
    )
    if any(number > _LAST_SHOWN for number in numbers):
        return BY_NUMBER
    if any(map(_is_letter, numbers)):
        return ESCAPED
    return CUT if not is_kept and text != text.strip(" \t\r\n") else None


def gravest(first: str | None, second: str | None) -> str | None:
    """Of what two parts of a text are, what counts for the whole."""
    return BY_NUMBER if BY_NUMBER in (first, second) else second or first


def _is_letter(number: int) -> bool:
    # `_x000D_` and its like, and `_x005F_` for `_` itself, are how Excel writes them.
    return number >= ord(" ") and number != ord("_")


class _Texts:
    """Follows the texts; numbers count on over the plain ones."""

    def __init__(self) -> None:
        self._odd: dict[int, str] = {}
        self._number = -1
        self._text = ""
        self._is_kept = self._in_text = self._in_reading = self._holds = False

    def of(self, xml: IO[bytes]) -> dict[int, str]:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        for part, count in _split(xml):
            if count:
                self._number += count
            else:
                parser.Parse(part)
        return self._odd

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        match tag.rpartition(":")[2]:
            case "si":
                self._number += 1
                self._holds = False
            case "t":
                self._in_text, self._text = not self._in_reading, ""
                self._is_kept = attributes.get("xml:space") == "preserve"
            case "rPh":
                self._in_reading = True
            case _:
                pass

    def _characters(self, text: str) -> None:
        if self._in_text:
            self._text += text

    def _end(self, tag: str) -> None:
        match tag.rpartition(":")[2]:
            case "t" if self._in_text:
                self._in_text = False
                self._holds = self._holds or bool(self._text.strip(WHITE))
                odd = oddity(self._text, is_kept=self._is_kept)
                if odd is not None:
                    self._odd[self._number] = gravest(self._odd.get(self._number), odd) or odd
            case "rPh":
                self._in_reading = False
            case "si" if not self._holds:
                self._odd[self._number] = BLANK
            case _:
                pass


def _split(xml: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    """The XML in parts, each with the number of plain texts in it; 0: not plain."""
    blocks = iter(partial(xml.read, _BLOCK), b"")
    rest = next(blocks, b"")
    if not possessive.IS_SOUND or b"\0" in rest[:4]:  # UTF-16
        yield from ((block, 0) for block in chain([rest], blocks))
        return
    for block in chain([b""], blocks):
        rest += block
        end = rest.rfind(_END) + len(_END) if _END in rest else len(rest)
        yield from _parts(rest[:end])
        rest = rest[end:]
    yield rest, 0


def _parts(block: bytes) -> Iterator[tuple[bytes, int]]:
    at = 0
    while at < len(block):
        found = _ITEMS.match(block, at)
        if found and not (b"_x" in found[0] and ESCAPE.search(found[0])):
            end, count = found.end(), found[0].count(_START)
        else:
            following = block.find(_START, at + 1)
            end, count = (len(block) if following < 0 else following), 0
        yield block[at:end], count
        at = end
