"""What a header row says about every row below it, and the `Row`s that are made by it."""

from collections.abc import Callable, Collection, Sequence

from batchconnect.model.column import Column
from batchconnect.model.row import Cell, Header, Row
from batchconnect.model.secret import Secret
from batchconnect.model.value import Value, replace
from batchconnect.sheet.template import is_template_row

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would run; our reports put a `'` before it."""
_NAME, _KEY = Column.NAME, Column.SERVICE_PRINCIPAL_KEY
"""Looked up once: a member of an enum costs more than the rest of a cell."""


class Layout(Value):
    """What the header row says about every row below it."""

    header: Header
    width: int
    """Cells of the header row, blank ones at its end included."""
    named: int
    """Cells up to the last one that has a header; each row has at least these."""
    pick: Callable[[Sequence[Cell]], tuple[Cell, ...]]
    """Takes the known columns' cells, in the order of `header.columns`."""
    nameless: tuple[int, ...]
    """Positions without a header: they may hold anything, so they are not carried."""
    is_quoted: bool
    """The sheet is a CSV report of ours that a person feeds back: what looks like a formula is quoted."""
    warnings: tuple[str, ...]

    def without(self, carried: Collection[int]) -> "Layout":
        """The same columns but for some of the carried ones, named by their places in `Header.carried`."""
        header = self.header
        kept = [at for at in range(len(header.carried)) if at not in carried]
        return replace(
            self,
            header=replace(
                header,
                carried=tuple(header.carried[at] for at in kept),
                carried_at=tuple(header.carried_at[at] for at in kept),
            ),
        )

    def row(self, number: int, cells: Sequence[Cell], offset: int) -> Row | None:
        """
        Make a `Row` of the cells of one line.

        Args:
            number: As the user's spreadsheet shows it.
            cells: At least `named` of them.
            offset: Where the sheet finds the row again.
        Returns:
            None for a blank row and for the template's own rows.
        """
        if is_blank(cells):
            return None
        known = dict(zip(self.header.columns, self.pick(cells), strict=True))
        if is_template_row(known[_NAME]):
            return None
        carried_at = self.header.carried_at
        carried = tuple([str(cells[i]) for i in carried_at]) if carried_at else ()
        key = known[_KEY]
        if self.is_quoted:
            known = {column: _unquoted(cell) for column, cell in known.items()}
            carried = tuple(str(_unquoted(cell)) for cell in carried)
        # The reports never hold the key: what stands before it there is the user's own.
        known[_KEY] = Secret(key) if isinstance(key, str) else key
        return Row(number, known, carried, offset)  # by position: by name takes 0.8 us more


def is_blank(cells: Sequence[object]) -> bool:
    """Whether no cell of the row holds anything but white space."""
    for cell in cells:  # noqa: SIM110 - a generator costs five times as much; a million rows
        if not isinstance(cell, str) or cell.strip():
            return False
    return True


def _unquoted(cell: Cell) -> Cell:
    # A cell that began with `'` itself got one more, so one is taken off whatever follows it.
    if isinstance(cell, str) and cell[:1] == "'" and cell.lstrip("'")[:1] in FORMULA_STARTS:
        return cell[1:]
    return cell
