"""A fast_scan finds what the whole judgement finds, and spares it for healthy rows."""

import csv
import tempfile
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import anyio
import openpyxl
import pytest
from hypothesis import given, settings, strategies as st

from batchconnect.ledger.entry import Line, RunOpened
from batchconnect.ledger.group_commit import Append
from batchconnect.ledger.run_writer import Clock, RunWriter
from batchconnect.model.column import Column
from batchconnect.model.org import Org
from batchconnect.model.outcome import Problem, Rejected
from batchconnect.model.row import Row
from batchconnect.run.intake.accounting import Intake
from batchconnect.run.intake.intake import Parse, examine, take_in
from batchconnect.run.intake.same_run import Identity
from batchconnect.sheet import HiddenRows, MemorySheet, Sheet, open_sheet
from batchconnect.sheet.template import is_template_row, render_csv
from batchconnect.validation.connection import BaseConnection, parse
from batchconnect.validation.fast_scan import FastScan, ValidRow
from batchconnect.validation.org_registry import OrgRegistry, SimulatedOrgRegistry
from batchconnect.validation.reference import References
from batchconnect.validation.series import Warned

GUID = "72f988bf-86f1-41af-91ab-2d7cd011db47"
PRINCIPAL = "0d1ff3c1-7c0a-4b0e-9d7e-2f1f6b8f3a11"
ORGS = OrgRegistry(
    Org(key=key, org_id=f"{letter * 24}@AdobeOrg", client_id="c", aliases=(f"The {key}",))
    for key, letter in (("acme", "A"), ("globex", "B"))
)
CLOCK = Clock(now_ms=lambda: 0, monotonic_s=lambda: 0.0, boot_id="boot")
HEALTHY: dict[str, str] = {
    Column.NAME: "Acme",
    Column.DESCRIPTION: "Sales",
    Column.ENDPOINT: "https://acme.westeurope.kusto.windows.net",
    Column.DATABASE: "telemetry",
    Column.TENANT: GUID,
    Column.SERVICE_PRINCIPAL_ID: PRINCIPAL,
    Column.SERVICE_PRINCIPAL_KEY: "abc8Q~x_y.z-0123",
    Column.ORG: "acme",
    Column.SANDBOX: "prod",
}
OTHERWISE: dict[str, Sequence[str]] = {
    Column.NAME: ["Globex", "Süd", "Su\u0308d", " Acme", "Acme\x1f", "A, B", "NOT SENT - x", ""],
    Column.DESCRIPTION: ["", "a bc1-o2cyiczkeuyf5wanj624uvdrpp", "x" * 230, 'with "quotes"'],
    Column.ENDPOINT: ["http://acme.westeurope.kusto.windows.net", "https://b.eu.kusto.windows.net"],
    Column.DATABASE: ["Telemetry", "1.0", "sales", "a\nb"],
    Column.TENANT: [GUID.upper(), "acme.onmicrosoft.com", PRINCIPAL],
    Column.SERVICE_PRINCIPAL_ID: [
        *(f"{PRINCIPAL[:-1]}{digit}" for digit in "234"),
        *(GUID, "{" + GUID + "}", "12345"),
    ],
    Column.SERVICE_PRINCIPAL_KEY: ["env:A", "", "1.23E+15", "#REF!", "other-key~1"],
    Column.ORG: ["ACME", "globex", "The globex", "nobody", "", " acme"],
    Column.SANDBOX: ["dev", "Prod", "", "*"],
    "note": ["", "a, b", "\x1f", "x\x1fy", "Ü"],
}
Finding = tuple[int, bool, tuple[Problem, ...]]


def lines() -> st.SearchStrategy[dict[str, str]]:
    """A healthy row with up to two cells otherwise; few texts, so that doubles are many."""
    changes = st.lists(
        st.sampled_from(sorted(OTHERWISE)).flatmap(
            lambda column: st.tuples(st.just(column), st.sampled_from(OTHERWISE[column]))
        ),
        max_size=2,
    )
    return changes.map(lambda change: {**HEALTHY, "note": "x", **dict(change)})


def is_filled_in(rows: Sequence[dict[str, str]]) -> bool:
    """Whether a sheet of these rows is no untouched template, which is refused as a whole."""
    return not rows or any(not is_template_row(row[Column.NAME]) for row in rows)


def written(path: Path, columns: Sequence[str], rows: Iterable[dict[str, str]]) -> Sheet:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([row[column] for column in columns] for row in rows)
    return open_sheet(path)


def glance_at(sheet: Sheet, org: str | None = None, sandbox: str | None = None) -> FastScan:
    return FastScan(sheet.header, orgs=ORGS, org=org, sandbox=sandbox)


def judge_of(sheet: Sheet, org: str | None, sandbox: str | None) -> Parse:
    references = References(allow=False, refs_dir=None, environ={})
    return partial(
        parse, header=sheet.header, orgs=ORGS, org=org, sandbox=sandbox, references=references
    )


class Lines(Append):
    """Takes what would be written."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    async def append(self, lines: Sequence[Line]) -> None:
        self.lines += lines


def accounted(
    sheet: Sheet, judge: Parse, known: dict[int, bool], fast_scan: FastScan | None
) -> tuple[list[Line], Intake]:
    lines = Lines()
    found = anyio.run(
        partial(
            take_in,
            sheet,
            judge,
            ledger=RunWriter(lines, run=1, clock=CLOCK),
            known=known,
            identity=Identity(RunOpened(run_id="r", sheets=("rows",), sheet_sha256="")),
            fast_scan=fast_scan,
        )
    )
    return lines.lines, found


def findings(sheet: Sheet, judge: Parse, fast_scan: FastScan | None) -> tuple[int, list[Finding]]:
    """How many rows there are, and what is said of which."""
    total, said = 0, []
    for row, judged in examine(sheet, judge, fast_scan=fast_scan):
        total += bool(row.cells)
        assert judged is not None
        is_rejected = isinstance(judged, Rejected)
        problems: tuple[Problem, ...] = ()
        match judged:
            case Rejected(problems=problems) | BaseConnection(findings=problems):
                pass
            case Warned(problem=problem):
                problems = (problem,)
        if problems:
            said.append((row.number, is_rejected, problems))
    return total + (fast_scan.rows if fast_scan else 0), said


@settings(deadline=None)
@given(
    columns=st.permutations([*Column, "note"]),
    without=st.sets(st.sampled_from([Column.DESCRIPTION, Column.ORG, Column.SANDBOX, "note"])),
    rows=st.lists(lines(), max_size=6).filter(is_filled_in),
    org=st.sampled_from(["acme", None]),
    sandbox=st.sampled_from(["prod", None]),
)
def test_it_finds_what_the_whole_judgement_finds(
    columns: list[str],
    without: set[str],
    rows: list[dict[str, str]],
    org: str | None,
    sandbox: str | None,
) -> None:
    """Whatever the columns and their order, doubles of rows that it took among them."""
    columns = [column for column in columns if column not in without]
    with tempfile.TemporaryDirectory() as folder:
        sheet = written(Path(folder, "clients.csv"), columns, rows)
        judge = judge_of(sheet, org, sandbox)
        quick = findings(sheet, judge, glance_at(sheet, org, sandbox)), sheet.blank_rows

        assert quick == (findings(sheet, judge, None), sheet.blank_rows)
        sheet.close()


@settings(deadline=None)
@given(
    columns=st.permutations([*Column, "note"]),
    without=st.sets(st.sampled_from([Column.DESCRIPTION, Column.ORG, Column.SANDBOX, "note"])),
    rows=st.lists(lines(), max_size=6).filter(is_filled_in),
    known=st.dictionaries(st.integers(2, 7), st.booleans(), max_size=3),
    fills=st.tuples(st.sampled_from(["acme", None]), st.sampled_from(["prod", None])),
)
def test_a_run_accounts_for_what_it_takes_as_for_every_row(
    columns: list[str],
    without: set[str],
    rows: list[dict[str, str]],
    known: dict[int, bool],
    fills: tuple[str | None, str | None],
) -> None:
    """The same lines in the ledger, the same places, whether a row is looked at once or judged."""
    columns = [column for column in columns if column not in without]
    org, sandbox = fills
    with tempfile.TemporaryDirectory() as folder:
        sheet = written(Path(folder, "clients.csv"), columns, rows)
        fast_scan = FastScan(sheet.header, orgs=ORGS, org=org, sandbox=sandbox, yields_rows=True)
        judge = judge_of(sheet, org, sandbox)
        quick = accounted(sheet, judge, known, fast_scan)

        assert quick == accounted(sheet, judge, known, None)
        sheet.close()


def test_what_our_reports_quote_is_never_taken(tmp_path: Path) -> None:
    """A cell of failed.csv may begin with a sign of ours, which is taken off first."""
    report = {"status": "failed", "error": "x", "hint": "y", "note": "'=1"}
    sheet = written(tmp_path / "failed.csv", [*Column, *report], [{**HEALTHY, **report}])
    fast_scan = FastScan(sheet.header, orgs=ORGS, org=None, sandbox=None, yields_rows=True)
    (row,) = fast_scan.of(sheet)

    assert isinstance(row, Row)
    assert row.carried == ("=1",)


def test_healthy_rows_are_taken(tmp_path: Path) -> None:
    """Carried and nameless columns, commas and umlauts included, or it would be of little use."""
    names = ("Acme, Inc.", "Süd", "Globex")
    rows = [{**HEALTHY, Column.NAME: name, "note": "a, b", "": ""} for name in names]
    sheet = written(tmp_path / "clients.csv", ["note", *Column, ""], rows)
    fast_scan = glance_at(sheet)

    assert list(fast_scan.of(sheet)) == []
    assert fast_scan.rows == 3


def test_the_rows_of_the_template_are_not_taken(tmp_path: Path) -> None:
    """They are skipped, not counted as fine."""
    path = tmp_path / "template.csv"
    path.write_bytes(render_csv())
    sheet = open_sheet(path)
    fast_scan = glance_at(sheet)

    assert list(fast_scan.of(sheet)) == []
    assert (fast_scan.rows, sheet.blank_rows) == (0, 2)


def test_a_sheet_of_another_kind_gives_all_its_rows() -> None:
    """What is no text is no bare cell."""
    sheet = MemorySheet([{str(column): text for column, text in HEALTHY.items()}])
    fast_scan = glance_at(sheet)

    assert [row.number for row in fast_scan.of(sheet)] == [1]


def test_an_org_is_spelled_as_in_its_first_cell(tmp_path: Path) -> None:
    """Though that cell has to be judged, and the next one, in the same block, has not."""
    rows = [{**HEALTHY, Column.ORG: org} for org in (" NEWCO", "newco", "other", " Other")]
    sheet = written(tmp_path / "clients.csv", list(Column), rows)
    orgs = SimulatedOrgRegistry(url="https://localhost")
    references = References(allow=False, refs_dir=None, environ={})
    judge = partial(
        parse, header=sheet.header, orgs=orgs, org=None, sandbox=None, references=references
    )
    keys = []
    for row in FastScan(sheet.header, orgs=orgs, org=None, sandbox=None, yields_rows=True).of(
        sheet
    ):
        judged = row if isinstance(row, ValidRow) else judge(row)
        assert isinstance(judged, ValidRow | BaseConnection)
        keys.append(judged.org.key)

    assert keys == ["NEWCO", "NEWCO", "other", "other"]


def test_few_of_many_sandboxes_are_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sheet may name a million."""
    monkeypatch.setattr("batchconnect.validation.fast_scan._MOST_PLACES", 3)
    rows = [{**HEALTHY, Column.SANDBOX: f"sandbox{number % 5}"} for number in range(10)]
    sheet = written(tmp_path / "clients.csv", list(Column), rows)
    fast_scan = glance_at(sheet)

    assert list(fast_scan.of(sheet)) == []
    assert len(fast_scan._places) <= 3
    assert sorted(fast_scan.doubles.groups()) == list(range(2, 12))


def test_a_workbook_is_scanned_as_a_csv_is(tmp_path: Path) -> None:
    """Rows of texts are taken; what is no text, is the template's or is said to be hidden stays what it was."""
    book = openpyxl.Workbook()
    tab = book.worksheets[0]
    others: list[dict[str, object]] = [
        {Column.NAME: "NOT SENT - x"},
        {Column.SERVICE_PRINCIPAL_KEY: 12345678},
        {Column.TENANT: PRINCIPAL},
        {Column.DATABASE: None},
        {Column.NAME: "hidden"},
        {Column.NAME: "Globex"},
        {},
    ]
    tab.append([str(column) for column in Column])
    for change in [{}, *others]:
        tab.append([change.get(column, HEALTHY[column]) for column in Column])
    tab.row_dimensions[7].hidden = True
    book.save(path := tmp_path / "clients.xlsx")
    sheet = open_sheet(path, hidden=HiddenRows.LEAVE_OUT)
    judge, fast_scan = judge_of(sheet, "acme", None), glance_at(sheet)

    assert [row.number for row in fast_scan.of(sheet) if isinstance(row, Row)] == [4, 5, 6]
    assert (fast_scan.rows, sheet.template_rows) == (3, 1)
    assert findings(sheet, judge, glance_at(sheet)) == findings(sheet, judge, None)
    sheet.close()
