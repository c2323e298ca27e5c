"""Plain rows of a tab: known as a whole, or else left to the parser, and never a difference (fault 49)."""

import io
from xml.parsers.expat import ExpatError

import pytest
from hypothesis import given, settings, strategies as st

from batchconnect.model import possessive
from batchconnect.sheet.workbook import inspect_xlsx, plain_rows
from batchconnect.sheet.workbook.inspect_xlsx import _Inspection
from batchconnect.sheet.workbook.inspected import FarCellError, InspectedTab, check
from batchconnect.sheet.workbook.plain_rows import PlainRows, split
from batchconnect.sheet.workbook.shared_texts import odd_texts

PLAIN = [
    '<row r="7"></row>',
    '<row r="7" spans="1:9" ht="15.75" customHeight="1" x14ac:dyDescent="0.25"></row>',
    '<row r="7"><c r="A7" t="inlineStr"><is><t>Süd &amp; 😀</t></is></c></row>',
    '<row r="7"><c r="A7" t="inlineStr"><is><t xml:space="preserve"> a </t></is></c></row>',
    '<row r="7"><c r="B7" s="1" t="s"><v>0</v></c><c r="C7" s="2"/></row>',
    '<row r="7"><c r="AB7"><v>1.5</v></c><c r="C7" t="b"><v>1</v></c></row>',
    '<row r="7"><c r="A7" t="str"><f>B1&amp;C1</f><v>x</v></c></row>',
    '<row r="7"><c r="A7"><f t="shared" ref="A7:A9" si="0">B1</f><v>1</v></c></row>',
    '<row r="7"><c r="A7"><f t="shared" si="0"/><v>1</v></c></row>',
    '<row r="7"><c r="A7" t="inlineStr"><is><t>\uff08\ufffd</t></is></c></row>',
]
NOT_PLAIN = [
    "<row><c><v>1</v></c></row>",
    '<row r="0"></row>',
    "<row r='7'><c r='A7' t='e'><v>#N/A</v></c></row>",
    '<row r="7"><c r="A7" t="e"><v>#N/A</v></c></row>',
    '<row r="7"><c r="A7" t="&#101;"><v>#N/A</v></c></row>',
    '<row r="7"><c t="e" r="A7"><v>#N/A</v></c></row>',
    '<row r="7"><c r="A7"><f>B1</f></c></row>',
    '<row r="7"><c r="A7"><f>B1</f><v/></c></row>',
    '<row r="7"><c r="A7"><f>B1</f><v></v></c></row>',
    '<row r="7"><c r="A7" t="str"><f>B1</f><v></v></c></row>',
    '<row r="7"><c r="A7" t="inlineStr"><is><t></t></is></c></row>',
    '<row r="7"><c r="A7" t="inlineStr"><is><r><t>a</t></r><r><t>b</t></r></is></c></row>',
    '<row r="7"><c r="A8"><v>1</v></c></row>',
    '<row r="7"><c r="A7"><v><!-- --></v></c></row>',
    '<row r="7"><c r="A7" t="d"><v>2026-01-02</v></c></row>',
    '<row r="7"><c r="A7" t="str"><v> </v></c></row>',
    '<row r="7"><c r="A7" t="inlineStr"><is><t xml:space="preserve">  </t></is></c></row>',
    '<row r="7"><c r="A7" t="inlineStr"><is><t>a </t></is></c></row>',
    '<row r="7"><c r="A7" t="inlineStr"><is><t> a</t></is></c></row>',
    '<row r="7"><c r="A7" t="inlineStr"><is><t>a_x0041_</t></is></c></row>',
    '<row r="7"><c r="A7"><v><![CDATA[1]]></v></c></row>',
    '<x:row r="7"><x:c r="A7" t="e"><x:v>#N/A</x:v></x:c></x:row>',
]
MALFORMED = [
    '<row r="7" ht="1" ht="2"></row>',
    '<row r="7"><c r="A7" t="s"><v>&nbsp;</v></c></row>',
    '<row r="7"><c r="A7" t="str"><v>\x01</v></c></row>',
    '<row r="7"><c r="A7" t="str"><v>]]></v></c></row>',
    '<row r="7"><c r="A7" t="str"><v>\ufffe</v></c></row>',
    '<row r="7"><c r="A7" t="str"><v>\udcff</v></c></row>',
    '<row r="7"><c r="A7"><v>1</c></row>',
]


def tab(*rows: str, merged: str = "") -> bytes:
    merges = f'<mergeCells><mergeCell ref="{merged}"/></mergeCells>' if merged else ""
    text = f"<worksheet><sheetPr/><sheetData>{''.join(rows)}</sheetData>{merges}</worksheet>"
    return text.encode(errors="surrogateescape")


def by_cells(xml: bytes) -> InspectedTab:
    """What the parser sees if it gets everything."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inspect_xlsx, "split", lambda file: [file.read()])
        return _Inspection().of(io.BytesIO(xml))


def plain(xml: bytes) -> list[PlainRows]:
    return [part for part in split(io.BytesIO(xml)) if isinstance(part, PlainRows)]


@pytest.mark.parametrize("row", PLAIN)
def test_a_plain_row_is_known(row: str) -> None:
    """As the spreadsheet programs write them."""
    (found,) = plain(tab(row, row))

    assert (found.xml, found.last) == ((row + row).encode(), 7)


@pytest.mark.parametrize("row", [*NOT_PLAIN, *MALFORMED])
def test_all_else_is_left_to_the_parser(row: str) -> None:
    """To the last byte."""
    xml = tab(PLAIN[2], row)

    assert sum(len(found.xml) for found in plain(xml)) <= len(PLAIN[2].encode())
    assert b"".join(p if isinstance(p, bytes) else p.xml for p in split(io.BytesIO(xml))) == xml


@pytest.mark.parametrize("row", MALFORMED)
def test_what_is_not_well_formed_is_refused(row: str) -> None:
    """As if there were no plain rows."""
    with pytest.raises(ExpatError):
        _Inspection().of(io.BytesIO(tab(PLAIN[2], row)))


def test_a_row_where_none_may_stand_is_refused() -> None:
    """Inside an attribute, say: what is left without it would be well-formed."""
    with pytest.raises(ExpatError):
        _Inspection().of(io.BytesIO(tab('<row r="><row r="7"></row>0"></row>')))


@settings(max_examples=settings().max_examples * 3 // 2)
@given(
    rows=st.lists(st.tuples(st.sampled_from(PLAIN + NOT_PLAIN), st.integers(1, 40)), max_size=12),
    merged=st.sampled_from(["", "A1:C9", "B7:ZZ900", "$A$7:$B$30"]),
    block=st.sampled_from([1, 7, 64, 300, 1 << 20]),
)
def test_plain_rows_make_no_difference(
    rows: list[tuple[str, int]], merged: str, block: int
) -> None:
    """Wherever they stand, in whatever order, and wherever a block of bytes ends."""
    xml = tab(*(row.replace('7"', f'{number}"') for row, number in rows), merged=merged)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain_rows, "_BLOCK", block)
        assert _Inspection().of(io.BytesIO(xml)) == by_cells(xml)


def test_a_row_without_number_follows_plain_ones() -> None:
    """Its number is the next."""
    xml = tab(PLAIN[4], '<row><c t="e"><v>#N/A</v></c></row>')

    assert _Inspection().of(io.BytesIO(xml)).kinds == {7: {0: "error"}}


def test_a_far_cell_among_plain_rows_is_named() -> None:
    """The very cell; a blank one is none."""
    blank, far = (
        '<row r="1048576"><c r="XFD1048576" s="1"/></row>',
        '<row r="{0}"><c r="{1}{0}"><v>1</v></c></row>',
    )

    assert _Inspection().of(io.BytesIO(tab(PLAIN[4], blank))).last_row == 6
    rows = [far.format(7, "A"), far.format(30_000, "XFD"), far.format(40_000, "B")]
    with pytest.raises(FarCellError, match=r"^XFD30000$"):
        check(_Inspection().of(io.BytesIO(tab(*rows))))


def test_the_rows_that_nobody_sees_are_known_in_plain_rows_too() -> None:
    """Hidden, or without height; a height of zero and a bit is one."""
    looks = ['hidden="1"', 'hidden="0"', 'ht="0" customHeight="1"', 'ht="0.75"', 'hidden="true"']
    rows = [
        f'<row r="{n}" {look}><c r="A{n}"><v>1</v></c></row>' for n, look in enumerate(looks, 1)
    ]

    assert _Inspection().of(io.BytesIO(tab(*rows))).hidden == {0, 2, 4}
    assert by_cells(tab(*rows)).hidden == {0, 2, 4}


@pytest.mark.parametrize(
    "rows",
    [
        [PLAIN[4], PLAIN[4]],
        ['<row r="7"><c r="A7"><v>1</v></c><c r="A7"><v>2</v></c></row>'],
        [PLAIN[4], "<x/>", PLAIN[4]],
    ],
)
def test_an_address_that_comes_twice_is_unclear(rows: list[str]) -> None:
    """Which of the two is meant, nobody can know."""
    (kinds,) = _Inspection().of(io.BytesIO(tab(*rows))).kinds.values()

    assert set(kinds.values()) == {"unclear"}


def test_nothing_is_plain_in_utf_16() -> None:
    """Its bytes may look like a row and be letters."""
    xml = tab(*PLAIN[:3]).decode()

    assert not plain(xml.encode("utf-16"))
    assert _Inspection().of(io.BytesIO(xml.encode("utf-16"))) == by_cells(xml.encode())


def test_where_the_patterns_cannot_be_believed_the_parser_sees_everything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on Python 3.11.2: not one row is told to be plain, and not one byte is lost."""
    monkeypatch.setattr(possessive, "IS_SOUND", False)
    xml = b"<sheetData>" + 3 * b'<row r="7"><c r="A7"><v>1</v></c></row>' + b"</sheetData>"

    assert b"".join(bytes(one) for one in split(io.BytesIO(xml)) if isinstance(one, bytes)) == xml
    texts = b"<sst><si><t>a</t></si><si><t> </t></si></sst>"
    assert odd_texts(io.BytesIO(texts)) == {1: "blank"}
