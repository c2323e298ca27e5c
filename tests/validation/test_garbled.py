"""Letters that a wrong encoding changed: found where they are, and not where people write such names."""

import pytest
from hypothesis import given, strategies as st

from batchconnect.validation.garbled import has_lost_letter, is_garbled
from batchconnect.validation.rules import LETTERS
from batchconnect.validation.valid_pattern import may_be_garbled

NAMES = [
    "Süd",
    "Köln",
    "Caf\u00e9\u2019s",
    "Škoda",
    "Łódź",
    "Москва",
    "顧客",
    "Ærø",
    "Über",
    "ÜBER",
]
CODECS = ["cp1252", "cp1250", "cp1251", "cp850", "cp437", "mac_roman"]


def garbled(name: str, codec: str) -> str:
    """What a program makes of UTF-8 that it takes for something else; "" where it stops at a byte."""
    try:
        return name.encode().decode(codec)
    except UnicodeDecodeError:
        return ""


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_was_converted_once_too_often_is_found(name: str, codec: str) -> None:
    """Whatever its UTF-8 was taken for."""
    text = garbled(name, codec)

    assert not text or is_garbled(text)
    assert not is_garbled(name)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "CAFÉ®",
            "ÜBER™",
            "n° 5",
            "“Q”",
            "Ñandú",
            "Þór",
            "Київ",
            "Кіровоград",
            "ΑΘΗΝΑ",
            "São Paulo",
        ),
        *("Plzeň Žižkov", "İstanbul", "Été \u2013 Hiver", "École « Ø »", "٢٠٢٦", "\u0412\u0456"),
    ],
)
def test_a_name_that_people_write_is_not_garbled(name: str) -> None:
    """Signs beside capitals, and every alphabet."""
    assert not is_garbled(name)


@pytest.mark.parametrize(
    ("text", "is_lost"),
    [
        ("M\ufffdnchen", True),
        ("M?nchen", True),
        ("Who?", False),
        ("Why? Here", False),
        ("A/B", False),
    ],
)
def test_a_letter_that_was_lost_is_seen_by_what_stands_in_its_place(
    text: str, is_lost: bool
) -> None:
    """U+FFFD always, a question mark within a word."""
    assert has_lost_letter(text) == is_lost


@given(
    st.text(
        st.one_of(st.characters(codec="ascii"), st.sampled_from("ÃÂÄÅŸœšž°¼ßüöäéěř")), max_size=8
    )
)
def test_the_fast_look_passes_nothing_that_is_garbled(text: str) -> None:
    """Narrower than the whole look, among the letters that the fast check lets pass."""
    letters = {chr(code) for code in range(0xC0, 0x17F)}
    if is_garbled(text) and all(char.isascii() or char in letters for char in text):
        assert may_be_garbled(text)
    assert LETTERS == "\u00c0-\u017e"
