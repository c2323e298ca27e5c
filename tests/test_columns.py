"""
Each column is told in one place: whoever lists columns takes them from the table.

What cannot be taken from it (fields that a type checker has to see, a JSON Schema, a script of the page)
is held against it here, so that a new column is missed nowhere.
"""

import ast
import csv
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

import batchconnect
from batchconnect.flow_service.client import create_request
from batchconnect.ledger.entry import RowPlanned
from batchconnect.ledger.row_state import RowState
from batchconnect.model.column import COLUMNS, SHOWN_COLUMNS, Column
from batchconnect.model.org import Org
from batchconnect.model.outcome import Created, MatchedBy, Works
from batchconnect.model.report_columns import REPORT_COLUMNS, RESULT_COLUMNS
from batchconnect.model.secret import Secret
from batchconnect.model.target import TARGET_COLUMNS, Target
from batchconnect.reports.columns import facts_of, sheet_cells_of
from batchconnect.reports.json import schema
from batchconnect.reports.page.rows import FIELDS, TEXTS
from batchconnect.reports.result import Result, result_of
from batchconnect.sheet.header import REQUIRED
from batchconnect.sheet.header_words import MEANINGS, letters_of
from batchconnect.sheet.template import render_csv
from batchconnect.validation.connection import BaseConnection
from batchconnect.validation.rules import RULES, canonical_target

HOUSE: Final = Path(batchconnect.__file__).parent
TARGET: Final = Target(
    endpoint="https://acme.westeurope.kusto.windows.net",
    database="Telemetry",
    tenant="acme.onmicrosoft.com",
    service_principal_id="0d1ff3c1-7c0a-4b0e-9d7e-2f1f6b8f3a11",
)
SPELLED_OUT: Final = {
    "model/column.py": "the table itself",
    "model/target.py": "the value itself",
    "model/identity.py": "the key of a row, which connections bear for good",
    "validation/rules.py": "a rule for each column",
    "sheet/loose_words.py": "headers that mean a column only where no plainer word does",
    "validation/valid_block.py": "the columns that a key with a capital letter cannot be in",
    "ledger/entry.py": "the format on disk",
    "flow_service/listing.py": "a possible match is looked for by all but the tenant",
}
"""The modules that name the parts of a target one by one, and why: those to look at for a new one."""


def a_result() -> Result:
    """A row whose cells hold the names of their fields."""
    cells: dict[str, Any] = {column.field: column.field for column in SHOWN_COLUMNS}
    state = RowState(
        number=2, marker=None, planned=RowPlanned(**cells), outcome=Created(connection_id="c")
    )
    return result_of(state, state.shown, stop=None, hint=lambda *_: "")


def test_the_table_and_the_rules_know_every_column_in_its_order() -> None:
    """A pattern over a whole row, and the template, rely on the order."""
    assert list(COLUMNS) == list(RULES) == list(Column)
    assert list(Column) == [
        *(Column.NAME, Column.DESCRIPTION),
        *TARGET_COLUMNS,
        *(Column.SERVICE_PRINCIPAL_KEY, Column.ORG, Column.SANDBOX),
    ]


def test_only_the_key_is_secret_and_its_example_says_that_it_is_none() -> None:
    """Everything that may be written down is derived from that one flag."""
    assert set(Column) - set(SHOWN_COLUMNS) == {Column.SERVICE_PRINCIPAL_KEY}
    assert Column.SERVICE_PRINCIPAL_KEY.info.example.startswith("FAKE")


def test_no_word_means_two_columns() -> None:
    """The later one would silently win."""
    words = [letters_of(word) for column in Column for word in (column.value, *column.info.words)]

    assert len(words) == len(set(words)) == len(MEANINGS)
    assert all(MEANINGS[letters_of(word)] is c for c in Column for word in c.info.words)
    assert not set(words) & set(map(letters_of, REPORT_COLUMNS))


def test_the_template_is_the_table() -> None:
    """Header, notes, example."""
    header, notes, example = csv.reader(render_csv().decode("utf-8-sig").splitlines())

    assert header == list(Column)
    for at, column in enumerate(Column):
        assert notes[at].endswith(column.info.note)
        assert example[at].endswith(column.info.example)
    assert set(REQUIRED) == {column for column in Column if column.info.is_required}


def test_the_ledger_keeps_every_column_but_the_secret_one() -> None:
    """A line's fields are the ledger's format, so they are spelled there; none is missing."""
    kept = {field.name for field in fields(RowPlanned)}

    assert {column.field for column in SHOWN_COLUMNS} <= kept
    assert Column.SERVICE_PRINCIPAL_KEY.field not in kept
    assert RowPlanned(name="n", **TARGET._asdict()).target == TARGET


def test_every_report_has_every_column_but_the_secret_one() -> None:
    """`results.csv` alone does without the description."""
    result = a_result()
    shown = {column: column.field for column in SHOWN_COLUMNS}

    assert sheet_cells_of(result) == shown
    assert {n: fact for n, fact in facts_of(result).items() if n in set(Column)} == {
        column: cell for column, cell in shown.items() if column is not Column.DESCRIPTION
    }


def test_each_value_of_a_result_stands_under_its_own_name() -> None:
    """Names and values are two lists, for speed; each field here holds its own name."""
    texts = {"name", "connection_id", "org", "sandbox", "error_code", "error", "error_column"}
    texts |= {
        "request_id",
        "etag",
        "sheet",
        "worksheet",
        "connection_state",
        "works_error",
        "etag_before",
        "key_reference",
        "key_version",
    }
    numbers = ("row", "http_status", "attempts", "duration_ms")
    own_names: dict[str, Any] = {name: name for name in texts}
    own_names |= {name: at for at, name in enumerate(numbers)}
    result = replace(
        a_result(),
        **own_names,
        reconciled=True,
        matched_by=MatchedBy.NAME,
        started_at_ms=0,
        finished_at_ms=1,
        works=Works.NOT_TESTED,
        tested_at_ms=2,
        key_expires_ms=3,
    )

    assert facts_of(result) == {
        **own_names,
        **{column.value: column.field for column in TARGET_COLUMNS},
        "status": "created",
        "reconciled": True,
        "matched_by": "name",
        "started_at": "1970-01-01T00:00:00.000Z",
        "finished_at": "1970-01-01T00:00:00.001Z",
        "works": "not_tested",
        "tested_at": "1970-01-01T00:00:00.002Z",
        "key_expires": "1970-01-01T00:00:00.003Z",
    }


def test_the_schema_of_a_result_has_its_columns() -> None:
    """A file that programs read: it cannot be made of the table, so it is held against it."""
    told = schema("result")

    assert list(told["properties"]) == told["required"] == [*RESULT_COLUMNS, "warnings"]


def test_the_page_tells_each_part_of_a_target() -> None:
    """Its block holds them, and its script searches and shows them."""
    script = (HOUSE / "reports/page/report.js").read_text("utf-8")
    at = FIELDS.index(TARGET_COLUMNS[0].value)
    words = FIELDS[at : at + len(TARGET_COLUMNS)]

    assert FIELDS[at + len(words)] == "description"
    assert set(words) <= TEXTS <= set(FIELDS)
    for word, column in zip(words, TARGET_COLUMNS, strict=True):
        assert f'["{column.value}", of(row, "{word}")]' in script
        assert f'"{word}"' in script.partition("SEARCHED = [")[2].partition("]")[0]


def test_a_request_has_the_whole_target_and_the_key() -> None:
    """In the service's own words, which are the columns'."""
    org = Org(key="acme", org_id="A@AdobeOrg", client_id="c")
    connection = BaseConnection(
        row=2,
        org=org,
        sandbox="prod",
        name="n",
        target=TARGET,
        service_principal_key=Secret("FAKE~key"),
        marker="bc1-" + "a" * 26,
    )

    params = orjson.loads(create_request(org, connection).body or b"")["auth"]["params"]

    assert params == {
        **{column.value: part for column, part in zip(TARGET_COLUMNS, TARGET, strict=True)},
        Column.SERVICE_PRINCIPAL_KEY.value: "FAKE~key",
    }


def test_a_judged_target_is_compared_as_any_text_is() -> None:
    """The quick way, for cells that the rules went through, and the whole way agree."""
    assert TARGET.compared() == canonical_target(TARGET) != TARGET
    assert canonical_target(TARGET.compared()) == TARGET.compared()


@pytest.mark.parametrize("column", TARGET_COLUMNS)
def test_a_rule_leaves_alone_what_it_compares_by(column: Column) -> None:
    """So a cell that was judged once, and a text of a listing, meet."""
    canonical, check = RULES[column].canonical, RULES[column].check
    text = TARGET.compared()[TARGET_COLUMNS.index(column)]

    assert canonical(text) == text
    assert check is not None
    assert check(text) == (text, ())


def test_nobody_else_lists_the_parts_of_a_target() -> None:
    """A list by hand is where a new column would be missed."""
    listing = {
        str(path.relative_to(HOUSE))
        for path in HOUSE.rglob("*.py")
        if "simulator" not in path.parts and len(_named(path)) > len(TARGET_COLUMNS) // 2
    }

    assert listing == set(SPELLED_OUT)


def _named(path: Path) -> set[str]:
    """The parts of a target that a module names, as a member, a text, a field or a variable."""
    text = path.read_text("utf-8")
    names = {
        spelling: column.field
        for column in TARGET_COLUMNS
        for spelling in (column.name, column.value, column.field)
        if spelling in text
    }
    named: set[str] = set()
    if len(set(names.values())) <= len(TARGET_COLUMNS) // 2:
        return named  # not enough of them, whatever each stands for: to parse takes long
    for node in ast.walk(ast.parse(text)):
        match node:
            case (
                ast.Attribute(attr=str(word))
                | ast.Constant(value=str(word))
                | ast.Name(id=word)
                | ast.keyword(arg=str(word))
                | ast.arg(arg=word)
            ) if word in names:
                named.add(names[word])
            case _:
                pass
    return named
