"""An item of a listing as it is written there: for a sheet, and with nothing secret in its repr."""

from typing import Any

from batchconnect.flow_service.listing import ListingFault
from batchconnect.flow_service.standing import Standing, Written, read_standing
from batchconnect.model.secret import Secret
from tests.flow_service.test_listing import ITEM


def standing(**changes: Any) -> Standing:
    found = read_standing({**ITEM, **changes}, "A@AdobeOrg", "prod")
    assert isinstance(found, Standing)
    return found


def test_texts_are_as_they_are_written() -> None:
    """A plan compares canonical ones; they stand beside them."""
    found = standing(description=" two\n lines  bc1-abcdefghijklmnopqrstuvwxyz\n")

    assert found.written_name == " Acme Su\u0308d "
    assert found.name == "Acme Süd"
    assert found.own_description == " two\n lines "
    assert found.marker == "bc1-abcdefghijklmnopqrstuvwxyz"
    assert found.written == Written(
        endpoint="HTTPS://Contoso.westeurope.kusto.windows.net:443/",
        database="Sales",
        tenant="Contoso.OnMicrosoft.com",
        service_principal_id="{0D1FF3C1-7C0A-4B0E-9D7E-2F1F6B8F3A11}",
    )


def test_what_is_hidden_is_none() -> None:
    """Absent, of another type, or a row of asterisks."""
    found = standing(name=None, description=7, auth={"params": {"database": "***", "tenant": 1}})

    assert found.written_name is None
    assert found.own_description is None
    assert found.written == Written(None, None, None, None)
    assert found.shown_secrets == ()
    assert standing(auth=None).written == Written(None, None, None, None)


def test_a_shown_key_is_known_and_told_nowhere() -> None:
    key = "fake-key-that-must-not-stay"
    found = standing(description=key)

    assert found.shown_secrets == (Secret(key),)
    assert key not in repr(found)


def test_whatever_is_called_like_a_secret_is_one() -> None:
    """A service may add parameters of its own; one of asterisks is hidden."""
    params = {"accessToken": "a-token", "password": "****", "orgId": "no-secret", "clientSecret": 7}

    assert standing(auth={"params": params}).shown_secrets == (Secret("a-token"),)


def test_what_is_no_connection_of_this_sandbox_is_a_fault() -> None:
    assert isinstance(read_standing(ITEM, "A@AdobeOrg", "dev"), ListingFault)
    assert isinstance(read_standing("item", "A@AdobeOrg", "prod"), ListingFault)
