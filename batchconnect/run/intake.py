"""The first pass over a sheet: every row is judged, and accounted for in the ledger, before one is sent."""

from collections.abc import Callable, Iterator, Mapping

from anyio.lowlevel import checkpoint

from batchconnect.ledger.entry import Line
from batchconnect.ledger.run_ledger import RunLedger
from batchconnect.model.outcome import Rejected
from batchconnect.model.row import Row
from batchconnect.run.accounting import Accounting, Survey, Treat
from batchconnect.sheet.interface import Sheet
from batchconnect.validation.connection import BaseConnection
from batchconnect.validation.doubles import Doubles
from batchconnect.validation.fast_scan import Glance, Healthy

Parse = Callable[[Row], BaseConnection | Rejected]
"""`connection.parse` with everything but the row handed in."""

_CHUNK = 8000
"""Rows of one commit in the survey; a crash within it loses nothing, for nothing is sent yet."""


def examine(
    sheet: Sheet,
    parse: Parse,
    *,
    is_selected: Callable[[Row], bool] = lambda _: True,
    glance: Glance | None = None,
) -> Iterator[tuple[Row, BaseConnection | Rejected | None]]:
    """
    Judge every row of a sheet by itself and, at the end, the doubles among them.

    Args:
        sheet: An open sheet.
        parse: Judges one row.
        is_selected: What `--only` chooses, asked before the row is judged.
        glance: Takes rows that have no finding by themselves, and only counts them.

    Yields:
        Each row once with its judgement, None where it is not selected; then the rows of each group of
        doubles once more, now rejected. Their cells are not read again: that row is bare.

    Raises:
        SheetError: The sheet cannot be read to its end.
    """
    for seen in _look_through(sheet, parse, is_selected, glance):
        if not isinstance(seen, Healthy):
            yield seen


def _look_through(
    sheet: Sheet, parse: Parse, is_selected: Callable[[Row], bool], glance: Glance | None
) -> Iterator[tuple[Row, BaseConnection | Rejected | None] | Healthy]:
    """As `examine`, with the rows that the glance tells of."""
    doubles = Doubles(sheet.header) if glance is None else glance.doubles
    for row in sheet.rows() if glance is None else glance.of(sheet):
        if isinstance(row, Healthy):
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


async def survey(
    sheet: Sheet,
    parse: Parse,
    *,
    ledger: RunLedger,
    known: Mapping[int, bool],
    is_selected: Callable[[Row], bool] = lambda _: True,
    treat: Treat = lambda _row, _judged: None,
    is_stopped: Callable[[], bool] = lambda: False,
    glance: Glance | None = None,
) -> Survey:
    """
    Accounting for every row in the ledger.

    Args:
        sheet: An open sheet.
        parse: Judges one row.
        ledger: The run's pen.
        known: Of a resumed run, the rows that the ledger accounts for already: whether they are settled.
        is_selected: What `--only` chooses, asked before the row is judged.
        treat: What a rerun inherits or leaves.
        is_stopped: Asked now and then; True: the survey is cut short, to be gone on with later.
        glance: Takes rows that have no finding by themselves, and tells of them. They are neither asked
            for by *is_selected* nor treated, so it is for runs that have neither.

    Raises:
        SheetError: The sheet cannot be read to its end; nothing was sent.
        LedgerError: The ledger cannot be written.
    """
    account = Accounting(ledger, known)
    lines: list[Line] = []
    for count, seen in enumerate(_look_through(sheet, parse, is_selected, glance), start=1):
        if isinstance(seen, Healthy):
            account.healthy(seen, lines)
        else:
            row, judged = seen
            if isinstance(judged, Rejected) and not row.cells:
                lines += account.double(row.number, judged)
            else:
                lines += account.row(row, judged, treat(row, judged))
        if count % _CHUNK == 0:
            # A run that goes on has next to no lines to write: others get their turn all the same.
            await checkpoint()
            await ledger.write(lines)
            lines = []
            if is_stopped():
                break
    await ledger.write(lines)
    return account.found
