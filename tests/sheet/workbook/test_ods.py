"""ODS: the same rules in another XML (faults 49, 50, 52)."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from batchconnect.model.column import Column
from batchconnect.model.errors import SheetError
from batchconnect.model.row import NotText, Row
from batchconnect.sheet import open_sheet
from batchconnect.sheet.workbook.inspect_ods import inspect_ods
from batchconnect.sheet.workbook.unsupported import (
    FARTHEST,
    FarCellError,
    ForbiddenXmlError,
    UnsupportedCells,
)

pytestmark = pytest.mark.usefixtures("in_process")
NAMES = [str(column) for column in Column]
Write = Callable[..., Path]
SPACES = " ".join(
    f'xmlns:{word}="urn:oasis:names:tc:opendocument:xmlns:{word}:1.0"'
    for word in ("office", "table", "text")
)

ANNOTATED = (
    '<table:table-cell office:value-type="string"><office:annotation><text:p>note</text:p>'
    "</office:annotation><text:p>db</text:p></table:table-cell>"
)
FAILED = (
    '<table:table-cell table:formula="of:=NA()" office:value-type="string" '
    'office:string-value="" calcext:value-type="error"><text:p>#N/A</text:p></table:table-cell>'
)


def text(value: str) -> str:
    return (
        f'<table:table-cell office:value-type="string"><text:p>{value}</text:p></table:table-cell>'
    )


def row(*cells: str, attributes: str = "") -> str:
    return f"<table:table-row {attributes}>{''.join(cells)}</table:table-row>"


def ods(*rows: str, before: str = "") -> bytes:
    content = (
        f'<?xml version="1.0"?>{before}<office:document-content {SPACES} '
        'xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0">'
        '<office:body><office:spreadsheet><table:table table:name="T">'
        f"{''.join(rows)}</table:table></office:spreadsheet></office:body></office:document-content>"
    )
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


def test_a_document_type_is_refused() -> None:
    """As in XLSX."""
    with pytest.raises(ForbiddenXmlError):
        inspect_ods(io.BytesIO(ods(before="<!DOCTYPE x>")))


def test_a_table_inside_a_cell_is_not_a_tab() -> None:
    """ODS may nest tables; the inner one is part of its cell."""
    inner = '<table:table table:name="inner"><table:table-row/></table:table>'
    nested = f"<table:table-cell>{inner}</table:table-cell>"

    assert list(inspect_ods(io.BytesIO(ods(row(nested))))) == ["T"]


def test_merges_are_kept_within_bounds() -> None:
    """A range over the whole tab costs nothing beyond the table, and little within."""
    unsupported = UnsupportedCells()
    unsupported.saw(2_000, 500, None)
    unsupported.merge(0, 0, 1 << 20, 1 << 14)

    assert sum(map(len, unsupported.kinds.values())) == 200_000
    with pytest.raises(FarCellError, match="A20000001"):
        UnsupportedCells().saw(FARTHEST, 0, None)
