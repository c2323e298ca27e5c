"""
Speaks to a simulator without a wire, for tests: no socket, no event loop, and a clock that is set by hand.

What it builds is written from the contract, as everything here; it imports nothing of the engine.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import orjson

from batchconnect.simulator import catalogue
from batchconnect.simulator.control import Simulator
from batchconnect.simulator.decision import Delivery
from batchconnect.simulator.exchange import BASE_PATH, TOKEN_PATH, Answer, Request
from batchconnect.simulator.registry import CLIENT_SECRET, client_id_of

ORG = "5C1328435BF324E90A49402A@AdobeOrg"
OTHER_ORG = "AAAAAAAAAAAAAAAAAAAAAAAA@AdobeOrg"
CONNECTIONS = f"{BASE_PATH}/connections"
MARKER = "bc1-abcdefghijklmnopqrstuvwxyz"
ADX_ONLY = f"connectionSpec.id=={catalogue.ADX_SPEC}"


class Clock:
    """Unix time that passes only when a test says so."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """What time it is."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


def adx(
    name: str = "Contoso ADX",
    *,
    key: str = "a key",
    **changed: Any,
) -> dict[str, Any]:
    """The body of a create; *changed* replaces or, with None, removes fields of the top level."""
    body: dict[str, Any] = {
        "name": name,
        "description": f"Contoso {MARKER}",
        "auth": {
            "specName": catalogue.ADX_AUTH,
            "params": {
                "endpoint": "https://contoso.westeurope.kusto.windows.net",
                "database": "sales",
                "tenant": "72f988bf-86f1-41af-91ab-2d7cd011db47",
                "servicePrincipalId": "0d1ff3c1-7c0a-4b0e-9d7e-2f1f6b8f3a11",
                "servicePrincipalKey": key,
            },
        },
        "connectionSpec": {"id": catalogue.ADX_SPEC, "version": catalogue.ADX_VERSION},
        **changed,
    }
    return {field: value for field, value in body.items() if value is not None}


def token_form(org_id: str = ORG, **changed: str) -> bytes:
    """The body of a token request."""
    form = {
        "client_id": client_id_of(org_id),
        "client_secret": CLIENT_SECRET,
        "grant_type": "client_credentials",
        "scope": "openid",
        **changed,
    }
    return urlencode(form).encode()


class Caller:
    """
    A client of one org and sandbox that signs in by itself.

    Args:
        simulator: Whom it speaks to; the server need not run.
        org_id: Its org.
        sandbox: Its sandbox.
    """

    def __init__(self, simulator: Simulator, org_id: str = ORG, sandbox: str = "prod") -> None:
        self._simulator = simulator
        self.org_id = org_id
        self.sandbox = sandbox
        self.token: str | None = None

    def sign_in(self, **changed: str) -> Answer:
        """Fetch a token and keep it."""
        request = Request(
            method="POST",
            path=TOKEN_PATH,
            headers={"content-type": "application/x-www-form-urlencoded"},
            body=token_form(self.org_id, **changed),
        )
        answer = self._simulator.receive(request).answer
        if answer.status == 200:  # noqa: PLR2004  # HTTP's own number
            self.token = parsed(answer)["access_token"]
        return answer

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        headers: Mapping[str, str | None] | None = None,
    ) -> Request:
        """
        A request with all headers.

        Args:
            method: In upper case.
            path: Below the base path, with its query.
            body: A value that is sent as JSON, or bytes that are sent as they are.
            headers: Replaced or, with None, left out; names in lower case.
        """
        if self.token is None:
            self.sign_in()
        parts = urlsplit(path)
        all_headers = {
            "authorization": f"Bearer {self.token}",
            "x-api-key": client_id_of(self.org_id),
            "x-gw-ims-org-id": self.org_id,
            "x-sandbox-name": self.sandbox,
            **({} if body is None else {"content-type": "application/json"}),
            **(headers or {}),
        }
        raw = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
        return Request(
            method=method,
            path=f"{BASE_PATH}{parts.path}",
            query=tuple(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name: value for name, value in all_headers.items() if value is not None},
            body=raw,
        )

    def deliver(self, method: str, path: str, **rest: Any) -> Delivery:
        """Send a request, and say how its answer would be brought."""
        return self._simulator.receive(self.request(method, path, **rest))

    def send(self, method: str, path: str, **rest: Any) -> Answer:
        """Send a request; the arguments are those of `request`."""
        return self.deliver(method, path, **rest).answer

    def create(self, body: Any = None, **rest: Any) -> Answer:
        """`POST /connections`."""
        return self.send("POST", "/connections", body=adx() if body is None else body, **rest)

    def pages(self, *, limit: int = 100, filters: str = ADX_ONLY) -> Iterator[list[Any]]:
        """The pages of a whole listing, one after the other."""
        query = urlencode({"property": filters, "limit": limit})
        path: str | None = f"/connections?{query}"
        while path is not None:
            page = parsed(self.send("GET", path))
            yield page["items"]
            href = page["_links"].get("next", {}).get("href")
            path = None if href is None else f"{href}&{query}"

    def listed(self, **rest: Any) -> list[Any]:
        """All items of a listing, doubles too."""
        return [item for page in self.pages(**rest) for item in page]


def parsed(answer: Answer) -> Any:
    """The JSON of an answer."""
    return orjson.loads(answer.body)


def code(answer: Answer) -> str:
    """The code of an error, as `FLOW-2120-403` or `401013`."""
    body = parsed(answer)
    return str(body.get("type", body.get("error_code", ""))).rsplit("/", 1)[-1]
