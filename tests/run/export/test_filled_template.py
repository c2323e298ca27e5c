"""The exported sheet: our own reader gives every cell back byte for byte, from a CSV and from a workbook."""

import stat
from collections.abc import Sequence
from pathlib import Path
from zipfile import ZipFile

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from batchconnect.flow_service.listing import Shown
from batchconnect.flow_service.standing import Standing, Written
from batchconnect.model.column import SHOWN_COLUMNS, Column
from batchconnect.model.report_columns import EXPORT_COLUMNS, FORMULA_QUOTES
from batchconnect.reports.columns import iso
from batchconnect.reports.new_file import write_new
from batchconnect.run.export.export import Exported
from batchconnect.run.export.filled_template import (
    cells_of,
    columns,
    holds,
    render_csv,
    render_xlsx,
)
from batchconnect.sheet import open_sheet

RENDER = {"csv": render_csv, "xlsx": render_xlsx}
CAREFUL = [
    "=1+1",
    "'=x",
    "''",
    "'",
    "+49",
    "-",
    "@x",
    "\tx",
    "007",
    "1e5",
    "NA",
    "true",
    "x ",
    " x",
]
ODD = [
    *CAREFUL,
    "a,b",
    'a"b',
    "a\nb",
    "a\r\nb",
    "a\rb",
    "_x000D_",
    "&amp;",
    "<b>",
    "Su\u0308d",
    "😀",
]
TEXTS = st.one_of(
    st.sampled_from(ODD),
    st.text(st.sampled_from("=+-@'\t\r\n,;\"<>&_x 0aü\u2028\x85\x1f\ufeff\u200b"), max_size=6),
).filter(holds)


def row(*texts: str) -> list[str]:
    """A row of these texts in the columns that are no key and no time."""
    cells = dict(zip(SHOWN_COLUMNS, texts, strict=False))
    own = ["enabled", "2026-11-30T03:00:00.000Z", "", "an-id", "yes", *texts[-2:]]
    return [*(cells.get(column, "") for column in Column), *own]


def read_back(path: Path) -> list[list[str]]:
    """Every cell of a sheet as our reader has it, in the order of its columns."""
    sheet = open_sheet(str(path))
    try:
        assert sheet.header.carried == EXPORT_COLUMNS
        return [
            [*("" if c.info.is_secret else str(one.cells[c]) for c in Column), *one.carried]
            for one in sheet.rows()
        ]
    finally:
        sheet.close()


def write(path: Path, rows: Sequence[Sequence[str]]) -> Path:
    path.unlink(missing_ok=True)
    write_new(path, RENDER[path.suffix[1:]](rows, usage=False))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("form", RENDER)
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(rows=st.lists(st.lists(TEXTS, min_size=8, max_size=8).map(lambda texts: row(*texts))))
def test_every_cell_comes_back_as_it_was_written(
    tmp_path: Path, form: str, rows: list[list[str]]
) -> None:
    path = write(tmp_path / f"out.{form}", rows)

    assert rows == read_back(path)


@pytest.mark.parametrize("form", RENDER)
def test_each_careful_text_comes_back(tmp_path: Path, form: str) -> None:
    """Those that a spreadsheet, a shell or a reader of ours would like to change."""
    rows = [row(*[text] * 8) for text in ODD]

    assert rows == read_back(write(tmp_path / f"out.{form}", rows))


def test_a_formula_is_quoted_in_a_csv_alone(tmp_path: Path) -> None:
    """Who opens it in a spreadsheet runs nothing; which rows are quoted is said in the last column."""
    rows = [row("=cmd()", "plain"), row("fine", "plain")]

    text = write(tmp_path / "out.csv", rows).read_text("utf-8-sig")

    lines = text.splitlines()
    assert lines[0].endswith(f",{FORMULA_QUOTES}")
    assert lines[1].startswith("'=cmd(),plain,")
    assert [line.rpartition(",")[2] for line in lines[1:]] == ["yes", "no"]
    with ZipFile(write(tmp_path / "out.xlsx", rows)) as book:
        drawn = book.read("xl/worksheets/sheet1.xml").decode()
    assert "<t>=cmd()</t>" in drawn
    assert "<f>" not in drawn


def test_a_csv_that_went_through_a_spreadsheet_is_still_unquoted(tmp_path: Path) -> None:
    """The header says that it is quoted, whichever file it stands in by now."""
    header = [*columns(usage=False), FORMULA_QUOTES]
    rows = [["'=x", *row("name", "text")[1:], "yes"]]
    path = tmp_path / "saved.csv"
    path.write_text("\n".join(";".join(line) for line in (header, *rows)), "utf-8")

    assert read_back(path)[0][0] == "=x"


@pytest.mark.parametrize("text", ["\0", "a\0b", "x" * 32_768, "\uffff", "\ud800", "\r\n", "\x1f"])
def test_what_no_cell_gives_back_is_known(text: str) -> None:
    assert not holds(text)


@pytest.mark.parametrize("text", ["", " ", "x" * 32_767, "\ufffd", *ODD])
def test_all_else_is_held(text: str) -> None:
    assert holds(text)


def exported(**changes: object) -> Exported:
    """A connection that stands there."""
    values = {
        "id": "f088e4f2-2464-480c-88e4-f22464b80c90",
        "etag": None,
        "name": "Acme",
        "marker": None,
        "shown": Shown(None, None, None, None),
        "is_our_kind": True,
        "created_at_ms": 1_668_637_963_851,
        "written_name": "Acme",
        "own_description": None,
        "written": Written(None, None, None, None),
        "shown_secrets": (),
        **changes,
    }
    standing = Standing(**values)  # type: ignore[arg-type]  # each is of its field's type
    return Exported(org="acme", sandbox="dev", standing=standing, cells={Column.NAME: "Acme"})


def test_where_to_is_blank_and_where_from_is_carried() -> None:
    """So that the sheet runs where the options say."""
    cells = dict(
        zip(
            columns(usage=False),
            cells_of(exported(), keep_target=False, usage=False),
            strict=True,
        )
    )

    assert cells["org"] == cells["sandbox"] == cells["servicePrincipalKey"] == ""
    assert (cells["from_org"], cells["from_sandbox"], cells["marker"]) == ("acme", "dev", "no")
    assert (cells["state"], cells["updated_at"]) == ("", "")
    assert cells["created_at"] == "2022-11-16T22:32:43.851Z"


def test_the_target_is_kept_where_that_is_asked_for() -> None:
    cells = cells_of(exported(), keep_target=True, usage=True)

    named = dict(zip(columns(usage=True), cells, strict=True))
    assert (named["org"], named["sandbox"], named["used_by"]) == ("acme", "dev", "")


def test_a_time_that_no_calendar_has_is_blank() -> None:
    """A service may answer any number."""
    with pytest.raises(OverflowError):
        iso(10**20)

    cells = cells_of(exported(created_at_ms=10**20), keep_target=False, usage=False)

    assert dict(zip(columns(usage=False), cells, strict=True))["created_at"] == ""


def test_a_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "out.csv", [row("Acme", "text")])

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
