"""A whole row: every problem with its cell, or a connection ready to be sent."""

from collections.abc import Iterable, Mapping

import pytest

from batchconnect.model.column import Column
from batchconnect.model.identity import find_marker
from batchconnect.model.org import Org
from batchconnect.model.outcome import Rejected, Severity
from batchconnect.model.reference import Reference
from batchconnect.model.row import Cell, Header, NotText, Row
from batchconnect.model.secret import Secret
from batchconnect.model.target import Target
from batchconnect.validation.connection import BaseConnection, parse
from batchconnect.validation.org_registry import OrgRegistry
from batchconnect.validation.reference import References

ORG_ID = "5C1328435BF324E90A49402A@AdobeOrg"
GUID = "72f988bf-86f1-41af-91ab-2d7cd011db47"
PRINCIPAL = "0d1ff3c1-7c0a-4b0e-9d7e-2f1f6b8f3a11"
HEADER = Header(row_number=1, columns={column: at for at, column in enumerate(Column)})
HEALTHY = {
    "name": "Acme, Inc. Telemetrie Süd",
    "description": "Acme sales",
    "endpoint": "https://acme.westeurope.kusto.windows.net",
    "database": "Telemetry",
    "tenant": GUID,
    "servicePrincipalId": PRINCIPAL,
    "servicePrincipalKey": "planted~secret.value-1",
    "org": "acme",
    "sandbox": "prod",
}
ACME = Org(key="acme", org_id=ORG_ID, client_id="id", aliases=("Acme GmbH",), sandbox="dev")
OTHER = Org(key="globex", org_id="AC1328435BF324E90A49402A@AdobeOrg", client_id="id")
REFERENCES = References(allow=False, refs_dir=None, environ={})


def row(cells: Mapping[str, str | NotText | None] | None = None) -> Row:
    typed: dict[Column, Cell] = {}
    for name, cell in {**HEALTHY, **(cells or {})}.items():
        if cell is not None:
            is_key = name == Column.SERVICE_PRINCIPAL_KEY and isinstance(cell, str)
            typed[Column(name)] = Secret(str(cell)) if is_key else cell
    return Row(number=12, cells=typed)


def judge(
    cells: Mapping[str, str | NotText | None] | None = None,
    *,
    orgs: Iterable[Org] = (ACME, OTHER),
    references: References = REFERENCES,
    strict: bool = False,
    org: str | None = None,
    sandbox: str | None = None,
) -> BaseConnection | Rejected:
    return parse(
        row(cells),
        header=HEADER,
        orgs=OrgRegistry(orgs),
        org=org,
        sandbox=sandbox,
        references=references,
        strict=strict,
    )


def accepted(cells: Mapping[str, str | NotText | None] | None = None) -> BaseConnection:
    judged = judge(cells)
    assert isinstance(judged, BaseConnection)
    return judged


def refused(
    cells: Mapping[str, str | NotText | None],
    *,
    strict: bool = False,
    org: str | None = None,
    sandbox: str | None = None,
) -> Rejected:
    judged = judge(cells, strict=strict, org=org, sandbox=sandbox)
    assert isinstance(judged, Rejected)
    return judged


def findings(judged: BaseConnection | Rejected) -> list[tuple[str, str | None]]:
    problems = judged.problems if isinstance(judged, Rejected) else judged.findings
    return [(problem.code, problem.cell) for problem in problems]


def test_a_healthy_row_becomes_a_connection() -> None:
    """Everything as typed, the marker of the design's rule, nothing to say."""
    connection = accepted()

    assert connection == BaseConnection(
        row=12,
        org=ACME,
        sandbox="prod",
        name="Acme, Inc. Telemetrie Süd",
        text="Acme sales",
        target=Target(
            endpoint="https://acme.westeurope.kusto.windows.net",
            database="Telemetry",
            tenant=GUID,
            service_principal_id=PRINCIPAL,
        ),
        service_principal_key=Secret("planted~secret.value-1"),
        marker="bc1-o2cyiczkeuyf5wanj624uvdrpp",
    )
    assert connection.description == "Acme sales bc1-o2cyiczkeuyf5wanj624uvdrpp"
    assert "planted" not in repr(connection)


@pytest.mark.parametrize(
    "key",
    ["00123", "1e5", "12345678901234567890", " xy ", 'a"b,c;d', "=1+1", "a" * 10_000],
)
def test_a_key_arrives_byte_for_byte(key: str) -> None:
    """Warned about perhaps, never changed."""
    assert accepted({"servicePrincipalKey": key}).secret.reveal() == key


def test_a_name_is_sent_as_typed_and_compared_in_nfc() -> None:
    """The key of a retyped name is the same, what is sent is not touched."""
    typed = " Acme, Inc. Telemetrie Su\u0308d"
    connection = accepted({"name": typed})

    assert connection.name == typed
    assert connection.marker == accepted().marker
    assert findings(connection) == [("name_outer_space", "A12"), ("name_not_nfc", "A12")]


def test_identifiers_are_normalised_with_a_note_each() -> None:
    """Braces, letter case, invisible characters: in identifiers only."""
    connection = accepted(
        {
            "endpoint": "HTTPS://ACME.westeurope.kusto.windows.net/",
            "tenant": "Contoso.com",
            "servicePrincipalId": f"{{{PRINCIPAL.upper()}}}",
            "org": "\u200bACME",
        }
    )

    assert connection.target.endpoint == "https://acme.westeurope.kusto.windows.net"
    assert connection.target[2:] == ("contoso.com", PRINCIPAL)
    assert connection.org is ACME
    assert findings(connection) == [
        ("endpoint_normalised", "C12"),
        ("id_normalised", "E12"),
        ("id_normalised", "F12"),
        ("id_normalised", "H12"),
    ]
    assert {problem.severity for problem in connection.findings} == {Severity.NOTE}


def test_every_problem_of_a_row_comes_at_once_in_the_order_of_columns() -> None:
    """With column, cell, what and remedy; warnings stand beside the errors."""
    rejected = refused(
        {
            "name": "a\0b",
            "description": "x\x07y",
            "endpoint": "http://acme",
            "database": " d",
            "tenant": "common",
            "servicePrincipalId": "1.23E+15",
            "servicePrincipalKey": "planted\nsecret",
            "org": "acne",
            "sandbox": "Prod",
        }
    )

    assert findings(rejected) == [
        ("name_control", "A12"),
        ("description_control", "B12"),
        ("endpoint_not_https", "C12"),
        ("endpoint_single_label", "C12"),
        ("database_outer_space", "D12"),
        ("tenant_not_specific", "E12"),
        ("principal_id_not_guid", "F12"),
        ("key_line_break", "G12"),
        ("org_unknown", "H12"),
        ("sandbox_invalid", "I12"),
    ]
    assert all(problem.what and problem.remedy and problem.column for problem in rejected.problems)
    assert "planted" not in repr(rejected)


@pytest.mark.parametrize(
    "column",
    ["name", "endpoint", "database", "tenant", "servicePrincipalId", "servicePrincipalKey"],
)
@pytest.mark.parametrize("cell", ["", "  ", "\u00a0", None])
def test_a_required_cell_is_not_blank(column: str, cell: str | None) -> None:
    """White space is blank too, and so is a column that the sheet lacks."""
    rejected = refused({column: cell})

    assert [(problem.code, problem.column) for problem in rejected.problems] == [
        ("cell_blank", column)
    ]


@pytest.mark.parametrize("column", HEALTHY)
@pytest.mark.parametrize("kind", ["number", "date", "boolean", "error", "formula", "odd"])
def test_a_cell_that_is_not_text_is_refused_in_every_column(column: str, kind: str) -> None:
    """What was typed can no longer be known; nothing takes its place, no default either."""
    rejected = refused({column: NotText(kind)}, org="acme", sandbox="prod")

    assert [(problem.code, problem.column) for problem in rejected.problems] == [
        ("cell_not_text", column)
    ]


@pytest.mark.parametrize("column", HEALTHY)
@pytest.mark.parametrize(
    ("cell", "code"), [("#REF!", "cell_spreadsheet_error"), ("a\ud800", "cell_surrogate")]
)
def test_what_nobody_typed_is_refused_in_every_column(column: str, cell: str, code: str) -> None:
    """An error that a spreadsheet wrote, half a character."""
    rejected = refused({column: cell})

    assert [(problem.code, problem.column) for problem in rejected.problems] == [(code, column)]


def test_a_key_that_comes_as_plain_text_is_a_secret_afterwards() -> None:
    """Rows from Python need not know the type."""
    cells: dict[Column, Cell] = {
        **row().cells,
        Column.SERVICE_PRINCIPAL_KEY: "planted~secret.value-1",
    }
    connection = parse(
        Row(number=12, cells=cells),
        header=HEADER,
        orgs=OrgRegistry([ACME]),
        org=None,
        sandbox=None,
        references=REFERENCES,
    )

    assert connection == judge()


def test_one_id_in_both_columns_is_a_warning() -> None:
    """Columns get swapped or copied twice."""
    connection = accepted({"servicePrincipalId": GUID})

    assert findings(connection) == [("ids_equal", "F12")]
    assert connection.findings[0].severity is Severity.WARNING


ODD: list[Mapping[str, str | NotText | None]] = [
    {"name": " Acme\u200b "},
    {"name": "e\u0301"},
    {"name": "SÃ¼d"},
    {"name": "S\ufffdd"},
    {"name": "1.23457E+14"},
    {"name": '="Acme"'},
    {"name": "'Acme"},
    {"name": "#Acme"},
    {"database": " db "},
    {"servicePrincipalKey": " short "},
    {"servicePrincipalKey": "ENV:KEY_OF_ACME"},
    {"servicePrincipalKey": "'quoted~secret.value-1"},
]
"""Cells with a finding that says what becomes of them."""


@pytest.mark.parametrize("cells", ODD)
def test_what_becomes_of_an_odd_cell_is_said_only_where_its_row_is_sent(
    cells: Mapping[str, str | NotText | None],
) -> None:
    """Beside an error, in whatever cell, and under `--strict`, it would not be true."""
    sent = accepted(cells)
    beside_an_error = refused({**cells, "tenant": "common"})
    in_the_cell = refused({**cells, next(iter(cells)): "a\nb"})

    assert any("sent" in finding.what for finding in sent.findings)
    assert not any("sent" in problem.what for problem in beside_an_error.problems)
    assert not any("sent" in problem.what for problem in in_the_cell.problems)
    strict = judge(cells, strict=True)
    assert isinstance(strict, BaseConnection) or not any(
        "sent" in problem.what for problem in strict.problems
    )


def test_a_refused_key_is_told_by_its_error_alone() -> None:
    """A formula around it is said once, and not as a warning that the formula is sent."""
    rejected = refused({"servicePrincipalKey": '="planted~secret.value-1"'})

    assert [problem.code for problem in rejected.problems] == ["key_placeholder"]


def test_under_strict_a_warning_is_an_error_and_a_note_is_not() -> None:
    """`--strict` is one rule for all warnings."""
    rejected = refused({"servicePrincipalKey": f"{GUID}", "tenant": GUID.upper()}, strict=True)

    assert [(problem.code, problem.severity) for problem in rejected.problems] == [
        ("id_normalised", Severity.NOTE),
        ("key_looks_like_id", Severity.ERROR),
    ]
    assert isinstance(judge({"tenant": GUID.upper()}, strict=True), BaseConnection)


def test_a_description_too_long_is_cut_with_a_warning_and_the_marker_stays() -> None:
    """The user's part is cut, the marker never."""
    connection = accepted({"description": "x" * 300})

    assert findings(connection) == [("description_cut", "B12")]
    assert connection.text == "x" * 300
    assert len(connection.description) == 255
    assert find_marker(connection.description) == connection.marker


def test_a_typed_marker_is_taken_off() -> None:
    """Copied from elsewhere, it would claim another row's connection."""
    connection = accepted({"description": "Acme sales bc1-abcdefghijklmnopqrstuvwxyz"})

    assert connection.text == "Acme sales"
    assert findings(connection) == [("description_marker_removed", "B12")]


@pytest.mark.parametrize("key", ["env:PLANTED", "file:planted.txt"])
def test_a_reference_is_refused_unless_allowed(key: str) -> None:
    """A foreign sheet could otherwise read the operator's secrets."""
    rejected = refused({"servicePrincipalKey": key})

    assert findings(rejected) == [("reference_not_allowed", "G12")]
    assert "lanted" not in repr(rejected)


def test_an_allowed_reference_is_judged_by_its_form_and_stays_a_reference() -> None:
    """Nothing is looked up: its turn may be hours away, on another machine."""
    allowed = References(allow=True, refs_dir=None, environ={})

    def key(text: str) -> BaseConnection | Rejected:
        return judge({"servicePrincipalKey": text}, references=allowed)

    def kept(text: str) -> Secret | Reference:
        connection = key(text)
        assert isinstance(connection, BaseConnection)
        return connection.service_principal_key

    assert kept("env:UNSET") == Reference("env:UNSET")
    assert kept("literal:env:A") == Secret("env:A")
    assert findings(key("env:no name")) == [("reference_invalid", "G12")]
    assert findings(key("file:a")) == [("reference_no_folder", "G12")]


def test_a_target_is_canonical() -> None:
    """What two connections are compared by."""
    assert accepted({"tenant": "Contoso.com"}).target.compared() == Target(
        endpoint="https://acme.westeurope.kusto.windows.net",
        database="telemetry",
        tenant="contoso.com",
        service_principal_id=PRINCIPAL,
    )


def test_a_column_that_the_sheet_lacks_has_no_cell() -> None:
    """The problem names the column alone."""
    bare = Header(row_number=1, columns={Column.NAME: 0})
    rejected = parse(
        row({"name": "a\0", "database": None}),
        header=bare,
        orgs=OrgRegistry([ACME]),
        org=None,
        sandbox=None,
        references=REFERENCES,
    )

    assert findings(rejected) == [("name_control", "A12"), ("cell_blank", None)]
