"""
Which rows a rerun takes up: those that its parent left unfinished, found again by key in the sheet.

The rerun's own run accounts for every row of the chain, so its report stands for itself: what the parent
finished is inherited, line by line.
"""

from collections.abc import Iterable, Iterator, Mapping, Set as AbstractSet
from functools import cached_property

from batchconnect.lane.matching import Wanted
from batchconnect.lane.orphan import MissingRow, Orphan
from batchconnect.ledger.entry import RowPlanned, Settled, Updating
from batchconnect.ledger.row_state import RowState
from batchconnect.model.column import Column
from batchconnect.model.identity import canonical_name
from batchconnect.model.outcome import (
    Deleted,
    Existing,
    MatchedBy,
    NotAttempted,
    Rejected,
    has_connection,
)
from batchconnect.model.row import Row
from batchconnect.model.row_place import numbered, place_of
from batchconnect.model.secret import Secret
from batchconnect.model.target import TARGET_COLUMNS
from batchconnect.model.value import replace
from batchconnect.run.intake.accounting import CarriedOver, Skipped
from batchconnect.run.intake.intake import Parse
from batchconnect.run.rerun.corrected import (
    Kin,
    Stranger,
    shared_target,
    stranger_of,
    typed_target,
)
from batchconnect.sheet.interface import Sheet
from batchconnect.validation.connection import BaseConnection
from batchconnect.validation.rules import RULES, canonical_target


class ParentRun:
    """
    What a rerun knows of its parent.

    Args:
        rows: The parent's rows, as a report shows them.
        failing: By marker, what the last test said of connections that do not work, whichever run asked.
    """

    def __init__(
        self, rows: Iterable[RowState], failing: Mapping[str, RowState] | None = None
    ) -> None:
        self._rows: list[RowState] = []
        self._by_marker: dict[str, list[RowState]] = {}
        self._met: set[int] = set()
        self._numbers: set[int] = set()
        self._now: dict[int, RowState] = {}
        """By number in today's sheet: the parent's row that it is, or stands for."""
        self._failing = frozenset(failing or ())
        for told in rows:
            row = _as_tested(told, (failing or {}).get(told.marker or ""))
            self._rows.append(row)
            if row.marker is not None:
                self._by_marker.setdefault(row.marker, []).append(row)

    def look_ahead(self, sheet: Sheet, parse: Parse) -> None:
        """
        Find the parent's rows in today's sheet, wherever they stand in it, before one is judged.

        By their keys first. What is left on both sides is brought together by `corrected`.

        Raises:
            SheetError: The sheet cannot be read to its end.
        """
        kin = Kin(row for row in self._rows if row.planned is not None and not _is_done(row))
        strangers: list[Stranger] = []
        taken: set[int] = set()
        for row in sheet.rows():
            judged = parse(row)
            same = self._same(row, judged, taken)
            if same is not None:
                taken.add(same.number)
                self._now[row.number] = same
            elif kin.has_any(stranger := stranger_of(row, judged)):
                strangers.append(stranger)
        self._now |= kin.corrected(strangers, taken)

    def _same(
        self, row: Row, judged: BaseConnection | Rejected, taken: AbstractSet[int]
    ) -> RowState | None:
        """The parent's row with this row's key; of several (they were doubles) the one at its number."""
        if not isinstance(judged, BaseConnection):
            return None
        found = [
            one for one in self._by_marker.get(judged.marker, ()) if one.number not in taken
        ] or self._by_marker.get(judged.marker, [])
        at_number = [one for one in found if one.number == row.number]
        return next(iter([*at_number, *found]), None)

    @property
    def failing(self) -> frozenset[str]:
        """
        Markers of the rows that get their key sent, where they are taken up and their connection stands there.

        All that do not work: a row that was rejected in the parent has no marker there, and has one today.
        """
        in_doubt = (row.marker for row in self._rows if isinstance(row.change, Updating))
        return self._failing | {marker for marker in in_doubt if marker is not None}

    @property
    def unfinished(self) -> int:
        """Rows that have no connection yet, or one that does not work."""
        return sum(not _is_done(row) for row in self._rows)

    @property
    def deleted(self) -> int:
        """Rows whose connection an undo deleted since."""
        return sum(isinstance(row.outcome, Deleted) for row in self._rows)

    def carry_over(
        self, row: Row, judged: BaseConnection | Rejected | None
    ) -> Settled | CarriedOver | Skipped | None:
        """
        Say what becomes of a row of today's sheet; to be asked when `look_ahead` was.

        Cases, in order:
            1. It is done and its secret is blank, as in our reports: inherited by its cells.
            2. The parent knows neither its key nor one that it stands for: it is new, left for `run`.
            3. It is not selected: inherited, whatever it was.
            4. It is done: inherited. Else taken up, under its own key. A doubt about another key is
               still to be settled: it stays behind, as one whose row is gone.
        """
        self._numbers.add(row.number)
        before = self._now.get(row.number)
        if before is None and not isinstance(judged, BaseConnection):
            return self._returned(row)
        if before is None or before.planned is None:
            return Skipped()
        if isinstance(judged, BaseConnection) and before.is_open and before.marker != judged.marker:
            return None
        self._met.add(before.number)
        if judged is None:
            return CarriedOver(
                planned=before.planned, marker=before.marker, settled=inherited(before)
            )
        return inherited(before) if _is_done(before) else None

    def _returned(self, row: Row) -> CarriedOver | Skipped:
        """What is kept of a row that our reports gave back, without its secret."""
        for before in self._by_target.get(shared_target(typed_target(row)), ()):
            if before.number not in self._met and (kept := _returned_report_row(row, before)):
                self._met.add(before.number)
                return kept
        return Skipped()

    @cached_property
    def _by_target(self) -> Mapping[tuple[str, ...] | None, list[RowState]]:
        index: dict[tuple[str, ...] | None, list[RowState]] = {}
        for row in self._rows:
            if row.planned is not None and _stands(row):
                index.setdefault(shared_target(row.planned.target), []).append(row)
        return index

    def gone(self) -> list[MissingRow]:
        """What of the parent's rows the sheet no longer has; to be asked when the sheet was read."""
        highest = max([0, *self._numbers, *(row.number for row in self._rows)])
        # Of several sheets a new number would be one of the last: it stands behind them, in none.
        next_number = numbered(place + 1, 1) if (place := place_of(highest)) else highest + 1
        found: list[MissingRow] = []
        for row in self._rows:
            if row.number in self._met or row.planned is None:
                continue
            number = row.number
            if number in self._numbers:
                number, next_number = next_number, next_number + 1
            found.append(_gone(row, row.planned, number))
        return found


def since_deleted(rows: Iterable[RowState], ids: AbstractSet[str]) -> Iterator[RowState]:
    """
    The rows of a run, told what an undo made of their connections since.

    A rerun leaves them deleted, as a person wanted; `run` makes them again.

    Args:
        rows: As the run left them.
        ids: In lower case, of all connections that were deleted by our hand.
    """
    for row in rows:
        if row.made is not None and row.is_one_of(ids):
            gone = Deleted(connection_id=row.made, reconciled=True)
            yield replace(row, outcome=gone, made=None, etag=None, tested=None)
        else:
            yield row


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
        tested=row.tested and replace(row.tested, at_ms=row.tested_at_ms),
        key=row.key_sent,
    )


def _gone(row: RowState, planned: RowPlanned, number: int) -> MissingRow:
    # Whether a key arrived that cannot be sent again is found out by `reconcile` of the run that sent it.
    if row.is_create_open and row.marker is not None:
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
    # One that stands there keeps what is known of it, whether it works or not.
    if not (_is_done(row) or _needs_key(row)):
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


def _as_tested(row: RowState, now: RowState | None) -> RowState:
    """A row with what is known of its connection today: another run may have tested it, or sent its key."""
    if now is not None and row.made in {None, now.made}:
        return replace(row, tested=now.tested, tested_at_ms=now.tested_at_ms, works=False)
    if row.works is False:
        return replace(row, tested=None, tested_at_ms=None, works=None)
    return row


def _stands(row: RowState) -> bool:
    outcome = row.change_outcome or row.outcome
    return not row.is_open and outcome is not None and has_connection(outcome)


def _needs_key(row: RowState) -> bool:
    """
    Whether its connection does not work, and is ours; or whether a key that was sent arrived is not known.

    Whatever became of the row in the parent: its key may have been refused there, or may not have had its turn.
    One that was adopted gets its key from `rotate` alone: it was made by somebody else.
    """
    if isinstance(row.change, Updating):
        return True
    is_adopted = (
        isinstance(row.outcome, Existing) and row.outcome.matched_by is not MatchedBy.MARKER
    )
    is_gone = isinstance(row.change_outcome or row.outcome, Deleted)
    return row.works is False and not (is_adopted or is_gone or row.is_create_open)


def _is_done(row: RowState) -> bool:
    is_deleted = not row.is_open and isinstance(row.change_outcome or row.outcome, Deleted)
    return is_deleted or (_stands(row) and not _needs_key(row))


def _returned_report_row(row: Row, before: RowState) -> CarriedOver | None:
    """What is kept of a row that is done, where the sheet shows it as our reports do: without its secret."""
    key, planned = row.cells.get(Column.SERVICE_PRINCIPAL_KEY), before.planned
    if planned is None or not _stands(before) or not isinstance(key, Secret) or key:
        return None
    for column in (Column.NAME, *TARGET_COLUMNS):
        cell, canonical = row.cells.get(column), RULES[column].canonical
        if not isinstance(cell, str) or canonical(cell) != canonical(
            getattr(planned, column.field)
        ):
            return None
    return CarriedOver(planned=planned, marker=before.marker, settled=inherited(before))
