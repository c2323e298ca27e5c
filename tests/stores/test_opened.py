"""Stores as a command opens them: whatever a client's library makes of a machine is a trouble of that store alone."""

import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from batchconnect.model.reference import Place
from batchconnect.model.secret import Secret
from batchconnect.model.store import StoreKind, StoreProfile
from batchconnect.run.diagnosis.store_check import check_stores
from batchconnect.stores.interface import Trouble, TroubleKind
from batchconnect.stores.line import StoreLine
from batchconnect.stores.opened import opened_stores

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]


@asynccontextmanager
async def opened(*profiles: StoreProfile) -> AsyncIterator[dict[str, StoreLine]]:
    async with opened_stores(
        profiles,
        proxy=None,
        ca_bundle=None,
        patience_s=1,
        rng=Random(0),
        on_event=lambda event: None,
        hold=lambda secret: None,
    ) as lines:
        yield dict(lines)


def vault(**changes: Any) -> StoreProfile:
    found: dict[str, Any] = {
        "name": "kv",
        "kind": StoreKind.VAULT,
        "url": "http://127.0.0.1:9",
        "path": "secret",
        "auth": "token",
        "secrets": {"token": lambda: Secret("canary~token")},
    }
    return StoreProfile(**{**found, **changes})


def a_library_that(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """Stands in the place of Vault's client."""
    (folder / "hvac.py").write_text(body)
    monkeypatch.syspath_prepend(folder)
    for name in [one for one in sys.modules if one.split(".")[0] == "hvac"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "batchconnect.stores.vault", raising=False)


@pytest.mark.parametrize(
    ("body", "told", "remedy"),
    [
        (
            "raise ModuleNotFoundError(name='hvac')",
            "not installed (hvac)",
            "pip install 'batchconnect[vault]'",
        ),
        ("from ssl import canary", "cannot be loaded (ImportError)", "--force-reinstall"),
        ("this is no program", "cannot be loaded (SyntaxError)", "--force-reinstall"),
        ("raise OSError('canary')", "cannot be made (OSError at hvac:1 <module>)", ""),
    ],
)
async def test_a_library_that_cannot_be_loaded_makes_its_store_unusable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, body: str, told: str, remedy: str
) -> None:
    a_library_that(tmp_path, monkeypatch, body)
    async with opened(vault()) as lines:
        checked = await lines["kv"].check()
        found = await lines["kv"].look_up(Place("acme"))

    assert checked == found
    assert isinstance(found, Trouble)
    assert found.kind is TroubleKind.UNUSABLE
    assert told in found.detail
    assert remedy in found.remedy
    assert "canary" not in repr(found)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("raise OSError(errno.EMFILE, 'Too many open files')", "Too many open files"),
        ("raise OSError(errno.ENOMEM, 'Cannot allocate memory')", "Cannot allocate memory"),
        (None, "no thread left"),
    ],
)
async def test_a_machine_that_is_short_of_something_loads_it_at_a_later_try(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, body: str | None, told: str
) -> None:
    """Files, memory, a thread: the store is down for as long, and no library is to be installed anew."""
    with monkeypatch.context() as patch:
        if body is None:
            patch.setattr(threading.Thread, "start", _no_thread)
        else:
            a_library_that(tmp_path, patch, f"import errno\n{body}")
        async with opened(vault()) as lines:
            short = await lines["kv"].check()
            patch.undo()
            later = await lines["kv"].check()

    assert short is not None
    assert short.kind is TroubleKind.DOWN
    assert told in short.detail
    assert later is not None
    assert "could not be reached" in later.detail


def _no_thread(_thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


async def test_a_fault_in_one_store_s_client_hides_nothing_of_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`orgs` and `doctor` say it of that store, and go on."""

    def broken() -> Secret:
        raise KeyError("canary~secret")

    async with opened(
        vault(secrets={"token": broken}),
        vault(name="other", secrets={"token": lambda: Secret("x")}),
    ) as lines:
        broken_one, other = await check_stores(lines)

    assert broken_one.refusal is not None
    assert "by a fault of batchconnect (KeyError at tests.stores.test_opened" in broken_one.refusal
    assert "canary" not in broken_one.refusal
    assert other.refusal is not None
    assert "could not be reached" in other.refusal
