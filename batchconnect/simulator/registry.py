"""Who exists: organizations, their credentials and their sandboxes; and who is turned away for now."""

import re
from collections.abc import Mapping, Set as AbstractSet
from dataclasses import dataclass, field
from typing import Literal

from batchconnect.simulator import answers
from batchconnect.simulator.exchange import Answer

CLIENT_SECRET = "simulated-secret"  # noqa: S105  # everybody's, and said in the documentation
SANDBOX = re.compile(r"[a-z][a-z0-9-]{0,255}")

At = Literal["ims", "platform"]


def client_id_of(org_id: str) -> str:
    """The client id that belongs to an org where no orgs were given."""
    return f"sim-{org_id.partition('@')[0].lower()}"


def denial(how: str) -> tuple[At, Answer]:
    """
    The answer that turns an org away.

    Args:
        how: One of `DENIALS`.

    Returns:
        Who gives it, and what it is.

    Raises:
        ValueError: *how* is not known.
    """
    if how not in DENIALS:
        raise ValueError(f"unknown denial {how!r}. HINT: one of {', '.join(sorted(DENIALS))}")
    return DENIALS[how]


def _ims(status: int, error: str, text: str) -> tuple[At, Answer]:
    return "ims", answers.json_answer(status, {"error": error, "error_description": text})


def _gateway(status: int, code: str, message: str) -> tuple[At, Answer]:
    return "platform", answers.gateway(status, code, message)


def _flow(code: str, title: str, message: str) -> tuple[At, Answer]:
    return "platform", answers.flow(code, title, message)


_CONTACT = "Please contact your administrator to resolve permissions and try again."
DENIALS: dict[str, tuple[At, Answer]] = {
    "invalid_client": _ims(400, "invalid_client", "invalid client_secret parameter"),
    "ims_401": _ims(401, "unauthorized_client", "the client is not authorized"),
    "ims_403": _ims(403, "access_denied", "the client is blocked"),
    "ims_429": ("ims", answers.gateway(429, "429050", "Too many requests", ("Retry-After", "1"))),
    "ims_500": ("ims", answers.html(500, "Internal Server Error")),
    "ims_503": ("ims", answers.empty(503)),
    "401013": _gateway(401, "401013", "Oauth token is not valid"),
    "403000": _gateway(403, "403000", "Api Key is required"),
    "403003": _gateway(403, "403003", "Api Key is invalid"),
    "403010": _gateway(403, "403010", "Oauth token is missing."),
    "403011": _gateway(403, "403011", "Scope mismatch"),
    "403012": _gateway(403, "403012", "Your IP is blacklisted"),
    "403013": _gateway(403, "403013", "Your IP is not whitelisted"),
    "403020": _gateway(403, "403020", "Oauth token missing or invalid"),
    "403023": _gateway(403, "403023", "Profile is not valid"),
    "403024": _gateway(403, "403024", "Not allowed to read the profile"),
    "403025": _gateway(403, "403025", "Profile is not valid"),
    "403027": _gateway(403, "403027", "User region is missing"),
    "503020": _gateway(403, "503020", "Could not read the profile"),
    "503000": _gateway(503, "503000", "Could not validate Api Key"),
    "503010": _gateway(503, "503010", "Could not validate the oauth token"),
    "503071": ("platform", answers.empty(503)),
    "429001": _gateway(429, "429001", "Service usage limit reached"),
    "429002": _gateway(429, "429002", "Developer key usage limit reached"),
    "429050": _gateway(429, "429050", "Too many requests"),
    "2000": _flow(
        "2000-401",
        "Invalid authorization token",
        "The authorization token does not have access to this organization or the organization does not exist.",
    ),
    "2100": _flow("2100-404", "Sandbox not found", "The sandbox could not be found."),
    "2118": _flow("2118-403", "Missing permission", f"The permission write is missing. {_CONTACT}"),
    "2120": _flow(
        "2120-403",
        "Forbidden",
        f"You do not have sufficient permissions to perform the operation. {_CONTACT}",
    ),
    "2121": _flow(
        "2121-403",
        "Forbidden",
        f"The permission manage is denied on resource Enterprise Source. {_CONTACT}",
    ),
    "1100": _flow(
        "1100-400",
        "Invalid request",
        "The request could not be processed. Error from flow provider: Not entitled to this operation.",
    ),
    "500": ("platform", answers.html(500, "Internal Server Error")),
    "502": ("platform", answers.html(502, "Bad Gateway")),
    "down": ("platform", answers.html(503, "Service Unavailable")),
    "portal": ("platform", answers.html(200, "Welcome to the guest network")),
}
"""How an org may be turned away: by name, at IMS or at the platform."""


@dataclass(slots=True, kw_only=True)
class Registry:
    """OrgRegistry and sandboxes that exist, and those denied for now."""

    orgs: Mapping[str, tuple[str, str]] | None = None
    """By org id: client id and client secret. None: any org, with `client_id_of` and `CLIENT_SECRET`."""
    sandboxes: Mapping[str, AbstractSet[str]] | None = None
    """By org id. None: every well-formed name exists that does not begin with `missing`."""
    denied: dict[str, str] = field(default_factory=dict)
    """By org id: how, one of `DENIALS`."""

    def accepts(
        self, client_id: str, client_secret: str
    ) -> Literal["yes", "client_id", "client_secret"]:
        """Whether a credential is good, or which part of it is not."""
        if self.orgs is None:
            known = client_id.startswith("sim-") and len(client_id) > len("sim-")
            good = {CLIENT_SECRET} if known else set()
        else:
            good = {secret for client, secret in self.orgs.values() if client == client_id}
        if not good:
            return "client_id"
        return "yes" if client_secret in good else "client_secret"

    def is_client(self, client_id: str) -> bool:
        """Whether a client id exists."""
        return self.accepts(client_id, "") != "client_id"

    def is_org(self, org_id: str) -> bool:
        """Whether an organization exists."""
        left, _, right = org_id.partition("@")
        if self.orgs is not None:
            return org_id in self.orgs
        return bool(left) and right == "AdobeOrg"

    def owns(self, client_id: str, org_id: str) -> bool:
        """Whether a credential belongs to an organization."""
        if self.orgs is not None:
            return org_id in self.orgs and self.orgs[org_id][0] == client_id
        return client_id_of(org_id) == client_id

    def has_sandbox(self, org_id: str, sandbox: str) -> bool:
        """Whether a sandbox exists in an organization."""
        if self.sandboxes is not None:
            return sandbox in self.sandboxes.get(org_id, ())
        return SANDBOX.fullmatch(sandbox) is not None and not sandbox.startswith("missing")

    def refusal(self, org_id: str, at: At) -> Answer | None:
        """The answer that turns an org away at one of the two doors."""
        how = self.denied.get(org_id)
        if how is None:
            return None
        where, answer = denial(how)
        return answer if where == at else None

    def refusal_of_client(self, client_id: str) -> Answer | None:
        """The answer with which IMS turns a credential away."""
        for org_id in self.denied:
            if self.owns(client_id, org_id):
                return self.refusal(org_id, "ims")
        return None
