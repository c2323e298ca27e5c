"""The template: what a person starts from must be a sheet."""

import csv
import io
from pathlib import Path

from batchconnect.row import Column
from batchconnect.sheet import open_sheet
from batchconnect.template import is_template_row, render_csv


def test_the_template_is_a_sheet_without_rows(tmp_path: Path) -> None:
    """Left as it is, its notes and its example are skipped."""
    path = tmp_path / "template.csv"
    path.write_bytes(render_csv())
    path.chmod(0o600)

    sheet = open_sheet(path)

    assert list(sheet.rows()) == []
    assert (2, (), list(Column)) == (sheet.blank_rows, sheet.warnings, list(sheet.header.columns))


def test_a_row_below_the_example_is_a_row(tmp_path: Path) -> None:
    """Nobody has to delete the example first."""
    path = tmp_path / "template.csv"
    path.write_bytes(render_csv() + b"Acme,,e,d,t,i,k,o,s\r\n")

    assert [row.number for row in open_sheet(path).rows()] == [4]


def test_the_template_opens_well_in_excel() -> None:
    """A byte order mark, and as many cells in each row as there are columns."""
    raw = render_csv()
    rows = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline="")))

    assert raw.startswith(b"\xef\xbb\xbf")
    assert [len(Column)] * 3 == [len(row) for row in rows]
    assert [is_template_row(row[0]) for row in rows] == [False, True, True]


def test_a_cell_without_text_is_no_template_row() -> None:
    """A number as a name is judged elsewhere."""
    assert not is_template_row(7)
