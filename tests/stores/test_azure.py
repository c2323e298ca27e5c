"""Key Vault, asked by Microsoft's own client over TLS: what each answer becomes, and that none of it is told."""

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from azure.keyvault.secrets._shared import http_challenge_cache

from batchconnect.model.reference import Place, StoredSecret
from batchconnect.model.secret import Secret
from batchconnect.model.store import StoreKind, StoreProfile
from batchconnect.stores.azure import KeyVault
from batchconnect.stores.interface import Answer, Network, Refusal, Trouble, TroubleKind
from batchconnect.stores.quiet import unheard
from tests.stores.fake_key_vault import (
    CLIENT_ID,
    TENANT,
    FakeKeyVault,
    Held,
    error,
    served_key_vault,
)

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]

CANARY = "canary~S3cret.value-42"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeKeyVault]:
    with served_key_vault(tmp_path_factory.mktemp("akv")) as vault:
        yield vault


@pytest.fixture
def vault(served: FakeKeyVault, monkeypatch: pytest.MonkeyPatch) -> FakeKeyVault:
    """With nothing in it, in a good mood; the environment signs in."""
    for name, value in {
        "AZURE_TENANT_ID": TENANT,
        "AZURE_CLIENT_ID": CLIENT_ID,
        "AZURE_CLIENT_SECRET": served.client_secret,
    }.items():
        monkeypatch.setenv(name, value)
    served.secrets = {
        "bc-acme": Held({"v1": "first~value", "v2": CANARY}),
        "bc-fields": Held({"v1": f'{{"key": "{CANARY}", "other": "x"}}'}),
        "bc-off": Held({"v1": CANARY}, is_enabled=False),
        "bc-ends": Held({"v1": CANARY}, expires_s=1_800_000_000),
        "bc-mine": Held({"v1": CANARY}),
    }
    served.forbidden = {"bc-mine"}
    served.answer = lambda path: None
    served.resource = "https://vault.azure.net"
    served.paths.clear()
    served.managed.clear()
    http_challenge_cache.clear()  # the client keeps what a server said for the whole process
    return served


@asynccontextmanager
async def opened(vault: FakeKeyVault, **changes: Any) -> AsyncIterator[KeyVault]:
    found: dict[str, Any] = {
        "name": "clients",
        "kind": StoreKind.AZURE,
        "url": f"https://{vault.address}",
        "auth": "env",
        "words": {"authority": f"https://{vault.address}"},
    }
    trusted: Path | None = changes.pop("authorities", vault.authority_file)
    store = KeyVault(StoreProfile(**{**found, **changes}), Network(authorities=trusted))
    try:
        yield store
    finally:
        await store.close()


async def fetched(store: KeyVault, *place: Any) -> Answer | Trouble:
    asked = Place(*place)
    with unheard():
        found = await store.fetch([asked])
    return found if isinstance(found, Trouble) else found[asked]


async def test_a_secret_comes_with_its_version_and_its_end(vault: FakeKeyVault) -> None:
    """The newest or the named one, whole or a field of it; one sign-in for all."""
    before = vault.tokens
    async with opened(vault) as store:
        assert await fetched(store, "bc-acme") == StoredSecret(value=Secret(CANARY), version="v2")
        assert await fetched(store, "bc-acme", "v1") == StoredSecret(
            value=Secret("first~value"), version="v1"
        )
        assert await fetched(store, "bc-fields", None, "key") == StoredSecret(
            value=Secret(CANARY), version="v1"
        )
        ends = await fetched(store, "bc-ends")
        assert await store.check() is None

    assert isinstance(ends, StoredSecret)
    assert ends.expires_at_ms == 1_800_000_000_000
    assert vault.tokens == before + 1


async def test_what_it_does_not_give_is_told_apart(vault: FakeKeyVault) -> None:
    async with opened(vault) as store:
        found = [
            await fetched(store, *place)
            for place in [
                ("bc-none",),
                ("bc-acme", "v9"),
                ("bc-mine",),
                ("bc-off",),
                ("bc-fields",),
                ("bc-fields", None, "none"),
                ("bc-acme", None, "none"),
                ("bc/acme",),
            ]
        ]

    assert found == [
        Refusal.NOT_FOUND,
        Refusal.NO_VERSION,
        Refusal.FORBIDDEN,
        Refusal.DISABLED,
        Refusal.FIELD_NEEDED,
        Refusal.NO_FIELD,
        Refusal.NO_FIELD,
        Refusal.INVALID,
    ]


@pytest.mark.parametrize(
    ("told", "kind", "after_s"),
    [
        ((429, {"Retry-After": "7"}, error("Slow", CANARY)), TroubleKind.THROTTLED, 7.0),
        ((503, {}, error("Busy", CANARY)), TroubleKind.DOWN, None),
        ((307, {"Location": "https://elsewhere.example.com"}, {}), TroubleKind.UNUSABLE, None),
        ((403, {}, error("No", CANARY, "ForbiddenByFirewall")), TroubleKind.UNUSABLE, None),
        ((200, {}, CANARY), TroubleKind.DOWN, None),
    ],
)
async def test_what_speaks_of_the_whole_vault_is_its_trouble(
    vault: FakeKeyVault,
    told: tuple[int, dict[str, str], Any],
    kind: TroubleKind,
    after_s: float | None,
) -> None:
    """It is asked once: when to ask again is decided for all stores alike."""
    async with opened(vault) as store:
        await fetched(store, "bc-acme")
        vault.answer = lambda path: told if "secrets" in path else None
        vault.paths.clear()
        found = await fetched(store, "bc-acme")

    assert isinstance(found, Trouble)
    assert (found.kind, found.retry_after_s) == (kind, after_s)
    assert len(vault.paths) == 1
    assert CANARY not in repr(found)


async def test_a_wrong_sign_in_is_no_row_s_fault(
    vault: FakeKeyVault, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What Entra says echoes the secret here; it is nowhere."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("AZURE_CLIENT_SECRET", CANARY)

    async with opened(vault) as store:
        found = await fetched(store, "bc-acme")

    assert isinstance(found, Trouble)
    assert found.kind is TroubleKind.SIGNED_OUT
    assert CANARY not in repr(found) + caplog.text


async def test_no_sign_in_at_all_is_said(
    vault: FakeKeyVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AZURE_CLIENT_SECRET")

    async with opened(vault) as store:
        found = await fetched(store, "bc-acme")

    assert isinstance(found, Trouble)
    assert found.kind is TroubleKind.SIGNED_OUT


async def test_a_token_is_asked_for_key_vault_alone(vault: FakeKeyVault) -> None:
    """A server that wants one for something else gets none."""
    vault.resource = "https://graph.microsoft.com"
    before = vault.tokens

    async with opened(vault) as store:
        found = await fetched(store, "bc-acme")

    assert isinstance(found, Trouble)
    assert vault.tokens == before


async def test_a_certificate_that_nobody_knows_is_not_trusted(vault: FakeKeyVault) -> None:
    async with opened(vault, authorities=None) as store:
        found = await fetched(store, "bc-acme")

    assert isinstance(found, Trouble)
    assert found.kind is TroubleKind.DOWN
    assert not vault.paths


async def test_no_logger_tells_a_secret(
    vault: FakeKeyVault, caplog: pytest.LogCaptureFixture
) -> None:
    """Not at level DEBUG either."""
    caplog.set_level(logging.DEBUG)

    async with opened(vault) as store:
        await fetched(store, "bc-acme")
        await fetched(store, "bc-off")

    assert CANARY not in caplog.text
    assert vault.client_secret not in caplog.text
    assert "token-" not in caplog.text
