"""Which sandboxes are read where no sheet names them: nothing is guessed."""

from typing import Any

import pytest

from batchconnect.model.errors import UsageError
from batchconnect.model.org import Org
from batchconnect.run.export.chosen_sandboxes import Chosen, choose_sandboxes
from batchconnect.validation.org_registry import OrgRegistry, SimulatedOrgRegistry

ACME = Org(key="acme", org_id="A@AdobeOrg", client_id="a", aliases=("Acme GmbH",), sandbox="prod")
GLOBEX = Org(key="globex", org_id="B@AdobeOrg", client_id="b")
BOTH = OrgRegistry([ACME, GLOBEX])


def chosen(registry: OrgRegistry = BOTH, **named: Any) -> Chosen:
    return choose_sandboxes(registry, **{"orgs": (), "sandboxes": (), "every": False, **named})


def test_the_only_org_in_its_own_sandbox() -> None:
    assert chosen(OrgRegistry([ACME])).places == (("acme", "prod"),)


def test_each_named_sandbox_in_each_named_org() -> None:
    """An org by any of its names; a place that is named twice is read once."""
    orgs, sandboxes = ("globex", "Acme GmbH", "acme"), ("dev", "stage")

    assert chosen(orgs=orgs, sandboxes=sandboxes).places == (
        ("globex", "dev"),
        ("globex", "stage"),
        ("acme", "dev"),
        ("acme", "stage"),
    )


def test_every_org_and_those_without_a_default_are_told() -> None:
    assert chosen(every=True) == Chosen(places=(("acme", "prod"),), without_default=("globex",))
    named = chosen(every=True, sandboxes=("dev",))
    assert named == Chosen(places=(("acme", "dev"), ("globex", "dev")))


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ({}, "the settings know 2 orgs"),
        ({"orgs": ("nobody",)}, "names no org"),
        ({"orgs": ("globex",)}, "globex has no default"),
        ({"orgs": ("acme", "globex")}, "globex has no default"),
        ({"orgs": ("acme",), "sandboxes": ("*",)}, "not a sandbox's name"),
        ({"orgs": ("acme",), "every": True}, "contradict"),
    ],
)
def test_what_cannot_be_meant(named: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        chosen(**named)


def test_where_no_org_at_all_has_a_default() -> None:
    with pytest.raises(UsageError, match="no default"):
        chosen(OrgRegistry([GLOBEX]), every=True)


def test_in_the_simulator_any_name_is_an_org() -> None:
    registry = SimulatedOrgRegistry(url="http://simulator.test")

    assert chosen(registry, orgs=("any",), sandboxes=("dev",)).places == (("any", "dev"),)
    assert chosen(registry, every=True, sandboxes=("dev",)).places == (("simulated", "dev"),)
