"""A door before a server: while it is shut, nobody gets in, and whoever was in is put out."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Door:
    """
    Forwards sockets to a server on this machine.

    Args:
        goal: Its port.
        tls: Of the door; None: guests speak as the server does.
    """

    def __init__(self, goal: int, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._goal = goal
        self._listener: socket.socket | None = None
        self._inside: set[socket.socket] = set()
        self.port = 0

    def open(self) -> None:
        """Let sockets in, at the same port as before."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen()
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._let_in, args=(listener,), daemon=True).start()

    def shut(self) -> None:
        """Refuse every socket, and end those that are open."""
        assert self._listener is not None
        for one in (self._listener, *self._inside):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._inside.clear()

    def _let_in(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):  # it was shut
            while True:
                guest, _ = listener.accept()
                if self._tls is not None:
                    try:
                        guest = self._tls.wrap_socket(guest, server_side=True)
                    except OSError:  # who does not trust us leaves
                        continue
                inner = socket.create_connection(("127.0.0.1", self._goal))
                self._inside |= {guest, inner}
                for ends in ((guest, inner), (inner, guest)):
                    threading.Thread(target=_carry, args=ends, daemon=True).start()


def _carry(from_: socket.socket, to: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := from_.recv(65536):
            to.sendall(data)
        to.shutdown(socket.SHUT_WR)


def carry_both_ways(one: socket.socket, other: socket.socket) -> None:
    """Return when both have said all."""
    back = threading.Thread(target=_carry, args=(other, one), daemon=True)
    back.start()
    _carry(one, other)
    back.join()


@contextmanager
def door_to(port: int, *, tls: ssl.SSLContext | None = None) -> Iterator[Door]:
    """A door that is open at first."""
    door = Door(port, tls)
    door.open()
    try:
        yield door
    finally:
        door.shut()
