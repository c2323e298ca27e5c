"""
The simulator on a real port, in a thread of its own, and scripted faults for it.

Whatever is asked of it is asked in its own loop, so that a test sees no half-written state. Every request
of the command is held to the description of the service.
"""

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

from batchconnect.simulator import Simulator
from batchconnect.simulator.decision import Decision
from batchconnect.simulator.exchange import Request
from batchconnect.simulator.records import Connection, JournalEntry
from tests.acceptance.place import CLIENT_SECRET, PATIENCE_S, Place, Running, until
from tests.contract.description import ours
from tests.contract.messages import of_arrived

ACME = "AAAAAAAAAAAAAAAAAAAAAAAA@AdobeOrg"
BETA = "BBBBBBBBBBBBBBBBBBBBBBBB@AdobeOrg"
ORGS = {ACME: ("client-acme", CLIENT_SECRET), BETA: ("client-beta", f"{CLIENT_SECRET}-beta")}

T = TypeVar("T")
Script = Callable[[Request], Decision | None]


class Practice:
    """
    A simulator that runs as long as the block lasts.

    Args:
        choices: For `Simulator`.
    """

    def __init__(self, **choices: Any) -> None:
        self.simulator = Simulator(**{"orgs": ORGS, "clock": _now, **choices})
        self.simulator.script(self._decide)
        self.script: Script = lambda request: None
        """A test's choice for each request; it runs in the simulator's thread."""
        self.departures: list[str] = []
        """How requests departed from the description; a block that ends well has none."""
        self.tokens: set[str] = set()
        """Every access token that was ever sent."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.simulator.__aenter__(), self._loop).result()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        ended = asyncio.run_coroutine_threadsafe(
            self.simulator.__aexit__(None, None, None), self._loop
        )
        ended.result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        if error is None:
            assert self.departures == []

    def ask(self, question: Callable[[Simulator], T]) -> T:
        """Ask it, or turn a knob, between two requests."""

        async def asked() -> T:
            return question(self.simulator)

        return asyncio.run_coroutine_threadsafe(asked(), self._loop).result()

    def soon(self, change: Callable[[Simulator], object]) -> None:
        """Turn a knob from within a script, as soon as its request is dealt with."""
        self._loop.call_soon(change, self.simulator)

    @property
    def url(self) -> str:
        """Of IMS and platform."""
        return self.simulator.url

    def environment(self) -> dict[str, str]:
        """The settings of one org, as variables."""
        return {
            "BATCHCONNECT_ORG_ID": ACME,
            "BATCHCONNECT_CLIENT_ID": "client-acme",
            "BATCHCONNECT_CLIENT_SECRET": CLIENT_SECRET,
            "BATCHCONNECT_PLATFORM_URL": self.url,
            "BATCHCONNECT_IMS_URL": self.url,
        }

    def two_orgs(self) -> str:
        """The settings of two orgs, as a file; the secrets are variables of `SECRETS_OF_TWO`."""
        return (
            f'platform_url = "{self.url}"\nims_url = "{self.url}"\n'
            f'[orgs.acme]\norg_id = "{ACME}"\nclient_id = "client-acme"\n'
            'client_secret = "env:ACME_SECRET"\n'
            f'[orgs.beta]\norg_id = "{BETA}"\nclient_id = "client-beta"\n'
            'client_secret = "env:BETA_SECRET"\n'
        )

    # What arrived

    def journal(self, org: str | None = None, *, since: int = 0) -> list[JournalEntry]:
        """Every request to the platform, of one org or of all, after the *since*-th."""
        entries = self.ask(lambda simulator: simulator.journal())
        return [one for one in entries if one.ordinal > since and org in {None, one.org_id}]

    def mark(self) -> int:
        """Ordinal of the last request so far."""
        return max((one.ordinal for one in self.journal()), default=0)

    def creates(self, org: str | None = None, *, since: int = 0) -> list[JournalEntry]:
        """Every POST of a connection."""
        return [
            one
            for one in self.journal(org, since=since)
            if one.method == "POST" and one.path.endswith("/connections")
        ]

    def connections(self) -> list[Connection]:
        """What exists, oldest first."""
        return self.ask(lambda simulator: simulator.connections())

    def keys(self) -> Mapping[str, str | None]:
        """The keys as they arrived, by the connections' names."""

        def asked(simulator: Simulator) -> dict[str, str | None]:
            return {one.name: simulator.received_key(one.id) for one in simulator.connections()}

        return self.ask(asked)

    def by_name(self, **fates: Decision) -> None:
        """Give the creates of rows their fate by name: `odd_id=…` is that of the row `odd id`."""
        wanted = {name.replace("_", " "): fate for name, fate in fates.items()}
        self.script = lambda request: (
            wanted.pop(request.json["name"], None) if request.is_create else None
        )

    @contextmanager
    def silent(self) -> Iterator[threading.Event]:
        """
        From its next create on the service does nothing at all, until the block ends.

        The event tells that the create has arrived. Nothing may be asked of the service meanwhile.
        """
        arrived, is_over = threading.Event(), threading.Event()
        before = self.script

        def script(request: Request) -> Decision | None:
            if request.is_create and not is_over.is_set():
                arrived.set()
                is_over.wait(PATIENCE_S)
            return before(request)

        self.script = script
        try:
            yield arrived
        finally:
            is_over.set()
            self.script = before

    def send_at_create(
        self,
        number: int,
        signum: signal.Signals,
        running: Running,
        *,
        after_s: float | None = None,
        fate: Decision | None = None,
    ) -> None:
        """
        Signal a command as its *number*-th create from now on arrives, however quick the machine is.

        Args:
            number: From 1.
            signum: The signal.
            running: The command.
            after_s: Seconds from there; None is before the service does anything.
            fate: Of each create meanwhile.
        """
        arrived = 0

        def script(request: Request) -> Decision | None:
            nonlocal arrived
            if not request.is_create:
                return None
            arrived += 1
            if arrived == number and after_s is None:
                running.send(signum)
            elif arrived == number:
                self._loop.call_later(after_s or 0.0, running.send, signum)
            return fate

        self.script = script
        until(lambda: arrived >= number or running.process.poll() is not None)

    def _decide(self, request: Request) -> Decision | None:
        self.departures += ours().request_problems(of_arrived(request))
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        if bearer:
            self.tokens.add(bearer)
        return self.script(request)


def _now() -> float:
    """The clock of this process, which a test may have set since."""
    return time.time()


SECRETS_OF_TWO = {"ACME_SECRET": CLIENT_SECRET, "BETA_SECRET": f"{CLIENT_SECRET}-beta"}


def assert_exactly_once(practice: Practice, place: Place, names: set[str]) -> None:
    """Every row has one connection, which the report names; nothing else was made by us."""
    made = [one for one in practice.connections() if one.client_id.startswith("client-")]
    results = place.results()
    assert sorted(one.name for one in made) == sorted(names)
    assert {name: row["connection_id"] for name, row in results.items()} == {
        one.name: one.id for one in made
    }
    assert {row["status"] for row in results.values()} <= {"created", "existing"}
    assert not any(entry.leaked for entry in practice.journal())
