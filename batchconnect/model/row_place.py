"""
Which of a run's sheets a row stands in, said by its number.

A run over one sheet numbers its rows as the spreadsheet does. Over several, the place of the sheet stands above
that number, in bits that no row's own number reaches: so one whole number tells a row apart everywhere, sorts in
input order, and is in the ledger what it always was. What a person sees is the own number and the sheet.
"""

from typing import Final

from batchconnect.model.value import Value

BITS: Final = 24
"""Of a row's own number: no sheet of ours has more rows than that."""
MOST_PLACES: Final = 1 << 7
"""Sheets of one run: with more, a number would need more than the four bytes that a team ledger has for it."""
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


class RowPlace(Value, kw_only=False):
    """Where a row stands, as a program is told; `str` says it to a person."""

    row: int
    """Its number, as the user's spreadsheet shows it."""
    sheet: str = ""
    """The file, as given; "" where that is not known."""
    worksheet: str = ""
    """The tab; "" of a sheet without tabs."""
    told: str = ""
    """For a person: `row 12`, and of several sheets `row 12 of b.xlsx#EMEA`."""

    def __str__(self) -> str:
        return self.told or f"row {self.row}"


class Places(Value, kw_only=False):
    """The sheets of a run, in order."""

    sheets: tuple[str, ...]
    """As given, with `#tab` behind a workbook's; "" of one that is not told: its place stays, since numbers count it."""
    tabs: tuple[str, ...] = ()
    """Of each the tab; "" of one without tabs. () where that is not known."""

    @property
    def are_several(self) -> bool:
        """Whether a row's own number does not tell it."""
        return len(self.sheets) > 1

    @property
    def known(self) -> tuple[str, ...]:
        """The sheets that are told."""
        return tuple(filter(None, self.sheets))

    @property
    def named(self) -> tuple[tuple[str, str], ...]:
        """File and tab of each that is told."""
        return tuple(self._named(place) for place, name in enumerate(self.sheets) if name)

    def of(self, number: int) -> tuple[str, str]:
        """File and tab that a row stands in; "" where that is not known."""
        return self._named(place_of(number))

    def told(self, number: int) -> str:
        """A row for a person: `row 12`, and of several sheets `row 12 of b.xlsx#EMEA`."""
        place, own = number >> BITS, number & _OWN
        if len(self.sheets) > 1 and place < len(self.sheets):
            return f"row {own} of {self.sheets[place]}"
        return f"row {own}"

    def at(self, number: int) -> RowPlace:
        """A row for a program that holds it as a value."""
        return RowPlace(own_number(number), *self.of(number), self.told(number))

    def keys(self, number: int) -> dict[str, int | str | None]:
        """A row for programs: `row`, `sheet`, `worksheet`."""
        sheet, tab = self.of(number)
        return {"row": own_number(number), "sheet": sheet or None, "worksheet": tab or None}

    def _named(self, place: int) -> tuple[str, str]:
        if place >= len(self.sheets):
            return "", ""
        name, tab = self.sheets[place], self.tabs[place] if place < len(self.tabs) else ""
        return (name.removesuffix(f"#{tab}") if tab else name), tab


NOWHERE: Final = Places(())
"""Of no sheet that is known."""
