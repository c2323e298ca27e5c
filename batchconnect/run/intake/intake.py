"""The first pass over a sheet: every row is judged, and accounted for in the ledger, before one is sent."""

from collections.abc import Callable, Iterator, Mapping

from anyio.lowlevel import checkpoint

from batchconnect.ledger.entry import Line, RunIdentified, RunOpened
from batchconnect.ledger.run_writer import RunWriter
from batchconnect.model.errors import SheetError
from batchconnect.model.outcome import Rejected
from batchconnect.model.row import Row
from batchconnect.run.intake.accounting import Accounting, CarryOver, Intake
from batchconnect.run.intake.same_run import Identity, RowsPrint, SeenRows
from batchconnect.sheet.block import Block
from batchconnect.sheet.interface import Sheet
from batchconnect.validation.connection import BaseConnection
from batchconnect.validation.doubles import Doubles
from batchconnect.validation.fast_scan import FastScan, Scan, ValidRow
from batchconnect.validation.series import Series, Warned

Parse = Callable[[Row], BaseConnection | Rejected]
"""`connection.parse` with everything but the row handed in."""

_CHUNK = 8000
"""Rows of one commit in the intake; a crash within it loses nothing, for nothing is sent yet."""


def examine(
    sheet: Sheet,
    parse: Parse,
    *,
    is_selected: Callable[[Row], bool] = lambda _: True,
    fast_scan: Scan | None = None,
    strict: bool = False,
    pieces: Iterator[Block | Row] | None = None,
) -> Iterator[tuple[Row, BaseConnection | Rejected | Warned | None]]:
    """
    Judge every row of a sheet by itself and, at the end, the doubles and the series among them.

    Args:
        sheet: An open sheet.
        parse: Judges one row.
        is_selected: What `--only` chooses, asked before the row is judged.
        fast_scan: Takes rows that have no finding by themselves, and only counts them.
        strict: Warnings about rows taken together are errors; the fast scan knows it by itself.
        pieces: For a scan of a single sheet: its blocks, where somebody else looks at them on the way; None: they are read here.

    Yields:
        Each row once with its judgement, None where it is not selected; then the rows of each group of
        doubles once more, now rejected, and the first row of each series once more, with a warning. Their
        cells are not read again: that row is bare.

    Raises:
        SheetError: The sheet cannot be read to its end, or it is a template that nobody filled in.
    """
    for seen in _look_through(sheet, parse, is_selected, fast_scan, strict=strict, pieces=pieces):
        if not isinstance(seen, ValidRow):
            yield seen


def _look_through(
    sheet: Sheet,
    parse: Parse,
    is_selected: Callable[[Row], bool],
    fast_scan: Scan | None,
    *,
    strict: bool,
    pieces: Iterator[Block | Row] | None = None,
) -> Iterator[tuple[Row, BaseConnection | Rejected | Warned | None] | ValidRow]:
    """As `examine`, with the rows that the fast scan tells of."""
    doubles = Doubles(sheet.header) if fast_scan is None else fast_scan.doubles
    series = Series(sheet.header, strict=strict) if fast_scan is None else fast_scan.series
    has_rows = False
    for row in _rows(sheet, fast_scan, pieces):
        has_rows = True
        if isinstance(row, ValidRow):
            yield row
            continue
        if not is_selected(row):
            yield row, None
            continue
        judged = parse(row)
        if isinstance(judged, BaseConnection):
            doubles.add(judged)
            series.add(judged)
        yield row, judged
    if not (has_rows or (fast_scan is not None and fast_scan.rows)) and sheet.template_rows:
        raise SheetError(
            f"{sheet.name}: this is still the template, nobody has filled it in",
            hint="Fill in a row for each connection; rows that begin with `NOT SENT` are skipped.",
        )
    doubled = doubles.groups()
    for number in sorted(doubled):
        yield Row(number=number, cells={}), Rejected(problems=doubled.get(number))
    refused: set[int] = set()
    for number, found in series.findings():
        if isinstance(found, Warned) or (number not in doubled and number not in refused):
            yield Row(number=number, cells={}), found
        if isinstance(found, Rejected):
            refused.add(number)


def _rows(
    sheet: Sheet, fast_scan: Scan | None, pieces: Iterator[Block | Row] | None
) -> Iterator[Row | ValidRow]:
    if pieces is not None:
        assert isinstance(fast_scan, FastScan)
        return fast_scan.through(pieces)
    return sheet.rows() if fast_scan is None else fast_scan.of(sheet)


def identify(
    sheet: Sheet,
    parse: Parse,
    opened: RunOpened,
    fast_scan: Scan | None = None,
    seen: RowsPrint | None = None,
) -> RunIdentified:
    """
    Which run a sheet is, told before anything of it is written.

    Args:
        sheet: An open sheet.
        parse: Judges one row.
        opened: What the run's first line would be.
        fast_scan: As of `take_in`; one of its own, for it remembers the rows.
        seen: Told of each row, for who reads them once more.

    Raises:
        SheetError: The sheet cannot be read to its end.
    """
    identity = Identity(opened)
    for row in sheet.rows() if fast_scan is None else fast_scan.of(sheet):
        if isinstance(row, ValidRow):
            identity.add_valid(row.number, row.marker)
            if seen is not None:
                seen.add_wanted(row.number, row)
        else:
            judged = parse(row)
            identity.add(row, judged)
            if seen is not None:
                seen.add(row, judged)
    return identity.made()


async def take_in(
    sheet: Sheet,
    parse: Parse,
    *,
    ledger: RunWriter,
    known: Mapping[int, bool],
    is_selected: Callable[[Row], bool] = lambda _: True,
    carry_over: CarryOver = lambda _row, _judged: None,
    is_stopped: Callable[[], bool] = lambda: False,
    fast_scan: Scan | None = None,
    identity: Identity | SeenRows,
    strict: bool = False,
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
        strict: As of `examine`.

    Raises:
        SheetError: The sheet cannot be read to its end; nothing was sent.
        LedgerError: The ledger cannot be written.
    """
    account = Accounting(ledger, known)
    lines: list[Line] = []
    rows = _look_through(sheet, parse, is_selected, fast_scan, strict=strict)
    for count, seen in enumerate(rows, start=1):
        if isinstance(seen, ValidRow):
            is_settled = known.get(seen.number, False)
            its_marker = identity.add_scanned(seen, is_settled=is_settled)
            account.valid_row(seen, its_marker, lines)
        else:
            row, judged = seen
            if isinstance(judged, Warned):
                account.found.about_rows.append(judged.problem)
            elif isinstance(judged, Rejected) and not row.cells:
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
