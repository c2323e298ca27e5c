"""`validate` looks through a sheet as a run would, and no oftener than it must."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from batchconnect.model.errors import SheetError
from batchconnect.model.row import Row
from batchconnect.options import RunOptions, with_defaults
from batchconnect.run.validate_run import Findings, judging, validate_sheet
from batchconnect.settings import Settings
from batchconnect.sheet import open_sheet
from batchconnect.sheet.block import Block
from batchconnect.sheet.csv import CsvSheet
from tests.command_line import cells

KEY = "anothers~key_of-16."


def validated(folder: Path, odd: dict[str, str], only: tuple[str, ...] = ()) -> Findings:
    """A sheet of three rows, of which the first has something odd."""
    rows = [{**cells(1), **odd}, cells(2), cells(3, servicePrincipalKey=KEY)]
    titles = list(dict.fromkeys(title for row in rows for title in row))
    lines = [titles, *([str(row.get(title, "")) for title in titles] for row in rows)]
    path = folder / "clients.csv"
    path.write_text("".join(",".join(line) + "\n" for line in lines), encoding="utf-8")
    options = with_defaults(RunOptions(only=only))
    with closing(open_sheet(path)) as sheet:
        how = judging(sheet, settings=Settings(), options=options, environ={}, reads_once=True)
        return validate_sheet(sheet, how, options, keeps_each=True)


@pytest.mark.parametrize(("odd", "times"), [({}, 1), ({"remark": "x"}, 2)])
def test_a_sheet_is_read_once_unless_it_carries_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, odd: dict[str, str], times: int
) -> None:
    """Whether one of these holds a key has to be known before a row is told with it."""
    reads: list[CsvSheet] = []
    blocks = CsvSheet.blocks

    def counted(self: CsvSheet) -> Iterator[Block | Row]:
        reads.append(self)
        return blocks(self)

    monkeypatch.setattr(CsvSheet, "blocks", counted)

    assert validated(tmp_path, odd).rows == 3
    assert len(reads) == times


@pytest.mark.parametrize("only", [(), ("name=nobody",)])
def test_the_key_of_another_row_is_found_on_the_way(tmp_path: Path, only: tuple[str, ...]) -> None:
    """The sheet is refused with the cell; where rows are chosen, before it is told which values there are."""
    with pytest.raises(SheetError, match="2: `description` holds the key of another row"):
        validated(tmp_path, {"description": f"was {KEY} once"}, only)
