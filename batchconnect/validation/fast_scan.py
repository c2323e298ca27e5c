"""
Takes the rows of a file that have no finding before anything is made of them.

A sheet may have a million rows, and nearly all of them are healthy: a `Row` and a `BaseConnection` for
each would take three times as long as all the rest. A check only counts them; a run is told of each what
it has to account for, and reads it again when its turn comes.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from hashlib import blake2b
from operator import itemgetter
from typing import NamedTuple

from batchconnect.model.column import Column
from batchconnect.model.org import Org
from batchconnect.model.row import Header, Row
from batchconnect.model.target import Target
from batchconnect.sheet.csv import CsvSheet
from batchconnect.sheet.interface import Sheet
from batchconnect.sheet.several import SeveralSheets
from batchconnect.sheet.template import NOT_SENT
from batchconnect.sheet.workbook.workbook import WorkbookSheet
from batchconnect.validation.damage import has_escape
from batchconnect.validation.doubles import Doubles, name_scope
from batchconnect.validation.org_registry import OrgRegistry
from batchconnect.validation.placeholder import PLACEHOLDER_STARTS
from batchconnect.validation.placement import choose_org, choose_sandbox
from batchconnect.validation.series import HEAD, Series
from batchconnect.validation.valid_pattern import MARKER, SEPARATOR, may_be_garbled, pattern_of

_MOST_PLACES = 4096
"""OrgRegistry with a sandbox that are remembered; a sheet may name a million."""


_Place = tuple[Org, str, blake2b]
"""An org, a sandbox, and the scope of the names in it."""


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


class FastScan:
    """
    One look at the bare cells of a row.

    Args:
        header: Of the sheet.
        orgs: The orgs that a row may name.
        org: `--org`.
        sandbox: `--sandbox`.
        yields_rows: Whether the rows that are taken are told of, or only counted.
        strict: Warnings are errors.
        told: What will be shown of the sheet besides; a row whose key may stand in it is left to be judged.
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
        told: str = "",
        doubles: Doubles | None = None,
        series: Series | None = None,
    ) -> None:
        self.doubles = doubles or Doubles(header)
        """Knows the rows that were taken."""
        self.series = series or Series(header, strict=strict)
        """Has seen them in their order."""
        self.rows = 0
        """How many were taken."""
        present = [column for column in Column if column in header.columns]
        self._pick = _picks([header.columns[column] for column in present])
        self._match = pattern_of(present).fullmatch
        self._key_at = header.columns[Column.SERVICE_PRINCIPAL_KEY]
        self._carried_at = header.carried_at
        self._orgs = orgs
        self._org = org
        self._sandbox = sandbox
        self._yields_rows = yields_rows
        self._told = told
        self._places: dict[tuple[str, str], _Place | None] = {}

    def of(self, sheet: Sheet) -> Iterator[Row | ValidRow]:
        """The rows in input order: those that have to be judged, and those that are told of."""
        return (
            sheet.others(self.take) if isinstance(sheet, CsvSheet | WorkbookSheet) else sheet.rows()
        )

    def take(self, number: int, cells: Sequence[str], offset: int) -> ValidRow | bool:
        """What is made of the bare cells of a row; False: it has to be judged."""
        joined = SEPARATOR.join(self._pick(cells))
        found = self._match(joined)
        if found is None or MARKER in joined:
            return False
        if not joined.isascii() and may_be_garbled(joined):
            return False
        # One by one, and a bare tuple below: whatever is made for each row, a million rows pay for.
        name, text, endpoint, database, tenant, principal, in_org, in_sandbox = found.groups()
        key = cells[self._key_at]
        if (
            tenant == principal
            or (name[0] == "N" and name.startswith(NOT_SENT))
            or key[:3] in PLACEHOLDER_STARTS
            or ("_x" in key and has_escape(key))
            or joined.count(key) > 1
            or key in self._told
        ):
            return False
        where = (in_org, in_sandbox)
        try:
            chosen = self._places[where]
        except KeyError:
            chosen = self._remembered(where)
        if chosen is None:
            return False
        org, sandbox, there = chosen
        # The pattern lets pass only what is canonical already; the rest is as in `Target.compared`.
        self.doubles.enter(number, there, name, (endpoint, database.lower(), tenant, principal))
        series = self.series
        last = series.last
        seen = number, tenant, principal, key
        # As `may_go_on`: a call for each of a million rows would cost more than all that it asks.
        if last[2][:HEAD] == principal[:HEAD] or last[3] == key:
            series.look(seen)
        series.last = seen
        self.rows += 1
        if not self._yields_rows:
            return True
        target = Target(endpoint, database, tenant, principal)
        carried = tuple([cells[at] for at in self._carried_at]) if self._carried_at else ()
        return ValidRow(number, offset, org, sandbox, name, text, target, carried)

    def _remembered(self, cells: tuple[str, str]) -> _Place | None:
        """What an org and a sandbox cell mean; None where there is something to say."""
        if len(self._places) >= _MOST_PLACES:
            self._places.clear()
        chosen = self._places[cells] = self._chosen(*cells)
        return chosen

    def _chosen(self, org: str, sandbox: str) -> _Place | None:
        its_org, problems = choose_org(org, self._org, self._orgs)
        its_sandbox, more = choose_sandbox(sandbox, self._sandbox, its_org)
        if its_org is None or problems or more:
            return None
        return its_org, its_sandbox, name_scope(its_org.org_id, its_sandbox)


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
            for row in sheet.others(place, scan.take):
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
    told: str = "",
) -> Scan:
    """The scan of a sheet, or of several; the arguments are those of `FastScan`."""
    making = partial(
        FastScan,
        orgs=orgs,
        org=org,
        sandbox=sandbox,
        yields_rows=yields_rows,
        strict=strict,
        told=told,
    )
    if not isinstance(sheet, SeveralSheets):
        return making(sheet.header)
    doubles, series = Doubles(sheet.header), Series(sheet.header, strict=strict)
    scans = [making(part.header, doubles=doubles, series=series) for part in sheet.parts]
    return SeveralScans(scans, doubles=doubles, series=series)


def _picks(positions: Sequence[int]) -> Callable[[Sequence[str]], Sequence[str]]:
    """Takes the cells at these positions; at once where they stand side by side, as in our template."""
    first, behind = positions[0], positions[-1] + 1
    if list(positions) == list(range(first, behind)):
        return itemgetter(slice(first, behind))
    return itemgetter(*positions)
