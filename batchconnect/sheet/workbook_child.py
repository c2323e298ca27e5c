"""
Reads one workbook in a process of its own, so that a hostile file can only end this process.

Calamine reads it while a thread of ours looks at the same bytes for what calamine does not show. It lets
the interpreter go meanwhile, so two processors halve the time. A far cell makes it abort before the look
has found that cell: whoever needs to know asks again, `in-turn`.

The file is standard input, the answer goes to standard output, one JSON value per line:

    ["tab", name, is_visible]            each tab, in order, followed by its rows
    ["row", number, cells]               a cell is its text, or [kind, text] where it is not text
    ["end"]                              all is said
    ["error", code, detail]              instead of the end

A tab whose first rows hold no header is told by these rows alone. The parent trusts none of it.
"""

import contextlib
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, islice, repeat
from typing import IO, TYPE_CHECKING, Any

import orjson

from batchconnect.sheet.aside import Aside
from batchconnect.sheet.form import Form, NotAWorkbookError, form_of
from batchconnect.sheet.header import LOOK_AT, read
from batchconnect.sheet.look_ods import look_ods
from batchconnect.sheet.look_xls import look_xls
from batchconnect.sheet.look_xlsb import look_xlsb
from batchconnect.sheet.look_xlsx import look_xlsx
from batchconnect.sheet.not_text import kind_and_text
from batchconnect.sheet.odd import TABBED, FarCellError, OddCells
from batchconnect.sheet.zip_limits import UnsafeZipError, check_zip

if TYPE_CHECKING:
    from python_calamine import CalamineSheet

MOST_MEMORY = 2 << 30
"""Bytes of address space; 100,000 rows of nine cells need a tenth of it."""
MOST_CPU_S = 120

_Cell = str | list[str]
_ONLY_TEXT = frozenset({str})
Answer = list[Any]


def main() -> None:
    """Read standard input, answer on standard output: `workbook_child at-once|in-turn [TAB]`."""
    limit_resources()
    _, order, *tabs = sys.argv
    out = sys.stdout.buffer
    with open(0, "rb", closefd=False) as file:
        for answer in answers(file, tabs[0] if tabs else None, at_once=order == "at-once"):
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


def answers(file: IO[bytes], worksheet: str | None, *, at_once: bool = False) -> Iterator[Answer]:
    """
    Everything that there is to say about a workbook.

    Args:
        file: The workbook, open for reading and seekable.
        worksheet: The one tab that is asked for; None: all whose headers match.
        at_once: Let calamine read before the look has found nothing that would make it abort.
    """
    try:
        yield from _tabs(file, worksheet, at_once=at_once)
    except (UnsafeZipError, FarCellError, NotAWorkbookError) as error:
        yield ["error", type(error).__name__, str(error)]
    except Exception as error:  # noqa: BLE001 - whatever it is, the answer is an error message
        yield ["error", type(error).__name__, ""]
    else:
        yield ["end"]


def _tabs(file: IO[bytes], worksheet: str | None, *, at_once: bool) -> Iterator[Answer]:
    data = file.read()
    look = Aside(partial(_look, data, _form(data)))
    if not at_once:
        look.result()
    try:
        for name, is_visible, tab in _read(data, worksheet):
            yield ["tab", name, is_visible]
            if tab is not None:
                odd = look.result().get(name, OddCells())
                yield from _rows(_values(tab), odd, is_asked=bool(worksheet))
    finally:
        look.result()  # what it finds is the better explanation for whatever calamine ran into


def _read(data: bytes, worksheet: str | None) -> Iterator[tuple[str, bool, Any]]:
    """Name of each tab, whether it is visible, and the tab itself where its rows are wanted."""
    import python_calamine as calamine  # noqa: PLC0415 - behind the limits, never in the parent

    book = calamine.load_workbook(io.BytesIO(data))
    for tab in book.sheets_metadata:
        if tab.typ == calamine.SheetTypeEnum.WorkSheet:
            is_wanted = worksheet is None or worksheet.casefold() == tab.name.casefold()
            content = book.get_sheet_by_name(tab.name) if is_wanted else None
            yield tab.name, tab.visible == calamine.SheetVisibleEnum.Visible, content


def _form(data: bytes) -> Form:
    if data.startswith(b"PK"):
        check_zip(io.BytesIO(data))
    return form_of(io.BytesIO(data))


def _look(data: bytes, form: Form) -> dict[str, OddCells]:
    file = io.BytesIO(data)
    match form:
        case "xlsx":
            return dict(look_xlsx(file))
        case "ods":
            return look_ods(file)
        case "xlsb":
            return dict(look_xlsb(file))
        case "xls":
            return dict(look_xls(file))


def _values(tab: "CalamineSheet") -> Iterator[Sequence[object]]:
    """The cells of each row, from A1 on."""
    if tab.start is not None:
        before: list[object] = [""] * tab.start[1]
        for row in tab.iter_rows():
            yield before + row if before else row


def _rows(values: Iterator[Sequence[object]], odd: OddCells, *, is_asked: bool) -> Iterator[Answer]:
    rows = _all_cells(values, odd)
    head = list(islice(rows, LOOK_AT))
    if not is_asked and all(read(texts(row)).missing for row in head):
        rows = iter(())
    for number, row in enumerate(chain(head, rows), start=1):
        if row:
            yield ["row", number, row]


def _all_cells(values: Iterator[Sequence[object]], odd: OddCells) -> Iterator[list[_Cell]]:
    """The cells of each row, odd ones behind the last value too."""
    index = -1
    for index, row in enumerate(values):
        yield _cells(row, odd.kinds.get(index, {}))
    for beyond in range(index + 1, odd.last_row + 1):
        yield _cells((), odd.kinds.get(beyond, {}))


def texts(cells: Sequence[_Cell]) -> list[str]:
    """The cells as texts, for reading a header."""
    return [cell if isinstance(cell, str) else cell[1] for cell in cells]


def _cells(values: Sequence[object], odd: Mapping[int, str]) -> list[_Cell]:
    """The cells of a row without blank ones at its end; empty for a blank row."""
    if not odd and _ONLY_TEXT.issuperset(map(type, values)):
        cells: list[Any] = list(values)  # nearly every row: 1 us instead of 5
    else:
        width = max(len(values), max(odd, default=-1) + 1)
        padded = chain(values, repeat("", width - len(values)))
        cells = [_cell(value, odd.get(position)) for position, value in enumerate(padded)]
        if all(cell in ("", ["merged", ""]) for cell in cells):
            return []
    while cells and cells[-1] == "":
        cells.pop()
    return cells


def _cell(value: object, odd: str | None) -> _Cell:
    if odd is not None and (value == "" or odd in ("error", TABBED)):
        return [odd, ""]
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(
            value
        )  # a workbook's numbers are floats; a whole one is shown to its last digit
    return list(kind_and_text(value))


if __name__ == "__main__":
    main()
