"""One record per input row, exact in JSON, inert in spreadsheets."""

import csv
import io
import json
import re
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from hypothesis import given, strategies as st

from batchconnect.ledger.entry import (
    ONBOARD,
    ROTATE,
    UNDO,
    VERIFY,
    Deleted,
    Entry,
    Left,
    Line,
    RowPlanned,
    RunEnded,
    RunOpened,
    Sending,
    Settled,
    Tested,
    Updated,
)
from batchconnect.ledger.row_state import fold_rows
from batchconnect.ledger.sqlite.store import SqliteLedger
from batchconnect.model import outcome as o
from batchconnect.model.outcome import (
    Created,
    Existing,
    Failed,
    Kept,
    MatchedBy,
    Problem,
    Rejected,
    Unchanged,
    Works,
)
from batchconnect.reports import csv as sheets, json as documents
from batchconnect.reports.columns import columns_of, iso
from batchconnect.reports.csv import quote_formula, unquote_formula
from batchconnect.reports.result import is_unfinished, what_is_wrong
from batchconnect.reports.summary import Summary, summarize

ODD = "ab,\"\n\r=+-@\t' \u00e9\u202e"
"""What a spreadsheet, or a reader of CSV, takes for more than a letter."""
START_MS = 1_764_000_000_000
OPENED = RunOpened(
    run_id="20251124-160000000-k3f9",
    sheets=("clients.csv",),
    sheet_sha256="5e1f",
    platform_host="platform.adobe.io",
)


def told(
    *entries: Entry | tuple[int, Entry], opened: RunOpened = OPENED, **options: Any
) -> Summary:
    """Write entries to a ledger, one a second, those of a row with its number, and sum them up."""
    with SqliteLedger(":memory:") as ledger:
        run = ledger.append([Line(entry=opened, at_ms=START_MS)])
        for number, told in enumerate(entries, 1):
            row, entry = told if isinstance(told, tuple) else (None, told)
            marker = None if row is None else f"bc1-{row:026}"
            at_ms = START_MS + number * 1000
            ledger.append([Line(entry=entry, run=run, row=row, marker=marker, at_ms=at_ms)])
        of_run, of_rows = list(ledger.run_lines(run)), list(ledger.row_lines(run))
    return summarize(of_run, lambda: fold_rows(of_rows), **options)


BOM = b"\xef\xbb\xbf"
HOSTILE = (
    '=HYPERLINK("http://evil")',
    "+1",
    "-1",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "'=x",
    "a\nb\r\nc",
    "\x1b[31mred\x00",
    "\u202eevil",
    'quo"te, and; more',
    "<script>alert(1)</script>",
    "00123",
    "  spaces  ",
    "Süd 🚀",
)
DESIGNED = [
    *("row", "status", "name", "connection_id", "org", "sandbox", "endpoint", "database", "tenant"),
    *("servicePrincipalId", "error_code", "error", "error_column", "http_status", "request_id"),
    *("attempts", "reconciled", "matched_by", "etag", "started_at", "finished_at", "duration_ms"),
    *("sheet", "worksheet", "connection_state", "works", "works_error", "tested_at", "etag_before"),
    *("key_reference", "key_version", "key_expires"),
]
REJECTED = Settled(
    outcome=Rejected(
        problems=(Problem(code="c", column="tenant", cell="E9", what="Bad.", remedy="Mend."),)
    )
)


def parsed(chunks: Any) -> list[list[str]]:
    content = b"".join(chunks)
    assert content.startswith(BOM)
    assert content.count(BOM) == 1
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def settled_row(number: int, planned: RowPlanned, settled: Settled) -> list[tuple[int, Entry]]:
    return [(number, planned), (number, Sending(number=1)), (number, settled)]


def one_of_each(opened: RunOpened = OPENED) -> Summary:
    created = Created(connection_id="c-1", etag='"0500"', http_status=201, request_id="r")
    existing = Existing(connection_id="c-2", matched_by=MatchedBy.NAME_AND_TARGET)
    failed = Failed(code="FLOW-1308-400", detail="=Denied", http_status=400, request_id="q")
    planned = RowPlanned(name="Acme", org="acme", sandbox="prod", carried=("x", "y"))
    return told(
        *settled_row(2, planned, Settled(outcome=created, attempts=1)),
        (3, planned),
        (3, Settled(outcome=existing)),
        *settled_row(4, planned, Settled(outcome=failed, attempts=1)),
        (5, planned),
        (5, REJECTED),
        RunEnded(exit_code=4),
        opened=opened,
    )


def test_the_columns_are_the_designs() -> None:
    """In their order, then the carried ones; one that bears our name gets a suffix."""
    opened = replace(OPENED, carried=("Ref", "Status"))

    header, *records = parsed(sheets.render(one_of_each(opened)))

    assert header == [*DESIGNED, "Ref", "Status_sheet"]
    assert [record[0] for record in records] == ["2", "3", "4", "5"]
    assert {len(record) for record in records} == {len(header)}
    assert records[0] == [
        *(
            "2",
            "created",
            "Acme",
            "c-1",
            "acme",
            "prod",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            "201",
            "r",
            "1",
        ),
        *("false", "", '"0500"', "2025-11-24T16:00:02.000Z", "2025-11-24T16:00:03.000Z", "1000"),
        *("clients.csv", "", "", "", "", "", "", "", "", ""),
        *("x", "y"),
    ]
    assert records[1][17] == "name+target"
    assert records[2][10:14] == ["FLOW-1308-400", "'=Denied", "", "400"]
    assert records[3][10:13] == ["c", "E9: Bad.", "tenant"]


def test_json_has_the_same_columns_typed() -> None:
    """Numbers are numbers, nothing is quoted, and what is absent is null."""
    summary = one_of_each(replace(OPENED, carried=("Ref", "warnings")))

    rows = [json.loads(line) for line in b"".join(documents.render(summary)).splitlines()]

    assert list(rows[0]) == [*DESIGNED, "warnings", "Ref", "warnings_sheet"]
    assert rows[2]["error"] == "=Denied"
    assert (rows[0]["http_status"], rows[0]["reconciled"], rows[0]["error"]) == (201, False, None)
    assert rows[1]["warnings"] == ["The key was not compared, not sent."]


def test_both_documents_keep_to_their_schemas() -> None:
    """The schemas are part of the package, and say what the files are."""
    summary = one_of_each(replace(OPENED, carried=("Ref",)))
    row_schema, run_schema = documents.schema("result"), documents.schema("summary")

    jsonschema.Draft202012Validator.check_schema(row_schema)
    jsonschema.Draft202012Validator.check_schema(run_schema)
    for line in b"".join(documents.render(summary)).splitlines():
        jsonschema.validate(json.loads(line), row_schema)
    document = json.loads(b"".join(documents.render_summary(summary)))
    jsonschema.validate(document, run_schema)
    assert list(document) == run_schema["required"]
    assert list(document["counts"]) == run_schema["properties"]["counts"]["required"]


def test_failed_rows_look_like_the_users_sheet() -> None:
    """Input columns in the sheet's order without the secret, then what is wrong and what to do."""
    places = {"sandbox": 0, "name": 2, "servicePrincipalKey": 3, "tenant": 4}
    opened = replace(OPENED, carried=("Ref", "Hint"), columns=places)

    header, *records = parsed(sheets.render_failed(one_of_each(opened)))

    assert header[:5] == ["sandbox", "Ref", "name", "tenant", "Hint_sheet"]
    assert header[5:] == ["status", "error", "column", "hint"]
    assert [record[:7] for record in records] == [
        ["prod", "x", "Acme", "", "y", "failed", "'=Denied"],
        ["prod", "x", "Acme", "", "y", "rejected", "E9: Bad."],
    ]
    assert records[1][7:] == ["tenant", "Mend."]


WORKING = {
    3: Tested(connection_id="c-3", works=Works.YES),
    4: Tested(connection_id="c-4", works=Works.NO, code="AADSTS7000222", detail="It has expired."),
    5: Tested(connection_id="c-5", works=Works.NOT_TESTED, code="timeout"),
}


def verified(command: str = ONBOARD) -> Summary:
    """Five rows: one that nobody tested, one of each answer, and one that is not there."""
    planned = RowPlanned(name="Acme", org="acme", sandbox="prod")
    rows: list[tuple[int, Entry]] = [
        (row, entry)
        for row in range(2, 6)
        for entry in (planned, Settled(outcome=Created(connection_id=f"c-{row}", state="enabled")))
    ]
    failed = Settled(outcome=Failed(code="FLOW-1308-400", detail="Denied"))
    return told(
        *rows,
        *WORKING.items(),
        (6, planned),
        (6, failed),
        RunEnded(exit_code=4),
        opened=replace(OPENED, command=command),
    )


def test_what_works_has_columns_of_its_own() -> None:
    """Status and connection are as they were; what nobody asked is blank, or null."""
    header, *records = parsed(sheets.render(verified()))
    told_of = [dict(zip(header, record, strict=True)) for record in records]
    rows = [json.loads(line) for line in b"".join(documents.render(verified())).splitlines()]

    assert [row["status"] for row in told_of] == ["created"] * 4 + ["failed"]
    assert [row["works"] for row in told_of] == ["", "yes", "no", "not_tested", ""]
    assert [row["works_error"] for row in told_of] == ["", "", "AADSTS7000222", "timeout", ""]
    assert [bool(row["tested_at"]) for row in told_of] == [False, True, True, True, False]
    assert [row["connection_state"] for row in told_of] == ["enabled"] * 4 + [""]
    assert [row["works"] for row in rows] == [None, "yes", "no", "not_tested", None]
    assert rows[1]["tested_at"] == told_of[1]["tested_at"]


def test_a_connection_that_does_not_work_is_among_what_a_person_has_to_look_at() -> None:
    """With the reason in words and as the source's code, and what to do; not what could not be asked."""
    header, *records = parsed(sheets.render_failed(verified()))
    told_of = [dict(zip(header, record, strict=True)) for record in records]

    assert [(row["status"], row["error"]) for row in told_of] == [
        ("created", "does not work: The key has expired (AADSTS7000222)"),
        ("failed", "Denied"),
    ]
    assert "servicePrincipalKey" in told_of[0]["hint"]


def test_what_was_not_needed_says_why_unless_it_does_not_work() -> None:
    """`--changed` leaves a connection whose key is the same, and that key may be wrong."""
    planned = RowPlanned(name="Acme")
    same = Left(outcome=Unchanged(code="same_key", detail="The same key.", connection_id="c-4"))
    summary = told((2, planned), (2, same), (4, planned), (4, same), (4, WORKING[4]))

    first, second = summary.rows()

    assert what_is_wrong(first) == "The same key."
    assert what_is_wrong(second) == "does not work: The key has expired (AADSTS7000222)"
    assert (is_unfinished(first), is_unfinished(second)) == (False, True)


@pytest.mark.parametrize("command", [ONBOARD, ROTATE, VERIFY, UNDO])
def test_the_summary_says_what_the_run_did_and_what_works(command: str) -> None:
    """Every answer named, as every status; incidents of tests say that they are of tests."""
    document = documents.summary_document(verified(command))

    jsonschema.validate(document, documents.schema("summary"))
    assert document["command"] == command
    assert document["works"] == {"yes": 1, "no": 1, "not_tested": 1}
    assert {one["code"]: one["works"] for one in document["incidents"]} == {
        "AADSTS7000222": "no",
        "timeout": "not_tested",
        "FLOW-1308-400": None,
    }


def test_each_status_of_a_change_keeps_to_the_schema() -> None:
    """With the etags before and after, byte for byte."""
    outcomes: tuple[Entry, ...] = (
        Updated(outcome=o.Updated(connection_id="c", etag='"2"', etag_before='"1"')),
        Left(outcome=Unchanged(code="not_failing", detail="", connection_id="c")),
        Deleted(outcome=o.Deleted(connection_id="c", reconciled=True)),
        Left(outcome=Kept(code="in_use", detail="A dataflow uses it.", connection_id="c")),
    )
    planned = RowPlanned(name="Acme")
    summary = told(*((row, one) for row, end in enumerate(outcomes, 2) for one in (planned, end)))

    rows = [json.loads(line) for line in b"".join(documents.render(summary)).splitlines()]

    for row in rows:
        jsonschema.validate(row, documents.schema("result"))
    assert [row["status"] for row in rows] == ["updated", "unchanged", "deleted", "kept"]
    assert {row["connection_id"] for row in rows} == {"c"}
    assert (rows[0]["etag_before"], rows[0]["etag"], rows[2]["reconciled"]) == ('"1"', '"2"', True)
    assert [row["error_code"] for row in rows] == [None, "not_failing", None, "in_use"]


def test_rows_from_python_have_every_column() -> None:
    """Without a sheet there are no places; the key's column is left out here too."""
    header, *_ = parsed(sheets.render_failed(one_of_each(replace(OPENED, carried=("Ref",)))))

    assert header[:2] == ["name", "description"]
    assert header[-5:] == ["Ref", "status", "error", "column", "hint"]
    assert "servicePrincipalKey" not in header


@pytest.mark.parametrize("cell", HOSTILE)
def test_hostile_cells_are_inert_and_whole(cell: str) -> None:
    """Formulas are quoted for the spreadsheet; nothing else is touched, and JSON has them exact."""
    planned = RowPlanned(name=cell, carried=(cell,))
    summary = told((2, planned), (2, REJECTED), opened=replace(OPENED, carried=(cell,)))

    for render in (sheets.render, sheets.render_failed):
        header, record = parsed(render(summary))
        shown = record[header.index("name")]
        assert shown[:1] not in set("=+-@\t\r")
        assert unquote_formula(shown) == cell
        carried = -1 if render is sheets.render else -5  # the last; four of ours stand behind it
        assert unquote_formula(header[carried]) == cell
    (line,) = b"".join(documents.render(summary)).splitlines()
    assert json.loads(line)["name"] == cell
    assert json.loads(line)[cell] == cell


@given(st.text(st.sampled_from("'=+-@\t\r\n\",;ä\x00\x1b\u202e 1"), max_size=8))
def test_quoting_is_undone_exactly(cell: str) -> None:
    """Our CSV, read by Python's and unquoted, is the cell, whatever it begins with."""
    summary = told((2, RowPlanned(name=cell)), (2, REJECTED))

    _, record = parsed(sheets.render(summary))

    assert unquote_formula(record[2]) == cell


@given(st.text())
def test_quoted_cells_never_run(cell: str) -> None:
    """No cell begins with what a spreadsheet runs."""
    assert not re.match(r"[=+\-@\t\r]", quote_formula(cell))
    assert unquote_formula(quote_formula(cell)) == cell


def test_chunks_end_where_a_record_ends() -> None:
    """A redactor that works on chunks never sees half a cell."""
    entries = [(row, RowPlanned(name=f"n\n{row}")) for row in range(2, 1203)]
    summary = told(*entries)

    chunks = list(sheets.render(summary))

    assert len(chunks) == 4  # the header, and three steps
    assert all(chunk.endswith(b"\r\n") for chunk in chunks)
    assert len(parsed(chunks)) == 1202
    assert all(chunk.endswith(b"}\n") for chunk in documents.render(summary))


def test_a_run_without_rows_is_a_header() -> None:
    """And no line of JSON."""
    assert parsed(sheets.render(told())) == [DESIGNED]
    assert list(documents.render(told())) == []


def test_carried_names_are_unique() -> None:
    """Two columns of one name would be one key in JSON."""
    names = columns_of(["A", "A", "Org Name", "ETAG", "etag_sheet", "Etag"], ["etag"])

    assert names == ["A", "A_2", "Org Name", "ETAG_sheet", "etag_sheet", "Etag_sheet"]


def test_missing_carried_cells_are_blank() -> None:
    """A row from before a column was added is no shorter than the others."""
    summary = told(
        (2, RowPlanned(name="n", carried=("x",))), opened=replace(OPENED, carried=("a", "b"))
    )

    _, record = parsed(sheets.render(summary))

    assert record[-2:] == ["x", ""]


def test_the_unknown_is_null() -> None:
    """A sweep that could not list knows nothing of what is missing; a lane cut off, nothing of its pace."""
    assert iso(None) is None
    assert documents.summary_document(told())["sweep"] is None
    assert documents.summary_document(told(live=True))["exit_code"] is None


def test_a_ledger_path_may_be_any_bytes() -> None:
    """A path that is no UTF-8 does not cost the report."""
    (chunk,) = documents.render_summary(told(ledger="/tmp/\udcff.sqlite3"))

    assert json.loads(chunk)["ledger"] == "/tmp/\udcff.sqlite3"


@given(
    st.integers(2, 4).flatmap(
        lambda width: st.lists(
            st.lists(st.none() | st.integers() | st.text(ODD), min_size=width, max_size=width)
        )
    )
)
def test_a_csv_is_what_pythons_own_writer_makes_of_it(
    records: list[list[int | str | None]],
) -> None:
    """Records are spelled column by column, and come out as if they were written cell by cell."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    for record in records:
        writer.writerow(["" if c is None else quote_formula(str(c)) for c in record])

    assert sheets.lines(records) == text.getvalue().encode()
