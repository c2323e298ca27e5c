"""
A server in a network namespace of its own, and cables to it that may be cut: in one direction, or in both.

A cut loses packets and tells nobody: no connection breaks, nothing is refused. It is made at the lowest place that a
machine has for it: frames go to an address that nobody has, so no filter and no module of the kernel is needed.
"""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from itertools import count
from pathlib import Path
from typing import Final

NETWORK: Final = "198.18"
"""For tests of networks (RFC 2544): no machine has an address of it by chance."""
_NOBODY: Final = "02:00:00:00:00:fe"
_OWN: Final = Path("/proc/self/ns/net")


class Direction(Enum):
    """Of what is lost."""

    BOTH = "both ways"
    TO_SERVER = "what goes to the server"
    FROM_SERVER = "what comes from the server"


def forbidden() -> str:
    """Why this machine has no namespaces for tests; "" where it has."""
    if os.geteuid() != 0:
        return "network namespaces are root's"
    try:
        for words in (["unshare", "--net", "ip", "link"], ["nsenter", "--version"]):
            subprocess.run(words, check=True, capture_output=True, timeout=60)
        with namespace() as made:
            Cable(made)
    except FileNotFoundError as error:
        return f"no {error.filename} here: apt-get install iproute2 util-linux"
    except subprocess.CalledProcessError as error:
        return f"no network namespaces here: {error.stderr.decode(errors='replace').strip()}"
    return ""


@dataclass(frozen=True, slots=True)
class Namespace:
    """A network of its own, as long as a process of it lives."""

    pid: int

    @property
    def path(self) -> Path:
        """By which it is entered."""
        return Path(f"/proc/{self.pid}/ns/net")

    def ip(self, *words: str) -> None:
        """Run `ip` in it."""
        _run("nsenter", f"--net={self.path}", "--", "ip", *words)


@contextmanager
def namespace() -> Iterator[Namespace]:
    """A network of its own, with nothing but loopback; its cables go with it."""
    # It reads until we are gone, however that is: nothing stays behind.
    holder = subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE)
    try:
        made = Namespace(holder.pid)
        end = time.monotonic() + 60
        while made.path.readlink() == _OWN.readlink():
            assert time.monotonic() < end, "it enters no network of its own"
            time.sleep(0.01)
        made.ip("link", "set", "lo", "up")
        yield made
    finally:
        holder.communicate()


class Cable:
    """
    A way from here to a server, of which this end and that one have an address each.

    Args:
        to: Where the server is.
    """

    _numbers = count(os.getpid() % 4096)

    def __init__(self, to: Namespace) -> None:
        self._to = to
        number = next(self._numbers) % 16384
        net = f"{NETWORK}.{number // 64}"
        own, self.address = f"{net}.{number % 64 * 4 + 1}", f"{net}.{number % 64 * 4 + 2}"
        """Where the server is by this cable."""
        self._own = own
        self._name = f"bc-{number}"
        its = f"{self._name}s"
        _run("ip", "link", "add", self._name, "type", "veth", "peer", its, "netns", str(to.pid))
        _run("ip", "address", "add", f"{own}/30", "dev", self._name)
        to.ip("address", "add", f"{self.address}/30", "dev", its)
        _run("ip", "link", "set", self._name, "up")
        to.ip("link", "set", its, "up")
        self._its = its
        self._here = Path(f"/sys/class/net/{self._name}/address").read_text().strip()
        # `/sys` shows the network of who mounted it, so that end's is chosen rather than read.
        self._there = f"02:00:00:{number >> 8 & 255:02x}:{number & 255:02x}:01"
        to.ip("link", "set", its, "address", self._there)
        self.heal()

    def cut(self, what: Direction) -> None:
        """Lose what goes that way from now on."""
        if what is not Direction.FROM_SERVER:
            self._send_there(_NOBODY)
        if what is not Direction.TO_SERVER:
            self._send_here(_NOBODY)

    def heal(self) -> None:
        """Let all pass again; what was lost is sent again by whoever still wants it to arrive."""
        self._send_there(self._there)
        self._send_here(self._here)

    def _send_there(self, frames_to: str) -> None:
        _run("ip", *_neighbour(self.address, frames_to, self._name))

    def _send_here(self, frames_to: str) -> None:
        self._to.ip(*_neighbour(self._own, frames_to, self._its))


def _neighbour(address: str, frames_to: str, device: str) -> tuple[str, ...]:
    return ("neigh", "replace", address, "lladdr", frames_to, "nud", "permanent", "dev", device)


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, timeout=60)
