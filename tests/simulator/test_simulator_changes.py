"""PATCH, DELETE and drafts: what changes a connection, what forbids it, and what becomes of it by itself."""

import math
from typing import Any

import pytest

from batchconnect.simulator.control import Simulator
from batchconnect.simulator.testing import ADX_ONLY, ORG, Caller, Clock, adx, code, parsed

KEY = "/auth/params/servicePrincipalKey"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sim(clock: Clock) -> Simulator:
    return Simulator(clock=clock)


@pytest.fixture
def caller(sim: Simulator) -> Caller:
    return Caller(sim)


def made(caller: Caller, **rest: Any) -> tuple[str, str]:
    """A new connection's path and etag."""
    body = parsed(caller.create(adx(**rest)))
    return f"/connections/{body['id']}", body["etag"]


def patch(caller: Caller, path: str, etag: str, *instructions: Any) -> Any:
    return caller.send("PATCH", path, body=list(instructions), headers={"if-match": etag})


def replace(path: str, value: Any) -> dict[str, Any]:
    return {"op": "replace", "path": path, "value": value}


def shown(caller: Caller, path: str) -> Any:
    return parsed(caller.send("GET", path))["items"][0]


# PATCH ------------------------------------------------------------------------------------------------


def test_one_key_is_rotated_by_its_path(sim: Simulator, caller: Caller, clock: Clock) -> None:
    """The other four stay; etag, time and client are new."""
    path, etag = made(caller, key="old")
    before = sim.connections()[0]
    clock.advance(10)

    answer = patch(caller, path, etag, replace(KEY, "new"))

    (after,) = sim.connections()
    assert answer.status == 200
    assert parsed(answer) == {"id": after.id, "etag": after.etag}
    assert sim.received_key(after.id) == "new"
    assert after.params == before.params
    assert after.etag != before.etag
    assert after.updated_at == before.updated_at + 10_000
    assert after.updated_client == "sim-5c1328435bf324e90a49402a"


def test_where_single_params_have_no_path_only_the_whole_can_be_sent(
    sim: Simulator, caller: Caller
) -> None:
    """1455, and nothing is changed; the same service takes all five."""
    sim.habits.knows_nested_params = False
    path, etag = made(caller)

    assert code(patch(caller, path, etag, replace(KEY, "new"))) == "FLOW-1455-400"
    five = {**adx()["auth"]["params"], "servicePrincipalKey": "new"}
    assert patch(caller, path, etag, replace("/auth/params", five)).status == 200
    assert sim.received_key(sim.connections()[0].id) == "new"


@pytest.mark.parametrize("dropped", ["servicePrincipalKey", "tenant", "database"])
def test_what_a_partial_object_drops_is_missing_in_the_test(caller: Caller, dropped: str) -> None:
    """Even where it is not the key; put back, it works again."""
    path, etag = made(caller)
    whole = adx()["auth"]["params"]
    part = {name: value for name, value in whole.items() if name != dropped}

    etag = parsed(patch(caller, path, etag, replace("/auth/params", part)))["etag"]
    assert parsed(caller.send("GET", f"{path}/test")) == {"result": False}
    assert dropped in parsed(caller.send("GET", f"{path}/explore?objectType=root"))["errorMessage"]
    patch(caller, path, etag, replace("/auth/params", whole))
    assert parsed(caller.send("GET", f"{path}/test")) == {"result": True}


def test_the_services_own_params_are_dropped_by_the_five_alone(
    sim: Simulator, caller: Caller
) -> None:
    """All five are there, and still it does not work any more: the trap of the whole object."""
    sim.habits.own_params = {"orgId": ORG, "privateEndpointId": "pe-1", "isManaged": True}
    path, etag = made(caller)
    assert {"orgId", "privateEndpointId", "isManaged"} < set(shown(caller, path)["auth"]["params"])
    assert parsed(caller.send("GET", f"{path}/test")) == {"result": True}

    patch(caller, path, etag, replace("/auth/params", adx()["auth"]["params"]))

    assert parsed(caller.send("GET", f"{path}/test")) == {"result": False}


def test_a_nested_path_keeps_the_services_own_params(sim: Simulator, caller: Caller) -> None:
    sim.habits.own_params = {"orgId": ORG}
    path, etag = made(caller)

    patch(caller, path, etag, replace(KEY, "new"))

    assert shown(caller, path)["auth"]["params"]["orgId"] == ORG
    assert parsed(caller.send("GET", f"{path}/test")) == {"result": True}


def test_name_and_description_are_changed(caller: Caller) -> None:
    """Replaced, added where there was none, removed."""
    path, etag = made(caller, description=None)

    added = {"op": "add", "path": "/description", "value": "new"}
    etag = parsed(patch(caller, path, etag, replace("/name", "Renamed"), added))["etag"]
    item = shown(caller, path)
    assert (item["name"], item["description"], item["etag"]) == ("Renamed", "new", etag)
    patch(caller, path, etag, {"op": "remove", "path": "/description"})
    assert "description" not in shown(caller, path)


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        (replace("/name", ""), "1455"),
        (replace("/name", " "), "1455"),
        (replace("/description", "x"), "1455"),
        ({"op": "remove", "path": "/description"}, "1455"),
        (replace("/state", "enabled"), "1455"),
        (replace("/auth/params/unknown", "x"), "1455"),
        (replace(KEY, ""), "1455"),
        ({"op": "remove", "path": KEY}, "1455"),
        (replace("/auth/specName", "Basic"), "1420"),
        (replace("/auth/params", {"servicePrincipalKey": ""}), "1304"),
    ],
)
def test_what_cannot_be_changed_so_is_refused(
    sim: Simulator, caller: Caller, instruction: Any, expected: str
) -> None:
    """Empty names, what is not there, what has no path; nothing is changed."""
    path, etag = made(caller, description=None)
    before = sim.connections()

    answer = patch(caller, path, etag, instruction)

    assert code(answer) == f"FLOW-{expected}-400"
    assert sim.connections() == before


def test_patches_may_not_be_offered(sim: Simulator, caller: Caller) -> None:
    sim.habits.is_patched = False
    path, etag = made(caller)

    assert code(patch(caller, path, etag, replace(KEY, "new"))) == "FLOW-1445-400"


# States -----------------------------------------------------------------------------------------------


def test_a_new_connection_may_be_initializing_for_a_while(
    sim: Simulator, caller: Caller, clock: Clock
) -> None:
    """201 without an etag, reads without etag and version, no changes; then it is enabled."""
    sim.habits.initializing_s = 30
    sim.habits.etag_form = "guid"
    body = parsed(caller.create())
    path = f"/connections/{body['id']}"

    assert set(body) == {"id"}
    assert shown(caller, path)["state"] == "initializing"
    assert not {"etag", "version"} & set(shown(caller, path))
    assert code(patch(caller, path, '"x"', replace(KEY, "n"))) == "FLOW-1417-400"
    clock.advance(30)
    assert (item := shown(caller, path))["state"] == "enabled"
    assert len(item["etag"].strip('"').split("-")) == 5
    assert patch(caller, path, item["etag"], replace(KEY, "n")).status == 200


def test_it_may_stay_initializing_for_ever(sim: Simulator, caller: Caller, clock: Clock) -> None:
    sim.habits.initializing_s = math.inf
    path = f"/connections/{parsed(caller.create())['id']}"
    clock.advance(80_000)

    assert shown(caller, path)["state"] == "initializing"


def test_a_state_can_be_set_and_passes_by_itself(
    sim: Simulator, caller: Caller, clock: Clock
) -> None:
    """Listings can be asked for it; its etag is a new one, its last client is not."""
    path, etag = made(caller)
    connection_id = path.rsplit("/", 1)[-1]

    sim.others.set_state(connection_id, "disabled", becomes="enabled", after_s=5)

    item = shown(caller, path)
    assert (item["state"], item["updatedClient"]) == ("disabled", item["createdClient"])
    assert item["etag"] != etag
    assert len(caller.listed(filters="state==disabled")) == 1
    clock.advance(5)
    assert caller.listed(filters="state==disabled") == []
    assert shown(caller, path)["state"] == "enabled"


def test_etags_may_be_missing_and_items_may_tell_more(sim: Simulator, caller: Caller) -> None:
    """`lastOperation` beside them; a PATCH tells the new etag all the same."""
    sim.habits.shows_etags = False
    sim.habits.shows_last_operation = True
    body = parsed(caller.create())
    item = shown(caller, f"/connections/{body['id']}")

    assert set(body) == {"id"}
    assert not {"etag", "version"} & set(item)
    assert item["lastOperation"]["operation"] == "create"
    assert caller.listed() == [item]
    etag = sim.connections()[0].etag
    assert "etag" in parsed(patch(caller, f"/connections/{body['id']}", etag, replace(KEY, "n")))


def test_items_may_be_spelled_in_the_services_own_letter_case(
    sim: Simulator, caller: Caller
) -> None:
    """Org id and sandbox; they are still the same."""
    sim.habits.spells = str.upper
    path, _ = made(caller)

    item = shown(caller, path)
    assert (item["imsOrgId"], item["sandboxName"]) == (ORG.upper(), "PROD")
    assert caller.listed() == [item]


# Drafts -----------------------------------------------------------------------------------------------


def test_a_draft_is_published(sim: Simulator, caller: Caller) -> None:
    """It is listed as a draft, and an enabled connection afterwards; twice is refused."""
    body = parsed(caller.send("POST", "/connections?mode=draft", body=adx()))
    path = f"/connections/{body['id']}"
    assert [item["state"] for item in caller.listed()] == ["draft"]
    assert code(caller.send("POST", f"{path}/action?op=enable")) == "FLOW-1434-400"

    answer = caller.send("POST", f"{path}/action?op=publish")

    assert answer.status == 200
    assert parsed(answer)["etag"] != body["etag"]
    assert shown(caller, path)["state"] == "enabled"
    assert code(caller.send("POST", f"{path}/action?op=publish")) == "FLOW-1422-400"
    assert code(caller.send("POST", "/connections?mode=x", body=adx())) == "FLOW-1451-400"


# DELETE -----------------------------------------------------------------------------------------------


def test_a_deletion_may_take_its_time(sim: Simulator, caller: Caller, clock: Clock) -> None:
    """202, `delete-finalizing` for a while, then 404; no second deletion, no patch."""
    sim.habits.delete_status = 202
    sim.habits.finalizing_s = 20
    path, etag = made(caller)

    assert caller.send("DELETE", path).status == 202
    assert shown(caller, path)["state"] == "delete-finalizing"
    assert code(caller.send("DELETE", path)) == "FLOW-1458-400"
    assert code(patch(caller, path, etag, replace(KEY, "n"))) == "FLOW-1457-400"
    assert (len(sim.connections()), sim.deleted()) == (1, [])
    clock.advance(20)
    assert caller.send("GET", path).status == 404
    assert caller.send("DELETE", path).status == 404
    assert (caller.listed(), sim.connections()) == ([], [])
    assert sim.deleted() == [path.rsplit("/", 1)[-1]]


def test_listings_may_show_what_is_gone(sim: Simulator, caller: Caller, clock: Clock) -> None:
    """As it was, and in the count, for a lag."""
    sim.habits.delete_lag_s = 60
    path, _ = made(caller)
    caller.send("DELETE", path)

    assert caller.send("GET", path).status == 404
    assert [item["state"] for item in caller.listed()] == ["enabled"]
    count = f"/connections?count=true&property={ADX_ONLY}"
    assert parsed(caller.send("GET", count)) == {"count": 1}
    clock.advance(60)
    assert caller.listed() == []
    assert parsed(caller.send("GET", count)) == {"count": 0}


def test_a_used_connection_can_be_deleted_once_it_is_let_go(sim: Simulator, caller: Caller) -> None:
    """1418 as long as a source connection names it."""
    path, _ = made(caller)
    sim.others.use(path.rsplit("/", 1)[-1])

    assert code(caller.send("DELETE", path)) == "FLOW-1418-400"
    sim.others.release(path.rsplit("/", 1)[-1])
    assert caller.send("DELETE", path).status == 204


def test_the_text_of_a_key_makes_a_dataflow_use_it(caller: Caller) -> None:
    """For whoever has nothing but a sheet to practise a deletion with."""
    path, _ = made(caller, key="used-by-a-dataflow")

    assert code(caller.send("DELETE", path)) == "FLOW-1418-400"
    (used,) = parsed(caller.send("GET", "/sourceConnections"))["items"]
    assert path.endswith(used["baseConnectionId"])
    assert parsed(caller.send("GET", f"{path}/test")) == {"result": True}


# Others -----------------------------------------------------------------------------------------------


def test_a_colleague_changes_a_connection_meanwhile(sim: Simulator, caller: Caller) -> None:
    """Another client, a new etag; ours is stale."""
    path, etag = made(caller, key="ours")
    connection_id = path.rsplit("/", 1)[-1]

    new = sim.others.change(
        connection_id, name="Theirs", params={"servicePrincipalKey": "their key"}
    )

    item = shown(caller, path)
    assert (item["name"], item["etag"], item["updatedClient"]) == ("Theirs", new, "somebody-else")
    assert sim.received_key(connection_id) == "their key"
    assert code(patch(caller, path, etag, replace("/name", "Ours"))) == "FLOW-1404-412"


def test_a_colleague_deletes_a_connection_meanwhile(sim: Simulator, caller: Caller) -> None:
    path, _ = made(caller)
    sim.others.delete(path.rsplit("/", 1)[-1])

    assert caller.send("GET", path).status == 404


def test_what_is_not_there_nobody_changes(sim: Simulator) -> None:
    with pytest.raises(ValueError, match="there is no connection"):
        sim.others.set_state("nothing", "disabled")
