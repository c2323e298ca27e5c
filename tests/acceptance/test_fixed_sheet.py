"""From an empty folder to a fixed and re-run sheet, with the workbooks that the commands hand out."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import openpyxl
import pytest

from tests.acceptance.place import COLUMNS, Place, cells, many
from tests.acceptance.practice import Practice

pytestmark = pytest.mark.acceptance


def fill_in(place: Place, source: Path, changes: Mapping[str, str], name: str) -> Path:
    """Open a workbook, type texts into cells, save it under a new name, as a person does."""
    book = openpyxl.load_workbook(source)
    tab = book.worksheets[0]
    for address, text in changes.items():
        tab[address].value, tab[address].data_type = text, "s"
    path = place.folder / name
    book.save(path)
    path.chmod(0o600)
    place.inputs.add(path)
    return path


KEYS = {
    "Client 001": "00123-leading-zeros",
    "Client 002": "=1+1;canary~formula",
    "Client 003": "  canary~outer  ",
    "Client 004": "'=canary~apostrophe",
    "Client 005": "canary~Süd~🚀",
}


def test_template_validate_run_and_rerun_need_no_other_file(
    place: Place, practice: Practice
) -> None:
    """Each step hands out what the next one takes; every key arrives byte for byte."""
    assert place.run("template", "clients.xlsx").code == 0
    rows = {
        f"{'ABCDEFGHI'[at]}{number}": str({**cells(number - 3), "servicePrincipalKey": key}[column])
        for number, key in enumerate(KEYS.values(), 4)
        for at, column in enumerate(COLUMNS)
    }
    wrong = {"C5": "http://contoso.westeurope.kusto.windows.net", "I8": "Dev"}
    filled = fill_in(place, place.folder / "clients.xlsx", {**rows, **wrong}, "filled.xlsx")

    # 1. What is wrong is shown in a copy, which is corrected but for one cell.
    told = place.run("validate", filled, "--annotate", "told.xlsx")
    assert told.code == 3, told
    tab = openpyxl.load_workbook(place.folder / "told.xlsx")["rows"]
    assert [tab[f"J{number}"].value for number in range(4, 9)] == [
        *("fine", "rejected", "warning", "warning", "rejected")
    ]
    keys = {f"G{number}": key for number, key in enumerate(KEYS.values(), 4)}
    corrected = {**keys, "C5": "https://contoso.westeurope.kusto.windows.net"}
    sheet = fill_in(place, place.folder / "told.xlsx", corrected, "sheet.xlsx")

    # 2. The run sends what is right, and hands out the sheet with what became of it.
    ran = place.run("run", sheet, "--skip-invalid", "--rate", "40")
    assert ran.code == 4, ran
    results = place.latest / "results.xlsx"
    tab = openpyxl.load_workbook(results)["rows"]
    assert [tab[f"J{number}"].value for number in range(4, 9)] == [*["created"] * 4, "rejected"]
    assert [tab[f"G{number}"].value for number in range(4, 9)] == [None] * 5

    # 3. Only the row that was left needs its key again.
    fixed = fill_in(place, results, {"I8": "dev", "G8": KEYS["Client 005"]}, "fixed.xlsx")
    again = place.run("rerun", "--sheet", fixed, "--rate", "40")
    assert again.code == 0, again
    final = place.results()
    assert {row["row"]: row["status"] for row in final.values()} == dict.fromkeys(
        range(4, 9), "created"
    )
    assert practice.keys() == KEYS
    tab = openpyxl.load_workbook(place.latest / "results.xlsx")["rows"]
    assert [tab[f"J{number}"].value for number in range(4, 9)] == ["created"] * 5
    assert [cell.value for cell in tab[1]] == [
        *COLUMNS,
        "status",
        "works",
        "connection_id",
        "error",
        "hint",
    ]


@pytest.mark.skipif(sys.platform == "darwin", reason="its file names are Unicode")
def test_a_sheet_whose_name_is_no_text_is_found_again(place: Place, practice: Practice) -> None:
    """Linux allows any bytes in a name, and the ledger holds texts."""
    sheet = place.sheet(many(3)).rename(place.folder / os.fsdecode(b"caf\xe9.csv"))
    place.inputs.add(sheet)
    first = place.start("run", sheet, "--max-rows", "1", "--settle", "1").done()
    second = place.start("rerun", "--settle", "1").done()

    assert (first.code, second.code) == (8, 0), second
    assert len(practice.connections()) == 3
