"""
The service that one command talks to: the real one or the simulator, with a lane per org.

A lane is made when it is first asked for.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Final
from urllib.parse import urlsplit

import anyio

from batchconnect.lane.lane import Lane, Limits
from batchconnect.ledger.interface import LaneKey
from batchconnect.model.defaults import SETTLE_S
from batchconnect.model.errors import UsageError
from batchconnect.model.event import Event
from batchconnect.model.org import PLATFORM_URL, Org
from batchconnect.model.reference import Resolver
from batchconnect.model.secret import Secret
from batchconnect.options import MergedOptions
from batchconnect.run.opening.places import home_of
from batchconnect.settings import Settings
from batchconnect.stores.line import StoreLine
from batchconnect.stores.opened import opened_stores
from batchconnect.stores.resolver import STORES_ALONE, StoreResolver
from batchconnect.transport.interface import Permit, always
from batchconnect.transport.wire import Wire
from batchconnect.validation.local_resolver import LocalResolver
from batchconnect.validation.org_registry import OrgRegistry, SimulatedOrgRegistry
from batchconnect.validation.reference import References

_SOCKETS: Final = 100
"""More make aiohttp slower, not faster (measured)."""
_CONNECT_S: Final = 10.0
_BEYOND_READ_S: Final = 30.0
"""Seconds that a request's overall deadline lies beyond its read timeout."""
SIMULATED_HOST: Final = "simulator"


@dataclass(slots=True, kw_only=True)
class ConnectedService:
    """The service, with its lanes; each lane is made when it is first asked for."""

    orgs: OrgRegistry
    host: str
    """Whose connections a ledger accounts for."""
    settle_s: float
    wire: Wire
    limits: Limits
    slots: anyio.CapacityLimiter
    rng: Random
    stores: Mapping[str, StoreLine] = field(default_factory=dict)
    """The way to each store of the settings."""
    hold: Callable[[Secret], None] = lambda secret: None
    """Told of each secret of the settings that a store gave."""
    on_event: Callable[[Event], None]
    permits: dict[str, Permit] = field(default_factory=dict)
    """By org: whether its lane may send, where a lease says so."""
    time_s: Callable[[], float] = anyio.current_time
    """The running loop's clock."""
    _lanes: dict[str, Lane] = field(default_factory=dict)

    def lane_of(self, org: str) -> Lane:
        """The lane of an org's settings key."""
        if org not in self._lanes:
            self._lanes[org] = self.new_lane(org, partial(self._may_send, org))
        return self._lanes[org]

    def new_lane(self, org: str, permit: Permit = always) -> Lane:
        """
        A lane of an org's settings key that nobody had before: a stop of one is final.

        Args:
            org: The key.
            permit: As of `Lane`.
        """
        found = self.orgs.find(org)
        assert found is not None, "a row's org was found before"
        return Lane(
            found,
            self.wire,
            limits=self.limits,
            slots=self.slots,
            rng=self.rng,
            on_event=self._tell,
            secrets=self.secrets,
            permit=permit,
            time_s=self.time_s,
        )

    def key_of(self, org: str) -> LaneKey:
        """What an org's lane is called in the ledger."""
        return self.lane_of(org).key

    def resolver(self, references: References) -> Resolver:
        """Looks up what the cells of a sheet refer to."""
        return StoreResolver(self.stores, LocalResolver(references))

    @property
    def secrets(self) -> Resolver:
        """Looks up what the settings refer to: only stores are left, the rest was read with them."""
        return StoreResolver(self.stores, STORES_ALONE, hold=self.hold)

    def _may_send(self, org: str) -> bool:
        # Late bound: a command takes its lanes when it knows which they are.
        return self.permits.get(org, always)()

    def _tell(self, event: Event) -> None:
        # Late bound: who listens is known only when the run begins.
        self.on_event(event)


def host_of(settings: Settings) -> str:
    """
    The one platform host of the orgs.

    Raises:
        UsageError: They live on several hosts, and a ledger accounts for one.
    """
    hosts = {urlsplit(org.platform_url).hostname or "": org.key for org in settings.orgs}
    if len(hosts) > 1:
        places = ", ".join(f"{key} on {host}" for host, key in hosts.items())
        raise UsageError(
            f"the orgs live on several platform hosts: {places}",
            hint="One ledger accounts for one host: keep a settings file and a --ledger for each.",
        )
    return next(iter(hosts), urlsplit(PLATFORM_URL).hostname or "")


@asynccontextmanager
async def connected(
    settings: Settings,
    options: MergedOptions,
    *,
    on_event: Callable[[Event], None],
    hold: Callable[[Secret], None],
    in_memory: bool = False,
) -> AsyncIterator[ConnectedService]:
    """
    Connect to the service that was chosen.

    Args:
        settings: The orgs; with `--simulate` only their names, aliases, sandboxes and rates are used.
        options: Whether to simulate, and the bounds of the lanes.
        on_event: Told of pauses, changes of pace, and stops.
        hold: Told of each secret of the settings, and of each that a store gives for them, as `Redactor.hold`
            wants it: what the command says shows none of them.
        in_memory: The simulator, if it is chosen, forgets everything at the end.

    Raises:
        UsageError: The orgs live on several hosts.
    """
    for secret in settings.secrets:
        hold(secret)
    async with AsyncExitStack() as stack:
        rng = Random()  # noqa: S311 - jitter, no secret; seeded by the system
        stores = await stack.enter_async_context(
            opened_stores(
                settings.stores,
                proxy=options.proxy_url,
                ca_bundle=options.ca_bundle,
                patience_s=options.patience,
                rng=rng,
                on_event=on_event,
                hold=hold,
            )
        )
        if options.simulate:
            # Imported here: a real run does not load the simulator.
            from batchconnect.simulator import Simulator  # noqa: PLC0415

            state = ":memory:" if in_memory else _state_file(home_of(options))
            try:
                simulator = Simulator(state=state, profile=options.fault, seed=options.seed)
            except ValueError as error:
                raise UsageError(
                    str(error), hint="Name another --reports, or move this file away."
                ) from None
            await stack.enter_async_context(simulator)
            orgs: OrgRegistry = SimulatedOrgRegistry(
                settings.orgs, url=simulator.url, rate=settings.options.rate
            )
            host, settle_s = SIMULATED_HOST, simulator.settle_s
            hosts = {urlsplit(simulator.url).hostname or ""}
        else:
            orgs, host, settle_s = OrgRegistry(settings.orgs), host_of(settings), SETTLE_S
            hosts = {name for org in settings.orgs for name in _hosts(org)}
        wire = await stack.enter_async_context(
            Wire(
                allowed_hosts=frozenset(hosts),
                connect_timeout_s=_CONNECT_S,
                read_timeout_s=options.timeout,
                deadline_s=options.timeout + _BEYOND_READ_S,
                sockets=_SOCKETS,
                proxy=options.proxy_url.reveal() if options.proxy_url else None,
                ca_bundle=options.ca_bundle,
            )
        )
        yield ConnectedService(
            orgs=orgs,
            host=host,
            settle_s=settle_s if options.settle is None else options.settle,
            wire=wire,
            limits=Limits(concurrency=options.concurrency, patience_s=options.patience),
            slots=anyio.CapacityLimiter(options.concurrency),
            rng=rng,
            stores=stores,
            hold=hold,
            on_event=on_event,
            # The wire is asyncio's, so its loop need not be looked for at each look at the clock.
            time_s=asyncio.get_running_loop().time,
        )


def _hosts(org: Org) -> set[str]:
    return {urlsplit(url).hostname or "" for url in (org.platform_url, org.ims_url)}


def _state_file(home: Path) -> Path:
    path = home / "simulator.sqlite3"
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600))
    except OSError as error:
        raise UsageError(
            f"the simulator's state {path} cannot be made: {error.strerror}",
            hint="Name a folder that you may write, with --reports.",
        ) from None
    return path
