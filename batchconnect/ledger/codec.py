"""
Entries to JSON and back.

orjson writes dataclasses as they are; pydantic reads them again and holds them against their types,
so that a damaged ledger is an error message and not a wrong report.
"""

import json
from dataclasses import fields
from functools import cache, lru_cache
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from batchconnect import event, outcome as o
from batchconnect.ledger import entry as e

ENTRIES: dict[str, type[Any]] = {
    "run_opened": e.RunOpened,
    "run_resumed": e.RunResumed,
    "row": e.RowPlanned,
    "sending": e.Sending,
    "in_doubt": e.Doubted,
    "absent": e.ProvenAbsent,
    "settled": e.Settled,
    "lane": e.LaneTold,
    "sweep": e.SweepDone,
    "run_ended": e.RunEnded,
}
"""The ledger's word for each kind of entry. Kinds to come (`tested`, `deleted`, `updated`) are new words."""

_WITH_MEMBER = frozenset({"settled", "lane"})
"""Kinds that hold a member of a union, which `is` names."""

_ALIKE = frozenset({"sending", "absent"})
"""Kinds that say the same of nearly every row: each text is read once. Values that never change are shared."""

_WORDS = {cls: word for word, cls in ENTRIES.items()}

_CLASSES: dict[str, type[Any]] = {
    cls.__name__: cls
    for cls in (
        *ENTRIES.values(),
        o.Created,
        o.Existing,
        o.Failed,
        o.Rejected,
        o.Conflict,
        o.InDoubt,
        o.NotAttempted,
        event.LanePaused,
        event.PaceChanged,
        event.LaneStopped,
        event.LaneCounted,
    )
}
"""Entries, and the members of the unions inside them; `is` names the member."""


def word_of(entry: e.Entry) -> str:
    """The ledger's word for an entry's kind."""
    return _WORDS[type(entry)]


def encode(entry: e.Entry) -> bytes:
    """
    Write an entry's fields as one JSON object.

    A `Secret` anywhere in it is a TypeError: neither writer knows the type, and that is wanted.
    """
    told: object = entry
    match entry:
        case e.Settled(outcome=inner) | e.LaneTold(event=inner):
            told = {**_shallow(entry), "is": type(inner).__name__}
        case _:
            pass
    try:
        return orjson.dumps(told)
    except TypeError:
        # Lone surrogates: a file's name that is no text, a cell handed in from Python. They become `?`.
        return json.dumps(told, default=_shallow, ensure_ascii=False).encode(errors="replace")


def decode(word: str, body: bytes | str) -> e.Entry:
    """
    Read an entry back.

    Raises:
        ValueError: The kind is unknown, or the fields do not fit it.
    """
    cls = ENTRIES.get(word)
    if cls is None:
        raise ValueError(f"unknown kind of entry: {word!r}")
    try:
        if word in _ALIKE:
            return _read_alike(word, body)
        entry: e.Entry
        if word not in _WITH_MEMBER:
            entry = _reader(cls.__name__).validate_json(body)
            return entry
        told = orjson.loads(body)
        member = told.pop("is", None)
        if member is not None:
            inner = "outcome" if cls is e.Settled else "event"
            told[inner] = _reader(member).validate_python(told[inner])
        entry = _reader(cls.__name__).validate_python(told)
    except (ValidationError, KeyError, TypeError, AttributeError):
        raise ValueError(f"the fields of a {word!r} entry do not fit") from None
    return entry


def _shallow(entry: Any) -> dict[str, Any]:
    return {field.name: getattr(entry, field.name) for field in fields(entry)}


@lru_cache(maxsize=64)
def _read_alike(word: str, body: bytes | str) -> e.Entry:
    entry: e.Entry = _reader(ENTRIES[word].__name__).validate_json(body)
    return entry


@cache
def _reader(name: str) -> Any:
    # Built when first met: a run that reads little of the ledger pays for little.
    # The adapter's own methods take as long again as the validator that they ask.
    return TypeAdapter(_CLASSES[name]).validator
