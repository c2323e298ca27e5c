"""What the child tells of a tab: the values that calamine reads, and the unsupported cells that it does not show."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice, repeat
from typing import TYPE_CHECKING, Any

from batchconnect.sheet.header import LOOK_AT, read
from batchconnect.sheet.not_text import kind_and_text
from batchconnect.sheet.workbook.unsupported import TABBED, UnsupportedCells

if TYPE_CHECKING:
    from python_calamine import CalamineSheet

ChildLine = list[Any]
_Cell = str | list[str]
_ONLY_TEXT = frozenset({str})


def rows(
    tab: "CalamineSheet", unsupported: UnsupportedCells, *, is_asked: bool
) -> Iterator[ChildLine]:
    """
    Every row that is not blank, as `["row", number, cells]`.

    Args:
        tab: As calamine has read it.
        unsupported: What the look has found in it.
        is_asked: The tab was asked for by its name; without, one without our columns is told by its
            first rows alone.
    """
    all_cells = _all_cells(_values(tab), unsupported)
    head = list(islice(all_cells, LOOK_AT))
    if not is_asked and all(read(_texts(cells)).missing for cells in head):
        all_cells = iter(())
    for number, cells in enumerate(chain(head, all_cells), start=1):
        if cells:
            yield ["row", number, cells]


def _values(tab: "CalamineSheet") -> Iterator[Sequence[object]]:
    """The cells of each row, from A1 on."""
    if tab.start is not None:
        before: list[object] = [""] * tab.start[1]
        for row in tab.iter_rows():
            yield before + row if before else row


def _all_cells(
    values: Iterator[Sequence[object]], unsupported: UnsupportedCells
) -> Iterator[list[_Cell]]:
    """The cells of each row, unsupported ones behind the last value too."""
    index = -1
    for index, row in enumerate(values):
        yield _cells(row, unsupported.kinds.get(index, {}))
    for beyond in range(index + 1, unsupported.last_row + 1):
        yield _cells((), unsupported.kinds.get(beyond, {}))


def _texts(cells: Sequence[_Cell]) -> list[str]:
    return [cell if isinstance(cell, str) else cell[1] for cell in cells]


def _cells(values: Sequence[object], unsupported: Mapping[int, str]) -> list[_Cell]:
    """The cells of a row without blank ones at its end; empty for a blank row."""
    if not unsupported and _ONLY_TEXT.issuperset(map(type, values)):
        cells: list[Any] = list(values)  # nearly every row: 1 us instead of 5
    else:
        width = max(len(values), max(unsupported, default=-1) + 1)
        padded = chain(values, repeat("", width - len(values)))
        cells = [_cell(value, unsupported.get(position)) for position, value in enumerate(padded)]
        if all(cell in ("", ["merged", ""]) for cell in cells):
            return []
    while cells and cells[-1] == "":
        cells.pop()
    return cells


def _cell(value: object, unsupported: str | None) -> _Cell:
    if unsupported is not None and (value == "" or unsupported in ("error", TABBED)):
        return [unsupported, ""]
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # numbers are floats there; a whole one is shown to its last digit
    return list(kind_and_text(value))
