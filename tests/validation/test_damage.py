"""What happens to identifiers on their way into a cell."""

import pytest
from hypothesis import given, strategies as st

from batchconnect.model.column import Column
from batchconnect.model.org import Org
from batchconnect.model.outcome import Problem, Severity
from batchconnect.model.row import Cell, Header, NotText, Row
from batchconnect.model.secret import Secret
from batchconnect.validation.connection import BaseConnection, parse
from batchconnect.validation.damage import (
    clean,
    damage,
    has_misleading,
    has_surrogate,
    is_spreadsheet_error,
    secret_damage,
)
from batchconnect.validation.org_registry import OrgRegistry
from batchconnect.validation.reference import References


@given(st.text(st.sampled_from("aB1-. \t\u00a0\u200b\ufeff\"'\u201c\u201d\u202e")))
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    """And it says nothing where it did nothing."""
    cleaned, _ = clean(text)

    if cleaned == text:
        assert clean(text) == (text, "")
    else:
        assert clean(text)[1]


@pytest.mark.parametrize(
    "text", ["#REF!", "#N/A", "#VALUE!", "#NAME?", "#DIV/0!", " #ref! ", "########", "#SPILL!"]
)
def test_a_spreadsheets_error_is_known(text: str) -> None:
    """Also in lower case, and as a column that was too narrow shows it."""
    assert is_spreadsheet_error(text)


@pytest.mark.parametrize("text", ["#1", "# heading", "N/A", "NA", "##", "C#", "#REF! and more"])
def test_a_text_with_a_hash_is_no_error(text: str) -> None:
    """Only a whole cell counts."""
    assert not is_spreadsheet_error(text)


def test_an_undamaged_text_has_no_damage() -> None:
    """Nothing is made up."""
    assert damage("acme") is None


def test_half_a_character_is_seen() -> None:
    """UTF-8 cannot carry it."""
    assert has_surrogate("a\ud800")
    assert not has_surrogate("a\U0001f600")


def test_joiners_are_not_misleading() -> None:
    """Persian and emoji need them."""
    assert has_misleading("a\u202eb")
    assert not has_misleading("a\u200db")


GUID = "0d1ff3c1-7c0a-4b0e-9d7e-2f1f6b8f3a11"
KEY = "abc8Q~x_y.z-0123.4567~89abcdefghijklmnop"
HEALTHY: dict[Column, Cell] = {
    Column.NAME: "Acme",
    Column.ENDPOINT: "https://acme.westeurope.kusto.windows.net",
    Column.DATABASE: "telemetry",
    Column.TENANT: "72f988bf-86f1-41af-91ab-2d7cd011db47",
    Column.SERVICE_PRINCIPAL_ID: GUID,
    Column.SERVICE_PRINCIPAL_KEY: Secret(KEY),
    Column.ORG: "acme",
    Column.SANDBOX: "prod",
}
HEADER = Header(row_number=1, columns={column: at for at, column in enumerate(HEALTHY)})
ORGS = OrgRegistry([Org(key="acme", org_id="5C1328435BF324E90A49402A@AdobeOrg", client_id="i")])


def found(column: Column, cell: Cell) -> list[Problem]:
    """What is found in a healthy row with this cell."""
    is_key = column is Column.SERVICE_PRINCIPAL_KEY and isinstance(cell, str)
    judged = parse(
        Row(number=7, cells={**HEALTHY, column: Secret(str(cell)) if is_key else cell}),
        header=HEADER,
        orgs=ORGS,
        org=None,
        sandbox=None,
        references=References(allow=False, refs_dir=None, environ={}),
    )
    return list(judged.findings if isinstance(judged, BaseConnection) else judged.problems)


ID, TENANT, ENDPOINT = Column.SERVICE_PRINCIPAL_ID, Column.TENANT, Column.ENDPOINT
SECRET, DATABASE, NAME = Column.SERVICE_PRINCIPAL_KEY, Column.DATABASE, Column.NAME
REFUSED, WARNED, NOTED = Severity.ERROR, Severity.WARNING, Severity.NOTE


@pytest.mark.parametrize(
    ("column", "cell", "severity", "said"),
    [
        # Lost leading zeros, numbers
        (ID, GUID[1:], REFUSED, "first group has 7 of 8 characters; a leading zero may be lost"),
        (TENANT, "72f988bf-86f1-1af-91ab-2d7cd011db47", REFUSED, "third group has 3 of 4"),
        (ID, NotText("number"), REFUSED, "leading zeros and digits behind the 15th are lost"),
        (SECRET, NotText("number"), REFUSED, "leading zeros and digits behind the 15th are lost"),
        (ID, "1.23E+15", REFUSED, "a spreadsheet turned it into a number"),
        (TENANT, "1,23E+15", REFUSED, "a spreadsheet turned it into a number"),
        (SECRET, "1.23E+15", WARNED, "a number that a spreadsheet has rewritten"),
        (DATABASE, "1.23E+15", WARNED, "a number that a spreadsheet has rewritten"),
        (NAME, "123.0", WARNED, "a number that a spreadsheet has rewritten"),
        (ID, "123456.0", REFUSED, "a spreadsheet turned it into a number"),
        (SECRET, "123456.0", WARNED, "a number that a spreadsheet has rewritten"),
        (DATABASE, "123456.0", WARNED, "a number that a spreadsheet has rewritten"),
        # Invisible characters and quotation marks
        (ID, f"\u00a0{GUID}", NOTED, "no-break spaces"),
        (ID, f"{GUID}\u200b", NOTED, "invisible characters"),
        (ID, GUID.replace("-", "\u00a0", 1), REFUSED, "a no-break space inside"),
        (
            ENDPOINT,
            "https://acme.westeurope.kusto\u200b.windows.net",
            NOTED,
            "invisible characters",
        ),
        (NAME, "Ac\u200bme", WARNED, "invisible or direction-changing"),
        (SECRET, f"\u00a0{KEY}", WARNED, "begins or ends with white space"),
        (SECRET, f"{KEY[:9]}\u00a0{KEY[9:]}", WARNED, "a no-break space inside"),
        (SECRET, f"{KEY}\u200b", WARNED, "invisible characters, as a web page adds them"),
        (TENANT, "\u201cacme.onmicrosoft.com\u201d", NOTED, "quotation marks"),
        (ID, GUID[:9] + "\u2019" + GUID[10:], REFUSED, "typographic quotation marks inside"),
        (SECRET, f"\u201c{KEY}\u201d", WARNED, "stands in quotation marks"),
        (SECRET, f'"{KEY}"', WARNED, "stands in quotation marks"),
        (SECRET, f"{KEY[:9]}\u2019{KEY[9:]}", WARNED, "typographic quotation marks"),
        (ID, GUID.replace("-", "\u2013"), REFUSED, "typographic dashes in place of hyphens"),
        (SECRET, KEY.replace("-", "\u2013"), WARNED, "a typographic dash"),
        # The wrong thing copied
        (SECRET, GUID, WARNED, "Entra shows a `Secret ID` beside the `Value`"),
        (SECRET, "abc" + "*" * 20, WARNED, "a masked display"),
        (
            ENDPOINT,
            "https://ingest-acme.westeurope.kusto.windows.net",
            WARNED,
            "ingestion endpoint",
        ),
        (ENDPOINT, "https://dataexplorer.azure.com/clusters/acme", REFUSED, "a page in a portal"),
        (ENDPOINT, "https://portal.azure.com/#@acme/resource", REFUSED, "a page in a portal"),
        # Cut off
        (ID, GUID[:-2], REFUSED, "it is cut off: it has 34 of 36 characters"),
        (TENANT, f"{GUID[:20]}\u2026", REFUSED, "cut off with an ellipsis"),
        (SECRET, f"{KEY[:20]}...", WARNED, "ends with an ellipsis, so it is cut off"),
        (SECRET, f"{KEY[:20]}\u2026", WARNED, "ends with an ellipsis, so it is cut off"),
        (ENDPOINT, "https://acme.westeurope.kusto.windows.ne", REFUSED, "the address is cut off"),
        (ENDPOINT, "https://acme.westeurope.kusto", REFUSED, "the address is cut off"),
        (ENDPOINT, "https://acme.westeu...", REFUSED, "cut off with an ellipsis"),
        # What a workbook holds in place of a text
        (ID, NotText("date"), REFUSED, "a date"),
        (ID, NotText("boolean"), REFUSED, "a boolean value"),
        (ID, NotText("error"), REFUSED, "a spreadsheet's error"),
        (ID, NotText("formula"), REFUSED, "a formula without a stored text"),
        (ID, NotText("merged"), REFUSED, "the covered part of a merged cell"),
        (ID, NotText("text with a tab"), REFUSED, "a text with a tab"),
        (NAME, NotText("secret"), REFUSED, "only `servicePrincipalKey` takes one"),
        (ID, NotText("new"), REFUSED, "something, not plain text"),
        (DATABASE, "#N/A", REFUSED, "a spreadsheet's error"),
    ],
)
def test_damage_is_named_as_such(column: Column, cell: Cell, severity: Severity, said: str) -> None:
    """What a spreadsheet or a clipboard did, at the cell, with how to mend it and never with its text."""
    problems = [problem for problem in found(column, cell) if said in problem.what]

    assert [(problem.severity, problem.column) for problem in problems] == [(severity, column)]
    (problem,) = problems
    assert problem.cell == HEADER.address(column, 7)
    assert problem.remedy
    assert not isinstance(cell, str) or len(cell) < 9 or cell not in problem.what + problem.remedy


def test_a_merged_cell_is_unmerged_and_a_tab_removed() -> None:
    """Each kind of cell that is no text has a remedy of its own."""
    remedies = {
        kind: found(ID, NotText(kind))[0].remedy
        for kind in ("number", "formula", "merged", "text with a tab", "secret")
    }

    assert len(set(remedies.values())) == len(remedies)
    assert remedies["merged"].startswith("Unmerge")
    assert remedies["text with a tab"].startswith("Remove the tab")


@pytest.mark.parametrize(
    "text", [KEY, "-a", 'a"b', "a'b", "x", "it's", "a..b", "5\u00b5", "a\u200db", '"', "''"]
)
def test_a_secret_that_is_only_unusual_is_not_damaged(text: str) -> None:
    """Whatever Entra or a person makes of it."""
    assert [code for code, _ in secret_damage(text)] == (["key_quoted"] if text == "''" else [])


def test_a_healthy_row_has_no_damage() -> None:
    """The row that all of the above is measured by."""
    assert found(DATABASE, "telemetry") == []
