"""The redactor: every spelling of a live secret goes, and nothing else."""

import base64
import html
import json
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, strategies as st

from batchconnect.model.redactor import Redactor
from batchconnect.model.secret import Secret
from tests.fast_lane import few

AWKWARD = "a\"b\\c\\\\d\nü😀 &=%+/<'>xyz"
VALUES = (
    "plain-S3cret~value.42",
    AWKWARD,
    '\\"' + AWKWARD,
    'ends-with-quote"',
    '"begins-with-quote',
    "trailing space ",
    "=+@-leading",
    "пароль-очень",
    "\\" * 8,
    "........",
    "tab\tcr\rbs\bff\fnul\x00",
    "12345678",
)
CROWD = tuple(f"Another-row's-{number:03d}-key" for number in range(50))
"""So many that a text is looked at once for all of them, in blocks of four bytes."""


def redactor(*values: str) -> Redactor:
    held = Redactor()
    held.hold(*map(Secret, values))
    return held


def spellings(value: str) -> dict[str, str]:
    once = json.dumps(value)
    return {
        "raw": value,
        "json": once,
        "json twice": json.dumps(once),
        "json thrice": json.dumps(json.dumps(once)),
        "json, letters as they are": json.dumps(value, ensure_ascii=False),
        "json of other libraries": once.replace("/", "\\/")
        .replace("&", "\\u0026")
        .replace("=", "\\u003D"),
        "python": repr(value),
        "python, ascii": ascii(value),
        "python in json": json.dumps(repr(value)),
        "url": quote(value, safe=""),
        "url, lower case": quote(value, safe="").lower() if value.islower() else "",
        "url twice": quote(quote(value, safe="")),
        "form": quote_plus(value),
        "html": html.escape(value),
        "html twice": html.escape(html.escape(value)),
        "html, numbers": html.escape(value).replace("&quot;", "&#34;"),
    }


@pytest.mark.parametrize("value", VALUES)
def test_every_spelling_is_cut_out(value: str) -> None:
    """Only what stood around it remains."""
    for spelling, text in spellings(value).items():
        left = redactor(value).text(f"before {text} after")

        assert left.startswith("before "), spelling
        assert left.endswith(" after"), spelling
        if text:
            assert "***" in left, spelling
            assert not set(left) - set("before after*\"'\\"), spelling


@pytest.mark.parametrize("spelling", spellings(AWKWARD))
@pytest.mark.parametrize("before", few(["", "-", "--", "ü-"], 1))
def test_with_many_secrets_live_the_same_is_cut_out(spelling: str, before: str) -> None:
    """Wherever in the text it stands."""
    for value in VALUES:
        text = f"{before}{spellings(value)[spelling]} after"

        assert redactor(*CROWD, value).text(text) == redactor(value).text(text)


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
@pytest.mark.parametrize("after", few(["", "y", "yz"], 1))
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_hides_nothing_wherever_the_secret_stands_in_it(
    before: str, after: str, encode: Callable[[bytes], bytes]
) -> None:
    """Three bytes become four letters, so there are three ways to look."""
    many = redactor(*CROWD, *VALUES)
    for value in VALUES:
        for inner in (value, json.dumps(value), quote_plus(value)):
            text = encode(f"{before}{inner}{after}".encode()).decode()
            for shown in (text, json.dumps(text), text.replace("/", "\\/"), quote(text, safe="")):
                left = redactor(value).text(shown)

                assert "***" in left
                assert "***" in many.text(shown)
                assert len(left) <= 3 + len(quote(before + after)) * 2 + 14


@given(
    value=st.text(min_size=8, max_size=40).filter(
        lambda text: not any("\ud800" <= char <= "\udfff" for char in text)
    ),
    depth=st.integers(0, 3),
)
def test_any_text_of_eight_characters_is_found_in_json(value: str, depth: int) -> None:
    """However often it was escaped."""
    shown = value
    for _ in range(depth):
        shown = json.dumps(shown)

    assert "***" in redactor(value).text(shown)


def test_text_without_a_secret_is_returned_as_it_is() -> None:
    """The same object, in fact."""
    text = "nothing of interest, though pla"

    assert text is redactor(*VALUES[:2]).text(text)
    assert text is redactor(*CROWD, *VALUES[:2]).text(text)
    assert text is Redactor().text(text)


def test_a_secret_that_is_a_common_word_does_not_destroy_the_text() -> None:
    """Below eight characters its field is never shown, so nothing has to be cut."""
    assert redactor("created").text("37 created") == "37 created"


def test_a_secret_within_a_longer_one_leaves_nothing_of_the_longer() -> None:
    """The longest goes first, in whatever order they were held."""
    assert redactor("first-half", "first-half-and-more").text("first-half-and-more!") == "***!"


def test_a_secret_is_live_for_as_long_as_somebody_holds_it() -> None:
    """Two rows may have the same key; the first to end does not uncover the other's."""
    held, secret = Redactor(), Secret("shared-secret")
    with held.holding(secret):
        with held.holding(Secret("shared-secret")):
            pass

        assert held.text("shared-secret") == "***"
    assert held.text("shared-secret") == "shared-secret"


def test_rows_that_come_and_go_uncover_no_other_row() -> None:
    """Keys made by one hand begin alike; each goes with its own row, and the last stays to the end."""
    held, last = Redactor(), Secret("sameBeginning-of-the-last")
    held.hold(last)
    for number in range(200):
        held.hold(Secret(f"sameBeginning-{number:03d}"))
        if number >= 50:
            held.release(Secret(f"sameBeginning-{number - 50:03d}"))

        assert held.text(f"key: sameBeginning-{number:03d}") == "key: ***"
        assert held.text(f"key: {last.reveal()}") == "key: ***"
    assert held.text("key: sameBeginning-000") == "key: sameBeginning-000"


def test_a_release_that_nobody_held_for_is_no_error() -> None:
    """A clean-up may run twice."""
    held = redactor("some-secret")
    held.release(Secret("other-secret"), Secret("some-secret"), Secret("some-secret"))

    assert held.text("some-secret") == "some-secret"


def test_a_block_that_fails_lets_go_of_its_secret() -> None:
    """Or a long run would look for ever more of them."""
    held = Redactor()
    with pytest.raises(ZeroDivisionError), held.holding(Secret("some-secret")):
        1 / 0  # noqa: B018  # the failure

    assert held.text("some-secret") == "some-secret"


@pytest.mark.parametrize("value", ["\\" * 12 + "abcdefg", 'abcd\\"efgh', '"abcdefg', 'abcd"efg'])
def test_a_hostile_echo_costs_no_more_than_its_length(value: str) -> None:
    """Thousands of backslashes around pieces of the secret."""
    run = "\\" * 20_000
    started = time.process_time()
    redactor(value).text(f"{run}abcdefx abcdefg efgh abcd{run}abcd{run}")

    assert time.process_time() - started < 2


@pytest.mark.slow
def test_a_long_secret_is_found() -> None:
    """Ten thousand characters."""
    value = "key-" * 2_500

    assert redactor(value).text(json.dumps([value])) == '["***"]'
