"""
Takes the rows of a file that have no finding before anything is made of them.

A sheet may have a million rows, and nearly all of them are healthy: a `Row` and a `BaseConnection` for
each would take three times as long as all the rest. A check only counts them; a run is told of each what
it has to account for, and reads it again when its turn comes.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import repeat
from typing import NamedTuple

from batchconnect.model.column import Column
from batchconnect.model.identity import marker
from batchconnect.model.org import Org
from batchconnect.model.row import Header, Row
from batchconnect.model.target import Target
from batchconnect.sheet.block import Block
from batchconnect.sheet.interface import Sheet
from batchconnect.sheet.several import SeveralSheets
from batchconnect.validation.doubles import Doubles, name_scope
from batchconnect.validation.org_registry import OrgRegistry
from batchconnect.validation.placement import choose_org, choose_sandbox
from batchconnect.validation.series import Series
from batchconnect.validation.valid_block import Cells, is_plain, odd_rows

_MOST_PLACES = 4096
"""OrgRegistry with a sandbox that are remembered; a sheet may name a million."""


class _Place(NamedTuple):
    """What an org and a sandbox cell mean."""

    org: Org
    sandbox: str
    scope: str
    """Of the names in it."""


_Where = tuple[str, str]
"""An org and a sandbox cell."""


class ValidRow(NamedTuple):
    """A row that was taken: what `BaseConnection` would tell of it, but for the secret and the marker."""

    number: int
    offset: int
    """Where the sheet finds the row again."""
    org: Org
    sandbox: str
    name: str
    text: str
    target: Target
    carried: tuple[str, ...]

    @property
    def marker(self) -> str:
        """Made when it is asked for: it takes as long as all that was looked at before."""
        return marker(
            org_id=self.org.org_id, sandbox=self.sandbox, name=self.name, target=self.target
        )


class FastScan:
    """
    One look at the bare cells of many rows.

    Args:
        header: Of the sheet.
        orgs: The orgs that a row may name.
        org: `--org`.
        sandbox: `--sandbox`.
        yields_rows: Whether the rows that are taken are told of, or only counted.
        strict: Warnings are errors.
        doubles: Those of all sheets of a run, where it has several.
        series: Likewise.
    """

    def __init__(
        self,
        header: Header,
        *,
        orgs: OrgRegistry,
        org: str | None,
        sandbox: str | None,
        yields_rows: bool = False,
        strict: bool = False,
        doubles: Doubles | None = None,
        series: Series | None = None,
    ) -> None:
        self.doubles = doubles or Doubles(header)
        """Knows the rows that were taken."""
        self.series = series or Series(header, strict=strict)
        """Has seen them in their order."""
        self.rows = 0
        """How many were taken."""
        self._at = header.columns
        self._carried_at = header.carried_at
        self._orgs = orgs
        self._org = org
        self._sandbox = sandbox
        self._yields_rows = yields_rows
        self._places: dict[_Where, _Place | None] = {}

    def of(self, sheet: Sheet) -> Iterator[Row | ValidRow]:
        """The rows in input order: those that have to be judged, and those that are told of."""
        return self.through(sheet.blocks())

    def through(self, pieces: Iterable[Block | Row]) -> Iterator[Row | ValidRow]:
        """As `of`, of a sheet's blocks."""
        for piece in pieces:
            if isinstance(piece, Row):
                yield piece
            else:
                yield from self._look(piece)

    def _look(self, block: Block) -> Iterator[Row | ValidRow]:
        rows = len(block.numbers)
        cells = {
            column: block.columns[at] if (at := self._at.get(column)) is not None else [""] * rows
            for column in Column
        }
        for first, end, places in self._valid(cells, rows):
            if first < end:
                yield from self._taken(block, cells, slice(first, end), places)
            if end < rows and (row := block.row(end)) is not None:
                yield row

    def _valid(self, cells: Cells, rows: int) -> Iterator[tuple[int, int, Sequence[_Place]]]:
        """
        The valid rows, as far as they follow each other, and their places; the row behind them is to be judged.

        What a cell means is asked in the order of the rows: the simulator's orgs are spelled as in their first cell.
        """
        first = 0
        for odd in (*odd_rows(cells), rows):
            orgs, sandboxes = cells[Column.ORG][first:odd], cells[Column.SANDBOX][first:odd]
            wheres = list(zip(orgs, sandboxes, strict=True))
            places: list[_Place] = []
            if wheres and wheres.count(wheres[0]) == len(wheres):  # as in most blocks
                place = self._place(wheres[0])
                places = [] if place is None else [place] * len(wheres)
            for where in wheres[len(places) :]:
                if (place := self._place(where)) is not None:
                    places.append(place)
                    continue
                yield first, first + len(places), places
                first += len(places) + 1
                places = []
            yield first, odd, places
            first = odd + 1

    def _taken(
        self, block: Block, cells: Cells, rows: slice, places: Sequence[_Place]
    ) -> Iterator[ValidRow]:
        """Remember valid rows, and tell of them where somebody wants to hear it."""
        names, texts, endpoints, databases, tenants, principals, keys, *_ = (
            cells[column][rows] for column in Column
        )
        numbers = block.numbers[rows]
        self.rows += len(numbers)
        # The patterns let pass only what is canonical already; the rest is as in `Target.compared`.
        compared = zip(endpoints, map(str.lower, databases), tenants, principals, strict=True)
        self.doubles.add_all(numbers, [place.scope for place in places], names, compared)
        self.series.add_all(numbers, tenants, principals, keys)
        if not self._yields_rows:
            return
        carried = [block.columns[at][rows] for at in self._carried_at]
        yield from map(
            ValidRow,
            numbers,
            block.places()[rows],
            [place.org for place in places],
            [place.sandbox for place in places],
            names,
            texts,
            map(Target, endpoints, databases, tenants, principals),
            zip(*carried, strict=True) if carried else repeat(()),
        )

    def _place(self, cells: _Where) -> _Place | None:
        """What an org and a sandbox cell mean; None where there is something to say."""
        if cells in self._places:
            return self._places[cells]
        if len(self._places) >= _MOST_PLACES:
            self._places.clear()
        chosen = self._places[cells] = self._chosen(*cells)
        return chosen

    def _chosen(self, org: str, sandbox: str) -> _Place | None:
        if not (is_plain(Column.ORG, org) and is_plain(Column.SANDBOX, sandbox)):
            return None
        its_org, problems = choose_org(org, self._org, self._orgs)
        its_sandbox, more = choose_sandbox(sandbox, self._sandbox, its_org)
        if its_org is None or problems or more:
            return None
        return _Place(its_org, its_sandbox, name_scope(its_org.org_id, its_sandbox))


class SeveralScans:
    """
    The scans of several sheets as one: each knows its own header, all see the same doubles and series.

    Args:
        scans: One for each sheet, in order.
        doubles: That they share.
        series: Likewise.
    """

    def __init__(self, scans: Sequence[FastScan], *, doubles: Doubles, series: Series) -> None:
        self.doubles = doubles
        self.series = series
        self._scans = scans

    @property
    def rows(self) -> int:
        """How many were taken."""
        return sum(scan.rows for scan in self._scans)

    def of(self, sheet: Sheet) -> Iterator[Row | ValidRow]:
        """The rows in input order: those that have to be judged, and those that are told of."""
        assert isinstance(sheet, SeveralSheets)
        for place, scan in enumerate(self._scans):
            self.series.begin_sheet()
            carry = sheet.carry(place)
            for row in scan.through(sheet.blocks_of(place)):
                # Carried cells of a row that was made are in the order of all sheets already.
                if isinstance(row, ValidRow):
                    yield row._replace(carried=carry(row.carried))
                else:
                    yield row


Scan = FastScan | SeveralScans
"""Of a run's sheet, or of its sheets."""


def fast_scan(
    sheet: Sheet,
    *,
    orgs: OrgRegistry,
    org: str | None,
    sandbox: str | None,
    yields_rows: bool = False,
    strict: bool = False,
) -> Scan:
    """The scan of a sheet, or of several; the arguments are those of `FastScan`."""
    making = partial(
        FastScan,
        orgs=orgs,
        org=org,
        sandbox=sandbox,
        yields_rows=yields_rows,
        strict=strict,
    )
    if not isinstance(sheet, SeveralSheets):
        return making(sheet.header)
    doubles, series = Doubles(sheet.header), Series(sheet.header, strict=strict)
    scans = [making(part.header, doubles=doubles, series=series) for part in sheet.parts]
    return SeveralScans(scans, doubles=doubles, series=series)
