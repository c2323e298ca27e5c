"""Over several sheets, whatever a program gets tells each row by its own number, its sheet and its tab."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import openpyxl
import pytest

import batchconnect
from batchconnect import RowPlace, RunOptions
from batchconnect.events import Event, RowSettled
from batchconnect.model.column import Column
from batchconnect.model.row import Header, SeveralHeaders
from batchconnect.model.row_place import BITS, Places, numbered
from batchconnect.run.intake.findings import FindingKinds
from batchconnect.validation.finding import error, located
from tests.acceptance.practice import Practice
from tests.command_line import CommandLine, cells, many

FAST = RunOptions(rate=200.0, settle=0.3, all_worksheets=True)
PATHS = ["a.csv", "b.xlsx"]


@pytest.fixture
def places(place: CommandLine) -> list[tuple[int, str, str]]:
    """Three sheets in two files, the second row of the last one wrong; where the rows stand, in order."""
    place.sheet(many(2), "a.csv")
    made = openpyxl.Workbook()
    made.remove(made.worksheets[0])
    for tab, rows in {
        "EMEA": [cells(10), cells(11)],
        "APAC": [cells(20), cells(21, database="")],
    }.items():
        sheet = made.create_sheet(tab)
        for line in [list(rows[0]), *(list(row.values()) for row in rows)]:
            sheet.append(line)
    made.save("b.xlsx")
    Path("b.xlsx").chmod(0o600)
    tabs = [("a.csv", ""), ("b.xlsx", "EMEA"), ("b.xlsx", "APAC")]
    return [(number, *tab) for tab in tabs for number in (2, 3)]


def where(at: Any) -> tuple[int, str, str]:
    return at.row, at.sheet, at.worksheet


def numbers_in(value: object) -> Iterator[int]:
    """Every whole number that a value holds, its keys and tables too."""
    if isinstance(value, int):
        yield value
    elif is_dataclass(value):
        for field in fields(value):
            yield from numbers_in(getattr(value, field.name))
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from numbers_in(key)
            yield from numbers_in(one)
    elif isinstance(value, list | tuple | set | frozenset):
        for one in value:
            yield from numbers_in(one)


def nobody_is_told_an_inner_number(*values: Any) -> None:
    """Neither in a field, nor as it prints, nor in its table or frame."""
    for value in values:
        # A time, or a digest, is larger than a place among these sheets can make a number.
        told = [n for n in numbers_in(value) if 1 << BITS <= n < 8 << BITS]
        assert told == [], value
        texts = [repr(value)]
        if hasattr(value, "to_pandas"):
            texts += [value._repr_html_(), value.to_pandas().to_csv()]
        for inner in (numbered(place, row) for place in (1, 2) for row in (1, 2, 3, 4)):
            assert not any(str(inner) in text for text in texts)


def test_validate_and_plan_tell_number_sheet_and_tab(
    practice: Practice, places: list[tuple[int, str, str]]
) -> None:
    """In their values, in the table of a notebook and in the frame."""
    found = batchconnect.validate_sync(PATHS, options=FAST)
    plan = batchconnect.plan_sync(PATHS, options=FAST)

    assert [where(at) for at in found.rejected] == [where(at) for at in plan.rejected]
    assert [where(at) for at in found.rejected] == [places[5]]
    assert {where(at) for at, one in found.problems if one.column == "database"} == {places[5]}
    assert [str(at) for at in found.rejected] == ["row 3 of b.xlsx#APAC"]
    assert [where(row.at) for row in plan.rows] == places[:5]
    assert [row.plan.row for row in plan.rows] == [2, 3, 2, 3, 2]
    assert "<td>3 of b.xlsx#APAC</td>" in found._repr_html_()
    assert "<td>3 of b.xlsx#APAC</td>" in plan._repr_html_()
    frame = plan.to_pandas()
    assert list(zip(frame["row"], frame["sheet"], frame["worksheet"], strict=True)) == places
    assert set(found.to_pandas()["worksheet"]) == {"APAC"}
    nobody_is_told_an_inner_number(found, plan)


def test_a_run_and_what_follows_it_tell_number_sheet_and_tab(
    practice: Practice, places: list[tuple[int, str, str]]
) -> None:
    """The report, its events, a verify and an undo."""
    heard: list[Event] = []
    named: dict[str, Any] = {"reports": "r", "on_event": heard.append}
    options = RunOptions(rate=200.0, settle=0.3, all_worksheets=True, skip_invalid=True)

    report = batchconnect.onboard_sync(PATHS, options=options, **named)
    undo = batchconnect.undo_sync(
        report.run_id, reports="r", options=RunOptions(rate=200.0, settle=0.3)
    )

    assert [where(row) for row in report.rows] == places
    settled = [event.at for event in heard if isinstance(event, RowSettled)]
    assert {where(at) for at in settled} >= set(places[:5])
    assert [where(row) for row in undo.rows] == places[:5]
    assert "<td>3 of b.xlsx#APAC</td>" in report._repr_html_()
    # The places among its events are the run's own: their numbers are no row's.
    nobody_is_told_an_inner_number(report, undo, *heard)


def test_a_column_that_one_of_the_sheets_lacks_is_told_by_its_row() -> None:
    """It has no cell there; its row and sheet are named all the same, and never an inner number."""
    full, short = (
        Header(row_number=1, columns={Column.SANDBOX: 0}),
        Header(row_number=1, columns={}),
    )
    both = SeveralHeaders(
        row_number=1, columns=full.columns, parts=(full, short), labels=("a.csv", "c.csv")
    )
    problem = error(Column.SANDBOX, "no_sandbox", "it is blank", "Fill it in.")
    kinds = FindingKinds()
    for number in (numbered(0, 2), numbered(1, 2)):
        for one in located([problem], both, number):
            kinds.add(number, one)
    kinds.add(numbered(1, 3), problem)

    (kind,) = kinds.sorted()
    assert kind.where == "a.csv!A2, c.csv!2:2, row 3"


def test_a_place_says_itself() -> None:
    """Of one sheet the number says it."""
    assert str(RowPlace(12)) == "row 12"
    assert str(Places(("a.csv",)).at(12)) == "row 12"
    two = Places(("a.csv", "b.xlsx#EMEA"), ("", "EMEA"))
    assert str(two.at(numbered(1, 12))) == "row 12 of b.xlsx#EMEA"
