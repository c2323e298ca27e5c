"""What stands behind a connection: which keys are right, what a test says, what an exploration sees."""

from typing import Any

import pytest

from batchconnect.model.source_reason import source_code
from batchconnect.simulator.control import Simulator
from batchconnect.simulator.testing import Caller, Clock, adx, code, parsed


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sim(clock: Clock) -> Simulator:
    return Simulator(clock=clock)


@pytest.fixture
def caller(sim: Simulator) -> Caller:
    return Caller(sim)


def made(caller: Caller, key: str = "fine") -> str:
    """A new connection's path."""
    return f"/connections/{parsed(caller.create(adx(key=key)))['id']}"


def works(caller: Caller, path: str) -> Any:
    return parsed(caller.send("GET", f"{path}/test"))["result"]


def reason(caller: Caller, path: str) -> str:
    answer = caller.send("GET", f"{path}/explore?objectType=root")
    assert code(answer) == "FLOW-1308-400"
    return str(parsed(answer)["errorMessage"])


# Keys -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("wrong-at-test", "AADSTS7000215: Invalid client secret"),
        ("x wrong-at-test-7000222 y", "AADSTS7000222: The provided client secret keys"),
        ("wrong-at-test-700016", "AADSTS700016: Application with identifier '0d1ff3c1-"),
        ("wrong-at-test-90002", "AADSTS90002: Tenant '72f988bf-"),
        ("wrong-at-test-999999", "AADSTS999999: "),
        ("wrong-at-test-database", "Entity ID 'sales' of kind 'Database' was not found"),
        ("wrong-at-test-role", "is not authorized to read database 'sales'"),
        ("wrong-at-test-firewall", "denied"),
    ],
)
def test_the_text_of_a_key_says_why_the_source_refuses_it(
    caller: Caller, key: str, told: str
) -> None:
    """201, a test without a reason, and an exploration with it; never within the first 200 characters."""
    path = made(caller, key)

    assert works(caller, path) is False
    text = reason(caller, path)
    assert text.index(told) > 200
    assert key not in text


@pytest.mark.parametrize(
    ("key", "known"),
    [
        ("wrong-at-test", "AADSTS7000215"),
        ("wrong-at-test-database", "kusto_no_database"),
        ("wrong-at-test-role", "kusto_not_authorized"),
        ("wrong-at-test-firewall", "kusto_firewall"),
    ],
)
def test_whoever_practises_meets_the_codes_of_the_documents(
    caller: Caller, key: str, known: str
) -> None:
    assert source_code(reason(caller, made(caller, key))) == known


def test_a_key_is_refused_by_a_rule(sim: Simulator, caller: Caller) -> None:
    """Before it was sent or after, and accepted again."""
    sim.source.refuse("bad", "53003")
    path, other = made(caller, "bad"), made(caller, "fine")

    assert (works(caller, path), works(caller, other)) == (False, True)
    assert "AADSTS53003" in reason(caller, path)
    sim.source.refuse("fine")
    sim.source.accept("bad")
    assert (works(caller, path), works(caller, other)) == (True, False)


def test_a_key_expires_at_its_time(sim: Simulator, caller: Caller, clock: Clock) -> None:
    """By a rule, and by its text."""
    sim.source.expire("short", clock() + 100)
    paths = [made(caller, "short"), made(caller, f"expires-at-{int(clock() + 100)}")]

    assert [works(caller, path) for path in paths] == [True, True]
    clock.advance(100)
    assert [works(caller, path) for path in paths] == [False, False]
    assert all("AADSTS7000222" in reason(caller, path) for path in paths)


def test_a_new_key_may_be_right_only_at_a_later_test(sim: Simulator, caller: Caller) -> None:
    """Entra's delay: by its text, by a rule, and for every key; and again for the next key."""
    sim.source.delay("slow", 1)
    paths = [made(caller, "right-at-test-2"), made(caller, "slow")]
    assert [works(caller, path) for path in paths] == [False, False]
    assert [works(caller, path) for path in paths] == [True, True]

    sim.habits.tests_before_right = 1
    body = parsed(caller.create(adx(key="any")))
    path = f"/connections/{body['id']}"
    assert [works(caller, path), works(caller, path)] == [False, True]
    patch = [{"op": "replace", "path": "/auth/params/servicePrincipalKey", "value": "next"}]
    caller.send("PATCH", path, body=patch, headers={"if-match": body["etag"]})
    assert [works(caller, path), works(caller, path)] == [False, True]


def test_a_corrected_key_works(caller: Caller) -> None:
    body = parsed(caller.create(adx(key="wrong-at-test")))
    path = f"/connections/{body['id']}"
    assert works(caller, path) is False

    patch = [{"op": "replace", "path": "/auth/params/servicePrincipalKey", "value": "right"}]
    caller.send("PATCH", path, body=patch, headers={"if-match": body["etag"]})

    assert works(caller, path) is True


def test_a_test_may_be_slow(sim: Simulator, caller: Caller) -> None:
    """And so may an exploration; other calls are not."""
    sim.habits.test_s, sim.habits.explore_s = 40, 50
    path = made(caller)

    assert caller.deliver("GET", f"{path}/test").delay_s >= 40
    assert caller.deliver("GET", f"{path}/explore?objectType=root").delay_s >= 50
    assert caller.deliver("GET", path).delay_s < 1


def test_what_is_not_there_is_not_tested(caller: Caller) -> None:
    assert caller.send("GET", "/connections/nothing/test").status == 404


# Explore ----------------------------------------------------------------------------------------------


def test_tables_and_columns_are_explored(caller: Caller) -> None:
    """Root lists tables, a table lists columns."""
    path = f"{made(caller)}/explore"

    tables = parsed(caller.send("GET", f"{path}?objectType=root"))
    table = parsed(caller.send("GET", f"{path}?objectType=table&object={tables[1]['path']}"))

    assert [table["name"] for table in tables] == ["Events", "Page Views"]
    assert tables[1] == {
        "type": "table",
        "name": "Page Views",
        "path": "PageViews",
        "canPreview": True,
        "canFetchSchema": True,
    }
    assert table["format"] == "flat"
    assert [column["name"] for column in table["schema"]["columns"]] == ["Timestamp", "Tenant"]


@pytest.mark.parametrize("count", [0, 100, 1000])
def test_tables_come_in_two_shapes_and_in_any_number(
    sim: Simulator, caller: Caller, count: int
) -> None:
    """An array, or the array inside `items`; each connection may see its own."""
    path = made(caller)
    sim.habits.tables_of[path.rsplit("/", 1)[-1]] = [f"Table {n}" for n in range(count)]
    asked = f"{path}/explore?objectType=root"

    as_array = parsed(caller.send("GET", asked))
    sim.habits.explore_shape = "items"

    assert len(as_array) == count
    assert parsed(caller.send("GET", asked)) == {"items": as_array}
    assert len(parsed(caller.send("GET", f"{made(caller)}/explore?objectType=root"))["items"]) == 2


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "1359"),
        ("?objectType=", "1359"),
        ("?objectType=schema", "1358"),
        ("?objectType=table", "1337"),
        ("?objectType=table&object=", "1337"),
        ("?objectType=table&object=Nothing", "1330"),
    ],
)
def test_a_wrong_exploration_is_refused(caller: Caller, query: str, expected: str) -> None:
    assert code(caller.send("GET", f"{made(caller)}/explore{query}")) == f"FLOW-{expected}-400"


def test_a_source_may_not_be_explored_at_all(sim: Simulator, caller: Caller) -> None:
    sim.habits.explores = False
    answer = caller.send("GET", f"{made(caller)}/explore?objectType=root")

    assert code(answer) == "FLOW-1336-400"


def test_a_preview_shows_customers_records_and_is_written_down(
    sim: Simulator, caller: Caller
) -> None:
    """So that a test can prove that nobody asks for one."""
    path = f"{made(caller)}/explore?objectType=table&object=Events"

    assert "data" not in parsed(caller.send("GET", path))
    assert parsed(caller.send("GET", f"{path}&preview=true"))["data"]
    previews = [entry for entry in sim.journal() if "preview=true" in entry.query]
    assert [entry.path.rsplit("/", 1)[-1] for entry in previews] == ["explore"]


# Specs and source connections -------------------------------------------------------------------------


def test_the_connection_specs_are_listed(caller: Caller) -> None:
    """With what is required, and what is a secret; filtered by name."""
    listed = parsed(caller.send("GET", "/connectionSpecs"))
    name = "azure-data-explorer"
    (spec,) = parsed(caller.send("GET", f"/connectionSpecs?property=name=={name}"))["items"]

    assert len(listed["items"]) > 1
    assert listed["_links"] == {}
    assert spec in listed["items"]
    schema = spec["authSpec"][0]["spec"]
    assert "servicePrincipalKey" in schema["required"]
    secrets = [n for n, one in schema["properties"].items() if one.get("format") == "password"]
    assert secrets == ["servicePrincipalKey"]
    assert code(caller.send("GET", "/connectionSpecs?property=x==y")) == "FLOW-1449-400"
    assert code(caller.send("GET", "/connectionSpecs?property=name")) == "FLOW-1453-400"


def test_source_connections_tell_who_uses_a_connection(sim: Simulator, caller: Caller) -> None:
    """By base connection, page by page, counted; in their own sandbox only."""
    used, free = (made(caller).rsplit("/", 1)[-1] for _ in range(2))
    ids = [sim.others.use(used, f"Dataflow {n}") for n in range(3)]
    asked = f"/sourceConnections?property=baseConnectionId=={used}"

    page = parsed(caller.send("GET", f"{asked}&limit=2"))
    token = page["_links"]["next"]["href"].partition("?")[2]
    rest = parsed(caller.send("GET", f"{asked}&limit=2&{token}"))

    assert page["_links"]["next"]["href"].startswith("/sourceConnections?continuationToken=")
    assert [one["id"] for one in page["items"] + rest["items"]] == ids[::-1]
    assert {one["baseConnectionId"] for one in page["items"]} == {used}
    assert parsed(caller.send("GET", f"{asked}&count=true")) == {"count": 3}
    empty = parsed(caller.send("GET", f"/sourceConnections?property=baseConnectionId=={free}"))
    assert empty == {"items": [], "_links": {}}
    assert parsed(Caller(sim, sandbox="dev").send("GET", asked))["items"] == []
    assert code(caller.send("GET", "/sourceConnections?property=auth.specName==x")) == (
        "FLOW-1449-400"
    )
