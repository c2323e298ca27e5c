"""What every result shows: a line, a table in a notebook, a frame; and an error where that is wanted."""

import csv
import io
from typing import Any

import pandas as pd
import pytest

import batchconnect
from batchconnect import Report, RunOptions, Secret, Status, UnfinishedError
from batchconnect.api.shown import Shown
from batchconnect.reports.csv import unquote_formula
from tests.acceptance.practice import Practice
from tests.command_line import CLIENT_SECRET, CommandLine, cells, many

FAST = RunOptions(rate=200.0, skip_invalid=True)
HOSTILE = "<b>Müller & Söhne</b>"
ROWS = [
    cells(1, name=HOSTILE, wave="=1+1", row="x"),
    cells(2, database="", wave="001", row=""),
    cells(3, wave="NA", row="7"),
]


@pytest.fixture
def report(practice: Practice) -> Report:
    """Two rows that were created, and a wrong one; its files are in `r`."""
    return batchconnect.onboard_sync(ROWS, reports="r", options=FAST)


def test_the_frame_is_results_csv_cell_by_cell(report: Report) -> None:
    """Its columns, those that the sheet carries too, in its order; only typed, and with no formula quoted."""
    assert report.folder is not None
    text = (report.folder / "results.csv").read_text("utf-8-sig")
    head, *lines = csv.reader(io.StringIO(text))
    frame = report.to_pandas()

    assert list(frame.columns) == head
    assert head[-2:] == ["wave", "row_sheet"]
    for (_, series), line in zip(frame.iterrows(), lines, strict=True):
        assert [told(value) for value in series] == [unquote_formula(cell) for cell in line]


def told(value: Any) -> str:
    """A value as the file writes it."""
    if value is None or value is pd.NA or value != value:  # noqa: PLR0124 - NaN
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_a_frame_without_rows_has_its_columns_all_the_same(practice: Practice) -> None:
    """Whoever joins it asks for them."""
    header: dict[str, object] = dict.fromkeys(cells(1), "")
    report = batchconnect.onboard_sync([header], options=FAST)

    assert len(report.to_pandas()) == 0
    assert "connection_id" in report.to_pandas().columns


def results(report: Report) -> list[Shown]:
    """One of each kind, all of which have something to tell."""
    named: dict[str, Any] = {"reports": "r", "options": FAST}
    fast = RunOptions(rate=200.0)
    return [
        report,
        batchconnect.validate_sync(ROWS),
        batchconnect.plan_sync(ROWS, **named),
        batchconnect.export_sync(sandboxes=["dev"], options=fast),
        batchconnect.export_sync(against=ROWS, options=fast),
        batchconnect.undo_sync(report.run_id, reports="r", options=fast),
        batchconnect.orgs_sync(options=RunOptions(sandbox="dev")),
    ]


def test_every_result_is_a_line_and_a_table(report: Report) -> None:
    """In one line, without a secret; and what a sheet holds is no markup of the notebook's page."""
    for one in results(report):
        line, html = repr(one), one._repr_html_()
        assert "\n" not in line
        assert line.startswith(f"<{type(one).__name__}: ")
        assert "<b>" not in html
        assert CLIENT_SECRET not in line + html + one.to_pandas().to_csv()
        assert html.count("<table>") <= 1
    assert any("&lt;b&gt;M" in one._repr_html_() for one in results(report))


def test_a_line_tells_how_it_went(report: Report) -> None:
    plan = batchconnect.plan_sync(ROWS, reports="r", options=FAST)

    assert repr(report) == (
        f"<Report: {report.run_id}: 3 rows: 2 created, 1 rejected; exit code 4>"
    )
    assert repr(plan) == "<Plan: 3 rows: 2 existing, 1 rejected; nothing was sent>"
    assert repr(batchconnect.validate_sync(ROWS)) == "<Validation: rows: 2 fine, 1 rejected>"


def test_a_notebook_s_table_shows_what_a_person_has_to_look_at(practice: Practice) -> None:
    """The rows that are not done, at most twenty; how many more there are is said."""
    wrong = [cells(number, database="") for number in range(30)]
    html = batchconnect.onboard_sync([cells(31), *wrong], options=FAST)._repr_html_()

    assert html.count("<tr>") == 1 + 20
    assert "and 10 more" in html
    assert "Client 031" not in html


def test_raise_for_failures_raises_what_the_command_would_end_with(report: Report) -> None:
    """With its code, its line, and what to do."""
    with pytest.raises(UnfinishedError, match="1 rejected") as caught:
        report.raise_for_failures()

    assert caught.value.exit_code == 4
    assert caught.value.hint == report.incidents[0].hint


def test_raise_for_failures_hands_on_what_is_well(practice: Practice) -> None:
    """So that it may stand behind the call; a canary that stopped as asked is no failure."""
    options = RunOptions(rate=200.0, max_rows=1)
    canary = batchconnect.onboard_sync(many(2), reports="r", options=options)
    whole = batchconnect.onboard_sync(many(2), reports="r", options=FAST).raise_for_failures()

    assert canary.raise_for_failures() is canary
    assert canary.exit_code == 8
    assert whole.counts[Status.EXISTING] + whole.counts[Status.CREATED] == 2


def test_every_failing_result_raises(report: Report) -> None:
    """Each kind of them."""
    for one in results(report):
        if one.exit_code:
            with pytest.raises(UnfinishedError) as caught:
                one.raise_for_failures()
            assert caught.value.exit_code == one.exit_code
        else:
            assert one.raise_for_failures() is one
    assert {type(one).__name__ for one in results(report) if one.exit_code} >= {
        "Report",
        "Validation",
        "Plan",
        "Export",
    }


def test_an_export_is_a_sheet_that_makes_the_same(report: Report, practice: Practice) -> None:
    """Its frame, with the keys filled in, finds the connections that it tells of."""
    frame = batchconnect.export_sync(sandboxes="dev", options=RunOptions(rate=200.0)).to_pandas()
    frame["servicePrincipalKey"] = "FAKE~key"
    plan = batchconnect.plan_sync(frame, options=RunOptions(rate=200.0, sandbox="dev"))

    assert list(frame["name"]) == [HOSTILE, "Client 003"]
    assert list(frame["from_sandbox"]) == ["dev", "dev"]
    assert plan.counts == {"existing": 2}


def test_a_secret_may_be_handed_over_as_one(practice: Practice) -> None:
    """It is sent, and shown nowhere."""
    rows = [{**cells(1), "servicePrincipalKey": Secret("FAKE~planted.key-1")}]
    report = batchconnect.onboard_sync(rows, options=FAST)

    assert report.exit_code == 0
    assert "planted" not in f"{report!r}{report.rows}{report._repr_html_()}"


def test_an_undo_shows_what_it_would_do_and_then_its_report(report: Report) -> None:
    """First the connections and the number to agree to; then what became of each."""
    shown = batchconnect.undo_sync(report.run_id, reports="r", options=RunOptions(rate=200.0))
    done = batchconnect.undo_sync(
        report.run_id, yes=shown.to_delete, reports="r", options=RunOptions(rate=200.0)
    )
    again = batchconnect.undo_sync(
        report.run_id, yes=0, reports="r", options=RunOptions(rate=200.0)
    )

    assert (shown.to_delete, dict(shown.kept)) == (2, {})
    assert list(shown.to_pandas()["name"]) == [HOSTILE, "Client 003"]
    assert done.report is not None
    assert list(done.to_pandas()["status"]) == ["deleted", "deleted"]
    assert "deleted" in done._repr_html_()
    assert repr(done).startswith(f"<Undo: of {report.run_id}: ")
    assert "2 rows: 2 deleted; exit code 0>" in repr(done)
    assert (again.report, again.deleted_before) == (None, 2)


def test_a_kept_connection_is_counted_by_its_reason(report: Report, practice: Practice) -> None:
    practice.ask(
        lambda simulator: [simulator.others.use(one.id) for one in simulator.connections()]
    )
    shown = batchconnect.undo_sync(report.run_id, reports="r", options=RunOptions(rate=200.0))

    assert (shown.to_delete, shown.exit_code, dict(shown.kept)) == (0, 4, {"in_use": 2})


def test_orgs_are_as_many_as_the_settings_have_and_a_refusal_is_raised(
    practice: Practice, place: CommandLine
) -> None:
    """With its words, so that what raises is what helps."""
    well = batchconnect.orgs_sync()
    place.setenv(BATCHCONNECT_CLIENT_SECRET="FAKE~wrong")
    refused = batchconnect.orgs_sync()

    assert (len(well), well.raise_for_failures()) == (1, well)
    with pytest.raises(UnfinishedError) as raised:
        refused.raise_for_failures()
    assert raised.value.hint == next(iter(refused)).refusal


def test_a_rerun_of_a_run_that_needs_none_is_that_run_as_it_is(practice: Practice) -> None:
    """Nothing is opened; its report is at its place, where one was named."""
    first = batchconnect.onboard_sync(many(2), reports="r", options=FAST)
    again = batchconnect.rerun_sync(sheet=many(2), reports="r", options=FAST)
    nowhere = batchconnect.rerun_sync(sheet=many(2), ledger="r/ledger.sqlite3", options=FAST)

    assert (again.run_id, again.counts) == (first.run_id, first.counts)
    assert (again.folder, nowhere.folder) == (first.folder, None)
