"""
Entries to JSON and back.

orjson writes dataclasses as they are; msgspec reads them again and holds them against their types, so
that a damaged ledger is an error message and not a wrong report.
"""

import json
from dataclasses import fields
from functools import cache, lru_cache
from typing import Any, TypedDict, get_args, get_type_hints

import msgspec
import orjson

from batchconnect.ledger import entry as e
from batchconnect.model.outcome import NotAttempted

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
    "fault": e.FaultFound,
    "run_ended": e.RunEnded,
}
"""The ledger's word for each kind of entry. Kinds to come (`tested`, `deleted`, `updated`) are new words."""

_MEMBER_IN = {"settled": "outcome", "lane": "event"}
"""Kinds that hold a member of a union, which `is` names, and the field that it is in."""

_ALIKE = frozenset({"sending", "absent"})
"""Kinds that say the same of nearly every row: each text is read once. Values that never change are shared."""

_PROVISIONAL = orjson.dumps(NotAttempted.__name__) + b"}"
"""How a settled line ends that a resume takes up again: `is` is its last word."""

_typed_dict: Any = TypedDict
"""For dictionaries whose keys are known only when it runs, which a type checker refuses."""

_WORDS = {cls: word for word, cls in ENTRIES.items()}


def word_of(entry: e.Entry) -> str:
    """The ledger's word for an entry's kind."""
    return _WORDS[type(entry)]


def encode(entry: e.Entry) -> bytes:
    """
    Write an entry's fields as one JSON object.

    A `Secret` anywhere in it is a TypeError: neither writer knows the type, and that is wanted.
    """
    member = ""
    if isinstance(entry, e.Settled):
        member = type(entry.outcome).__name__
    elif isinstance(entry, e.LaneTold):
        member = type(entry.event).__name__
    try:
        told = orjson.dumps(entry)
    except TypeError:
        # Lone surrogates: a file's name that is no text, a cell handed in from Python. They become `?`.
        told = json.dumps(entry, default=_shallow, ensure_ascii=False).encode(errors="replace")
    return told[:-1] + _is(member) if member else told


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
        inner = _MEMBER_IN.get(word)
        if inner is None:
            entry = _reader(word).decode(body)
            return entry
        # The members have no name of their own in the JSON, so the outer fields are read first.
        told = _reader(word).decode(body)
        told[inner] = _member_reader(word, told.pop("is")).decode(told[inner])
        entry = cls(**told)
    except (msgspec.MsgspecError, KeyError, UnicodeError):
        raise ValueError(f"the fields of a {word!r} entry do not fit") from None
    return entry


def settles(word: str, body: bytes) -> bool:
    """
    Whether this line leaves nothing to do for its row, if it is the last one: its outcome stands.

    Told by the text alone: of a run with a million settled rows no more need be read.
    """
    return word == "settled" and not body.endswith(_PROVISIONAL)


def _shallow(entry: Any) -> dict[str, Any]:
    return {field.name: getattr(entry, field.name) for field in fields(entry)}


@cache
def _is(member: str) -> bytes:
    """How an object ends that tells which member of a union is in it."""
    return b',"is":' + orjson.dumps(member) + b"}"


@lru_cache(maxsize=64)
def _read_alike(word: str, body: bytes | str) -> e.Entry:
    entry: e.Entry = _reader(word).decode(body)
    return entry


@cache
def _reader(word: str) -> msgspec.json.Decoder[Any]:
    """Reads a kind of entry; of one with a member of a union, all but that, which stays the bytes it is."""
    if word not in _MEMBER_IN:
        return msgspec.json.Decoder(ENTRIES[word])
    types = {**get_type_hints(ENTRIES[word]), "is": str, _MEMBER_IN[word]: msgspec.Raw}
    return msgspec.json.Decoder(_typed_dict(word, types, total=False))


@cache
def _member_reader(word: str, name: str) -> msgspec.json.Decoder[Any]:
    union = get_type_hints(ENTRIES[word])[_MEMBER_IN[word]]
    return msgspec.json.Decoder({kind.__name__: kind for kind in get_args(union)}[name])
