"""
The stores of the settings, open for one command: a line to each, whose client is loaded when it is first asked.

The libraries take seconds to load, and most commands ask no store at all.
"""

import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any, Final, final

import anyio

from batchconnect.model.errors import SettingsError
from batchconnect.model.event import Event
from batchconnect.model.fault import fault_of
from batchconnect.model.reference import Place
from batchconnect.model.secret import Secret
from batchconnect.model.store import StoreKind, StoreProfile
from batchconnect.model.value import replace
from batchconnect.stores.daemon import in_daemon
from batchconnect.stores.interface import Answer, Network, Store, Trouble, TroubleKind, short_of
from batchconnect.stores.line import StoreLine
from batchconnect.stores.quiet import hush
from batchconnect.transport.trust import authorities_file

_CLIENTS: Final = {
    StoreKind.AZURE: ("azure", "KeyVault", 1),
    StoreKind.VAULT: ("vault", "Vault", 1),
    StoreKind.AWS: ("aws", "SecretsManager", 20),
    StoreKind.EXEC: ("command", "Command", 20),
}
"""By kind: its module here, which is also the extra that it needs; its class; names in one request."""


@asynccontextmanager
async def opened_stores(
    profiles: Sequence[StoreProfile],
    *,
    proxy: Secret | None,
    ca_bundle: Path | None,
    patience_s: float,
    rng: Random,
    on_event: Callable[[Event], None],
    hold: Callable[[Secret], None],
) -> AsyncIterator[Mapping[str, StoreLine]]:
    """
    Open the stores of the settings; nothing is asked yet.

    Args:
        profiles: Of the settings.
        proxy: URL of the proxy for all but loopback.
        ca_bundle: PEM file of authorities to trust beside the system's.
        patience_s: How long a store may be in trouble before nothing more is asked of it.
        rng: Draws the jitter.
        on_event: Told of pauses and of stores that are given up.
        hold: Told of each credential of a store as it is read, so that no text shows it.

    Yields:
        The line to each store, by its name.
    """
    if not profiles:
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="batchconnect-") as folder:
        network = Network(proxy=proxy, authorities=authorities_file(ca_bundle, Path(folder)))
        clients = {profile.name: _Client(_holding(profile, hold), network) for profile in profiles}
        try:
            async with anyio.create_task_group() as tasks:
                yield {
                    profile.name: StoreLine(
                        profile,
                        clients[profile.name],
                        tasks=tasks,
                        patience_s=patience_s,
                        rng=rng,
                        on_event=on_event,
                    )
                    for profile in profiles
                }
                tasks.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(5):
                for client in clients.values():
                    await client.close()


@final
class _Client:
    """A store whose library is loaded when it is asked for the first time."""

    def __init__(self, profile: StoreProfile, network: Network) -> None:
        self._profile = profile
        self._network = network
        self._module, self._class, self.batch = _CLIENTS[profile.kind]
        self._loading = anyio.Lock()
        self._store: Store | None = None

    async def fetch(self, places: Sequence[Place]) -> Mapping[Place, Answer] | Trouble:
        """As of `Store`."""
        store = await self._loaded()
        return store if isinstance(store, Trouble) else await store.fetch(places)

    async def check(self) -> Trouble | None:
        """As of `Store`."""
        store = await self._loaded()
        return store if isinstance(store, Trouble) else await store.check()

    async def close(self) -> None:
        """As of `Store`."""
        if self._store is not None:
            await self._store.close()

    async def _loaded(self) -> Store | Trouble:
        async with self._loading:
            if self._store is None:
                try:
                    made = await in_daemon(self._made)
                except Exception as error:  # noqa: BLE001 - foreign errors end here, whatever a library makes of a machine
                    return self._unusable(error)
                if isinstance(made, Trouble):
                    return made
                self._store = made
            return self._store

    def _made(self) -> Store:
        module: Any = import_module(f"batchconnect.stores.{self._module}")
        store: Store = getattr(module, self._class)(self._profile, self._network)
        hush()  # its library has loggers only now, and the first request is at hand
        return store

    def _unusable(self, error: Exception) -> Trouble:
        shortage = short_of(error) if isinstance(error, OSError) else None
        if shortage is not None:
            return shortage
        install = f"pip install 'batchconnect[{self._module}]'"
        match error:
            case SettingsError(message=message, hint=hint):
                detail, remedy = f"{message}.", hint or ""
            case ModuleNotFoundError(name=name):
                detail, remedy = f"It needs a library that is not installed ({name}).", install
            case ImportError() | SyntaxError():
                detail = f"A library that it needs cannot be loaded ({type(error).__name__})."
                remedy = f"Install it anew: {install} --force-reinstall"
            case _:
                # Its words may hold what the settings say.
                detail, remedy = f"Its client cannot be made ({fault_of(error).label}).", ""
        return Trouble(kind=TroubleKind.UNUSABLE, detail=detail, remedy=remedy)


def _holding(profile: StoreProfile, hold: Callable[[Secret], None]) -> StoreProfile:
    def held(read: Callable[[], Secret]) -> Callable[[], Secret]:
        def read_and_held() -> Secret:
            secret = read()
            hold(secret)
            return secret

        return read_and_held

    secrets = {name: held(read) for name, read in profile.secrets.items()}
    return replace(profile, secrets=secrets)
