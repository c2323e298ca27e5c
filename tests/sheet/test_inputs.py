"""The committed sheets: what a newcomer tries first must hold what it says."""

import re
from pathlib import Path

import pytest

from batchconnect.model.column import Column
from batchconnect.model.outcome import Rejected
from batchconnect.model.row import Cell
from batchconnect.model.secret import Secret
from batchconnect.sheet import open_sheet
from batchconnect.validation.connection import BaseConnection, parse
from batchconnect.validation.org_registry import SimulatedOrgRegistry
from batchconnect.validation.reference import References

INPUTS = Path(__file__).parents[2] / "inputs"
Cells = dict[Column, str]


def cells_of(name: str) -> list[tuple[Cells, tuple[str, ...]]]:
    sheet = open_sheet(INPUTS / name)
    found = [
        ({c: text(cell) for c, cell in row.cells.items()}, row.carried) for row in sheet.rows()
    ]
    sheet.close()
    return found


def text(cell: Cell) -> str:
    assert isinstance(cell, str | Secret)
    return cell.reveal() if isinstance(cell, Secret) else cell


def judged(name: str) -> list[tuple[str, BaseConnection | Rejected]]:
    orgs = SimulatedOrgRegistry(url="http://127.0.0.1:1")
    references = References(allow=False, refs_dir=None, environ={})
    sheet = open_sheet(INPUTS / name)
    found = [
        (
            text(row.cells[Column.NAME]),
            parse(
                row, header=sheet.header, orgs=orgs, org=None, sandbox=None, references=references
            ),
        )
        for row in sheet.rows()
    ]
    sheet.close()
    return found


def test_both_sheets_hold_the_same_rows() -> None:
    """The workbook has other headers, and the same cells under them."""
    rows = cells_of("tenants.csv")

    assert rows == cells_of("tenants.xlsx")
    assert len(rows) == 40
    assert len({cells[Column.SERVICE_PRINCIPAL_KEY] for cells, _ in rows}) == 40
    assert len({(cells[Column.ORG], cells[Column.SANDBOX]) for cells, _ in rows}) == 6


@pytest.mark.parametrize("name", ["tenants.csv", "with-problems.csv"])
def test_every_secret_is_obviously_fake(name: str) -> None:
    """No scanner, and no reader, shall wonder."""
    keys = [cells[Column.SERVICE_PRINCIPAL_KEY] for cells, _ in cells_of(name)]

    assert all("FAKE" in key for key in keys if key not in ("", "env:HOME"))


def test_every_row_of_the_tenants_is_valid_and_its_own() -> None:
    """Without a warning; no two ask for the same."""
    found = [connection for _, connection in judged("tenants.csv")]

    assert all(isinstance(c, BaseConnection) and not c.findings for c in found)
    assert len({c.marker for c in found if isinstance(c, BaseConnection)}) == 40
    places = [(c.org.org_id, c.sandbox, c.name) for c in found if isinstance(c, BaseConnection)]
    assert len(set(places)) == 40


def test_every_planted_problem_is_found_in_its_row() -> None:
    """One in each row; only the healthy rows, and the doubles that need each other, parse."""
    for name, outcome in judged("with-problems.csv"):
        if re.match("healthy|same ", name):
            assert isinstance(outcome, BaseConnection), name
        else:
            assert isinstance(outcome, Rejected), name
            assert len(outcome.problems) == 1, name
