"""What the child tells of a tab: the values that a reader shows, each of them held against the second look."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice, repeat
from typing import TYPE_CHECKING, Any, NamedTuple

from batchconnect.sheet.header import LOOK_AT, read
from batchconnect.sheet.not_text import kind_and_text
from batchconnect.sheet.workbook.inspected import BY_NUMBER, MISREAD, UNCLEAR, WHITE, InspectedTab

if TYPE_CHECKING:
    from python_calamine import CalamineSheet

ChildAnswer = list[Any]
"""As `child` has them."""
_Cell = str | list[str]
_ONLY_TEXT = frozenset({str})
_BLOCK = 256
"""Rows that are told together: whoever asks for one of them makes cells of all."""
_MOST_NOTES = 1000
"""Cells of a tab that are told with a note of one sort."""


class TextRows(NamedTuple):
    """Rows below each other, in all of which both looks see the same texts and nothing else."""

    columns: list[Sequence[str]]
    """Their cells by position, without the blank rows and columns at the end; empty where all are blank."""
    rows: int
    """How many there are, the blank ones at the end included."""


def rows(
    all_cells: Iterator[list[_Cell] | TextRows], look: InspectedTab, *, is_asked: bool
) -> Iterator[ChildAnswer]:
    """
    Every row that is not blank, and what there is to say of them.

    Args:
        all_cells: The cells of each row from the first on; the first ones, among which the header is, by themselves.
        look: What the look has found in the tab.
        is_asked: The tab was asked for by its name; without, one without our columns is told by its
            first rows alone.
    """
    head = list(islice(all_cells, LOOK_AT))
    shown = [_texts(cells) for cells in head if isinstance(cells, list)]
    if not is_asked and all(read(texts).missing for texts in shown):
        all_cells = iter(())
    hidden: list[int] = []
    number = 1
    for cells in chain(head, all_cells):
        if isinstance(cells, TextRows):
            told = len(cells.columns[0]) if cells.columns else 0
            if told:
                yield ["rows", number, cells.columns]
        elif told := bool(cells):
            yield ["row", number, cells]
        if look.hidden:
            hidden += [one for one in range(number, number + told) if _is_unseen(one - 1, look)]
        number += cells.rows if isinstance(cells, TextRows) else 1
    if hidden:
        yield ["hidden", hidden]
    for what, places in look.notes.items():
        yield ["note", what, [[row + 1, column] for row, column in places[:_MOST_NOTES]]]


def cells_of(tab: "CalamineSheet", look: InspectedTab) -> Iterator[list[_Cell] | TextRows]:
    """
    The cells of each row as calamine shows them, without blank ones at the end.

    Where the look has seen something in a cell and calamine has not, or the other way round, the cell
    holds nothing that anybody could send.
    """
    values = _values(tab)
    shapes: dict[tuple[bool, ...], int] = {}
    index, at_once = 0, LOOK_AT
    while block := list(islice(values, at_once)):
        texts = _text_rows(block, index, look, shapes) if index else None
        if texts is not None:
            yield texts
        else:
            for at, row in enumerate(block, start=index):
                yield _checked(row, look.kinds.get(at, {}), look.filled.get(at, 0))
        index += len(block)
        at_once = _BLOCK
    for beyond in range(index, max(look.last_row, max(look.kinds, default=-1)) + 1):
        yield _checked((), look.kinds.get(beyond, {}), look.filled.get(beyond, 0))


def _text_rows(
    block: Sequence[list[Any]],
    first: int,
    look: InspectedTab,
    shapes: dict[tuple[bool, ...], int],
) -> TextRows | None:
    """A block at one look; None where a row of it has to be looked at by itself."""
    numbers = range(first, first + len(block))
    if look.kinds and not look.kinds.keys().isdisjoint(numbers):
        return None
    columns = list(zip(*block, strict=True))
    if not all(_ONLY_TEXT.issuperset(map(type, column)) for column in columns):
        return None
    filled = [look.filled.get(number, 0) for number in numbers]
    mask, width = filled[0], max(filled).bit_length()
    if filled.count(mask) == len(
        filled
    ):  # as in most blocks: the same cells of each row hold something
        full = [bool(mask >> position & 1) for position in range(len(columns))]
        if width > len(columns) or not all(map(_is_all, columns, full)):
            return None
    elif filled != [_mask_of(row, shapes) for row in block]:
        return None
    while filled and not filled[-1]:
        filled.pop()
    return TextRows([column[: len(filled)] for column in columns[:width]], len(block))


def _is_all(column: Sequence[str], is_full: bool) -> bool:  # noqa: FBT001 - it is mapped
    """Whether each cell of a column holds something, or none does."""
    return "" not in column if is_full else not any(column)


def _mask_of(row: Sequence[str], shapes: dict[tuple[bool, ...], int]) -> int:
    """A bit for each cell that holds something; *shapes* remembers those that were met."""
    shape = tuple(map(bool, row))
    if (mask := shapes.get(shape, -1)) < 0:
        mask = shapes[shape] = sum(1 << at for at, is_filled in enumerate(shape) if is_filled)
    return mask


def _is_unseen(row: int, look: InspectedTab) -> bool:
    return row in look.hidden and row in look.filled


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
    is_blank = isinstance(value, str) and not value.strip(WHITE)
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


def _texts(cells: Sequence[_Cell]) -> list[str]:
    return [cell if isinstance(cell, str) else cell[1] for cell in cells]
