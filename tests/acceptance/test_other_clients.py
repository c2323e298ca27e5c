"""
Other clients against `batchconnect simulate`, over a real socket: the calls of aepp 0.6 and of Adobe's Postman
collections, as they write them, get the documented answers.
"""

from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import orjson
import pytest

from tests.acceptance.place import Place, until

pytestmark = pytest.mark.acceptance

BASE = "/data/foundation/flowservice"
SPEC = "0479cc14-7651-4354-b233-7480606c2ac3"
PARAMS = {
    "endpoint": "https://contoso.westeurope.kusto.windows.net",
    "database": "sales",
    "tenant": "72f988bf-86f1-41af-91ab-2d7cd011db47",
    "servicePrincipalId": "0d1ff3c1-7c0a-4b0e-9d7e-2f1f6b8f3a11",
    "servicePrincipalKey": "a key",
}
BODY = {
    "name": "Another client's",
    "auth": {"specName": "Service Principal Based Authentication", "params": PARAMS},
    "connectionSpec": {"id": SPEC, "version": "1.0"},
}


class Client:
    """The smallest client: one request, one answer."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._host = urlsplit(environment["BATCHCONNECT_PLATFORM_URL"]).netloc
        self.credential = {
            "grant_type": "client_credentials",
            "client_id": environment["BATCHCONNECT_CLIENT_ID"],
            "client_secret": environment["BATCHCONNECT_CLIENT_SECRET"],
            "scope": "openid,session",
        }
        self.headers = {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "x-api-key": environment["BATCHCONNECT_CLIENT_ID"],
            "x-gw-ims-org-id": environment["BATCHCONNECT_ORG_ID"],
            "x-sandbox-name": environment["BATCHCONNECT_SANDBOX"],
        }

    def send(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, Any]:
        """Send a request as it is, and read status and JSON."""
        connection = HTTPConnection(self._host, timeout=30)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, orjson.loads(text) if text else None

    def sign_in(self, path: str, body: bytes | None, **headers: str) -> None:
        """Fetch a token and keep it."""
        status, told = self.send("POST", path, body, **headers)
        assert status == 200, told
        self.headers["Authorization"] = f"Bearer {told['access_token']}"

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Call Flow Service, with all headers at every call."""
        raw = None if body is None else orjson.dumps(body)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.send(method, f"{BASE}{path}", raw, **{**self.headers, **given})


@pytest.fixture
def client(place: Place) -> Iterator[Client]:
    serving = place.start("simulate", "--json", "--foreign-clients")
    until(lambda: serving.said.rstrip().endswith("}"))
    yield Client(orjson.loads(serving.said)["environment"])
    serving.process.terminate()
    assert serving.done().code == 0


def test_aepp_creates_lists_reads_tests_explores_patches_and_deletes(client: Client) -> None:
    """A form to IMS v3; the etag of a GET as If-Match; pages by link, its own parameters behind it."""
    form = urlencode(client.credential).encode()
    client.sign_in("/ims/token/v3", form, **{"Content-Type": "application/x-www-form-urlencoded"})
    ids = [client.call("POST", "/connections", BODY)[1]["id"] for _ in range(3)]
    path = f"/connections/{ids[0]}"

    first = client.call("GET", "/connections?limit=2")[1]
    second = client.call("GET", f"{first['_links']['next']['href']}&limit=2")[1]
    assert {one["id"] for one in first["items"] + second["items"]} == set(ids)
    assert client.call("GET", "/connections?count=True") == (200, {"count": 3})
    assert client.call("GET", f"{path}/test") == (200, {"result": True})
    tables = client.call("GET", f"{path}/explore?objectType=root")[1]
    table = quote(tables[0]["path"], safe="")
    columns = client.call("GET", f"{path}/explore?objectType=table&object={table}")[1]
    assert columns["schema"]["columns"]
    etag = client.call("GET", path)[1]["items"][0]["etag"]
    patch = [{"op": "Add", "path": "/description", "value": "by aepp"}]
    status, told = client.call("PATCH", path, patch, If_Match=etag)
    assert (status, told["id"]) == (200, ids[0])
    assert client.call("GET", path)[1]["items"][0]["description"] == "by aepp"
    assert client.call("GET", "/sourceConnections")[1] == {"items": [], "_links": {}}
    assert len(client.call("GET", "/connectionSpecs")[1]["items"]) > 1
    assert client.call("GET", f"/connectionSpecs/{SPEC}")[1]["items"][0]["id"] == SPEC
    assert client.call("DELETE", path) == (204, None)
    text = f"connections not found with id = [{ids[0]}]"
    assert client.call("GET", path) == (404, {"errorMessage": text, "errorDetails": text})


def test_adobes_collections_do_so_too(client: Client) -> None:
    """A query to IMS v2; trailing slashes, `if-match` in the query, parameters left empty."""
    client.sign_in(f"/ims/token/v2?{urlencode(client.credential)}", None)
    made = client.call("POST", "/connections", BODY)[1]
    path = f"/connections/{made['id']}"
    listing = f"/connections?property=connectionSpec.id=={SPEC}&limit=20&orderby=&continuationToken=&count=false"

    assert [one["id"] for one in client.call("GET", listing)[1]["items"]] == [made["id"]]
    assert client.call("GET", path)[1]["items"][0]["name"] == BODY["name"]
    assert client.call("GET", f"{path}/test") == (200, {"result": True})
    assert client.call("GET", f"{path}/explore")[0] == 200
    patch = [{"op": "replace", "path": "/name", "value": "Renamed"}]
    changed = client.call("PATCH", f"{path}/?{urlencode({'if-match': made['etag']})}", patch)
    assert changed[0] == 200
    assert client.call("GET", path)[1]["items"][0]["etag"] == changed[1]["etag"] != made["etag"]
    assert client.call("GET", "/connectionSpecs?property=")[0] == 200
    assert client.call("DELETE", f"{path}/") == (204, None)
