"""
Reads one workbook in a process of its own, so that a hostile file can only end this process.

Calamine reads it, and a look of ours at the same bytes says what calamine does not show, how far out the
cells lie and which rows nobody sees. Calamine gets no tab before the look has found that it can be held.

The file is standard input, the answer goes to standard output, one JSON value per line:

    ["tab", name, is_visible]            each tab, in order, followed by its rows
    ["row", number, cells]               a cell is its text, or [kind, text] where it is not text
    ["rows", how many, bytes]            a block of rows, all cells of which are texts; so many bytes follow the line,
                                         number of the first and columns in MessagePack
    ["hidden", numbers]                  the rows above that nobody sees
    ["note", what, places]               row number and position of cells that are not as they were written
    ["end"]                              all is said
    ["error", code, detail]              instead of the end

A tab whose first rows hold no header is told by these rows alone. The parent trusts none of it.
"""

import contextlib
import gc
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import IO, Any

import orjson

from batchconnect.sheet.background_call import BackgroundCall
from batchconnect.sheet.workbook.damage import reason_of
from batchconnect.sheet.workbook.form import (
    EVERY_TAB,
    Form,
    NotAWorkbookError,
    ProtectedError,
    form_of,
)
from batchconnect.sheet.workbook.inspect_xls import XlsWorkbook
from batchconnect.sheet.workbook.inspect_xlsb import inspect_xlsb, with_full_records
from batchconnect.sheet.workbook.inspect_xlsx import inspect_xlsx
from batchconnect.sheet.workbook.inspected import (
    FarCellError,
    InspectedTab,
    NotInspectedError,
    check,
)
from batchconnect.sheet.workbook.ods import read_ods
from batchconnect.sheet.workbook.rows import ChildAnswer, cells_of, own_cells, rows
from batchconnect.sheet.workbook.zip_limits import UnsafeZipError, check_zip

MOST_MEMORY = 2 << 30
"""Bytes of address space; 100,000 rows of nine cells need a tenth of it."""
MOST_CPU_S = 120

_Find = Callable[[int, str], InspectedTab | None]
"""What the look has found in a tab, by its place or its name."""


def main() -> None:
    """Read standard input, answer on standard output: `workbook_child [TAB] ...`."""
    limit_resources()
    out = sys.stdout.buffer
    with open(0, "rb", closefd=False) as file:
        for answer in answers(file, *sys.argv[1:]):
            out.write(encoded(answer))
    out.flush()


def encoded(answer: ChildAnswer) -> bytes:
    """An answer as it is written."""
    packed = b""
    if answer[0] == "rows":
        import msgspec  # noqa: PLC0415 - a small workbook has no block

        _, number, columns = answer
        packed = msgspec.msgpack.encode((number, columns))
        answer = ["rows", len(columns[0]), len(packed)]
    return orjson.dumps(answer, option=orjson.OPT_APPEND_NEWLINE) + packed


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


def answers(file: IO[bytes], *worksheets: str) -> Iterator[ChildAnswer]:
    """
    Everything that there is to say about a workbook.

    Args:
        file: The workbook, open for reading and seekable.
        worksheets: The tabs that are asked for; `EVERY_TAB` alone: all; none: all whose headers match.
    """
    try:
        yield from _tabs(file.read(), worksheets)
    except (
        UnsafeZipError,
        FarCellError,
        NotAWorkbookError,
        NotInspectedError,
        ProtectedError,
    ) as error:
        yield ["error", type(error).__name__, str(error)]
    except Exception as error:  # noqa: BLE001 - whatever it is, the answer is an error message
        yield ["error", type(error).__name__, reason_of(error)]
    else:
        yield ["end"]


def _tabs(data: bytes, worksheets: Sequence[str]) -> Iterator[ChildAnswer]:
    match _form(data):
        case "ods":
            for tab in read_ods(io.BytesIO(data)):
                yield ["tab", tab.name, tab.is_visible]
                if _is_wanted(tab.name, worksheets):
                    yield from rows(own_cells(tab.rows()), tab.look, is_asked=bool(worksheets))
        case "xls":
            workbook = XlsWorkbook(data)
            looks = list(workbook.tabs())
            check(*looks)  # calamine holds all tabs of such a file together
            by_place = dict(enumerate(looks))
            yield from _told(_load(workbook.plain()), lambda at, _: by_place.get(at), worksheets)
        case "xlsb":
            data = with_full_records(data)
            found = _by_name(inspect_xlsb(io.BytesIO(data)))
            yield from _told(_load(data), found, worksheets)
        case "xlsx":  # the last case
            # Calamine needs no interpreter: it reads the shared texts while the look is under way.
            look = BackgroundCall(partial(_inspect_xlsx, data))
            try:
                book = _load(data)
            finally:
                found = look.result()  # if it fails, that explains best what calamine ran into
            yield from _told(book, found, worksheets)


def _inspect_xlsx(data: bytes) -> _Find:
    return _by_name(inspect_xlsx(io.BytesIO(data)))


def _by_name(tabs: Iterator[tuple[str, InspectedTab]]) -> _Find:
    looks: dict[str, InspectedTab] = {}
    for name, look in tabs:
        check(look)
        if name in looks:
            raise NotInspectedError(name)
        looks[name] = look
    return lambda _, name: looks.get(name)


def _load(data: bytes) -> Any:
    import python_calamine as calamine  # noqa: PLC0415 - behind the limits, never in the parent

    return calamine.load_workbook(io.BytesIO(data))


def _told(book: Any, find: _Find, worksheets: Sequence[str]) -> Iterator[ChildAnswer]:
    """Each tab, and the rows of those that are wanted."""
    import python_calamine as calamine  # noqa: PLC0415 - as above

    for place, tab in enumerate(book.sheets_metadata):
        if tab.typ != calamine.SheetTypeEnum.WorkSheet:
            continue
        yield ["tab", tab.name, tab.visible == calamine.SheetVisibleEnum.Visible]
        if _is_wanted(tab.name, worksheets):
            look = find(place, tab.name)
            if look is None:
                raise NotInspectedError(tab.name)
            cells = cells_of(book.get_sheet_by_index(place), look)
            yield from rows(cells, look, is_asked=bool(worksheets))


def _is_wanted(name: str, worksheets: Sequence[str]) -> bool:
    if not worksheets or EVERY_TAB in worksheets:
        return True
    return name.casefold() in {asked.casefold() for asked in worksheets}


def _form(data: bytes) -> Form:
    if data.startswith(b"PK"):
        check_zip(io.BytesIO(data))
    return form_of(io.BytesIO(data))


if __name__ == "__main__":
    # Cells leave no cycles behind, and looking for some took a seventh of the time; memory is bounded.
    gc.disable()
    main()
