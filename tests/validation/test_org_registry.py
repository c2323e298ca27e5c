"""Which org a text means, for real and under `--simulate`."""

import re

import pytest

from batchconnect.model.errors import SettingsError
from batchconnect.model.org import Org
from batchconnect.model.secret import Secret
from batchconnect.validation.org_registry import OrgRegistry, SimulatedOrgRegistry

URL = "http://127.0.0.1:8080"
ORG_ID = "5C1328435BF324E90A49402A@AdobeOrg"
ACME = Org(
    key="acme",
    org_id=ORG_ID,
    client_id="real",
    client_secret=Secret("planted"),
    access_token=Secret("planted"),
    sandbox="dev",
    aliases=("Acme GmbH",),
    rate=5.0,
)
GLOBEX = Org(key="globex", org_id="AC1328435BF324E90A49402A@AdobeOrg", client_id="real")


def test_an_org_is_found_by_each_of_its_names() -> None:
    """In any letter case; nobody else is."""
    orgs = OrgRegistry([ACME, GLOBEX])

    assert orgs.all == (ACME, GLOBEX)
    assert orgs.find("ACME") is orgs.find("acme GMBH") is orgs.find(ORG_ID.lower()) is ACME
    assert orgs.find("initech") is None
    assert orgs.find("") is None


def test_only_one_org_is_the_only_one() -> None:
    """A blank cell means it."""
    assert OrgRegistry([ACME]).only is ACME
    assert OrgRegistry([ACME, GLOBEX]).only is None
    assert OrgRegistry([]).only is None


@pytest.mark.parametrize("alias", ["acme", "ACME GMBH"])
def test_a_name_of_two_orgs_is_an_error_of_the_settings(alias: str) -> None:
    """It names both."""
    other = Org(key="globex", org_id=GLOBEX.org_id, client_id="x", aliases=(alias,))

    with pytest.raises(SettingsError, match=r"\[orgs\.acme\] and \[orgs\.globex\]"):
        OrgRegistry([ACME, other])


def test_an_org_id_of_two_profiles_names_neither() -> None:
    """Two credentials of one org are told apart by their keys."""
    twin = Org(key="acme-2", org_id=ORG_ID, client_id="other")
    orgs = OrgRegistry([ACME, twin])

    assert orgs.find(ORG_ID) is None
    assert (orgs.find("acme"), orgs.find("acme-2")) == (ACME, twin)


def test_the_nearest_name_is_spelled_as_in_the_settings() -> None:
    """A typo is answered, a far name is not."""
    orgs = OrgRegistry([ACME, GLOBEX])

    assert orgs.nearest("acme gmbhh") == "Acme GmbH"
    assert orgs.nearest("GLOBX") == orgs.nearest("GLOBX") == "globex"
    assert orgs.nearest("initech") is None
    assert orgs.nearest("x" * 10_000) is None


def test_a_million_unknown_names_are_not_all_looked_up() -> None:
    """After a thousand the answer is none, at once."""
    orgs = OrgRegistry([ACME])
    for number in range(1000):
        orgs.nearest(f"initech {number}")

    assert orgs.nearest("acme gmbhh") is None


def test_a_known_org_is_simulated_without_its_credentials() -> None:
    """Key, org id, default sandbox, rate and aliases stay; nothing real goes to the simulator."""
    orgs = SimulatedOrgRegistry([ACME], url=URL + "/")

    assert orgs.find("Acme GMBH") == Org(
        key="acme",
        org_id=ORG_ID,
        client_id="sim-5c1328435bf324e90a49402a",
        client_secret=Secret("simulated-secret"),
        sandbox="dev",
        aliases=("Acme GmbH",),
        rate=5.0,
        platform_url=URL,
        ims_url=URL,
    )
    assert orgs.only is orgs.find("acme")


def test_any_text_is_an_org_of_the_simulator() -> None:
    """The first spelling is its key; its id is made of the text and always the same."""
    orgs = SimulatedOrgRegistry(url=URL)
    initech = orgs.find("Initech AG")

    assert initech is not None
    assert initech.key == "Initech AG"
    assert re.fullmatch("[0-9A-F]{24}@AdobeOrg", initech.org_id)
    assert initech.client_id == f"sim-{initech.org_id[:24].lower()}"
    assert orgs.find("INITECH ag") is orgs.find(" Initech AG") is orgs.find(initech.org_id)
    again = SimulatedOrgRegistry([ACME], url=URL).find("initech AG")
    assert again is not None
    assert again.org_id == initech.org_id


def test_an_org_id_stays_itself_in_the_simulator() -> None:
    """So that a real sheet is rehearsed under its own ids."""
    org = SimulatedOrgRegistry(url=URL).find(ORG_ID)

    assert org is not None
    assert (org.key, org.org_id) == (ORG_ID, ORG_ID)


def test_a_blank_cell_is_an_org_named_simulated_where_none_is_known() -> None:
    """With two known orgs it stays an error, as in a real run."""
    orgs = SimulatedOrgRegistry(url=URL)

    assert orgs.only is not None
    assert orgs.only.key == "simulated"
    assert orgs.only is orgs.only
    assert SimulatedOrgRegistry([ACME, GLOBEX], url=URL).only is None
