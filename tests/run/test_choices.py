"""What a person chose: where things lie, and which rows `--only` means."""

from pathlib import Path

import pytest

from batchconnect.model.column import Column
from batchconnect.model.errors import ExitCode, UsageError
from batchconnect.model.org import Org
from batchconnect.model.row import Cell, NotText, Row
from batchconnect.run.choices import Choices
from batchconnect.validation.org_registry import OrgRegistry, SimulatedOrgRegistry

ACME = Org(key="acme", org_id="A@AdobeOrg", client_id="a", aliases=("Acme GmbH",), sandbox="prod")
GLOBEX = Org(key="globex", org_id="B@AdobeOrg", client_id="b")
ORGS = OrgRegistry([ACME, GLOBEX])


def row(org: Cell | None = None, sandbox: Cell | None = None) -> Row:
    cells = {Column.ORG: org, Column.SANDBOX: sandbox}
    return Row(number=2, cells={column: cell for column, cell in cells.items() if cell is not None})


def chosen(*only: str, org: Cell | None = None, sandbox: Cell | None = None) -> bool:
    return Choices(only=only).selector(ORGS)(row(org, sandbox))


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
    with_option = Choices(only=("org=acme", "sandbox=dev"), org="acme", sandbox="dev")
    with_default = Choices(only=("sandbox=prod",))

    assert with_option.selector(ORGS)(row(blank, blank))
    assert with_default.selector(ORGS)(row("acme", blank))
    assert not with_default.selector(ORGS)(row("acme", "dev"))
    assert with_default.selector(OrgRegistry([ACME]))(row(blank, blank))


def test_a_blank_cell_invents_no_org_of_the_simulator() -> None:
    """Only a text is a name there."""
    orgs = SimulatedOrgRegistry(url="http://127.0.0.1:1")
    choices = Choices(only=("org=acme",), org="acme")

    assert choices.selector(orgs)(row("  "))
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


@pytest.mark.parametrize("only", ["acme", "tenant=x", "org=", "sandbox=", "=acme", ""])
def test_only_knows_orgs_and_sandboxes(only: str) -> None:
    """Anything else is a usage error with an example."""
    with pytest.raises(UsageError, match="neither org=NAME nor sandbox=NAME") as caught:
        Choices(only=(only,)).selector(ORGS)

    assert "--only org=acme" in str(caught.value.hint)
    assert caught.value.exit_code == ExitCode.USAGE


def test_an_org_that_nobody_knows_is_a_usage_error() -> None:
    """Before a row is read."""
    with pytest.raises(UsageError, match="no org has this name"):
        Choices(only=("org=initech",)).selector(ORGS)


def test_the_ledger_lies_among_the_reports() -> None:
    """Its path is absolute: it is printed, and another folder is not another ledger."""
    assert Choices().ledger_path == Path.cwd() / "reports" / "ledger.sqlite3"
    assert Choices(ledger=Path("my.db")).ledger_path == Path.cwd() / "my.db"


def test_what_is_simulated_never_mixes_with_what_is_real() -> None:
    """A rehearsal does not touch the ledger that `--ledger` names."""
    rehearsal = Choices(simulate=True, reports=Path("out"), ledger=Path("my.db"))

    assert rehearsal.home == Path("out/simulated")
    assert rehearsal.ledger_path == Path.cwd() / "out" / "simulated" / "ledger.sqlite3"
    assert Choices(reports=Path("out")).home == Path("out")
