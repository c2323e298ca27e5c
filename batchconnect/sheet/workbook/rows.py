"""What the child tells of a tab: the values that a reader shows, each of them held against the second look."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice, repeat
from typing import TYPE_CHECKING, Any

from batchconnect.sheet.header import LOOK_AT, read
from batchconnect.sheet.not_text import kind_and_text
from batchconnect.sheet.workbook.inspected import BY_NUMBER, MISREAD, UNCLEAR, InspectedTab

if TYPE_CHECKING:
    from python_calamine import CalamineSheet

ChildLine = list[Any]
_Cell = str | list[str]
_ONLY_TEXT = frozenset({str})
_MOST_NOTES = 1000
"""Cells of a tab that are told with a note of one sort."""


def rows(
    all_cells: Iterator[list[_Cell]], look: InspectedTab, *, is_asked: bool
) -> Iterator[ChildLine]:
    """
    Every row that is not blank, as `["row", number, cells]`, and what there is to say of them.

    Args:
        all_cells: The cells of each row, from the first on.
        look: What the look has found in the tab.
        is_asked: The tab was asked for by its name; without, one without our columns is told by its
            first rows alone.
    """
    head = list(islice(all_cells, LOOK_AT))
    if not is_asked and all(read(_texts(cells)).missing for cells in head):
        all_cells = iter(())
    hidden: list[int] = []
    for number, cells in enumerate(chain(head, all_cells), start=1):
        if cells:
            yield ["row", number, cells]
            if number - 1 in look.hidden:
                hidden.append(number)
    if hidden:
        yield ["hidden", hidden]
    for what, places in look.notes.items():
        yield ["note", what, [[row + 1, column] for row, column in places[:_MOST_NOTES]]]


def cells_of(tab: "CalamineSheet", look: InspectedTab) -> Iterator[list[_Cell]]:
    """
    The cells of each row as calamine shows them, without blank ones at the end.

    Where the look has seen something in a cell and calamine has not, or the other way round, the cell
    holds nothing that anybody could send.
    """
    shapes: dict[tuple[bool, ...], int] = {}
    index = -1
    for index, row in enumerate(_values(tab)):
        seen = look.filled.get(index, 0)
        odd = look.kinds.get(index)
        if odd is None and _ONLY_TEXT.issuperset(map(type, row)):  # nearly every row
            if "" not in row and (1 << len(row)) - 1 == seen:
                yield row
                continue
            if (mask := shapes.get(shape := tuple(map(bool, row)), -1)) < 0:
                mask = shapes[shape] = _mask(shape)
            if mask == seen:
                yield _without_end(row)
                continue
        yield _checked(row, odd or {}, seen)
    for beyond in range(index + 1, max(look.last_row, max(look.kinds, default=-1)) + 1):
        yield _checked((), look.kinds.get(beyond, {}), look.filled.get(beyond, 0))


def own_cells(all_cells: Iterable[Sequence[_Cell]]) -> Iterator[list[_Cell]]:
    """The cells of each row that we have read ourselves, without blank ones at the end."""
    for cells in all_cells:
        yield [] if _is_covered(cells) else _without_end(list(cells))


def _values(tab: "CalamineSheet") -> Iterator[list[Any]]:
    """The cells of each row, from A1 on."""
    if tab.start is not None:
        before: list[Any] = [""] * tab.start[1]
        for row in tab.iter_rows():
            yield before + row if before else row


def _checked(values: Sequence[object], odd: Mapping[int, str], filled: int) -> list[_Cell]:
    """The cells of a row, each held against the look."""
    width = max(len(values), max(odd, default=-1) + 1, filled.bit_length())
    padded = chain(values, repeat("", width - len(values)))
    cells = [
        _cell(value, odd.get(position), is_filled=bool(filled >> position & 1))
        for position, value in enumerate(padded)
    ]
    return [] if _is_covered(cells) else _without_end(cells)


def _cell(value: object, odd: str | None, *, is_filled: bool) -> _Cell:
    is_blank = isinstance(value, str) and not value.strip()
    if odd == "merged":
        odd = None if not is_blank else odd
    elif odd is None and is_filled is is_blank:
        odd = UNCLEAR
    if odd in ("date", MISREAD, BY_NUMBER):  # a header is told by such a text, too
        return [odd, str(value)]
    if odd is not None:
        return [odd, ""]
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # numbers are floats there; a whole one is shown to its last digit
    return list(kind_and_text(value))


def _is_covered(cells: Sequence[_Cell]) -> bool:
    return all(cell in ("", ["merged", ""]) for cell in cells)


def _without_end(cells: list[_Cell]) -> list[_Cell]:
    while cells and cells[-1] == "":
        cells.pop()
    return cells


def _mask(shape: Sequence[bool]) -> int:
    return sum(1 << position for position, is_filled in enumerate(shape) if is_filled)


def _texts(cells: Sequence[_Cell]) -> list[str]:
    return [cell if isinstance(cell, str) else cell[1] for cell in cells]
