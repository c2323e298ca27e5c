"""Advice whose commands find the run where it lies, so that each may be pasted as it stands."""

import re
import shlex
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Final

_COMMAND: Final = re.compile(r"`(batchconnect (?!template|simulate)[a-z][^`]*)`")
_RERUN: Final = re.compile(r"`(batchconnect rerun\b[^`]*)`")


def with_place(text: str, *, place: Sequence[str], kept: Sequence[str] = ()) -> str:
    """
    An advice for whoever reads it in another folder, or beside another ledger.

    Args:
        text: Its commands stand between backticks.
        place: What stands behind each command, as `--reports DIR`.
        kept: Options that no rerun remembers, where they are known: what an advice says itself wins over them.
    """
    flags = shlex.join(place)
    if "`" in flags + shlex.join(kept):
        return text
    text = _RERUN.sub(lambda found: f"`{found[1]}{_beside(found[1], kept)}`", text)
    if not flags:
        return text
    return _COMMAND.sub(lambda found: f"`{found[1]} {flags}`", text)


def _beside(command: str, kept: Sequence[str]) -> str:
    """Of these options those that a command does not name itself, each with its value."""
    own, is_named, words = set(command.split()), False, []
    for word in kept:
        if word.startswith("--"):
            is_named = word in own
        if not is_named:
            words.append(word)
    return f" {shlex.join(words)}" if words else ""


def placing(place: Sequence[str]) -> Callable[[str], str]:
    """`with_place` of one run: of many rows few have advice of their own."""
    return lru_cache(maxsize=256)(partial(with_place, place=tuple(place)))
