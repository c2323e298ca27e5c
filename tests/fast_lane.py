"""What of a large table of examples stays in the fast lane; the whole suite has all of it."""

from collections.abc import Iterable
from typing import Any

import pytest

SHARES = [
    0,
    *(pytest.param(share, marks=[pytest.mark.slow, pytest.mark.no_cover]) for share in (1, 2, 3)),
]
"""
Every fourth side effect from each of these on: together all of them.

The first is in the fast lane. The others reach the same lines at other instants, and are not traced for the coverage.
"""


def few(examples: Iterable[Any], kept: int) -> list[Any]:
    """
    Examples for `parametrize`: as many as are kept, from one end of the table to the other, are not `slow`.

    Args:
        examples: One value each; a tuple is one value for each of several names.
        kept: At least one, or what the tests show would be shown by the whole suite alone.
    """
    table = list(examples)
    step = max(1, len(table) // kept)
    stay = set(range(0, len(table), step)[:kept])
    return [one if at in stay else _slow(one) for at, one in enumerate(table)]


def _slow(example: Any) -> Any:
    values = example if isinstance(example, tuple) else (example,)
    return pytest.param(*values, marks=pytest.mark.slow)
