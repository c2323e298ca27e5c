"""
What the ledger has to hear of each row of a sheet before one is sent, and what is counted of them.

Only numbers and places are kept of the good rows; their secrets are read again when their turn comes.
"""

from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableSequence
from dataclasses import dataclass, field
from typing import Any

from batchconnect.ledger.entry import Line, RowPlanned, Settled
from batchconnect.ledger.run_writer import RunWriter
from batchconnect.model.column import SHOWN_COLUMNS, Column
from batchconnect.model.identity import describe
from batchconnect.model.outcome import NotAttempted, Outcome, Problem, Rejected, Severity
from batchconnect.model.row import Row
from batchconnect.model.value import Value
from batchconnect.run.intake.findings import FindingKinds
from batchconnect.validation.connection import BaseConnection
from batchconnect.validation.fast_scan import ValidRow
from batchconnect.validation.misplaced_key import (
    OPTIONAL_PLACES,
    is_misplaced,
    key_of,
    length_of,
)


class Skipped(Value):
    """The row is no business of this run, and not accounted for in it: a rerun met a new row."""


class CarriedOver(Value):
    """
    A rerun accounts for the row as its parent did, whatever the sheet says now.

    It is not selected, so it is not judged; or it is done, and its secret is blank as in our reports.
    """

    planned: RowPlanned
    marker: str | None
    settled: Settled

    def lines(self, ledger: RunWriter, row: int) -> tuple[Line, Line]:
        """What accounts for it in this run; a doubt stays open under its marker, where it began."""
        return (
            ledger.line(self.planned, row=row, marker=self.marker),
            ledger.line(self.settled, row=row),
        )


CarryOver = Callable[
    [Row, BaseConnection | Rejected | None], Settled | CarriedOver | Skipped | None
]
"""Whether a row has its outcome already (inherited from the parent run), or is left out; None: do it."""

NOT_SELECTED = NotAttempted(code="not_selected", detail="Left out by --only.")


@dataclass(slots=True, kw_only=True)
class Intake:
    """What the first pass found."""

    rows: int = 0
    """Rows that are not blank."""
    rejected: int = 0
    not_selected: int = 0
    warnings: FindingKinds = field(default_factory=FindingKinds)
    """About the cells of valid rows."""
    to_do: int = 0
    """Rows that are valid and not settled yet."""
    offsets: dict[tuple[str, str], MutableSequence[int]] = field(default_factory=dict)
    """Per (org key, sandbox): where its rows stand in the sheet, in the sheet's order."""
    prints: dict[tuple[str, str], MutableSequence[int]] = field(default_factory=dict)
    """Per (org key, sandbox): a hash of each of these rows' markers, in the same order."""
    numbers: defaultdict[str, MutableSequence[int]] = field(
        default_factory=lambda: defaultdict(lambda: array("I"))
    )
    """Per org key: the numbers of its valid rows, settled ones too."""
    left_out: list[int] = field(default_factory=list)
    """Numbers of new rows that a rerun leaves for `run`."""
    orgs: set[str] = field(default_factory=set)
    """Settings keys of the orgs that valid rows name."""
    about_rows: list[Problem] = field(default_factory=list)
    """What is odd about rows taken together; they are sent all the same."""
    doubles: set[int] = field(default_factory=set)
    """Numbers of the rows that are valid by themselves, and rejected for their likeness to another."""

    def has(self, connection: BaseConnection, offset: int) -> bool:
        """Whether this is the row that was accounted for, as its key has it, at this place."""
        place = (connection.org.key, connection.sandbox)
        offsets = self.offsets.get(place, ())
        at = bisect_left(offsets, offset)
        return (
            at < len(offsets)
            and offsets[at] == offset
            and self.prints[place][at] == hash(connection.marker)
        )


class Accounting:
    """Counts what the first pass finds, and says what the ledger has to hear of it."""

    def __init__(self, ledger: RunWriter, known: Mapping[int, bool]) -> None:
        self.found = Intake()
        self._ledger = ledger
        self._known = known
        self._done: set[int] = set()
        """Numbers of the rows that a rerun inherits or leaves: nothing is sent for them."""

    def row(
        self,
        row: Row,
        judged: BaseConnection | Rejected | None,
        carried_over: Settled | CarriedOver | Skipped | None,
    ) -> Iterable[Line]:
        """A row of the sheet."""
        if isinstance(judged, BaseConnection):
            self.found.orgs.add(judged.org.key)
        if isinstance(carried_over, Skipped):
            self.found.left_out.append(row.number)
            self._done.add(row.number)
            return ()
        self.found.rows += 1
        if isinstance(carried_over, CarriedOver) and judged is not None:
            self._done.add(row.number)
            is_new = row.number not in self._known
            return carried_over.lines(self._ledger, row.number) if is_new else ()
        if judged is None:
            return self._not_selected(row, carried_over)
        if isinstance(judged, Rejected):
            return self._rejected(row, judged)
        return self._valid(row, judged, carried_over)

    def valid_row(self, row: ValidRow, marker: str | None, lines: list[Line]) -> None:
        """
        A row that one look was enough for; what the ledger has to hear is added to *lines*.

        Its marker may be None where it is settled.
        """
        found, key = self.found, row.org.key
        found.rows += 1
        found.orgs.add(key)
        found.numbers[key].append(row.number)
        is_settled = self._known.get(row.number)
        if is_settled:
            return
        assert marker is not None
        if is_settled is None:
            lines.append(_planned_by_scan(self._ledger, row, marker))
        self._to_do(key, row.sandbox, row.offset, marker)

    def double(self, number: int, judged: Rejected) -> Iterable[Line]:
        """
        A row that is rejected for its likeness to another, seen when the sheet was read to its end.

        Cases, in order:
            1. A rerun inherits or leaves it: nothing is sent for it, so its outcome stands.
            2. A resumed run has settled it, most often as the double that it is.
            3. It was to be done: it is not.
        """
        if number in self._done:
            return
        self.found.rejected += 1
        self.found.doubles.add(number)
        if not self._known.get(number, False):
            self.found.to_do -= 1
            yield self._ledger.line(Settled(outcome=judged), row=number)

    def _not_selected(self, row: Row, carried_over: Settled | CarriedOver | None) -> Iterable[Line]:
        self.found.not_selected += 1
        if row.number in self._known:
            return ()
        if isinstance(carried_over, CarriedOver):
            return carried_over.lines(self._ledger, row.number)
        return _accounted(self._ledger, row, as_typed(row), NOT_SELECTED)

    def _rejected(self, row: Row, judged: Rejected) -> Iterable[Line]:
        self.found.rejected += 1
        if row.number in self._known:
            return ()
        return _accounted(self._ledger, row, as_typed(row, judged.problems), judged)

    def _valid(
        self, row: Row, connection: BaseConnection, carried_over: Settled | CarriedOver | None
    ) -> Iterator[Line]:
        self.found.warnings.add_warnings(row.number, connection.findings)
        self.found.numbers[connection.org.key].append(row.number)
        is_new = row.number not in self._known
        if is_new:
            yield _planned(self._ledger, row, connection)
        if isinstance(carried_over, Settled):
            self._done.add(row.number)
            if is_new:
                # Without the marker: what is copied is no news of the identity, of which more may be known.
                yield self._ledger.line(carried_over, row=row.number)
        elif not self._known.get(row.number, False):
            self._to_do(connection.org.key, connection.sandbox, row.offset, connection.marker)

    def _to_do(self, org: str, sandbox: str, offset: int, marker: str) -> None:
        found, place = self.found, (org, sandbox)
        found.to_do += 1
        if place not in found.offsets:
            found.offsets[place], found.prints[place] = array("q"), array("q")
        found.offsets[place].append(offset)
        found.prints[place].append(hash(marker))


def _planned(ledger: RunWriter, row: Row, connection: BaseConnection) -> Line:
    return _line_of(
        ledger,
        connection,
        number=row.number,
        marker=connection.marker,
        description=connection.description,
        carried=row.carried,
        findings=connection.findings,
    )


def _planned_by_scan(ledger: RunWriter, row: ValidRow, marker: str) -> Line:
    """As `_planned`, of the connection that was not made."""
    return _line_of(
        ledger,
        row,
        number=row.number,
        marker=marker,
        description=describe(row.text, marker)[0],
        carried=row.carried,
    )


def _line_of(
    ledger: RunWriter,
    wanted: BaseConnection | ValidRow,
    *,
    number: int,
    marker: str,
    description: str,
    carried: tuple[str, ...],
    findings: tuple[Problem, ...] = (),
) -> Line:
    entry = RowPlanned(
        name=wanted.name,
        org=wanted.org.key,
        org_id=wanted.org.org_id,
        sandbox=wanted.sandbox,
        **wanted.target._asdict(),
        carried=carried,
        findings=findings,
        description=description,
    )
    return ledger.line(entry, row=number, marker=marker)


def _accounted(
    ledger: RunWriter, row: Row, planned: RowPlanned, outcome: Outcome
) -> tuple[Line, Line]:
    return (
        ledger.line(planned, row=row.number),
        ledger.line(Settled(outcome=outcome), row=row.number),
    )


def as_typed(row: Row, problems: Iterable[Problem] = ()) -> RowPlanned:
    """
    A row that is not a connection, as the reports show it.

    Columns get swapped and shifted, so any refused cell may hold the secret: it is told by its length. So
    is one that surely holds a key, where nobody has judged the row.
    """
    refused = {p.column for p in problems if p.severity is Severity.ERROR}
    key = key_of(row)

    def shown(column: Column) -> str:
        cell = row.cells.get(column, "")
        if not isinstance(cell, str):
            return ""
        is_hidden = column in refused or is_misplaced(column, cell, key)
        if not is_hidden:
            return cell
        # A blank cell here could be filled in by a default where a report is fed back; elsewhere it is refused.
        return length_of(cell) if column in OPTIONAL_PLACES and cell else ""

    texts: dict[str, Any] = {column.field: shown(column) for column in SHOWN_COLUMNS}
    return RowPlanned(**texts, carried=row.carried)
