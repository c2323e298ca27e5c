"""When a secret ends, as stores write it."""

import pytest

from batchconnect.stores.field import ends_at_ms


@pytest.mark.parametrize(
    ("text", "at_ms"),
    [
        ("2027-01-31T00:00:00Z", 1_801_353_600_000),
        ("2027-01-31T01:00:00+01:00", 1_801_353_600_000),
        ("2027-01-31T00:00:00.123456789Z", 1_801_353_600_123),
        ("2027-01-31T00:00:00", None),
        ("2027-01-31", None),
        ("soon", None),
        ("", None),
        (None, None),
        (1_801_353_600, None),
    ],
)
def test_a_moment_is_one_with_an_offset(text: object, at_ms: int | None) -> None:
    """Without it the same text would be another moment on each machine."""
    assert ends_at_ms(text) == at_ms
