"""Rows that nobody sees: what may become of them, and how they are named."""

from collections.abc import Sequence
from enum import Enum, auto

_MOST_RANGES = 10


class HiddenRows(Enum):
    """What becomes of rows that are hidden, filtered out, collapsed or without height."""

    READ = auto()
    """They are read like all others, and named in a warning."""
    LEAVE_OUT = auto()
    REFUSE = auto()
    """The sheet is not read until they are gone or shown."""

    @classmethod
    def of(cls, *, visible_only: bool, strict: bool) -> "HiddenRows":
        """What a person chose; whoever leaves them out is not warned of them, so nothing is strict."""
        if visible_only:
            return cls.LEAVE_OUT
        return cls.REFUSE if strict else cls.READ


def listed(numbers: Sequence[int]) -> str:
    """
    Row numbers for a person, as `rows 4, 7-9`.

    Args:
        numbers: In ascending order; at least one.
    """
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    shown = [str(a) if a == b else f"{a}-{b}" for a, b in ranges[:_MOST_RANGES]]
    more = len(numbers) - sum(b - a + 1 for a, b in ranges[:_MOST_RANGES])
    word = "rows" if len(numbers) > 1 else "row"
    return f"{word} {', '.join(shown)}" + (f" and {more} more" if more else "")
