"""
Entries to JSON and back.

msgspec writes values as they are, and reads them again and holds them against their types, so that a
damaged ledger is an error message and not a wrong report.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, TypedDict, get_args, get_type_hints

import msgspec
import orjson

from batchconnect.ledger import entry as e
from batchconnect.ledger.kind import BY_ENTRY, BY_WORD
from batchconnect.model.outcome import NotAttempted, Outcome, Rejected
from batchconnect.model.value import by_name

ENDS = frozenset(BY_ENTRY[kind].word for kind in (e.Settled, e.Left))
STANDS = frozenset(BY_ENTRY[kind].word for kind in (e.Updated, e.Deleted, e.Tested, e.KeyLooked))
"""Kinds after which nothing is left to do, whatever they say; only what has a connection is tested."""
PROVISIONAL = tuple(orjson.dumps(kind.__name__) + b"}" for kind in (NotAttempted, Rejected))
"""How a line ends that a resume takes up, or judges, again: `is` is its last word."""

USUAL = frozenset(BY_ENTRY[kind].word for kind in (e.RowPlanned, e.Sending, e.Settled))
"""Kinds of the lines of most rows: of a row without others, its last outcome tells how it ended."""
_PLANNED, _SETTLED = (BY_ENTRY[kind].word for kind in (e.RowPlanned, e.Settled))
_ENOUGH: Mapping[bytes, str] = {
    orjson.dumps(kind.__name__) + b"}": kind.__name__
    for kind in get_args(Outcome)
    if kind is not NotAttempted
}
"""Names of outcomes, as lines end with them, that say enough."""
_BEFORE_NAME = b',"is":'
UNTESTED = b'"tested":null,'
"""In the text of an outcome: none was taken over with what its connection's last test said, which counts as well."""
NAME_WITHIN = len(UNTESTED + b'"key":null' + _BEFORE_NAME) + max(
    len(orjson.dumps(kind.__name__)) + 1 for kind in get_args(Outcome)
)
"""Bytes from the end of such a line within which both stand; where a key is told, its lines have to be read."""

_typed_dict: Any = TypedDict
"""For dictionaries whose keys are known only when it runs, which a type checker refuses."""


class UnknownKindError(ValueError):
    """A kind of line that is not ours: a newer batchconnect wrote it."""


def encode(entry: e.Entry) -> bytes:
    """
    Write an entry's fields as one JSON object.

    A `Secret` anywhere in it is a TypeError: neither writer knows the type, and that is wanted.
    """
    inner = BY_ENTRY[type(entry)].member_in
    member = type(getattr(entry, inner)).__name__ if inner else ""
    try:
        told = msgspec.json.encode(entry)
    except (TypeError, UnicodeEncodeError):
        # Lone surrogates: a file's name that is no text, a cell handed in from Python. They become `?`.
        told = json.dumps(entry, default=by_name, ensure_ascii=False, separators=(",", ":")).encode(
            errors="replace"
        )
    return told[:-1] + _is(member) if member else told


def decode(word: str, body: bytes | str) -> e.Entry:
    """
    Read an entry back.

    Raises:
        UnknownKindError: A newer batchconnect wrote it.
        ValueError: The fields do not fit the kind.
    """
    kind = BY_WORD.get(word)
    if kind is None:
        raise UnknownKindError(f"unknown kind of entry: {word!r}")
    try:
        if kind.is_alike:
            return _read_alike(word, body)
        entry: e.Entry
        inner = kind.member_in
        if not inner:
            entry = _reader(word).decode(body)
            return entry
        # The members have no name of their own in the JSON, so the outer fields are read first.
        told = _reader(word).decode(body)
        told[inner] = _member_reader(word, told.pop("is")).decode(told[inner])
        entry = kind.entry(**told)
    except (msgspec.MsgspecError, KeyError, UnicodeError):
        raise ValueError(f"the fields of a {word!r} entry do not fit") from None
    return entry


def settles(word: str, body: bytes) -> bool:
    """
    Whether this line leaves nothing to do for its row, if it is the last one: its outcome stands.

    Told by the text alone: of a run with a million settled rows no more need be read.
    """
    return word in STANDS or (word in ENDS and not body.endswith(PROVISIONAL))


def outcome_told(words: Sequence[str], bodies: Sequence[bytes | str]) -> str | None:
    """
    The name of a row's outcome, where its lines are the usual ones and no more than the name need be read.

    Args:
        words: The kinds of its lines, oldest first.
        bodies: Their texts.

    Returns:
        None: its lines have to be read; so of a row that waits, for its code tells why.
    """
    if words[0] != _PLANNED or words[-1] != _SETTLED or not USUAL.issuperset(words):
        return None
    raw = [body.encode() if isinstance(body, str) else body for body in bodies]
    settled = (body for word, body in zip(words, raw, strict=True) if word == _SETTLED)
    return name_told(raw[-1]) if all(UNTESTED in body[-NAME_WITHIN:] for body in settled) else None


def name_told(end: bytes) -> str | None:
    """The name of the outcome that a line ends with; None: it does not say enough."""
    # `is` is the last word of the object, and no text holds a bare quote.
    return _ENOUGH.get(end.rpartition(_BEFORE_NAME)[2])


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
    kind = BY_WORD[word]
    if not kind.member_in:
        return msgspec.json.Decoder(kind.entry)
    types = {**get_type_hints(kind.entry), "is": str, kind.member_in: msgspec.Raw}
    return msgspec.json.Decoder(_typed_dict(word, types, total=False))


@cache
def _member_reader(word: str, name: str) -> msgspec.json.Decoder[Any]:
    kind = BY_WORD[word]
    union = get_type_hints(kind.entry)[kind.member_in]
    return msgspec.json.Decoder({member.__name__: member for member in get_args(union)}[name])
