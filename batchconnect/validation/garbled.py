"""
Letters that were lost or changed on their way through a wrong encoding.

A name that was UTF-8 and was read as something else still decodes, so nobody stops it but a look at what it
would be if that step were taken back. It is sent as typed: what was meant only a person knows.
"""

import re

REPLACEMENT = "\ufffd"
"""What a decoder puts in place of a byte that it cannot read."""

_CODECS = ("cp1252", "cp1250", "cp1251", "cp850", "cp437", "mac_roman")
"""What UTF-8 is taken for: Windows in the West, the middle and the East of Europe, DOS, an older Mac."""
_RUN = re.compile(r"([A-Za-z]?)([^\x00-\x7f]+)([A-Za-z]?)")
_WRITTEN = (
    "[\u00a0-\u024f\u0386-\u03ce\u0410-\u045f\u05d0-\u05ea\u0621-\u064a\u0e01-\u0e5b\u2010-\u203a\u20ac"
    "\u2116\u2122\u3000-\u30ff\u4e00-\u9fff\uac00-\ud7a3\uff01-\uff5e]+"
)
"""What people write in names; what two odd letters make by chance most often is none of it. A pattern as a text, for
most runs meet no such letters, and compiling it takes as long as a module."""
_LOST_IN_A_WORD = re.compile(r"[^\W\d_]\?[^\W\d_]")
_SHORT = 4
"""Cyrillic letters that may be such a sequence by chance, where no Latin one stands beside them."""


def is_garbled(text: str) -> bool:
    """Whether a text looks like UTF-8 that was read in another encoding: `SÃ¼d`, `cafâ€™s`."""
    if text.isascii():
        return False
    return any(
        _was_utf8(run, is_latin=bool(before or behind))
        for before, run, behind in _RUN.findall(text)
    )


def has_lost_letter(text: str) -> bool:
    """Whether a letter was lost in a text: U+FFFD, or a question mark within a word."""
    return REPLACEMENT in text or _LOST_IN_A_WORD.search(text) is not None


def _was_utf8(run: str, *, is_latin: bool) -> bool:
    for codec in _CODECS:
        try:
            meant = run.encode(codec).decode()
        except UnicodeError:
            continue
        is_by_chance = codec == "cp1251" and len(run) < _SHORT and not is_latin
        if not is_by_chance and re.fullmatch(_WRITTEN, meant):
            return True
    return False


def _pairs() -> dict[str, set[str]]:
    """By the letter that a first byte becomes: the letters that a second one becomes."""
    pairs: dict[str, set[str]] = {}
    for codec in _CODECS:
        seconds = _letters(codec, range(0x80, 0xC0))
        for one in _letters(codec, range(0xC2, 0xF5)):
            pairs.setdefault(one, set()).update(seconds)
    return pairs


def _letters(codec: str, numbers: range) -> str:
    """What bytes become, each by itself."""
    return bytes(numbers).decode(codec, "ignore")


def pairs_among(letters: str) -> re.Pattern[str]:
    """
    What finds two letters that may be one garbled one, among texts of these letters alone.

    Args:
        letters: A character class, as in `[letters]`.
    """
    allowed = re.compile(f"[{letters}]")
    found = (
        f"{one}[{''.join(sorted(others))}]"
        for one, all_others in sorted(_pairs().items())
        if allowed.match(one) and (others := {two for two in all_others if allowed.match(two)})
    )
    return re.compile("|".join(found))
