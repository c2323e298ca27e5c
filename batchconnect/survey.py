"""
The first pass over a sheet: every row is judged, and accounted for in the ledger, before one is sent.

Only numbers and places are kept of the good rows; their secrets are read again when their turn comes.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableSequence
from dataclasses import dataclass, field

from batchconnect.connection import BaseConnection
from batchconnect.doubles import Doubles
from batchconnect.entry import Line, RowPlanned, Settled
from batchconnect.outcome import NotAttempted, Outcome, Problem, Rejected, Severity
from batchconnect.row import Column, Row
from batchconnect.run_ledger import RunLedger
from batchconnect.sheet.interface import Sheet

Parse = Callable[[Row], BaseConnection | Rejected]
"""`connection.parse` with everything but the row handed in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """The row is no business of this run, and not accounted for in it: a rerun met a new row."""


Treat = Callable[[Row, BaseConnection | Rejected | None], Settled | LeftOut | None]
"""Whether a row has its outcome already (inherited from the parent run), or is left out; None: do it."""

NOT_SELECTED = NotAttempted(code="not_selected", detail="Left out by --only.")

_CHUNK = 2000
"""Lines of one commit in the survey; a crash within it loses nothing, for nothing is sent yet."""

_CREDENTIALS = (
    Column.ENDPOINT,
    Column.DATABASE,
    Column.TENANT,
    Column.SERVICE_PRINCIPAL_ID,
)


@dataclass(slots=True, kw_only=True)
class Survey:
    """What the first pass found."""

    rows: int = 0
    """Rows that are not blank."""
    rejected: int = 0
    not_selected: int = 0
    warnings: int = 0
    """Rows with at least one warning."""
    places: dict[tuple[str, str], MutableSequence[int]] = field(default_factory=dict)
    """Per (org key, sandbox): where its rows stand in the sheet, in the sheet's order."""

    left_out: list[int] = field(default_factory=list)
    """Numbers of new rows that a rerun leaves for `run`."""
    doubles: set[int] = field(default_factory=set)
    """Numbers of the rows that are valid by themselves, and rejected for their likeness to another."""

    @property
    def to_do(self) -> int:
        """Rows that are valid and not settled yet."""
        return sum(len(places) for places in self.places.values()) - len(self.doubles)


def examine(
    sheet: Sheet, parse: Parse, *, is_selected: Callable[[Row], bool] = lambda row: True
) -> Iterator[tuple[Row, BaseConnection | Rejected | None]]:
    """
    Judge every row of a sheet by itself and, at the end, the doubles among them.

    Yields:
        Each row once with its judgement, None where it is not selected; then the rows of each group of
        doubles once more, now rejected. Their cells are not read again: that row is bare.

    Raises:
        SheetError: The sheet cannot be read to its end.
    """
    doubles = Doubles(sheet.header)
    for row in sheet.rows():
        if not is_selected(row):
            yield row, None
            continue
        judged = parse(row)
        if isinstance(judged, BaseConnection):
            doubles.add(judged)
        yield row, judged
    doubled = doubles.groups()
    for number in sorted(doubled):
        yield Row(number=number, cells={}), Rejected(problems=doubled.get(number))


async def survey(
    sheet: Sheet,
    parse: Parse,
    *,
    ledger: RunLedger,
    known: Mapping[int, bool],
    is_selected: Callable[[Row], bool] = lambda row: True,
    treat: Treat = lambda row, judged: None,
) -> Survey:
    """
    Account for every row in the ledger.

    Args:
        sheet: An open sheet.
        parse: Judges one row.
        ledger: The run's pen.
        known: Of a resumed run, the rows that the ledger accounts for already: whether they are settled.
        is_selected: What `--only` chooses, asked before the row is judged.
        treat: What a rerun inherits or leaves.

    Raises:
        SheetError: The sheet cannot be read to its end; nothing was sent.
        LedgerError: The ledger cannot be written.
    """
    found = Survey()
    lines: list[Line] = []
    for row, judged in examine(sheet, parse, is_selected=is_selected):
        is_double = not row.cells
        is_new = row.number not in known
        treated = None if is_double else treat(row, judged)
        if isinstance(treated, LeftOut):
            found.left_out.append(row.number)
            continue
        found.rows += not is_double
        match judged:
            case None:
                found.not_selected += 1
                if is_new:
                    outcome = treated.outcome if treated is not None else NOT_SELECTED
                    lines += _accounted(ledger, row, _as_typed(row, ()), outcome)
            case Rejected():
                found.rejected += 1
                if is_double:
                    found.doubles.add(row.number)
                    lines.append(ledger.line(Settled(outcome=judged), row=row.number))
                elif is_new:
                    lines += _accounted(ledger, row, _as_typed(row, judged.problems), judged)
            case BaseConnection():
                found.warnings += any(f.severity is Severity.WARNING for f in judged.findings)
                if is_new:
                    lines.append(_planned(ledger, row, judged))
                if treated is not None:
                    if is_new:
                        lines.append(ledger.line(treated, row=row.number, marker=judged.marker))
                elif not known.get(row.number, False):
                    group = (judged.org.key, judged.sandbox)
                    found.places.setdefault(group, array("q")).append(row.place)
        if len(lines) >= _CHUNK:
            await ledger.write(lines)
            lines = []
    await ledger.write(lines)
    return found


def _planned(ledger: RunLedger, row: Row, connection: BaseConnection) -> Line:
    entry = RowPlanned(
        name=connection.name,
        org=connection.org.key,
        org_id=connection.org.org_id,
        sandbox=connection.sandbox,
        endpoint=connection.endpoint,
        database=connection.database,
        tenant=connection.tenant,
        service_principal_id=connection.service_principal_id,
        carried=row.carried,
        findings=connection.findings,
        description=connection.description,
    )
    return ledger.line(entry, row=row.number, marker=connection.marker)


def _accounted(
    ledger: RunLedger, row: Row, planned: RowPlanned, outcome: Outcome
) -> tuple[Line, Line]:
    return (
        ledger.line(planned, row=row.number),
        ledger.line(Settled(outcome=outcome), row=row.number),
    )


def _as_typed(row: Row, problems: Iterable[Problem]) -> RowPlanned:
    """
    A row that is not a connection, as the reports show it.

    Columns get swapped, so a refused cell of a credential column may hold the secret: it is not shown.
    """
    refused = {p.column for p in problems if p.severity is Severity.ERROR} & set(_CREDENTIALS)

    def shown(column: Column) -> str:
        cell = row.cells.get(column, "")
        return cell if isinstance(cell, str) and column not in refused else ""

    return RowPlanned(
        name=shown(Column.NAME),
        org=shown(Column.ORG),
        sandbox=shown(Column.SANDBOX),
        endpoint=shown(Column.ENDPOINT),
        database=shown(Column.DATABASE),
        tenant=shown(Column.TENANT),
        service_principal_id=shown(Column.SERVICE_PRINCIPAL_ID),
        carried=row.carried,
        description=shown(Column.DESCRIPTION),
    )
