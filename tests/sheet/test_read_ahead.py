"""Rows by place: whatever their order, and without reading the file once for each."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from batchconnect.model.column import Column
from batchconnect.model.errors import SheetError
from batchconnect.model.row import Row
from batchconnect.sheet import Sheet, open_sheet
from batchconnect.sheet.read_ahead import ReadAhead
from batchconnect.sheet.source import MemorySource

HEADER = "name,endpoint,database,tenant,servicePrincipalId,servicePrincipalKey,org,sandbox"
REST = "https://acme.westeurope.kusto.windows.net,db,t,i,FAKE~key,acme,prod"
Write = Callable[..., Path]
ORDERS: dict[str, Callable[[list[Row]], list[Row]]] = {
    "as in the sheet": list,
    "backwards": lambda rows: rows[::-1],
    "at random": lambda rows: random.Random(5).sample(rows, len(rows)),
}


class Counting(MemorySource):
    """Counts how often it is read."""

    reads = 0

    def read(self, offset: int, size: int) -> bytes:
        self.reads += 1
        return super().read(offset, size)


def thousand(end: str) -> str:
    """Rows of which some take two lines, one is longer than a block, and the last has no end."""
    names = [f'"Client\n{n}"' if n % 7 == 0 else f"Süd {n}" for n in range(1000)]
    names[500] = "x" * 20_000
    return end.join([HEADER, *(f"{name},{REST}" for name in names)])


@pytest.fixture(params=["\n", "\r\n", "\r"])
def sheet(write: Write, request: pytest.FixtureRequest) -> Sheet:
    """With every kind of line end."""
    return open_sheet(write(thousand(request.param)))


@pytest.mark.parametrize("order", ORDERS)
def test_each_row_is_found_again(sheet: Sheet, order: str) -> None:
    """In whatever order they are asked for."""
    rows = ORDERS[order](list(sheet.rows()))

    assert [sheet.at(row.offset) for row in rows] == rows
    assert len({row.cells[Column.NAME] for row in rows}) == 1000


def test_lines_that_follow_each_other_share_a_block() -> None:
    """Ten thousand of ten bytes, from two ends in turn: a read for each 16 KiB of them."""
    source = Counting(b"123456789\n" * 20_000)
    ahead = ReadAhead(source, source.check)

    for offset in range(0, 100_000, 10):
        assert ahead.line(offset) == ahead.line(offset + 100_000) == b"123456789\n"

    assert source.reads <= 2 * (100_000 // (1 << 14) + 1)


def test_what_is_kept_is_small() -> None:
    """Keys stand in it: 64 KiB, and nothing once the sheet is closed."""
    source = MemorySource(b"123456789\n" * 100_000)
    ahead = ReadAhead(source, source.check)
    for offset in range(0, 900_000, 10):
        ahead.line(offset)

    assert sum(len(block) for _, block in ahead._blocks) == 1 << 16
    ahead.close()
    assert ahead._blocks == []


def test_a_row_that_was_read_before_the_file_changed_is_the_row_that_was_planned(
    write: Write,
) -> None:
    """A row beyond its block, and one that takes two lines and is read by itself, are refused."""
    path = write(thousand("\n"))
    sheet = open_sheet(path)
    rows = list(sheet.rows())
    assert sheet.at(rows[1].offset) == rows[1]
    path.write_text(thousand("\n").replace("Süd", "Evil"))

    assert sheet.at(rows[2].offset) == rows[2]
    for row in (rows[7], rows[999]):
        with pytest.raises(SheetError, match="has changed since it was opened"):
            sheet.at(row.offset)
