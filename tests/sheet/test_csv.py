"""CSV and its kin: every cell as typed (faults 37, 41, 44, 55)."""

import csv
import io
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from batchconnect.model.column import Column
from batchconnect.model.errors import SheetError
from batchconnect.model.row import Row
from batchconnect.model.secret import Secret
from batchconnect.sheet import Sheet, open_sheet

HEADER = "name,endpoint,database,tenant,servicePrincipalId,servicePrincipalKey,org,sandbox"
ROW = (
    "Acme,https://acme.westeurope.kusto.windows.net,telemetry,acme.onmicrosoft.com,"
    "0d1ff3c1-7c0a-4b0e-9d7e-2f1f6b8f3a11,FAKE~key,acme,prod"
)
Write = Callable[..., Path]
NAMES = [str(column) for column in Column]


def opened(path: Path, encoding: str | None = None) -> Sheet:
    return open_sheet(path, encoding=encoding)


def read(path: Path, encoding: str | None = None) -> list[Row]:
    sheet = open_sheet(path, encoding=encoding)
    try:
        return list(sheet.rows())
    finally:
        sheet.close()


def refused(path: Path, encoding: str | None = None) -> SheetError:
    with pytest.raises(SheetError) as caught:
        read(path, encoding)
    assert caught.value.hint
    return caught.value


def named(name: str) -> str:
    return ROW.replace("Acme,", f"{name},", 1)


def names(rows: list[Row]) -> list[object]:
    return [row.cells[Column.NAME] for row in rows]


def key_of(row: Row) -> str:
    key = row.cells[Column.SERVICE_PRINCIPAL_KEY]
    assert isinstance(key, Secret)
    return key.reveal()


cell = st.one_of(
    st.sampled_from(
        [
            "00123",
            "1e5",
            "NA",
            "null",
            "9" * 20,
            " x ",
            'a "b" c',
            "a,b;c",
            "=1+1",
            "Süd 😀",
            "'",
            "#N/A",
        ]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
)


@settings(max_examples=settings().max_examples * 3 // 2)
@given(
    rows=st.lists(st.lists(cell, min_size=9, max_size=9), min_size=1, max_size=6),
    delimiter=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_a_cell_arrives_byte_for_byte(
    rows: list[list[str]], delimiter: str, end: str, encoding: str
) -> None:
    """Whatever stands in it, with every delimiter, line end and mark; read in order or by place."""
    rows = [["n" + row[0], *row[1:]] for row in rows]
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([NAMES, *rows])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clients.csv")
        path.write_bytes(text.getvalue().encode(encoding))
        sheet = open_sheet(path)
        found = list(sheet.rows())
        again = [sheet.at(row.offset) for row in found]
        sheet.close()

    assert rows == [
        [key_of(row) if c is Column.SERVICE_PRINCIPAL_KEY else row.cells[c] for c in Column]
        for row in found
    ]
    assert found == again


def test_a_cell_without_quotes_keeps_its_spaces(write: Write) -> None:
    """Nothing is trimmed, and a quote inside an unquoted cell is a letter."""
    path = write(f'{HEADER}\n Acme "North" ,e,d,t,i, k~ ,o,s\n')

    (row,) = read(path)

    assert (row.cells[Column.NAME], key_of(row)) == (' Acme "North" ', " k~ ")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_by_the_header(write: Write, delimiter: str) -> None:
    """Even where another delimiter stands in the names."""
    text = f"{HEADER}\n{ROW}\n".replace(",", delimiter)
    other = ";" if delimiter == "," else ","

    assert [f"A{other}B"] == names(read(write(text.replace("Acme", f"A{other}B", 1))))


def test_a_sep_line_orders_the_delimiter(write: Write) -> None:
    """Excel does not show that line: the header is row 1, errors name the file's line."""
    path = write(f"sep=^\r\n{HEADER}\r\n{ROW}\r\nshort\r\n".replace(",", "^"))
    sheet = opened(path)

    assert sheet.header.row_number == 1
    with pytest.raises(SheetError, match=re.escape("line 4 (row 3): 1 cell,")):
        list(sheet.rows())


def test_a_sep_line_without_a_delimiter_is_an_ordinary_line(write: Write) -> None:
    """It says nothing, so the delimiter is found as elsewhere; an end of line is none that Python's reader takes."""
    sheet = opened(write(f"sep=\r\n{HEADER}\r\n{ROW}\r\n"))

    assert (sheet.header.row_number, names(list(sheet.rows()))) == (2, ["Acme"])


def test_an_unknown_delimiter_is_no_header(write: Write) -> None:
    """The message says what stands between the cells, and what may."""
    error = refused(write(f"{HEADER}\n{ROW}\n".replace(",", "^")))

    assert "the columns seem to be separated by `^`" in error.message


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_line_ends_are_what_they_are(write: Write, end: str) -> None:
    """LF, CR, CR LF; the last line may lack its own."""
    path = write(end.join([HEADER, named("A"), "", named("B")]))
    sheet = opened(path)
    rows = list(sheet.rows())

    assert [row.number for row in rows] == [2, 4]
    assert sheet.blank_rows == 1


def test_mixed_line_ends_and_breaks_in_quotes_keep_numbers_right(write: Write) -> None:
    """A break in quotes is one row for the spreadsheet, two lines for the file."""
    path = write(f'{HEADER}\r\n"A\nB\r\nC",{ROW[5:]}\r{named("D")}\n , ,\n\nshort,x\n')
    sheet = opened(path)
    rows = sheet.rows()

    assert [(row.number, row.cells[Column.NAME]) for row in (next(rows), next(rows))] == [
        (2, "A\nB\r\nC"),
        (3, "D"),
    ]
    with pytest.raises(
        SheetError, match=re.escape("line 8 (row 6): 2 cells, but the header has 8")
    ):
        next(rows)


@pytest.mark.parametrize("size", [7, 64, 1 << 18])
def test_a_block_may_end_anywhere(write: Write, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between CR and LF, inside a letter, inside quotes."""
    monkeypatch.setattr("batchconnect.sheet.csv.ONE_ROW", size)
    monkeypatch.setattr("batchconnect.sheet.csv.BLOCK", size)
    path = write(f'{HEADER}\r\n"Süd\r\nÖst",{ROW[5:]}\r\n{named("äöü")}\r\n')

    assert names(read(path)) == ["Süd\r\nÖst", "äöü"]


def test_names_are_exact(write: Write) -> None:
    """Commas, ampersands, `==`, emoji."""
    path = write(f'{HEADER}\n"Müller & Söhne, a==b 😀",{ROW[5:]}\n')

    assert names(read(path)) == ["Müller & Söhne, a==b 😀"]
