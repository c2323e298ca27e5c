"""The commands over a sheet that change something: `onboard`, `rerun`, `rotate`."""

import os
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import anyio

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
from batchconnect.api.report import Report, Reporter, report_of
from batchconnect.api.sheets import SheetLike, opened
from batchconnect.model.errors import UsageError
from batchconnect.model.value import replace
from batchconnect.options import MergedOptions, RunOptions, merge
from batchconnect.reports.summary import Summary
from batchconnect.run.engine import onboard_sheet
from batchconnect.run.history.history import find_run, summary_of
from batchconnect.run.opening.opened_ledger import ledger_of
from batchconnect.run.opening.places import home_of
from batchconnect.run.plan.plan_file import check_mode, read_plan
from batchconnect.run.plan.planned_run import run_as_planned
from batchconnect.run.rerun.choice import RerunChoice, choose_rerun
from batchconnect.run.stop import Stop
from batchconnect.run.task import Task, onboarding, rotation


@with_one_error
async def onboard(
    sheet: SheetLike | None = None,
    *,
    plan: PathLike | None = None,
    settings: SettingsLike = None,
    ledger: LedgerLike | None = None,
    reports: PathLike | None = None,
    on_event: OnEvent | None = None,
    options: RunOptions | None = None,
    stop: Stop | None = None,
) -> Report:
    """
    Make sure that every row has its base connection; as `batchconnect run`.

    Args:
        sheet: A path, rows as mappings (keys are matched as headers are), or a DataFrame of texts, whose named
            index levels are columns too. None: what *plan* was made of.
        plan: A plan that `plan(out=...)` or `batchconnect plan --out` saved, and somebody approved: what it says is
            done, and nothing else. The sheet may have been sorted since; a key is not seen.
        settings: The orgs: as a value, or the path of a settings file. None: the environment and
            `batchconnect.toml`, as for the command line.
        ledger: The ledger's path, or a team's `postgresql://…` (a `Secret` where it bears a password). None: what options, environment or settings file name, else
            `ledger.sqlite3` in *reports*. Where nothing names either, it is kept in memory alone: then a crash
            forgets what was sent, and what no listing shows yet may be made twice (but with `settle_first`).
        reports: The folder for the run's files. None: what options, environment or settings file name, else
            none are written.
        on_event: Hears of everything that happens; what it raises ends the run in good order, and stands
            behind a `ListenerError`.
        options: What the command line's options choose, as `RunOptions(simulate=True)`. It wins over the
            settings, as a flag does; what it leaves out they say.
        stop: Ends the run in good order when its `ask` is called, from whichever thread.

    Returns:
        The report; rows that fail are in it, they raise nothing.

    Raises:
        PlanChangedError: A row, a setting or what stands there is not as planned; `changes` names each, and
            nothing was sent.
        BatchConnectError: The run as a whole cannot be carried out (settings, sheet, ledger), or no report
            could be written: that is tried before anything is sent.

    Warns:
        UserWarning: The folder of the reports, or of the ledger, does not keep the modes of its files; or a
            setting is odd.
    """
    named = partial(
        begin,
        settings=settings,
        ledger=ledger,
        reports=reports,
        on_event=on_event,
        stop=stop,
    )
    if plan is None:
        if sheet is None:
            raise UsageError(
                "no sheet is named", hint='onboard("clients.xlsx"), or plan="plan.json"'
            )
        return await over_sheet(sheet, named(options=options), onboarding)
    path = path_of("plan", plan)
    saved = read_plan(path)
    named(options=options)  # refuses what the options cannot be, before they are put together
    call = named(options=merge(options or RunOptions(), saved.run_options()))
    check_mode(saved, path, simulate=call.options.simulate)
    call.need_ledger("a saved plan")
    return await over_sheet(
        saved.sheets if sheet is None else sheet,
        call,
        onboarding,
        carry_out=partial(run_as_planned, plan=saved, path=path),
    )


@with_one_error
async def rerun(
    run: str | None = None,
    *,
    sheet: SheetLike | None = None,
    settings: SettingsLike = None,
    ledger: LedgerLike | None = None,
    reports: PathLike | None = None,
    on_event: OnEvent | None = None,
    options: RunOptions | None = None,
    stop: Stop | None = None,
) -> Report:
    """
    Take up only what a run left unfinished; as `batchconnect rerun`.

    Args:
        run: Its id, or the beginning of it; None: the last one that creates.
        sheet: A corrected copy of the run's sheet, as of `onboard`; None: the run's own file, read again.
        settings: As of `onboard`.
        ledger: As of `onboard`; something has to name it.
        reports: As of `onboard`.
        on_event: As of `onboard`.
        options: As of `onboard`.
        stop: As of `onboard`.

    Returns:
        The report of all rows of the chain, under a run id of its own; that of the run itself, with exit code 0,
        where nothing is left to do.

    Raises:
        UsageError: There is no such run, or its sheet was no file and none is given.
        BatchConnectError: As of `onboard`.
    """
    named = partial(
        begin,
        settings=settings,
        ledger=ledger,
        reports=reports,
        on_event=on_event,
        stop=stop,
    )
    call = named(options=options)
    call.need_ledger("rerun", run)
    chosen = await anyio.to_thread.run_sync(partial(_choose, call.options, run))
    source: SheetLike = chosen.sheets() if sheet is None else sheet
    if not chosen.has_work:
        return await anyio.to_thread.run_sync(partial(_as_it_is, call, chosen))
    alike = named(options=merge(options or RunOptions(), chosen.as_before))
    task_of = partial(onboarding, parent=chosen.opened.run_id, was_tested=chosen.was_tested)
    return await over_sheet(source, alike, task_of)


@with_one_error
async def rotate(
    sheet: SheetLike,
    *,
    failing: bool = False,
    changed: bool = False,
    test: bool = True,
    settings: SettingsLike = None,
    ledger: LedgerLike | None = None,
    reports: PathLike | None = None,
    on_event: OnEvent | None = None,
    options: RunOptions | None = None,
    stop: Stop | None = None,
) -> Report:
    """
    Send the sheet's keys to the connections that exist; as `batchconnect rotate`.

    Args:
        sheet: As of `onboard`.
        failing: Only to connections whose last test said no.
        changed: Only keys that have a new version in their store.
        test: Whether what got its key is tested then.
        settings: As of `onboard`.
        ledger: As of `onboard`.
        reports: As of `onboard`.
        on_event: As of `onboard`.
        options: As of `onboard`.
        stop: As of `onboard`.

    Returns:
        The report; a row without a connection is `not_attempted`.

    Raises:
        BatchConnectError: As of `onboard`.
    """
    call = begin(
        settings=settings,
        ledger=ledger,
        reports=reports,
        on_event=on_event,
        options=options,
        stop=stop,
    )
    task_of = partial(rotation, only_failing=failing, only_changed=changed, is_tested=test)
    return await over_sheet(sheet, call, task_of)


async def over_sheet(
    sheet: SheetLike,
    call: Call,
    task_of: Callable[[MergedOptions], Task],
    *,
    carry_out: Callable[..., Awaitable[Summary]] | None = None,
) -> Report:
    """
    Carry out what a command over a sheet does to its rows.

    Args:
        sheet: As it was handed over.
        call: What it works with.
        task_of: What is done, by the options.
        carry_out: What does it; None: a run that nobody planned.
    """
    call.warn()
    work = carry_out or partial(onboard_sheet, in_memory=not call.names_ledger)
    reporter = Reporter(call)
    with call.heard() as listener, opened(sheet, call.options) as found:
        await work(
            found,
            settings=call.settings,
            options=call.options,
            environ=os.environ,
            listener=listener,
            report=reporter,
            task=task_of(call.options),
        )
        return replace(reporter.report, warnings=tuple(found.warnings))


def _choose(options: MergedOptions, run: str | None) -> RerunChoice:
    with ledger_of(options) as ledger:
        return choose_rerun(ledger, run)


def _as_it_is(call: Call, chosen: RerunChoice) -> Report:
    """The run that needs no rerun, whose exit code is that of having nothing to do."""
    with ledger_of(call.options) as ledger:
        found = find_run(ledger, chosen.opened.run_id)
        report = report_of(summary_of(ledger, found), folder=_folder(call, chosen.opened.run_id))
    return replace(report, exit_code=int(chosen.as_it_is.exit_code or 0))


def _folder(call: Call, run_id: str) -> Path | None:
    folder = (home_of(call.options) / run_id).absolute()
    return folder if call.names_reports and folder.is_dir() else None
