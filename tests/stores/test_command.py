"""A store that is a command: names in, secrets out, and nothing of it is shown."""

import errno
import os
import resource
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import pytest

from batchconnect.model.reference import Place, StoredSecret
from batchconnect.model.secret import Secret
from batchconnect.model.store import StoreKind, StoreProfile
from batchconnect.stores import command
from batchconnect.stores.command import Command
from batchconnect.stores.interface import Answer, Network, Refusal, Trouble, TroubleKind

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]

CANARY = "canary~S3cret.value-42"


def store(*words: str) -> Command:
    profile = StoreProfile(name="own", kind=StoreKind.EXEC, command=words)
    return Command(profile, Network())


def script(folder: Path, text: str) -> Command:
    path = folder / "store.py"
    path.write_text("import json, os, sys, time\n" + textwrap.dedent(text))
    return store(sys.executable, str(path))


async def fetched(one: Command, *places: Sequence[str | None]) -> list[Answer] | Trouble:
    asked = [Place(*place) for place in places]  # type: ignore[arg-type]  # as the tests write them
    found = await one.fetch(asked)
    return found if isinstance(found, Trouble) else [found[place] for place in asked]


async def test_it_is_asked_for_many_at_once(tmp_path: Path) -> None:
    """A text or fields, with version and end; what it does not say it does not hold."""
    one = script(
        tmp_path,
        f"""
        asked = json.load(sys.stdin)
        assert asked["schema"] == 1
        told = {{
            "a": {{"value": "{CANARY}", "version": 7, "expires": "2027-01-31T00:00:00Z"}},
            "b": {{"value": {{"key": "{CANARY}", "other": "x"}}}},
            "c": {{"error": "forbidden"}},
        }}
        found = [{{"name": one["name"], **told[one["name"]]}} for one in asked["secrets"] if one["name"] in told]
        print(json.dumps({{"secrets": found}}))
        """,
    )

    found = await fetched(one, ("a",), ("b", None, "key"), ("b",), ("c",), ("d",))

    assert found == [
        StoredSecret(value=Secret(CANARY), version="7", expires_at_ms=1_801_353_600_000),
        StoredSecret(value=Secret(CANARY)),
        Refusal.FIELD_NEEDED,
        Refusal.FORBIDDEN,
        Refusal.NOT_FOUND,
    ]
    assert await one.check() is None


async def test_two_versions_of_one_name_are_asked_for_apart(tmp_path: Path) -> None:
    """The answer tells names alone."""
    one = script(
        tmp_path,
        """
        found = [{"name": o["name"], "value": f"value~of~{o['version']}"} for o in json.load(sys.stdin)["secrets"]]
        print(json.dumps({"secrets": found}))
        """,
    )

    found = await fetched(one, ("a", "1"), ("a", "2"))

    assert found == [
        StoredSecret(value=Secret("value~of~1")),
        StoredSecret(value=Secret("value~of~2")),
    ]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (f"print('{CANARY}'); sys.exit(3)", TroubleKind.DOWN),
        (f"print('{CANARY}', file=sys.stderr); print('{CANARY}')", TroubleKind.DOWN),
        (f"print(json.dumps(dict(secrets='{CANARY}')))", TroubleKind.DOWN),
        ("print('x' * 3_000_000)", TroubleKind.DOWN),
        ('print(\'{"secrets": [{"name": "a", "error": "throttled"}]}\')', TroubleKind.THROTTLED),
        ('print(\'{"secrets": [{"name": "a", "error": "signed_out"}]}\')', TroubleKind.SIGNED_OUT),
        ("time.sleep(60)", TroubleKind.DOWN),
    ],
)
async def test_what_goes_wrong_is_the_store_s_trouble(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    text: str,
    kind: TroubleKind,
) -> None:
    """And nothing that it wrote is shown."""
    monkeypatch.setattr(command, "REQUEST_S", 5.0 if "sleep" not in text else 0.3)

    found = await fetched(script(tmp_path, text), ("a",))

    assert isinstance(found, Trouble)
    assert found.kind is kind
    said = capfd.readouterr()
    assert CANARY not in repr(found) + said.out + said.err


async def test_a_command_that_is_not_there_is_unusable() -> None:
    found = await fetched(store("/nowhere/at-all"), ("a",))

    assert isinstance(found, Trouble)
    assert found.kind is TroubleKind.UNUSABLE


async def test_a_machine_that_is_short_of_files_is_a_trouble_that_passes(tmp_path: Path) -> None:
    """Nothing is wrong with the command: rows wait, as for a store that is down, and are told why."""
    one = script(tmp_path, """print('{"secrets": [{"name": "a", "value": "value~of~a"}]}')""")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with open(os.devnull) as newest:  # noqa: ASYNC230, PTH123 - for its number alone
        resource.setrlimit(resource.RLIMIT_NOFILE, (newest.fileno() + 1, hard))
        try:
            found = await fetched(one, ("a",))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert isinstance(found, Trouble)
    assert found.kind is TroubleKind.DOWN
    assert "Too many open files" in found.detail
    assert await fetched(one, ("a",)) == [StoredSecret(value=Secret("value~of~a"))]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(errno.EAGAIN, "short"), TroubleKind.DOWN),
        (OSError(errno.ENFILE, "short"), TroubleKind.DOWN),
        (OSError(errno.ENOMEM, "short"), TroubleKind.DOWN),
        (OSError(errno.ETXTBSY, "short"), TroubleKind.DOWN),
        (RuntimeError("can't start new thread"), TroubleKind.DOWN),
        (OSError(errno.EACCES, "not ours"), TroubleKind.UNUSABLE),
        (OSError(errno.ENOEXEC, "no program"), TroubleKind.UNUSABLE),
    ],
)
async def test_what_passes_is_told_from_what_has_to_be_corrected(
    monkeypatch: pytest.MonkeyPatch, error: Exception, kind: TroubleKind
) -> None:
    async def refused(*_command: object, **_options: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(anyio, "open_process", refused)
        found = await fetched(store("any"), ("a",))

    assert isinstance(found, Trouble)
    assert found.kind is kind


async def test_a_command_that_is_through_before_it_is_asked_is_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It need not read its input: a pipe that it closed is no trouble of its own."""
    one = script(tmp_path, """print('{"secrets": [{"name": "a", "value": "value~of~a"}]}')""")
    opened = anyio.open_process

    async def ended(*command: Any, **options: Any) -> anyio.abc.Process:
        process = await opened(*command, **options)
        await process.wait()
        return process

    monkeypatch.setattr(anyio, "open_process", ended)

    assert await fetched(one, ("a",)) == [StoredSecret(value=Secret("value~of~a"))]


async def test_it_sees_none_of_our_own_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own it does; and no shell sees what a name holds."""
    monkeypatch.setenv("BATCHCONNECT_CLIENT_SECRET", CANARY)
    monkeypatch.setenv("STORE_TOKEN", "token~of~the~store")
    one = script(
        tmp_path,
        """
        told = {name: os.environ.get(name, "none") for name in ("BATCHCONNECT_CLIENT_SECRET", "STORE_TOKEN")}
        print(json.dumps({"secrets": [{"name": "a", "value": told}]}))
        """,
    )

    assert await fetched(
        one, ("a", None, "BATCHCONNECT_CLIENT_SECRET"), ("a", None, "STORE_TOKEN")
    ) == [
        StoredSecret(value=Secret("none")),
        StoredSecret(value=Secret("token~of~the~store")),
    ]
