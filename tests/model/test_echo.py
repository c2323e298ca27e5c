"""The quick search for echoes finds exactly what looking at every place of every spelling finds."""

import base64
import codecs
import re
from collections.abc import Iterator

import pytest
from hypothesis import example, given, strategies as st

from batchconnect.model.echo import ECHO, Spellings, base32

KEY = "V3f8Q~aB4dKz92_mQpL.x7Rt-YwEu5sHnCj1oGi0"
IDS = "".join(map(chr, range(0x21, 0x7F)))


def spelled(value: str) -> Iterator[str]:
    """Every spelling, by the standard library alone."""
    bare = re.sub("[^A-Za-z0-9]+", "", value)
    yield from (value, value[::-1], bare, bare[::-1], codecs.encode(value, "rot13"))
    for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
        raw = value.encode(encoding, "surrogatepass")
        yield raw.hex()
        yield base64.b32encode(raw).decode()
        for shift in range(3):
            once = base64.b64encode(b"\0" * shift + raw)
            yield once.decode()
            yield base64.urlsafe_b64encode(b"\0" * shift + raw).decode()
            yield base64.b64encode(once).decode()


def echoes(value: str, text: str) -> bool:
    """As `Spellings.are_in`, place by place."""
    joined = "\0".join(spelled(value)).lower()
    return any(
        seen[at : at + ECHO] in joined
        for seen in (text.lower(), re.sub("[^A-Za-z0-9]+", "", text.lower()))
        for at in range(len(seen) - ECHO + 1)
    )


def parts(draw: st.DrawFn, value: str) -> str:
    """A text with a part of a spelling in it, one character of which may be another one."""
    spelling = draw(st.sampled_from([*spelled(value)]))
    at = draw(st.integers(0, max(0, len(spelling) - ECHO)))
    part = (
        spelling[at : at + draw(st.integers(ECHO - 2, ECHO + 3))]
        .encode("ascii", "replace")
        .decode()
    )
    if draw(st.booleans()):
        part = part.swapcase()
    sign = draw(st.sampled_from(["", "", "-", "."]))
    around = st.text(IDS, max_size=8)
    return draw(around) + sign.join(part) + draw(around)


@st.composite
def secrets_and_texts(draw: st.DrawFn) -> tuple[str, str]:
    """A secret of any signs, and an id with or without a part of it."""
    secret = draw(
        st.one_of(st.text(IDS, min_size=1, max_size=45), st.text(min_size=1, max_size=20))
    )
    return secret, draw(st.one_of(st.text(IDS, max_size=40), st.composite(parts)(secret)))


@pytest.mark.parametrize("earlier", [0, 20], ids=["searched", "indexed"])
@given(both=secrets_and_texts())
@example(both=(KEY, f"x{KEY[3:9]}"))
@example(both=(KEY, KEY[:5]))
@example(both=(KEY, chr(34) + "0100" + chr(34)))
@example(both=(chr(34) + "0100" + chr(34), chr(34) + "0100" + chr(34)))
@example(both=("\ud800lone surrogate", "surrog"))
@example(both=("Å K-K 123456", "k-k12345"))
def test_the_quick_search_is_as_sharp_as_the_slow_one(earlier: int, both: tuple[str, str]) -> None:
    """Whether it is the first id of a secret or its hundredth, when an index answers."""
    secret, text = both
    spellings = Spellings(secret)
    for number in range(earlier):
        spellings.are_in(f"unlike-{number:030}")

    assert spellings.are_in(text) == echoes(secret, text)


@pytest.mark.parametrize("earlier", [0, 20], ids=["searched", "indexed"])
def test_a_part_is_found_wherever_it_stands(earlier: int) -> None:
    """Each six characters of each spelling, behind any number of others; five are no echo."""
    spellings = Spellings(KEY)
    for number in range(earlier):
        spellings.are_in(f"unlike-{number:030}")
    everywhere = [s[at : at + ECHO] for s in spelled(KEY) for at in range(len(s) - ECHO + 1)]

    for number, part in enumerate(everywhere):
        assert spellings.are_in("." * (number % 4) + part + "." * (number % 3))
    assert not spellings.are_in(f"....{KEY[8:13]}....")


@given(st.lists(st.binary(max_size=90), max_size=4))
def test_many_letters_of_base32_at_once_are_those_of_the_standard_library(
    raws: list[bytes],
) -> None:
    """Of texts of any length, one after the other."""
    assert base32(raws) == [base64.b32encode(raw).lower() for raw in raws]
