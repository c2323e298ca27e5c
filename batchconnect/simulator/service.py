"""
The rules of Flow Service: who may come in, and what each call does.

Pure but for the store: a request and a time go in, an answer comes out. Checks come in the order in
which the real parts stand: first the gateway (key, token, org), then the sandbox, then the call.
"""

from dataclasses import dataclass

from batchconnect.simulator import answers, changes, connections, deletion, explore, listing, specs
from batchconnect.simulator.connections import Effect, Handled
from batchconnect.simulator.exchange import BASE_PATH, TOKEN_PATH, Answer, Request
from batchconnect.simulator.habits import Habits
from batchconnect.simulator.ims import Ims, Token
from batchconnect.simulator.records import Connection
from batchconnect.simulator.registry import Registry
from batchconnect.simulator.source import Source
from batchconnect.simulator.source_connections import SOURCE_CONNECTIONS
from batchconnect.simulator.store import Store

METHODS = {
    "": {"GET", "PATCH", "DELETE"},
    "test": {"GET"},
    "explore": {"GET"},
    "action": {"POST"},
}
"""What can be done with a connection: by the end of its path, the methods."""


@dataclass(slots=True, kw_only=True)
class Service:
    """Flow Service and IMS, without a wire."""

    store: Store
    registry: Registry
    ims: Ims
    habits: Habits
    source: Source

    def handle(self, request: Request, effect: Effect) -> Handled:
        """
        Judge one request and let it take effect.

        Args:
            request: To IMS or to the platform.
            effect: When it came, and when it takes effect, if it is not refused.
        """
        if request.is_token_request:
            if request.path != TOKEN_PATH:
                return Handled(answer=answers.plain_message(404, "Not Found"))
            return Handled(answer=self.ims.answer(request, effect.now))
        token = self._admitted(request, effect)
        if isinstance(token, Answer):
            return Handled(answer=token)
        return self._route(request, token, effect)

    def _admitted(self, request: Request, effect: Effect) -> Token | Answer:
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
        if token is None or not self.ims.is_good(token, effect.identity.encode(), effect.now):
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

    def _route(self, request: Request, token: Token, effect: Effect) -> Handled:
        if _needs_json(request) and not _is_json(request):
            return Handled(answer=answers.not_a_content_type())
        base, _, rest = request.path.partition(f"{BASE_PATH}/")
        match [base, *rest.strip("/").split("/")]:
            case ["", "connections"]:
                return self._collection(request, token, effect)
            case ["", "connections", connection_id, *call]:
                return self._of_one(connection_id, "/".join(call), request, token, effect)
            case ["", "sourceConnections"]:
                return self._look_up(request, effect, None)
            case ["", "connectionSpecs", *spec_id] if len(spec_id) < 2:  # noqa: PLR2004  # all of them, or one
                return self._look_up(request, effect, spec_id)
            case _:
                return _no_route()

    def _look_up(self, request: Request, effect: Effect, spec_id: list[str] | None) -> Handled:
        if request.method != "GET":
            return _not_allowed()
        if spec_id is None:
            found = listing.listing(request, self.store, effect.now, SOURCE_CONNECTIONS)
        elif spec_id:
            found = specs.spec(spec_id[0], self.habits.specs)
        else:
            found = specs.listing(request, self.habits.specs)
        return Handled(answer=found)

    def _collection(self, request: Request, token: Token, effect: Effect) -> Handled:
        match request.method:
            case "GET":
                all_of_them = listing.connections(self.habits)
                return Handled(answer=listing.listing(request, self.store, effect.now, all_of_them))
            case "POST" if request.query not in {(), (("mode", "draft"),)}:
                name = request.query[0][0]
                text = f"Invalid params {name} provided in query params."
                return Handled(answer=answers.invalid("1451-400", text))
            case "POST":
                return connections.create(request, self.source, token.client_id, effect)
            case _:
                return _not_allowed()

    def _of_one(
        self, connection_id: str, call: str, request: Request, token: Token, effect: Effect
    ) -> Handled:
        methods = METHODS.get(call)
        if methods is None or request.method not in methods:
            return _no_route() if methods is None else _not_allowed()
        found = self.store.find(connection_id, request.org_id, request.sandbox, effect.now)
        if found is None:
            absent = answers.connections_not_found(connection_id, self.habits.not_found)
            return Handled(answer=absent)
        if request.method == "GET":
            return self._read(found, call, request, effect)
        if request.method == "DELETE":
            return deletion.delete(found, self.store, self.habits, effect)
        do = changes.publish if request.method == "POST" else changes.change
        return do(found, request, self.source, token.client_id, effect)

    def _read(self, found: Connection, call: str, request: Request, effect: Effect) -> Handled:
        match call:
            case "test":
                return explore.test(found, self.source, effect.now)
            case "explore":
                return explore.explore(found, request, self.source, effect.now)
            case _:
                return Handled(answer=connections.read(found, self.habits))


def _needs_json(request: Request) -> bool:
    is_action = request.method == "POST" and request.path.rstrip("/").endswith("/action")
    return request.method in {"POST", "PATCH", "PUT"} and not (is_action and not request.body)


def _is_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json"


def _no_route() -> Handled:
    return Handled(answer=answers.plain_message(404, "no Route matched with those values"))


def _not_allowed() -> Handled:
    return Handled(answer=answers.plain_message(405, "Method Not Allowed"))
