"""Advice whose commands find the run where it lies, so that each may be pasted as it stands."""

import re
import shlex
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Final

_COMMAND: Final = re.compile(r"`(batchconnect (?!template|simulate)[a-z][^`]*)`")


def with_place(text: str, *, place: Sequence[str]) -> str:
    """
    An advice for whoever reads it in another folder, or beside another ledger.

    Args:
        text: Its commands stand between backticks.
        place: What stands behind each command, as `--reports DIR`.
    """
    flags = shlex.join(place)
    if not flags or "`" in flags:
        return text
    return _COMMAND.sub(lambda found: f"`{found[1]} {flags}`", text)


def placing(place: Sequence[str]) -> Callable[[str], str]:
    """`with_place` of one run: of many rows few have advice of their own."""
    return lru_cache(maxsize=256)(partial(with_place, place=tuple(place)))
