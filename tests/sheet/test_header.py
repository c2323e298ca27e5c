"""The header: which column of a foreign sheet means which field."""

from collections.abc import Sequence

import pytest

from batchconnect.model.column import Column
from batchconnect.model.errors import SheetError
from batchconnect.model.report_columns import REPORT_COLUMNS
from batchconnect.model.row import NotText
from batchconnect.model.secret import Secret
from batchconnect.sheet.header import LOOK_AT, MOST_COLUMNS, REQUIRED, find, read
from batchconnect.sheet.header_words import MEANINGS, letters_of, looks_secret
from batchconnect.sheet.layout import Layout

COLUMNS = [str(column) for column in Column]
CONNECTION = [
    *("Acme", "Telemetry", "https://acme.westeurope.kusto.windows.net", "db", "acme.example"),
    *("0d1ff3c1-7c0a-4b0e-9d7e-2f1f6b8f3a11", "canary~key", "acme", "dev"),
]


def located(*rows: Sequence[object]) -> Layout:
    return find(list(enumerate(rows, start=1)), place="s.csv", line=lambda n: f"s.csv, line {n}")


def refused(*rows: Sequence[object]) -> SheetError:
    with pytest.raises(SheetError) as caught:
        located(*rows)
    return caught.value


@pytest.mark.parametrize(
    ("header", "column"),
    [
        ("Application (client) ID", Column.SERVICE_PRINCIPAL_ID),
        ("client_id", Column.SERVICE_PRINCIPAL_ID),
        ("APP-ID", Column.SERVICE_PRINCIPAL_ID),
        ("\ufeffName", Column.NAME),
        ("service\u00a0principal\u00a0key", Column.SERVICE_PRINCIPAL_KEY),
        ("Client Secret", Column.SERVICE_PRINCIPAL_KEY),
        ("secret value", Column.SERVICE_PRINCIPAL_KEY),
        ("Application key", Column.SERVICE_PRINCIPAL_KEY),
        ("Name *", Column.NAME),
        ("Cluster URI", Column.ENDPOINT),
        ("ADX endpoint", Column.ENDPOINT),
        ("Directory (tenant) ID", Column.TENANT),
        ("Tenant\nID", Column.TENANT),
        ("IMS Org", Column.ORG),
        ("x-gw-ims-org-id", Column.ORG),
        ("x-sandbox-name", Column.SANDBOX),
        ("Sandbox Name", Column.SANDBOX),
    ],
)
def test_a_header_is_matched_as_people_write_it(header: str, column: Column) -> None:
    """Case, spaces, `_`, `-`, brackets and invisible characters do not matter."""
    assert {column: (0,)} == dict(read([header]).known)


def test_no_alias_means_two_columns() -> None:
    """Each word has one meaning, and none is a column of our own reports."""
    assert set() == set(MEANINGS) & {letters_of(name) for name in REPORT_COLUMNS}


@pytest.mark.parametrize("header", ["key", "secret id", "password", "tenant name", "uri", "id"])
def test_an_ambiguous_word_matches_nothing(header: str) -> None:
    """`secret id` is never the secret's value; `tenant name` is often the customer."""
    assert dict(read([header]).known) == {}


def test_two_columns_that_mean_the_same_are_an_error() -> None:
    """Both cells are named."""
    error = refused([*COLUMNS, "Client Secret"])

    assert "G1 (`servicePrincipalKey`) and J1 (`Client Secret`) both mean" in error.message


def test_two_customers_that_could_be_the_name_are_an_error() -> None:
    """Neither is the plainer word."""
    header = [c for c in COLUMNS if c != "name"]

    error = refused([*header, "Customer", "Display name"])

    assert error.message == "s.csv, line 1: I1 and J1 both mean `name`"


@pytest.mark.parametrize(
    ("header", "column"),
    [
        ("Display name", Column.NAME),
        ("Client name", Column.NAME),
        ("Customer", Column.NAME),
        ("Name des Mandanten", Column.NAME),
        ("name (required)", Column.NAME),
        ("Name [mandatory]", Column.NAME),
        ("Customer (required)", Column.NAME),
        ("Name (Pflichtfeld)", Column.NAME),
        ("Beschreibung (optional)", Column.DESCRIPTION),
        ("Cluster URI (required)", Column.ENDPOINT),
        ("Endpoint - required", Column.ENDPOINT),
        ("Datenbank", Column.DATABASE),
        ("database name (case-sensitive)", Column.DATABASE),
        ("Tenant ID (GUID)", Column.TENANT),
        ("Tenant ID (GUID or domain)", Column.TENANT),
        ("Mandant", Column.TENANT),
        ("Verzeichnis-ID (Mandant)", Column.TENANT),
        ("client_id_required", Column.SERVICE_PRINCIPAL_ID),
        ("Anwendungs-ID (Client)", Column.SERVICE_PRINCIPAL_ID),
        ("Geheimer Clientschlüssel", Column.SERVICE_PRINCIPAL_KEY),
        ("Geheimer Clientschluessel", Column.SERVICE_PRINCIPAL_KEY),
        ("Client secret (required, text)", Column.SERVICE_PRINCIPAL_KEY),
        ("Organisation (optional)", Column.ORG),
    ],
)
def test_a_looser_word_is_a_column_that_no_plainer_one_names(header: str, column: Column) -> None:
    """What is said about a column beside its name does not matter, nor its German name."""
    assert {column: (0,)} == dict(read([header]).known)
    assert {column: (0,)} == dict(read([str(column), header]).known)


@pytest.mark.parametrize(
    "header",
    ["secret (ID)", "client secret (GUID)", "required", "name of the contact", "tenant (customer)"],
)
def test_a_remark_that_changes_the_meaning_is_none(header: str) -> None:
    """A secret that is a GUID is the secret's id."""
    assert dict(read([header]).known) == {}


def test_a_looser_word_beside_a_plain_one_is_carried_as_ever() -> None:
    """`Customer` is a note where there is a `name`."""
    layout = located([*COLUMNS, "Customer", "name (old)", "Mandant"])

    assert layout.header.carried == ("Customer", "name (old)", "Mandant")


@pytest.mark.parametrize("title", ["name", "x", "Customer", "password", ""])
def test_a_hundred_thousand_columns_are_refused_with_the_limit(title: str) -> None:
    """All alike, known, unknown or blank: no look at one column looks at all the others."""
    error = refused(["name", *[title] * 99_999])

    assert error.message == "s.csv, line 1: 100,000 cells; a sheet has at most 16,384 columns"


@pytest.mark.parametrize(
    "title",
    [
        "x",
        *(
            pytest.param(t, marks=pytest.mark.slow)
            for t in ("x (2)", "Customer", "databse of the client")
        ),
    ],
)
def test_as_many_columns_as_excel_has_are_judged_in_linear_work(title: str) -> None:
    """Like titles get their numbers, and resemblance is looked for in few of them."""
    titles = [title] * (MOST_COLUMNS - len(COLUMNS))

    assert len(located([*COLUMNS, *titles]).header.carried) == len(titles)
    assert "missing" in refused(["endpoint", "tenant", *titles]).message


def test_no_text_of_a_header_is_shown_that_is_not_a_word_of_ours() -> None:
    """A key may stand there: columns get shifted."""
    key = "FAKE~secret-of-acme"
    errors = [
        refused(["name", "endpoint", f"{key} password"]),
        refused([*COLUMNS[1:], "Customer", "Name (required)"]),
        refused([*COLUMNS, f"client secret {key}", "client secret", "client secret"]),
    ]
    layout = located([*COLUMNS, f"password {key}"])

    assert key not in "".join(f"{error.message}{error.hint}" for error in errors)
    assert key not in "".join(layout.warnings)


def test_an_unknown_column_is_carried() -> None:
    """As typed, white space put in order; a second one of the same name gets a number."""
    layout = located([*COLUMNS, "Account\n manager", "Account manager", "status"])

    assert layout.header.carried == ("Account manager", "Account manager (2)", "status")


@pytest.mark.parametrize(
    "header",
    ["Password", "API-Key", "apiKey", "access token", "secret id", "key", "SAS", "Kennwort"],
)
def test_a_column_that_looks_like_a_secret_is_dropped_aloud(header: str) -> None:
    """It is not carried, and a warning names its column, not its text: that may be the secret."""
    layout = located([*COLUMNS, header])

    assert layout.header.carried == ()
    assert "column J has a header of" in layout.warnings[0]
    assert "looks like a secret's; it is not carried" in layout.warnings[0]


@pytest.mark.parametrize("header", ["Key account manager", "keywords", "monkey", "Author", "notes"])
def test_a_harmless_column_does_not_look_like_a_secret(header: str) -> None:
    """Letters of `key` inside another word say nothing."""
    assert not looks_secret(header)


def test_a_missing_column_is_named_with_what_resembles_it() -> None:
    """The hint names the column of the unknown header that comes nearest."""
    header = [c for c in COLUMNS if c != "database"] + ["data base nme"]

    error = refused(header)

    assert error.message == "s.csv, line 1: the column is missing: `database`"
    assert error.hint == "If column I means `database`, rename it so."


def test_a_missing_key_column_is_sought_among_the_secretive_ones() -> None:
    """`password`, as `az ad sp create-for-rbac` calls it, is no alias, but a good guess."""
    error = refused(["name", "endpoint", "database", "tenant", "app id", "password"])

    assert error.hint == "If column F means `servicePrincipalKey`, rename it so."


def test_a_sheet_without_header_shows_none_of_its_cells() -> None:
    """The first row then is data, with a key in it."""
    error = refused(["Acme", "https://a", "db", "t", "id", "FAKE~secret-of-acme"])

    assert "no header row among the first 1 rows" in error.message
    assert "FAKE" not in f"{error.message}{error.hint}"


def test_an_empty_sheet_says_so() -> None:
    """With the way to a template."""
    assert refused().message == "s.csv: the sheet is empty"
    assert refused([], ["", " "]).message == "s.csv: the sheet is empty"


def test_the_header_may_stand_below_a_title() -> None:
    """Row number and addresses are the spreadsheet's."""
    layout = located(["Clients of 2026"], [], ["", *COLUMNS])

    assert layout.header.row_number == 3
    assert layout.header.address(Column.SERVICE_PRINCIPAL_KEY, 7) == "H7"


@pytest.mark.parametrize(
    ("above", "is_refused"),
    [
        (CONNECTION, True),
        ([*CONNECTION[:2], "", "", "", "", CONNECTION[-1]], False),
        (["Tenant ID", CONNECTION[5], "Sandbox", "prod"], False),
        (["ADX sources", "https://wiki.acme.example/adx", "Owner: J. Doe"], False),
        ([""] * len(CONNECTION), False),
        (["the cluster's address, as https://x.kusto.windows.net"] * len(CONNECTION), False),
    ],
    ids=["a connection", "a few cells", "an id", "a link", "blank", "what is to be filled in"],
)
def test_a_connection_above_the_header_is_not_passed_over(
    above: list[str], is_refused: bool
) -> None:
    """As where a sheet was sorted with its header among the rows: eight clients would be left out without a word."""
    if not is_refused:
        assert located(above, COLUMNS).header.row_number == 2
        return

    error = refused(["Clients of 2026"], above, COLUMNS, CONNECTION)

    assert (
        "line 2: a row like those of connections stands above the header in row 3" in error.message
    )
    assert not any(cell in f"{error.message} {error.hint}" for cell in above)


def test_a_header_too_far_down_is_not_found() -> None:
    """Only the first rows are looked at."""
    assert "no header row" in refused(*[["x"]] * LOOK_AT, COLUMNS).message


def test_two_headers_are_an_error() -> None:
    """Both rows are named."""
    error = refused(COLUMNS, ["x"], COLUMNS)

    assert "two rows look like the header, s.csv, line 1 and s.csv, line 3" in error.message


def test_optional_columns_may_be_missing() -> None:
    """The settings speak for them."""
    layout = located([str(column) for column in REQUIRED])

    assert {*REQUIRED} == set(layout.header.columns)


def test_a_report_of_ours_is_read_back() -> None:
    """Its columns are not carried again, and the `'` before a formula is taken off, but for keys."""
    layout = located(["row", "status", *COLUMNS, "error", "hint", "column", "etag", "team"])
    row = layout.row(
        2,
        [
            *("7", "failed", "'=Acme", "'quoted'", "e", "d", "t", "i", "'=key", "o", "s"),
            *("'-", "", "", "", "'@team"),
        ],
        0,
    )

    assert layout.header.carried == ("team",)
    assert row is not None
    assert (row.cells[Column.NAME], row.cells[Column.DESCRIPTION]) == ("=Acme", "'quoted'")
    assert Secret("'=key") == row.cells[Column.SERVICE_PRINCIPAL_KEY]
    assert row.carried == ("@team",)


def test_a_workbook_of_ours_is_read_back_as_it_is() -> None:
    """Its columns are not carried again; nothing was put before its texts, so nothing is taken off."""
    layout = located([*COLUMNS, "team", "status", "connection_id", "error", "hint"])
    row = layout.row(2, ["'=Acme", *["x"] * 8, "'@team", "failed", "", "'-", ""], 0)

    assert layout.header.carried == ("team",)
    assert row is not None
    assert (row.cells[Column.NAME], row.carried) == ("'=Acme", ("'@team",))


def test_a_report_without_a_key_column_says_that_it_never_had_one() -> None:
    """Who feeds failed.csv back has to add the keys."""
    header = [c for c in COLUMNS if c != "servicePrincipalKey"]

    assert "Our reports never hold keys" in str(refused(["row", "status", *header]).hint)


def test_an_apostrophe_in_a_sheet_of_the_users_own_stays() -> None:
    """Only our reports put it there."""
    row = located(COLUMNS).row(2, ["'=Acme", *["x"] * 8], 0)

    assert row is not None
    assert row.cells[Column.NAME] == "'=Acme"


def test_a_cell_that_is_no_text_stays_so() -> None:
    """The key too: nothing is guessed."""
    row = located(COLUMNS).row(2, ["Acme", *["x"] * 5, NotText("number"), "o", "s"], 0)

    assert row is not None
    assert NotText("number") == row.cells[Column.SERVICE_PRINCIPAL_KEY]


def test_an_export_is_told_by_its_column_of_quotes() -> None:
    """Its other columns are the user's to keep; without it, nothing counts as quoted."""
    header = ("name", "endpoint", "database", "tenant", "servicePrincipalId", "servicePrincipalKey")
    own = ("state", "connection_id", "from_org")

    quoted, plain = located([*header, *own, "formula_quotes"]), located([*header, *own])

    assert (quoted.is_quoted, plain.is_quoted) == (True, False)
    assert quoted.header.carried == plain.header.carried == own


@pytest.mark.parametrize("text", ["", "Client-ID (\t2)", "".join(map(chr, range(128)))])
def test_plain_letters_are_compared_as_all_others_are(text: str) -> None:
    """What is quicker for ASCII is no other rule: a letter that is none changes nothing."""
    assert letters_of(text) == letters_of(f"{text}\u200b")
