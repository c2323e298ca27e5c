"""
A far cell costs nothing: no process holds the rectangle that it spans, and what is not too far is read.

Measured in processes of their own, as a command has them, in each format that has rectangles.
"""

import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from batchconnect.model.column import Column
from batchconnect.model.row import letters
from tests.sheet.workbook import test_ods
from tests.sheet.workbook.records import biff_cell, container, xls_stream, xlsb
from tests.sheet.workbook.test_five_formats import xlsx_of

pytestmark = pytest.mark.slow

NAMES: Final = [str(column) for column in Column]
ROW: Final = ["Acme", "", "https://a", "db", "t", "i", "FAKE~k", "acme", "prod"]
MOST_MB: Final = 400
Write = Callable[..., Path]
OPENED: Final = """
import resource, sys
from batchconnect.model.errors import SheetError
from batchconnect.sheet import open_sheet
try:
    with_rows = sum(1 for row in open_sheet(sys.argv[1]).rows())
except SheetError as error:
    with_rows = error.message.rpartition("the cell ")[2].split()[0]
unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
if sys.platform == "linux":  # there it begins with what the process held that started this one
    with open("/proc/self/status") as told:
        own = next(int(line.split()[1]) for line in told if line.startswith("VmHWM"))
of_children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(with_rows, max(own, of_children) // unit)
"""


def of_rows(make: Callable[[list[list[str]]], bytes]) -> Callable[[int, int], bytes]:
    """A header, a row, and one cell far out, for writers that are handed every row."""

    def far(row: int, column: int) -> bytes:
        blank: list[list[str]] = [[]] * (row - 3)
        return make([NAMES, ROW, *blank, [*[""] * (column - 1), "x"]])

    return far


def ods(row: int, column: int) -> bytes:
    """Likewise, with what is blank between them as a repetition."""
    between = f'table:number-rows-repeated="{row - 3}"'
    before = f'<table:table-cell table:number-columns-repeated="{column - 1}"/>'
    texts = [test_ods.row(*map(test_ods.text, cells)) for cells in (NAMES, ROW)]
    blank = test_ods.row("<table:table-cell/>", attributes=between)
    return test_ods.ods(*texts, blank, test_ods.row(before, test_ods.text("x")))


def xlsx(row: int, column: int) -> bytes:
    """Likewise: rows without cells need not be there."""
    near, far = (
        b'<row r="4"><c r="A4"',
        f'<row r="{row}"><c r="{letters(column - 1)}{row}"'.encode(),
    )
    with zipfile.ZipFile(io.BytesIO(of_rows(xlsx_of)(4, 1))) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as book:
        for name, content in parts.items():
            book.writestr(name, content.replace(near, far))
    return file.getvalue()


def xls(row: int, column: int) -> bytes:
    """Likewise."""
    stream = xls_stream([NAMES, ROW])
    return container(stream[:-4] + biff_cell(row - 1, column - 1, "x") + stream[-4:])


FORMATS: Final = {"xlsx": xlsx, "xlsb": of_rows(xlsb), "ods": ods, "xls": xls}
FAR: Final = {"xls": (65_000, 256), "xlsb": (3_000, 16_000)}
NEAR: Final = {"xls": (16_000, 240), "xlsb": (3_000, 1_300)}
"""An XLS ends at IV65536, and the writer of XLSB is handed each row; the others go near XFD1048576."""


def opened(path: Path) -> tuple[str, int]:
    """What came of it, and the memory of the largest process."""
    told = subprocess.run(
        [sys.executable, "-c", OPENED, str(path)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
        capture_output=True,
        text=True,
    )
    what, memory = told.stdout.split()
    return what, int(memory)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_cell_at_the_end_of_the_tab_is_named_and_costs_no_memory(write: Write, kind: str) -> None:
    row, column = FAR.get(kind, (1_048_000, 16_000))
    what, memory = opened(write(FORMATS[kind](row, column), f"far.{kind}"))

    assert what == f"{letters(column - 1)}{row}"
    assert memory < MOST_MB


@pytest.mark.parametrize("kind", FORMATS)
def test_a_cell_that_is_just_near_enough_is_read_within_the_bound(write: Write, kind: str) -> None:
    """What was read before the bound came is read still: a stray mark below a table is no fault."""
    row, column = NEAR.get(kind, (400_000, 9))
    what, memory = opened(write(FORMATS[kind](row, column), f"near.{kind}"))

    assert what == "2"
    assert memory < MOST_MB
