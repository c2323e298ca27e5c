"""An item of a listing, boiled down: canonical, without secrets, whatever stands in it."""

from typing import Any

import orjson
import pytest
from hypothesis import given, strategies as st

from batchconnect.flow_service.listing import (
    ODD_STATE,
    Found,
    Listing,
    ListingFault,
    Shown,
    read_item,
)
from batchconnect.flow_service.paging import Pages
from batchconnect.model.identity import CONNECTION_SPEC_ID
from batchconnect.transport.interface import Response

ITEM: dict[str, Any] = {
    "id": "f088e4f2-2464-480c-88e4-f22464b80c90",
    "createdAt": 1668637963851,
    "sandboxName": "prod",
    "imsOrgId": "A@AdobeOrg",
    "name": " Acme Su\u0308d ",
    "description": "Contoso, sales data bc1-abcdefghijklmnopqrstuvwxyz\n",
    "connectionSpec": {"id": CONNECTION_SPEC_ID, "version": "1.0"},
    "auth": {
        "params": {
            "endpoint": "HTTPS://Contoso.westeurope.kusto.windows.net:443/",
            "database": "Sales",
            "tenant": "Contoso.OnMicrosoft.com",
            "servicePrincipalId": "{0D1FF3C1-7C0A-4B0E-9D7E-2F1F6B8F3A11}",
            "servicePrincipalKey": "fake-key-that-must-not-stay",
        }
    },
    "version": '"v"',
    "etag": '"e"',
}


def read(**changes: Any) -> Found | ListingFault:
    return read_item({**ITEM, **changes}, org_id="A@AdobeOrg", sandbox="prod")


def test_an_item_is_canonical_and_keeps_no_secret() -> None:
    found = read()

    assert (
        Found(
            id="f088e4f2-2464-480c-88e4-f22464b80c90",
            etag='"e"',
            name="Acme Süd",
            marker="bc1-abcdefghijklmnopqrstuvwxyz",
            shown=Shown(
                endpoint="https://contoso.westeurope.kusto.windows.net",
                database="sales",
                tenant="contoso.onmicrosoft.com",
                service_principal_id="0d1ff3c1-7c0a-4b0e-9d7e-2f1f6b8f3a11",
            ),
            is_our_kind=True,
            created_at_ms=1668637963851,
        )
        == found
    )
    assert "must-not-stay" not in repr(found)


def test_what_is_not_shown_is_hidden_and_not_different() -> None:
    bare = read_item({"id": "x", "version": '"v"'}, org_id="A@AdobeOrg", sandbox="prod")
    masked = read(auth={"params": {"tenant": "****", "database": "", "endpoint": 7}})

    assert isinstance(bare, Found)
    assert isinstance(masked, Found)
    hidden = Shown(endpoint=None, database=None, tenant=None, service_principal_id=None)
    assert (hidden, hidden) == (bare.shown, masked.shown)
    assert (bare.etag, bare.is_our_kind, bare.name, bare.marker) == ('"v"', True, "", None)


def test_another_kind_of_connection_is_kept_only_with_a_marker() -> None:
    other = {"connectionSpec": {"id": "other"}}
    pages = Pages(org_id="A@AdobeOrg", sandbox="prod", platform_url="https://h", counted=2)

    body = {"items": [{**ITEM, **other}, {**ITEM, **other, "id": "y", "description": ""}]}

    assert pages.take(Response(status=200, body=orjson.dumps(body))) is None
    assert [found.is_our_kind for found in pages.items] == [False]
    listing = Listing(sandbox="prod", items=tuple(pages.items))
    assert listing.by_name == {}
    assert listing.by_target == {}
    assert list(listing.by_marker) == ["bc1-abcdefghijklmnopqrstuvwxyz"]


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)
fields = st.dictionaries(st.sampled_from(list(ITEM)), anything)


@given(fields | anything)
def test_no_item_breaks_the_reader(item: Any) -> None:
    found = read_item(item, org_id="A@AdobeOrg", sandbox="prod")

    assert isinstance(found, Found | ListingFault)


@pytest.mark.parametrize(
    ("told", "state", "is_usable"),
    [
        ("enabled", "enabled", True),
        ("Enabled", "enabled", True),
        (None, None, True),
        ("disabled", "disabled", False),
        ("initializing", "initializing", False),
        ("draft", "draft", False),
        ("delete-finalizing", "delete-finalizing", False),
        ("a-key~that-was-written-here", ODD_STATE, False),
        (7, ODD_STATE, False),
    ],
)
def test_a_state_is_one_of_the_documented_ones_or_repeated_nowhere(
    told: object, state: str | None, is_usable: bool
) -> None:
    found = read_item({**ITEM, "state": told}, org_id="A@AdobeOrg", sandbox="prod")

    assert isinstance(found, Found)
    assert (found.state, found.is_usable) == (state, is_usable)


def test_parameters_of_others_are_seen_and_never_kept() -> None:
    """The service may add its own; what a change would drop has to be known before it."""
    auth = {"params": {**ITEM["auth"]["params"], "privateEndpointId": "p-1"}}

    mine = read_item(ITEM, org_id="A@AdobeOrg", sandbox="prod")
    theirs = read_item({**ITEM, "auth": auth}, org_id="A@AdobeOrg", sandbox="prod")

    assert isinstance(mine, Found)
    assert isinstance(theirs, Found)
    assert (mine.has_other_params, theirs.has_other_params) == (False, True)
    assert "p-1" not in repr(theirs)


@pytest.mark.parametrize(
    ("etag", "is_kept"),
    [
        ('"6802064a-0000-0200-0000-6387c6b90000"', True),
        ('"f088e4f2-2464-480c-88e4-f22464b80c90"', True),
        ('W/"17"', True),
        ('"a-secret-of-16-c"', False),
        ('"9mK2pLw7TnYc5BdFhJs0QeUiOaGt6xZ."', False),
        (f'"{b"a-secret".hex()}"', False),
    ],
)
def test_an_etag_that_may_be_a_part_of_a_key_is_not_kept(etag: str, *, is_kept: bool) -> None:
    """A listing is read before any row's key is at hand; If-Match needs it as it is all the same."""
    found = read(etag=etag, auth={"params": {}})

    assert isinstance(found, Found)
    assert found.etag == etag
    assert found.kept_etag == (etag if is_kept else None)
