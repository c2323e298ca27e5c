"""Each odd cell, in each of our columns, in each of the five formats: refused, or as typed to the byte."""

import csv
import io
import struct
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from batchconnect.model.column import Column
from batchconnect.model.errors import SheetError
from batchconnect.model.row import NotText, letters
from batchconnect.model.secret import Secret
from batchconnect.sheet import open_sheet
from tests.fast_lane import few
from tests.sheet.workbook.records import (
    ERROR,
    FORMULA_ERROR,
    Cell,
    biff,
    brt,
    container,
    wide,
    xls_stream,
    xlsb,
)

pytestmark = pytest.mark.usefixtures("in_process")
NAMES = [str(column) for column in Column]
ROW = ["Acme", "Süd", "https://a", "db", "t", "i", "FAKE~k", "acme", "prod"]
Write = Callable[..., Path]
Make = Callable[[Sequence[Sequence[object]]], bytes]

TEXTS = [
    "00123",
    "1e5",
    "TRUE",
    "NA",
    "null",
    "2026-01-02",
    "9" * 20,
    " x ",
    "a  b",
    'a "b", c; d',
    "'=x",
    "=A1",
    "#x",
    "a\nb",
    "<a>&amp;",
    "Süd 😀 客户",
    "e\u0301",
    "\u00a0x\u200b",
]


def csv_of(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def xlsx_of(rows: Sequence[Sequence[object]]) -> bytes:
    """Texts are shared; what is none is XML with a place for the address."""
    shared: list[str] = []
    tab = ""
    for number, row in enumerate(rows, start=1):
        tab += f'<row r="{number}">'
        for position, value in enumerate(row):
            at = f"{letters(position)}{number}"
            if isinstance(value, Raw):
                tab += value.xml.replace("@", at)
            elif value:
                tab += f'<c r="{at}" t="s"><v>{len(shared)}</v></c>'
                shared.append(f'<si><t xml:space="preserve">{escape(str(value))}</t></si>')
        tab += "</row>"
    schema = "http://schemas.openxmlformats.org"
    main = f'xmlns="{schema}/spreadsheetml/2006/main"'
    relation = f"{schema}/officeDocument/2006/relationships"
    office = f"{schema}/package/2006/relationships"
    shared += ['<si><t xml:space="preserve"></t></si>'] * (Raw.EMPTY + 1 - len(shared))
    return packed(
        {
            "_rels/.rels": f'<Relationships xmlns="{office}"><Relationship Id="r" '
            f'Type="{relation}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
            "xl/workbook.xml": f'<workbook {main} xmlns:r="{relation}"><sheets>'
            '<sheet name="T" sheetId="1" r:id="r1"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{office}"><Relationship Id="r1" '
            f'Type="{relation}/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="r2" '
            f'Type="{relation}/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
            "xl/sharedStrings.xml": f"<sst {main}>{''.join(shared)}</sst>",
            "xl/worksheets/sheet1.xml": f"<worksheet {main}><sheetData>{tab}</sheetData></worksheet>",
        }
    )


class Raw(str):
    """XML of a cell as it is."""

    __slots__ = ()
    EMPTY = 40
    """Number of a shared text that is empty."""

    @property
    def xml(self) -> str:
        return str(self)


def packed(members: Mapping[str, str]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def ods_of(rows: Sequence[Sequence[object]]) -> bytes:
    urn = "urn:oasis:names:tc:opendocument:xmlns"
    spaces = " ".join(f'xmlns:{word}="{urn}:{word}:1.0"' for word in ("office", "table", "text"))
    calc = "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"
    table = "".join(
        f"<table:table-row>{''.join(map(_ods_cell, row))}</table:table-row>" for row in rows
    )
    return packed(
        {
            "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
            "content.xml": f'<office:document-content {spaces} xmlns:calcext="{calc}"><office:body>'
            f'<office:spreadsheet><table:table table:name="T">{table}</table:table>'
            "</office:spreadsheet></office:body></office:document-content>",
        }
    )


def _ods_cell(value: object) -> str:
    if isinstance(value, Raw):
        return value.xml
    lines = "".join(f"<text:p>{escape(line)}</text:p>" for line in str(value).split("\n"))
    return f'<table:table-cell office:value-type="string">{lines}</table:table-cell>'


def xls_of(rows: Sequence[Sequence[object]]) -> bytes:
    return container(xls_stream(rows))


MAKERS: Mapping[str, Make] = {
    "csv": csv_of,
    "xlsx": xlsx_of,
    "xls": xls_of,
    "xlsb": xlsb,
    "ods": ods_of,
}


def read(write: Write, form: str, column: int, value: object) -> object:
    """The cell that became of a value in a column, as a text where it is one."""
    row: list[object] = list(ROW)
    row[column] = value
    (found,) = open_sheet(write(MAKERS[form]([NAMES, row]), f"clients.{form}")).rows()
    cell = found.cells[list(Column)[column]]
    return cell.reveal() if isinstance(cell, Secret) else cell


@pytest.mark.parametrize("form", MAKERS)
@pytest.mark.parametrize("text", few(TEXTS, 6))
def test_a_text_is_as_typed_in_every_column(write: Write, form: str, text: str) -> None:
    """Byte for byte."""
    for column in range(len(NAMES)):
        assert read(write, form, column, text) == text


def formula_without_text(at: bytes) -> bytes:
    return biff(6, at + b"\x00" + b"\0" * 5 + b"\xff\xff" + b"\0" * 8)


def formula_with_text(at: bytes) -> bytes:
    return formula_without_text(at) + biff(0x207, b"\x02\x00\x00db")


def formula_not_calculated(at: bytes) -> bytes:
    return biff(6, at + b"\x03" + b"\0" * 5 + b"\xff\xff" + b"\0" * 8)


def two_of_one_address(at: bytes) -> bytes:
    return biff(0x204, at + b"\x01\x00\x00a") + biff(0x204, at + b"\x01\x00\x00b")


def rich(at: bytes) -> bytes:
    return brt(62, at + b"\0" + wide("db"))


INLINE = '<c r="@" t="inlineStr">'
STRING = '<table:table-cell office:value-type="string">'
ODD: list[tuple[str, object, str | None]] = [
    ("xlsx", Raw('<c r="@" t="e"><v>#N/A</v></c>'), None),
    ("xlsx", Raw('<c r="@" t="e"><f>A1</f><v>#REF!</v></c>'), None),
    ("xlsx", Raw('<c r="@"><v>7</v></c>'), None),
    ("xlsx", Raw('<c r="@" t="b"><v>1</v></c>'), None),
    ("xlsx", Raw('<c r="@" t="d"><v>2026-01-02</v></c>'), None),
    ("xlsx", Raw('<c r="@" t="d"><v>2026-01-02T00:00:00Z</v></c>'), None),
    ("xlsx", Raw('<c r="@"><f>A1</f></c>'), None),
    ("xlsx", Raw('<c r="@" t="str"><f>A1</f></c>'), None),
    ("xlsx", Raw('<c r="@" t="str"><f>A1</f><v>db</v></c>'), "db"),
    ("xlsx", Raw('<c r="@" t="str"><v>db</v><f>A1</f></c>'), "db"),
    ("xlsx", Raw(f"{INLINE}<is><t>db</t></is></c>"), "db"),
    ("xlsx", Raw(f"{INLINE}<v>db</v></c>"), "db"),
    ("xlsx", Raw(f"{INLINE}<is><t>db</t></is><v>x</v></c>"), "db"),
    ("xlsx", Raw(f"{INLINE}<v>x</v><is><t>db</t></is></c>"), "db"),
    ("xlsx", Raw(f"{INLINE}<is><r><t>d</t></r><r><t>b</t></r></is></c>"), "db"),
    ("xlsx", Raw('<c r="@" t="str"><v>a</v></c><c r="@" t="str"><v>b</v></c>'), None),
    ("xls", 7, None),
    ("xls", ERROR, None),
    ("xls", FORMULA_ERROR, None),
    ("xls", formula_without_text, None),
    ("xls", formula_with_text, "db"),
    ("xls", formula_not_calculated, None),
    ("xls", two_of_one_address, None),
    ("xlsb", 7, None),
    ("xlsb", ERROR, None),
    ("xlsb", FORMULA_ERROR, None),
    ("xlsb", lambda at: brt(4, at + b"\x01"), None),
    ("xlsb", rich, "db"),
    ("xlsb", lambda at: brt(8, at + wide("db") + struct.pack("<HII", 0, 0, 0)), "db"),
    ("ods", Raw('<table:table-cell office:value-type="float" office:value="7"/>'), None),
    (
        "ods",
        Raw('<table:table-cell office:value-type="boolean" office:boolean-value="true"/>'),
        None,
    ),
    (
        "ods",
        Raw('<table:table-cell office:value-type="date" office:date-value="2026-01-02"/>'),
        None,
    ),
    ("ods", Raw('<table:table-cell table:formula="of:=1"/>'), None),
    (
        "ods",
        Raw(f'{STRING[:-1]} calcext:value-type="error"><text:p>#N/A</text:p></table:table-cell>'),
        None,
    ),
    ("ods", Raw(f"{STRING}<text:p>a<text:tab/>b</text:p></table:table-cell>"), None),
    ("ods", Raw(f"{STRING}<text:p>a<text:line-break/>b</text:p></table:table-cell>"), None),
    ("ods", Raw(f"{STRING}<text:p>a<text:ruby/></text:p></table:table-cell>"), None),
    ("ods", Raw(f"{STRING}<text:list><text:p>a</text:p></text:list></table:table-cell>"), None),
    ("ods", Raw("<table:table-cell><text:p>db</text:p></table:table-cell>"), "db"),
    ("ods", Raw("<table:covered-table-cell/>"), None),
]


@pytest.mark.parametrize(("form", "value", "text"), few(ODD, 20))
def test_what_is_no_plain_text_is_refused_or_is_that_text(
    write: Write, form: str, value: object, text: str | None
) -> None:
    """Never blank, so that no default speaks for it; never another text."""
    for column in range(len(NAMES)):
        cell = read(write, form, column, value)

        assert isinstance(cell, NotText) or (text is not None and cell == text)


BLANK: list[tuple[str, object]] = [
    ("xlsx", Raw('<c r="@" s="0"/>')),
    ("xlsx", Raw(f'<c r="@" t="s"><v>{Raw.EMPTY}</v></c>')),
    ("xlsx", Raw(f"{INLINE}<is><t></t></is></c>")),
    ("xlsx", Raw('<c r="@" t="str"><f>A1</f><v></v></c>')),
    ("xls", lambda at: biff(0x201, at)),
    ("xls", lambda at: biff(0x204, at + b"\0\0\0")),
    ("xlsb", lambda at: brt(1, at)),
    ("xlsb", lambda at: brt(6, at + wide(""))),
    ("ods", Raw("<table:table-cell/>")),
    ("ods", Raw(f"{STRING}<text:p></text:p></table:table-cell>")),
]


MARKED_TEXTS = ["\ufeffx", "\ufffex", "x\ufeff", "ï»¿Süd", "ÿþabcd", "þÿabcd"]
"""Letters at whose beginning a reader may see a mark of byte order."""


@pytest.mark.parametrize("form", MAKERS)
@pytest.mark.parametrize("text", few(MARKED_TEXTS, 2))
def test_a_text_that_begins_like_an_encoding_is_as_typed_or_refused(
    write: Write, form: str, text: str
) -> None:
    """Never without its first letter, and never read as that encoding."""
    if form in ("xlsx", "ods") and "\ufffe" in text:
        return  # XML has no such character
    for column in range(len(NAMES)):
        cell = read(write, form, column, text)

        assert cell in (text, NotText("misread"))
        assert cell == text or form in ("xls", "xlsb")


def in_bytes(text: bytes) -> Cell:
    """A text of one byte a letter, as Excel writes it where it can."""
    return lambda at: biff(0x204, at + struct.pack("<HB", len(text), 0) + text)


@pytest.mark.parametrize("text", MARKED_TEXTS[3:])
def test_a_text_of_single_bytes_is_as_typed(write: Write, text: str) -> None:
    """In Excel 97 it is Unicode's first letters, whatever bytes it begins with."""
    assert read(write, "xls", 0, in_bytes(text.encode("latin-1"))) == text


@pytest.mark.parametrize("text", MARKED_TEXTS[3:])
def test_a_text_of_excel_95_is_as_typed_or_refused(write: Write, text: str) -> None:
    """It is in the workbook's code page, where the same bytes are letters of the west."""
    stream = xls_stream([NAMES, [text, *ROW[1:]]], is_biff8=False, code_page=1252)
    (row,) = open_sheet(write(container(stream, "Book"), "clients.xls")).rows()

    assert row.cells[Column.NAME] in (text, NotText("misread"))


def shared(*pieces: tuple[bytes, int]) -> bytes:
    """The table of one shared text, which a record cuts before each piece but the first."""
    (first, width), *others = pieces
    length = sum(len(piece) // width for piece, width in pieces)
    head = struct.pack("<IIHB", 1, 1, length, width - 1) + first
    more = (biff(0x3C, bytes([width - 1]) + piece) for piece, width in others)
    return biff(0xFC, head) + b"".join(more)


def two_bytes(text: str) -> tuple[bytes, int]:
    return text.encode("utf-16-le", "surrogatepass"), 2


CUT_TEXTS = {
    "客户ab": [two_bytes("客户"), (b"ab", 1)],
    "ab客户": [(b"ab", 1), two_bytes("客户")],
    "a\ufeffb": [two_bytes("a"), two_bytes("\ufeffb")],
    "a😀b": [two_bytes("a\ud83d"), two_bytes("\ude00b")],
    "x\ud83d": [two_bytes("x\ud83d")],
    "客ï»¿x": [two_bytes("客"), ("ï»¿x".encode("latin-1"), 1)],
}


@pytest.mark.parametrize(("text", "pieces"), CUT_TEXTS.items(), ids=ascii)
def test_a_shared_text_that_a_record_cuts_is_as_typed_or_refused(
    write: Write, text: str, pieces: list[tuple[bytes, int]]
) -> None:
    """Each piece is read by itself, so one may begin like an encoding, and a pair may be torn."""
    label = lambda at: biff(0xFD, at + b"\0\0\0\0")  # noqa: E731 - a cell of the table below
    stream = xls_stream([NAMES, [label, *ROW[1:]]], shared=shared(*pieces))
    (row,) = open_sheet(write(container(stream), "clients.xls")).rows()

    assert row.cells[Column.NAME] in (text, NotText("misread"))


@pytest.mark.parametrize("form", ["xls", "xlsb"])
def test_a_header_may_begin_with_a_mark(write: Write, form: str) -> None:
    """As of a CSV that was opened with it and saved as a workbook."""
    path = write(MAKERS[form]([["\ufeff" + NAMES[0], *NAMES[1:]], ROW]), f"clients.{form}")

    (row,) = open_sheet(path).rows()

    assert row.cells[Column.NAME] == ROW[0]


AS_EXCEL = [
    (Raw(f"{INLINE}<is><t>a_x0041_</t></is></c>"), "aA", "holds `_x`"),
    (Raw(f"{INLINE}<is><r><t>a_x0041_</t></r><r><t>b</t></r></is></c>"), "aAb", "holds `_x`"),
    (Raw('<c r="@" t="str"><v>a_x0041_</v></c>'), "aA", "holds `_x`"),
    (Raw('<c r="@" t="str"><f>A1</f><v>a_x0041_</v></c>'), "aA", "holds `_x`"),
    ("a_x0041_", "aA", "holds `_x`"),
    (Raw(f"{INLINE}<is><t> a </t></is></c>"), "a", "has blanks at an end"),
]


@pytest.mark.parametrize(("value", "shown", "said"), AS_EXCEL)
def test_a_text_that_is_read_as_excel_shows_it_is_told_with_its_cell(
    write: Write, value: object, shown: str, said: str
) -> None:
    """Wherever it stands in the file: shared, within the cell, rich, as a result."""
    for column in range(len(NAMES)):
        row: list[object] = list(ROW)
        row[column] = value
        sheet = open_sheet(write(xlsx_of([NAMES, row]), "clients.xlsx"))
        (found,) = sheet.rows()
        cell = found.cells[list(Column)[column]]

        assert (cell.reveal() if isinstance(cell, Secret) else cell) == shown
        assert [one for one in sheet.warnings if f"{letters(column)}2 {said}" in one]


@pytest.mark.parametrize("form", MAKERS)
@pytest.mark.parametrize("text", ["\u00a0", "\u2003", "\u3000"])
def test_a_text_of_odd_white_space_is_the_same_in_each_row(
    write: Write, form: str, text: str
) -> None:
    """Rows are looked at by themselves or in blocks, whichever is quicker; neither is another text for it."""
    rows = [[f"Acme {n}", text, *ROW[2:]] for n in range(60)]

    found = open_sheet(write(MAKERS[form]([NAMES, *rows]), f"clients.{form}")).rows()

    assert {row.cells[Column.DESCRIPTION] for row in found} == {text}


BY_NUMBER = NotText("letters by number")


@pytest.mark.parametrize(
    "text", ["a_x20AC_", "_xD83D__xDE00_", "a_xfeff_b", "_x0100_", "_x0041__x4E2D_", "_xFFFF_"]
)
def test_a_letter_by_number_that_is_not_read_as_excel_shows_it_is_refused(
    write: Write, text: str
) -> None:
    """Excel shows the letter, calamine the number; a part of a text counts for the whole."""
    rich = f"{INLINE}<is><r><t>{text}</t></r><r><t> b </t></r></is></c>"
    for value in (text, Raw(f'<c r="@" t="str"><v>{text}</v></c>'), Raw(rich)):
        for column in range(len(NAMES)):
            assert read(write, "xlsx", column, value) == BY_NUMBER


@pytest.mark.parametrize("text", ["a_x005F_x20AC_", "_x20AC", "_x20A_", "_X20AC_"])
def test_what_is_no_letter_by_number_is_a_text(write: Write, text: str) -> None:
    """Of the number itself Excel writes the first sign by its own."""
    assert read(write, "xlsx", 0, text) == text.replace("_x005F_", "_")


@pytest.mark.parametrize(("form", "value"), BLANK)
def test_a_cell_without_a_text_is_blank(write: Write, form: str, value: object) -> None:
    """However a program writes nothing."""
    for column in (1, 7, 8):
        assert read(write, form, column, value) == ""


@pytest.mark.parametrize(
    "xml", ['<c r="@" t="s"><v>999</v></c>', '<c r="@" t="other"><v>x</v></c>']
)
def test_a_cell_that_no_reader_understands_refuses_the_sheet(write: Write, xml: str) -> None:
    """A shared text that is not there; a kind of cell that nobody has heard of."""
    with pytest.raises(SheetError, match="damaged, or of a kind that we do not know"):
        read(write, "xlsx", 8, Raw(xml))
