"""
Which of a run's sheets a row stands in, said by its number.

A run over one sheet numbers its rows as the spreadsheet does. Over several, the place of the sheet stands above
that number, in bits that no row's own number reaches: so one whole number tells a row apart everywhere, sorts in
input order, and is in the ledger what it always was. What a person sees is the own number and the sheet.
"""

from typing import Final

BITS: Final = 24
"""Of a row's own number: no sheet of ours has more rows than that."""
_OWN: Final = (1 << BITS) - 1


def numbered(place: int, own: int) -> int:
    """
    The number of a row in its run.

    Args:
        place: Of its sheet among those of the run, from 0.
        own: Its number, as the user's spreadsheet shows it.
    """
    return place << BITS | own


def own_number(number: int) -> int:
    """A row's number as the user's spreadsheet shows it."""
    return number & _OWN


def place_of(number: int) -> int:
    """The place of a row's sheet among those of the run, from 0."""
    return number >> BITS
