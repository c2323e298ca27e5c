"""
Reads one workbook in a process of its own, so that a hostile file can only end this process.

Calamine reads it while a thread of ours looks at the same bytes for what calamine does not show; it needs
no interpreter for that, so a second processor takes the look's time away. A far cell may make it abort
before the look has found that cell: whoever wants to know asks again, `in-turn`.

The file is standard input, the answer goes to standard output, one JSON value per line:

    ["tab", name, is_visible]            each tab, in order, followed by its rows
    ["row", number, cells]               a cell is its text, or [kind, text] where it is not text
    ["end"]                              all is said
    ["error", code, detail]              instead of the end

A tab whose first rows hold no header is told by these rows alone. The parent trusts none of it.
"""

import contextlib
import gc
import io
import sys
from collections.abc import Iterator
from functools import partial
from typing import IO, Any

import orjson

from batchconnect.sheet.background_call import BackgroundCall
from batchconnect.sheet.workbook.form import Form, NotAWorkbookError, form_of
from batchconnect.sheet.workbook.inspect_ods import inspect_ods
from batchconnect.sheet.workbook.inspect_xls import inspect_xls
from batchconnect.sheet.workbook.inspect_xlsb import inspect_xlsb
from batchconnect.sheet.workbook.inspect_xlsx import inspect_xlsx
from batchconnect.sheet.workbook.rows import ChildLine, rows
from batchconnect.sheet.workbook.unsupported import FarCellError, UnsupportedCells
from batchconnect.sheet.workbook.zip_limits import UnsafeZipError, check_zip

MOST_MEMORY = 2 << 30
"""Bytes of address space; 100,000 rows of nine cells need a tenth of it."""
MOST_CPU_S = 120


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


def answers(
    file: IO[bytes], worksheet: str | None, *, at_once: bool = False
) -> Iterator[ChildLine]:
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


def _tabs(file: IO[bytes], worksheet: str | None, *, at_once: bool) -> Iterator[ChildLine]:
    data = file.read()
    look = BackgroundCall(partial(_inspect, data, _form(data)))
    if not at_once:
        look.result()
    try:
        for name, is_visible, tab in _read(data, worksheet):
            yield ["tab", name, is_visible]
            if tab is not None:
                unsupported = look.result().get(name, UnsupportedCells())
                yield from rows(tab, unsupported, is_asked=bool(worksheet))
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


def _inspect(data: bytes, form: Form) -> dict[str, UnsupportedCells]:
    file = io.BytesIO(data)
    match form:
        case "xlsx":
            return dict(inspect_xlsx(file))
        case "ods":
            return inspect_ods(file)
        case "xlsb":
            return dict(inspect_xlsb(file))
        case "xls":
            return dict(inspect_xls(file))


if __name__ == "__main__":
    # Cells leave no cycles behind, and looking for some took a seventh of the time; memory is bounded.
    gc.disable()
    main()
