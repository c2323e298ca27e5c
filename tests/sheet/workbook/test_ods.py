"""ODS: the same rules in another XML (faults 49, 50, 52)."""

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from batchconnect.model.column import Column
from batchconnect.model.errors import SheetError
from batchconnect.model.row import NotText, Row
from batchconnect.sheet import open_sheet
from batchconnect.sheet.workbook.inspected import ForbiddenXmlError, InspectedTab
from batchconnect.sheet.workbook.ods import read_ods

pytestmark = pytest.mark.usefixtures("in_process")
NAMES = [str(column) for column in Column]
Write = Callable[..., Path]
SPACES = " ".join(
    f'xmlns:{word}="urn:oasis:names:tc:opendocument:xmlns:{word}:1.0"'
    for word in ("office", "style", "table", "text")
)

ANNOTATED = (
    '<table:table-cell office:value-type="string"><office:annotation><text:p>note</text:p>'
    "</office:annotation><text:p>db</text:p></table:table-cell>"
)
FAILED = (
    '<table:table-cell table:formula="of:=NA()" office:value-type="string" '
    'office:string-value="" calcext:value-type="error"><text:p>#N/A</text:p></table:table-cell>'
)


RUBY = "<text:ruby><text:ruby-base>a</text:ruby-base><text:ruby-text>b</text:ruby-text></text:ruby>"


def text(value: str) -> str:
    return (
        f'<table:table-cell office:value-type="string"><text:p>{value}</text:p></table:table-cell>'
    )


def row(*cells: str, attributes: str = "") -> str:
    return f"<table:table-row {attributes}>{''.join(cells)}</table:table-row>"


def ods(*rows: str, before: str = "", styles: str = "") -> bytes:
    content = (
        f'<?xml version="1.0"?>{before}<office:document-content {SPACES} '
        'xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0">'
        f"<office:automatic-styles>{styles}</office:automatic-styles>"
        '<office:body><office:spreadsheet><table:table table:name="T">'
        f"{''.join(rows)}</table:table></office:spreadsheet></office:body></office:document-content>"
    )
    return archive_of(content)


def archive_of(content: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr(
            "META-INF/manifest.xml",
            '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>',
        )
        archive.writestr("content.xml", content)
    return file.getvalue()


HEADER = row(*map(text, NAMES))
REST = '<table:table-cell table:number-columns-repeated="16000"/>'


def read(path: Path) -> list[Row]:
    return list(open_sheet(path).rows())


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (text(" 00123 "), " 00123 "),
        (text('a<text:s text:c="2"/>b'), "a  b"),
        (text("x<text:span>y</text:span>"), "xy"),
        (text("a<text:tab/>b"), NotText("text with a tab")),
        (text("a<text:line-break/>b"), NotText("text with a line break")),
        (text("a</text:p><text:p>b"), "a\nb"),
        (text(RUBY), NotText("text with marks")),
        (text("<text:title>b</text:title>"), NotText("text with marks")),
        (text("x<text:a>y<text:s/></text:a>z"), "xy z"),
        ("<table:table-cell><text:p>db</text:p></table:table-cell>", "db"),
        ('<table:table-cell office:value-type="string" office:string-value="db"/>', "db"),
        (
            (
                '<table:table-cell office:value-type="string" office:string-value="a"><text:p>b</text:p>'
                "</table:table-cell>"
            ),
            NotText("unclear"),
        ),
        (
            (
                '<table:table-cell office:value-type="date" office:date-value="2026-01-02"><text:p>x'
                "</text:p></table:table-cell>"
            ),
            NotText("date"),
        ),
        ('<table:table-cell office:value-type="time" office:time-value="PT1H"/>', NotText("date")),
        (
            '<table:table-cell office:value-type="boolean" office:boolean-value="true"/>',
            NotText("boolean"),
        ),
        ('<table:table-cell office:value-type="other"/>', NotText("error")),
        (ANNOTATED, "db"),
        ('<table:table-cell office:value-type="float" office:value="7"/>', NotText("number")),
        (FAILED, NotText("error")),
        ('<table:table-cell table:formula="of:=1+1"/>', NotText("formula")),
        ("<table:covered-table-cell/>", NotText("merged")),
    ],
)
def test_a_cell_is_what_its_xml_says(write: Write, cell: str, expected: object) -> None:
    """A text as typed, or refused with its kind."""
    cells = [text("x") for _ in NAMES]
    content = ods(HEADER, row(*cells[:3], cell, *cells[4:], REST))

    (found,) = read(write(content, "clients.ods"))

    assert found.cells[Column.DATABASE] == expected


def test_repeated_rows_are_rows(write: Write) -> None:
    """Blank ones keep the numbers right; a million at the end are none."""
    cells = [text("x") for _ in NAMES]
    path = write(
        ods(
            row(REST, attributes='table:number-rows-repeated="3"'),
            HEADER,
            row(*cells, attributes='table:number-rows-repeated="2"'),
            row(REST, attributes='table:number-rows-repeated="1048570"'),
        ),
        "clients.ods",
    )

    assert [found.number for found in read(path)] == [5, 6]


def test_a_far_cell_is_named(write: Write) -> None:
    """Before anybody reserves memory for what lies before it."""
    path = write(
        ods(
            HEADER,
            row(REST, attributes='table:number-rows-repeated="1000000"'),
            row(REST, text("x")),
        ),
        "clients.ods",
    )

    with pytest.raises(SheetError, match="the cell WQK1000002 lies too far out"):
        open_sheet(path)


@pytest.mark.parametrize(
    ("attributes", "around"),
    [
        ('table:visibility="collapse"', "{}"),
        ('table:visibility="filter"', "{}"),
        ('table:style-name="flat"', "{}"),
        ("", '<table:table-row-group table:display="false">{}</table:table-row-group>'),
    ],
)
def test_rows_that_nobody_sees_are_named(write: Write, attributes: str, around: str) -> None:
    """Hidden, filtered, without height, or in a group that is folded."""
    cells = [text("x") for _ in NAMES]
    unseen = around.format(row(*cells, attributes=attributes))
    styles = (
        '<style:style style:name="flat" style:family="table-row">'
        '<style:table-row-properties style:row-height="0cm"/></style:style>'
    )
    sheet = open_sheet(write(ods(HEADER, row(*cells), unseen, row(*cells), styles=styles), "c.ods"))

    assert [found.number for found in sheet.rows()] == [2, 3, 4]
    assert "1 row is hidden or filtered out, so that nobody sees it" in sheet.warnings[0]
    assert "row 3; --visible-only" in sheet.warnings[0]


def test_a_prefix_may_be_any_word(write: Write) -> None:
    """What counts is the name that it stands for."""
    cells = [text("x") for _ in NAMES]
    raw = ods(HEADER, row(*cells))
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        content = archive.read("content.xml").decode()
    renamed = re.sub(r"(</?| )table:", r"\1t:", content).replace("xmlns:table=", "xmlns:t=")

    assert len(read(write(archive_of(renamed), "clients.ods"))) == 1


def test_repetition_has_an_end(write: Write) -> None:
    """A row of ours is there a few times at most by repetition; a million of them are none."""
    cells = [text("x") for _ in NAMES]
    many = row(*cells, attributes='table:number-rows-repeated="900000"')

    with pytest.raises(SheetError, match="lies too far out"):
        open_sheet(write(ods(HEADER, many), "clients.ods"))


def test_a_document_type_is_refused() -> None:
    """As in XLSX."""
    with pytest.raises(ForbiddenXmlError):
        read_ods(io.BytesIO(ods(before="<!DOCTYPE x>")))


def test_a_table_inside_a_cell_is_not_a_tab() -> None:
    """ODS may nest tables; the inner one is part of its cell."""
    inner = '<table:table table:name="inner"><table:table-row/></table:table>'
    nested = f"<table:table-cell>{inner}</table:table-cell>"

    assert [tab.name for tab in read_ods(io.BytesIO(ods(row(nested))))] == ["T"]


def test_merges_are_kept_within_bounds() -> None:
    """A range over the whole tab costs nothing beyond the table, and little within."""
    look = InspectedTab()
    look.saw(0, 0, None)
    look.saw(2_000, 500, None)
    look.merge(0, 0, 1 << 20, 1 << 14)

    assert sum(map(len, look.kinds.values())) == 200_000
