"""The fast check and the rules agree: what passes it, no rule would change or remark on."""

from hypothesis import given, strategies as st

from batchconnect.model.column import Column
from batchconnect.model.outcome import Problem
from batchconnect.model.row import Cell, NotText, Row
from batchconnect.model.secret import Secret
from batchconnect.validation.connection import _judged
from batchconnect.validation.reference import References
from batchconnect.validation.valid_pattern import valid_texts

GUID = "72f988bf-86f1-41af-91ab-2d7cd011db47"
PRINCIPAL = "0d1ff3c1-7c0a-4b0e-9d7e-2f1f6b8f3a11"
MARKER = "bc1-o2cyiczkeuyf5wanj624uvdrpp"
HOST = "acme.westeurope.kusto.windows.net"
REFERENCES = References(allow=False, refs_dir=None, environ={})
TEXTS = {
    Column.NAME: "Acme, Inc. Telemetrie Süd",
    Column.DESCRIPTION: "Acme sales",
    Column.ENDPOINT: f"https://{HOST}",
    Column.DATABASE: "telemetry",
    Column.TENANT: GUID,
    Column.SERVICE_PRINCIPAL_ID: PRINCIPAL,
    Column.SERVICE_PRINCIPAL_KEY: "abc8Q~x_y.z-0123",
    Column.ORG: "acme",
    Column.SANDBOX: "prod",
}
HEALTHY: dict[Column, Cell] = {
    **TEXTS,
    Column.SERVICE_PRINCIPAL_KEY: Secret(TEXTS[Column.SERVICE_PRINCIPAL_KEY]),
}
nearby = st.sampled_from(
    [
        "",
        " ",
        "#",
        "\u0308",
        "\u0149",
        "\u00d7",
        "\u017f",
        "\x1f",
        "\n",
        "E",
        "0",
        "+",
        ".",
        "-",
        "*",
        "{",
        "}",
        "é",
    ]
)
odd = st.sampled_from(
    [
        "", " ", "#REF!", "####", "1.23E+15", "1e5", "123.0", "E+15", "NA", GUID, GUID.upper(),
        PRINCIPAL, f"{{{GUID}}}", MARKER, f"Acme {MARKER}", "env:A", "ENV:A123456", "literal:abcdef",
        "Su\u0308d", "Süd", "contoso.com", "acme.onmicrosoft.com", "common", "abc*******", "a\ud800",
        f"http://{HOST}", f"https://ingest-{HOST}", f"https://{HOST}/", "https://acme.kusto.windows.net",
        "x" * 224, "x" * 225, "x" * 255, "x" * 256, "y" * 300, "Prod", "a b", "a\u200bb", "12345678E+1",
    ]
)  # fmt: skip


@st.composite
def rows(draw: st.DrawFn) -> Row:
    texts = dict(TEXTS)
    for column in draw(st.sets(st.sampled_from(Column), max_size=3)):
        around = st.tuples(nearby, st.just(texts[column]), nearby).map("".join)
        texts[column] = draw(st.one_of(odd, around, st.text(max_size=12)))
    return Row(
        number=2,
        cells={
            column: Secret(text) if column is Column.SERVICE_PRINCIPAL_KEY else text
            for column, text in texts.items()
        },
    )


@given(rows())
def test_a_row_that_passes_the_fast_check_passes_every_rule(row: Row) -> None:
    """Narrower than the rules, never wider."""
    found: list[Problem] = []
    judged = _judged(row, REFERENCES, found)
    quick = valid_texts(row)

    if quick is not None:
        assert found == []
        assert quick == judged


def test_an_ordinary_row_passes_it() -> None:
    """Umlauts and commas included, or it would be of little use."""
    texts = valid_texts(Row(number=2, cells=HEALTHY))

    assert texts is not None
    assert texts.service_principal_key == Secret("abc8Q~x_y.z-0123")


def test_blank_cells_that_may_be_blank_pass_it() -> None:
    """Description, org and sandbox have other sources."""
    optional: dict[Column, Cell] = dict.fromkeys(
        (Column.DESCRIPTION, Column.ORG, Column.SANDBOX), ""
    )

    assert valid_texts(Row(number=2, cells=HEALTHY | optional)) is not None
    assert valid_texts(
        Row(number=2, cells={c: text for c, text in HEALTHY.items() if c not in optional})
    )


def test_a_cell_that_is_not_text_fails_it() -> None:
    """The rules word it; the key is the column that a spreadsheet rewrites most."""
    for column in Column:
        assert valid_texts(Row(number=2, cells=HEALTHY | {column: NotText("number")})) is None
