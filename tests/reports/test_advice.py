"""Advice whose commands may be pasted as they stand."""

import pytest

from batchconnect.reports.advice import with_place

KEPT = ("--only", "org=acme inc", "--on-doubt", "hold", "--settle-first")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Wait.", "Wait."),
        (
            "Run `batchconnect rerun` then.",
            "Run `batchconnect rerun --only 'org=acme inc' --on-doubt hold --settle-first --reports r` then.",
        ),
        (
            "`batchconnect rerun --on-doubt resend` does.",
            "`batchconnect rerun --on-doubt resend --only 'org=acme inc' --settle-first --reports r` does.",
        ),
        ("See `batchconnect orgs`.", "See `batchconnect orgs --reports r`."),
        ("`batchconnect template` makes one.", "`batchconnect template` makes one."),
    ],
)
def test_a_rerun_is_given_what_it_does_not_remember_and_every_command_its_place(
    text: str, told: str
) -> None:
    """What an advice says itself is not said against it."""
    assert with_place(text, place=["--reports", "r"], kept=KEPT) == told


def test_an_option_that_would_end_the_command_early_is_not_written_into_advice() -> None:
    """A backtick is where a reader, and this code, takes a command to end."""
    assert (
        with_place("`batchconnect rerun`", place=[], kept=["--note", "`"]) == "`batchconnect rerun`"
    )
