"""
Which encoding a text most likely has: right, or none.

A wrong one that decodes without an error makes garbled names, and they would be sent. So an encoding is only
named where what it makes looks like something that people write: letters of one alphabet, in words of one
case, or runs of the common characters of East Asia. Where several do, all are named with their regions, for
the reader knows where the sheet is from; where none does, none is.

No library does this for us: those that detect encodings are made for pages of text, and answer with the most
likely encoding where a sheet holds three letters that are not ASCII.
"""

import codecs
import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import NamedTuple

MOST_NAMED = 4
"""More than these are no advice."""

_TYPOGRAPHY = "\u2013\u2014\u2018\u2019\u201a\u201c\u201d\u201e\u2022\u2026\u20ac\u00a7\u00b0\u00ae\u2122\u00a0\u00ab\u00bb"
_WEST = "äöüßéèêëàâçñíóúáîïôûùåæøœÿãõìòðþý"
_CENTRE = "äöüßáéíóúýčďěňřšťůžąćęłńśźżőűăâîşţđôĺľŕ"
_TURKEY = "çğıİöşüâîû"
_GREECE = "άέήίόύώϊϋΐΰαβγδεζηθικλμνξοπρσςτυφχψω"
_RUSSIA = "абвгдеёжзийклмнопрстуфхцчшщъыьэюяєіїґў"
_NON_ASCII_WORD = re.compile(r"[^\W\d_]*[^\W\d_\x00-\x7f][^\W\d_]*")
_NON_ASCII_RUN = re.compile(r"[^\x00-\x7f]+")
_SIGN_IN_A_WORD = re.compile(
    r"[^\W\d_][\u201a\u201c-\u201e\u2022\u2026\u20ac\u00a7\u00b0\u00ae\u2122\u00ab\u00bb][^\W\d_]"
)
_GLUED = re.compile(r"[a-z][^\x00-\x7f]|[^\x00-\x7f][a-z]")
_MOST_LETTERS_IN_A_ROW = 2
"""Letters with marks that follow each other in a Latin word."""


class _Candidate(NamedTuple):
    name: str
    region: str
    is_plausible: Callable[[str], bool]


def likely_encodings(raw: bytes, *, but: str | None = None) -> list[tuple[str, str]]:
    """
    The encodings that a text may have.

    Args:
        raw: Some of its bytes, from the beginning of a line on; the last character may be cut off.
        but: One that was tried already.

    Returns:
        Name and region of each, the most common first; none where none fits, or too many do.
    """
    texts: dict[str, tuple[str, str]] = {}
    for name, region, is_plausible in _CANDIDATES:
        text = _text(raw, name)
        if text is not None and name != but and is_plausible(text):
            texts.setdefault(text, (name, region))
    return [] if len(texts) > MOST_NAMED else list(texts.values())


def advice(raw: bytes, *, but: str | None = None) -> str:
    """What to do about a text in another encoding, in one or two sentences."""
    save = "Save the sheet as `CSV UTF-8` in a program that shows its names as they are meant"
    match likely_encodings(raw, but=but):
        case []:
            return f"{save}, or give its encoding, if you know it, with `--encoding NAME`."
        case [(name, _)]:
            return f"{save}, or say `--encoding {name}` if that is what it is."
        case several:
            named = ", ".join(f"`--encoding {name}` ({region})" for name, region in several)
            return f"{save}, or say where it is from: {named}."


def looks_written(text: str) -> bool:
    """Whether people may have written a text, in whatever alphabet: letters, in words of one case."""
    runs = "".join(_NON_ASCII_RUN.findall(text))
    words = set(_NON_ASCII_WORD.findall(text))
    return (
        not _SIGN_IN_A_WORD.search(text)
        and all(char in _TYPOGRAPHY or unicodedata.category(char)[0] in "LMP" for char in runs)
        and all(_has_one_case(word) for word in words)
    )


def _text(raw: bytes, name: str) -> str | None:
    try:
        return codecs.getincrementaldecoder(name)("strict").decode(raw)
    except UnicodeDecodeError:
        return None


def _alphabet(letters: str) -> Callable[[str], bool]:
    """Whether a text has these letters besides ASCII, in words of one alphabet and of one case."""
    allowed = {*letters, *letters.upper(), *_TYPOGRAPHY}
    is_latin = "LATIN" in unicodedata.name(letters[0])

    def is_plausible(text: str) -> bool:
        others = set("".join(_NON_ASCII_RUN.findall(text)))
        return (
            others <= allowed
            and not _SIGN_IN_A_WORD.search(text)
            and all(
                _is_word(word, is_latin=is_latin) for word in set(_NON_ASCII_WORD.findall(text))
            )
        )

    return is_plausible


def _is_word(word: str, *, is_latin: bool) -> bool:
    if not _has_one_case(word):
        return False
    if is_latin:
        return all(len(run) <= _MOST_LETTERS_IN_A_ROW for run in _NON_ASCII_RUN.findall(word))
    return not any(char.isascii() for char in word)


def _has_one_case(word: str) -> bool:
    # A capital inside a word (`SÃ¼d`, `îÜï`) is what a wrong encoding makes; `McDönald` is none of it.
    capitals = any(char.isupper() and not char.isascii() for char in word[1:])
    return not (capitals and any(char.islower() for char in word))


def _east_asia(encoding: str, *, leads: range, trails: range) -> Callable[[str], bool]:
    """
    Whether the characters of a text are common ones, by their place in the encoding, and not alone.

    Source:
        JIS X 0208, GB/T 2312, Big5 and KS X 1001 each have a first level of common characters in one block.
    """

    def is_common(char: str) -> bool:
        if "\u3000" <= char <= "\u30ff" or "\uff01" <= char <= "\uff5e":
            return True  # kana, full width forms and punctuation
        raw = char.encode(encoding)
        return len(raw) == 2 and raw[0] in leads and raw[1] in trails  # noqa: PLR2004 - double bytes

    def is_plausible(text: str) -> bool:
        runs = {run.strip(_TYPOGRAPHY) for run in _NON_ASCII_RUN.findall(text)}
        letters = [char for run in runs for char in run if unicodedata.category(char) == "Lo"]
        if not letters or _GLUED.search(text):
            return False  # `ABC商事` is written so, `K詐n` is not
        return all(len(run) > 1 and all(map(is_common, run)) for run in runs)

    return is_plausible


def _candidates() -> Iterator[_Candidate]:
    yield _Candidate("cp1252", "western Europe", _alphabet(_WEST))
    yield _Candidate("mac_roman", "an older Mac", _alphabet(_WEST))
    yield _Candidate("cp850", "DOS, western Europe", _alphabet(_WEST))
    yield _Candidate("cp1250", "central Europe", _alphabet(_CENTRE))
    yield _Candidate("cp1254", "Turkey", _alphabet(_TURKEY))
    yield _Candidate("cp1251", "Cyrillic", _alphabet(_RUSSIA))
    yield _Candidate("cp1253", "Greece", _alphabet(_GREECE))
    wide, high = range(0x40, 0x100), range(0xA1, 0xFF)
    for name, region, leads, trails in (
        ("cp932", "Japan, Shift-JIS", range(0x88, 0x98), wide),
        ("euc_jp", "Japan, EUC", range(0xB0, 0xD0), high),
        ("gbk", "China", range(0xB0, 0xD8), high),
        ("big5", "Taiwan, Hong Kong", range(0xA4, 0xC7), wide),
        ("cp949", "Korea", range(0xB0, 0xC9), high),
    ):
        yield _Candidate(name, region, _east_asia(name, leads=leads, trails=trails))


_CANDIDATES = tuple(_candidates())
