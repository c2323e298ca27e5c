"""What the child tells in blocks is what it tells row by row, and a block is trusted no more than a row."""

import datetime as dt
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from openpyxl.worksheet.worksheet import Worksheet

from batchconnect.model.errors import SheetError
from batchconnect.sheet import HiddenRows, open_sheet
from batchconnect.sheet.block import Block
from batchconnect.sheet.workbook import rows
from batchconnect.sheet.workbook.told_rows import ToldRows
from tests.fast_lane import few

NAMES = [
    "name",
    "endpoint",
    "database",
    "tenant",
    "servicePrincipalId",
    "servicePrincipalKey",
    "note",
]
ROW = ["Acme", "https://a.eu.kusto.windows.net", "db", "t", "i", "key~1234", ""]
ODD: list[Any] = [
    "",
    None,
    None,
    " ",
    "Süd",
    7,
    1.5,
    True,
    dt.date(2026, 1, 2),
    "=A1",
    "#N/A",
    "x",
]
Workbook = Callable[..., Path]


def everything(path: Path, hidden: HiddenRows) -> tuple[Any, ...]:
    """All that a workbook has to say, each row again by its place included."""
    sheet = open_sheet(path, hidden=hidden)
    found = list(sheet.rows())
    assert [sheet.at(row.offset) for row in found] == found
    told = [(row.number, row.cells, row.carried) for row in found]
    keys = [str(getattr(row.cells["servicePrincipalKey"], "reveal", str)()) for row in found]  # type: ignore[index]
    sheet.close()
    return told, keys, sheet.blank_rows, sheet.template_rows, sheet.warnings


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("odd_in", few([3, 40, 400], 1))
@pytest.mark.parametrize("hidden", [HiddenRows.READ, HiddenRows.LEAVE_OUT])
def test_it_does_not_matter_whether_rows_are_told_together(
    workbook: Workbook, monkeypatch: pytest.MonkeyPatch, odd_in: int, hidden: HiddenRows
) -> None:
    """Blank rows and cells, cells that are no texts or stand behind the last header, hidden rows, in any place."""
    draw = random.Random(odd_in)
    table: list[list[Any]] = [NAMES]
    for number in range(120):
        row: list[Any] = [f"{ROW[0]} {number}", *ROW[1:]]
        if not draw.randrange(odd_in):
            row[draw.randrange(len(row))] = draw.choice(ODD)
        if not draw.randrange(odd_in):
            row = draw.choice([[], [None] * 7, [*row, "", "behind"]])
        table.append(row)

    def hide(tab: Worksheet) -> None:
        for number in draw.sample(range(2, 122), 60 // odd_in + 1):
            tab.row_dimensions[number].hidden = True

    path = workbook({"T": table}, hide)
    with monkeypatch.context() as patch:
        patch.setattr(rows, "_text_rows", lambda *_: None)
        alone = everything(path, hidden)
    for size in (1, 7, 256):
        monkeypatch.setattr(rows, "_BLOCK", size)
        assert everything(path, hidden) == alone


@pytest.mark.usefixtures("in_process")
def test_ordinary_rows_come_in_blocks(workbook: Workbook) -> None:
    """But for the first ones, among which the header is; each is found again by its place."""
    sheet = open_sheet(workbook({"T": [NAMES, *([f"A {n}", *ROW[1:]] for n in range(600))]}))
    pieces = [piece for piece in sheet.blocks() if isinstance(piece, Block)]

    assert [len(piece.numbers) for piece in pieces] == [19, 256, 256, 69]
    assert sheet.at(pieces[2].places()[7]).number == pieces[2].numbers[7] == 284


@pytest.mark.parametrize(
    "told",
    [
        (0, [["a", "b"]]),
        (1 << 20, [["a", "b"]]),
        (-5, [["a", "b"]]),
        (1, []),
        (1, [["a"]]),
        (1, [["a", "b"], ["c"]]),
        (1, [["a", 7]]),
        (1.5, [["a", "b"]]),
        [1],
        "rows",
    ],
)
def test_a_block_that_makes_no_sense_is_refused(told: object) -> None:
    """Two rows were announced; a number, a length or a type is wrong, or the bytes are none."""
    for data in (msgspec.msgpack.encode(told), msgspec.msgpack.encode((1, [["a", "b"]]))[:-1]):
        block = ToldRows()
        block.add_block(2, data)

        with pytest.raises(SheetError, match="makes no sense behind row 0"):
            list(block.pieces("T"))


def test_a_block_may_not_go_back() -> None:
    """Row numbers ascend, whatever tells them."""
    told = ToldRows()
    for number in (1, 2):
        told.add_block(2, msgspec.msgpack.encode((number, [["a", "b"]])))

    with pytest.raises(SheetError, match="makes no sense behind row 2"):
        list(told.rows("T"))
