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
