"""
Any other store, by a command of the operator's: names on its standard input, secrets on its output, both JSON.

It stands in the settings alone, and no shell sees it. What it writes is never shown, not its errors either.

    in   {"schema": 1, "secrets": [{"name": "acme/key", "version": null}]}
    out  {"secrets": [{"name": "acme/key", "value": "…", "version": "7", "expires": "2027-01-31T00:00:00Z"},
                      {"name": "other", "error": "not_found"}]}

`value` is a text, or an object of fields. `error` is one of `not_found`, `forbidden`, `disabled`, `throttled`,
`signed_out`.
"""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from subprocess import DEVNULL, PIPE
from typing import Any, Final, final

import anyio
import anyio.abc

from batchconnect.model.reference import Place, StoredSecret
from batchconnect.model.store import StoreProfile
from batchconnect.stores.field import ends_at_ms, field_of, value_of
from batchconnect.stores.interface import (
    NO_THREAD,
    REQUEST_S,
    Answer,
    Network,
    Refusal,
    Trouble,
    TroubleKind,
    short_of,
)

_LARGEST: Final = 1 << 20
"""Bytes of its output."""
_OWN: Final = "BATCHCONNECT_"
"""Variables with this beginning are ours, and no business of the command's."""
_REFUSALS: Final = {
    "not_found": Refusal.NOT_FOUND,
    "forbidden": Refusal.FORBIDDEN,
    "disabled": Refusal.DISABLED,
}
_TROUBLES: Final = {
    "throttled": TroubleKind.THROTTLED,
    "signed_out": TroubleKind.SIGNED_OUT,
}


def _down(detail: str) -> Trouble:
    return Trouble(kind=TroubleKind.DOWN, detail=detail)


@final
class Command:
    """
    A program that is run for up to twenty names at once.

    Args:
        profile: Of the settings.
        network: No business of ours: the program has its own.
    """

    batch = 20

    def __init__(self, profile: StoreProfile, network: Network) -> None:
        del network
        self._command = profile.command

    async def fetch(self, places: Sequence[Place]) -> Mapping[Place, Answer] | Trouble:
        """As of `Store`."""
        found: dict[Place, Answer] = {}
        for some in _rounds(places):
            answer = await self._fetch(some)
            if isinstance(answer, Trouble):
                return answer
            found.update(answer)
        return found

    async def _fetch(self, places: Sequence[Place]) -> Mapping[Place, Answer] | Trouble:
        wanted = dict.fromkeys((place.name, place.version) for place in places)
        asked = [{"name": name, "version": version} for name, version in wanted]
        said = await self._run(json.dumps({"schema": 1, "secrets": asked}).encode())
        if isinstance(said, Trouble):
            return said
        told = _entries(said)
        if told is None:
            return _down("Its command wrote something else than the JSON that is asked for.")
        for entry in told.values():
            kind = _TROUBLES.get(str(entry.get("error")))
            if kind is not None:
                return Trouble(kind=kind, detail="Its command says so.")
        return {place: _judged(told.get(place.name), place) for place in places}

    async def check(self) -> Trouble | None:
        """As of `Store`: whether it runs, and writes what is asked for."""
        found = await self._run(b'{"schema": 1, "secrets": []}')
        return found if isinstance(found, Trouble) else None

    async def close(self) -> None:
        """As of `Store`."""

    async def _run(self, asked: bytes) -> bytes | Trouble:
        environ = {name: value for name, value in os.environ.items() if not name.startswith(_OWN)}
        with anyio.move_on_after(REQUEST_S):
            try:
                process = await anyio.open_process(
                    self._command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=environ
                )
            except OSError as error:
                return _not_begun(error)
            except RuntimeError:
                return NO_THREAD  # that would wait for its end
            async with process:
                return await _spoken(process, asked)
        return _down(f"Its command took longer than {REQUEST_S:g} seconds.")


def _not_begun(error: OSError) -> Trouble:
    return short_of(error) or Trouble(
        kind=TroubleKind.UNUSABLE,
        detail=f"Its command cannot be run ({error.strerror}).",
        remedy="Correct `command` in its section of the settings.",
    )


async def _spoken(process: anyio.abc.Process, asked: bytes) -> bytes | Trouble:
    assert process.stdin is not None
    assert process.stdout is not None
    # It need not want to know; what it writes counts. Which error that is depends on the loop and on anyio.
    with suppress(OSError, RuntimeError, anyio.BrokenResourceError, anyio.ClosedResourceError):
        await process.stdin.send(asked)
    with suppress(OSError, RuntimeError, anyio.BrokenResourceError, anyio.ClosedResourceError):
        await process.stdin.aclose()
    said = bytearray()
    async for chunk in process.stdout:
        said += chunk
        if len(said) > _LARGEST:
            process.kill()
            return _down(f"Its command wrote more than {_LARGEST} bytes.")
    code = await process.wait()
    return bytes(said) if code == 0 else _down(f"Its command ended with exit code {code}.")


def _rounds(places: Sequence[Place]) -> list[list[Place]]:
    """The answer tells names alone: two versions of one are asked for one after the other."""
    rounds: list[list[Place]] = []
    for place in places:
        for some in rounds:
            if all(one.name != place.name or one.version == place.version for one in some):
                some.append(place)
                break
        else:
            rounds.append([place])
    return rounds


def _entries(said: bytes) -> dict[str, dict[str, Any]] | None:
    """What was said of each name; None: it is of another form."""
    try:
        found = json.loads(said)
    except (ValueError, RecursionError):
        return None
    entries = found.get("secrets") if isinstance(found, dict) else None
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        return None
    return {str(one.get("name")): one for one in entries}


def _judged(entry: Mapping[str, Any] | None, place: Place) -> Answer:
    if entry is None:
        return Refusal.NOT_FOUND
    if "error" in entry:
        return _REFUSALS.get(str(entry["error"]), Refusal.INVALID)
    value = entry.get("value")
    if isinstance(value, dict):
        found = field_of(value, place.field)
    else:
        found = value_of(value, place.field) if isinstance(value, str) else Refusal.NOT_TEXT
    if isinstance(found, Refusal):
        return found
    version = entry.get("version")
    return StoredSecret(
        value=found,
        version=str(version) if isinstance(version, str | int) else None,
        expires_at_ms=ends_at_ms(entry.get("expires")),
    )
