"""What a person is told to do about a reason of the source."""

import re

import pytest

from batchconnect.model.outcome import Status
from batchconnect.model.remedies import hint_for, title_for
from batchconnect.model.source_remedies import TABLE, source_remedy

KEY = [f"AADSTS{number}" for number in ("7000215", "7000222", "70002", "7000218")]
NETWORK = ["kusto_firewall", "kusto_not_reachable", "AADSTS53003"]
ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")


@pytest.mark.parametrize("code", TABLE)
def test_each_reason_has_its_own_title_and_a_remedy(code: str) -> None:
    title, advice = title_for(code), hint_for(code, Status.FAILED)

    assert [one for one, (other, _) in TABLE.items() if other == title] == [code]
    assert code not in title
    assert advice.endswith(".")
    assert not ADDRESS.search(advice)


def test_the_numbers_that_a_principal_with_a_key_meets_are_known() -> None:
    asked_for = {"7000215", "7000222", "700016", "90002", "50034", "53003", "1002012"}

    assert {f"AADSTS{number}" for number in asked_for} <= TABLE.keys()
    assert sum(code.startswith("AADSTS") for code in TABLE) >= 25


def test_a_number_that_no_list_has_is_to_be_looked_up() -> None:
    assert title_for("AADSTS1234567") == "Microsoft Entra refused the principal"
    assert "https://login.microsoftonline.com/error?code=1234567 " in hint_for(
        "AADSTS1234567", Status.FAILED
    )


@pytest.mark.parametrize("code", KEY)
def test_a_wrong_key_is_mended_by_rerun_or_rotate(code: str) -> None:
    advice = hint_for(code, Status.FAILED)

    assert "servicePrincipalKey" in advice
    assert "`batchconnect rerun`" in advice
    assert "`batchconnect rotate SHEET`" in advice


@pytest.mark.parametrize("code", NETWORK)
def test_where_a_network_refuses_adobes_page_is_named(code: str) -> None:
    """Never its addresses: they change."""
    advice = hint_for(code, Status.FAILED)

    assert "`sources/ip-address-allow-list`" in advice
    assert "change" in advice


def test_what_azure_takes_minutes_for_is_said() -> None:
    for code in ("AADSTS7000215", "AADSTS700016", "kusto_not_authorized"):
        assert "some minutes" in hint_for(code, Status.FAILED)
    assert "Database viewer" in hint_for("kusto_not_authorized", Status.FAILED)


@pytest.mark.parametrize("code", ["", "AADSTS", "AADSTSx", "FLOW-1308-400", "kusto_", "dns"])
def test_other_codes_are_none_of_the_source(code: str) -> None:
    assert source_remedy(code) is None
