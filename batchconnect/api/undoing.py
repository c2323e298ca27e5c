"""`undo`: what would be deleted of what a run created; and, where that very number is given, its deletion."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio

from batchconnect.api.call import (
    Call,
    LedgerLike,
    OnEvent,
    PathLike,
    SettingsLike,
    begin,
    refuse_unheeded,
)
from batchconnect.api.one_error import with_one_error
from batchconnect.api.report import Report, Reporter
from batchconnect.api.shown import Shown, counted, frame
from batchconnect.model.errors import UsageError
from batchconnect.model.outcome import Status
from batchconnect.model.remedies import undo_hint_for
from batchconnect.model.value import Value, names_of
from batchconnect.options import OPTIONS, RunOptions
from batchconnect.run.opening.opened_ledger import ledger_of
from batchconnect.run.stop import Stop
from batchconnect.run.undo.choice import run_that_creates
from batchconnect.run.undo.undo import preview_undo, undo as carry_out
from batchconnect.run.undo.undo_plan import UndoPlan

if TYPE_CHECKING:
    import pandas as pd

_HEEDED: Final = frozenset(
    {
        *("reports", "ledger", "simulate", "fault", "seed", "note"),
        *("rate", "concurrency", "timeout", "patience", "settle", "on_doubt", "lease"),
        *("proxy", "ca_bundle", "allow_hosts"),
    }
)
"""What a deletion obeys. Any other option, meant to hold it back, must not be passed over."""
_UNHEEDED: Final = OPTIONS.keys() - _HEEDED


class UndoRow(Value):
    """A connection that the run created, or may have."""

    row: int
    sheet: str
    worksheet: str
    """The tab; "" of a sheet without tabs."""
    name: str
    org: str
    sandbox: str
    connection_id: str | None
    """None: whether it was created is not known."""
    code: str | None
    """Why it would be kept; None: it would be deleted."""
    reason: str | None
    hint: str | None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Undo(Shown):
    """What an undo would do; and what it did, where it was told to."""

    run_id: str
    """The run that is undone."""
    to_delete: int
    """Connections that would be deleted: the number to agree to, as `yes`."""
    to_settle: int
    """Connections that stay, of which an earlier delete may have been applied; `yes` finds that out."""
    deleted_before: int
    not_created: int
    """Rows that have another run's connection, or none."""
    rows: tuple[UndoRow, ...]
    """What was looked at; empty where connections were deleted: then the report tells of them."""
    exit_code: int
    report: Report | None = None
    """What became of each connection; None: nothing was sent."""

    @property
    def kept(self) -> Mapping[str, int]:
        """How many would be left, by the code that says why."""
        codes = [row.code for row in self.rows if row.code is not None]
        return {code: codes.count(code) for code in dict.fromkeys(codes)}

    def to_pandas(self) -> "pd.DataFrame":
        """The connections that were looked at; of an undo that was carried out, its report."""
        if self.report is not None:
            return self.report.to_pandas()
        return frame(*self._table(), whole=("row",))

    def _line(self) -> str:
        if self.report is not None:
            return f"of {self.run_id}: {self.report._line()}"  # noqa: SLF001 - a sibling's line
        counts = [
            ("to delete", self.to_delete),
            ("to keep", len(self.rows) - self.to_delete),
            ("deleted before", self.deleted_before),
        ]
        return f"of {self.run_id}: {counted(counts) or 'nothing to delete'}; nothing was sent"

    def _table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        if self.report is not None:
            return self.report._table()  # noqa: SLF001 - a sibling's table
        names = names_of(UndoRow)
        return names, ([getattr(row, name) for name in names] for row in self.rows)


@with_one_error
async def undo(
    run: str,
    *,
    yes: int | None = None,
    settings: SettingsLike = None,
    ledger: LedgerLike | None = None,
    reports: PathLike | None = None,
    on_event: OnEvent | None = None,
    options: RunOptions | None = None,
    stop: Stop | None = None,
) -> Undo:
    """
    Say what would be deleted of what a run created, or delete it. As `batchconnect undo`.

    Args:
        run: Its id, or the beginning of it.
        yes: The number that a call without it gave as `to_delete`: they are deleted, unless they are another
            number by now. None: nothing is sent. 0: only what an earlier delete came to is found out.
        settings: As of `onboard`.
        ledger: As of `onboard`; something has to name it.
        reports: As of `onboard`.
        on_event: As of `onboard`.
        options: As of `onboard`; one that an undo does not obey is refused.
        stop: As of `onboard`.

    Raises:
        UsageError: There is no such run, it is not over, or the number is another one: nothing was sent.
        BatchConnectError: As of `onboard`.
    """
    refuse_unheeded(options, _UNHEEDED, by="undo")
    number: object = yes  # a checker believes the annotation; who calls may have none
    is_number = isinstance(number, int) and not isinstance(number, bool) and number >= 0
    if yes is not None and not is_number:
        raise UsageError(
            "yes must be the number of connections to delete",
            hint="A call without it gives that number as `to_delete`.",
        )
    call = begin(
        settings=settings,
        ledger=ledger,
        reports=reports,
        on_event=on_event,
        options=options,
        stop=stop,
    )
    call.need_ledger("undo", run)
    await anyio.to_thread.run_sync(partial(_known, call, run))
    if yes is None:
        call.warn_of_settings()
        plan = await preview_undo(
            run, settings=call.settings, options=call.options, hold=call.listener.redactor.hold
        )
        return _shown(plan)
    call.warn()
    reporter = Reporter(call)
    with call.heard() as listener:
        done = await carry_out(
            run,
            yes,
            settings=call.settings,
            options=call.options,
            listener=listener,
            report=reporter,
        )
    if isinstance(done, UndoPlan):
        return _shown(done)
    report = reporter.report
    return Undo(
        run_id=report.parent_run_id or run,
        to_delete=0,
        to_settle=0,
        deleted_before=0,
        not_created=0,
        rows=(),
        exit_code=report.exit_code,
        report=report,
    )


def _known(call: Call, run: str) -> None:
    """That there is such a run is seen before anybody is asked, or a ledger is made."""
    with ledger_of(call.options) as ledger:
        run_that_creates(ledger, run)


def _shown(plan: UndoPlan) -> Undo:
    run_id = plan.run.opened.run_id
    rows = []
    for row in plan.rows:
        kept, at = row.kept, plan.run.opened.places.at(row.number)
        rows.append(
            UndoRow(
                row=at.row,
                sheet=at.sheet,
                worksheet=at.worksheet,
                name=row.planned.name,
                org=row.planned.org,
                sandbox=row.planned.sandbox,
                connection_id=row.made.connection_id if row.made else None,
                code=kept.code if kept else None,
                reason=kept.detail if kept else None,
                hint=undo_hint_for(kept.code, Status.KEPT, run_id=run_id) if kept else None,
            )
        )
    return Undo(
        run_id=run_id,
        to_delete=plan.to_delete if plan.agreed is None else plan.agreed,
        to_settle=plan.to_settle,
        deleted_before=plan.deleted_before,
        not_created=plan.not_created,
        rows=tuple(rows),
        exit_code=int(plan.exit_code),
    )
