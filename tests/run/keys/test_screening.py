"""Keys in carried columns, headers, names and notes reach no ledger: the sheet is looked through before."""

from pathlib import Path

import openpyxl
import pytest

from batchconnect.model.errors import SheetError, UsageError
from batchconnect.run.keys.screening import screen
from batchconnect.sheet import MemorySheet, Sheet, open_sheet

ENTRA = "Zx48Q~vR9mK2pLw7TnYc5BdFhJs0QeUiOaGt6xZ."
KEY = "planted~secret.value-1"
COLUMNS = "name,endpoint,database,tenant,servicePrincipalId,servicePrincipalKey"
ROW = "Acme,https://a.eu.kusto.windows.net,db,a.com,0d1ff3c1-7c0a-4b0e-9d7e-2f1f6b8f3a11," + KEY


def sheet_of(
    folder: Path, *, header: str = "", cells: tuple[str, ...] = ("",), name: str = "clients.csv"
) -> Sheet:
    path = folder / name
    lines = [f"{COLUMNS},{header}", *(f"{ROW},{cell}" for cell in cells)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return open_sheet(path)


@pytest.mark.parametrize("header", ["remark", "backup", "cred", "пароль", "zzz"])
@pytest.mark.parametrize("cell", [KEY, f" {KEY}", ENTRA, f"see {ENTRA}"])
def test_a_carried_column_with_a_key_is_left_out_as_a_whole(
    tmp_path: Path, header: str, cell: str
) -> None:
    """One cell is enough, in the last row too; the others of it are read no more."""
    sheet = sheet_of(tmp_path, header=f"ticket,{header}", cells=("T1,fine", f"T2,{cell}"))

    screen(sheet)

    assert sheet.header.carried == ("ticket",)
    assert [row.carried for row in sheet.rows()] == [("T1",), ("T2",)]
    (warning,) = sheet.warnings[-1:]
    assert f"column H (`{header}`) holds a key" in warning
    assert cell.strip() not in warning


def test_what_is_no_key_is_carried(tmp_path: Path) -> None:
    """Not a word is said."""
    sheet = sheet_of(tmp_path, header="ticket,note", cells=("T1,fine",))
    told = sheet.warnings

    screen(sheet, note="CHG-1")

    assert (sheet.header.carried, sheet.warnings) == (("ticket", "note"), told)


@pytest.mark.parametrize("header", [KEY, ENTRA])
def test_a_header_that_is_a_key_is_told_nowhere(tmp_path: Path, header: str) -> None:
    """Its column is left out, its letter is named."""
    sheet = sheet_of(tmp_path, header=header, cells=("x",))

    screen(sheet)

    assert sheet.header.carried == ()
    assert not any(header in warning for warning in sheet.warnings)
    assert any("column G" in warning for warning in sheet.warnings)


@pytest.mark.parametrize("note", [KEY, ENTRA, f"for {ENTRA}"])
def test_a_note_that_holds_a_key_stops_the_run(tmp_path: Path, note: str) -> None:
    """Before its first line is written; the message does not repeat it."""
    with pytest.raises(UsageError, match="--note holds a key") as caught:
        screen(sheet_of(tmp_path), note=note)

    assert note not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("name", [f"{KEY}.csv", f"{ENTRA}csv"])
def test_a_file_whose_name_holds_a_key_is_refused(tmp_path: Path, name: str) -> None:
    """The ledger keeps its path, and cannot keep this one."""
    with pytest.raises(SheetError, match="file, folder or tab holds a key") as caught:
        screen(sheet_of(tmp_path, name=name))

    assert KEY not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("title", [KEY, f"keys of {KEY}"])
def test_a_tab_whose_name_holds_a_key_is_refused(tmp_path: Path, title: str) -> None:
    """Ledger, log and reports tell a sheet with its tab."""
    book = openpyxl.Workbook()
    tab = book.worksheets[0]
    tab.title = title
    tab.append(COLUMNS.split(","))
    tab.append(ROW.split(","))
    book.save(tmp_path / "clients.xlsx")

    with pytest.raises(SheetError, match="file, folder or tab holds a key") as caught:
        screen(open_sheet(tmp_path / "clients.xlsx"))

    assert KEY not in f"{caught.value} {caught.value.hint}"


def test_rows_of_a_program_are_screened_too() -> None:
    """Mappings have carried columns as files have."""
    row = dict(zip(COLUMNS.split(","), ROW.split(","), strict=True))
    sheet = MemorySheet([{**row, "backup": KEY, "ticket": "T1"}])

    screen(sheet)

    assert sheet.header.carried == ("ticket",)
    assert "backup" in sheet.warnings[-1]
