"""A proxy on this machine: it takes CONNECT, whatever the host, and leads each to one port here."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.stores.door import carry_both_ways


@dataclass
class Proxy:
    """What it was asked for."""

    port: int = 0
    goal: int = 0
    """Where all sockets lead."""
    asked: list[str] = field(default_factory=list)
    """Host and port of each CONNECT."""

    @property
    def url(self) -> str:
        """For `--proxy`."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def served_proxy() -> Iterator[Proxy]:
    """A proxy that works as long as the block lasts."""
    proxy = Proxy()

    class Handler(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            proxy.asked.append(self.path)
            with socket.create_connection(("127.0.0.1", proxy.goal)) as inner:
                self.send_response(200)
                self.end_headers()
                carry_both_ways(self.connection, inner)
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
