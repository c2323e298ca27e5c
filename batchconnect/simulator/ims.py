"""
Hands out tokens as IMS does, and says of each whether it is good.

A token says whose it is and is signed, so that it outlives a restart of the simulator without being
stored anywhere.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import parse_qs

import orjson

from batchconnect.simulator import answers
from batchconnect.simulator.exchange import Answer, Request
from batchconnect.simulator.registry import Registry
from batchconnect.simulator.store import Store

HEADER = "eyJhbGciOiJIUzI1NiJ9"
FIELDS = ("client_id", "client_secret", "grant_type", "scope")
READ_KEPT = 1000
"""Tokens whose signature was checked already."""
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What a token says of itself."""

    client_id: str
    ordinal: int
    expires_at: float


class Ims:
    """
    The token endpoint.

    Args:
        registry: Who exists.
        store: Counts tokens and keeps which died.
        seed: Signs the tokens.
        life_s: How long a token is good, also said as `expires_in`.
        uses: How many requests the token with an ordinal serves before it dies; None: any number.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        store: Store,
        seed: int,
        life_s: int,
        uses: Callable[[int], int] | None = None,
    ) -> None:
        self._registry = registry
        self._store = store
        self._secret = sha256(f"ims {seed}".encode()).digest()
        self._uses = uses
        self._read: dict[str, Token] = {}
        self._used: dict[int, int] = {}
        self._refused: dict[bytes, int] = {}
        self.life_s = life_s

    def answer(self, request: Request, now: float) -> Answer:
        """`POST /ims/token/v3`."""
        if request.method != "POST":
            return answers.plain_message(405, "Method Not Allowed")
        if request.query or not request.headers.get("content-type", "").startswith(FORM):
            # Query strings may be logged on the way, so a secret in one is not even looked at.
            return _error("invalid_request", "all parameters belong into the form body")
        form = parse_qs(request.body.decode("utf-8", "replace"), keep_blank_values=True)
        client_id, *others = (form.get(name, [""])[0] for name in FIELDS)
        refusal = self._registry.refusal_of_client(client_id) or self._refusal(client_id, *others)
        if refusal is not None:
            return refusal
        token = Token(
            client_id=client_id,
            ordinal=self._store.count("tokens"),
            expires_at=now + self.life_s,
        )
        issued = {
            "access_token": self.write(token),
            "token_type": "bearer",
            "expires_in": self.life_s,
        }
        return answers.json_answer(200, issued)

    def _refusal(self, client_id: str, secret: str, grant: str, scope: str) -> Answer | None:
        accepted = self._registry.accepts(client_id, secret)
        if accepted != "yes":
            return _error("invalid_client", f"invalid {accepted} parameter")
        if grant != "client_credentials":
            return _error("unsupported_grant_type", "unsupported grant_type parameter")
        return None if scope else _error("invalid_scope", "invalid scope parameter")

    def write(self, token: Token) -> str:
        """A token as text, in the shape of a JWT."""
        claims = [token.client_id, token.ordinal, token.expires_at]
        payload = urlsafe_b64encode(orjson.dumps(claims)).decode().rstrip("=")
        return f"{HEADER}.{payload}.{self._sign(payload)}"

    def read(self, text: str) -> Token | None:
        """What a token says, or None where it is not one of ours."""
        known = self._read.get(text)
        if known is not None:
            return known
        header, _, rest = text.partition(".")
        payload, _, signature = rest.partition(".")
        good = hmac.compare_digest(signature.encode(), self._sign(payload).encode())
        if header != HEADER or not good:
            return None
        client_id, ordinal, expires_at = orjson.loads(urlsafe_b64decode(payload + "=="))
        token = Token(client_id=client_id, ordinal=ordinal, expires_at=expires_at)
        if len(self._read) >= READ_KEPT:
            self._read.clear()
        self._read[text] = token
        return token

    def is_good(self, token: Token, identity: bytes, now: float) -> bool:
        """
        Whether a token opens the door, and one use of it.

        A token that dies of its uses never costs a request twice: the next try of that request passes
        with any later token, even where many others have used that one up meanwhile.

        Args:
            token: As read from the header.
            identity: What the request is; a further try of it has the same.
            now: Unix time.
        """
        revoked = token.ordinal <= self._store.revoked_up_to(token.client_id)
        if revoked or now >= token.expires_at:
            return False
        if self._uses is None:
            return True
        used = self._used[token.ordinal] = self._used.get(token.ordinal, 0) + 1
        refused = self._refused.get(identity, token.ordinal)
        if used <= self._uses(token.ordinal) or refused < token.ordinal:
            self._refused.pop(identity, None)
            return True
        self._refused[identity] = token.ordinal
        return False

    def _sign(self, payload: str) -> str:
        digest = hmac.digest(self._secret, payload.encode(), "sha256")
        return urlsafe_b64encode(digest).decode().rstrip("=")


def _error(error: str, text: str) -> Answer:
    return answers.json_answer(400, {"error": error, "error_description": text})
