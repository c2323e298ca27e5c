"""
Tells the rows of an XLSX tab that hold nothing unsupported from all else, without a look at each cell.

A plain row is one that a regular expression knows to its last byte: well-formed, numbered, and every
cell of it blank or with a value that is no error. Programs write hardly any others, and a parser that
calls us for each cell takes nine times as long for them: 45 us for nine cells instead of 5.
"""

import re
from collections.abc import Container, Iterator
from functools import partial
from itertools import chain
from typing import IO, NamedTuple

from batchconnect.model import possessive

_BLOCK = 1 << 20
"""Bytes that are looked at together."""
_START, _END = b"<row ", b"</row>"

# XML has no control characters, and neither U+FFFE (EF BF BE) nor U+FFFF.
_CHARS = rb"[^<>&\x00-\x08\x0b\x0c\x0e-\x1f\xef]*+"
_ENTITY = rb"&(?:amp|lt|gt|quot|apos);"
_TEXT = _CHARS + rb"(?:(?:" + _ENTITY + rb"|\xef(?!\xbf[\xbe\xbf]))" + _CHARS + rb")*+"
TEXT = rb"(?![ \t\r\n]*+<)" + _TEXT
"""More than white space."""
TRIMMED = rb"(?![ \t\r\n<])" + _TEXT + rb"(?<![ \t\r\n])"
"""No white space at its ends."""
ESCAPE = re.compile(rb"_x([0-9A-Fa-f]{4})_")
"""How a workbook writes a character by its number."""
_FORMULA = (
    rb'<f(?: aca="[a-z]+")?(?: t="[a-z]+")?(?: ref="[A-Z0-9:]+")?(?: si="[0-9]+")?'
    rb"(?:/>|>(?!<)" + _TEXT + rb"</f>)"
)
_CELL = (
    rb'<c r="[A-Z]{1,3}\1"(?: s="[0-9]+")?'
    rb'(?: t="inlineStr"><is><t(?: xml:space="preserve">'
    + TEXT
    + rb"|>"
    + TRIMMED
    + rb")</t></is></c>"
    rb'|(?: t="(?:s|str|n|b)")?(?:/>|>(?:' + _FORMULA + rb")?<v>" + TEXT + rb"</v></c>))"
)
_LOOK = (
    rb"(spans|s|customFormat|ht|customHeight|hidden|outlineLevel|collapsed|thickTop|thickBot|ph"
    rb'|x14ac:dyDescent)="[-A-Za-z0-9:. ]*"'
)
_ROW = (
    rb'<row r="([1-9][0-9]{0,6})"(?: ' + _LOOK + rb"(?![^>]* \2=))*+>(?:" + _CELL + rb")*+" + _END
)
_ROWS = re.compile(rb"(?:" + _ROW + rb"[ \t\r\n]*+)++")

# In a plain row a cell that ends in its own tag is blank, and any other is not.
_ROW_OR_FILLED = re.compile(rb'<(?:c|row) r="([A-Z]+(?=[0-9][^>]*[^/]>)|[0-9]+)')
_COLUMNS_OF_ROW = re.compile(rb"([0-9]+)((?: [A-Z]+)*)")
_SHARED = re.compile(rb' t="s"><v>([0-9]+)</v>')
_SHARED_CELL = re.compile(rb'<c [^>]* t="s"><v>([0-9]+)</v></c>')
_NUMBER = re.compile(rb'\s*<row r="([0-9]+)"([^>]*)>')
_SIGNS_OF_HIDDEN = (b' hidden="', b' ht="0')
_HIDDEN = re.compile(rb' (?:hidden="(?:1|true)"|ht="0+(?:\.0*)?")')


class PlainRows(NamedTuple):
    """Plain rows, one after the other."""

    xml: bytes
    last: int
    """Number of the last one."""

    @property
    def stand_in(self) -> bytes:
        """A row for the parser, so that it counts on from here, and refuses one where none may stand."""
        return b'<row r="%d"/>' % self.last

    def texts(self) -> set[int]:
        """Numbers of the shared texts that stand in these rows."""
        return set(map(int, _SHARED.findall(self.xml)))

    def without(self, texts: Container[int]) -> "PlainRows":
        """The same rows, with no cell that holds one of these shared texts."""
        xml = _SHARED_CELL.sub(lambda cell: b"" if int(cell[1]) in texts else cell[0], self.xml)
        return PlainRows(xml, self.last)

    def filled(self) -> Iterator[tuple[list[bytes], bytes]]:
        """
        The numbers of the rows, with the letters of the columns that have a value in them.

        Most often all rows are of one shape, and come together; else each comes by itself.
        """
        found = _ROW_OR_FILLED.findall(self.xml)
        size = next((at for at, word in enumerate(found) if at and word.isdigit()), len(found))
        numbers, columns = found[::size], found[1:size]
        if b"".join(numbers).isdigit() and all(
            found[at::size].count(letters) == len(numbers)
            for at, letters in enumerate(columns, start=1)
        ):
            yield numbers, b" ".join(columns)
        else:
            for number, letters in _COLUMNS_OF_ROW.findall(b" ".join(found)):
                yield [number], letters

    def hidden(self) -> Iterator[int]:
        """Numbers of the rows that nobody sees."""
        if any(sign in self.xml for sign in _SIGNS_OF_HIDDEN):
            for row in self.xml.split(_END):
                if (found := _NUMBER.match(row)) and _HIDDEN.search(found[2]):
                    yield int(found[1])


def split(xml: IO[bytes]) -> Iterator[PlainRows | bytes]:
    """
    Split the XML of a tab into its plain rows and all else, in order and to the last byte.

    With the stand-ins for its plain rows it is exactly as well-formed as it is.
    """
    blocks = iter(partial(xml.read, _BLOCK), b"")
    rest = next(blocks, b"")
    if not possessive.IS_SOUND or b"\0" in rest[:4]:  # UTF-16: what looks like a row need be none
        yield from chain([rest], blocks)
        return
    for block in chain([b""], blocks):
        rest += block
        # A row that is longer than a block is not plain; nothing waits for its end.
        end = rest.rfind(_END) + len(_END) if _END in rest else len(rest)
        yield from _parts(rest[:end])
        rest = rest[end:]
    yield rest


def _parts(block: bytes) -> Iterator[PlainRows | bytes]:
    at = 0
    while at < len(block):
        if found := _ROWS.match(block, at):
            end = found.end()
            yield PlainRows(found[0], int(found[1])) if _is_readable(found[0]) else found[0]
        else:
            following = block.find(_START, at + 1)
            end = len(block) if following < 0 else following
            yield block[at:end]
        at = end


def _is_readable(text: bytes) -> bool:
    """Whether it is UTF-8 without a character that is written by its number."""
    try:
        if not text.isascii():
            text.decode()
    except UnicodeDecodeError:
        return False
    return b"_x" not in text or not ESCAPE.search(text)
