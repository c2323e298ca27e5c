"""`export` with `out` writes what the command writes; without it, nothing."""

from pathlib import Path
from typing import Any

import pytest

import batchconnect
from batchconnect import RunOptions, UsageError
from batchconnect.simulator import Simulator
from batchconnect.simulator.planting import Planted
from tests.acceptance.practice import ACME, Practice
from tests.command_line import CommandLine, cells, many

FAST = RunOptions(rate=200.0)


@pytest.fixture
def made(practice: Practice) -> None:
    """Two connections."""
    batchconnect.onboard_sync(many(2), options=FAST)


@pytest.mark.usefixtures("made")
def test_the_file_is_the_command_s(place: CommandLine) -> None:
    """Byte for byte, mode 0600; `keep_target` fills in where each stands."""
    asked: list[tuple[tuple[str, ...], dict[str, Any]]] = [
        ((), {}),
        (("--keep-target",), {"keep_target": True}),
        (("--usage",), {"usage": True}),
    ]
    for number, (flags, named) in enumerate(asked):
        mine, its = Path(f"mine{number}.csv"), f"its{number}.csv"
        done = place("export", its, "--sandbox", "dev", *flags)
        found = batchconnect.export_sync(sandboxes=["dev"], out=mine, options=FAST, **named)

        assert (done.code, found.exit_code, found.odd) == (0, 0, ()), done
        assert found.path == mine.absolute()
        assert mine.read_bytes() == Path(its).read_bytes()
        assert mine.stat().st_mode & 0o777 == 0o600
    assert batchconnect.export_sync(sandboxes=["dev"], options=FAST).path is None


@pytest.mark.usefixtures("made")
def test_a_workbook_and_a_drift_are_written_too() -> None:
    """The drift in place of the sheet, where one is compared; exit code 4 says that there is some."""
    rows = [cells(1), cells(2, database="other")]
    sheet = batchconnect.export_sync(sandboxes=["dev"], out="there.xlsx", options=FAST)
    drift = batchconnect.export_sync(against=rows, out="drift.csv", options=FAST)

    assert Path("there.xlsx").read_bytes().startswith(b"PK")
    assert (sheet.exit_code, drift.exit_code) == (0, 4)
    assert Path("drift.csv").read_text("utf-8-sig").startswith("drift,row,name,")
    assert "different,2,Client 002" in Path("drift.csv").read_text("utf-8-sig")


def test_a_cell_that_no_sheet_holds_is_told_as_by_the_command(
    practice: Practice, place: CommandLine
) -> None:
    """It is left blank, named, and the exit code is 4."""

    def plant(simulator: Simulator) -> None:
        simulator.plant(Planted(org_id=ACME, sandbox="dev", name="x" * 40_000))

    practice.ask(plant)
    done = place("export", "its.csv", "--sandbox", "dev")
    found = batchconnect.export_sync(sandboxes=["dev"], out="mine.csv", options=FAST)

    assert (done.code, found.exit_code) == (4, 4), done
    assert [(row, column) for row, column, _ in found.odd] == [(2, "name")]
    assert Path("mine.csv").read_bytes() == Path("its.csv").read_bytes()


@pytest.mark.parametrize(
    ("named", "why"),
    [
        ({"out": "there.txt"}, "as .csv or .xlsx"),
        ({"out": "there.csv"}, "exists already"),
        ({"keep_target": True}, "none is written"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_is_read(
    practice: Practice, place: CommandLine, named: dict[str, Any], why: str
) -> None:
    """And what stands there stays."""
    place.write("there.csv", "mine")
    mark = practice.mark()

    with pytest.raises(UsageError, match=why):
        batchconnect.export_sync(sandboxes=["dev"], options=FAST, **named)
    assert practice.journal(since=mark) == []
    assert Path("there.csv").read_text() == "mine"
