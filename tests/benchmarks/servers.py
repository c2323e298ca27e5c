"""
Servers that answer at once and always alike: nginx where it is there, else a small one of our own.

They give a token, an empty listing, and to each POST a 201 with an id of its own.
"""

import json
import os
import socket
import string
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.benchmarks.place import SERVER_CORE, found, pinned, python

CONNECTIONS = "/data/foundation/flowservice/connections"
TOKEN = json.dumps(
    {
        # As long as Adobe's: whoever looks for it in an answer has as much to look for.
        "access_token": "".join(Random(1).choices(string.ascii_letters + string.digits, k=1100)),
        "token_type": "bearer",
        "expires_in": 86399,
    }
)
MADE = '{"id":"ID","etag":"\\"1d0087f2-0000-0200-0000-65f2c8a40000\\""}'
"""The 201, where `ID` stands for a GUID: two rows with one id would be doubts. Its etag is formed as Adobe's are."""

_NGINX = """
daemon off; worker_processes 1; error_log {folder}/error.log crit; pid {folder}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  keepalive_requests 1000000000; keepalive_timeout 75s; default_type application/json;
  map $request_id $guid {{ "~^(.{{8}})(.{{4}})(.{{4}})(.{{4}})(.{{12}})$" "$1-$2-$3-$4-$5"; }}
  {zone}
  access_log {log};
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location /ims/ {{ return 200 '{token}'; }}
    location = {connections} {{
      if ($request_method = POST) {{ rewrite ^ /made last; }}
      if ($arg_count) {{ return 200 '{{"count":0}}'; }}
      return 200 '{{"items":[],"_links":{{}}}}';
    }}
    {made}
  }}
}}
"""
_AT_ONCE = "location = /made {{ return 201 '{made}'; }}"
# `return` ends a request before `limit_req` is asked, so a second server gives the fixed answer.
_LIMITED = """
    location = /made {{ limit_req zone=lane nodelay; limit_req_status 429;
      proxy_pass http://127.0.0.1:{other}/; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
  server {{ listen 127.0.0.1:{other}; location / {{ return 201 '{made}'; }}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that is up."""

    name: str
    port: int
    log: Path | None = None

    @property
    def url(self) -> str:
        """Its root."""
        return f"http://127.0.0.1:{self.port}"


def free_port() -> int:
    """A port of loopback that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def fixed(folder: Path) -> Iterator[Server]:
    """A fixed 201 to every POST, on a core of its own."""
    path = found("nginx")
    port = free_port()
    if path is None:
        command = python("-m", "tests.benchmarks.fixed_server", str(port))
        name = "own asyncio server (nginx is missing)"
    else:
        made = _AT_ONCE.format(made=_quoted(MADE))
        command = _nginx(path, folder, port, zone="", made=made, log="off")
        name = "nginx"
    with _running(command, port):
        yield Server(name=name, port=port)


@contextmanager
def delayed(latency_ms: float, *, has_request_ids: bool = False) -> Iterator[Server]:
    """A 201 to every POST, each with ids of its own, so many milliseconds later."""
    port = free_port()
    words = (str(port), str(latency_ms), *(["requests"] if has_request_ids else []))
    with _running(python("-m", "tests.benchmarks.fixed_server", *words), port):
        yield Server(name="own asyncio server", port=port)


@contextmanager
def with_rows(*words: str) -> Iterator[Server]:
    """A service that remembers; see `rows_server`."""
    port = free_port()
    with _running(python("-m", "tests.benchmarks.rows_server", str(port), *words), port):
        yield Server(name="own asyncio server", port=port)


@contextmanager
def slow_link(to: int, round_trip_ms: float) -> Iterator[int]:
    """The port of a way to another one that is so many milliseconds long, there and back."""
    port = free_port()
    words = (str(port), str(to), str(round_trip_ms))
    with _running(python("-m", "tests.benchmarks.slow_link", *words), port):
        yield port


@contextmanager
def with_limit(case: str) -> Iterator[Server]:
    """A service with a hidden limit; see `limited_server`."""
    port = free_port()
    with _running(python("-m", "tests.benchmarks.limited_server", str(port), case), port):
        yield Server(name="own asyncio server", port=port)


@contextmanager
def limited(folder: Path, per_second: int) -> Iterator[Server]:
    """nginx's `limit_req` without burst. Only where nginx is there."""
    path = found("nginx")
    assert path is not None
    port = free_port()
    zone = f"limit_req_zone $server_port zone=lane:1m rate={per_second}r/s;"
    log = folder / "access.log"
    told = f"{log} lane; log_format lane '$msec $status $uri'"
    made = _LIMITED.format(made=_quoted(MADE), other=free_port())
    command = _nginx(path, folder, port, zone=zone, made=made, log=told)
    with _running(command, port):
        yield Server(name="nginx limit_req", port=port, log=log)


def _nginx(path: str, folder: Path, port: int, **blocks: str) -> list[str]:
    # The log's format stands before its use.
    target, _, form = blocks.pop("log").partition("; ")
    zone = f"{form}; {blocks.pop('zone')}" if form else blocks.pop("zone")
    text = _NGINX.format(
        folder=folder,
        port=port,
        token=TOKEN,
        connections=CONNECTIONS,
        log=target,
        zone=zone,
        **blocks,
    )
    config = folder / "nginx.conf"
    config.write_text(text)
    return [path, "-c", str(config), "-p", str(folder), "-e", str(folder / "error.log")]


@contextmanager
def _running(command: list[str], port: int) -> Iterator[None]:
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen([*pinned(SERVER_CORE), *command], env=environ)
    try:
        _wait_for(port, process)
        yield
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert process.poll() is None, "the server ended at once"
            assert time.monotonic() < end, "the server does not listen"
            time.sleep(0.02)
        else:
            return


def _quoted(text: str) -> str:
    """A text as nginx wants it between single quotes, with an id of its own for each request."""
    return text.replace("\\", "\\\\").replace("ID", "$guid")
