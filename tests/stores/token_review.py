"""What Vault asks of a Kubernetes cluster when a pod signs in: the TokenReview of its API, over TLS."""

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from tests.stores.fake_key_vault import certificate

_UID = "5b1f6a0e-0d7a-4a3f-9d0b-0c7a3f1e2d4c"


@dataclass
class Cluster:
    """A cluster with one service account."""

    port: int = 0
    authority: str = ""
    """PEM."""
    namespace: str = "clients"
    account: str = "batchconnect"
    reviewed: list[str] = field(default_factory=list)
    """Tokens that it was asked about."""
    is_known: bool = True
    """Whether it takes the pod's token for good."""
    _key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def token(self) -> str:
        """As Kubernetes puts it into a pod; the review alone says whether it is good."""
        claims = {
            "iss": "https://kubernetes.default.svc.cluster.local",
            "aud": ["https://kubernetes.default.svc.cluster.local"],
            "iat": int(time.time()),
            "nbf": int(time.time()),
            "exp": int(time.time()) + 3600,
            "sub": f"system:serviceaccount:{self.namespace}:{self.account}",
            "kubernetes.io": {
                "namespace": self.namespace,
                "serviceaccount": {"name": self.account, "uid": _UID},
            },
        }
        return jwt.encode(claims, self._key, algorithm="ES256")

    def review(self, body: dict[str, Any]) -> dict[str, Any]:
        """Its answer."""
        self.reviewed.append(body["spec"]["token"])
        user = {
            "username": f"system:serviceaccount:{self.namespace}:{self.account}",
            "uid": _UID,
            "groups": [
                "system:serviceaccounts",
                f"system:serviceaccounts:{self.namespace}",
                "system:authenticated",
            ],
        }
        audiences = body["spec"].get("audiences", [])
        good = {"authenticated": True, "user": user, "audiences": audiences}
        status = good if self.is_known else {"authenticated": False}
        return {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status}


@contextmanager
def served_cluster(folder: Path) -> Iterator[Cluster]:
    """A cluster that answers as long as the block lasts."""
    cluster = Cluster()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/apis/authentication.k8s.io/v1/tokenreviews"
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told = json.dumps(cluster.review(body)).encode()
            self.send_response(201)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    authority, chain = certificate(folder)
    cluster.authority = authority.read_text()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    cluster.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield cluster
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
