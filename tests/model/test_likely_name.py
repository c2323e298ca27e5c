"""What is told by its name, and what may be a secret that stands where a name belongs."""

import pytest

from batchconnect.model.likely_name import is_likely_name

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
