"""The simulator as one thing to hold: start it, see what arrived, turn its knobs in mid-run."""

import time
import weakref
from collections.abc import Callable, Iterable, Mapping, Set as AbstractSet
from pathlib import Path
from types import TracebackType
from typing import Self

from batchconnect.simulator import faults
from batchconnect.simulator.answers import RetryAfter
from batchconnect.simulator.decision import Delivery
from batchconnect.simulator.exchange import Request
from batchconnect.simulator.front import Front, Script
from batchconnect.simulator.habits import SHOWN, Habits
from batchconnect.simulator.ims import Ims
from batchconnect.simulator.late import catch_up
from batchconnect.simulator.limits import Limit, Limits, RefusalStatus
from batchconnect.simulator.others import Others
from batchconnect.simulator.planting import Planted, plant
from batchconnect.simulator.records import Connection, JournalEntry
from batchconnect.simulator.registry import CLIENT_SECRET, Registry, client_id_of, denial
from batchconnect.simulator.server import LOOPBACK, HttpServer
from batchconnect.simulator.service import Service
from batchconnect.simulator.source import Source
from batchconnect.simulator.state import MEMORY
from batchconnect.simulator.store import Store

SETTLE_MARGIN_S = 0.5
SHORTEST_SETTLE_S = 1.5


class Simulator:
    """
    IMS and Flow Service on a loopback port, as an async context manager.

    After the block has ended, state and journal stay readable, for that is when tests ask.

    Args:
        state: A file that outlives the process (also a SIGKILL), or ":memory:".
        profile: One of `PROFILES`.
        seed: The same seed gives the same trouble to the same requests.
        port: 0 for any free one.
        rate: Requests per second and org, in place of the profile's hidden limit.
        orgs: By org id, client id and client secret. None: any org id, with the client id
            `sim-<left part in lower case>` and the secret `simulated-secret`.
        sandboxes: By org id, the names. None: any well-formed name that does not begin with `missing`.
        token_life_s: Seconds that a token is good.
        foreign_clients: Whether it takes the forms in which other clients send a request, too.
        clock: Unix time.

    Raises:
        ValueError: *profile* is not known.
    """

    def __init__(
        self,
        *,
        state: Path | str = MEMORY,
        profile: str = "none",
        seed: int = 0,
        port: int = 0,
        rate: float | None = None,
        orgs: Mapping[str, tuple[str, str]] | None = None,
        sandboxes: Mapping[str, AbstractSet[str]] | None = None,
        token_life_s: int = 86_399,
        foreign_clients: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        chosen = faults.profile(profile)
        self.profile = profile
        self._chosen = chosen
        self._clock = clock
        self._store = Store(state)
        self._letting_go = weakref.finalize(self, self._store.dispose)
        self._registry = Registry(orgs=orgs, sandboxes=sandboxes)
        limit = chosen.limit if rate is None else Limit(per_second=rate, burst=max(1.0, rate))
        self._limits = Limits(limit)
        ims = Ims(
            registry=self._registry,
            store=self._store,
            seed=seed,
            life_s=token_life_s,
            uses=faults.token_uses(seed, chosen),
        )
        self.habits = Habits()
        """How the service behaves where documents differ; set one, and it holds from then on."""
        self.source = Source(store=self._store, habits=self.habits)
        """Entra and the clusters: which keys are right."""
        self.others = Others(source=self.source, clock=clock)
        """What a colleague, a dataflow or the service itself does meanwhile."""
        self._service = Service(
            store=self._store,
            registry=self._registry,
            ims=ims,
            habits=self.habits,
            source=self.source,
        )
        secrets = {CLIENT_SECRET} if orgs is None else {secret for _, secret in orgs.values()}
        self._front = Front(
            service=self._service,
            store=self._store,
            limits=self._limits,
            capacity=Limits(chosen.capacity),
            profile=chosen,
            seed=seed,
            clock=clock,
            serves_foreign_clients=foreign_clients,
            watched=frozenset(secrets),
        )
        self._server = HttpServer(
            receive=self.receive,
            enter=lambda request: self._limits.enter(request.org_id),
            leave=lambda request: self._limits.leave(request.org_id),
            port=port,
        )

    async def __aenter__(self) -> Self:
        await self._server.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._server.stop()
        self._store.close()

    def receive(self, request: Request) -> Delivery:
        """Answer a request without a wire, as the server does with each that arrives."""
        return self._front.receive(request)

    # What arrived

    @property
    def url(self) -> str:
        """Of the platform and of IMS; the port is known once the server runs."""
        return f"http://{LOOPBACK}:{self._server.port}"

    @property
    def settle_s(self) -> float:
        """D + L of the profile and the lag that is set now, with a margin; in seconds."""
        lag_s = max(self._chosen.max_lag_s, self.lag_s)
        return max(SHORTEST_SETTLE_S, self._chosen.max_apply_s + lag_s + SETTLE_MARGIN_S)

    def journal(self) -> list[JournalEntry]:
        """Every request, oldest first, without secrets."""
        return self._store.journal()

    def connections(self) -> list[Connection]:
        """Every connection of every org that exists by now, visible in listings or not."""
        return self._store.every(self._caught_up())

    def deleted(self) -> list[str]:
        """Ids of the connections that were deleted and are gone by now, the first one first."""
        return self._store.deleted(self._caught_up())

    @property
    def pending(self) -> int:
        """How many creates, patches and deletions have yet to take effect."""
        return self._store.pending(self._clock())

    def received_key(self, connection_id: str) -> str | None:
        """
        The `servicePrincipalKey` exactly as it arrived.

        Returns:
            The text; None where an earlier process received it, for on disk there is only its SHA-256
            (`Connection.key_sha256`).
        """
        return self._store.key(connection_id)

    @property
    def tokens_issued(self) -> int:
        """How many tokens IMS has handed out, over all processes with this state."""
        return self._store.counter("tokens")

    # Knobs

    def deny(self, org_id: str, how: str = "403025") -> None:
        """
        Turn an org away from now on.

        Args:
            org_id: Whom.
            how: A code of the contract, or `invalid_client`, `ims_500`, `down`, …: see
                `registry.DENIALS`.

        Raises:
            ValueError: *how* is not known.
        """
        denial(how)
        self._registry.denied[org_id] = how

    def allow(self, org_id: str) -> None:
        """Take back a denial."""
        self._registry.denied.pop(org_id, None)

    def set_rate(
        self,
        org_id: str,
        per_second: float | None,
        burst: float = 1.0,
        retry_after: RetryAfter = "seconds",
        as_status: RefusalStatus = 429,
    ) -> None:
        """Give an org a limit of its own from now on; None takes every limit off."""
        limit = None
        if per_second is not None:
            limit = Limit(
                per_second=per_second, burst=burst, retry_after=retry_after, as_status=as_status
            )
        self._limits.set_rate(org_id, limit)

    def set_in_flight_limit(self, org_id: str, most: int | None) -> None:
        """Refuse an org's requests beyond so many at once; None takes the limit off."""
        self._limits.set_in_flight(org_id, most)

    def revoke_tokens(self, org_id: str) -> None:
        """Let every token die that this org has got so far."""
        client_id = self._client_id(org_id)
        with self._store.transaction():
            self._store.revoke(client_id, self.tokens_issued)

    def script(self, fn: Script | None) -> None:
        """Let a test choose the fate of each request; where *fn* says None, limits and profile decide."""
        self._front.script = fn

    def plant(self, *planted: Planted) -> list[str]:
        """
        Put connections there as somebody else would have made them.

        Returns:
            Their ids.
        """
        with self._store.transaction():
            return plant(self._store, planted, self._clock())

    def watch(self, secrets: Iterable[str]) -> None:
        """Let the journal call it a leak where one of these stands outside a body."""
        self._front.watched |= frozenset(secrets)

    @property
    def lag_s(self) -> float:
        """How long a created connection stays out of listings, at the least."""
        return self._front.lag_s

    @lag_s.setter
    def lag_s(self, seconds: float) -> None:
        self._front.lag_s = seconds

    @property
    def latency_s(self) -> tuple[float, float]:
        """Least and most seconds before an answer."""
        return self._front.latency_s or self._chosen.latency_s

    @latency_s.setter
    def latency_s(self, between: tuple[float, float]) -> None:
        self._front.latency_s = between

    @property
    def token_life_s(self) -> int:
        """Seconds that tokens handed out from now on are good."""
        return self._service.ims.life_s

    @token_life_s.setter
    def token_life_s(self, seconds: int) -> None:
        self._service.ims.life_s = seconds

    @property
    def shown_params(self) -> frozenset[str]:
        """Which `auth.params` listings and GET show."""
        return self.habits.shown

    @shown_params.setter
    def shown_params(self, names: Iterable[str]) -> None:
        # Whatever is asked for: no service gives a key back, and this one could not.
        self.habits.shown = frozenset(names) & SHOWN

    def _caught_up(self) -> float:
        now = self._clock()
        with self._store.transaction():
            catch_up(self._store, now, self.habits)
        return now

    def _client_id(self, org_id: str) -> str:
        orgs = self._registry.orgs
        return client_id_of(org_id) if orgs is None else orgs[org_id][0]
