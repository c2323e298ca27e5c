"""
The ways to sign in to Key Vault, by the real library at the endpoints that Microsoft documents, all on loopback.

`cli` asks the program `az`, which nothing can be put in the place of but another program of that name.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from batchconnect.model.reference import StoredSecret
from batchconnect.model.secret import Secret
from batchconnect.stores.interface import Trouble, TroubleKind
from tests.stores.fake_key_vault import CLIENT_ID, TENANT, FakeKeyVault
from tests.stores.test_azure import CANARY, fetched, opened, served, vault

__all__ = ["served", "vault"]

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]

HELD = StoredSecret(value=Secret(CANARY), version="v2")


@pytest.fixture(autouse=True)
def _nothing_signs_in(monkeypatch: pytest.MonkeyPatch, vault: FakeKeyVault) -> None:
    """No client secret: each test sets up its own way."""
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.delenv(name)


async def test_workload_hands_the_token_of_its_pod_to_entra(
    vault: FakeKeyVault, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The file's text is the assertion; a wrong one is refused, and told nowhere."""
    assertion = tmp_path / "token"
    assertion.write_text(vault.assertion)
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(assertion))
    words = {
        "client_id": CLIENT_ID, "tenant_id": TENANT, "authority": f"https://{vault.address}"
    }  # fmt: skip

    async with opened(vault, auth="workload", words=words) as store:
        assert await fetched(store, "bc-acme") == HELD
    assertion.write_text("canary~an.other.assertion")
    async with opened(vault, auth="workload", words=words) as store:
        found = await fetched(store, "bc-acme")

    assert isinstance(found, Trouble)
    assert found.kind is TroubleKind.SIGNED_OUT
    assert "canary" not in repr(found)


@pytest.mark.parametrize("auth", ["workload", "env"])
async def test_a_machine_without_what_the_way_needs_is_signed_out(
    vault: FakeKeyVault, monkeypatch: pytest.MonkeyPatch, auth: str
) -> None:
    """Off the cluster the library's credential cannot even be made."""
    monkeypatch.delenv("AZURE_FEDERATED_TOKEN_FILE", raising=False)
    words = {"authority": f"https://{vault.address}"}

    async with opened(vault, auth=auth, words=words) as store:
        found, checked = await fetched(store, "bc-acme"), await store.check()

    for one in (found, checked):
        assert isinstance(one, Trouble)
        assert one.kind is TroubleKind.SIGNED_OUT
        assert "no credential" in one.detail
    assert auth == "env" or vault.paths == []


@pytest.mark.parametrize("client_id", [None, CLIENT_ID])
@pytest.mark.parametrize("hosting", ["app service", "virtual machine"])
async def test_managed_asks_the_machine_s_own_endpoint_for_key_vault_s_token(
    vault: FakeKeyVault, monkeypatch: pytest.MonkeyPatch, hosting: str, client_id: str | None
) -> None:
    """App Service tells its address and a header, a virtual machine has the metadata service."""
    if hosting == "app service":
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"https://{vault.address}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", vault.identity_header)
    else:
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", f"https://{vault.address}")
    words = {} if client_id is None else {"client_id": client_id}

    async with opened(vault, auth="managed", words=words) as store:
        assert await fetched(store, "bc-acme") == HELD

    (asked,) = vault.managed
    assert asked["resource"] == "https://vault.azure.net"
    assert asked.get("client_id") == client_id


async def test_managed_where_there_is_no_identity_is_signed_out(
    vault: FakeKeyVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"https://{vault.address}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "canary~another-header")

    async with opened(vault, auth="managed", words={}) as store:
        found = await fetched(store, "bc-acme")

    assert isinstance(found, Trouble)
    assert found.kind is TroubleKind.SIGNED_OUT
    assert "canary" not in repr(found)


def an_az(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> Path:
    """A program of the name `az`, the first on the path; it keeps its arguments."""
    asked = folder / "asked.json"
    program = folder / "az"
    program.write_text(
        f"#!{sys.executable}\nimport json, sys\n"
        f"open({str(asked)!r}, 'w').write(json.dumps(sys.argv[1:]))\n{body}\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return asked


async def test_cli_takes_the_token_of_whoever_is_signed_in_to_az(
    vault: FakeKeyVault, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told: dict[str, Any] = {
        "accessToken": "token-of-az", "expires_on": int(time.time()) + 3600,
        "subscription": "s", "tenant": TENANT, "tokenType": "Bearer",
    }  # fmt: skip
    asked = an_az(tmp_path, monkeypatch, f"print({json.dumps(json.dumps(told))})")

    async with opened(vault, auth="cli", words={"tenant_id": TENANT}) as store:
        assert await fetched(store, "bc-acme") == HELD

    arguments = json.loads(asked.read_text())
    assert arguments[:2] == ["account", "get-access-token"]
    assert "https://vault.azure.net" in arguments
    assert TENANT in arguments


@pytest.mark.parametrize("body", ["sys.exit('canary~what az says')", None])
async def test_cli_that_is_signed_out_or_not_there_is_told_without_its_words(
    vault: FakeKeyVault, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, body: str | None
) -> None:
    if body is None:
        monkeypatch.setenv("PATH", str(tmp_path))
    else:
        an_az(tmp_path, monkeypatch, body)

    async with opened(vault, auth="cli", words={}) as store:
        found = await fetched(store, "bc-acme")

    assert isinstance(found, Trouble)
    assert found.kind is TroubleKind.SIGNED_OUT
    assert "canary" not in repr(found)
