"""
The first look over a run's rows: each is accounted for, before one of them is sent.

Of a run that another process has surveyed it is the same look, and nothing is written: it shows that the rows
are the run's, and which of them stand in which lane.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from math import inf

from batchconnect.lane.orphan import MissingRow
from batchconnect.ledger.aside import aside
from batchconnect.ledger.entry import Line, RunEnded, RunIdentified
from batchconnect.ledger.run_state import SHEET_UNREADABLE
from batchconnect.ledger.run_writer import RunWriter
from batchconnect.model.errors import ExitCode, LedgerError, SheetError
from batchconnect.model.event import CellsWarned, Planned
from batchconnect.model.value import Value
from batchconnect.run.budget import Budget
from batchconnect.run.exit_code import MAX_ROWS, REJECTED_ROWS
from batchconnect.run.intake.accounting import Intake
from batchconnect.run.intake.findings import sheet_warned
from batchconnect.run.intake.intake import take_in
from batchconnect.run.intake.known_rows import KnownRun, known_of
from batchconnect.run.intake.same_run import Identity, SeenRows
from batchconnect.run.job import Job


class Survey(Value):
    """What there is to do in a run."""

    known: KnownRun
    """What the ledger knew before."""
    intake: Intake
    """The sheet's rows."""
    gone: Sequence[MissingRow] = ()
    """Rows that the sheet has no more, and that are not settled."""
    joins: bool = False
    """Whether another process accounted for them."""
    reason: str = ""
    """Why nothing is to be sent, "" where it is."""

    @property
    def planned(self) -> Planned:
        """What is told of it."""
        return Planned(
            to_create=self.intake.to_do,
            settled=self.intake.rows - self.intake.to_do,
            # What others have on its way is no doubt of this process.
            to_settle=0 if self.joins else len(self.known.plan.open),
            left_out=tuple(self.intake.left_out),
        )


class _Nowhere:
    """Where a process writes what another one has accounted for already."""

    async def append(self, lines: Sequence[Line]) -> None:
        """Forget the lines."""

    def of_lane(self, _lane: object) -> "_Nowhere":
        """It is the same everywhere."""
        return self


async def _nothing(_found: Survey) -> Sequence[Line]:
    return ()


async def survey(
    job: Job,
    *,
    number: int,
    writer: RunWriter,
    budget: Budget,
    joins: bool = False,
    opening: Callable[[Survey], Awaitable[Sequence[Line]]] = _nothing,
) -> Survey:
    """
    Read the sheet to its end, and account for every row, or see how another process did.

    Args:
        job: The run.
        number: Of the run, in the ledger.
        writer: Writes its lines.
        budget: Told what was begun before, and how many failures are allowed.
        joins: Whether another process accounts for the rows.
        opening: Makes the lines by which it is told that rows may be sent now; nobody is told where none are.

    Raises:
        SheetError: The sheet cannot be read to its end, or has changed since it was opened; nothing was sent, and
            a run that began with it is over.
        SettingsError: A row that the sheet has no more is in doubt, and its org is not what it was.
        LedgerError: The ledger cannot be asked, or written to; or it is not the sheet of the run that is joined.
    """
    try:
        return await _survey(
            job, number=number, writer=writer, budget=budget, joins=joins, opening=opening
        )
    except SheetError:
        if job.resumed is None and not joins:
            ended = RunEnded(exit_code=ExitCode.SHEET, reason=SHEET_UNREADABLE)
            await writer.write([writer.line(ended)])
        raise


async def _survey(
    job: Job,
    *,
    number: int,
    writer: RunWriter,
    budget: Budget,
    joins: bool,
    opening: Callable[[Survey], Awaitable[Sequence[Line]]],
) -> Survey:
    before = None if job.resumed is None else number
    known = await aside(job.ledger, partial(known_of, job.ledger, before, joins=joins))
    # What was asked for before was done: a run that --max-rows ended, and that goes on, has the number anew.
    ended = job.resumed.ended if job.resumed is not None else None
    if ended is None or ended.reason != MAX_ROWS:
        budget.count_begun(known.begun)
    identity: Identity | SeenRows = Identity(job.opened)
    if job.identified is not None and job.seen is not None:
        identity = SeenRows(job.identified, job.seen)
    found = await take_in(
        job.sheet,
        job.parse,
        ledger=RunWriter(_Nowhere(), run=0, clock=job.clock) if joins else writer,
        known=known.rows,
        is_selected=job.is_selected,
        carry_over=job.carry_over,
        is_stopped=lambda: bool(job.stop.reason),
        fast_scan=job.fast_scan,
        identity=identity,
        strict=job.strict,
    )
    for problem in found.about_rows:
        job.on_event(sheet_warned(problem))
    if job.stop.reason:
        return Survey(known=known, intake=found, joins=joins, reason=job.stop.reason)
    gone = [row for row in job.gone() if not known.rows.get(row.number)]
    for row in gone:
        elsewhere = job.elsewhere(row) if row.orphan is not None else None
        if elsewhere is not None:
            raise elsewhere
    is_refused = not joins and found.rejected and not job.bounds.skip_invalid
    seen = Survey(
        known=known,
        intake=found,
        gone=gone,
        joins=joins,
        reason=REJECTED_ROWS if is_refused else "",
    )
    if joins:
        _check_identity(job, identity.made())
    else:
        lines = _identified(job, identity.made(), writer)
        new = [row for row in gone if row.number not in known.rows]
        lines += [line for row in new for line in row.lines(writer)]
        await writer.write([*lines, *(() if seen.reason else await opening(seen))])
    for kind in found.warnings.sorted():
        job.on_event(
            CellsWarned(what=kind.what, where=kind.where, cells=kind.count, code=kind.problem.code)
        )
    limit = job.bounds.max_failures
    budget.failures_allowed = inf if limit is None else limit.of(found.to_do)
    return seen


def _identified(job: Job, now: RunIdentified, writer: RunWriter) -> list[Line]:
    """What has to stand in the ledger before a row is sent: which rows the run is over."""
    if job.identified is not None and job.identified != now:
        raise SheetError(
            f"{job.sheet.name}: the file has changed since it was opened",
            hint="Start the command again; what is done already is not done twice.",
        )
    is_known = job.resumed is not None and job.resumed.identified == now
    return [] if is_known else [writer.line(now)]


def _check_identity(job: Job, now: RunIdentified) -> None:
    assert job.resumed is not None, "only what is there is joined"
    if job.resumed.identified != now:
        raise not_its_sheet(job, job.resumed.opened.run_id)


def not_its_sheet(job: Job, run_id: str) -> LedgerError:
    """What ends a process that would join a run with rows which are not the run's."""
    return LedgerError(
        f"{job.sheet.name} is not the sheet of run {run_id}: other rows, or other orgs and "
        "sandboxes by these settings",
        hint="Work it with a copy of the run's sheet and the same settings; nothing was sent.",
    )
