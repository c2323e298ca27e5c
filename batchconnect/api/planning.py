"""`plan`: what a run with the same options would do to each row; it reads the service and changes nothing."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from batchconnect.api.call import (
    Call,
    LedgerLike,
    OnEvent,
    PathLike,
    SettingsLike,
    begin,
    path_of,
)
from batchconnect.api.one_error import with_one_error
from batchconnect.api.sheets import SheetLike, opened, paths_of
from batchconnect.api.shown import Shown, counted, frame
from batchconnect.ledger.entry import ONBOARD
from batchconnect.model.errors import UsageError
from batchconnect.model.outcome import Problem
from batchconnect.model.row_place import Places, RowPlace
from batchconnect.model.value import Value, replace
from batchconnect.options import RunOptions
from batchconnect.reports.new_file import write_over
from batchconnect.run.intake.findings import with_column
from batchconnect.run.opening.service import connected
from batchconnect.run.plan.plan_file import render, try_out
from batchconnect.run.plan.plan_run import plan_run
from batchconnect.run.plan.row_plan import IN_THE_WAY, Action, RowPlan
from batchconnect.run.plan.saved_plan import SeenRows, is_savable, saved_plan
from batchconnect.run.plan.sheet_plan import SandboxPlan, SheetPlan
from batchconnect.run.task import onboarding, rotation

if TYPE_CHECKING:
    import pandas as pd


_COLUMNS: Final = ("action", "name", "org", "sandbox", "connection_id", "code", "why")
"""Behind those that say where a row stands."""


class PlannedRow(Value):
    """What a run would do to one row, and where."""

    org: str
    """The org's settings key."""
    sandbox: str
    at: RowPlace
    """Where the row stands."""
    plan: RowPlan
    """Its `row` is the row's own number."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Plan(Shown):
    """What a run would do; no secret is in it."""

    total: int
    """Rows of the sheet, rejected ones too."""
    not_selected: int
    rows: tuple[PlannedRow, ...]
    """One for each row that would be taken up, by org and sandbox, in input order."""
    rejected: Mapping[RowPlace, Sequence[Problem]]
    """Rows that a run would not send, and why; in input order."""
    refusals: Mapping[tuple[str, str], str]
    """By org and sandbox: why it could not be read."""
    warnings: tuple[str, ...]
    """What is odd about the sheet; one sentence each."""
    saved: Path | None
    """Where it was saved, to be approved; None: that was not asked for, or not each row has a fate to approve."""
    exit_code: int
    """As of the command line: 0, 3 rows are rejected, 4 something stands in the way, 7 nothing could be read."""

    @property
    def counts(self) -> Mapping[Action, int]:
        """How many rows get which treatment; those that none gets are left out."""
        return Counter(row.plan.action for row in self.rows)

    def to_pandas(self) -> "pd.DataFrame":
        """One line for each row, rejected ones behind the others."""
        lines = ((at.row, at.sheet, at.worksheet, *rest) for at, *rest in self._lines(every=True))
        return frame(["row", "sheet", "worksheet", *_COLUMNS], lines, whole=("row",))

    def _line(self) -> str:
        counts = self.counts
        words = [(action.value.replace("_", " "), counts.get(action, 0)) for action in Action]
        told = counted([*words, ("rejected", len(self.rejected))]) or "nothing to do"
        unread = f"; {len(self.refusals)} not read" if self.refusals else ""
        rows = f"{self.total} row{'' if self.total == 1 else 's'}"
        return f"{rows}: {told}{unread}; nothing was sent"

    def _table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        lines = ((str(at).removeprefix("row "), *rest) for at, *rest in self._lines(every=False))
        return ("row", *_COLUMNS), lines

    def _lines(self, *, every: bool) -> Iterator[tuple[RowPlace, *tuple[object, ...]]]:
        for row in self.rows:
            one = row.plan
            if every or one.action in IN_THE_WAY:
                yield (
                    *(row.at, str(one.action), one.name, row.org, row.sandbox),
                    *(one.connection_id, one.code or None, one.why or None),
                )
        for at, problems in self.rejected.items():
            first = problems[0]
            yield (at, "rejected", None, None, None, None, first.code, first.what)

    def _where(self) -> str | None:
        return next(iter(self.refusals.values()), "Its `rows` and `rejected` say what and why.")


@with_one_error
async def plan(
    sheet: SheetLike,
    *,
    out: PathLike | None = None,
    rotates: bool = False,
    failing: bool = False,
    changed: bool = False,
    settings: SettingsLike = None,
    ledger: LedgerLike | None = None,
    reports: PathLike | None = None,
    on_event: OnEvent | None = None,
    options: RunOptions | None = None,
) -> Plan:
    """
    Say what a run with the same arguments would do; nothing is sent. As `batchconnect plan`.

    Args:
        sheet: As of `onboard`.
        out: Save it in this file, without keys, to be approved and carried out by `onboard(plan=...)`. A row
            that is rejected, or a sandbox that cannot be read, leaves nothing to approve: `saved` is None then.
        rotates: What `rotate` would do, in place of `onboard`.
        failing: As of `rotate`.
        changed: As of `rotate`.
        settings: As of `onboard`.
        ledger: As of `onboard`; it is only read.
        reports: As of `onboard`: the ledger may lie there; nothing is written.
        on_event: As of `onboard`; here it hears of pauses alone.
        options: As of `onboard`.

    Raises:
        UsageError: *out* cannot be written, or is no plan; or it is not of a run that creates.
        BatchConnectError: The settings, the sheet or the ledger cannot be used.
    """
    call = begin(
        settings=settings, ledger=ledger, reports=reports, on_event=on_event, options=options
    )
    path = None if out is None else path_of("out", out)
    if path is not None:
        _check_out(call, path, rotates=rotates)
    call.warn_of_settings()
    seen_rows = SeenRows()
    saved = None
    rotating = partial(rotation, only_failing=failing, only_changed=changed, is_tested=True)
    task_of = rotating if rotates else onboarding
    in_memory = not call.names_ledger
    with opened(sheet, call.options) as found:
        async with connected(
            call.settings,
            call.options,
            on_event=call.listener.on_event,
            hold=call.listener.redactor.hold,
            in_memory=in_memory,
        ) as service:
            seen = await plan_run(
                found,
                service=service,
                options=call.options,
                environ=os.environ,
                task=task_of(call.options),
                in_memory=in_memory,
                on_row=seen_rows.add if path is not None else lambda _row, _judged: None,
            )
            if path is not None and is_savable(seen, call.options):
                approved = saved_plan(
                    seen,
                    seen_rows,
                    sheets=paths_of(sheet),
                    service=service,
                    options=call.options,
                    command=ONBOARD,
                )
                write_over(path, render(approved))
                saved = path.absolute()
        warnings = (*found.warnings, *_odd(seen))
    return Plan(
        total=seen.rows,
        not_selected=seen.not_selected,
        rows=tuple(row for one in seen.sandboxes for row in _rows(one, seen.places)),
        rejected={seen.places.at(number): why for number, why in sorted(seen.rejected.items())},
        refusals={
            (one.org, one.sandbox): call.listener.redactor.text(one.refusal)
            for one in seen.sandboxes
            if one.refusal is not None
        },
        warnings=warnings,
        saved=saved,
        exit_code=int(seen.exit_code(skip_invalid=call.options.skip_invalid)),
    )


def _check_out(call: Call, path: Path, *, rotates: bool) -> None:
    if rotates:
        raise UsageError(
            "out with rotates: what is saved to be approved is a run that creates",
            hint="Leave one of them out.",
        )
    call.need_ledger("a saved plan")
    try_out(path)


def _rows(one: SandboxPlan, places: Places) -> Iterator[PlannedRow]:
    for planned in one.planned:
        at = places.at(planned.row)
        own = replace(planned, row=at.row)
        yield PlannedRow(org=one.org, sandbox=one.sandbox, at=at, plan=own)


def _odd(seen: SheetPlan) -> Iterator[str]:
    for problem in seen.about_rows:
        yield f"{problem.cell}: {with_column(problem)}"
    for kind in seen.warnings.sorted():
        yield kind.told
