"""Flow Service's rules, call by call, without a wire."""

import re
from typing import Any, Literal

import pytest

from batchconnect.simulator.answers import NotFound
from batchconnect.simulator.control import Simulator
from batchconnect.simulator.planting import Planted
from batchconnect.simulator.testing import MARKER, ORG, OTHER_ORG, Caller, Clock, adx, code, parsed

GUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}"
ETAG = r'"[0-9a-f]{8}-0000-0200-0000-[0-9a-f]{12}"'


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sim(clock: Clock) -> Simulator:
    return Simulator(clock=clock)


@pytest.fixture
def caller(sim: Simulator) -> Caller:
    return Caller(sim)


@pytest.mark.parametrize(
    ("headers", "status", "expected"),
    [
        ({"x-api-key": None}, 403, "403000"),
        ({"x-api-key": "unknown"}, 403, "403003"),
        ({"x-api-key": "sim-another"}, 403, "403003"),
        ({"authorization": None}, 403, "403010"),
        ({"authorization": "Bearer nonsense"}, 401, "401013"),
        ({"authorization": "Bearer a.b.c"}, 401, "401013"),
        ({"authorization": "Bearer ä.ö.ü"}, 401, "401013"),
        ({"x-gw-ims-org-id": None}, 400, "400003"),
        ({"x-gw-ims-org-id": OTHER_ORG}, 403, "403025"),
        ({"x-gw-ims-org-id": "no org"}, 403, "403027"),
        ({"x-sandbox-name": None}, 400, "FLOW-2105-400"),
        ({"x-sandbox-name": "*"}, 403, "FLOW-2111-403"),
        ({"x-sandbox-name": "missing-one"}, 404, "FLOW-2100-404"),
        ({"x-sandbox-name": "Prod"}, 404, "FLOW-2100-404"),
        ({"x-sandbox-name": "two words"}, 404, "FLOW-2100-404"),
        ({"x-sandbox-id": "1"}, 400, "FLOW-2110-400"),
    ],
)
def test_a_wrong_header_is_refused_with_the_contracts_code(
    caller: Caller, headers: dict[str, str | None], status: int, expected: str
) -> None:
    """Whatever the header, nothing is created."""
    answer = caller.create(headers=headers)

    assert (answer.status, code(answer)) == (status, expected)


def test_a_body_without_content_type_is_refused(caller: Caller) -> None:
    """The looser shape with `detail` comes here."""
    answer = caller.create(headers={"content-type": "text/plain"})

    assert answer.status == 400
    assert parsed(answer) == {
        "type": "/placeholder/type/uri",
        "status": 400,
        "title": "BadRequestError",
        "detail": "A valid content-type must be specified",
    }


def test_a_create_answers_201_with_location_id_and_quoted_etag(
    sim: Simulator, caller: Caller
) -> None:
    """The good case, byte for byte what was sent."""
    answer = caller.create(adx(key=' "k\\ ü€\U0001f511\n'))

    body = parsed(answer)
    assert answer.status == 201
    assert set(body) == {"id", "etag"}
    assert re.fullmatch(GUID, body["id"])
    assert re.fullmatch(ETAG, body["etag"])
    assert answer.header("Location") == f"/data/foundation/flowservice/connections/{body['id']}"
    assert answer.header("x-request-id")
    assert sim.received_key(body["id"]) == ' "k\\ ü€\U0001f511\n'
    [stored] = sim.connections()
    assert stored.id == body["id"]
    assert (stored.org_id, stored.sandbox) == (ORG, "prod")
    assert "servicePrincipalKey" not in stored.params


def test_the_same_body_sent_twice_makes_two_objects(sim: Simulator, caller: Caller) -> None:
    """There is no idempotency key."""
    ids = {parsed(caller.create())["id"] for _ in range(2)}

    assert len(ids) == 2
    assert {one.id for one in sim.connections()} == ids


def test_the_same_seed_gives_the_same_ids() -> None:
    """Even in another simulator."""
    first, second = (parsed(Caller(Simulator(seed=7, clock=Clock())).create()) for _ in range(2))

    assert first == second


def without(field: str) -> dict[str, Any]:
    body = adx()
    del body["auth"]["params"][field]
    return body


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        (b"", 400, "FLOW-1405-400"),
        (b"{", 400, "FLOW-1000-400"),
        ([], 400, "FLOW-1000-400"),
        (adx(connectionSpec=None), 400, ""),
        (adx(connectionSpec={"id": "other", "version": "1.0"}), 400, "FLOW-1413-400"),
        (adx(connectionSpec={**adx()["connectionSpec"], "version": None}), 422, ""),
        (adx(connectionSpec={**adx()["connectionSpec"], "version": "2"}), 400, "FLOW-1413-400"),
        (adx(name=""), 400, "FLOW-1304-400"),
        (adx(description=1), 400, "FLOW-1000-400"),
        (adx(auth=None), 400, "FLOW-1304-400"),
        (adx(auth={"specName": "Basic"}), 400, "FLOW-1415-400"),
        (adx(auth={"specName": adx()["auth"]["specName"]}), 400, "FLOW-1304-400"),
        (without("endpoint"), 400, "FLOW-1304-400"),
        (without("database"), 400, "FLOW-1304-400"),
        (without("tenant"), 400, "FLOW-1304-400"),
        (without("servicePrincipalId"), 400, "FLOW-1304-400"),
        (without("servicePrincipalKey"), 400, "FLOW-1304-400"),
        (adx(key=""), 400, "FLOW-1304-400"),
    ],
)
def test_a_wrong_body_is_refused(
    sim: Simulator, caller: Caller, body: Any, status: int, expected: str
) -> None:
    """Each check of the contract's section 10 has its code, and nothing is created."""
    answer = caller.create(body)

    assert (answer.status, code(answer)) == (status, expected)
    assert sim.connections() == []


def test_texts_of_the_looser_shapes_are_those_of_the_contract(caller: Caller) -> None:
    """They have no code, so clients go by the text."""
    no_spec = parsed(caller.create(adx(connectionSpec={})))
    no_version = parsed(caller.create(adx(connectionSpec={"id": adx()["connectionSpec"]["id"]})))

    assert no_spec == {"message": "Please provide a valid spec id"}
    assert "version" in no_version["errorMessage"]
    assert "is required" in no_version["errorMessage"]


def test_a_bad_source_secret_is_met_at_the_create(sim: Simulator, caller: Caller) -> None:
    """One of the two ways; the text repeats a part of the request, but not the secret."""
    answer = caller.create(adx(key="wrong-at-post-123"))

    assert code(answer) == "FLOW-1308-400"
    assert "contoso.westeurope.kusto.windows.net" in parsed(answer)["errorMessage"]
    assert b"wrong-at-post-123" not in answer.body
    assert sim.connections() == []


@pytest.mark.parametrize(
    ("key", "repeated"),
    [
        ("echo-me/1", b"echo-me/1"),
        ("echo-me-url/1", b"echo-me-url%2F1"),
        ("echo-me-base64/1", b"ZWNoby1tZS1iYXNlNjQvMQ=="),
    ],
)
def test_an_error_text_may_repeat_the_secret(caller: Caller, key: str, repeated: bytes) -> None:
    """As typed, escaped or encoded."""
    answer = caller.create(adx(key=key))

    assert answer.status == 400
    assert repeated in answer.body


def test_a_connection_is_read_in_the_envelope_of_a_listing(caller: Caller) -> None:
    """One item, a part of the credentials, never the key."""
    made = parsed(caller.create())

    [item] = parsed(caller.send("GET", f"/connections/{made['id']}"))["items"]

    assert item["etag"] == item["version"] == made["etag"]
    assert item["imsOrgId"] == ORG
    assert item["sandboxName"] == "prod"
    assert item["description"].endswith(MARKER)
    assert set(item["auth"]["params"]) == {"endpoint", "database", "tenant", "servicePrincipalId"}


@pytest.mark.parametrize("shown", [(), ("endpoint",), ("servicePrincipalKey", "tenant")])
def test_any_subset_of_the_credentials_is_shown_but_the_key(
    sim: Simulator, caller: Caller, shown: tuple[str, ...]
) -> None:
    """What is shown is unknown, so tests choose it."""
    sim.shown_params = frozenset(shown)
    made = parsed(caller.create())["id"]

    [item] = caller.listed()
    [one] = parsed(caller.send("GET", f"/connections/{made}"))["items"]

    assert set(item["auth"]["params"]) == set(shown) - {"servicePrincipalKey"}
    assert one == item


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_what_is_not_there_answers_404_in_the_looser_shape(caller: Caller, method: str) -> None:
    """A malformed id too: it is just not there."""
    body: list[Any] | None = [] if method == "PATCH" else None
    answer = caller.send(method, "/connections/nothing", body=body)

    text = "connections not found with id = [nothing]"
    assert answer.status == 404
    assert parsed(answer) == {"errorMessage": text, "errorDetails": text}


@pytest.mark.parametrize(
    ("form", "status", "expected"),
    [("text", 404, ""), ("1101", 404, "FLOW-1101-404"), ("1439", 400, "FLOW-1439-400")],
)
def test_what_is_not_there_may_be_told_with_a_code(
    sim: Simulator, caller: Caller, form: NotFound, status: int, expected: str
) -> None:
    """One of two, and one of them under 400; for a test and an exploration, too."""
    sim.habits.not_found = form

    for call in ("", "/test", "/explore?objectType=root"):
        answer = caller.send("GET", f"/connections/nothing{call}")
        assert (answer.status, code(answer)) == (status, expected)


@pytest.mark.parametrize("what", ["", "/test", "/explore"])
def test_orgs_and_sandboxes_are_kept_apart(sim: Simulator, caller: Caller, what: str) -> None:
    """A search in the wrong place gives a false \"not there\"."""
    made = parsed(caller.create())["id"]

    for other in (Caller(sim, sandbox="dev"), Caller(sim, org_id=OTHER_ORG)):
        assert other.listed() == []
        assert other.send("GET", f"/connections/{made}{what}").status == 404


def test_a_patch_needs_the_current_etag_and_gives_a_new_one(sim: Simulator, caller: Caller) -> None:
    """1403 without `If-Match`, 1404 with a stale one, and with one that lost its quotes."""
    made = parsed(caller.create())
    path, patch = f"/connections/{made['id']}", [{"op": "replace", "path": "/name", "value": "New"}]

    assert code(caller.send("PATCH", path, body=patch)) == "FLOW-1403-400"
    bare = {"if-match": made["etag"].strip('"')}
    assert code(caller.send("PATCH", path, body=patch, headers=bare)) == "FLOW-1404-412"
    good = {"if-match": made["etag"]}
    answer = caller.send("PATCH", path, body=patch, headers=good)
    assert answer.status == 200
    assert parsed(answer)["id"] == made["id"]
    assert parsed(answer)["etag"] != made["etag"]
    assert code(caller.send("PATCH", path, body=patch, headers=good)) == "FLOW-1404-412"
    [stored] = sim.connections()
    assert (stored.name, stored.etag) == ("New", parsed(answer)["etag"])


def test_a_patch_at_the_same_instant_still_changes_the_etag(caller: Caller) -> None:
    """Two patches within a millisecond are two versions."""
    made = parsed(caller.create())
    etags = [made["etag"]]
    for name in "ab":
        patch = [{"op": "replace", "path": "/name", "value": name}]
        path = f"/connections/{made['id']}"
        answer = caller.send("PATCH", path, body=patch, headers={"if-match": etags[-1]})
        etags.append(parsed(answer)["etag"])

    assert len(set(etags)) == 3


def test_a_smaller_params_object_drops_what_it_leaves_out(sim: Simulator, caller: Caller) -> None:
    """So a rotation has to send all five."""
    made = parsed(caller.create())
    path = f"/connections/{made['id']}"
    all_five = {**adx()["auth"]["params"], "servicePrincipalKey": "rotated"}
    patch = [{"op": "replace", "path": "/auth/params", "value": all_five}]
    answer = caller.send("PATCH", path, body=patch, headers={"if-match": made["etag"]})
    assert sim.received_key(made["id"]) == "rotated"

    patch = [{"op": "replace", "path": "/auth/params", "value": {"endpoint": "https://other"}}]
    caller.send("PATCH", path, body=patch, headers={"if-match": parsed(answer)["etag"]})

    [stored] = sim.connections()
    assert stored.params == {"endpoint": "https://other"}
    assert stored.key_sha256 is None
    assert sim.received_key(made["id"]) is None
    assert parsed(caller.send("GET", f"{path}/test")) == {"result": False}


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ([], "FLOW-1405-400"),
        ({"op": "replace"}, "FLOW-1405-400"),
        (["x"], "FLOW-1455-400"),
        ([{"op": "REPLACE", "path": "/name", "value": "x"}], "FLOW-1434-400"),
        ([{"op": "move", "path": "/name"}], "FLOW-1434-400"),
        ([{"op": "replace", "value": "x"}], "FLOW-1455-400"),
        ([{"op": "replace", "path": "/name"}], "FLOW-1455-400"),
        ([{"op": "remove", "path": "/name"}], "FLOW-1455-400"),
        ([{"op": "replace", "path": "/nothing", "value": "x"}], "FLOW-1455-400"),
        ([{"op": "replace", "path": "/connectionSpec/id", "value": "x"}], "FLOW-1414-400"),
        ([{"op": "replace", "path": "/auth/params", "value": "x"}], "FLOW-1455-400"),
        ([{"op": "replace", "path": "/auth/params", "value": {"tenant": 1}}], "FLOW-1000-400"),
        (
            [
                {
                    "op": "add",
                    "path": "/auth/params/servicePrincipalKey",
                    "value": "wrong-at-post",
                }
            ],
            "FLOW-1308-400",
        ),
    ],
)
def test_a_wrong_patch_changes_nothing(
    sim: Simulator, caller: Caller, patch: Any, expected: str
) -> None:
    """Not even the instructions before the wrong one."""
    made = parsed(caller.create())
    before = sim.connections()

    answer = caller.send(
        "PATCH", f"/connections/{made['id']}", body=patch, headers={"if-match": made["etag"]}
    )

    assert code(answer) == expected
    assert sim.connections() == before


def test_a_description_can_be_removed(sim: Simulator, caller: Caller) -> None:
    """Then listings leave it out."""
    made = parsed(caller.create())
    patch = [{"op": "remove", "path": "/description"}]
    caller.send(
        "PATCH", f"/connections/{made['id']}", body=patch, headers={"if-match": made["etag"]}
    )

    [item] = caller.listed()
    assert "description" not in item


@pytest.mark.parametrize("status", [204, 202])
def test_a_delete_takes_it_away(sim: Simulator, caller: Caller, status: Literal[202, 204]) -> None:
    """With one of the two documented statuses; a trailing slash is fine; the second time it is gone."""
    sim.habits.delete_status = status
    made = parsed(caller.create())["id"]

    assert caller.send("DELETE", f"/connections/{made}/").status == status
    assert caller.send("DELETE", f"/connections/{made}").status == 404
    assert sim.connections() == []


def test_what_a_flow_uses_is_not_deleted(sim: Simulator, caller: Caller) -> None:
    """1418, and it stays."""
    made = parsed(caller.create())["id"]
    sim.others.use(made)

    assert code(caller.send("DELETE", f"/connections/{made}")) == "FLOW-1418-400"
    assert len(sim.connections()) == 1


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("initializing", {"PATCH": "FLOW-1417-400", "DELETE": "FLOW-1417-400"}),
        ("draft", {"PATCH": "FLOW-1416-400", "DELETE": "FLOW-1416-400"}),
        ("enabled-finalizing", {"PATCH": "FLOW-1416-400", "DELETE": "FLOW-1416-400"}),
        ("delete-finalizing", {"PATCH": "FLOW-1457-400", "DELETE": "FLOW-1458-400"}),
    ],
)
def test_a_state_that_passes_forbids_changes(
    sim: Simulator, caller: Caller, method: str, state: str, expected: dict[str, str]
) -> None:
    """Reading is fine."""
    [planted] = sim.plant(Planted(org_id=ORG, sandbox="prod", name="x", state=state))
    path = f"/connections/{planted}"

    assert (
        code(caller.send(method, path, body=[] if method == "PATCH" else None)) == expected[method]
    )
    assert parsed(caller.send("GET", path))["items"][0]["state"] == state


def test_the_connection_spec_names_the_auth_spec(caller: Caller) -> None:
    """A pre-flight may check it."""
    answer = caller.send("GET", "/connectionSpecs/0479cc14-7651-4354-b233-7480606c2ac3")

    [spec] = parsed(answer)["items"]
    assert [auth["name"] for auth in spec["authSpec"]] == ["Service Principal Based Authentication"]
    assert caller.send("GET", "/connectionSpecs/other").status == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/connections", 405),
        ("PUT", "/connections/x", 405),
        ("DELETE", "/connections/x/test", 405),
        ("DELETE", "/connectionSpecs/x", 405),
        ("GET", "/flows", 404),
        ("GET", "/connections/x/unknown", 404),
    ],
)
def test_what_the_service_does_not_offer_has_no_code(
    caller: Caller, method: str, path: str, status: int
) -> None:
    """A 404 without a code means a wrong base URL."""
    answer = caller.send(method, path, body={} if method == "PUT" else None)

    assert answer.status == status
    assert set(parsed(answer)) == {"message"}


@pytest.mark.parametrize(
    ("how", "status", "expected"),
    [
        ("403025", 403, "403025"),
        ("2120", 403, "FLOW-2120-403"),
        ("2121", 403, "FLOW-2121-403"),
        ("2000", 401, "FLOW-2000-401"),
        ("503000", 503, "503000"),
        ("503020", 403, "503020"),
    ],
)
def test_one_org_is_denied_while_the_others_work(
    sim: Simulator, caller: Caller, how: str, status: int, expected: str
) -> None:
    """And in mid-run, and back again."""
    other = Caller(sim, org_id=OTHER_ORG)
    assert caller.create().status == 201

    sim.deny(ORG, how)

    answer = caller.create()
    assert (answer.status, code(answer)) == (status, expected)
    assert other.create().status == 201
    sim.allow(ORG)
    assert caller.create().status == 201


def test_the_strict_shape_is_the_contracts(sim: Simulator, caller: Caller) -> None:
    """Field by field, with the request id of the header."""
    sim.deny(ORG, "2120")

    answer = caller.create()

    text = (
        "You do not have sufficient permissions to perform the operation. Please contact your "
        "administrator to resolve permissions and try again."
    )
    assert parsed(answer) == {
        "type": "https://ns.adobe.com/aep/errors/FLOW-2120-403",
        "title": "Forbidden",
        "status": 403,
        "report": {"detailed-message": text, "request-id": answer.header("X-Request-Id")},
        "errorMessage": text,
        "errorDetails": text,
    }


def test_an_unknown_denial_is_refused_with_a_hint(sim: Simulator) -> None:
    """The known ones are named."""
    with pytest.raises(ValueError, match="invalid_client"):
        sim.deny(ORG, "whatever")


def test_only_the_given_orgs_and_sandboxes_exist(clock: Clock) -> None:
    """Where they are given, the rule of thumb is off."""
    sim = Simulator(clock=clock, orgs={ORG: ("my-client", "my-secret")}, sandboxes={ORG: {"dev"}})
    caller = Caller(sim, sandbox="dev")
    key = {"x-api-key": "my-client"}

    assert caller.sign_in().status == 400
    assert caller.sign_in(client_id="my-client", client_secret="my-secret").status == 200
    assert caller.create(headers=key).status == 201
    assert code(caller.create(headers={**key, "x-sandbox-name": "prod"})) == "FLOW-2100-404"
    assert code(caller.create(headers={**key, "x-gw-ims-org-id": OTHER_ORG})) == "403027"
    sim.revoke_tokens(ORG)
    assert code(caller.create(headers=key)) == "401013"


def test_what_others_made_can_be_planted(sim: Simulator, caller: Caller) -> None:
    """Equal names, other specs, any age."""
    ids = sim.plant(
        Planted(org_id=ORG, sandbox="prod", name="Contoso ADX", age_s=60),
        Planted(org_id=ORG, sandbox="prod", name="Other", spec_id="some-other-spec"),
    )

    assert [item["id"] for item in caller.listed()] == ids[:1]
    assert {one.id for one in sim.connections()} == set(ids)
