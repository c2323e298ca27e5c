"""A key where none belongs is refused with its cell, by the rules and past the fast scan alike."""

import csv
from functools import partial
from io import StringIO
from pathlib import Path

import pytest

from batchconnect.model.column import Column
from batchconnect.model.org import Org
from batchconnect.model.outcome import Rejected
from batchconnect.run.intake.intake import examine
from batchconnect.sheet import open_sheet
from batchconnect.validation.connection import parse
from batchconnect.validation.fast_scan import FastScan
from batchconnect.validation.misplaced_key import holds_key
from batchconnect.validation.org_registry import OrgRegistry
from batchconnect.validation.reference import References

ENTRA = "Zx48Q~vR9mK2pLw7TnYc5BdFhJs0QeUiOaGt6xZ."
ORGS = OrgRegistry([Org(key="acme", org_id=f"{'A' * 24}@AdobeOrg", client_id="c")])
HEALTHY = {
    Column.NAME: "Acme",
    Column.DESCRIPTION: "Sales",
    Column.ENDPOINT: "https://acme.westeurope.kusto.windows.net",
    Column.DATABASE: "telemetry",
    Column.TENANT: "72f988bf-86f1-41af-91ab-2d7cd011db47",
    Column.SERVICE_PRINCIPAL_ID: "0d1ff3c1-7c0a-4b0e-9d7e-2f1f6b8f3a11",
    Column.SERVICE_PRINCIPAL_KEY: "bonbon-Secret1",
    Column.ORG: "acme",
    Column.SANDBOX: "prod",
}
OTHERS = [column for column in Column if column is not Column.SERVICE_PRINCIPAL_KEY]


def judged(folder: Path, cells: dict[Column, str]) -> list[object]:
    """What becomes of one row; nothing where the fast scan took it."""
    text = StringIO()
    csv.writer(text).writerows([[*cells], [*cells.values()]])
    path = folder / "sheet.csv"
    path.write_text(text.getvalue(), encoding="utf-8")
    sheet = open_sheet(path)
    rules = partial(
        parse,
        header=sheet.header,
        orgs=ORGS,
        org=None,
        sandbox=None,
        references=References(allow=False, refs_dir=None, environ={}),
    )
    scan = FastScan(sheet.header, orgs=ORGS, org=None, sandbox=None)
    return [one for _, one in examine(sheet, rules, fast_scan=scan)]


def test_a_healthy_row_is_taken_by_the_fast_scan(tmp_path: Path) -> None:
    """So the tests below show that it lets no misplaced key pass."""
    assert judged(tmp_path, HEALTHY) == []
    assert judged(tmp_path, {**HEALTHY, Column.SERVICE_PRINCIPAL_KEY: ENTRA}) == []


@pytest.mark.parametrize("column", OTHERS)
@pytest.mark.parametrize("text", [ENTRA, f"see {ENTRA}!", HEALTHY[Column.SERVICE_PRINCIPAL_KEY]])
def test_a_cell_that_holds_a_key_is_refused(tmp_path: Path, column: Column, text: str) -> None:
    """In each of our other columns: the row's own, or one of Entra's shape; told by its length."""
    (found,) = judged(tmp_path, {**HEALTHY, column: text})

    assert isinstance(found, Rejected)
    (problem,) = [one for one in found.problems if one.code == "cell_holds_key"]
    assert problem.column == column.value
    assert problem.cell is not None
    assert f"{len(text)} characters" in problem.what
    assert text not in repr(found)


@pytest.mark.parametrize("key", ["telemetry", "prod-sandbox", "acme.onmicrosoft.com"])
def test_a_key_that_is_a_cell_of_its_row_is_refused_there(tmp_path: Path, key: str) -> None:
    """Database, sandbox and tenant may look like a key: equality counts from eight characters on."""
    column = {"telemetry": Column.DATABASE, "prod-sandbox": Column.SANDBOX}.get(key, Column.TENANT)
    (found,) = judged(tmp_path, {**HEALTHY, column: key, Column.SERVICE_PRINCIPAL_KEY: key})

    assert isinstance(found, Rejected)
    assert [one.column for one in found.problems if one.code == "cell_holds_key"] == [column.value]


@pytest.mark.parametrize(
    ("text", "key", "holds"),
    [
        ("Acme sales", "sales", False),
        ("sales", "sales", False),
        ("sales-2026", "sales-2026", True),
        (" sales-2026 ", "sales-2026", True),
        ("our sales-2026 team", "sales-2026", False),
        ("our sales-2026-and-more team", "sales-2026-and-more", True),
        (ENTRA, "", True),
        (ENTRA[:30], "", False),
        (f"x{ENTRA}", "", False),
    ],
)
def test_what_counts_as_a_key(text: str, key: str, holds: bool) -> None:
    """Equal from 8 characters on, within a text from 16 on, the shape of Entra's always."""
    assert holds_key(text, key) is holds
