"""Several sheets, or tabs, as one: rows in the order given, each with its sheet's place and its own number."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from batchconnect.model.column import Column
from batchconnect.model.errors import SheetError, UsageError
from batchconnect.model.row_place import own_number, place_of
from batchconnect.sheet import open_sheets, renamed_by
from batchconnect.sheet.several import SeveralSheets, labels_of, parts_of, places_of
from tests.acceptance.place import cells


def csv_of(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    path.chmod(0o600)
    return path


def book_of(path: Path, tabs: Mapping[str, Sequence[Mapping[str, Any]]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in tabs.items():
        tab = book.create_sheet(name)
        for line in [list(rows[0]), *(list(row.values()) for row in rows)] if rows else [["notes"]]:
            tab.append(line)
    book.save(path)
    path.chmod(0o600)
    return path


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """A CSV of two rows, and a workbook with two tabs of ours and one of notes."""
    return (
        csv_of(tmp_path / "a.csv", [{**cells(n), "Manager": f"m{n}"} for n in (1, 2)]),
        book_of(
            tmp_path / "b.xlsx",
            {
                "EMEA": [{**cells(n), "Wave": "1"} for n in (10, 11)],
                "Notes": [],
                "APAC": [{"Wave": "2", **cells(20)}],
            },
        ),
    )


def test_rows_come_in_the_order_given_with_their_own_numbers(two: tuple[Path, Path]) -> None:
    """Sheet by sheet, tab by tab; each is found again by its place, and carries the columns of all."""
    sheet = open_sheets(two, every_worksheet=True)
    rows = list(sheet.rows())

    told = [(places_of(sheet).of(row.number)[1], own_number(row.number)) for row in rows]
    assert told == [("", 2), ("", 3), ("EMEA", 2), ("EMEA", 3), ("APAC", 2)]
    assert [place_of(row.number) for row in rows] == [0, 0, 1, 1, 2]
    assert sorted(row.number for row in rows) == [row.number for row in rows]
    assert sorted(row.offset for row in rows) == [row.offset for row in rows]
    assert sheet.header.carried == ("Manager", "Wave")
    assert [row.carried for row in rows] == [
        *(("m1", ""), ("m2", "")),
        *(("", "1"), ("", "1"), ("", "2")),
    ]
    for row in reversed(rows):
        assert sheet.at(row.offset) == row
    sheet.close()


def test_a_cell_is_named_with_its_sheet(two: tuple[Path, Path]) -> None:
    """By the header of its own sheet: the columns may stand elsewhere in each."""
    sheet = open_sheets(two, every_worksheet=True)
    numbers = [row.number for row in sheet.rows()]

    header = sheet.header
    assert header.address(Column.NAME, numbers[0]) == "a.csv!A2"
    assert header.address(Column.NAME, numbers[4]) == "APAC!B2"
    assert header.row_address(numbers[3]) == "EMEA!3:3"
    assert header.told(numbers) == "rows 2, 3 of a.csv, rows 2, 3 of EMEA, row 2 of APAC"
    sheet.close()


def test_one_sheet_stays_what_it_is(two: tuple[Path, Path]) -> None:
    """Its rows are numbered as they always were; so is the only tab that is asked for."""
    alone = open_sheets(two[:1])
    tab = open_sheets(two[1:], worksheets=["apac"])

    assert [row.number for row in alone.rows()] == [2, 3]
    assert alone.header.address(Column.NAME, 2) == "A2"
    assert (parts_of(alone), tab.name) == ((alone,), f"{two[1]}#APAC")
    assert not isinstance(tab, SeveralSheets)


def test_tabs_are_read_in_the_order_in_which_they_are_named(two: tuple[Path, Path]) -> None:
    """Twice is once; what `--all-worksheets` leaves out is said."""
    named = open_sheets(two[1:], worksheets=["APAC", "EMEA", "APAC"])
    every = open_sheets(two[1:], every_worksheet=True)

    assert [part.name.rpartition("#")[2] for part in parts_of(named)] == ["APAC", "EMEA"]
    assert any("`Notes` has not our columns, and is not read" in one for one in every.warnings)


def test_columns_that_are_left_out_of_one_sheet(two: tuple[Path, Path]) -> None:
    """A carried column that holds keys is read no more, in whichever sheet it stands."""
    sheet = open_sheets(two, every_worksheet=True)

    sheet.leave_out([0], warnings=["why"])

    assert sheet.header.carried == ("Wave",)
    assert [row.carried for row in sheet.rows()] == [("",), ("",), ("1",), ("1",), ("2",)]
    assert sheet.warnings.count("why") == 1


@pytest.mark.parametrize(
    ("sources", "options", "said"),
    [
        (["a.csv", "a.csv"], {}, "is named twice"),
        (["a.csv", "./a.csv"], {}, "is named twice"),
        (["a.csv", "-"], {}, "standard input stands alone"),
        (["a.csv"], {"worksheets": ["EMEA"]}, "is a text and has no tabs"),
        (["a.csv"], {"every_worksheet": True}, "is a text and has no tabs"),
        (["b.xlsx"], {"worksheets": ["EMEA"], "every_worksheet": True}, "exclude each other"),
        (["a.csv"], {"renamed": ["Kunde=nobody"]}, "no column of ours"),
        (["a.csv"], {"renamed": ["Kunde=name", "kunde=org"]}, "cannot mean `name` and `org`"),
    ],
)
def test_what_cannot_be_meant(
    two: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    sources: list[str],
    options: dict[str, Any],
    said: str,
) -> None:
    """Said before anything is read; nothing stays open."""
    monkeypatch.chdir(two[0].parent)

    with pytest.raises(UsageError, match=said):
        open_sheets(sources, **options)


def test_a_tab_that_one_of_the_files_lacks(two: tuple[Path, Path], tmp_path: Path) -> None:
    """It is named with its file, and the tabs that this has."""
    other = book_of(tmp_path / "c.xlsx", {"EMEA": [cells(30)]})

    with pytest.raises(SheetError, match=r"c\.xlsx: there is no tab `APAC`") as told:
        open_sheets([two[1], other], worksheets=["APAC"])

    assert "`EMEA`" in (told.value.hint or "")


def test_more_sheets_than_a_number_can_tell(tmp_path: Path) -> None:
    """A team ledger keeps a row's number in four bytes."""
    paths = [csv_of(tmp_path / f"{n}.csv", [cells(n)]) for n in range(128)]

    with pytest.raises(UsageError, match="fewer than 128"):
        open_sheets(paths)


def test_a_header_means_what_a_person_says(tmp_path: Path) -> None:
    """Before every word that we know, in a CSV and in a workbook; two for one column are refused."""
    odd = {("Nr." if name == "name" else name): value for name, value in cells(1).items()}
    text = csv_of(tmp_path / "odd.csv", [odd])
    book = book_of(tmp_path / "odd.xlsx", {"T": [odd]})
    both = csv_of(tmp_path / "both.csv", [{**cells(1), "Nr.": "x"}])

    for path in (text, book):
        (row,) = open_sheets([path], renamed=["nr=name"]).rows()
        assert row.cells[Column.NAME] == "Client 001"
        with pytest.raises(SheetError, match="name"):
            open_sheets([path])
    with pytest.raises(SheetError, match="both mean `name`"):
        open_sheets([both], renamed=["Nr.=name"])
    assert renamed_by(["A=B=client secret"]) == {"ab": Column.SERVICE_PRINCIPAL_KEY}


def test_labels_are_as_short_as_they_can_be() -> None:
    """A tab's or a file's name, where none is taken for another."""
    assert labels_of(["x/a.csv", "y/b.xlsx#EMEA"]) == ["a.csv", "EMEA"]
    assert labels_of(["b.xlsx#EMEA", "c.xlsx#emea"]) == ["b.xlsx#EMEA", "c.xlsx#emea"]
    assert labels_of(["x/a.csv", "y/a.csv"]) == ["x/a.csv", "y/a.csv"]
