"""The fixed sheet: the user's own columns and rows, what became of them, and no key."""

import io
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, Final
from zipfile import ZipFile

import openpyxl
import pytest
import xlsxwriter  # type: ignore[import-untyped]  # it has hints, but no py.typed
from hypothesis import given, settings, strategies as st
from openpyxl.worksheet.worksheet import Worksheet
from xlsxwriter.exceptions import FileCreateError  # type: ignore[import-untyped]  # likewise

from batchconnect.ledger.entry import (
    ROTATE,
    UNDO,
    VERIFY,
    Entry,
    Line,
    RowPlanned,
    RunEnded,
    RunOpened,
    Settled,
    Tested,
)
from batchconnect.ledger.row_state import fold_rows
from batchconnect.ledger.sqlite.store import SqliteLedger
from batchconnect.model.column import Column
from batchconnect.model.outcome import (
    Created,
    Existing,
    Failed,
    Kept,
    MatchedBy,
    NotAttempted,
    Outcome,
    Problem,
    Rejected,
    Severity,
    Works,
)
from batchconnect.model.report_columns import WORKBOOK_COLUMNS
from batchconnect.model.row import Row, letters
from batchconnect.reports.summary import Summary, summarize
from batchconnect.reports.terminal_summary import closing_lines
from batchconnect.reports.workbook import workbook, xlsx
from batchconnect.reports.workbook.layout import (
    LONGEST_TEXT,
    ShownRow,
    Tone,
    cut,
    fits,
    layout_of,
)
from batchconnect.sheet import open_sheet

OPENED: Final = RunOpened(
    run_id="20251124-160000000-k3f9",
    sheets=("clients.xlsx#rows",),
    sheet_sha256="5e1f",
    columns={"servicePrincipalKey": 0, "name": 2, "tenant": 3, "endpoint": 4, "database": 5}
    | {"servicePrincipalId": 6, "org": 7},
    carried=("Ref", "Status"),
    platform_host="platform.adobe.io",
)
PLANNED: Final = RowPlanned(
    name="Acme",
    org="acme",
    sandbox="prod",
    endpoint="https://acme.westeurope.kusto.windows.net",
    database="007",
    tenant="acme.onmicrosoft.com",
    service_principal_id="0d1ff3c1-7c0a-4b0e-9d7e-2f1f6b8f3a11",
    carried=("r", "s"),
)
WRONG: Final = Problem(
    code="tenant_invalid", column="tenant", cell="D4", what="Bad.", remedy="Mend."
)
ODD: Final = replace(WRONG, severity=Severity.WARNING, column="name", what="Odd.", remedy="Look.")
NOTED: Final = replace(ODD, severity=Severity.NOTE, column="endpoint")


def told(
    *rows: tuple[int, RowPlanned, Outcome],
    opened: RunOpened = OPENED,
    live: bool = False,
    tests: Mapping[int, Tested] | None = None,
) -> Summary:
    entries: list[tuple[int | None, Entry]] = []
    for number, planned, outcome in rows:
        entries += [(number, planned), (number, Settled(outcome=outcome))]
    entries += (tests or {}).items()
    entries.append((None, RunEnded(exit_code=4)))
    with SqliteLedger(":memory:") as ledger:
        run = ledger.append([Line(entry=opened, at_ms=1_764_000_000_000)])
        for row, entry in entries:
            ledger.append([Line(entry=entry, run=run, row=row, at_ms=1_764_000_001_000)])
        of_run, of_rows = list(ledger.run_lines(run)), list(ledger.row_lines(run))
    return summarize(of_run, lambda: fold_rows(of_rows), live=live)


def one_of_each() -> Summary:
    return told(
        (2, PLANNED, Created(connection_id="c-1")),
        (3, PLANNED, Existing(connection_id="c-2", matched_by=MatchedBy.MARKER)),
        (4, replace(PLANNED, tenant="", findings=(ODD, NOTED)), Rejected(problems=(WRONG,))),
        (7, PLANNED, Failed(code="FLOW-1308-400", detail="=Denied")),
    )


def content(summary: Summary) -> bytes:
    return b"".join(xlsx.render(summary))


def book(summary: Summary) -> openpyxl.Workbook:
    return openpyxl.load_workbook(io.BytesIO(content(summary)))


def tab(summary: Summary) -> Worksheet:
    return book(summary)["rows"]


def texts(sheet: Worksheet, row: int) -> list[Any]:
    return [cell.value for cell in sheet[row]]


def colour(sheet: Worksheet, address: str) -> str:
    cell = sheet[address]
    return str(cell.fill.start_color.rgb)[2:] if cell.fill.fill_type else ""


def commented(sheet: Worksheet) -> dict[str, str]:
    return {
        cell.coordinate: cell.comment.text
        for row in sheet
        for cell in row
        if cell.comment is not None
    }


def about(summary: Summary) -> dict[str, str]:
    return dict(book(summary)["about"].iter_rows(values_only=True))  # type: ignore[arg-type]


def test_the_columns_are_the_sheets_own_and_ours_stand_behind_them() -> None:
    """Each known column at its place, so that `D4` in a message is `D4` here."""
    sheet = tab(one_of_each())

    assert texts(sheet, 1) == [
        *("servicePrincipalKey", "Ref", "name", "tenant", "endpoint", "database"),
        *("servicePrincipalId", "org", "Status_sheet", *WORKBOOK_COLUMNS),
    ]
    assert texts(sheet, 2) == [
        *(None, "r", "Acme", "acme.onmicrosoft.com"),
        *("https://acme.westeurope.kusto.windows.net", "007"),
        *("0d1ff3c1-7c0a-4b0e-9d7e-2f1f6b8f3a11", "acme", "s"),
        *("created", None, "c-1", None, None),
    ]


def test_each_row_stands_at_its_own_number() -> None:
    """Blank rows of the sheet stay blank, and a rerun finds each row again."""
    sheet = tab(one_of_each())

    statuses = [sheet.cell(row, 10).value for row in range(2, 8)]
    assert statuses == ["created", "existing", "rejected", None, None, "failed"]


def test_what_is_wrong_is_coloured_and_says_why_at_its_cell() -> None:
    """Red for errors, yellow for warnings; a note is no matter."""
    sheet = tab(one_of_each())

    assert (colour(sheet, "D4"), colour(sheet, "C4"), colour(sheet, "E4")) == (
        "F8CBC6",
        "FFE8A3",
        "",
    )
    comments = commented(sheet)
    assert (comments["D4"], comments["C4"]) == ("error: Bad.\nMend.", "warning: Odd.\nLook.")
    assert set(comments) == {"A1", "A4", "A7", "C4", "D4"}
    assert texts(sheet, 4)[-5:] == ["rejected", None, None, "D4: Bad.", "Mend."]
    assert sheet["M7"].value == "=Denied"


def test_a_problem_without_a_cell_is_told_at_the_status() -> None:
    """The row as a whole, or a column that the sheet lacks."""
    doubled = replace(WRONG, column=None, cell=None, what="Twice.")
    lacking = replace(WRONG, column="sandbox", cell=None, what="None.")
    sheet = tab(told((2, PLANNED, Rejected(problems=(doubled, lacking)))))

    assert commented(sheet)["J2"] == "error: Twice.\nMend.\nerror: None.\nMend."


def test_the_status_has_a_colour_of_its_own() -> None:
    """Beside the word, which says the same."""
    sheet = tab(one_of_each())

    assert [colour(sheet, f"J{row}") for row in (2, 4, 7)] == ["D9EAD3", "F8CBC6", "F8CBC6"]


def test_the_key_is_blank_and_marked_where_it_has_to_be_filled_in() -> None:
    """A row that is done needs none."""
    sheet = tab(one_of_each())

    assert "reports never hold them" in commented(sheet)["A1"]
    assert [sheet[f"A{row}"].value for row in range(2, 8)] == [None] * 6
    assert [colour(sheet, f"A{row}") for row in (2, 3, 4, 7)] == ["", "", "FFFBE0", "FFFBE0"]
    assert [commented(sheet).get(f"A{row}") for row in (2, 4, 7)] == [
        None,
        *["fill in the key"] * 2,
    ]
    assert "fill in the key" in about(one_of_each())["Keys"]


def test_cells_that_wait_for_a_key_have_comments_up_to_a_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Beyond it the colour says it, and `about` says that."""
    monkeypatch.setattr(workbook, "MOST_KEY_COMMENTS", 1)
    summary = one_of_each()

    assert {"A4", "A7"} & set(commented(tab(summary))) == {"A4"}
    assert colour(tab(summary), "A7") == "FFFBE0"
    assert "first 1 cells" in about(summary)["Comments on keys"]


WORKS: Final = Tested(connection_id="c", works=Works.YES)
EXPIRED: Final = Tested(connection_id="c", works=Works.NO, code="AADSTS7000222")
WALLED: Final = Tested(connection_id="c", works=Works.NO, code="kusto_firewall")
UNASKED: Final = Tested(connection_id="c", works=Works.NOT_TESTED, code="timeout")


def verified() -> Summary:
    created = Created(connection_id="c")
    return told(
        *((row, PLANNED, created) for row in range(2, 7)),
        tests={2: WORKS, 3: EXPIRED, 4: WALLED, 5: UNASKED},
    )


def test_whether_a_connection_works_stands_beside_its_status() -> None:
    """With a colour of its own: the row is created all the same; blank where nobody asked."""
    sheet = tab(verified())

    assert [sheet[f"K{row}"].value for row in range(1, 7)] == [
        "works", "yes", "no", "no", "not tested", None,
    ]  # fmt: skip
    assert [colour(sheet, f"J{row}") for row in range(2, 7)] == ["D9EAD3"] * 5
    assert [colour(sheet, f"K{row}") for row in range(2, 7)] == [
        "D9EAD3", "F8CBC6", "F8CBC6", "FFE8A3", "",
    ]  # fmt: skip
    assert str(sheet["M3"].value).startswith("does not work: ")
    assert str(sheet["M3"].value).endswith("(AADSTS7000222)")
    assert sheet["M2"].value is None


def test_the_key_of_a_connection_that_does_not_work_is_the_cell_to_correct() -> None:
    """Red, with the reason, where the key is the reason; else it is to be filled in, as a rerun sends it."""
    sheet = tab(verified())
    comments = commented(sheet)

    assert [colour(sheet, f"A{row}") for row in range(2, 7)] == ["", "F8CBC6", "FFFBE0", "", ""]
    assert set(comments) == {"A1", "A3", "A4"}
    assert comments["A3"].startswith("error: The connection does not work: ")
    assert "servicePrincipalKey" in comments["A3"]


def test_a_connection_that_was_kept_needs_no_key() -> None:
    """An undo sends none; its tab says nothing of a command that takes it back."""
    opened = replace(OPENED, command=UNDO, parent_run_id="r-1")
    kept = told((2, PLANNED, Kept(code="in_use", detail="")), opened=opened)

    assert colour(tab(kept), "A2") == ""
    assert about(kept)["Undo"].startswith(OPENED.run_id)
    assert "What to do" not in about(kept)


@pytest.mark.parametrize(
    ("changes", "command"),
    [
        ({}, f"batchconnect rerun {OPENED.run_id} --sheet results.xlsx"),
        (
            {"command": VERIFY, "parent_run_id": "r-1"},
            "batchconnect rerun r-1 --sheet results.xlsx",
        ),
        ({"command": VERIFY}, "batchconnect rotate results.xlsx --failing"),
        (
            {"command": ROTATE, "simulated": True},
            "batchconnect rotate results.xlsx --failing --simulate",
        ),
    ],
)
def test_the_second_tab_says_which_command_takes_it_back(
    changes: dict[str, Any], command: str
) -> None:
    """With the keys corrected; what works is counted there, too."""
    summary = verified()
    told_of = about(replace(summary, opened=replace(summary.opened, **changes)))

    assert told_of["What to do"].endswith(command)
    assert told_of["Works"] == "1 yes, 2 no, 1 not tested"


def test_the_second_tab_says_what_left_rows_out() -> None:
    """Without it the command would take up all the rows of the workbook."""
    left_out = NotAttempted(code="max_rows", detail="")
    summary = told((2, PLANNED, Failed(code="c", detail="d")), (3, PLANNED, left_out))

    assert (
        "path and the --max-rows of this run again: batchconnect rerun "
        in (about(summary)["What to do"])
    )


def test_a_corrected_key_comes_back(tmp_path: Path) -> None:
    """In the workbook of today, and in one of an earlier version, which had no column of what works."""

    def fill_in(sheet: Worksheet) -> None:
        sheet["A3"].value = "FAKE~new.key"

    def fill_in_an_old_one(sheet: Worksheet) -> None:
        fill_in(sheet)
        sheet["C3"].value = "'=x"
        sheet.delete_cols(11)

    again = [
        fed_back(content(verified()), tmp_path, fill)[1] for fill in (fill_in, fill_in_an_old_one)
    ]

    for row in again:
        key = row.cells[Column.SERVICE_PRINCIPAL_KEY]
        assert key.reveal() == "FAKE~new.key"  # type: ignore[union-attr]
    assert again[1].cells[Column.NAME] == "'=x"


def test_filter_header_and_text_format_are_set() -> None:
    """Whatever is typed or pasted into a column stays a text."""
    sheet = tab(one_of_each())

    assert (sheet.auto_filter.ref, sheet.freeze_panes) == ("A1:N7", "A2")
    assert {dimension.number_format for dimension in sheet.column_dimensions.values()} == {"@"}
    assert {cell.number_format for row in sheet["A2:N7"] for cell in row if cell.value} == {"@"}


def test_nothing_in_it_is_a_formula_a_link_or_a_number() -> None:
    """Hostile names are inert."""
    hostile = ('=HYPERLINK("http://evil")', "http://evil.example", "+1", "00123", "1e5")
    raw = content(
        told(
            *(
                (i, replace(PLANNED, name=n), Created(connection_id="c"))
                for i, n in enumerate(hostile, 2)
            )
        )
    )

    with ZipFile(io.BytesIO(raw)) as parts:
        xml = parts.read("xl/worksheets/sheet1.xml").decode()
        assert [name for name in parts.namelist() if "sheet1.xml.rels" in name] == [
            "xl/worksheets/_rels/sheet1.xml.rels"
        ]
    assert "<f>" not in xml
    assert "hyperlink" not in xml
    assert "<v>" not in xml


EXACT: Final = [
    "00123",
    "=1+1",
    "'=x",
    "'quoted",
    "1.23E+15",
    "NA",
    "  outer  ",
    "line\nbreak\r\n",
    "_x0041_",
    "\u00a0\u200b",
    "Süd 🚀",
    "<&\"'>",
]


def fed_back(raw: bytes, folder: Path, change: Callable[[Worksheet], None]) -> list[Row]:
    """What our reader makes of it after a person has opened, changed and saved it."""
    opened = openpyxl.load_workbook(io.BytesIO(raw))
    change(opened["rows"])
    path = folder / "again.xlsx"
    opened.save(path)
    path.chmod(0o600)
    sheet = open_sheet(path)
    try:
        rows = list(sheet.rows())
        assert sheet.warnings == ()
        assert sheet.header.carried == ("Ref", "Status_sheet")
    finally:
        sheet.close()
    return rows


def test_it_is_a_sheet_when_the_keys_are_filled_in_again(tmp_path: Path) -> None:
    """Every cell comes back byte for byte, every row at its number."""
    # openpyxl, unlike Excel, changes control characters and what looks like their escape.
    named = [text for text in EXACT if not text.startswith("line") and text != "_x0041_"]
    rows = [
        (number, replace(PLANNED, name=text, carried=(text, text)), Failed(code="c", detail=text))
        for number, text in enumerate(named, 2)
    ]

    def fill_in(sheet: Worksheet) -> None:
        for number, text in enumerate(named, 2):
            sheet[f"A{number}"].value = text
            sheet[f"A{number}"].data_type = "s"

    again = fed_back(content(told(*rows)), tmp_path, fill_in)

    assert [row.number for row in again] == [number for number, _, _ in rows]
    for row, text in zip(again, named, strict=True):
        key = row.cells[Column.SERVICE_PRINCIPAL_KEY]
        assert (text, text, (text, text)) == (
            row.cells[Column.NAME],
            key.reveal(),  # type: ignore[union-attr]
            row.carried,
        )
        assert row.cells[Column.DATABASE] == "007"


@settings(max_examples=settings().max_examples * 2 // 5)
@given(st.lists(st.one_of(st.sampled_from(EXACT), st.text(min_size=1, max_size=9)), max_size=4))
def test_what_the_workbook_holds_is_what_was_given(names: list[str]) -> None:
    """Or it is left out and said, never changed."""
    rows = [
        (number, replace(PLANNED, name=name), Created(connection_id="c"))
        for number, name in enumerate(names, 2)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r.xlsx"
        path.write_bytes(content(told(*rows)))
        path.chmod(0o600)
        import python_calamine

        read = python_calamine.load_workbook(str(path)).get_sheet_by_name("rows").to_python()

    assert [row[2] for row in read[1:]] == [name if fits(name) else "" for name in names]


@settings(max_examples=settings().max_examples * 2 // 5)
@given(st.lists(st.one_of(st.sampled_from(EXACT), st.text(max_size=9)), min_size=1, max_size=4))
def test_a_plain_row_has_the_bytes_that_the_library_writes(names: list[str]) -> None:
    """Put together at once, or cell by cell."""
    outcomes: list[Outcome] = [Created(connection_id="c & d"), Failed(code="c", detail="d")]
    rows = [
        (number, replace(PLANNED, name=name, carried=("", name)), outcome)
        for number, (name, outcome) in enumerate(product([*names, "last"], outcomes), 2)
    ]
    # The library numbers a format when it first writes it, and the last row after the second tab.
    summary = told(
        *rows, (len(rows) + 2, PLANNED, outcomes[0]), tests={2: WORKS, 3: UNASKED, 4: WALLED}
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workbook, "MOST_KEY_COMMENTS", 0)  # else the library draws the marked rows
        at_once = content(summary)
        patch.setattr(workbook, "is_known", lambda sheet, style: False)
        by_cell = content(summary)

    assert at_once == by_cell


def test_columns_are_named_as_in_excel() -> None:
    """A plain row names its cells itself."""
    assert [letters(column) for column in (0, 25, 26, 701, 702, 16383)] == [
        *("A", "Z", "AA", "ZZ", "AAA", "XFD")
    ]


@pytest.mark.parametrize(
    "name", ["n" * (LONGEST_TEXT + 1), "🚀" * (LONGEST_TEXT // 2 + 1), "a\uffff"]
)
def test_a_name_that_excel_cannot_hold_is_left_out_and_said(name: str) -> None:
    """Cut, it would be another name when the sheet is fed back."""
    summary = told((2, replace(PLANNED, name=name, carried=(name, "")), Created(connection_id="c")))
    sheet = tab(summary)

    assert sheet["C2"].value is None
    assert f"{len(name)} characters that Excel cannot hold" in commented(sheet)["C2"]
    assert colour(sheet, "C2") == "F8CBC6"
    assert sheet["B2"].value == cut(name)
    assert about(summary)["Left out"].endswith("commented: 1.")


def test_a_text_that_is_only_shown_is_cut_to_fit() -> None:
    """And says that it was cut."""
    assert cut("x" * LONGEST_TEXT) == "x" * LONGEST_TEXT
    assert cut("x" * 40_000).endswith("… (cut: 40000 characters)")
    assert fits(cut("🚀" * 40_000))
    assert cut("a\ud800\ufffe") == "a\\ud800\\ufffe"


def test_rows_beyond_excels_last_one_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """`results.csv` has them all."""
    monkeypatch.setattr(workbook, "LAST_ROW", 3)
    summary = one_of_each()

    assert texts(tab(summary), 3)[9] == "existing"
    assert tab(summary).max_row == 3
    assert about(summary)["Not complete"].startswith("2 rows are not here")


def test_the_screen_says_that_the_workbook_ends() -> None:
    """Before somebody misses a row in it."""
    summary = replace(one_of_each(), total=1 << 20)

    assert any("Excel's row 1,048,576" in line for line in closing_lines(summary, folder=Path("r")))
    assert not any("Excel" in line for line in closing_lines(one_of_each(), folder=Path("r")))


def test_the_header_of_rows_from_a_program_has_a_line_of_its_own() -> None:
    """They count from 1."""
    sheet = tab(
        told((1, PLANNED, Created(connection_id="c")), opened=replace(OPENED, columns=None))
    )

    assert texts(sheet, 1) == [*Column, "Ref", "Status_sheet", *WORKBOOK_COLUMNS]
    assert texts(sheet, 2)[-5:] == ["created", None, "c", None, None]
    assert sheet.auto_filter.ref == "A1:P2"


def test_a_run_without_rows_is_a_header() -> None:
    """Nothing was in the sheet."""
    assert tab(told()).max_row == 1
    assert about(told())["Rows"] == "0"


def test_a_column_that_is_not_ours_to_show_is_a_gap() -> None:
    """A dropped secret-like column moves no other."""
    layout = layout_of({Column.NAME: 0, Column.TENANT: 2}, (), header_row=1)

    assert layout.places == (Column.NAME, None, Column.TENANT)
    sheet = tab(
        told(
            (2, PLANNED, Created(connection_id="c")),
            opened=replace(OPENED, carried=(), columns={"name": 0, "tenant": 2}),
        )
    )
    assert texts(sheet, 1) == ["name", None, "tenant", *WORKBOOK_COLUMNS]


def test_more_columns_than_excel_has_are_left_out() -> None:
    """The known ones and ours always have room."""
    carried = [f"c{i}" for i in range(1 << 14)]
    layout = layout_of({Column.NAME: 0, Column.TENANT: 1 << 14}, carried, header_row=1)

    assert len(layout.places) + len(WORKBOOK_COLUMNS) == 1 << 14
    assert layout.places[:3] == (Column.NAME, Column.TENANT, 0)


def test_a_carried_column_never_bears_a_name_of_ours() -> None:
    """Fed back, it would be taken for a report's and dropped."""
    layout = layout_of(None, ("Row", "HINT", "connection id", "team"), header_row=1)

    assert layout.titles == ("Row_sheet", "HINT_sheet", "connection id_sheet", "team")


def test_so_many_comments_that_excel_opens_slowly_are_not_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The cells are coloured all the same."""
    monkeypatch.setattr(workbook, "MOST_COMMENTS", 2)
    summary = one_of_each()

    assert set(commented(tab(summary))) == {"A1", "A4", "A7", "C4"}
    assert colour(tab(summary), "D4") == "F8CBC6"
    assert "first 2 cells" in about(summary)["Comments"]


def test_the_second_tab_tells_of_the_run_and_what_to_do() -> None:
    """It goes with the file wherever that is sent."""
    opened = replace(OPENED, operator="anna", machine="m", note="CHG-1", tool_version="1")
    facts = about(told((2, PLANNED, Failed(code="c", detail="d")), opened=opened))

    assert facts["Run"] == "20251124-160000000-k3f9, by batchconnect 1"
    assert facts["By"] == "anna on m"
    assert (facts["Note"], facts["Rows"]) == ("CHG-1", "1: 1 failed")
    assert facts["What to do"].endswith("rerun 20251124-160000000-k3f9 --sheet results.xlsx")
    simulated = about(told(opened=replace(OPENED, simulated=True)))
    assert simulated["What to do"].endswith(" --simulate")
    assert "(simulated)" in simulated["Run"]


def test_a_run_at_work_is_drawn_too() -> None:
    """`report` may be asked at any time."""
    assert tab(told((2, PLANNED, Created(connection_id="c")), live=True))["J2"].value == "created"


def test_the_same_run_is_the_same_bytes() -> None:
    """The report is a function of the ledger."""
    assert content(one_of_each()) == content(one_of_each())


def folders(parent: Path) -> list[Path]:
    return list(parent.iterdir())


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files are made."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_what_is_drawn_on_disk_is_private_and_goes_away(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folder 0700, file 0600, nothing is left."""
    monkeypatch.setattr(workbook, "_CHUNK", 100)
    chunks = xlsx.render(one_of_each())
    next(filter(None, chunks))
    (folder,) = folders(elsewhere)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert [path.name for path in folder.iterdir()] == ["sheet.xlsx"]
    chunks.close()  # type: ignore[attr-defined]
    assert folders(elsewhere) == []


def test_a_full_disk_is_an_error_of_the_system(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes the file knows only these."""

    def full(self: object) -> None:
        raise FileCreateError(OSError(28, "No space left on device"))

    monkeypatch.setattr(xlsxwriter.Workbook, "close", full)

    with pytest.raises(OSError, match="No space left"):
        content(one_of_each())
    assert folders(elsewhere) == []


def test_rows_that_cannot_be_read_leave_nothing(elsewhere: Path) -> None:
    """A ledger that breaks off is not the workbook's fault."""

    def broken() -> Iterator[Any]:
        yield from one_of_each().rows()
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        content(replace(one_of_each(), rows=broken))
    assert folders(elsewhere) == []


def test_a_key_that_is_handed_in_is_not_drawn() -> None:
    """Nobody should, and nobody can."""
    layout = layout_of(None, (), header_row=1)
    cells: Sequence[ShownRow] = [
        ShownRow(
            number=2,
            cells={Column.SERVICE_PRINCIPAL_KEY: "planted"},
            carried=(),
            status="fine",
            tone=Tone.GOOD,
        )
    ]
    raw = b"".join(
        workbook.render([workbook.RowsTab(layout=layout, rows=cells)], about=lambda _: [])
    )

    with ZipFile(io.BytesIO(raw)) as parts:
        assert not any(b"planted" in parts.read(name) for name in parts.namelist())
