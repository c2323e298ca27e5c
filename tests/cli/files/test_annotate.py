"""The user's own sheet with what is wrong in it, before a run: nothing lost, no key in it."""

import json
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from zipfile import ZipFile

import openpyxl
import pytest
from openpyxl.worksheet.worksheet import Worksheet

from batchconnect.cli.commands import validate
from batchconnect.cli.options import Given, OutputOptions
from batchconnect.model.column import Column
from batchconnect.model.errors import SheetError, UsageError
from batchconnect.model.secret import Secret
from batchconnect.options import RunOptions
from batchconnect.reports.new_file import write_new
from batchconnect.reports.workbook import workbook
from batchconnect.sheet import open_sheet

KEY: Final = "planted~secret.value-1"
COLUMNS: Final = [str(column) for column in Column]
GUID: Final = "0d1ff3c1-7c0a-4b0e-9d7e-2f1f6b8f3a11"
HEALTHY: Final = {
    "name": "Acme",
    "description": "Sales",
    "endpoint": "https://acme.westeurope.kusto.windows.net",
    "database": "007",
    "tenant": "acme.onmicrosoft.com",
    "servicePrincipalId": GUID,
    "servicePrincipalKey": KEY,
    "org": "acme",
    "sandbox": "prod",
}


def row(number: int, **changed: str) -> list[str]:
    return [*{**HEALTHY, "name": f"Acme {number}", "database": f"{number:03}", **changed}.values()]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(
    path: Path, rows: Sequence[Sequence[str]], header: Sequence[str] = COLUMNS, before: int = 0
) -> Path:
    """A workbook of texts, the header below *before* other rows."""
    book = openpyxl.Workbook()
    tab = book.worksheets[0]
    for number, cells in enumerate([*[["title"]] * before, header, *rows], 1):
        for position, text in enumerate(cells, 1):
            cell = tab.cell(number, position)
            cell.value, cell.data_type = text, "s"
    book.save(path)
    path.chmod(0o600)
    return path


def annotate(sheet: Path, out: str = "out.xlsx", *, keep_keys: bool = False, **options: Any) -> int:
    output = OutputOptions(json=options.pop("json", False))
    return validate.run(
        output,
        Given(options=RunOptions(simulate=True, reports=Path("reports"), **options)),
        sheets=[str(sheet)],
        annotate=Path(out),
        keep_keys=keep_keys,
    )


def drawn(rows: Sequence[Sequence[str]], **options: Any) -> Worksheet:
    """The annotated sheet of these rows."""
    out = Path("out.xlsx")
    out.unlink(missing_ok=True)
    annotate(write(Path("clients.xlsx"), rows), **options)
    return openpyxl.load_workbook(out)["rows"]


def comments(tab: Worksheet) -> dict[str, str]:
    return {
        cell.coordinate: cell.comment.text
        for cells in tab
        for cell in cells
        if cell.comment is not None
    }


def everything(path: Path) -> str:
    with ZipFile(path) as parts:
        return "".join(parts.read(name).decode() for name in parts.namelist())


pytestmark = pytest.mark.usefixtures("here")


def test_a_healthy_row_is_fine_and_keeps_its_cells() -> None:
    """As typed, but for the key."""
    tab = drawn([row(2)])

    assert [cell.value for cell in tab[1]] == [
        *COLUMNS,
        "status",
        "works",
        "connection_id",
        "error",
        "hint",
    ]
    assert [cell.value for cell in tab[2]] == [
        *["Acme 2", "Sales", "https://acme.westeurope.kusto.windows.net", "002"],
        *["acme.onmicrosoft.com", GUID, None, "acme", "prod", "fine", None, None, None, None],
    ]
    assert KEY not in everything(Path("out.xlsx"))


def test_what_is_wrong_is_said_at_its_cell() -> None:
    """With the address and the remedy; a warning says that the row would be sent."""
    tab = drawn([row(2, sandbox="Prod"), row(3, endpoint="https://ingest-a.b.kusto.windows.net")])
    told = comments(tab)

    assert [tab["J2"].value, tab["J3"].value] == ["rejected", "warning"]
    assert tab["M2"].value.startswith("I2: this is not a sandbox's name")
    assert tab["N2"].value.startswith("Use the sandbox's `Name`")
    assert told["I2"].startswith("error: this is not a sandbox's name")
    assert "ingestion endpoint" in told["C3"]
    assert tab["I2"].value == "Prod"
    assert {tab["I2"].fill.start_color.rgb[2:], tab["C3"].fill.start_color.rgb[2:]} == {
        "F8CBC6",
        "FFE8A3",
    }


def test_rows_that_are_doubled_are_rejected_in_colour() -> None:
    """What is known only at the sheet's end, too."""
    tab = drawn([row(2), row(3), row(2), row(5, name="Acme 3")])

    assert [tab[f"J{number}"].value for number in range(2, 6)] == ["rejected"] * 4
    assert "asked for by row 4" in comments(tab)["J2"]
    assert "another target" in comments(tab)["A5"]


def test_rows_and_columns_stand_where_they_stood() -> None:
    """A title above the header, blank rows, columns of the user's own, one that looks secret."""
    header = ["Team", *reversed(COLUMNS), "password", "Status"]
    cells = ["blue", *reversed(row(2)), "hunter2-hunter2", "mine"]
    blank = [""] * len(header)
    sheet = write(Path("c.xlsx"), [cells, blank, [*cells[:9], "B", *cells[10:]]], header, before=2)

    annotate(sheet)

    tab = openpyxl.load_workbook("out.xlsx")["rows"]
    assert [cell.value for cell in tab[3]][:10] == header[:10]
    assert [tab.cell(number, 1).value for number in range(1, 7)] == [
        *(None, None, "Team", "blue", None, "blue")
    ]
    assert tab["J6"].value == "B"
    assert tab.freeze_panes == "A4"
    assert "hunter2" not in everything(Path("out.xlsx"))


def test_a_refused_cell_that_may_be_a_key_is_not_shown() -> None:
    """Columns get swapped."""
    tab = drawn([row(2, tenant=KEY, servicePrincipalKey=GUID)])

    assert tab["E2"].value is None
    assert "22 characters that stood here are not shown" in comments(tab)["E2"]
    assert "not shown" not in tab["M2"].value
    assert KEY not in everything(Path("out.xlsx"))


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("endpoint", "http://acme.westeurope.kusto.windows.net"),
        ("endpoint", "acme.westeurope.kusto.windows.net"),
        ("endpoint", "https://acme.westeurope.kusto.windows.net/db"),
        ("endpoint", "https://dataexplorer.azure.com/clusters/acme"),
        ("endpoint", "https://10.0.0.4:8080"),
        ("servicePrincipalId", GUID[:-2]),
        ("servicePrincipalId", GUID[1:]),
        ("tenant", "1.23E+15"),
        ("tenant", "#REF!"),
    ],
)
def test_a_refused_cell_that_cannot_be_a_key_is_kept(column: str, text: str) -> None:
    """It is what the person has to correct."""
    tab = drawn([row(2, **{column: text})])

    assert tab["J2"].value == "rejected"
    assert tab.cell(2, COLUMNS.index(column) + 1).value == text


@pytest.mark.parametrize(
    "text",
    [
        "https://user:pass@acme.westeurope.kusto.windows.net",
        "https://evil.example/abc8Q~secret",
        "https://acme.westeurope.kusto.windows.net?sig=abc",
        "abc8Q.secret-x",
    ],
)
def test_an_address_that_may_hold_a_key_is_not_kept(text: str) -> None:
    """A user's part, a query, a path of a stranger's host."""
    tab = drawn([row(2, endpoint=text)])

    assert (tab["C2"].value, tab["J2"].value) == (None, "rejected")


def test_a_cell_that_repeats_the_key_is_not_shown() -> None:
    """In whatever column, carried ones too."""
    sheet = write(Path("c.xlsx"), [[*row(2, description=f"key: {KEY}"), KEY]], [*COLUMNS, "remark"])

    annotate(sheet)

    assert KEY not in everything(Path("out.xlsx"))
    tab = openpyxl.load_workbook("out.xlsx")["rows"]
    assert (tab["B2"].value, tab["J2"].value) == (None, "rejected")
    assert "holds a key" in comments(tab)["B2"]


def test_rows_that_are_not_chosen_are_shown_without_a_judgement() -> None:
    """`--only` asks nothing of them."""
    tab = drawn([row(2), row(3, sandbox="dev", endpoint="x")], only=["sandbox=prod"])

    assert [tab["J2"].value, tab["J3"].value] == ["fine", "not selected"]
    assert tab["C3"].value == "x"


def test_corrected_and_with_its_keys_it_is_a_healthy_sheet(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The way of a person: annotate, correct, fill in, save, validate."""
    keys = ["00123", "=1+1", "  outer ", "'=x", KEY, "Süd🚀"]
    rows = [row(i, servicePrincipalKey=key, sandbox="Prod") for i, key in enumerate(keys, 2)]
    annotate(write(Path("clients.xlsx"), rows))
    assert "then: batchconnect validate out.xlsx" in capsys.readouterr().out
    book = openpyxl.load_workbook("out.xlsx")
    for number, key in enumerate(keys, 2):
        book["rows"][f"I{number}"].value = "prod"
        book["rows"][f"G{number}"].value = key
        book["rows"][f"G{number}"].data_type = "s"
    book.save("fixed.xlsx")
    Path("fixed.xlsx").chmod(0o600)

    assert annotate(Path("fixed.xlsx"), "again.xlsx") == 0

    fixed, typed = open_sheet("fixed.xlsx"), open_sheet("clients.xlsx")
    for mine, theirs in zip(fixed.rows(), typed.rows(), strict=True):
        assert mine.number == theirs.number
        assert {**mine.cells, Column.SANDBOX: ""} == {**theirs.cells, Column.SANDBOX: ""}
    assert Secret("=1+1") in [each.cells[Column.SERVICE_PRINCIPAL_KEY] for each in fixed.rows()]
    fixed.close()
    typed.close()


def test_a_csv_is_annotated_as_a_workbook() -> None:
    """Whatever kind the sheet is; a cell that begins like a formula stays a text."""
    path = Path("clients.csv")
    path.write_text(",".join(COLUMNS) + "\n" + ",".join(row(2, name="=1+1")) + "\n")
    path.chmod(0o600)

    assert annotate(path) == 0

    cell = openpyxl.load_workbook("out.xlsx")["rows"]["A2"]
    assert (cell.value, cell.data_type) == ("=1+1", "s")


def test_it_is_new_private_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    """0600; `--json` names it too; the second tab says what to do."""
    annotate(write(Path("clients.xlsx"), [row(2)]), json=True)

    assert stat.S_IMODE(Path("out.xlsx").stat().st_mode) == 0o600
    assert json.loads(capsys.readouterr().out)["annotated"] == str(Path("out.xlsx").absolute())
    told = openpyxl.load_workbook("out.xlsx")["about"].iter_rows(values_only=True)
    facts = {str(label): str(text) for label, text in told}
    assert facts["Sheet"] == "clients.xlsx#Sheet"
    assert "fill in the keys" in facts["What to do"]


def test_nothing_is_ever_overwritten(capsys: pytest.CaptureFixture[str]) -> None:
    """Not the sheet itself either; it is said before the sheet is read."""
    sheet = write(Path("clients.xlsx"), [row(2)])
    before = sheet.read_bytes()

    with pytest.raises(UsageError, match="exists already") as caught:
        annotate(sheet, "clients.xlsx")

    assert caught.value.hint is not None
    assert sheet.read_bytes() == before
    assert capsys.readouterr().out == ""


def test_another_ending_than_xlsx_is_refused() -> None:
    """With the name that would do."""
    with pytest.raises(UsageError, match="Excel workbook") as caught:
        annotate(write(Path("clients.xlsx"), [row(2)]), "out.csv")

    assert caught.value.hint == "--annotate out.xlsx"


def test_rows_beyond_excels_last_one_are_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On the screen and in the workbook."""
    monkeypatch.setattr(workbook, "LAST_ROW", 2)
    sheet = write(Path("clients.xlsx"), [row(2), row(3)])

    annotate(sheet)

    assert "out.xlsx: 1 rows are not here" in capsys.readouterr().err
    assert "Not complete" in everything(Path("out.xlsx"))


def test_what_cannot_be_written_whole_is_not_there() -> None:
    """The disk is full, or the sheet has changed meanwhile."""

    def broken(error: Exception) -> Iterator[bytes]:
        yield b"half"
        raise error

    with pytest.raises(UsageError, match=r"out\.xlsx cannot be written: No space"):
        write_new(Path("out.xlsx"), broken(OSError(28, "No space left on device")))
    with pytest.raises(SheetError):
        write_new(Path("out.xlsx"), broken(SheetError("changed")))
    assert not Path("out.xlsx").exists()


def test_a_file_that_came_meanwhile_is_kept() -> None:
    """Between the first look and the writing."""
    Path("out.xlsx").write_text("mine")

    with pytest.raises(UsageError, match="exists already"):
        write_new(Path("out.xlsx"), iter([b"ours"]))
    assert Path("out.xlsx").read_text() == "mine"


# A copy with keys ------------------------------------------------------------------------------------------


def test_with_its_keys_kept_it_is_a_sheet_that_can_be_sent(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every key byte for byte, also a refused one and one in the wrong column; nothing to paste again."""
    keys = [
        KEY,
        " leading~and.trailing-1 ",
        "=cmd|'/C calc'!A0~x",
        "https://x.example/Q~_x0041_",
        "1e5~ü<&>",
    ]
    rows = [row(n, servicePrincipalKey=key) for n, key in enumerate(keys, 1)]
    rows.append(row(9, servicePrincipalKey="", tenant="abc8Q~" + "k" * 34))
    sheet = write(here / "clients.xlsx", rows)

    code = annotate(sheet, keep_keys=True)

    said = capsys.readouterr()
    assert code == 3
    assert "WITH YOUR KEYS" in said.out
    assert "fill in the keys again" not in said.out
    assert KEY not in said.out + said.err
    copy, typed = open_sheet("out.xlsx"), open_sheet(sheet)
    try:
        assert [spelled(one.cells) for one in copy.rows()] == [
            spelled(one.cells) for one in typed.rows()
        ]
    finally:
        copy.close()
        typed.close()
    assert stat.S_IMODE(Path("out.xlsx").stat().st_mode) == 0o600
    assert {path.name for path in here.iterdir()} == {"clients.xlsx", "out.xlsx"}


def spelled(cells: Any) -> dict[Column, Any]:
    """The cells of a row, secrets revealed."""
    return {
        column: cell.reveal() if isinstance(cell, Secret) else cell
        for column, cell in cells.items()
    }


def test_a_copy_with_keys_stands_beside_its_sheet_and_nowhere_else(here: Path) -> None:
    """Nor is one made of standard input, or where no copy is wanted; nothing is written then."""
    (here / "private").mkdir()
    sheet = write(here / "private" / "clients.xlsx", [row(1)])

    with pytest.raises(UsageError, match="beside its sheet") as elsewhere:
        annotate(sheet, "out.xlsx", keep_keys=True)
    with pytest.raises(UsageError, match="standard input"):
        annotate(Path("-"), keep_keys=True)
    with pytest.raises(UsageError, match="without --annotate"):
        validate.run(OutputOptions(), Given(), sheets=[str(sheet)], keep_keys=True)

    assert elsewhere.value.hint == f"--annotate {here / 'private' / 'out.xlsx'}"
    assert not Path("out.xlsx").exists()
    assert annotate(sheet, str(here / "private" / "out.xlsx"), keep_keys=True) == 0
