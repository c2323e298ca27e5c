"""
Counts the ways there and back between a client and a server: what a link that is long costs, whatever the machine.

A way there and back is what the client says after it heard something, up to what it hears next.
"""

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

_AT_ONCE = 1 << 16


@dataclass
class RoundTrips:
    """What was counted so far."""

    port: int
    """Where the server is, through the counter."""
    connections: int = 0
    ways: int = 0
    """There and back, over all connections; making one has several of its own."""

    def since(self, before: int) -> int:
        """How many there were since there were so many."""
        return self.ways - before


@contextmanager
def counted(to: int) -> Iterator[RoundTrips]:
    """Count on the way to a port of loopback, for as long as the block goes on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        told = RoundTrips(port=listening.getsockname()[1])
        accepting = threading.Thread(target=_accept, args=(listening, to, told), daemon=True)
        accepting.start()
        try:
            yield told
        finally:
            # Closing it would not wake whoever waits for the next one.
            listening.shutdown(socket.SHUT_RDWR)
            accepting.join()


def _accept(listening: socket.socket, to: int, told: RoundTrips) -> None:
    while True:
        try:
            client, _from = listening.accept()
        except OSError:
            return
        told.connections += 1
        threading.Thread(target=_pass, args=(client, to, told), daemon=True).start()


def _pass(client: socket.socket, to: int, told: RoundTrips) -> None:
    with (
        client,
        socket.create_connection(("127.0.0.1", to)) as server,
        selectors.DefaultSelector() as both,
        suppress(OSError),
    ):
        both.register(client, selectors.EVENT_READ, server)
        both.register(server, selectors.EVENT_READ, client)
        heard = True
        while True:
            for key, _events in both.select():
                data = key.fileobj.recv(_AT_ONCE)  # type: ignore[union-attr]
                if not data:
                    return
                if key.fileobj is client and heard and data[:1] != b"X":
                    told.ways += 1  # the last word, X, is answered by nobody
                heard = key.fileobj is server
                key.data.sendall(data)
