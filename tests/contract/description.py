"""
Reads a description of the service (OpenAPI) and says where a request or an answer departs from it.

One is ours, `flow_service.yaml`, and in every clone: it holds the simulator and every request. Adobe's own
is no part of the project; where it lies beside a checkout, the simulator's good answers are held to it too.
"""

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson
import yaml
from jsonschema.exceptions import ValidationError, best_match
from jsonschema.protocols import Validator
from openapi_schema_validator import OAS30Validator, OAS31Validator

HERE: Final = Path(__file__).parent
OURS: Final = HERE / "flow_service.yaml"
ADOBES: Final = HERE.parents[2] / "shared" / "flow-service.openapi.yaml"
BASE_PATH: Final = "/data/foundation/flowservice"
OF_HTTP: Final = frozenset(
    {"host", "user-agent", "accept-encoding", "content-length", "connection", "transfer-encoding"}
)
"""Headers of the protocol itself, which no description names."""

Pairs = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A request, as whoever made or met it has it."""

    method: str
    target: str
    """A path or a URL, with its query."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def query(self) -> list[tuple[str, str]]:
        """Decoded pairs, in the order sent."""
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What is said of one method of one path."""

    template: str
    method: str
    path_values: Mapping[str, str]
    parameters: Sequence[Mapping[str, Any]]
    said: Mapping[str, Any]

    def of(self, where: str) -> list[Mapping[str, Any]]:
        """The parameters that stand in `query`, `header` or `path`."""
        return [one for one in self.parameters if one["in"] == where]


class Description:
    """
    One description.

    Args:
        openapi: As parsed. Version 3.0 or 3.1, with all references inside.
    """

    def __init__(self, openapi: Mapping[str, Any]) -> None:
        self.openapi = openapi
        """As parsed."""
        is_30 = str(openapi["openapi"]).startswith("3.0")
        self._dialect: type[Validator] = OAS30Validator if is_30 else OAS31Validator
        self._validators: dict[int, Validator] = {}
        self._good: set[tuple[int, str]] = set()
        self._good_requests: set[Hashable] = set()
        self._parameters: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
        self._templates = [
            (re.compile(re.sub(r"\{\w+\}", "([^/]+)", path.rstrip("/"))), path)
            for path in openapi["paths"]
        ]

    # What is described

    def operation(self, method: str, target: str) -> Operation | None:
        """What is said of a request's method and path; None: nothing."""
        path = urlsplit(target).path.removeprefix(BASE_PATH).rstrip("/")
        for pattern, template in self._templates:
            found = pattern.fullmatch(path)
            of_path = self.openapi["paths"][template]
            if found is None or method.lower() not in of_path:
                continue
            said = of_path[method.lower()]
            names = re.findall(r"\{(\w+)\}", template)
            values = (unquote(value) for value in found.groups())
            return Operation(
                template=template,
                method=method.lower(),
                path_values=dict(zip(names, values, strict=True)),
                parameters=self._parameters_of(template, method.lower()),
                said=said,
            )
        return None

    def _parameters_of(self, template: str, method: str) -> list[Mapping[str, Any]]:
        known = self._parameters.get((template, method))
        if known is None:
            of_path = self.openapi["paths"][template]
            said = [*of_path.get("parameters", ()), *of_path[method].get("parameters", ())]
            known = self._parameters[template, method] = [self.resolved(one) for one in said]
        return known

    def operations(self) -> set[tuple[str, str]]:
        """Method and path of all that is described."""
        methods = {"get", "post", "put", "patch", "delete"}
        return {
            (method, path)
            for path, said in self.openapi["paths"].items()
            for method in methods & said.keys()
        }

    def resolved(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a reference leads to; anything else is itself."""
        while "$ref" in node:
            target: Any = self.openapi
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            node = target
        return node

    def component(self, name: str, value: Any) -> list[str]:
        """How a value departs from a named schema."""
        return self._problems(self.openapi["components"]["schemas"][name], value)

    # What departs from it

    def request_problems(self, message: Message) -> list[str]:
        """
        How a request departs from what is described; [] is well.

        No value is repeated but those of path and query, since a request holds secrets.
        """
        # A crash at each of a hundred side effects sends the same six rows a hundred times.
        seen = (message.method, message.target, *message.headers.items(), message.body)
        if seen in self._good_requests:
            return []
        problems = self._request_problems(message)
        if not problems:
            self._good_requests.add(seen)
        return problems

    def _request_problems(self, message: Message) -> list[str]:
        operation = self.operation(message.method, message.target)
        if operation is None:
            return [f"{message.method} {urlsplit(message.target).path}: not described"]
        if operation.said.get("x-foreign"):
            return [f"{message.method} {urlsplit(message.target).path}: not ours"]
        return [
            *self._in_path(operation),
            *self._in_query(operation, message.query),
            *self._in_headers(operation, message.headers),
            *self._in_body(operation, message),
        ]

    def answer_problems(
        self, message: Message, status: int, headers: Pairs, body: bytes
    ) -> list[str]:
        """How the answer to a request departs from what is described; [] is well."""
        operation = self.operation(message.method, message.target)
        said = self._answer_said(operation, status)
        if said is None:
            return [f"{message.method} {urlsplit(message.target).path}: {status} is not described"]
        told = {name.lower(): value for name, value in headers}
        problems = [
            f"header {name}: {text}"
            for name, header in said.get("headers", {}).items()
            for text in self._header(self.resolved(header), told.get(name.lower()))
        ]
        return problems + self._content(said, told.get("content-type", ""), body, status)

    def _answer_said(self, operation: Operation | None, status: int) -> Mapping[str, Any] | None:
        if operation is not None:
            said = operation.said["responses"].get(str(status))
            return None if said is None else self.resolved(said)
        elsewhere = self.openapi["components"].get("responses", {}).get("NotOffered")
        return elsewhere if status >= 400 else None

    def _in_path(self, operation: Operation) -> list[str]:
        schemas = {one["name"]: one["schema"] for one in operation.of("path")}
        return [
            f"path {name}: {text}"
            for name, value in operation.path_values.items()
            for text in self._problems(schemas[name], value)
        ]

    def _in_query(self, operation: Operation, query: Pairs) -> list[str]:
        given: dict[str, list[str]] = {}
        for name, value in query:
            given.setdefault(name, []).append(value)
        described = {one["name"]: one for one in operation.of("query")}
        problems = [f"query {name}: not described" for name in given.keys() - described.keys()]
        problems += [f"query {x}: not ours" for x in given if described.get(x, {}).get("x-foreign")]
        for name, one in described.items():
            if name in given:
                problems += [f"query {name}: {text}" for text in self._query(one, given[name])]
            elif one.get("required"):
                problems.append(f"query {name}: missing")
        apart = operation.said.get("x-never-together", [])
        if len(apart) > 1 and given.keys() >= set(apart):
            problems.append(f"query {' and '.join(apart)}: never together")
        return problems

    def _in_headers(self, operation: Operation, headers: Mapping[str, str]) -> list[str]:
        given = {name.lower(): value for name, value in headers.items()}
        described = {one["name"].lower(): one for one in operation.of("header")}
        problems = [
            f"header {name}: not described" for name in given.keys() - described.keys() - OF_HTTP
        ]
        return problems + [
            f"header {name}: {text}"
            for name, one in described.items()
            for text in self._header(one, given.get(name))
        ]

    def _header(self, said: Mapping[str, Any], value: str | None) -> list[str]:
        if value is None:
            return ["missing"] if said.get("required") else []
        if "schema" not in said:
            return []
        if self._is_good(said, value):
            return []
        return ["not as described"]  # not the validator's words, which repeat what may be a token

    def _query(self, said: Mapping[str, Any], values: list[str]) -> list[str]:
        value = _typed(self.resolved(said["schema"]), values)
        return [] if self._is_good(said, value) else self._problems(said["schema"], value)

    def _is_good(self, said: Mapping[str, Any], value: Any) -> bool:
        # Most headers and queries of a test's requests are alike, and a validator is slow.
        seen = (id(said), repr(value))
        if seen not in self._good and not self._problems(said["schema"], value):
            self._good.add(seen)
        return seen in self._good

    def _in_body(self, operation: Operation, message: Message) -> list[str]:
        said = operation.said.get("requestBody")
        if said is None:
            return ["body: not described"] if message.body else []
        ((kind, content),) = self.resolved(said)["content"].items()
        if kind == "application/json":
            value = _json(message.body)
        else:
            value = dict(parse_qsl(message.body.decode("utf-8", "replace"), keep_blank_values=True))
        validator = self._validator(content["schema"])
        return [
            f"body {'/'.join(map(str, error.absolute_path))}: {error.validator}"
            + (
                f" {error.message}"
                if error.validator in {"required", "additionalProperties"}
                else ""
            )
            for error in validator.iter_errors(value)
        ]

    def _content(
        self, said: Mapping[str, Any], content_type: str, body: bytes, status: int
    ) -> list[str]:
        content = said.get("content", {})
        if not body:
            return [] if said.get("x-may-be-empty") or not content else ["body: missing"]
        kind = content_type.partition(";")[0].strip()
        if kind not in content:
            return [f"body: {kind or 'no content type'} is not described"]
        schema = content[kind].get("schema", {})
        if kind != "application/json":
            return [f"body {x}" for x in self._problems(schema, body.decode("utf-8", "replace"))]
        value = _json(body)
        return [f"body {x}" for x in self._problems(schema, value)] + _other_status(value, status)

    def _problems(self, schema: Mapping[str, Any], value: Any) -> list[str]:
        errors = map(_deepest, self._validator(schema).iter_errors(value))
        return [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in errors]

    def _validator(self, schema: Mapping[str, Any]) -> Validator:
        # By identity: schemas are parts of one document that lives as long as this does.
        known = self._validators.get(id(schema))
        if known is None:
            whole = {"allOf": [schema], "components": self.openapi["components"]}
            known = self._validators[id(schema)] = self._dialect(whole)
        return known


def _deepest(error: ValidationError) -> ValidationError:
    """Of alternatives that all fail, what is wrong with the likeliest."""
    return best_match([error]) or error


def _typed(schema: Mapping[str, Any], values: list[str]) -> Any:
    """The texts of a query as what they stand for."""
    if schema.get("type") == "array":
        return values
    if len(values) > 1:
        return values  # given more than once: no schema of one value has an array
    value = values[0]
    if schema.get("type") == "integer" and value.isascii() and value.isdigit():
        return int(value)
    return (
        {"true": True, "false": False}.get(value, value)
        if schema.get("type") == "boolean"
        else value
    )


def _other_status(value: Any, status: int) -> list[str]:
    """An error that names a status names the one that it came under."""
    if not isinstance(value, dict) or status < 400:
        return []
    named = {value.get("status", status)}
    code = re.search(r"/FLOW-\d{4}-(\d{3})$", str(value.get("type", "")))
    named |= {int(code[1])} if code else set()
    return [] if named == {status} else [f"body: names {sorted(named)} under {status}"]


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None  # which no schema here allows


@cache
def ours() -> Description:
    """The description of our own making; read once, since nothing changes it."""
    return Description(yaml.load(OURS.read_text(encoding="utf-8"), yaml.CSafeLoader))


def adobes(path: Path) -> Description:
    """
    Adobe's own description, closed: a member that it does not name is an error, so that a mistyped one is
    found, although it allows any.

    What the guides have and the file lacks is put in: the contract, sections 3 and 11. Credentials and the
    schemas of connection specs stay open, for the file has other sources' there, by way of example.
    """
    openapi = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
    schemas = openapi["components"]["schemas"]
    _close(schemas)
    schemas["AuthCreateBaseDTO"] = {"type": "object"}
    schemas["ConnectionItemDTO"]["properties"] |= {"etag": {}, "sandboxName": {}}
    listing = schemas["ConnectionListResponse"]["properties"]
    listing |= {"_links": {"$ref": "#/components/schemas/PageLinksResponse"}, "count": {}}
    explored = {"anyOf": [schemas["ExploreConnectionResponse"], {"required": ["schema"]}]}
    schemas["ExploreConnectionResponse"] = explored
    return Description(openapi)


def _close(schema: Any) -> None:
    if isinstance(schema, list):
        for one in schema:
            _close(one)
    elif isinstance(schema, dict):
        if schema.get("type") == "object" and isinstance(schema.get("properties"), dict):
            schema.setdefault("additionalProperties", False)
        for name, inner in schema.items():
            if name not in {"example", "enum", "spec"}:
                _close(inner)
