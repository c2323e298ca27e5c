"""
The simulator's answers, good and bad, held to the descriptions of the service.

Ours is in every clone. Adobe's own is no part of the project; where it lies beside a checkout, the good
answers are held to it too, and where it does not, nothing is missing but a second opinion.
"""

import pytest

from batchconnect.simulator import PROFILES
from batchconnect.simulator.answers import RETRY_AFTERS
from batchconnect.simulator.control import Simulator
from batchconnect.simulator.decision import Decision, Delivery, Instead, Reshaped, Shape
from batchconnect.simulator.exchange import Request
from batchconnect.simulator.registry import DENIALS
from batchconnect.simulator.testing import ADX_ONLY, ORG, Caller, Clock, adx, code, parsed
from tests.contract.description import ADOBES, Description, adobes, ours
from tests.contract.messages import answer_problems, of_arrived
from tests.fast_lane import few

DESCRIPTIONS = ["ours", *(["Adobe's"] if ADOBES.is_file() else [])]
SPEC = "/connectionSpecs/0479cc14-7651-4354-b233-7480606c2ac3"
NOWHERE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module", params=DESCRIPTIONS)
def described(request: pytest.FixtureRequest) -> Description:
    return ours() if request.param == "ours" else adobes(ADOBES)


@pytest.fixture
def sim() -> Simulator:
    return Simulator(clock=Clock())


@pytest.fixture
def caller(sim: Simulator) -> Caller:
    return Caller(sim)


class Bench:
    """Sends a request, and says how its answer departs from a description."""

    def __init__(self, sim: Simulator, caller: Caller, described: Description) -> None:
        self.sim = sim
        self.caller = caller
        self.described = described
        self.delivered: Delivery | None = None

    def departures(self, method: str, path: str, **rest: object) -> list[str]:
        request = self.caller.request(method, path, **rest)  # type: ignore[arg-type]  # body and headers, passed on
        self.delivered = self.sim.receive(request)
        return answer_problems(request, self.delivered, self.described)

    @property
    def status(self) -> int:
        assert self.delivered is not None
        return self.delivered.answer.status


@pytest.fixture
def bench(sim: Simulator, caller: Caller, described: Description) -> Bench:
    return Bench(sim, caller, described)


# Good answers, and two opinions where there are two ---------------------------------------------------


def test_the_body_of_a_create_is_what_the_description_asks_for(described: Description) -> None:
    """Required fields and types; a mistyped one is found."""

    def wrong(body: object) -> list[str]:
        request = Caller(Simulator(clock=Clock())).request("POST", "/connections", body=body)
        problems = described.request_problems(of_arrived(request))
        return [problem for problem in problems if problem.startswith("body")]

    assert wrong(adx()) == []
    assert wrong({**adx(), "descripton": "mistyped"})
    assert wrong({"name": "no spec"})


def test_a_create_answers_as_described(bench: Bench) -> None:
    """201 with id and etag, and the header `Location`."""
    assert bench.departures("POST", "/connections", body=adx()) == []
    assert bench.status == 201
    assert bench.delivered is not None
    assert set(parsed(bench.delivered.answer)) == {"id", "etag"}
    assert bench.delivered.answer.header("location")


def test_listing_count_and_get_answer_as_described(bench: Bench) -> None:
    """One envelope; every member of an item, and of the links, is one that is described."""
    made = parsed(bench.caller.create())["id"]
    bench.caller.create(adx(description=None))

    assert bench.departures("GET", f"/connections?limit=1&property={ADX_ONLY}") == []
    assert bench.delivered is not None
    assert parsed(bench.delivered.answer)["_links"]["next"]
    assert bench.departures("GET", f"/connections?count=true&property={ADX_ONLY}") == []
    assert bench.departures("GET", f"/connections/{made}") == []
    assert bench.status == 200


@pytest.mark.parametrize("query", ["property=name==x", "limit=5", "orderby=name", "count=true"])
def test_no_described_parameter_of_a_listing_is_refused(bench: Bench, query: str) -> None:
    operation = bench.described.operation("GET", "/connections")

    assert operation is not None
    assert {one["name"] for one in operation.of("query")} == {
        *("property", "limit", "orderby", "continuationToken", "count")
    }  # fmt: skip
    assert bench.departures("GET", f"/connections?{query}") == []
    assert bench.status == 200


def test_every_required_header_is_looked_at(bench: Bench) -> None:
    """Without it there is no good answer."""
    operation = bench.described.operation("POST", "/connections")

    assert operation is not None
    required = [one["name"].lower() for one in operation.of("header") if one.get("required")]
    assert {"authorization", "x-api-key", "x-gw-ims-org-id"} <= set(required)
    for name in required:
        assert bench.caller.create(headers={name: None}).status in {400, 403}


@pytest.mark.parametrize(
    "what", ["test", "explore?objectType=root", "explore?objectType=table&object=Events"]
)
def test_looking_into_a_connection_answers_as_described(bench: Bench, what: str) -> None:
    """A boolean, an array of tables, the columns of one."""
    made = parsed(bench.caller.create())["id"]

    assert bench.departures("GET", f"/connections/{made}/{what}") == []
    assert bench.status == 200


def test_a_patch_and_a_delete_answer_as_described(bench: Bench) -> None:
    """200 with id and etag; 204. Adobe's description writes both with a trailing slash."""
    made = parsed(bench.caller.create())
    path = f"/connections/{made['id']}"
    patch = [{"op": "replace", "path": "/name", "value": "New"}]

    changed = bench.departures("PATCH", path, body=patch, headers={"if-match": made["etag"]})
    assert (bench.status, changed) == (200, [])
    assert bench.delivered is not None
    assert set(parsed(bench.delivered.answer)) == {"id", "etag"}
    deleted = bench.departures("DELETE", path)
    assert (bench.status, deleted) == (204, [])


def test_the_connection_spec_answers_as_described(bench: Bench) -> None:
    """A listing's envelope with one spec."""
    assert bench.departures("GET", SPEC) == []
    assert bench.status == 200


def test_all_that_is_described_is_served() -> None:
    """Each path and method has an answer of its own, if only that the id is not there."""
    caller = Caller(Simulator(clock=Clock()))
    caller.sign_in()
    unknown = {
        (method, path)
        for method, path in ours().operations()
        if not path.startswith("/ims/")
        and b"no Route" in caller.send(method.upper(), path.replace("{id}", NOWHERE), body={}).body
    }

    assert unknown == set()


# Refusals, which only ours knows ----------------------------------------------------------------------


@pytest.fixture
def strict(sim: Simulator, caller: Caller) -> Bench:
    return Bench(sim, caller, ours())


@pytest.mark.parametrize("how", sorted(set(DENIALS) - {"portal"}))
def test_every_denial_is_described(how: str) -> None:
    """At IMS and at the platform. `portal` is a third party's page, and none of the service."""
    sim = Simulator(clock=Clock())
    bench = Bench(sim, Caller(sim), ours())
    bench.caller.sign_in()
    sim.deny(ORG, how)
    if DENIALS[how][0] == "ims":
        request = Request(method="POST", path="/ims/token/v3", headers={}, body=b"")
        answer = DENIALS[how][1].with_headers(("X-Request-Id", "any"))
        assert bench.described.answer_problems(
            of_arrived(request), answer.status, answer.headers, answer.body
        ) == []  # fmt: skip
        assert bench.caller.sign_in().status == answer.status
    else:
        assert bench.departures("GET", "/connections") == []
        assert bench.status == DENIALS[how][1].status


@pytest.mark.parametrize(
    ("method", "path", "rest", "answered"),
    [
        ("POST", "/connections", {"body": b""}, "FLOW-1405-400"),
        ("POST", "/connections", {"body": {}}, ""),
        ("POST", "/connections", {"body": adx(name="")}, "FLOW-1304-400"),
        ("POST", "/connections", {"body": adx(key="wrong-at-post")}, "FLOW-1308-400"),
        ("POST", "/connections", {"body": adx(), "headers": {"content-type": "text/plain"}}, "uri"),
        ("POST", "/connections", {"body": adx(), "headers": {"x-sandbox-name": "missing"}},
         "FLOW-2100-404"),
        ("POST", "/connections", {"body": adx(), "headers": {"x-api-key": None}}, "403000"),
        ("GET", "/connections?limit=5&count=true", {}, "FLOW-1401-400"),
        ("GET", "/connections?property=name", {}, "FLOW-1453-400"),
        ("GET", f"/connections/{NOWHERE}", {}, ""),
        ("GET", f"/connectionSpecs/{NOWHERE}", {}, "FLOW-1101-404"),
        ("PATCH", f"/connections/{NOWHERE}", {"body": []}, ""),
        ("DELETE", f"/connections/{NOWHERE}", {}, ""),
        ("PUT", "/connections", {"body": {}}, ""),
        ("GET", "/nowhere", {}, ""),
    ],
)  # fmt: skip
def test_every_shape_of_a_refusal_is_described(
    strict: Bench, method: str, path: str, rest: dict[str, object], answered: str
) -> None:
    """The gateway's, the strict one, and each of the looser ones."""
    assert strict.departures(method, path, **rest) == []
    assert strict.delivered is not None
    assert strict.status >= 400
    assert code(strict.delivered.answer) == answered


@pytest.mark.parametrize("form", RETRY_AFTERS)
@pytest.mark.parametrize("as_status", [429, 500])
def test_a_limit_refuses_as_described(strict: Bench, form: str, as_status: int) -> None:
    """However it names its pause, and where overload shows as 500."""
    strict.caller.sign_in()
    strict.sim.set_rate(ORG, 0.001, retry_after=form, as_status=as_status)  # type: ignore[arg-type]  # one of each
    answers = [strict.departures("GET", "/connections") for _ in range(5)]

    assert answers == [[]] * 5
    assert strict.status == as_status


@pytest.mark.parametrize("profile", few(PROFILES, 3))
def test_the_answers_of_a_fault_profile_are_described(profile: str) -> None:
    """What a profile says in place of the service is what the service may say."""
    clock = Clock()
    sim = Simulator(profile=profile, seed=5, clock=clock)
    caller = Caller(sim)
    said = set()
    for number in range(120):
        clock.advance(0.05)
        caller.token = caller.token or "none yet"
        request = caller.request("POST", "/connections", body=adx(name=f"Row {number}"))
        delivery = sim.receive(request)
        if delivery.answer.status == 401:
            caller.sign_in()
        if not isinstance(delivery.reply, Instead):
            continue
        said.add(delivery.answer.status)
        assert answer_problems(request, delivery) == []
    assert bool(said) == (profile in {"overload", "ambiguous", "flaky", "badday"})


@pytest.mark.parametrize(("shape", "is_described"), [("number_code", True), ("no_etag", True),
    ("location_url", True), ("odd_id", False), ("no_id", False), ("no_body", False),
    ("as_202", False), ("not_json", False), ("ids_differ", True)])  # fmt: skip
def test_what_is_bent_off_the_contract_is_found(
    strict: Bench, shape: Shape, *, is_described: bool
) -> None:
    """An answer of the service's own, bent: the description tells those that it never promised."""
    strict.sim.script(lambda _request: Decision(reply=Reshaped(shape=shape)))
    headers = {"x-api-key": None} if shape == "number_code" else {}
    departures = strict.departures("POST", "/connections", body=adx(), headers=headers)

    assert (departures == []) == is_described
