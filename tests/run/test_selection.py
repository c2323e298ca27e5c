"""Which rows `--only` means."""

import pytest

from batchconnect.model.column import Column
from batchconnect.model.errors import UsageError
from batchconnect.model.org import Org
from batchconnect.model.row import Cell, NotText, Row
from batchconnect.options import RunOptions, with_defaults
from batchconnect.run.selection import check_selection, chooser, selector
from batchconnect.sheet.memory import MemorySheet
from batchconnect.validation.org_registry import OrgRegistry, SimulatedOrgRegistry
from tests.acceptance.place import cells

ACME = Org(key="acme", org_id="A@AdobeOrg", client_id="a", aliases=("Acme GmbH",), sandbox="prod")
GLOBEX = Org(key="globex", org_id="B@AdobeOrg", client_id="b")
ORGS = OrgRegistry([ACME, GLOBEX])


def row(org: Cell | None = None, sandbox: Cell | None = None) -> Row:
    cells = {Column.ORG: org, Column.SANDBOX: sandbox}
    return Row(number=2, cells={column: cell for column, cell in cells.items() if cell is not None})


def chosen(*only: str, org: Cell | None = None, sandbox: Cell | None = None) -> bool:
    return selector(with_defaults(RunOptions(only=only)), ORGS)(row(org, sandbox))


def test_without_only_every_row_is_chosen() -> None:
    """Whatever stands in it."""
    assert chosen()
    assert chosen(org="nobody", sandbox="any")


@pytest.mark.parametrize("cell", ["acme", "ACME", "acme gmbh", "A@AdobeOrg"])
def test_an_org_is_chosen_under_each_of_its_names(cell: str) -> None:
    """Key, org id, alias, in any letter case; in the option too."""
    assert chosen("org=Acme GmbH", org=cell)
    assert not chosen("org=globex", org=cell)


def test_of_several_with_one_word_any_will_do() -> None:
    """Of both words, both must hold."""
    assert chosen("org=acme", "org=globex", org="globex")
    assert chosen("org=acme", "sandbox=dev", org="acme", sandbox="dev")
    assert not chosen("org=acme", "sandbox=dev", org="acme", sandbox="prod")
    assert not chosen("org=acme", "sandbox=dev", org="globex", sandbox="dev")


@pytest.mark.parametrize("blank", [None, "", "  "])
def test_a_blank_cell_means_what_it_means_for_the_row(blank: str | None) -> None:
    """`--org` and `--sandbox` first, then the org's default."""
    with_option = with_defaults(
        RunOptions(only=("org=acme", "sandbox=dev"), org="acme", sandbox="dev")
    )
    with_default = with_defaults(RunOptions(only="sandbox=prod"))

    assert selector(with_option, ORGS)(row(blank, blank))
    assert selector(with_default, ORGS)(row("acme", blank))
    assert not selector(with_default, ORGS)(row("acme", "dev"))
    assert selector(with_default, OrgRegistry([ACME]))(row(blank, blank))


def test_a_blank_cell_invents_no_org_of_the_simulator() -> None:
    """Only a text is a name there."""
    orgs = SimulatedOrgRegistry(url="http://127.0.0.1:1")
    options = with_defaults(RunOptions(only="org=acme", org="acme"))

    assert selector(options, orgs)(row("  "))
    assert orgs.find("acme") is not None


@pytest.mark.parametrize("cell", ["nobody", NotText("number")])
def test_a_row_whose_org_cannot_be_told_is_chosen(cell: Cell) -> None:
    """So that its problem is seen."""
    assert chosen("org=acme", org=cell)


def test_a_row_whose_sandbox_cannot_be_told_is_chosen() -> None:
    """A number, or none where nothing names one; but not if its org is another."""
    assert chosen("sandbox=dev", org="acme", sandbox=NotText("number"))
    assert chosen("sandbox=dev", org="globex")
    assert chosen("sandbox=dev", org="nobody")
    assert not chosen("org=acme", "sandbox=dev", org="globex", sandbox=NotText("number"))


def test_an_org_that_nobody_knows_is_a_usage_error() -> None:
    """Before a row is read."""
    with pytest.raises(UsageError, match="no org has this name"):
        selector(with_defaults(RunOptions(only="org=initech")), ORGS)


SHEET = [
    {**cells(1), "org": "acme", "sandbox": "dev", "Wave": "1", "Account manager": "Ada"},
    {**cells(2), "org": "acme", "sandbox": "prod", "Wave": "2 ", "Account manager": "Ben"},
    {**cells(3), "org": "globex", "sandbox": "dev", "Wave": "2", "Account manager": "ada"},
]


def rows_of(*only: str) -> list[int]:
    """Numbers of the rows that are chosen of the sheet."""
    sheet = MemorySheet(SHEET)
    options = with_defaults(RunOptions(only=only))
    check_selection(options, ORGS, sheet)
    is_selected = selector(options, ORGS, sheet.header)
    return [one.number for one in sheet.rows() if is_selected(one)]


def test_any_column_chooses() -> None:
    """Carried ones too, by their headers as headers are compared; a value without regard to case and outer blanks."""
    assert rows_of("wave=2") == [2, 3]
    assert rows_of("Account-Manager=ADA") == [1, 3]
    assert rows_of("name=client 002") == [2]
    assert rows_of("wave=2", "wave=1", "account manager=ada", "org=acme") == [1]


@pytest.mark.parametrize(
    ("only", "said", "hint"),
    [
        ("wave=3", "no row has this value", "Its values are `1`, `2 `."),
        ("sandbox=prd", "no row has this value", "Is `prod` meant? Its values are `dev`, `prod`."),
        ("batch=3", "the sheet has no such column", "`Wave`, `Account manager`"),
        ("servicePrincipalKey=x", "no row is chosen by its key", "`Wave`"),
        ("description=x", "no row has this value", "`Data of client 1`"),
    ],
)
def test_a_value_that_no_row_has_is_said_with_those_that_there_are(
    only: str, said: str, hint: str
) -> None:
    with pytest.raises(UsageError, match=said) as told:
        rows_of(only)

    assert hint in (told.value.hint or "")


def test_an_org_that_no_row_names_is_said_too() -> None:
    """It is in the settings, and in no row."""
    sheet = MemorySheet(SHEET[:2])

    with pytest.raises(UsageError, match="--only org=globex: no row has this value"):
        check_selection(with_defaults(RunOptions(only="org=globex")), ORGS, sheet)


def test_a_key_in_the_wrong_column_is_no_value_that_is_shown() -> None:
    """It may be any text; the row's own key is known."""
    sheet = MemorySheet([{**SHEET[0], "database": SHEET[0]["servicePrincipalKey"]}])

    with pytest.raises(UsageError) as told:
        check_selection(with_defaults(RunOptions(only="database=x")), ORGS, sheet)

    assert SHEET[0]["servicePrincipalKey"] not in str(told.value.hint)


def test_without_a_sheet_there_are_no_other_columns() -> None:
    """As of `reconcile` and `verify RUN`."""
    with pytest.raises(UsageError, match="no columns but org and sandbox"):
        chooser(with_defaults(RunOptions(only="wave=2")), ORGS)


@pytest.mark.parametrize("only", ["org!=acme", "!org=acme", "-org=acme", "org~=acme", "org<=acme"])
def test_what_leaves_out_elsewhere_is_refused(only: str) -> None:
    """It would choose the very rows that were to be spared."""
    with pytest.raises(UsageError, match="leaves none out"):
        chosen(only)
    with pytest.raises(UsageError, match="leaves none out"):
        chooser(with_defaults(RunOptions(only=only)), ORGS)


def test_a_column_that_is_called_so_is_chosen_by() -> None:
    sheet = MemorySheet([{**cells(1), "urgent!": "yes"}, {**cells(2), "urgent!": "no"}])
    options = with_defaults(RunOptions(only="urgent!=yes"))

    takes = selector(options, ORGS, sheet.header)

    assert [takes(one) for one in sheet.rows()] == [True, False]
