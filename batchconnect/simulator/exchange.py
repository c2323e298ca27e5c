"""
One HTTP message each way, as plain values, so that the rules know nothing of a web server.

What the rules say is an `Answer`; how it is brought to the client, whole or broken, is said in
`decision.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import orjson

BASE_PATH = "/data/foundation/flowservice"
TOKEN_PATH = "/ims/token/v3"  # noqa: S105  # a path, not a password

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request as it arrived. No slots: the parts that are read twice are kept."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    """Decoded pairs, in the order sent; a name may repeat."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Names in lower case; hidden from the repr, for the token stands here."""
    body: bytes = field(default=b"", repr=False)

    def first(self, name: str) -> str | None:
        """The first value of a query parameter."""
        return next((value for key, value in self.query if key == name), None)

    def every(self, name: str) -> list[str]:
        """All values of a repeated query parameter."""
        return [value for key, value in self.query if key == name]

    @property
    def org_id(self) -> str:
        """`x-gw-ims-org-id`, empty where it is missing."""
        return self.headers.get("x-gw-ims-org-id", "")

    @property
    def sandbox(self) -> str:
        """`x-sandbox-name`, empty where it is missing."""
        return self.headers.get("x-sandbox-name", "")

    @property
    def is_token_request(self) -> bool:
        """Whether this is for IMS."""
        return self.path.startswith("/ims/")

    @property
    def is_create(self) -> bool:
        """Whether this may make a connection."""
        return self.method == "POST" and self.path.rstrip("/") == f"{BASE_PATH}/connections"

    @property
    def is_change(self) -> bool:
        """Whether this may change, publish or delete a connection."""
        if not self.path.startswith(f"{BASE_PATH}/connections/"):
            return False
        return self.method in {"PATCH", "DELETE"} or (
            self.method == "POST" and self.path.rstrip("/").endswith("/action")
        )

    @property
    def is_write(self) -> bool:
        """Whether an answer to this that is lost leaves a doubt."""
        return self.is_create or self.is_change

    @property
    def is_listing(self) -> bool:
        """Whether this reads a page of connections."""
        return self.method == "GET" and self.path.rstrip("/") == f"{BASE_PATH}/connections"

    @cached_property
    def json(self) -> Any:
        """The parsed body, or None where it is not JSON."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer as the service means it."""

    status: int
    headers: Headers = ()
    body: bytes = field(default=b"", repr=False)
    """Hidden from the repr: listings are secret, and an error may repeat the request."""

    def header(self, name: str) -> str | None:
        """The value of a header, whatever its letter case."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    def with_headers(self, *added: tuple[str, str]) -> "Answer":
        """The same answer with more headers."""
        return Answer(status=self.status, headers=(*self.headers, *added), body=self.body)
