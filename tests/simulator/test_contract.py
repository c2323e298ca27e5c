"""
The simulator's good answers against Adobe's own description of the service.

The description stands beside the project and is no part of it; where it is absent, these tests are
skipped and say so.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from openapi_schema_validator import OAS30Validator

from batchconnect.simulator.control import Simulator
from batchconnect.simulator.testing import ADX_ONLY, Caller, Clock, adx, parsed

OPENAPI = Path(__file__).parents[3] / "shared" / "flow-service.openapi.yaml"
pytestmark = pytest.mark.skipif(
    not OPENAPI.is_file(),
    reason="Adobe's flow-service.openapi.yaml is not beside the project, so there is nothing to check against",
)
ONE = "/connections/{BASE_CONNECTION_ID}"


@pytest.fixture(scope="module")
def openapi() -> Any:
    return yaml.load(OPENAPI.read_text(encoding="utf-8"), yaml.CSafeLoader)


@pytest.fixture
def caller() -> Caller:
    return Caller(Simulator(clock=Clock()))


def resolved(openapi: Any, node: Any, *, closed: bool) -> Any:
    """
    A schema without references.

    Args:
        openapi: Where they lead.
        node: What may hold them.
        closed: Also forbid members that an object's schema does not name, so that a mistyped field is
            found: the description itself allows any.
    """
    if isinstance(node, list):
        return [resolved(openapi, item, closed=closed) for item in node]
    if not isinstance(node, Mapping):
        return node
    if "$ref" in node:
        target = openapi
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return resolved(openapi, target, closed=closed)
    copy = {
        key: value if key in {"example", "enum"} else resolved(openapi, value, closed=closed)
        for key, value in node.items()
    }
    if closed and isinstance(copy.get("properties"), Mapping) and copy.get("type") == "object":
        copy.setdefault("additionalProperties", False)
    return copy


def response_schema(openapi: Any, path: str, method: str, status: int) -> Any:
    answer = openapi["paths"][path][method]["responses"][str(status)]
    return resolved(openapi, answer["content"]["application/json"]["schema"], closed=False)


def problems(schema: Any, value: Any) -> list[str]:
    found = OAS30Validator(schema).iter_errors(value)
    return [f"{'/'.join(map(str, error.path))}: {error.message}" for error in found]


def test_the_body_of_a_create_is_what_the_description_asks_for(openapi: Any) -> None:
    """Required fields and types; the credentials themselves are another source's in its example."""
    schema = resolved(
        openapi, {"$ref": "#/components/schemas/CreateConnectionRequest"}, closed=True
    )
    schema["properties"]["auth"]["properties"]["params"].pop("additionalProperties")

    assert problems(schema, adx()) == []
    assert problems(schema, {**adx(), "descripton": "mistyped"})


def test_a_create_answers_as_described(openapi: Any, caller: Caller) -> None:
    """201 with id and etag, and the header `Location`."""
    answer = caller.create()

    described = openapi["paths"]["/connections"]["post"]["responses"]["201"]
    assert problems(response_schema(openapi, "/connections", "post", 201), parsed(answer)) == []
    assert set(parsed(answer)) == set(described["content"]["application/json"]["example"])
    assert all(answer.header(name) for name in described["headers"])


def test_listing_and_get_answer_as_described(openapi: Any, caller: Caller) -> None:
    """The same envelope; every member of an item is one that is described."""
    made = parsed(caller.create())["id"]
    caller.create(adx(description=None))
    listing = parsed(caller.send("GET", f"/connections?limit=1&property={ADX_ONLY}"))
    one = parsed(caller.send("GET", f"/connections/{made}"))

    for path, value in (("/connections", listing), (ONE, one)):
        assert problems(response_schema(openapi, path, "get", 200), value) == []
    item = resolved(openapi, {"$ref": "#/components/schemas/ConnectionItemDTO"}, closed=False)
    for shown in (*listing["items"], *one["items"]):
        # `etag` and `sandboxName` stand in the service's examples where the schema may lack them.
        assert set(shown) - set(item["properties"]) <= {"etag", "sandboxName"}
    links = resolved(openapi, {"$ref": "#/components/schemas/PageLinksResponse"}, closed=True)
    assert problems(links, listing["_links"]) == []


def test_the_parameters_of_a_listing_are_the_described_ones(openapi: Any, caller: Caller) -> None:
    """None that is described is refused."""
    described = openapi["paths"]["/connections"]["get"]["parameters"]
    names = {one["name"] for one in described if one["in"] == "query"}

    assert names == {"property", "limit", "orderby", "continuationToken", "count"}
    for query in ("property=name==x", "limit=5", "orderby=name", "count=true"):
        assert caller.send("GET", f"/connections?{query}").status == 200


def test_every_described_header_is_looked_at(openapi: Any, caller: Caller) -> None:
    """Without a required one there is no answer."""
    described = openapi["paths"]["/connections"]["post"]["parameters"]
    required = [one["name"] for one in described if one["in"] == "header" and one.get("required")]

    assert len(required) == 3
    for name in required:
        assert caller.create(headers={name.lower(): None}).status in {400, 403}


def test_test_and_explore_answer_as_described(openapi: Any, caller: Caller) -> None:
    """A boolean, and an array of tables."""
    path = f"/connections/{parsed(caller.create())['id']}"
    tested = parsed(caller.send("GET", f"{path}/test"))
    explored = parsed(caller.send("GET", f"{path}/explore?objectType=root"))

    assert problems(response_schema(openapi, f"{ONE}/test", "get", 200), tested) == []
    assert problems(response_schema(openapi, f"{ONE}/explore", "get", 200), explored) == []


def test_a_patch_and_a_delete_answer_as_described(openapi: Any, caller: Caller) -> None:
    """200 with id and etag; 204. The description writes both with a trailing slash."""
    made = parsed(caller.create())
    path = f"/connections/{made['id']}/"
    patch = [{"op": "replace", "path": "/name", "value": "New"}]
    patched = caller.send("PATCH", path, body=patch, headers={"if-match": made["etag"]})

    described = openapi["paths"][f"{ONE}/"]
    example = described["patch"]["responses"]["200"]["content"]["application/json"]["example"]
    assert patched.status == 200
    assert set(parsed(patched)) == set(example)
    assert str(caller.send("DELETE", path).status) in described["delete"]["responses"]


def test_the_connection_spec_answers_as_described(openapi: Any, caller: Caller) -> None:
    """A listing's envelope with one spec."""
    answer = parsed(caller.send("GET", "/connectionSpecs/0479cc14-7651-4354-b233-7480606c2ac3"))

    schema = response_schema(openapi, "/connectionSpecs/{CONNECTION_SPEC_ID}", "get", 200)
    assert problems(schema, answer) == []
