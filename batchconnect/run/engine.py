"""
What a command over a sheet, or a call from Python, sets going: open, lock, connect, run, report.

It takes an open sheet and frozen options and puts the rooms together; what happens to rows is told
elsewhere (`batch`, `lane/work`, `onboarding`).
"""

import platform
from collections.abc import Callable, Mapping
from functools import partial

import anyio

from batchconnect.lane.orphan import MissingRow, sent_elsewhere
from batchconnect.lane.planner import KeyChoice
from batchconnect.lane.reconciler import Policy
from batchconnect.ledger import Ledger
from batchconnect.ledger.group_commit import GroupCommit
from batchconnect.ledger.run_state import RunState
from batchconnect.ledger.run_writer import Clock, RunWriter, system_clock
from batchconnect.model.errors import SettingsError
from batchconnect.model.exception_group import first_of_ours, unwrap_exception_group
from batchconnect.model.row_place import Places
from batchconnect.model.value import replace
from batchconnect.options import MergedOptions
from batchconnect.reports.summary import Summary
from batchconnect.run.batch import Batch
from batchconnect.run.desk import Listener, reported
from batchconnect.run.history.history import summary_of
from batchconnect.run.job import Bounds, Job
from batchconnect.run.judging import parser, references_of, rules_of, scan_of
from batchconnect.run.keys.screening import screen
from batchconnect.run.opening.header import run_header
from batchconnect.run.opening.opened_ledger import as_team, opened_ledger
from batchconnect.run.opening.service import ConnectedService, connected
from batchconnect.run.rerun.past import look_back
from batchconnect.run.selection import check_selection, selector
from batchconnect.run.task import Task, onboarding
from batchconnect.run.team.work import work_together
from batchconnect.settings import Settings
from batchconnect.sheet.interface import Sheet
from batchconnect.sheet.several import places_of
from batchconnect.validation.key import Keys
from batchconnect.validation.org_registry import OrgRegistry


async def onboard_sheet(
    sheet: Sheet,
    *,
    settings: Settings,
    options: MergedOptions,
    environ: Mapping[str, str],
    listener: Listener,
    report: Callable[[Summary], None],
    task: Task | None = None,
    in_memory: bool = False,
) -> Summary:
    """
    Make it so: run a sheet, rerun what a parent run left unfinished, send keys, or test.

    Args:
        sheet: An open sheet.
        settings: The orgs.
        options: Everything else that was chosen.
        environ: The variables that references in the sheet may name.
        listener: Who hears of it.
        report: Called with the run's summary while its rows can still be read.
        task: What is done to the rows; None: as `run` does.
        in_memory: Keep no ledger; a crash then forgets what was sent.

    Returns:
        The run's summary; its rows can no longer be asked for.

    Raises:
        SheetError: The sheet cannot be read to its end; nothing was sent.
        LedgerError: The ledger is in use, unusable, or cannot be written.
        UsageError: An option cannot be meant, or the parent is not known.
    """
    with unwrap_exception_group():
        return await _onboard_sheet(
            sheet,
            settings=settings,
            options=options,
            environ=environ,
            listener=listener,
            report=report,
            task=task or onboarding(options),
            in_memory=in_memory,
        )


async def _onboard_sheet(
    sheet: Sheet,
    *,
    settings: Settings,
    options: MergedOptions,
    environ: Mapping[str, str],
    listener: Listener,
    report: Callable[[Summary], None],
    task: Task,
    in_memory: bool,
) -> Summary:
    screen(sheet, note=options.note)
    async with connected(
        settings,
        options,
        on_event=listener.on_event,
        hold=listener.redactor.hold,
        in_memory=in_memory,
    ) as service:
        about = {"host": platform.node(), "sheet": sheet.name}
        with opened_ledger(options, service.host, about=about, in_memory=in_memory) as ledger:
            clock = system_clock()
            async with GroupCommit(ledger) as group:
                look_back = partial(
                    _job,
                    sheet,
                    service=service,
                    options=options,
                    environ=environ,
                    listener=listener,
                    ledger=ledger,
                    clock=clock,
                    writer=lambda run: RunWriter(group, run=run, clock=clock),
                    task=task,
                )
                team = as_team(ledger)
                if team is None:
                    state = await _work_alone(Batch(await look_back()), listener)
                else:
                    state = await work_together(
                        team,
                        look_back,
                        service=service,
                        options=options,
                        together=listener.together,
                        command=task.command,
                        parent=task.parent,
                        stop=listener.stop,
                        on_event=listener.on_event,
                    )
            summary = summary_of(ledger, state, compares=True)
            if state.ended is not None and not state.ended.closed:
                # Others may be at work on the run, and its lines tell nothing of how this process ended.
                summary = replace(summary, exit_code=state.ended.exit_code)
            return reported(summary, report, listener)


async def _work_alone(batch: Batch, listener: Listener) -> RunState:
    with listener.stop.cutting_off() as scope:
        state = await _run(batch)
    return batch.abandon() if scope.cancelled_caught else state


async def _run(batch: Batch) -> RunState:
    try:
        return await batch.run()
    except Exception as error:
        if first_of_ours(error) is None:
            batch.record(error)
        raise


async def _job(
    sheet: Sheet,
    *,
    service: ConnectedService,
    options: MergedOptions,
    environ: Mapping[str, str],
    listener: Listener,
    ledger: Ledger,
    clock: Clock,
    writer: Callable[[int], RunWriter],
    task: Task,
) -> Job:
    references = references_of(service, options, environ)
    if not task.sends_keys:
        references = references.unneeded()
    judging = partial(parser, sheet, service=service, options=options)
    judge = judging(references=references)
    keys = Keys(service.resolver(references), header=sheet.header, strict=options.strict)
    opened = run_header(
        sheet,
        options=options,
        clock=clock,
        parent=task.parent,
        host=service.host,
        settle_s=service.settle_s,
        command=task.command,
    )
    scanner = None if options.only else partial(scan_of, sheet, service, options)
    looking = partial(
        look_back, ledger, sheet, judge, opened=opened, parent=task.parent, scanner=scanner
    )
    # In a thread, so that signals are heard: the sheet is read once more where there is an open run.
    past = await anyio.to_thread.run_sync(looking)
    await anyio.to_thread.run_sync(check_selection, options, service.orgs, sheet)
    # Who chose no window keeps to that of the run that is gone on with.
    settle_s = max(service.settle_s, past.settle_s if options.settle is None else 0.0)
    job = Job(
        sheet=sheet,
        parse=judge,
        ready=keys.ready,
        trouble=keys.trouble,
        lane_of=service.lane_of,
        ledger=ledger,
        writer=writer,
        clock=clock,
        opened=replace(opened, parent_run_id=past.parent, settle_s=settle_s),
        resumed=past.resumed,
        identified=past.identified,
        seen=past.seen,
        left_open=past.left_open,
        is_selected=selector(options, service.orgs, sheet.header),
        strict=options.strict,
        rules=replace(rules_of(service, options, task), settle_s=settle_s),
        policy=Policy(
            settle_s=settle_s,
            on_doubt=options.on_doubt,
            patience_s=options.patience,
        ),
        tests=task.tests,
        looks_at_keys=task.looks_at_keys,
        bounds=Bounds(
            skip_invalid=options.skip_invalid,
            max_rows=options.max_rows,
            max_failures=options.failure_limit,
            sweep=task.creates and not options.no_sweep,
        ),
        on_event=listener.on_event,
        stop=listener.stop,
        holding=listener.redactor.holding,
    )
    if past.chain is not None:
        return replace(
            job,
            carry_over=past.chain.carry_over,
            gone=past.chain.gone,
            elsewhere=partial(_elsewhere, service.orgs, places_of(sheet)),
            rules=replace(job.rules, keys=KeyChoice(markers=past.chain.failing)),
        )
    return job if scanner is None else replace(job, fast_scan=scanner())


def _elsewhere(orgs: OrgRegistry, places: Places, row: MissingRow) -> SettingsError | None:
    """Why the doubt of a row that the sheet has no more cannot be settled by these settings; None: it can."""
    return sent_elsewhere(places.told(row.number), row.planned, orgs.find(row.org))
