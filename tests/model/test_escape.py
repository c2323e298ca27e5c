"""Text from a sheet or from the service cannot steer a terminal."""

import pytest

from batchconnect.model.escape import escape_control


@pytest.mark.parametrize("text", ["", "Acme, Inc. Telemetrie Süd", "日本 🔑", "a\\b"])
def test_what_a_person_reads_stays_as_it_is(text: str) -> None:
    """Letters of every script."""
    assert text == escape_control(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31m", "\\x1b[31m"),
        ("a\nb\rc\td", "a\\nb\\rc\\td"),
        ("\u202e", "\\u202e"),
        ("\u200b", "\\u200b"),
        ("\u2028", "\\u2028"),
        ("\ue000", "\\ue000"),
        ("\udcff", "\\udcff"),
        ("\x9b", "\\x9b"),
        ("Süd\x07", "Süd\\x07"),
    ],
)
def test_what_would_steer_a_terminal_is_shown_as_its_escape(text: str, shown: str) -> None:
    """Escapes, line ends, overrides of direction, what nobody sees."""
    assert shown == escape_control(text)
