"""
The fast check of many rows at once: which of them have nothing to say, told by whole columns.

A sheet may have a million rows, and nearly all are valid: one look at all names below each other costs a tenth
of a look at each. As `valid_pattern`, it is narrower than the rules, never wider.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import compress
from operator import contains, eq

from batchconnect.model import possessive
from batchconnect.model.column import Column
from batchconnect.sheet.template import NOT_SENT
from batchconnect.validation.damage import has_escape
from batchconnect.validation.placeholder import PLACEHOLDER_STARTS
from batchconnect.validation.rules import RULES
from batchconnect.validation.valid_pattern import MARKER, may_be_garbled

Cells = Mapping[Column, Sequence[str]]
"""The cells of rows below each other, of each column; "" where the sheet lacks it."""

_LOWER_CASE = (Column.ENDPOINT, Column.TENANT, Column.SERVICE_PRINCIPAL_ID, Column.SANDBOX)
"""No cell that their patterns match has a capital letter."""
_FEW = (Column.ORG, Column.SANDBOX)
_BEHIND = "\0"
"""Stands behind each cell of a column; no cell of a block holds it."""


def _has_marker(text: str) -> bool:
    return MARKER in text


def _has_not_sent(text: str) -> bool:
    return NOT_SENT in text


_RARE: Mapping[Column, Sequence[Callable[[str], bool]]] = {
    Column.NAME: (_has_not_sent, may_be_garbled),
    Column.DESCRIPTION: (_has_marker, may_be_garbled),
    Column.SERVICE_PRINCIPAL_KEY: (has_escape,),
}
"""
What the patterns let pass and the rules may not, by column.

Each finds in a text whatever it finds in a part of it, so that all cells are asked at once, and hardly ever one by one.
"""


def odd_rows(cells: Cells) -> list[int]:
    """
    Which rows have to be judged, counted from 0; all others have no finding, and no rule would change a cell of them.

    What `org` and `sandbox` name is told by no pattern, and there are few: whoever looks them up asks `is_plain`.

    Args:
        cells: Of all columns.
    """
    keys = cells[Column.SERVICE_PRINCIPAL_KEY]
    rows = range(len(keys))
    odd: set[int] = set()
    for column, texts in cells.items():
        if column not in (*_LOWER_CASE, Column.SERVICE_PRINCIPAL_KEY):
            odd.update(compress(rows, map(contains, texts, keys)))
        if column in _FEW:
            continue
        joined = _BEHIND.join([*texts, ""])
        odd.update(_unmatched(column, joined))
        for is_odd in _RARE.get(column, ()):
            if is_odd(joined):
                odd.update(compress(rows, map(is_odd, texts)))
    odd.update(compress(rows, map(eq, cells[Column.TENANT], cells[Column.SERVICE_PRINCIPAL_ID])))
    # Most keys have a capital letter, and what the patterns let pass in the other columns has none.
    for at in compress(rows, map(eq, keys, map(str.lower, keys))):
        if any(keys[at] in cells[column][at] for column in _LOWER_CASE):
            odd.add(at)
    starts = [key[:3] for key in keys]
    if not PLACEHOLDER_STARTS.isdisjoint(starts):
        odd.update(compress(rows, map(PLACEHOLDER_STARTS.__contains__, starts)))
    return sorted(odd)


def is_plain(column: Column, text: str) -> bool:
    """Whether a cell surely is fine."""
    found = _pattern(column).match(text + _BEHIND)
    return found is not None and found.end() == len(text) + 1


def _unmatched(column: Column, joined: str) -> Iterator[int]:
    """The rows whose cell of a column the pattern does not match."""
    match, row, at = _pattern(column).match, 0, 0
    while (found := match(joined, at)) and (end := found.end()) < len(joined):
        row += joined.count(_BEHIND, at, end)
        yield row
        row += 1
        at = joined.index(_BEHIND, end) + 1


@cache
def _pattern(column: Column) -> re.Pattern[str]:
    """Matches valid cells, as many as there are, a separator behind each."""
    # Nothing follows that could make it go back; where that may be said, a third of the time is saved.
    as_many_as_there_are = "*+" if possessive.IS_SOUND else "*"
    return re.compile(f"(?:(?:{RULES[column].plain}){_BEHIND}){as_many_as_there_are}")
