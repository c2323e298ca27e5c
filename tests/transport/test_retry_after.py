"""`Retry-After` is obeyed in both of its forms, and never trusted."""

import pytest

from batchconnect.transport.retry_after import retry_after_s

DATE = "Mon, 23 Nov 2026 16:15:30 GMT"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("300", 300.0),
        ("2400", 2400.0),
        ("86400", 86400.0),
        ("Mon, 23 Nov 2026 16:15:37 GMT", 7.0),
        ("Monday, 23-Nov-26 16:15:37 GMT", 7.0),
        ("Tue, 24 Nov 2026 16:15:30 GMT", 86400.0),
    ],
)
def test_seconds_and_dates_are_read_whole(value: str, seconds: float) -> None:
    """A number counts from now, a date from the answer's own date; a day is the most."""
    assert seconds == retry_after_s({"retry-after": value, "date": DATE})


@pytest.mark.parametrize(
    "value",
    [
        "",
        "0",
        "-7",
        "+7",
        "7.5",
        "1e3",
        "soon",
        "७",
        "9" * 16,
        "86401",
        "31536000",
        "Tue, 23 Nov 2027 16:15:37 GMT",
        DATE,
        "Mon, 23 Nov 2026 16:15:29 GMT",
        "Mon, 99 Nov 2026 16:15:29 GMT",
        "Mon, 23 Nov 99999 16:15:29 GMT",
        "\x00",
    ],
)
def test_what_is_past_negative_malformed_or_beyond_a_day_counts_as_absent(value: str) -> None:
    """Nothing is read into garbage, and nothing raises."""
    assert retry_after_s({"retry-after": value, "date": DATE}) is None


def test_no_header_is_none() -> None:
    """No demand, no wait."""
    assert retry_after_s({}) is None


@pytest.mark.parametrize("date", ["", "yesterday"])
def test_a_date_without_a_date_to_measure_it_by_counts_as_absent(date: str) -> None:
    """Our own clock may be hours off, so it is never asked."""
    assert retry_after_s({"retry-after": "Mon, 23 Nov 2026 16:15:37 GMT", "date": date}) is None
