"""
The rules of Flow Service: who may come in, and what each call does.

Pure but for the store: a request and a time go in, an answer comes out. Checks come in the order in
which the real parts stand: first the gateway (key, token, org), then the sandbox, then the call.
"""

from dataclasses import dataclass

from batchconnect.simulator import answers, catalogue, connections
from batchconnect.simulator.connections import Effect, Handled
from batchconnect.simulator.exchange import BASE_PATH, Answer, Request
from batchconnect.simulator.ims import Ims, Token
from batchconnect.simulator.listing import listing
from batchconnect.simulator.registry import Registry
from batchconnect.simulator.store import Store

SHOWN = frozenset({"endpoint", "database", "tenant", "servicePrincipalId"})


@dataclass(slots=True, kw_only=True)
class Service:
    """Flow Service and IMS, without a wire."""

    store: Store
    registry: Registry
    ims: Ims
    shown: frozenset[str] = SHOWN
    """Which `auth.params` listings and GET show; the key is never one of them."""
    delete_status: int = 204
    """204 or 202: both are documented."""

    def handle(self, request: Request, now: float, effect: Effect) -> Handled:
        """
        Judge one request and let it take effect.

        Args:
            request: To IMS or to the platform.
            now: Unix time.
            effect: When it takes effect, if it is not refused.
        """
        if request.is_token_request:
            if request.path != "/ims/token/v3":
                return Handled(answer=answers.plain_message(404, "Not Found"))
            return Handled(answer=self.ims.answer(request, now))
        token = self._admitted(request, now, effect)
        if isinstance(token, Answer):
            return Handled(answer=token)
        return self._route(request, token, now, effect)

    def _admitted(self, request: Request, now: float, effect: Effect) -> Token | Answer:
        headers = request.headers
        bearer = headers.get("authorization", "")
        api_key = headers.get("x-api-key", "")
        if not api_key:
            return answers.gateway(403, "403000", "Api Key is required")
        if not self.registry.is_client(api_key):
            return answers.gateway(403, "403003", "Api Key is invalid")
        if not bearer:
            return answers.gateway(403, "403010", "Oauth token is missing.")
        token = self.ims.read(bearer[7:]) if bearer.startswith("Bearer ") else None
        if token is None or not self.ims.is_good(token, effect.identity.encode(), now):
            return answers.gateway(401, "401013", "Oauth token is not valid")
        if token.client_id != api_key:
            return answers.gateway(403, "403003", "Api Key is invalid")
        return self._of_org(request, token)

    def _of_org(self, request: Request, token: Token) -> Token | Answer:
        org_id = request.org_id
        if not org_id:
            return answers.gateway(400, "400003", "Missing header (x-gw-ims-org-id)")
        if not self.registry.is_org(org_id):
            return answers.gateway(403, "403027", "User region is missing")
        if not self.registry.owns(token.client_id, org_id):
            return answers.gateway(403, "403025", "Profile is not valid")
        refusal = self.registry.refusal(org_id, "platform") or self._wrong_sandbox(request)
        return token if refusal is None else refusal

    def _wrong_sandbox(self, request: Request) -> Answer | None:
        sandbox = request.sandbox
        if "x-sandbox-id" in request.headers:
            return answers.flow(
                "2110-400",
                "Headers not allowed",
                "The header x-sandbox-id is not allowed with the user token.",
            )
        if not sandbox:
            return answers.flow(
                "2105-400",
                "Header is missing",
                "The header x-sandbox-name is missing in the request.",
            )
        if sandbox == "*":
            return answers.flow(
                "2111-403",
                "Headers with value restricted",
                "The header x-sandbox-name with value * is restricted with the user token.",
            )
        if not self.registry.has_sandbox(request.org_id, sandbox):
            return answers.flow(
                "2100-404",
                "Sandbox not found",
                f"The sandbox with the name '{sandbox}' could not be found.",
            )
        return None

    def _route(self, request: Request, token: Token, now: float, effect: Effect) -> Handled:
        if request.method in {"POST", "PATCH", "PUT"} and not _is_json(request):
            return Handled(answer=answers.not_a_content_type())
        base, _, rest = request.path.partition(f"{BASE_PATH}/")
        match [base, *rest.strip("/").split("/")]:
            case ["", "connections"]:
                return self._collection(request, token, now, effect)
            case ["", "connections", connection_id]:
                return self._one(connection_id, request, token, now)
            case ["", "connections", connection_id, ("test" | "explore") as what]:
                return self._look_through(connection_id, what, request, now)
            case ["", "connectionSpecs", spec_id]:
                return Handled(answer=_spec(spec_id)) if request.method == "GET" else _not_allowed()
            case _:
                return Handled(
                    answer=answers.plain_message(404, "no Route matched with those values")
                )

    def _collection(self, request: Request, token: Token, now: float, effect: Effect) -> Handled:
        match request.method:
            case "GET":
                return Handled(answer=listing(request, self.store, now, self.shown))
            case "POST" if request.query:
                # `?mode=draft` would make something that is no connection yet.
                name = request.query[0][0]
                text = f"Invalid params {name} provided in query params."
                return Handled(answer=answers.invalid("1451-400", text))
            case "POST":
                return connections.create(request, self.store, token.client_id, now, effect)
            case _:
                return _not_allowed()

    def _one(self, connection_id: str, request: Request, token: Token, now: float) -> Handled:
        found = self.store.find(connection_id, request.org_id, request.sandbox, now)
        if request.method == "GET":
            return Handled(answer=connections.read(connection_id, found, self.shown))
        if request.method not in {"PATCH", "DELETE"}:
            return _not_allowed()
        if found is None:
            return Handled(answer=answers.connections_not_found(connection_id))
        wrong = connections.wrong_state(found)
        if wrong is not None:
            return Handled(answer=wrong)
        if request.method == "PATCH":
            return connections.change(found, request, self.store, token.client_id, now)
        return connections.delete(found, self.store, now, self.delete_status)

    def _look_through(self, connection_id: str, what: str, request: Request, now: float) -> Handled:
        if request.method != "GET":
            return _not_allowed()
        found = self.store.find(connection_id, request.org_id, request.sandbox, now)
        if what == "explore":
            return Handled(answer=connections.explore(connection_id, found, request))
        if found is None:
            return Handled(answer=answers.connections_not_found(connection_id))
        return Handled(answer=answers.json_answer(200, {"result": found.tests_well}))


def _is_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json"


def _not_allowed() -> Handled:
    return Handled(answer=answers.plain_message(405, "Method Not Allowed"))


def _spec(spec_id: str) -> Answer:
    spec = catalogue.SPECS.get(spec_id)
    if spec is None:
        return answers.flow(
            "1101-404",
            "Resource not found",
            "The requested resource is not found. Error from flow provider: Resource with given id does not exist.",
        )
    return answers.json_answer(200, {"items": [spec]})
