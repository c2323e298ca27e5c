"""A run that does what was approved, and nothing else: it looks once more, and begins only where all is as planned."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from batchconnect.ledger.row_state import RowState
from batchconnect.model.errors import PlanChangedError, UnreachedError
from batchconnect.model.exception_group import unwrap_exception_group
from batchconnect.model.remedies import look_hint_for, title_for
from batchconnect.model.value import replace
from batchconnect.options import MergedOptions
from batchconnect.reports.summary import Summary
from batchconnect.run.desk import Listener
from batchconnect.run.engine import onboard_sheet
from batchconnect.run.opening.opened_ledger import is_there, read_ledger
from batchconnect.run.opening.service import ConnectedService, connected
from batchconnect.run.plan.approval import row_changes, settings_changes
from batchconnect.run.plan.plan_file import check_belonging
from batchconnect.run.plan.plan_run import plan_run
from batchconnect.run.plan.saved_plan import SavedPlan, SeenRows, saved_plan
from batchconnect.run.plan.sheet_plan import SandboxPlan
from batchconnect.run.task import Task
from batchconnect.settings import Settings
from batchconnect.sheet.interface import Sheet

_MOST_NAMED: Final = 3


async def run_as_planned(
    sheet: Sheet,
    plan: SavedPlan,
    path: Path,
    *,
    settings: Settings,
    options: MergedOptions,
    environ: Mapping[str, str],
    listener: Listener,
    report: Callable[[Summary], None],
    task: Task,
) -> Summary:
    """
    Run a sheet as it was planned.

    Args:
        sheet: An open sheet: the one that was planned, or a copy.
        plan: What was approved.
        path: Where it stands, for messages.
        settings: The orgs.
        options: Those of the plan, and what was given besides.
        environ: The variables that references in the sheet may name.
        listener: Who hears of it.
        report: Called with the run's summary while its rows can still be read.
        task: What is done to the rows.

    Raises:
        UsageError: The plan is of another command, service or ledger.
        UnreachedError: A sandbox of it could not be read.
        PlanChangedError: A row, a setting, or what stands there has changed; nothing was sent.
        BatchConnectError: As of `onboard_sheet`.
    """
    with unwrap_exception_group():
        async with connected(
            settings, options, on_event=listener.on_event, hold=listener.redactor.hold
        ) as service:
            check_belonging(plan, path, options=options, host=service.host, command=task.command)
            found = settings_changes(plan, service.orgs)
            found = found or await _changes(
                sheet, plan, service=service, options=options, environ=environ, task=task
            )
    if found:
        raise PlanChangedError(found)
    # What changes from here on is met row by row: no other row is created.
    return await onboard_sheet(
        sheet,
        settings=settings,
        options=options,
        environ=environ,
        listener=listener,
        report=report,
        task=replace(task, approved=plan.creates),
    )


def _unreached(unread: Sequence[SandboxPlan]) -> UnreachedError:
    """The first cause, as any other command would tell it: what is not read has not changed."""
    first = unread[0]
    places = ", ".join(f"{one.org}/{one.sandbox}" for one in unread[:_MOST_NAMED])
    more = f" and {len(unread) - _MOST_NAMED} more" if len(unread) > _MOST_NAMED else ""
    return UnreachedError(
        f"{title_for(first.refusal_code)} ({first.refusal}): what stands in {places}{more} could not be read,"
        " so that the plan was held against nothing; nothing was sent",
        hint=look_hint_for(first.refusal_code),
    )


async def _changes(
    sheet: Sheet,
    plan: SavedPlan,
    *,
    service: ConnectedService,
    options: MergedOptions,
    environ: Mapping[str, str],
    task: Task,
) -> tuple[str, ...]:
    seen = SeenRows()
    found = await plan_run(
        sheet,
        service=service,
        options=options,
        environ=environ,
        task=task,
        looks_up_keys=False,  # the run does, and each row answers for its own
        on_row=seen.add,
    )
    unread = [one for one in found.sandboxes if one.refusal is not None]
    if unread:
        raise _unreached(unread)
    now = saved_plan(
        found,
        seen,
        sheets=plan.sheets,
        service=service,
        options=options,
        command=task.command,
    )

    def states_of(keys: Sequence[str]) -> Mapping[str, RowState]:
        if not is_there(options):
            return {}
        with read_ledger(options) as ledger:
            return ledger.states_of(keys)

    return row_changes(plan, now, states_of)
