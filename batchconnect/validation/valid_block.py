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

from batchconnect.model.column import Column
from batchconnect.sheet.template import NOT_SENT
from batchconnect.validation.damage import has_escape
from batchconnect.validation.placeholder import PLACEHOLDER_STARTS
from batchconnect.validation.rules import RULES
from batchconnect.validation.valid_pattern import MARKER, SEPARATOR, may_be_garbled

Cells = Mapping[Column, Sequence[str]]
"""The cells of rows below each other, of each column; "" where the sheet lacks it."""

_NO_CELL = "\0"
"""Stands for a cell that holds a separator: no pattern matches it."""


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


def odd_rows(cells: Cells, *, told: str = "") -> list[int]:
    """
    Which rows have to be judged, counted from 0; all others have no finding, and no rule would change a cell of them.

    Args:
        cells: Of all columns.
        told: What will be shown of the sheet besides; a row whose key may stand in it has to be judged.
    """
    keys = cells[Column.SERVICE_PRINCIPAL_KEY]
    rows = range(len(keys))
    odd: set[int] = set()
    for column, texts in cells.items():
        joined = SEPARATOR.join(texts)
        odd.update(_unmatched(column, texts, joined))
        if column is not Column.SERVICE_PRINCIPAL_KEY:
            odd.update(compress(rows, map(contains, texts, keys)))
        for is_odd in _RARE.get(column, ()):
            if is_odd(joined):
                odd.update(compress(rows, map(is_odd, texts)))
    odd.update(compress(rows, map(eq, cells[Column.TENANT], cells[Column.SERVICE_PRINCIPAL_ID])))
    odd.update(compress(rows, [key[:3] in PLACEHOLDER_STARTS for key in keys]))
    if told:
        odd.update(compress(rows, map(told.__contains__, keys)))
    return sorted(odd)


def _unmatched(column: Column, texts: Sequence[str], joined: str) -> Iterator[int]:
    """The rows whose cell of a column the pattern does not match."""
    if joined.count(SEPARATOR) >= len(texts):
        joined = SEPARATOR.join([_NO_CELL if SEPARATOR in text else text for text in texts])
    joined += SEPARATOR
    match, row, at = _pattern(column).match, 0, 0
    while found := match(joined, at):
        end = found.end()
        if end == len(joined):
            return
        row += joined.count(SEPARATOR, at, end)
        yield row
        row += 1
        at = joined.index(SEPARATOR, end) + 1


@cache
def _pattern(column: Column) -> re.Pattern[str]:
    """Matches valid cells, as many as there are, a separator behind each."""
    return re.compile(f"(?:(?:{RULES[column].plain}){SEPARATOR})*")
