"""What happens to identifiers on their way into a cell."""

import pytest
from hypothesis import given, strategies as st

from batchconnect.damage import clean, damage, has_misleading, has_surrogate, is_spreadsheet_error


@given(st.text(st.sampled_from("aB1-. \t\u00a0\u200b\ufeff\"'\u201c\u201d\u202e")))
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    """And it says nothing where it did nothing."""
    cleaned, _ = clean(text)

    if cleaned == text:
        assert clean(text) == (text, "")
    else:
        assert clean(text)[1]


@pytest.mark.parametrize(
    "text", ["#REF!", "#N/A", "#VALUE!", "#NAME?", "#DIV/0!", " #ref! ", "########", "#SPILL!"]
)
def test_a_spreadsheets_error_is_known(text: str) -> None:
    """Also in lower case, and as a column that was too narrow shows it."""
    assert is_spreadsheet_error(text)


@pytest.mark.parametrize("text", ["#1", "# heading", "N/A", "NA", "##", "C#", "#REF! and more"])
def test_a_text_with_a_hash_is_no_error(text: str) -> None:
    """Only a whole cell counts."""
    assert not is_spreadsheet_error(text)


def test_an_undamaged_text_has_no_damage() -> None:
    """Nothing is made up."""
    assert damage("acme") is None


def test_half_a_character_is_seen() -> None:
    """UTF-8 cannot carry it."""
    assert has_surrogate("a\ud800")
    assert not has_surrogate("a\U0001f600")


def test_joiners_are_not_misleading() -> None:
    """Persian and emoji need them."""
    assert has_misleading("a\u202eb")
    assert not has_misleading("a\u200db")
