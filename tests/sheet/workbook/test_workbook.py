"""Workbooks: text cells as typed, all else refused with its kind (faults 37, 45, 49, 50)."""

import datetime as dt
import io
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given, settings, strategies as st
from openpyxl.worksheet.worksheet import Worksheet

from batchconnect.model.column import Column
from batchconnect.model.errors import SheetError, UsageError
from batchconnect.model.row import NotText, Row
from batchconnect.sheet import open_sheet
from batchconnect.sheet.workbook.child import answers

pytestmark = pytest.mark.usefixtures("in_process")
NAMES = [str(column) for column in Column]
ROW = ["Acme", "", "https://a", "db", "t", "i", "FAKE~k", "acme", "prod"]
Workbook = Callable[..., Path]
Rewritten = Callable[[Path, Mapping[str, Callable[[bytes], bytes]]], Path]


def read(path: Path, worksheet: str | None = None) -> list[Row]:
    sheet = open_sheet(path, worksheet=worksheet)
    try:
        return list(sheet.rows())
    finally:
        sheet.close()


def refused(path: Path, worksheet: str | None = None) -> SheetError:
    with pytest.raises(SheetError) as caught:
        read(path, worksheet)
    assert caught.value.hint
    return caught.value


# What is white space alone, calamine shows as blank: such a key is refused, never changed.
cell = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1
).filter(
    lambda text: (
        not re.search("_x[0-9A-Fa-f]{4}_", text)
        and not text.startswith("=")
        and text.strip(" ") != ""
    )
)


@settings(max_examples=settings().max_examples * 3 // 5)
@given(rows=st.lists(st.lists(cell, min_size=9, max_size=9), min_size=1, max_size=5))
def test_any_text_arrives_byte_for_byte(rows: list[list[str]]) -> None:
    """In-process, for the sake of many examples."""
    book = openpyxl.Workbook()
    tab = book.worksheets[0]
    for number, row in enumerate([NAMES, *rows], start=1):
        for column, text in enumerate(row, start=1):
            tab.cell(number, column, text).data_type = "s"
    file = io.BytesIO()
    book.save(file)
    file.seek(0)

    told = [answer for answer in answers(file) if answer[0] == "row"]

    assert [row for _, _, row in told] == [NAMES, *rows]


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (7, "number", "7"),
        (7.5, "number", "7.5"),
        (1e20, "number", "100000000000000000000"),
        (True, "boolean", "TRUE"),
        (dt.date(2026, 1, 2), "date", "2026-01-02"),
        (dt.datetime(2026, 1, 2, 3, 4, 5), "date", "2026-01-02T03:04:05"),  # noqa: DTZ001 - as in a cell
        (dt.time(3, 4), "date", "03:04:00"),
        ("#N/A", "error", ""),
        ("=1+1", "formula", ""),
    ],
)
def test_a_cell_that_is_no_text_says_its_kind(
    workbook: Workbook, value: object, kind: str, text: str
) -> None:
    """In a column of ours; a carried one shows it as text."""
    row = ["Acme", "", "https://a", value, "t", "i", value, "acme", value, value]

    (found,) = read(workbook({"T": [[*NAMES, "since"], row]}))

    for column in (Column.DATABASE, Column.SERVICE_PRINCIPAL_KEY, Column.SANDBOX):
        assert found.cells[column] == NotText(kind)
    assert found.carried == (text,)


@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        (b'<c r="D2" t="str"><f>A1</f><v>db1</v></c>', "db1"),
        (b'<c r="D2" t="str"><f>A1</f><v></v></c>', ""),
        (b'<c r="D2" t="str"><f>A1</f></c>', NotText("formula")),
        (b'<c r="D2"><f>A1</f><v>4</v></c>', NotText("number")),
        (b'<c r="D2" t="b"><f>A1</f><v>1</v></c>', NotText("boolean")),
        (b'<c r="D2" t="e"><f>A1</f><v>#REF!</v></c>', NotText("error")),
        (b'<c r="D2" t="inlineStr"><is><r><t>d</t></r><r><t>b</t></r></is></c>', "db"),
        (b'<c r="D2" t="inlineStr"><is><t>_x005F_x0041_</t></is></c>', "_x0041_"),
        (b'<c r="D2" t="inlineStr"><is><t xml:space="preserve"> d  b </t></is></c>', " d  b "),
    ],
)
def test_a_cell_is_what_its_xml_says(
    workbook: Workbook, rewritten: Rewritten, xml: bytes, expected: object
) -> None:
    """A formula with a stored text is that text; one without is refused."""
    path = workbook({"T": [NAMES, ROW]})
    rewritten(path, {"sheet1.xml": lambda raw: re.sub(rb'<c r="D2".*?</c>', lambda _: xml, raw)})

    (row,) = read(path)

    assert row.cells[Column.DATABASE] == expected


def test_rows_and_columns_keep_the_spreadsheets_numbers(workbook: Workbook) -> None:
    """Blank rows above and between, blank columns before, a title: addresses are right."""
    pad = ["", ""]
    path = workbook(
        {
            "T": [
                [],
                ["", "", "Clients"],
                [],
                pad + NAMES,
                pad + ROW,
                [],
                pad + ROW,
                [" "],
                pad + ROW,
            ]
        }
    )
    sheet = open_sheet(path)

    assert [row.number for row in sheet.rows()] == [5, 7, 9]
    assert sheet.blank_rows == 2
    assert sheet.header.address(Column.SERVICE_PRINCIPAL_KEY, 7) == "I7"
    assert sheet.name == f"{path}#T"


def test_the_only_tab_with_our_columns_is_read(workbook: Workbook) -> None:
    """Notes and totals beside it do no harm."""
    path = workbook({"Notes": [["hello"]], "Clients": [NAMES, ROW], "Empty": []})

    assert open_sheet(path).name.endswith("#Clients")


def test_several_tabs_with_our_columns_need_a_choice(workbook: Workbook) -> None:
    """The error lists them; the option chooses, in any letter case."""
    path = workbook({"North": [NAMES, ROW], "South": [NAMES, ["Söhne", *ROW[1:]]]})

    error = refused(path)
    assert "2 tabs have our columns: `North`, `South`" in error.message
    assert '--worksheet "North"' in str(error.hint)
    assert [row.cells[Column.NAME] for row in read(path, "south")] == ["Söhne"]


def test_a_tab_that_is_not_there_is_named_with_the_nearest(workbook: Workbook) -> None:
    """And all there are."""
    error = refused(workbook({"Clients": [NAMES, ROW]}), "Client")

    assert "there is no tab `Client`" in error.message
    assert error.hint == "Is `Clients` meant? Its tabs are `Clients`."


def test_a_tab_that_is_asked_for_must_have_our_columns(workbook: Workbook) -> None:
    """The error is about that tab."""
    path = workbook({"Clients": [NAMES, ROW], "Notes": [["hello"]]})

    assert "#Notes: no header row" in refused(path, "Notes").message


def test_no_tab_with_our_columns_says_what_the_nearest_lacks(workbook: Workbook) -> None:
    """Or which tabs there are, where none comes near."""
    near = workbook({"A": [["x"]], "B": [[n for n in NAMES if n != "tenant"]]})
    assert "#B, row 1: the column is missing: `tenant`" in refused(near).message

    far = workbook({"A": [["x"]], "B": []})
    assert "no tab has our columns; its tabs are `A`, `B`" in refused(far).message


def test_a_tab_with_a_misspelt_header_is_noted(workbook: Workbook) -> None:
    """Spelt right, it would be read, or asked about; a tab of notes is nobody's business."""
    odd = ["Clustre adress" if name == "endpoint" else name for name in NAMES]

    sheet = open_sheet(workbook({"EMEA": [NAMES, ROW], "APAC": [odd, ROW], "Notes": [["name"]]}))

    assert sheet.name.endswith("#EMEA")
    (warning,) = sheet.warnings
    assert "the tab `APAC` has some of our columns, and is not read" in warning


def test_hidden_tabs_are_noted(workbook: Workbook) -> None:
    """A visible tab wins; a hidden one alone is read, and said."""

    def hide(tab: Worksheet) -> None:
        tab.sheet_state = "hidden" if tab.title.startswith("Old") else "visible"

    both = open_sheet(workbook({"Old": [NAMES, ROW], "New": [NAMES, ROW]}, hide))
    assert both.name.endswith("#New")
    assert "the hidden tab `Old` has our columns too" in both.warnings[0]

    alone = open_sheet(workbook({"Old": [NAMES, ROW], "Notes": []}, hide))
    assert "`Old`, which is read, is hidden" in alone.warnings[0]


def test_a_merged_cell_does_not_let_a_default_speak(workbook: Workbook) -> None:
    """What it covers looks filled in for a person, and is blank for a program."""
    path = workbook({"T": [["Clients"], NAMES, ROW, ROW, []]}, lambda t: t.merge_cells("I3:I4"))

    first, second = read(path)

    assert first.cells[Column.SANDBOX] == "prod"
    assert second.cells[Column.SANDBOX] == NotText("merged")


def test_a_row_that_is_covered_as_a_whole_is_blank(workbook: Workbook) -> None:
    """A merged title or remark spreads over rows without cells of their own."""
    path = workbook(
        {"T": [["Clients"], [], NAMES, ROW, ["Remark"], [], ROW]},
        lambda t: (t.merge_cells("A1:D2"), t.merge_cells("A5:I6"))[0],
    )

    assert [row.number for row in read(path)] == [4, 5, 7]


def test_a_column_without_header_is_not_read_and_said_once(workbook: Workbook) -> None:
    """As in a CSV."""
    sheet = open_sheet(workbook({"T": [[*NAMES, None, "team"], [*ROW, "x", "N"], [*ROW, "y"]]}))

    assert [row.carried for row in sheet.rows()] == [("N",), ("",)]
    (warning,) = sheet.warnings
    assert "row 2: column J has no header" in warning


def test_a_number_as_header_of_a_carried_column_is_fine(workbook: Workbook) -> None:
    """A year, a date."""
    sheet = open_sheet(workbook({"T": [[*NAMES, 2026], [*ROW, 12]]}))

    assert sheet.header.carried == ("2026",)
    assert [row.carried for row in sheet.rows()] == [("12",)]


def test_a_changed_workbook_is_not_read_again(workbook: Workbook) -> None:
    """As for a CSV; a place that is blank is none."""
    path = workbook({"T": [NAMES, ROW]})
    sheet = open_sheet(path)
    (row,) = sheet.rows()
    path.write_bytes(b"PK")

    with pytest.raises(SheetError, match="has changed"):
        sheet.at(row.offset)


def test_options_that_cannot_be_meant_are_usage_errors(workbook: Workbook, tmp_path: Path) -> None:
    """A tab of a text, an encoding of a workbook."""
    text = tmp_path / "a.csv"
    text.write_text(",".join(NAMES))

    with pytest.raises(UsageError, match="has no tabs"):
        open_sheet(text, worksheet="T")
    with pytest.raises(UsageError, match="is a workbook"):
        open_sheet(workbook({"T": [NAMES]}), encoding="cp1252")
