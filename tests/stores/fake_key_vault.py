"""
Key Vault and its sign-in as Microsoft documents their HTTP, over TLS, for the real client.

Source:
    learn.microsoft.com/rest/api/keyvault/secrets/get-secret and "Authentication, requests and responses".
"""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
CLIENT_ID = "0d1ff3c1-7c0a-4b0e-9d7e-2f1f6b8f3a11"
RESOURCE = "https://vault.azure.net"
METADATA = "/metadata/identity/oauth2/token"


@dataclass
class Held:
    """One secret with its versions, newest last."""

    versions: dict[str, str]
    is_enabled: bool = True
    expires_s: int | None = None


@dataclass
class FakeKeyVault:
    """What it holds, and how it is in the mood to answer."""

    port: int = 0
    authority_file: Path = field(default_factory=Path)
    client_secret: str = "FAKE~client.secret"
    assertion: str = "FAKE~header.of.a-pod"
    """What a pod's token file holds."""
    identity_header: str = "FAKE~identity-header"
    """What App Service gives its processes."""
    managed: list[dict[str, str]] = field(default_factory=list)
    """What the endpoints of managed identities were asked."""
    secrets: dict[str, Held] = field(default_factory=dict)
    forbidden: set[str] = field(default_factory=set)
    resource: str = RESOURCE
    answer: Callable[[str], tuple[int, dict[str, str], Any] | None] = lambda path: None
    """A test's own answer to a path; None: the usual one."""
    paths: list[str] = field(default_factory=list)
    tokens: int = 0

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    def get(self, path: str, authorization: str | None) -> tuple[int, dict[str, str], Any]:
        """Answer a read."""
        self.paths.append(path)
        told = self.answer(path)
        if told is not None:
            return told
        if not (authorization or "").startswith("Bearer token-"):
            challenge = f'Bearer authorization="https://{self.address}/{TENANT}", resource="{self.resource}"'
            return 401, {"WWW-Authenticate": challenge}, error("Unauthorized", "No token.")
        _, _, name, *version = path.split("/")
        held = self.secrets.get(name)
        if name in self.forbidden:
            return 403, {}, error("Forbidden", f"No right to {name}.", "ForbiddenByRbac")
        if held is None or (version and version[0] and version[0] not in held.versions):
            return 404, {}, error("SecretNotFound", f"A secret named {name} was not found.")
        if not held.is_enabled:
            text = "Operation get is not allowed on a disabled secret."
            return 403, {}, error("Forbidden", text, "SecretDisabled")
        found = version[0] if version and version[0] else [*held.versions][-1]
        attributes: dict[str, Any] = {"enabled": True, "created": 1, "updated": 1}
        if held.expires_s is not None:
            attributes["exp"] = held.expires_s
        return (
            200,
            {},
            {
                "value": held.versions[found],
                "id": f"https://{self.address}/secrets/{name}/{found}",
                "attributes": attributes,
            },
        )

    def give_managed(
        self, path: str, query: dict[str, str], header: str | None, is_metadata: bool
    ) -> tuple[int, dict[str, str], Any]:
        """Answer as App Service's endpoint, or a virtual machine's metadata service, which wants a header each."""
        if not (is_metadata if path == METADATA else header == self.identity_header):
            return 400, {}, {"error": "invalid_request", "error_description": f"bad: {header}"}
        self.managed.append(query)
        token = {
            "access_token": "token-managed",
            "expires_on": str(int(datetime.now(UTC).timestamp()) + 3600),
            "expires_in": "3600",
            "resource": query["resource"],
            "token_type": "Bearer",
        }
        return 200, {}, token

    def post(self, path: str, form: dict[str, list[str]]) -> tuple[int, dict[str, str], Any]:
        """Answer a sign-in."""
        told = self.answer(path)
        if told is not None:
            return told
        is_known = form.get("client_secret") == [self.client_secret]
        if not is_known and form.get("client_assertion") != [self.assertion]:
            return (
                401,
                {},
                {
                    "error": "invalid_client",
                    "error_description": f"AADSTS7000215: wrong: {form}",
                },
            )
        self.tokens += 1
        return (
            200,
            {},
            {
                "access_token": f"token-{self.tokens}",
                "expires_in": 3600,
                "token_type": "Bearer",
            },
        )


def error(code: str, message: str, inner: str | None = None) -> dict[str, Any]:
    """An error's body."""
    found: dict[str, Any] = {"code": code, "message": message}
    if inner is not None:
        found["innererror"] = {"code": inner}
    return {"error": found}


@contextmanager
def served_key_vault(folder: Path, *names: str) -> Iterator[FakeKeyVault]:
    """A vault that answers as long as the block lasts, on this machine and by these names."""
    vault = FakeKeyVault()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path, headers = urlsplit(self.path).path, self.headers
            if path in {METADATA, "/msi/token"}:
                query = dict(parse_qsl(urlsplit(self.path).query))
                is_metadata = headers.get("Metadata") == "true"
                self._answer(
                    vault.give_managed(path, query, headers.get("X-IDENTITY-HEADER"), is_metadata)
                )
                return
            self._answer(vault.get(path, self.headers.get("Authorization")))

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            form = parse_qs(self.rfile.read(length).decode())
            self._answer(vault.post(urlsplit(self.path).path, form))

        def _answer(self, told: tuple[int, dict[str, str], Any]) -> None:
            status, headers, document = told
            body = json.dumps(document).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    vault.authority_file, chain = certificate(folder, *names)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    vault.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield vault
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def certificate(folder: Path, *names: str) -> tuple[Path, Path]:
    """An authority's file, and the chain with its key of a server of these names on this machine."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.IPAddress(ip_address("127.0.0.1")), *map(x509.DNSName, names)]
            ),
            critical=False,
        )
        .add_extension(identifier, critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=True,
                crl_sign=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "authority.pem").write_bytes(pem)
    (folder / "chain.pem").write_bytes(pem + secret)
    return folder / "authority.pem", folder / "chain.pem"
