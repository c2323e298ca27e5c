"""Which org, which sandbox: a cell, then an option, then the settings."""

from dataclasses import replace

import pytest

from batchconnect.model.org import Org
from batchconnect.validation.org_registry import OrgRegistry
from batchconnect.validation.placement import choose_org, choose_sandbox

ACME = Org(
    key="acme",
    org_id="5C1328435BF324E90A49402A@AdobeOrg",
    client_id="id",
    aliases=("Acme GmbH", "Süd"),
    sandbox="dev",
)
GLOBEX = Org(key="globex", org_id="AC1328435BF324E90A49402A@AdobeOrg", client_id="id")
BOTH = OrgRegistry([ACME, GLOBEX])


@pytest.mark.parametrize(
    "cell",
    [
        "acme",
        "ACME",
        "acme gmbh",
        "5c1328435bf324e90a49402a@adobeorg",
        " acme ",
        "\u00a0acme",
        "Su\u0308d",
    ],
)
def test_a_cell_names_an_org_in_any_letter_case(cell: str | None) -> None:
    """By settings key, org id or alias."""
    assert choose_org(cell, None, BOTH)[0] is ACME


def test_what_is_taken_off_an_org_is_said() -> None:
    """A note for each change, none where nothing changed."""
    assert choose_org("Acme GmbH", None, BOTH)[1] == ()
    assert [problem.code for problem in choose_org(" acme", None, BOTH)[1]] == ["id_normalised"]


def test_a_cell_wins_over_the_option_which_fills_blank_cells_only() -> None:
    """In that order."""
    assert choose_org("globex", "acme", BOTH) == (GLOBEX, ())
    assert choose_org("", "acme", BOTH) == (ACME, ())
    assert choose_org("  ", "ACME", BOTH) == (ACME, ())


def test_the_only_org_needs_no_name() -> None:
    """Where the settings know one."""
    assert choose_org("", None, OrgRegistry([ACME])) == (ACME, ())


@pytest.mark.parametrize("orgs", [BOTH, OrgRegistry([])])
def test_no_name_and_not_one_org_is_an_error(orgs: OrgRegistry) -> None:
    """It names the places where one can be given."""
    org, (problem,) = choose_org("", None, orgs)

    assert org is None
    assert problem.code == "org_missing"
    assert all(place in problem.remedy for place in ("column `org`", "--org", "settings"))


def test_an_unknown_org_is_answered_with_the_nearest_name() -> None:
    """The cell's own text is not repeated, since columns get swapped."""
    org, (problem,) = choose_org("acme gmbhh", None, BOTH)

    assert org is None
    assert (problem.code, problem.remedy) == ("org_unknown", "Did you mean `Acme GmbH`?")
    assert "gmbhh" not in problem.what


def test_an_org_like_no_other_is_answered_with_a_way_to_list_them() -> None:
    """No far-fetched guess."""
    _, (problem,) = choose_org("planted~secret", None, BOTH)

    assert "batchconnect orgs" in problem.remedy
    assert "planted" not in problem.what + problem.remedy


def test_a_wrong_option_names_itself() -> None:
    """The cell is blank, so the mistake is not there."""
    org, (problem,) = choose_org("", "acmee", BOTH)

    assert org is None
    assert "--org" in problem.what


def test_a_refused_cell_is_replaced_by_nothing() -> None:
    """Its own problem was found already."""
    assert choose_org(None, "acme", BOTH) == (None, ())
    assert choose_sandbox(None, "prod", ACME) == ("", ())


def test_a_sandbox_comes_from_the_cell_the_option_or_the_org() -> None:
    """In that order."""
    assert choose_sandbox("stage", "prod", ACME) == ("stage", ())
    assert choose_sandbox(" ", "prod", ACME) == ("prod", ())
    assert choose_sandbox("", None, ACME) == ("dev", ())


def test_nothing_defaults_to_prod() -> None:
    """The error names the three places."""
    sandbox, (problem,) = choose_sandbox("", None, GLOBEX)

    assert sandbox == ""
    assert problem.code == "sandbox_missing"
    assert all(place in problem.remedy for place in ("column", "--sandbox", "settings"))


def test_the_default_of_an_unknown_org_is_no_second_problem() -> None:
    """The org's is enough."""
    assert choose_sandbox("", None, None) == ("", ())


def test_a_wrong_default_names_its_place() -> None:
    """Not the cell's fault."""
    (problem,) = choose_sandbox("", None, replace(ACME, sandbox="Dev"))[1]
    assert "`acme`" in problem.what

    (problem,) = choose_sandbox("", "Dev", ACME)[1]
    assert "--sandbox" in problem.what
