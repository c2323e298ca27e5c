"""IMS: tokens handed out, refused, expired, revoked."""

import pytest

from batchconnect.simulator.control import Simulator
from batchconnect.simulator.exchange import TOKEN_PATH, Request
from batchconnect.simulator.testing import ORG, OTHER_ORG, Caller, Clock, code, parsed, token_form

FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sim(clock: Clock) -> Simulator:
    return Simulator(clock=clock)


@pytest.fixture
def caller(sim: Simulator) -> Caller:
    return Caller(sim)


def test_a_token_is_good_for_so_many_seconds(caller: Caller, sim: Simulator) -> None:
    """Shape of the contract's section 7."""
    answer = parsed(caller.sign_in())

    assert set(answer) == {"access_token", "token_type", "expires_in"}
    assert (answer["token_type"], answer["expires_in"]) == ("bearer", 86_399)
    assert sim.tokens_issued == 1


@pytest.mark.parametrize(
    ("changed", "error", "text"),
    [
        ({"client_secret": "wrong"}, "invalid_client", "invalid client_secret parameter"),
        ({"client_id": "wrong"}, "invalid_client", "invalid client_id parameter"),
        ({"client_id": ""}, "invalid_client", "invalid client_id parameter"),
        ({"client_id": "sim-"}, "invalid_client", "invalid client_id parameter"),
        ({"grant_type": "password"}, "unsupported_grant_type", "unsupported grant_type parameter"),
        ({"scope": ""}, "invalid_scope", "invalid scope parameter"),
    ],
)
def test_a_wrong_form_is_refused(
    sim: Simulator, caller: Caller, changed: dict[str, str], error: str, text: str
) -> None:
    """400, and no token is counted."""
    answer = caller.sign_in(**changed)

    assert answer.status == 400
    assert parsed(answer) == {"error": error, "error_description": text}
    assert sim.tokens_issued == 0


def test_parameters_belong_into_the_form_body(sim: Simulator) -> None:
    """Query strings may be logged, and JSON is no form."""
    query = (("client_id", "x"), ("client_secret", "simulated-secret"))
    in_query = Request(method="POST", path=TOKEN_PATH, query=query, headers=FORM)
    as_json = Request(method="POST", path=TOKEN_PATH, body=token_form())

    assert sim.receive(in_query).answer.status == 400
    assert sim.receive(as_json).answer.status == 400
    assert sim.journal()[0].leaked


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", TOKEN_PATH, 405), ("POST", "/ims/x", 404)]
)
def test_there_is_one_way_to_sign_in(sim: Simulator, method: str, path: str, status: int) -> None:
    """v3, by POST."""
    answer = sim.receive(Request(method=method, path=path, headers=FORM)).answer

    assert answer.status == status


def test_a_token_expires(sim: Simulator, caller: Caller, clock: Clock) -> None:
    """At its second, not before; a new one works."""
    sim.token_life_s = 60
    assert parsed(caller.sign_in())["expires_in"] == 60
    clock.advance(59.9)
    assert caller.create().status == 201
    clock.advance(0.1)
    assert code(caller.create()) == "401013"

    caller.sign_in()

    assert caller.create().status == 201


def test_a_revoked_token_dies_and_others_live(sim: Simulator, caller: Caller) -> None:
    """Of this org all tokens until now, of others none."""
    other = Caller(sim, org_id=OTHER_ORG)
    other.sign_in()
    caller.sign_in()

    sim.revoke_tokens(ORG)

    assert code(caller.create()) == "401013"
    assert other.create().status == 201
    caller.sign_in()
    assert caller.create().status == 201


def test_a_token_of_another_org_opens_nothing(sim: Simulator, caller: Caller) -> None:
    """The token says whose it is."""
    caller.sign_in()
    other = Caller(sim, org_id=OTHER_ORG)
    other.token = caller.token

    assert code(other.create()) == "403003"


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ("invalid_client", 400),
        ("ims_401", 401),
        ("ims_429", 429),
        ("ims_500", 500),
        ("ims_503", 503),
    ],
)
def test_one_org_cannot_sign_in_while_others_do(
    sim: Simulator, caller: Caller, how: str, status: int
) -> None:
    """A token handed out before stays good."""
    caller.sign_in()

    sim.deny(ORG, how)

    assert caller.sign_in().status == status
    assert caller.create().status == 201
    assert Caller(sim, org_id=OTHER_ORG).sign_in().status == 200


def test_a_token_that_dies_of_its_uses_costs_no_request_twice(clock: Clock) -> None:
    """With a later token the second try passes, even where others used that one up meanwhile."""
    sim = Simulator(profile="expiry", seed=1, clock=clock)
    callers = [Caller(sim) for _ in range(40)]
    token = None
    while token is None:
        callers[0].sign_in()
        token = callers[0].token
    for caller in callers:
        caller.token = token
    refused = [caller for caller in callers if code_or_none(caller) == "401013"]
    assert refused
    assert len(refused) < 40

    fresh = None
    while fresh is None or fresh == token:
        callers[0].sign_in()
        fresh = callers[0].token
    for caller in refused:
        caller.token = fresh

    assert {caller.send("GET", path(caller)).status for caller in refused} == {404}


def path(caller: Caller) -> str:
    return f"/connections/{id(caller)}"


def code_or_none(caller: Caller) -> str | None:
    answer = caller.send("GET", path(caller))
    return code(answer) if answer.status == 401 else None
