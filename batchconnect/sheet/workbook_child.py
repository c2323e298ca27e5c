"""
Reads one workbook in a process of its own, so that a hostile file can only end this process.

The file is standard input, the answer goes to standard output, one JSON value per line:

    ["tab", name, is_visible]            each tab, in order, followed by its rows
    ["row", number, cells]               a cell is its text, or [kind, text] where it is not text
    ["end"]                              all is said
    ["error", code, detail]              instead of the end

A tab whose first rows hold no header is told by these rows alone. The parent trusts none of it.
"""

import contextlib
import io
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import IO, Any

import orjson

from batchconnect.sheet.form import NotAWorkbookError, form_of
from batchconnect.sheet.header import LOOK_AT, read
from batchconnect.sheet.look_ods import look_ods
from batchconnect.sheet.look_xls import look_xls
from batchconnect.sheet.look_xlsb import look_xlsb
from batchconnect.sheet.look_xlsx import look_xlsx
from batchconnect.sheet.not_text import kind_and_text
from batchconnect.sheet.odd import TABBED, FarCellError, OddCells
from batchconnect.sheet.zip_limits import UnsafeZipError, check_zip

MOST_MEMORY = 2 << 30
"""Bytes of address space; 100,000 rows of ten cells need a quarter of it."""
MOST_CPU_S = 120

_Cell = str | list[str]
Answer = list[Any]


def main() -> None:
    """Read standard input, answer on standard output: `workbook_child [TAB]`."""
    limit_resources()
    _, *tabs = sys.argv
    out = sys.stdout.buffer
    with open(0, "rb", closefd=False) as file:
        for answer in answers(file, tabs[0] if tabs else None):
            out.write(orjson.dumps(answer, option=orjson.OPT_APPEND_NEWLINE))
    out.flush()


def limit_resources() -> None:
    """Bound memory, time and files of this process; where the platform cannot, the clock remains."""
    with contextlib.suppress(ImportError):
        import resource  # noqa: PLC0415 - Windows has none

        for kind, limit in (
            (resource.RLIMIT_AS, MOST_MEMORY),
            (resource.RLIMIT_CPU, MOST_CPU_S),
            (resource.RLIMIT_FSIZE, 0),
            (resource.RLIMIT_CORE, 0),
        ):
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(kind, (limit, limit))


def answers(file: IO[bytes], worksheet: str | None) -> Iterator[Answer]:
    """
    Everything that there is to say about a workbook.

    Args:
        file: The workbook, open for reading and seekable.
        worksheet: The one tab that is asked for; None: all whose headers match.
    """
    try:
        yield from _tabs(file, worksheet)
    except (UnsafeZipError, FarCellError, NotAWorkbookError) as error:
        yield ["error", type(error).__name__, str(error)]
    except Exception as error:  # noqa: BLE001 - whatever it is, the answer is an error message
        yield ["error", type(error).__name__, ""]
    else:
        yield ["end"]


def _tabs(file: IO[bytes], worksheet: str | None) -> Iterator[Answer]:
    odd = _look(file)
    file.seek(0)
    # NOTE: OpenBLAS reserves memory for each processor: beyond the limit on large machines.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    import pandas as pd  # noqa: PLC0415 - behind the limits, and never in the parent
    from python_calamine import SheetVisibleEnum  # noqa: PLC0415 - likewise

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pd.ExcelFile(io.BytesIO(file.read()), engine="calamine") as book:
            calamine: Any = book.book  # pandas' stubs know the other engines' books only
            hidden = {
                tab.name
                for tab in calamine.sheets_metadata
                if tab.visible != SheetVisibleEnum.Visible
            }
            for name in map(str, book.sheet_names):
                yield ["tab", name, name not in hidden]
                if worksheet is None or worksheet.casefold() == name.casefold():
                    values = _values(pd, book, name)
                    yield from _rows(values, odd.get(name, OddCells()), is_asked=bool(worksheet))


def _look(file: IO[bytes]) -> dict[str, OddCells]:
    if file.read(2) == b"PK":
        check_zip(file)
    file.seek(0)
    form = form_of(file)
    file.seek(0)
    match form:
        case "xlsx":
            return dict(look_xlsx(file))
        case "ods":
            return look_ods(file)
        case "xlsb":
            return dict(look_xlsb(file))
        case "xls":
            return dict(look_xls(file))


def _values(pandas: Any, book: Any, name: str) -> Sequence[Sequence[object]]:
    """The cells of a tab from A1 on, as objects: every guess of the reader is switched off."""
    frame = pandas.read_excel(
        book, sheet_name=name, header=None, dtype=object, na_filter=False, keep_default_na=False
    )
    return list(frame.itertuples(index=False, name=None))


def _rows(values: Sequence[Sequence[object]], odd: OddCells, *, is_asked: bool) -> Iterator[Answer]:
    height = max(len(values), odd.last_row + 1)

    def cells(index: int) -> list[_Cell]:
        return _cells(values[index] if index < len(values) else (), odd.kinds.get(index, {}))

    head = [cells(index) for index in range(min(height, LOOK_AT))]
    if not is_asked and all(read(texts(row)).missing for row in head):
        height = len(head)
    for index in range(height):
        if row := cells(index):
            yield ["row", index + 1, row]


def texts(cells: Sequence[_Cell]) -> list[str]:
    """The cells as texts, for reading a header."""
    return [cell if isinstance(cell, str) else cell[1] for cell in cells]


def _cells(values: Sequence[object], odd: dict[int, str]) -> list[_Cell]:
    """The cells of a row without blank ones at its end; empty for a blank row."""
    width = max(len(values), max(odd, default=-1) + 1)
    cells: list[_Cell] = []
    for position in range(width):
        value = values[position] if position < len(values) else ""
        kind = odd.get(position)
        if kind is not None and (value == "" or kind in ("error", TABBED)):
            cells.append([kind, ""])
        else:
            cells.append(value if isinstance(value, str) else list(kind_and_text(value)))
    if all(cell in ("", ["merged", ""]) for cell in cells):
        return []
    while cells and cells[-1] == "":
        cells.pop()
    return cells


if __name__ == "__main__":
    main()
