"""CSV in disorder: each trouble with its line (faults 42, 43, 54)."""

from collections.abc import Callable
from pathlib import Path

import pytest

from batchconnect.model.column import Column
from batchconnect.model.errors import SheetError
from batchconnect.model.row import Row
from batchconnect.sheet import Sheet, open_sheet
from batchconnect.sheet.text import LONGEST_LINE

HEADER = "name,endpoint,database,tenant,servicePrincipalId,servicePrincipalKey,org,sandbox"
ROW = (
    "Acme,https://acme.westeurope.kusto.windows.net,telemetry,acme.onmicrosoft.com,"
    "0d1ff3c1-7c0a-4b0e-9d7e-2f1f6b8f3a11,FAKE~key,acme,prod"
)
Write = Callable[..., Path]


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


def test_too_many_cells_are_an_error_with_the_line(write: Write) -> None:
    """Most often a comma in a name without quotes."""
    error = refused(write(f"{HEADER}\n{ROW}\n{named('Acme, Inc.')}\n"))

    assert "line 3 (row 3): 9 cells, but the header has 8" in error.message


def test_blank_cells_behind_the_last_column_are_fine(write: Write) -> None:
    """Excel writes them where a cell was once used."""
    assert names(read(write(f"{HEADER},,\n{ROW},,,,\n,,,,,,,,,,,\n"))) == ["Acme"]


def test_a_cell_below_no_header_is_not_read_and_said_once(write: Write) -> None:
    """It may be anything, a key too, so it is not carried."""
    sheet = opened(write(f"{HEADER},,team\n{ROW},,North\n{ROW},x,South\n{ROW},y,\n"))
    rows = list(sheet.rows())

    assert [row.carried for row in rows] == [("North",), ("South",), ("",)]
    (warning,) = sheet.warnings
    assert "line 3 (row 3): column I has no header" in warning


def test_an_unterminated_quote_is_reported_where_it_begins(write: Write) -> None:
    """And not where the file ends; no row behind it is read."""
    path = write(f'{HEADER}\n{named("A")}\n{named("B")[:-4]}"prod\n{named("C")}\n')

    assert "line 3 (row 3): a quoted cell begins here and is never closed" in refused(path).message


def test_an_unterminated_quote_before_a_large_rest_is_found_too(write: Write) -> None:
    """The parser gives up at the longest cell; the message is the same."""
    path = write(f'{HEADER}\n"{ROW}\n' + f"{ROW}\n" * 3000)

    assert "line 2 (row 2): a quoted cell begins here" in refused(path).message


def test_an_unterminated_quote_in_the_header_is_found(write: Write) -> None:
    """It swallows the whole sheet."""
    assert (
        "line 1 (row 1): a quoted cell begins here" in refused(write(f'"{HEADER}\n{ROW}\n')).message
    )


def test_text_behind_a_closing_quote_names_both_lines(write: Write) -> None:
    """The quote that closes was meant to open."""
    path = write(f'{HEADER}\n{named("A")[:-4]}"prod\n"B",{ROW[5:]}\n')

    message = refused(path).message
    assert (
        "line 3 (row 2): text follows a closing quote; the quoted cell begins in line 2" in message
    )


def test_a_doubled_quote_is_no_end(write: Write) -> None:
    """The search for the line knows it."""
    path = write(f'{HEADER}\n"A ""x"" B",{ROW[5:]}\n"C ""{ROW[5:]}\n')

    assert "line 3 (row 3): a quoted cell begins here" in refused(path).message


def test_a_very_long_cell_is_refused(write: Write) -> None:
    """Beyond what the parser takes."""
    message = refused(write(f"{HEADER}\n{named('A' * 140_000)}\n")).message
    assert "line 2 (row 2): a cell has more than 131,072 characters" in message


def test_a_very_long_line_is_refused(write: Write) -> None:
    """A file without line breaks is not read into memory."""
    message = refused(write(f"{HEADER}\n" + "x" * (LONGEST_LINE * 2))).message
    assert "line 2: longer than 1,048,576 bytes" in message


def test_a_sheet_with_a_header_only_has_no_rows(write: Write) -> None:
    """With or without a last line end; no error here, the command judges."""
    assert [] == read(write(HEADER)) == read(write(f"{HEADER}\n\n\n"))


def test_a_header_that_is_the_last_looked_at_has_its_rows(write: Write) -> None:
    """The rows begin right below it."""
    path = write("title\n" * 19 + f"{HEADER}\n{ROW}\n{ROW}\n")

    assert [row.number for row in read(path)] == [21, 22]


def test_no_message_shows_a_cell(write: Write) -> None:
    """Columns get swapped: any cell may be the key."""
    secret = "FAKE~canary"
    bad = [
        f"{HEADER}\n{secret},x\n",
        f"{HEADER}\n{ROW},{secret}\n",
        f'{HEADER}\n"{secret},x\n',
        f'{HEADER}\n"{secret}" x,x\n',
        f"{HEADER}\n{secret}\0\n",
        f"{secret},{secret}\n",
        f"name,endpoint,{secret}\n",
    ]
    for text in bad:
        error = refused(write(text))
        assert secret not in f"{error.message}{error.hint}{error.__cause__}"
    error = refused(write(f"{HEADER}\n{secret}ü,x\n".encode("cp1252")))
    assert secret not in f"{error.message}{error.hint}{error.__cause__}"


def test_lines_that_are_one_quoted_cell_each_are_named_so(write: Write) -> None:
    """A CSV that was exported once more as one column."""
    error = refused(write(f'"{HEADER}"\n"{ROW}"\n'))

    assert "line 1: the line is one quoted cell, so no `,` in it separates cells" in error.message
    assert "Remove the quotes around the lines" in str(error.hint)


def test_a_row_that_is_one_quoted_cell_is_named_so(write: Write) -> None:
    """Its header is not."""
    error = refused(write(f'{HEADER}\n{ROW}\n"{ROW}"\n'))

    assert "line 3 (row 3): 1 cell, but the header has 8: the line is one quoted" in error.message


def test_a_line_sep_that_is_wrong_is_told_with_the_delimiter_that_is_there(write: Write) -> None:
    """Excel takes the line as an order, and so do we."""
    error = refused(write(f"sep=;\n{HEADER}\n{ROW}\n"))

    assert "line 2: the columns are separated by `,`, but line 1 says that `;`" in error.message


@pytest.mark.parametrize(("delimiter", "name"), [("^", "`^`"), ("\x1f", "the character 0x1f")])
def test_a_delimiter_that_we_do_not_take_is_named(write: Write, delimiter: str, name: str) -> None:
    """With those that were looked for."""
    error = refused(write(f"{HEADER}\n{ROW}\n".replace(",", delimiter)))

    assert f"line 1: the columns seem to be separated by {name}" in error.message
    assert "`,`, `;`, a tab or `|`" in str(error.hint)


def test_a_sheet_without_header_says_what_was_looked_for(write: Write) -> None:
    """Between the cells, and as columns."""
    hint = str(refused(write("a,b,c\n1,2,3\n")).hint)

    assert "`,`, `;`, a tab or `|`" in hint
    assert "`servicePrincipalKey`" in hint


@pytest.mark.parametrize("at", range(8))
def test_a_stray_quote_that_swallows_rows_is_named(write: Write, at: int) -> None:
    """In whatever column: a key would be sent as a part of a text, or carried into the reports."""
    cells = ROW.split(",")
    first, second = cells.copy(), cells.copy()
    first[at] = f'"{first[at]}'
    second[at] = f'{second[at]}"'
    text = "\n".join([HEADER, ",".join(first), ",".join(second), ROW, ""])

    message = refused(write(text)).message

    assert f"line 2 (row 2): the quoted cell {'ABCDEFGH'[at]}2 of " in message
    assert "holds whole rows" in message


def test_a_text_of_several_lines_is_no_stray_quote(write: Write) -> None:
    """A description may have them, and commas as well."""
    quoted = '"north, south, east,\nwest, all, others, and more"'

    assert len(read(write(f"{HEADER},description\n{ROW},{quoted}\n"))) == 1


def test_a_blank_before_quotes_is_named(write: Write) -> None:
    """The quotes are part of the cells then, and a comma inside them separates."""
    header, row = (", ".join(f'"{cell}"' for cell in line.split(",")) for line in (HEADER, ROW))
    sheet = opened(write(f"{header}\n{row}\n"))

    assert "blanks stand before quotes, so the quotes are part of the cells" in sheet.warnings[0]
    error = refused(write(f"{header}\n{row.replace('telemetry', 'a, b')}\n"))
    assert "9 cells, but the header has 8: a blank stands before a quote" in error.message


@pytest.mark.parametrize("line", ["Total: 2", "Generated by a portal,2026", ",,Summe"])
def test_a_footer_of_a_ragged_sheet_is_said_to_be_one(write: Write, line: str) -> None:
    """It is no row that lacks cells."""
    error = refused(write(f"{HEADER}\n{ROW}\n{line}\n"))

    assert "a total, a footer or a remark, it seems, not a row" in error.message


def test_a_wide_line_is_refused_with_the_limit_whatever_the_delimiter(write: Write) -> None:
    """The header is judged once, not each column beside all the others."""
    message = refused(write("name" + ",x" * 99_999 + "\n")).message

    assert "line 1: 100,000 cells; a sheet has at most 16,384 columns" in message


def test_a_row_with_another_delimiter_than_the_header_is_told_so(write: Write) -> None:
    """Two exports in one file; it is no footer."""
    message = refused(write(f"{HEADER}\n{ROW}\n{ROW.replace(',', ';')}\n")).message

    assert "its cells are separated by `;`, those of the header by `,`" in message
