"""
A run without live secrets: the look at every text, before any format writes it in its own way.

Escaped or packed, a value may not be found any more. What is searched is read off the values themselves:
each text of each field, however deep it lies, so that a field that comes tomorrow is searched as well.
Hardly a row holds a secret, so the texts of many rows are looked at together, once for all formats: that
took a third of the reports' time when each format had its own look at each row.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from operator import attrgetter
from typing import Any, Final, TypeVar

from batchconnect.model.value import has_fields, names_of, replace
from batchconnect.reports.fan_out import batches
from batchconnect.reports.result import Result
from batchconnect.reports.summary import Summary

ROWS_PER_LOOK = 32
"""Some 10 kB: a longer text often holds what a secret might begin with, and is looked at twice."""

Redact = Callable[[str], str]
"""Cuts live secrets out of a text."""

_UNSEARCHED: Final = frozenset({"rows", "files"})
"""Fields of a `Summary` that hold no text yet: the rows are searched as they are read, and the paths of
the reports are known when those are written."""
_Value = TypeVar("_Value")


def cleaned(summary: Summary, redact: Redact) -> Summary:
    """The same run; each text of it and of its rows is looked at."""

    def rows() -> Iterator[Result]:
        for batch in batches(summary.rows(), ROWS_PER_LOOK):
            yield from _cleaned(batch, redact)

    names = [name for name in names_of(summary) if name not in _UNSEARCHED]
    told = without_secrets(tuple(getattr(summary, name) for name in names), redact)
    return replace(summary, **dict(zip(names, told, strict=True)), rows=rows)


def without_secrets(value: _Value, redact: Redact) -> _Value:
    """
    The same value, with every text in it looked at: fields, items, keys.

    Returns:
        The value itself where it holds no secret.
    """
    texts: list[str] = []
    _gather(value, texts)
    return value if _is_clean(texts, redact) else _redacted(value, redact)


def _cleaned(rows: Sequence[Result], redact: Redact) -> Sequence[Result]:
    texts: list[str] = []
    for row in rows:
        _gather(row, texts)
    return rows if _is_clean(texts, redact) else [without_secrets(row, redact) for row in rows]


def _is_clean(texts: Sequence[str], redact: Redact) -> bool:
    joined = "\0".join(texts)
    return redact(joined) == joined


def _gather(value: Any, texts: list[str]) -> None:
    """Add every text in a value to *texts*. An enum's is a word of ours, so it is passed over."""
    kind: Any = type(value)
    if kind is str:
        texts.append(value)
    elif (read := _reader(kind)) is not None:
        for part in read(value):
            of = type(part)
            if of is str:  # most of them are: a call would cost more than all the rest
                texts.append(part)
            elif part and of is not int:
                _gather(part, texts)


def _redacted(value: Any, redact: Redact) -> Any:
    kind = type(value)
    if kind is str:
        return redact(value)
    if isinstance(value, Mapping):
        pairs = value.items()
        return {_redacted(key, redact): _redacted(item, redact) for key, item in pairs}
    if isinstance(value, tuple | list | set | frozenset):
        items = [_redacted(item, redact) for item in value]
        return kind(*items) if hasattr(value, "_fields") else kind(items)
    if has_fields(kind):
        parts = {name: _redacted(getattr(value, name), redact) for name in names_of(value)}
        return replace(value, **parts)
    return value


@lru_cache(maxsize=256)
def _reader(kind: type) -> Callable[[Any], Iterable[Any]] | None:
    """What gives all parts of a value of this kind; None where it has none."""
    if issubclass(kind, Mapping):
        return lambda value: chain(value.keys(), value.values())
    if issubclass(kind, tuple | list | set | frozenset):
        return iter
    names = names_of(kind) if has_fields(kind) else ()
    if not names:
        return None
    read = attrgetter(*names)
    return read if len(names) > 1 else lambda value: (read(value),)
