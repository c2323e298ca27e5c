"""Which rows `--only` means."""

import pytest

from batchconnect.model.column import Column
from batchconnect.model.errors import UsageError
from batchconnect.model.org import Org
from batchconnect.model.row import Cell, NotText, Row
from batchconnect.options import RunOptions, with_defaults
from batchconnect.run.selection import selector
from batchconnect.validation.org_registry import OrgRegistry, SimulatedOrgRegistry

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
