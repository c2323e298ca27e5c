"""The first pass over a sheet: every row is judged, and accounted for in the ledger, before one is sent."""

from collections.abc import Callable, Iterator, Mapping

from anyio.lowlevel import checkpoint

from batchconnect.ledger.entry import Line, RunIdentified, RunOpened
from batchconnect.ledger.run_writer import RunWriter
from batchconnect.model.identity import marker
from batchconnect.model.outcome import Rejected
from batchconnect.model.row import Row
from batchconnect.run.accounting import Accounting, CarryOver, Intake
from batchconnect.run.same_run import Identity
from batchconnect.sheet.interface import Sheet
from batchconnect.validation.connection import BaseConnection
from batchconnect.validation.doubles import Doubles
from batchconnect.validation.fast_scan import FastScan, ValidRow

Parse = Callable[[Row], BaseConnection | Rejected]
"""`connection.parse` with everything but the row handed in."""

_CHUNK = 8000
"""Rows of one commit in the intake; a crash within it loses nothing, for nothing is sent yet."""


def examine(
    sheet: Sheet,
    parse: Parse,
    *,
    is_selected: Callable[[Row], bool] = lambda _: True,
    fast_scan: FastScan | None = None,
) -> Iterator[tuple[Row, BaseConnection | Rejected | None]]:
    """
    Judge every row of a sheet by itself and, at the end, the doubles among them.

    Args:
        sheet: An open sheet.
        parse: Judges one row.
        is_selected: What `--only` chooses, asked before the row is judged.
        fast_scan: Takes rows that have no finding by themselves, and only counts them.

    Yields:
        Each row once with its judgement, None where it is not selected; then the rows of each group of
        doubles once more, now rejected. Their cells are not read again: that row is bare.

    Raises:
        SheetError: The sheet cannot be read to its end.
    """
    for seen in _look_through(sheet, parse, is_selected, fast_scan):
        if not isinstance(seen, ValidRow):
            yield seen


def _look_through(
    sheet: Sheet, parse: Parse, is_selected: Callable[[Row], bool], fast_scan: FastScan | None
) -> Iterator[tuple[Row, BaseConnection | Rejected | None] | ValidRow]:
    """As `examine`, with the rows that the fast scan tells of."""
    doubles = Doubles(sheet.header) if fast_scan is None else fast_scan.doubles
    for row in sheet.rows() if fast_scan is None else fast_scan.of(sheet):
        if isinstance(row, ValidRow):
            yield row
            continue
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


def identify(
    sheet: Sheet, parse: Parse, opened: RunOpened, fast_scan: FastScan | None = None
) -> RunIdentified:
    """
    Which run a sheet is, told before anything of it is written.

    Args:
        sheet: An open sheet.
        parse: Judges one row.
        opened: What the run's first line would be.
        fast_scan: As of `take_in`; one of its own, for it remembers the rows.

    Raises:
        SheetError: The sheet cannot be read to its end.
    """
    identity = Identity(opened)
    for row in sheet.rows() if fast_scan is None else fast_scan.of(sheet):
        if isinstance(row, ValidRow):
            identity.add_valid(row.number, _marker_of(row))
        else:
            identity.add(row, parse(row))
    return identity.made()


def _marker_of(row: ValidRow) -> str:
    return marker(org_id=row.org.org_id, sandbox=row.sandbox, name=row.name, target=row.target)


async def take_in(
    sheet: Sheet,
    parse: Parse,
    *,
    ledger: RunWriter,
    known: Mapping[int, bool],
    is_selected: Callable[[Row], bool] = lambda _: True,
    carry_over: CarryOver = lambda _row, _judged: None,
    is_stopped: Callable[[], bool] = lambda: False,
    fast_scan: FastScan | None = None,
    identity: Identity,
) -> Intake:
    """
    Accounting for every row in the ledger.

    Args:
        sheet: An open sheet.
        parse: Judges one row.
        ledger: The run writer.
        known: Of a resumed run, the rows that the ledger accounts for already: whether they are settled.
        is_selected: What `--only` chooses, asked before the row is judged.
        carry_over: What a rerun inherits or leaves.
        is_stopped: Asked now and then; True: the intake is cut short, to be gone on with later.
        fast_scan: Takes rows that have no finding by themselves, and tells of them. They are neither asked
            for by *is_selected* nor carried_over, so it is for runs that have neither.
        identity: Is told the key of every row, of those too that are not selected.

    Raises:
        SheetError: The sheet cannot be read to its end; nothing was sent.
        LedgerError: The ledger cannot be written.
    """
    account = Accounting(ledger, known)
    lines: list[Line] = []
    for count, seen in enumerate(_look_through(sheet, parse, is_selected, fast_scan), start=1):
        if isinstance(seen, ValidRow):
            its_marker = _marker_of(seen)
            identity.add_valid(seen.number, its_marker)
            account.valid_row(seen, its_marker, lines)
        else:
            row, judged = seen
            if isinstance(judged, Rejected) and not row.cells:
                lines += account.double(row.number, judged)
            else:
                identity.add(row, parse(row) if judged is None else judged)
                lines += account.row(row, judged, carry_over(row, judged))
        if count % _CHUNK == 0:
            # A run that goes on has next to no lines to write: others get their turn all the same.
            await checkpoint()
            await ledger.write(lines)
            lines = []
            if is_stopped():
                break
    await ledger.write(lines)
    return account.found
