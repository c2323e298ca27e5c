"""The template: what a person starts from must be a sheet."""

import csv
import io
import os
import stat
from pathlib import Path

import openpyxl
import pytest

from batchconnect.cli.commands import template as command
from batchconnect.cli.options import OutputOptions
from batchconnect.model.column import Column
from batchconnect.model.errors import SettingsError, UsageError
from batchconnect.model.secret import Secret
from batchconnect.reports.workbook.template import render_xlsx
from batchconnect.sheet import open_sheet
from batchconnect.sheet.template import is_template_row, render_csv


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


def template_book(path: Path, **names: list[str]) -> openpyxl.Workbook:
    path.write_bytes(render_xlsx(**names))
    path.chmod(0o600)
    return openpyxl.load_workbook(path)


def test_the_workbook_is_a_sheet_without_rows(tmp_path: Path) -> None:
    """Left as it is, its notes and its example are skipped, and nothing is warned of."""
    path = tmp_path / "template.xlsx"
    template_book(path, orgs=["acme"], sandboxes=["dev"])

    sheet = open_sheet(path)

    assert list(sheet.rows()) == []
    assert (sheet.blank_rows, sheet.warnings) == (2, ())
    assert list(sheet.header.columns) == list(Column)
    sheet.close()


def test_what_is_filled_in_below_arrives_as_typed(tmp_path: Path) -> None:
    """A person types into the first free row, saves, and that is the sheet."""
    path = tmp_path / "template.xlsx"
    book = template_book(path)
    typed = ["Acme", "", "https://a.b.kusto.windows.net", "007", "t", "1e5", "=key 1", "o", "s"]
    for cell, text in zip(book["connections"][4], typed, strict=True):
        cell.value, cell.data_type = text, "s"
    book.save(path)

    sheet = open_sheet(path)
    (row,) = sheet.rows()
    sheet.close()

    cells = [row.cells[column] for column in Column]
    assert [c.reveal() if isinstance(c, Secret) else c for c in cells] == typed
    assert row.number == 4


def test_every_column_is_text_down_to_the_last_row(tmp_path: Path) -> None:
    """So that Excel takes no zero and makes no number of what is typed or pasted."""
    tab = template_book(tmp_path / "t.xlsx")["connections"]

    formats = {
        position: dimension.number_format
        for dimension in tab.column_dimensions.values()
        for position in range(dimension.min or 0, (dimension.max or 0) + 1)
    }
    assert formats == dict.fromkeys(range(1, len(Column) + 1), "@")


def test_each_header_tells_what_belongs_below_it(tmp_path: Path) -> None:
    """Required ones are marked by a word and by their looks."""
    tab = template_book(tmp_path / "t.xlsx")["connections"]
    told = {cell.value: cell.comment.text for cell in tab[1] if cell.comment}
    looks = {cell.value: cell.fill.start_color.rgb for cell in tab[1]}

    optional = {column for column, text in told.items() if text.startswith("Optional. ")}
    assert optional == {"description", "org", "sandbox"}
    assert {column for column in told if told[column].startswith("Required. ")} == {
        str(column) for column in Column if column not in optional
    }
    assert len({looks[column] for column in optional}) == 1
    assert {looks[column] for column in optional}.isdisjoint(
        {looks[column] for column in told if column not in optional}
    )
    assert [str(cell.value).startswith("required: ") for cell in tab[2]] == [
        *(False, False, True, True, True, True, True, False, False)
    ]
    assert tab.freeze_panes == "B2"


def test_orgs_and_sandboxes_can_be_picked(tmp_path: Path) -> None:
    """However many there are; another name is warned of, not forbidden: it may be an alias."""
    orgs = [f"org, number {i}" for i in range(200)]
    book = template_book(tmp_path / "t.xlsx", orgs=orgs, sandboxes=["dev", "prod"])
    tab, lists = book["connections"], book["lists"]

    offered = {
        str(each.sqref): (each.formula1, each.errorStyle)
        for each in tab.data_validations.dataValidation
    }
    assert offered == {
        "H4:H1048576": ("lists!$A$1:$A$200", "warning"),
        "I4:I1048576": ("lists!$B$1:$B$2", "warning"),
    }
    assert lists.sheet_state == "hidden"
    assert [cell.value for cell in lists["A"]] == orgs


def test_without_settings_nothing_is_offered(tmp_path: Path) -> None:
    """An empty sheet needs none."""
    book = template_book(tmp_path / "t.xlsx", sandboxes=["dev"])

    assert [str(v.sqref) for v in book["connections"].data_validations.dataValidation] == [
        "I4:I1048576"
    ]
    assert template_book(tmp_path / "u.xlsx").sheetnames == ["connections"]


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, and no setting in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("BATCHCONNECT")]:
        monkeypatch.delenv(name)
    return tmp_path


def test_the_files_ending_decides(nowhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each is new, private, and said with the next command."""
    assert command.run(OutputOptions(), path=Path("t.csv")) == 0
    assert command.run(OutputOptions(), path=Path("my t.XLSX")) == 0

    assert (nowhere / "t.csv").read_bytes() == render_csv()
    assert openpyxl.load_workbook(nowhere / "my t.XLSX").sheetnames == ["connections"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in nowhere.iterdir()} == {0o600}
    assert "next:   fill it in, then: batchconnect validate 'my t.XLSX'" in capsys.readouterr().out


def test_without_a_path_it_is_csv_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    """For a pipe."""
    assert command.run(OutputOptions(), path=None) == 0
    assert capsys.readouterr().out.startswith("name,description,")


def test_another_ending_is_refused_with_both(nowhere: Path) -> None:
    """And nothing is written."""
    with pytest.raises(UsageError, match=r"\.csv or \.xlsx") as caught:
        command.run(OutputOptions(), path=Path("t.ods"))

    assert caught.value.hint == "batchconnect template t.xlsx"
    assert list(nowhere.iterdir()) == []


def test_what_a_person_filled_in_is_never_overwritten(nowhere: Path) -> None:
    """A link that leads nowhere counts as well."""
    (nowhere / "t.xlsx").write_text("mine")
    (nowhere / "u.csv").symlink_to("absent")

    for name in ("t.xlsx", "u.csv"):
        with pytest.raises(UsageError, match="exists already") as caught:
            command.run(OutputOptions(), path=Path(name))
        assert caught.value.hint is not None
    assert (nowhere / "t.xlsx").read_text() == "mine"
    assert not (nowhere / "absent").exists()


def test_a_folder_that_is_not_there_is_said(nowhere: Path) -> None:
    """It is named, and not made: it may be a slip of the hand."""
    with pytest.raises(UsageError, match="cannot be written: there is no folder"):
        command.run(OutputOptions(), path=nowhere / "absent" / "t.xlsx")


SETTINGS = """
[orgs.acme]
org_id = "5C1328435BF324E90A49402A@AdobeOrg"
client_id = "a"
client_secret = "env:NOT_SET"
sandbox = "prod"
[orgs.globex]
org_id = "AC1328435BF324E90A49402A@AdobeOrg"
client_id = "b"
client_secret = "env:NOT_SET"
sandbox = "prod"
"""


def test_the_orgs_of_the_settings_are_offered(nowhere: Path) -> None:
    """Offline: no secret is asked for; each name once."""
    settings = nowhere / "mine.toml"
    settings.write_text(SETTINGS)
    settings.chmod(0o600)

    command.run(OutputOptions(), path=Path("t.xlsx"), settings=settings)

    lists = openpyxl.load_workbook("t.xlsx")["lists"]
    assert list(lists.iter_rows(values_only=True)) == [("acme", "prod"), ("globex", None)]


def test_settings_that_nobody_named_may_be_broken(
    nowhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The empty sheet is written all the same; those that were named must be right."""
    settings = nowhere / "batchconnect.toml"
    settings.write_text("rate = 'fast'")
    settings.chmod(0o600)

    assert command.run(OutputOptions(), path=Path("t.xlsx")) == 0
    assert "no list of orgs is offered" in capsys.readouterr().err
    with pytest.raises(SettingsError):
        command.run(OutputOptions(), path=Path("u.xlsx"), settings=settings)
    assert not Path("u.xlsx").exists()
