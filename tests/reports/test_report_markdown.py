"""A summary for a pull request: short, and nothing that people typed is markup, a link, or a mention in it."""

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from batchconnect.ledger.entry import RunEnded, Settled, SweepDone
from batchconnect.model.event import Swept
from batchconnect.model.outcome import Created, Failed
from batchconnect.model.row_place import numbered
from batchconnect.reports.markdown import MOST_ROWS, code, plain, render
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


@pytest.mark.parametrize(
    ("is_complete", "missing"), [(True, "1 missing"), (False, "an unknown number missing")]
)
def test_a_sweep_that_found_trouble_is_told_in_one_line(is_complete: bool, missing: str) -> None:
    """Duplicates are what a person must know of first; what was not read whole proves nothing missing."""
    swept = Swept(
        expected=3, found=2, duplicated=("bc1-a",), missing=("bc1-b",), wrong_id=("bc1-c", "bc1-d"),
        complete=is_complete,
    )  # fmt: skip
    told = text(
        summed_up(
            (0, 2, planned("Acme")),
            (1, 2, Settled(outcome=Created(connection_id="c"))),
            (2, SweepDone(event=swept)),
            (3, RunEnded(exit_code=6)),
        )
    )

    assert f"**Sweep**: 3 expected, 2 found, 1 duplicated, {missing}, 2 with a wrong id." in told


def test_a_row_of_several_sheets_names_its_tab_and_no_tab_is_markup() -> None:
    """The name of a tab comes with the sheet, from somebody else."""
    sheets = ("a.csv", "b.xlsx#@all | <b>EMEA</b>")
    summary = summed_up(
        (0, numbered(1, 7), planned("Acme")),
        (1, numbered(1, 7), Settled(outcome=Failed(code="refused", detail="It is not allowed."))),
        (2, RunEnded(exit_code=4)),
        opened=replace(OPENED, sheets=sheets),
    )

    (line,) = (line for line in text(summary).splitlines() if line.startswith("| 7 of"))
    assert line.startswith("| 7 of b.xlsx\\#\\@all \\| \\<b\\>EMEA\\</b\\> | failed |")


def test_a_sentence_with_a_mark_of_code_that_is_never_closed_is_no_code() -> None:
    assert plain("a ` and *b*") == "a \\` and \\*b\\*"
