"""Rows of a workbook that nobody sees, on the command line: said by all who read it, and left out on demand."""

from pathlib import Path

import openpyxl
import pytest

from tests.command_line import FAST, CommandLine, many
from tests.fast_lane import few

SIMULATED = ("--simulate", *FAST)


@pytest.fixture
def book(batchconnect: CommandLine) -> Path:
    """Three clients, the second of whom is hidden."""
    rows = many(3, org="acme")
    book = openpyxl.Workbook()
    tab = book.worksheets[0]
    tab.append(list(rows[0]))
    for row in rows:
        tab.append(list(row.values()))
    tab.row_dimensions[3].hidden = True
    path = batchconnect.folder / "clients.xlsx"
    book.save(path)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("command", few(["run", "plan", "validate"], 1))
def test_hidden_rows_are_named(batchconnect: CommandLine, book: Path, command: str) -> None:
    """Before anything is sent."""
    done = batchconnect(command, book, *(SIMULATED if command != "validate" else ("--simulate",)))

    assert done.code == 0
    assert "1 row is hidden or filtered out" in " ".join(done.err.split())
    assert "row 3; --visible-only" in " ".join(done.err.split())


@pytest.mark.parametrize("command", few(["run", "plan", "validate"], 1))
def test_strict_refuses_hidden_rows(batchconnect: CommandLine, book: Path, command: str) -> None:
    """Warnings are errors; to leave the rows out is no warning."""
    given = SIMULATED if command != "validate" else ("--simulate",)

    refused = batchconnect(command, book, *given, "--strict")
    read = batchconnect(command, book, *given, "--strict", "--visible-only")

    assert refused.code == 3
    assert "1 row is hidden or filtered out" in " ".join(refused.err.split())
    assert read.code == 0


def test_a_rerun_leaves_out_what_its_run_left_out(batchconnect: CommandLine, book: Path) -> None:
    """The hidden row is counted, never sent, and not asked for again."""
    first = batchconnect("run", book, *SIMULATED, "--visible-only", "--max-rows", "1")
    again = batchconnect("rerun", *SIMULATED)

    assert "1 hidden or filtered row is left out (--visible-only): row 3" in " ".join(
        first.err.split()
    )
    assert "  1 created" in first.out
    assert again.code == 0, again.err
    assert "row is left out (--visible-only): row 3" in " ".join(again.err.split())
