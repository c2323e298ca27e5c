"""
Which rows a rerun takes up: those that its parent left unfinished, found again by key in the sheet.

The rerun's own run accounts for every row of the chain, so its report stands for itself: what the parent
finished is inherited, line by line.
"""

from collections.abc import Iterable
from dataclasses import replace

from batchconnect.lane.matching import Wanted
from batchconnect.lane.orphan import MissingRow, Orphan
from batchconnect.ledger.entry import RowPlanned, Settled
from batchconnect.ledger.row_state import RowState
from batchconnect.model.column import Column
from batchconnect.model.identity import canonical_name
from batchconnect.model.outcome import NotAttempted, Rejected, has_connection
from batchconnect.model.row import Row
from batchconnect.model.secret import Secret
from batchconnect.model.target import TARGET_COLUMNS
from batchconnect.run.accounting import CarriedOver, Skipped
from batchconnect.run.intake import Parse
from batchconnect.sheet.interface import Sheet
from batchconnect.validation.connection import BaseConnection
from batchconnect.validation.rules import RULES, canonical_target


class ParentRun:
    """
    What a rerun knows of its parent.

    Args:
        rows: The parent's rows, as a report shows them.
    """

    def __init__(self, rows: Iterable[RowState]) -> None:
        self._by_number: dict[int, RowState] = {}
        self._by_marker: dict[str, RowState] = {}
        self._met: set[int] = set()
        self._present: set[str] = set()
        self._numbers: set[int] = set()
        self._by_name: dict[str, list[RowState]] = {}
        for row in rows:
            self._by_number[row.number] = row
            if row.marker is not None:
                self._by_marker[row.marker] = row
            if row.planned is not None and row.planned.name and not _is_done(row):
                self._by_name.setdefault(canonical_name(row.planned.name), []).append(row)

    def look_ahead(self, sheet: Sheet, parse: Parse) -> None:
        """
        See which of the parent's keys the sheet still has, wherever they stand.

        A row that was inserted or sorted to another number is told from a corrected one only by that.

        Raises:
            SheetError: The sheet cannot be read to its end.
        """
        for row in sheet.rows():
            judged = parse(row)
            if isinstance(judged, BaseConnection) and judged.marker in self._by_marker:
                self._present.add(judged.marker)

    @property
    def unfinished(self) -> int:
        """Rows that have no connection yet."""
        return sum(not _is_done(row) for row in self._by_number.values())

    def carry_over(
        self, row: Row, judged: BaseConnection | Rejected | None
    ) -> Settled | CarriedOver | Skipped | None:
        """
        Say what becomes of a row of today's sheet.

        Cases, in order:
            1. It is not selected, so its key is not known: inherited by its number, whatever it was.
            2. Its key is the parent's: inherited if it is done, else taken up.
            3. It is done and its secret is blank, as in our reports: inherited by its number and cells.
            4. Its cells were corrected: the parent has its name (a corrected failed.csv has other
               numbers), or else its number, unfinished, under a key that the sheet has nowhere any
               more.
            5. It is new: left for `run`.
        """
        self._numbers.add(row.number)
        if judged is None:
            return self._not_selected(row.number)
        if isinstance(judged, BaseConnection):
            same = self._by_marker.get(judged.marker)
            if same is not None:
                self._met.add(same.number)
                return inherited(same) if _is_done(same) else None
        before = self._by_number.get(row.number)
        if before is not None and (kept := _returned_report_row(row, before)) is not None:
            self._met.add(before.number)
            return kept
        corrected = self._corrected(row)
        if corrected is None:
            return Skipped()
        self._met.add(corrected.number)
        return None

    def _corrected(self, row: Row) -> RowState | None:
        """The parent's row that this one stands for now, if there is one."""
        name = row.cells.get(Column.NAME)
        named = self._by_name.get(canonical_name(name), []) if isinstance(name, str) else []
        found = [state for state in named if self._is_free(state)]
        numbered = self._by_number.get(row.number)
        if numbered is not None and self._is_free(numbered) and (numbered in found or not found):
            return numbered
        return found[0] if len(found) == 1 else None

    def _is_free(self, state: RowState) -> bool:
        """Whether the parent's row is unfinished, and no other row of the sheet stands for it."""
        return (
            not _is_done(state)
            and state.marker not in self._present
            and state.number not in self._met
        )

    def _not_selected(self, number: int) -> CarriedOver | Skipped:
        before = self._by_number.get(number)
        if before is None or before.planned is None:
            return Skipped()
        self._met.add(number)
        return CarriedOver(planned=before.planned, marker=before.marker, settled=inherited(before))

    def gone(self) -> list[MissingRow]:
        """What of the parent's rows the sheet no longer has; to be asked when the sheet was read."""
        next_number = max([0, *self._numbers, *self._by_number]) + 1
        found: list[MissingRow] = []
        for row in self._by_number.values():
            if row.number in self._met or row.planned is None:
                continue
            number = row.number
            if number in self._numbers:
                number, next_number = next_number, next_number + 1
            found.append(_gone(row, row.planned, number))
        return found


def inherited(row: RowState) -> Settled:
    """What a row ended with in the parent, as a line of the rerun."""
    return Settled(
        outcome=row.shown,
        attempts=row.attempts,
        throttled=row.throttled,
        warnings=row.warnings,
        started_at_ms=row.started_at_ms,
        inherited=True,
        finished_at_ms=row.finished_at_ms,
    )


def _gone(row: RowState, planned: RowPlanned, number: int) -> MissingRow:
    if row.is_open and row.marker is not None:
        orphan = Orphan(
            row=number, sandbox=planned.sandbox, wanted=wanted_of(row.marker, planned), state=row
        )
        return MissingRow(
            org=planned.org,
            number=number,
            marker=row.marker,
            planned=planned,
            settled=None,
            orphan=orphan,
        )
    settled = inherited(row)
    if not _is_done(row):
        settled = replace(
            settled,
            outcome=NotAttempted(code="row_gone", detail="The row is no longer in the sheet."),
        )
    return MissingRow(
        org=planned.org, number=number, marker=row.marker, planned=planned, settled=settled
    )


def wanted_of(marker: str, planned: RowPlanned) -> Wanted:
    """What a row is recognised by, from what the ledger keeps of it."""
    return Wanted(
        marker=marker,
        name=canonical_name(planned.name),
        target=canonical_target(planned.target),
    )


def _is_done(row: RowState) -> bool:
    return not row.is_open and row.outcome is not None and has_connection(row.outcome)


def _returned_report_row(row: Row, before: RowState) -> CarriedOver | None:
    """What is kept of a row that is done, where the sheet shows it as our reports do: without its secret."""
    key, planned = row.cells.get(Column.SERVICE_PRINCIPAL_KEY), before.planned
    if planned is None or not _is_done(before) or not isinstance(key, Secret) or key:
        return None
    for column in (Column.NAME, *TARGET_COLUMNS):
        cell, canonical = row.cells.get(column), RULES[column].canonical
        if not isinstance(cell, str) or canonical(cell) != canonical(
            getattr(planned, column.field)
        ):
            return None
    return CarriedOver(planned=planned, marker=before.marker, settled=inherited(before))
