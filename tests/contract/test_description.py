"""The description of the service: that its reader finds what departs from it, and that it says what docs/contract.md says."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
from openapi_schema_validator import OAS31Validator

from batchconnect.simulator.testing import adx
from tests.contract.description import BASE_PATH, Description, Message, adobes, ours

ROOT: Final = Path(__file__).parents[2]
CONTRACT: Final = (ROOT / "docs" / "contract.md").read_text("utf-8")
ID: Final = "f088e4f2-2464-480c-88e4-f22464b80c90"
HEADERS: Final[Mapping[str, str]] = {
    "Authorization": "Bearer token",
    "x-api-key": "client",
    "x-gw-ims-org-id": "5C1328435BF324E90A49402A@AdobeOrg",
    "x-sandbox-name": "prod",
    "Accept": "application/json",
}
WITH_JSON: Final = {**HEADERS, "Content-Type": "application/json"}


def create(**changes: Any) -> Message:
    """A good create, with some of its parts replaced."""
    parts: dict[str, Any] = {
        "method": "POST",
        "target": f"https://platform.test{BASE_PATH}/connections",
        "headers": WITH_JSON,
        "body": orjson.dumps(adx()),
    }
    return Message(**{**parts, **changes})


def read(path: str, **headers: str) -> Message:
    """A read below the base path."""
    return Message(method="GET", target=f"{BASE_PATH}{path}", headers={**HEADERS, **headers})


def answered(value: object, message: Message, status: int, **headers: str) -> list[str]:
    """How an answer with a JSON body departs."""
    told = {"Content-Type": "application/json", "X-Request-Id": "r", **headers}
    return ours().answer_problems(message, status, told.items(), orjson.dumps(value))


# The reader ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        create(),
        read("/connections?property=connectionSpec.id==x&limit=100&continuationToken=a%2Bb"),
        read("/connections?count=true"),
        read(f"/connections/{ID}"),
        read(f"/connections/{ID}/test"),
        read(f"/connections/{ID}/explore?objectType=root"),
        read(f"/connections/{ID}/explore?objectType=table&object=a%2Fb"),
        read("/connectionSpecs"),
        read(f"/connectionSpecs/{ID}"),
        read(f"/sourceConnections?property=baseConnectionId=={ID}"),
        Message(method="DELETE", target=f"{BASE_PATH}/connections/{ID}", headers=HEADERS),
        Message(
            method="PATCH",
            target=f"{BASE_PATH}/connections/{ID}",
            headers={**WITH_JSON, "If-Match": '"etag"'},
            body=b'[{"op": "replace", "path": "/auth/params/servicePrincipalKey", "value": "k"}]',
        ),
        Message(
            method="POST",
            target="https://ims.test/ims/token/v3",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            body=b"client_id=c&client_secret=s&grant_type=client_credentials&scope=openid,session",
        ),
    ],
)
def test_each_request_of_the_contract_is_described(message: Message) -> None:
    """One of each, those that are not sent yet as well."""
    assert ours().request_problems(message) == []


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        (create(method="PUT"), "not described"),
        (create(target=f"{BASE_PATH}/connection"), "not described"),
        (create(target=f"{BASE_PATH}/connections?mode=draft"), "query mode: not ours"),
        (create(target=f"{BASE_PATH}/connections/{ID}/action?op=publish"), "not ours"),
        (create(target="/ims/token/v2"), "not ours"),
        (create(headers=HEADERS), "header content-type: missing"),
        (create(headers={**WITH_JSON, "x-sandbox-id": "1"}), "header x-sandbox-id: not described"),
        (create(headers={**WITH_JSON, "x-sandbox-name": "Prod"}), "header x-sandbox-name: not as"),
        (
            create(headers={k: v for k, v in WITH_JSON.items() if k != "x-api-key"}),
            "x-api-key: missing",
        ),
        (create(body=b""), "body : type"),
        (create(body=b"{"), "body : type"),
        (create(body=orjson.dumps(adx(nmae="x"))), "'nmae' was unexpected"),
        (create(body=orjson.dumps(adx(description=None))), "'description' is a required"),
        (create(body=orjson.dumps(adx(description="no marker"))), "body description: pattern"),
        (create(body=orjson.dumps(adx(connectionSpec={"id": ID, "version": "1.0"}))), "id: const"),
        (create(body=orjson.dumps(adx(key=""))), "servicePrincipalKey: minLength"),
        (read("/connections?limit=101"), "query limit"),
        (read("/connections?limit=ten"), "query limit"),
        (read("/connections?limit=5&limit=6"), "query limit"),
        (read("/connections?limit=5&count=true"), "never together"),
        (read("/connections?property=name"), "query property"),
        (read("/connections?offset=5"), "query offset: not described"),
        (read("/connections/1"), "path id"),
        (read(f"/connections/{ID}/explore"), "query objectType: missing"),
        (read(f"/connections/{ID}/explore?objectType=ROOT"), "query objectType"),
        (
            Message(method="GET", target=f"{BASE_PATH}/connections", headers=HEADERS, body=b"x"),
            "body",
        ),
        (
            Message(
                method="PATCH",
                target=f"{BASE_PATH}/connections/{ID}",
                headers=WITH_JSON,
                body=b'[{"op": "remove", "path": "/name", "value": "x"}]',
            ),
            "header if-match: missing",
        ),
        (
            Message(
                method="PATCH",
                target=f"{BASE_PATH}/connections/{ID}",
                headers={**WITH_JSON, "If-Match": "etag without quotes"},
                body=b'[{"op": "replace", "path": "/auth/params", "value": {"database": "x"}}]',
            ),
            "'endpoint' is a required property",
        ),
        (
            Message(
                method="POST",
                target="/ims/token/v3?client_secret=s",
                headers={"Content-Type": "application/x-www-form-urlencoded"},
                body=b"client_id=c&grant_type=password&scope=openid",
            ),
            "query client_secret: not described",
        ),
    ],
)
def test_a_request_that_departs_is_found(message: Message, problem: str) -> None:
    """Method, path, parameters, headers and body."""
    assert problem in "\n".join(ours().request_problems(message))


def test_no_secret_of_a_request_is_repeated() -> None:
    """Neither token nor key: what a test prints may be kept for long."""
    body = adx(key="canary", nmae="x")
    body["auth"]["params"] |= {"servicePrincipalKey": ["canary"]}
    message = create(
        body=orjson.dumps(body), headers={**WITH_JSON, "Authorization": "Basic canary"}
    )

    problems = ours().request_problems(message)
    assert len(problems) >= 3
    assert "canary" not in "\n".join(problems)


@pytest.mark.parametrize(
    ("value", "message", "status", "headers", "problem"),
    [
        ({"id": ID}, create(), 201, {}, "header Location: missing"),
        ({"id": ID}, create(), 200, {}, "200 is not described"),
        ({"id": "1"}, create(), 201, {}, "body id"),
        ({"id": ID, "etag": "bare"}, create(), 201, {}, "body etag"),
        ({"itmes": []}, read("/connections"), 200, {}, "body"),
        ({"items": [{"id": ID}]}, read("/connections"), 200, {}, "body"),
        ({"items": [], "_links": {"next": {"href": "https://x/"}}}, read("/connections"), 200, {}, "href"),
        ({"result": "true"}, read(f"/connections/{ID}/test"), 200, {}, "is not of type"),
        ({"error_code": "401014", "message": "x"}, create(), 401, {}, "error_code"),
        ({"message": ""}, create(), 400, {}, "body"),
        ({"error": "x", "message": "x"}, create(), 404, {}, "body"),
        ({"message": "x"}, create(), 429, {}, "error_code"),
        ({"message": "x"}, create(), 400, {"Content-Type": "text/html"}, "text/html is not described"),
    ],
)  # fmt: skip
def test_an_answer_that_departs_is_found(
    value: object, message: Message, status: int, headers: dict[str, str], problem: str
) -> None:
    """Status, headers and body."""
    assert problem in "\n".join(answered(value, message, status, **headers))


def test_an_error_that_names_another_status_is_found() -> None:
    """In its code or in its field."""
    strict = {
        "type": "https://ns.adobe.com/aep/errors/FLOW-2120-403",
        "title": "t",
        "status": 403,
        "report": {"detailed-message": "m", "request-id": "r"},
        "errorMessage": "m",
        "errorDetails": "m",
    }

    assert answered(strict, create(), 403) == []
    assert answered(strict, create(), 404) == ["body: names [403] under 404"]
    assert answered({**strict, "status": 400}, create(), 403) == [
        "body: names [400, 403] under 403"
    ]


def test_a_body_may_lack_only_where_it_is_said() -> None:
    """A 502 may be empty, a 403 may not."""
    headers = {"X-Request-Id": "r"}.items()

    assert ours().answer_problems(create(), 502, headers, b"") == []
    assert ours().answer_problems(create(), 403, headers, b"") == ["body: missing"]


def test_a_member_that_is_not_named_is_found_in_a_foreign_description(tmp_path: Path) -> None:
    """Adobe's file allows any; read by us, it does not."""
    foreign = tmp_path / "foreign.yaml"
    foreign.write_text(
        """
openapi: 3.0.1
paths:
  /connections:
    post:
      responses:
        "201":
          content: {application/json: {schema: {$ref: "#/components/schemas/Made"}}}
components:
  schemas:
    Made: {type: object, properties: {id: {type: string}}}
    ConnectionItemDTO: {type: object, properties: {}}
    ConnectionListResponse: {type: object, properties: {}}
    ExploreConnectionResponse: {type: array}
""",
        "utf-8",
    )
    described: Description = adobes(foreign)
    headers = {"Content-Type": "application/json"}.items()

    assert described.answer_problems(create(), 201, headers, b'{"id": "1"}') == []
    assert described.answer_problems(create(), 201, headers, b'{"id": 1}') != []
    assert described.answer_problems(create(), 201, headers, b'{"id": "1", "x": 1}') != []


# What the contract says ---------------------------------------------------------------------------------


KEYWORDS: Final = {
    *("type", "properties", "required", "additionalProperties", "items", "$ref"),
    *("allOf", "anyOf", "oneOf", "if", "then", "else", "const", "enum", "pattern", "format"),
    *("minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems"),
}
"""Of JSON Schema, as far as the description uses it."""


def words_of(schema: Any) -> set[str]:
    """Every keyword in a schema and in those inside it."""
    if not isinstance(schema, dict):
        return set()
    inside = [
        *schema.get("properties", {}).values(),
        *(one for name in ("allOf", "anyOf", "oneOf") for one in schema.get(name, ())),
        *(schema.get(name) for name in ("items", "additionalProperties", "if", "then", "else")),
    ]
    return set(schema).union(*map(words_of, inside))


def schemas_in(node: Any) -> Iterator[Any]:
    """Every schema of a part that is none itself: of parameters, headers, bodies."""
    if isinstance(node, dict):
        for name, inner in node.items():
            if name == "schema":
                yield inner
            elif name != "schemas":
                yield from schemas_in(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from schemas_in(inner)


def test_every_word_of_a_schema_is_known() -> None:
    """A mistyped keyword would check nothing, and nobody would hear of it."""
    openapi = ours().openapi
    schemas = [*openapi["components"]["schemas"].values(), *schemas_in(openapi)]

    assert len(schemas) > 60
    assert set().union(*map(words_of, schemas)) <= KEYWORDS
    assert words_of({"items": {"minlength": 1}}) == {"items", "minlength"}
    for schema in schemas:
        OAS31Validator.check_schema(schema)


def section(number: int) -> str:
    """One section of the contract."""
    found = re.search(rf"^## {number}\. .*?(?=^## |\Z)", CONTRACT, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[0]


def samples() -> list[Any]:
    """Every JSON block of the contract."""
    blocks = re.findall(r"^```json\n(.*?)^```$", CONTRACT, re.MULTILINE | re.DOTALL)
    return [orjson.loads(block) for block in blocks]


def test_the_samples_of_the_contract_are_as_described() -> None:
    """A create, a page, the two errors and a token."""
    names = ["NewConnection", "ConnectionPage", "GatewayError", "FlowError", "Token"]

    assert len(samples()) == len(names)
    for name, sample in zip(names, samples(), strict=True):
        assert ours().component(name, sample) == [], name


def test_the_calls_of_the_contract_are_described() -> None:
    """Those of the contract, sections 2, 3, 7, 11, 12 and 13, and no other."""
    text = "".join(map(section, (2, 3, 7, 11, 13)))
    named = re.findall(r"`?(GET|POST|PATCH|DELETE) (/[\w/{}.]+)", text)
    named += re.findall(r"`(POST) https://ims-na1\.adobelogin\.com(/[\w/.]+)`", text)
    known = {(method.lower(), path) for method, path in named} - {("post", "/connections/search")}

    assert known <= ours().operations()
    assert ours().operations() - known == {
        ("get", "/connectionSpecs"),
        ("post", "/connections/{id}/action"),
        ("post", "/ims/token/v2"),
    }
    assert "`GET /connectionSpecs` lists all" in section(12)
    assert "`POST /connections/{id}/action?op=publish`" in section(12)
    assert "v2 and v4 exist" in section(7)


def test_the_gateways_codes_are_those_of_the_contract() -> None:
    """In its table, and nowhere else."""
    rows = re.findall(r"^\| \d{3} \| ([^|]+)\|", section(4), re.MULTILINE)
    told = set(re.findall(r"\d{6}", " ".join(rows)))
    known = ours().openapi["components"]["schemas"]["GatewayError"]["properties"]["error_code"]

    assert set(known["anyOf"][0]["enum"]) == told


def test_every_code_that_the_simulator_uses_stands_in_the_catalogue() -> None:
    """A number that nobody documents would be one that we made up."""
    table = section(4)
    told = set(re.findall(r"\d{4}-\d{3}", table))
    for first, last, status in re.findall(r"(\d{4})-\d{3} to (\d{4})-(\d{3})", table):
        told |= {f"{number}-{status}" for number in range(int(first), int(last) + 1)}
    used = {
        code
        for path in (ROOT / "batchconnect" / "simulator").rglob("*.py")
        for code in re.findall(r"\"(\d{4}-[45]\d{2})\"", path.read_text("utf-8"))
    }

    assert len(used) > 20
    assert used <= told
