"""Rows that nobody sees: named, left out on demand, refused where warnings are errors."""

from collections.abc import Callable
from pathlib import Path

import pytest
from openpyxl.worksheet.worksheet import Worksheet

from batchconnect.model.column import Column
from batchconnect.model.errors import SheetError
from batchconnect.sheet import HiddenRows, open_sheet
from batchconnect.sheet.workbook.hidden_rows import listed

pytestmark = pytest.mark.usefixtures("in_process")
NAMES = [str(column) for column in Column]
ROW = ["Acme", "", "https://a", "db", "t", "i", "FAKE~k", "acme", "prod"]
Workbook = Callable[..., Path]


def hide(*numbers: int) -> Callable[[Worksheet], None]:
    def change(tab: Worksheet) -> None:
        for number in numbers:
            tab.row_dimensions[number].hidden = True

    return change


def test_hidden_rows_are_read_and_named_by_their_numbers(workbook: Workbook) -> None:
    """A filter that somebody left on must not be the reason why clients are created or are not."""
    sheet = open_sheet(workbook({"T": [NAMES, *[ROW] * 5]}, hide(3, 5, 6)))

    assert [row.number for row in sheet.rows()] == [2, 3, 4, 5, 6]
    (warning,) = sheet.warnings
    assert warning == (
        f"{sheet.name}: 3 rows are hidden or filtered out, so that nobody sees them, yet they are "
        "read like all others: rows 3, 5-6; --visible-only leaves them out"
    )


def test_visible_only_leaves_them_out_and_counts_them(workbook: Workbook) -> None:
    """A row that is left out is no blank row; what is left can be read again by its place."""
    path = workbook({"T": [NAMES, *[ROW] * 3]}, hide(3))
    sheet = open_sheet(path, hidden=HiddenRows.LEAVE_OUT)

    rows = list(sheet.rows())

    assert [row.number for row in rows] == [2, 4]
    assert [sheet.at(row.offset).number for row in rows] == [2, 4]
    assert sheet.blank_rows == 0
    (warning,) = sheet.warnings
    assert "1 hidden or filtered row is left out (--visible-only): row 3" in warning


def test_they_can_be_refused(workbook: Workbook) -> None:
    """Under `--strict`, as every warning."""
    with pytest.raises(
        SheetError, match=r"2 rows are hidden or filtered out.*: rows 2-3"
    ) as caught:
        open_sheet(workbook({"T": [NAMES, ROW, ROW]}, hide(2, 3)), hidden=HiddenRows.REFUSE)

    assert "--visible-only" in str(caught.value.hint)


def test_what_holds_no_row_of_ours_may_be_hidden(workbook: Workbook) -> None:
    """The header, a title, a blank row, the template's own notes."""
    rows = [["Clients"], NAMES, ["NOT SENT - notes"], [], ROW]
    sheet = open_sheet(workbook({"T": rows}, hide(1, 2, 3, 4)), hidden=HiddenRows.REFUSE)

    assert [row.number for row in sheet.rows()] == [5]
    assert not sheet.warnings


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ([4], "row 4"),
        ([4, 7, 8, 9], "rows 4, 7-9"),
        (list(range(2, 60, 2)), "rows 2, 4, 6, 8, 10, 12, 14, 16, 18, 20 and 19 more"),
    ],
)
def test_numbers_are_listed_for_a_person(numbers: list[int], text: str) -> None:
    """Ranges, and no more than ten of them."""
    assert listed(numbers) == text
