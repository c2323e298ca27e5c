"""A summary for a pull request: short, and nothing that people typed is markup, a link, or a mention in it."""

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from batchconnect.ledger.entry import RunEnded, Settled
from batchconnect.model.outcome import Created, Failed
from batchconnect.reports.markdown import MOST_ROWS, code, render
from batchconnect.reports.summary import Summary
from tests.reports.page_run import OPENED, bad_day, planned, summed_up, verified_day


def text(summary: Summary) -> str:
    return b"".join(render(summary)).decode()


def test_a_run_that_went_well_is_a_few_lines() -> None:
    """Command, run, numbers; no list of rows."""
    summary = summed_up(
        (0, 2, planned("Acme")),
        (1, 2, Settled(outcome=Created(connection_id="c"))),
        (2, RunEnded(exit_code=0)),
        opened=replace(OPENED, note="CHG-7 @all"),
    )

    told = text(summary)

    assert told.startswith(f"### run `{OPENED.run_id}`: 1 row, exit code 0\n")
    assert "| created | 1 |" in told
    assert "`CHG-7 @all`" in told
    assert "<details>" not in told


def test_what_a_person_has_to_look_at_is_listed_up_to_a_number() -> None:
    """Causes first, with their remedies; then the rows, folded, and how many more there are."""
    summary = bad_day(600)

    told = text(summary)

    unfinished = sum(1 for row in summary.rows() if row.hint)
    assert f"**{summary.incidents[0].title}**" in told
    assert unfinished > MOST_ROWS
    assert told.count("\n| ") < MOST_ROWS + 20
    assert "more: see `failed.csv`" in told
    assert len(told) < 65_536


def test_tests_and_the_sweep_are_told() -> None:
    """As far as there is something to tell."""
    assert "Works: " in text(verified_day(50))
    assert "Works: " not in text(bad_day(50))


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("Acme | Süd", "`Acme \\| Süd`"),
        ("@everyone #1", "`@everyone #1`"),
        ("a `b` c", "``a `b` c``"),
        ("`", "`` ` ``"),
        ("line\none", "`line one`"),
        ("", ""),
    ],
)
def test_a_typed_text_is_code(typed: str, shown: str) -> None:
    assert code(typed) == shown


@given(st.text(max_size=40))
def test_no_text_breaks_out_of_its_cell(typed: str) -> None:
    """Whatever stands in it: it is one line, and its bars are escaped."""
    shown = code(typed)

    assert len(shown.splitlines()) <= 1
    assert "|" not in shown.replace("\\|", "")


def test_a_service_that_sends_markup_is_quoted() -> None:
    """Its words stand in titles too."""
    summary = summed_up(
        (0, 2, planned("Acme")),
        (1, 2, Settled(outcome=Failed(code="X-1", detail="<img src=x> @team"))),
    )

    told = text(summary)

    assert "`<img src=x> @team`" in told
    assert "<img" not in told.replace("`<img src=x> @team`", "")
