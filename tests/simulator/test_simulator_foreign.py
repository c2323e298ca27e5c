"""
Calls as aepp 0.6 and Adobe's collections for Postman make them: both get the documented answers.

Their forms were read in their public sources; neither is a dependency. A simulator takes them only where it is
asked to, so that our own engine cannot lean on them.
"""

from typing import Any
from urllib.parse import urlencode

import pytest

from batchconnect.simulator.control import Simulator
from batchconnect.simulator.exchange import Request
from batchconnect.simulator.registry import CLIENT_SECRET, client_id_of
from batchconnect.simulator.testing import ADX_ONLY, ORG, Caller, Clock, adx, code, parsed

CREDENTIAL = {
    "grant_type": "client_credentials",
    "client_id": client_id_of(ORG),
    "client_secret": CLIENT_SECRET,
    "scope": "openid,session",
}
ALWAYS_JSON = {"content-type": "application/json", "accept": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
def sim() -> Simulator:
    return Simulator(foreign_clients=True, clock=Clock())


@pytest.fixture
def caller(sim: Simulator) -> Caller:
    return Caller(sim)


def sign_in(version: str, *, in_query: bool) -> Request:
    query = tuple(CREDENTIAL.items()) if in_query else ()
    return Request(
        method="POST",
        path=f"/ims/token/{version}",
        query=query,
        headers={} if in_query else FORM,
        body=b"" if in_query else urlencode(CREDENTIAL).encode(),
    )


@pytest.mark.parametrize("in_query", [True, False])
@pytest.mark.parametrize("version", ["v2", "v3"])
def test_a_token_is_given_by_v2_and_v3_in_body_and_query(
    sim: Simulator, version: str, in_query: bool
) -> None:
    """The collection for IMS asks v2 by a query, aepp asks v3 by a form; the secret is not written down."""
    answer = sim.receive(sign_in(version, in_query=in_query)).answer

    assert answer.status == 200
    assert parsed(answer)["token_type"] == "bearer"
    assert CLIENT_SECRET not in repr(sim.journal())


@pytest.mark.parametrize(
    ("version", "in_query", "status"), [("v2", False, 404), ("v2", True, 404), ("v3", True, 400)]
)
def test_without_the_switch_only_the_documented_sign_in_is_taken(
    version: str, in_query: bool, status: int
) -> None:
    sim = Simulator(clock=Clock())

    assert sim.receive(sign_in(version, in_query=in_query)).answer.status == status


def patched(caller: Caller, path: str, body: Any, **headers: str) -> Any:
    return caller.send("PATCH", path, body=body, headers={**ALWAYS_JSON, **headers})


def test_the_life_of_a_connection_as_aepp_asks_for_it(sim: Simulator, caller: Caller) -> None:
    """Each call of its `FlowService`, in the form that it sends: a content type with every GET, `count=True`."""

    def get(path: str) -> Any:
        return parsed(caller.send("GET", path, headers=ALWAYS_JSON))

    body = parsed(caller.send("POST", "/connections", body=adx(), headers=ALWAYS_JSON))
    path = f"/connections/{body['id']}"

    assert [one["id"] for one in get(f"/connections?limit=20&property={ADX_ONLY}")["items"]] == [
        body["id"]
    ]
    assert get("/connections?count=True") == {"count": 1}
    assert code(caller.send("GET", "/connections?limit=20&count=True")) == "FLOW-1401-400"
    assert get(path)["items"][0]["etag"] == body["etag"]
    assert get(f"{path}/test") == {"result": True}
    added = [{"op": "Add", "path": "/auth/params/database", "value": "other"}]
    assert patched(caller, path, added, **{"if-match": body["etag"]}).status == 200
    assert get(path)["items"][0]["auth"]["params"]["database"] == "other"
    assert get("/sourceConnections")["_links"] == {}
    assert len(get("/connectionSpecs")["items"]) > 1
    spec = get(f"/connectionSpecs/{adx()['connectionSpec']['id']}")
    assert spec["items"][0]["name"] == "azure-data-explorer"
    assert caller.send("DELETE", path, headers=ALWAYS_JSON).status == 204
    assert caller.send("GET", path, headers=ALWAYS_JSON).status == 404


def test_aepp_reads_every_page_by_the_link_and_its_own_parameters(
    sim: Simulator, caller: Caller
) -> None:
    """It appends them to the link as they were."""
    for number in range(5):
        caller.create(adx(str(number)))
    found, href = [], "/connections"
    while href:
        joined = "&" if "?" in href else "?"
        page = parsed(caller.send("GET", f"{href}{joined}limit=2", headers=ALWAYS_JSON))
        found += [one["name"] for one in page["items"]]
        href = page["_links"].get("next", {}).get("href", "")

    assert sorted(found) == list("01234")


def test_a_token_of_a_page_may_be_encoded_twice(sim: Simulator, caller: Caller) -> None:
    """aepp cuts it out of the link of source connections as it is."""
    used = parsed(caller.create())["id"]
    for number in range(3):
        sim.others.use(used, str(number))
    href = parsed(caller.send("GET", "/sourceConnections?limit=2"))["_links"]["next"]["href"]
    again = urlencode({"limit": 2, "continuationToken": href.split("=")[1]})

    assert len(parsed(caller.send("GET", f"/sourceConnections?{again}"))["items"]) == 1


def test_the_life_of_a_connection_as_the_postman_collection_asks_for_it(
    sim: Simulator, caller: Caller
) -> None:
    """Trailing slashes, `if-match` in the query, empty parameters, no object type."""
    body = parsed(caller.send("POST", "/connections", body=adx(), headers=ALWAYS_JSON))
    path = f"/connections/{body['id']}"
    listing = f"/connections?property={ADX_ONLY}&limit=20&orderby=&continuationToken=&count=false"
    listed = parsed(caller.send("GET", listing, headers=ALWAYS_JSON))
    if_match = urlencode({"if-match": body["etag"]})

    assert [one["id"] for one in listed["items"]] == [body["id"]]
    assert parsed(caller.send("GET", f"{path}/test", headers=ALWAYS_JSON)) == {"result": True}
    tables = parsed(caller.send("GET", f"{path}/explore", headers=ALWAYS_JSON))
    assert {table["type"] for table in tables} == {"table"}
    one = {"op": "REPLACE", "path": "/name", "value": "Renamed"}
    assert patched(caller, f"{path}/?{if_match}", one).status == 200
    assert code(patched(caller, f"{path}/?{if_match}", one)) == "FLOW-1404-412"
    assert code(patched(caller, f"{path}/?if-match=", one)) == "FLOW-1403-400"
    assert parsed(caller.send("GET", "/connectionSpecs?property="))["items"]
    assert caller.send("DELETE", f"{path}/", headers=ALWAYS_JSON).status == 204


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("PATCH", "?if-match=x", [], "FLOW-1403-400"),
        ("GET", "/explore", None, "FLOW-1359-400"),
    ],
)
def test_without_the_switch_their_forms_are_refused(
    method: str, path: str, body: Any, expected: str
) -> None:
    """So the simulator is no laxer with our own engine than the guides are."""
    caller = Caller(Simulator(clock=Clock()))
    made = parsed(caller.create())["id"]

    assert code(caller.send(method, f"/connections/{made}{path}", body=body)) == expected


@pytest.mark.parametrize("op", ["REPLACE", "Add"])
def test_without_the_switch_operations_are_in_lower_case(op: str) -> None:
    caller = Caller(Simulator(clock=Clock()))
    body = parsed(caller.create())
    patch = [{"op": op, "path": "/name", "value": "x"}]
    answer = caller.send(
        "PATCH", f"/connections/{body['id']}", body=patch, headers={"if-match": body["etag"]}
    )

    assert code(answer) == "FLOW-1434-400"


@pytest.mark.parametrize("body", [b"{", b'"text"', b"[1]", b'[{"op": 1}]', b""])
def test_a_body_of_no_form_is_refused_and_not_tripped_over(caller: Caller, body: bytes) -> None:
    made = parsed(caller.create())
    headers = {**ALWAYS_JSON, "if-match": made["etag"]}

    assert (
        caller.send("PATCH", f"/connections/{made['id']}", body=body, headers=headers).status == 400
    )
