"""What is told by its name, and what may be a secret that stands where a name belongs."""

from pathlib import Path

import pytest

from batchconnect.model.likely_name import is_likely_name, is_likely_path, is_likely_variable

KEY = "Zx48Q~vR9mK2pLw7TnYc5BdFhJs0QeUiOaGt6xZ."


@pytest.mark.parametrize(
    "text", ["acme", "Acme Süd (EU)", "client-2026", "A" * 33, "Contoso-2026-Prod"]
)
def test_names_as_people_give_them(text: str) -> None:
    """Words, with numbers; a short one may be mixed."""
    assert is_likely_name(text)


@pytest.mark.parametrize(
    "text", ["", KEY, "a~b", "x" * 61, "aB3dEf6hIjK1mNo9qRsTu", "two\nlines", "p%ss"]
)
def test_what_may_be_a_secret(text: str) -> None:
    """Signs that no name has, a long jumble, the shape of Entra's."""
    assert not is_likely_name(text)


def test_a_variable_is_a_word_of_letters_digits_and_underscores() -> None:
    """As a shell can set it."""
    assert is_likely_variable("ACME_SECRET_2")
    assert not is_likely_variable("s3cret-Value")
    assert not is_likely_variable("2SECRETS")
    assert not is_likely_variable("aB3dEf6hIjK1mNo9qRsTu")


def test_a_path_is_told_where_each_part_of_it_is_a_name() -> None:
    """A mixed name without an ending may be the secret itself, put where its file belongs."""
    for text in ("/run/secrets/acme", "~/acme.key", "~ann/acme-1", "conf/Acme2.secret"):
        assert is_likely_path(Path(text)), text
    for text in (KEY, f"/run/{KEY}", "conf/Geheim-77aa", f"conf/{KEY}/x"):
        assert not is_likely_path(Path(text)), text
