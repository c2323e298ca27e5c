"""
Takes the rows of a CSV that have no finding before anything is made of them.

A check of a million rows needs to know of a healthy one that it is healthy and that no other is like
it; a `Row` and a `BaseConnection` for each would take three times as long as all the rest.
"""

from collections.abc import Iterator, Sequence
from operator import itemgetter

from batchconnect.checks.healthy import MARKER, SEPARATOR, pattern_of
from batchconnect.checks.placement import choose_org, choose_sandbox
from batchconnect.directory import Orgs
from batchconnect.doubles import Doubles, place_of
from batchconnect.row import Column, Header, Row
from batchconnect.sheet.csv import CsvSheet
from batchconnect.sheet.interface import Sheet
from batchconnect.template import is_template_row

_MOST_PLACES = 4096
"""Orgs with a sandbox that are remembered; a sheet may name a million."""


class Glance:
    """
    One look at the bare cells of a row.

    Args:
        header: Of the sheet.
        orgs: The orgs that a row may name.
        org: `--org`.
        sandbox: `--sandbox`.
    """

    def __init__(self, header: Header, *, orgs: Orgs, org: str | None, sandbox: str | None) -> None:
        self.doubles = Doubles(header)
        """Knows the rows that were taken."""
        self.rows = 0
        """How many were taken."""
        present = [column for column in Column if column in header.columns]
        self._pick = itemgetter(*(header.columns[column] for column in present))
        self._match = pattern_of(present).fullmatch
        self._orgs = orgs
        self._org = org
        self._sandbox = sandbox
        self._places: dict[tuple[str, str], str | None] = {}

    def others(self, sheet: Sheet) -> Iterator[Row]:
        """The rows that have to be judged, in input order."""
        return sheet.others(self._takes) if isinstance(sheet, CsvSheet) else sheet.rows()

    def _takes(self, number: int, cells: Sequence[str]) -> bool:
        joined = SEPARATOR.join(self._pick(cells))
        found = self._match(joined)
        if found is None or MARKER in joined:
            return False
        name, _, endpoint, database, tenant, principal, org, sandbox = found.groups()
        where = (org, sandbox)
        place = self._places[where] if where in self._places else self._remembered(where)
        if place is None or tenant == principal or is_template_row(name):
            return False
        # The pattern lets pass only what is canonical already, but for the case of the database.
        self.doubles.enter(number, place, name, (endpoint, database.lower(), tenant, principal))
        self.rows += 1
        return True

    def _remembered(self, cells: tuple[str, str]) -> str | None:
        """The place that an org and a sandbox cell mean; None where there is something to say."""
        if len(self._places) >= _MOST_PLACES:
            self._places.clear()
        place = self._places[cells] = self._chosen(*cells)
        return place

    def _chosen(self, org: str, sandbox: str) -> str | None:
        its_org, problems = choose_org(org, self._org, self._orgs)
        its_sandbox, more = choose_sandbox(sandbox, self._sandbox, its_org)
        if its_org is None or problems or more:
            return None
        return place_of(its_org.org_id, its_sandbox)
