"""Keys in carried columns, headers, names and notes reach no ledger: the sheet is looked through before."""

import csv
from pathlib import Path

import openpyxl
import pytest

from batchconnect.model.errors import SheetError, UsageError
from batchconnect.run.keys.screening import screen
from batchconnect.sheet import MemorySheet, Sheet, open_sheet
from batchconnect.sheet.several import SeveralSheets

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


OTHER = "anothers~key_of-16."
SPELLED = [OTHER, f" {OTHER} ", f"was {OTHER} before", f"({OTHER})", f"pw:{OTHER}", f"{OTHER}!"]


def two_rows(folder: Path, first: str, *, header: str = "name", name: str = "clients.csv") -> Sheet:
    """The first row holds a text under a header; the second has the key that may stand in it."""
    path = folder / name
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        titles = ["name", "description", *COLUMNS.split(",")[1:], "remark"]
        writer.writerow(titles)
        for number, (key, text) in enumerate([(KEY, first), (OTHER, "fine")]):
            cells = dict(zip(COLUMNS.split(","), ROW.split(","), strict=True))
            cells |= {"name": f"Acme {number}", "servicePrincipalKey": key, header: text}
            writer.writerow([cells.get(title, "") for title in titles])
    return open_sheet(path)


@pytest.mark.parametrize("text", [*SPELLED, "short-12"])
def test_a_carried_column_with_the_key_of_another_row_is_left_out(
    tmp_path: Path, text: str
) -> None:
    """Of a row below, in whatever company; a short key only where it is the whole cell."""
    sheet = two_rows(tmp_path, text, header="remark")
    if text == "short-12":
        path = tmp_path / "clients.csv"
        path.write_text(path.read_text("utf-8").replace(OTHER, text), "utf-8")
        sheet = open_sheet(path)

    screen(sheet)

    assert sheet.header.carried == ()
    assert "column H (`remark`) holds a key" in sheet.warnings[-1]


@pytest.mark.parametrize("column", ["name", "description", "database"])
@pytest.mark.parametrize("text", SPELLED)
def test_a_cell_that_is_sent_with_the_key_of_another_row_is_refused_with_its_place(
    tmp_path: Path, column: str, text: str
) -> None:
    """It would go to Adobe, into the ledger and into every report."""
    with pytest.raises(SheetError, match=f"2: `{column}` holds the key of another row") as caught:
        screen(two_rows(tmp_path, text, header=column))

    assert OTHER not in f"{caught.value}{caught.value.hint}"


def test_a_key_of_one_sheet_in_another_is_found(tmp_path: Path) -> None:
    first = two_rows(tmp_path, f"see {OTHER}x", header="remark", name="a.csv")
    (tmp_path / "b.csv").write_text(f"{COLUMNS}\n{ROW.replace(KEY, OTHER + 'x')}\n", "utf-8")

    screen(SeveralSheets([first, open_sheet(tmp_path / "b.csv")], ["a", "b"]))

    assert first.header.carried == ()


@pytest.mark.parametrize("text", ["short-12", "the short-12 of it", "shortly"])
def test_a_word_of_another_row_s_short_key_is_a_word(tmp_path: Path, text: str) -> None:
    """In a name it says nothing: keys of practice sheets are words."""
    two_rows(tmp_path, text).close()
    path = tmp_path / "clients.csv"
    path.write_text(path.read_text("utf-8").replace(OTHER, "short-12"), "utf-8")
    sheet = open_sheet(path)

    screen(sheet)

    assert sheet.header.carried == ("remark",)


def test_the_row_s_own_key_is_told_as_the_row_is_judged(tmp_path: Path) -> None:
    """By its cell alone; the other rows can be sent."""
    screen(two_rows(tmp_path, KEY))
