"""
Looks for the key of one row in the cells of another: of a sheet one column was sorted, filled down or shifted.

A row's own key is looked for as the row is judged; another's may stand anywhere below. So the words that could be
keys are kept as numbers while the sheet is read, eight bytes each, and only where one is a key's the sheet is read
once more, to say where.
"""

import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from batchconnect.model.column import Column
from batchconnect.model.row import Header
from batchconnect.model.secret import SHORTEST_REDACTED
from batchconnect.validation.misplaced_key import SURELY_NO_WORD

SENT: Final = (Column.NAME, Column.DESCRIPTION, Column.DATABASE, Column.ORG, Column.SANDBOX)
"""Columns of ours whose cells may be sent or shown as they are; what the others take has a form that no key has."""
_SLICE: Final = 1 << 17
"""So many words are compared at once: what that takes for each is held for no more of them."""
_IN_WORD: Final = r"[^\s\"'`()<>\[\]{},;|]"
_WORD: Final = re.compile(rf"(?<!{_IN_WORD}){_IN_WORD}{{{SURELY_NO_WORD},}}")
"""Begins where a word does: from each of its letters it would be looked for in vain."""
_TAIL: Final = ".:!?"
"""What may stand behind a word, and may be a key's last character as well."""
_MOST_BEHIND: Final = 3


def words_of(text: str) -> Iterator[str]:
    """What within a text may be a key as a whole; a shorter one may be a word."""
    for word in _WORD.findall(text):
        ends = len(word) - len(word.rstrip(_TAIL))
        for cut in range(min(ends, _MOST_BEHIND) + 1):
            each = word[: len(word) - cut]
            yield each
            for mark in ":=":
                _, _, behind = each.partition(mark)
                if len(behind) >= SURELY_NO_WORD:
                    yield behind


class KeysAndWords:
    """The keys of a sheet's rows and the words of their other cells, as numbers."""

    def __init__(self) -> None:
        self._keys = array("q")
        self._words = array("q")

    def add_keys(self, keys: Iterable[str]) -> None:
        """Keys, without the blanks around them."""
        self._keys.extend(map(hash, keys))

    def add_texts(self, texts: Sequence[str]) -> None:
        """Cells of a column of ours."""
        # All at once, for a sheet may have a million rows; most have no run between blanks that is long enough.
        if _is_short(texts) or _is_short(runs := "\n".join(texts).split()):
            return
        long = {run for run in runs if len(run) >= SURELY_NO_WORD}
        self._words.extend(map(hash, words_of("\n".join(long))))

    def add_carried(self, texts: Sequence[str]) -> None:
        """Cells of a column that is only carried: a short key counts, too, where it is all of the cell."""
        some = {text for text in texts if len(text) >= SHORTEST_REDACTED}
        self._words.extend(map(hash, map(str.strip, some)))
        self.add_texts([*some])

    def common(self) -> frozenset[int]:
        """The numbers of what is a key and stands in another cell; of the same row perhaps."""
        slices = range(0, len(self._words), _SLICE)
        return frozenset().union(
            *(set(self._words[at : at + _SLICE]).intersection(self._keys) for at in slices)
        )


def _is_short(texts: Sequence[str]) -> bool:
    return max(map(len, texts), default=0) < SURELY_NO_WORD


def of_ours(header: Header) -> list[tuple[Column, int]]:
    """The columns of ours that are looked through, each with its position."""
    return [(column, header.columns[column]) for column in SENT if column in header.columns]


def first_cell(
    texts: Sequence[tuple[Column, str]], own: str, keys: frozenset[str]
) -> Column | None:
    """The first column of a row that holds the key of another row; its own is told as the row is judged."""
    for column, text in texts:
        if any(word in keys and word != own for word in words_of(text)):
            return column
    return None
