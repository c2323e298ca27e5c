"""`undo`: show what would be deleted of what a run created, and delete it where that very number was agreed on."""

from collections.abc import Callable

from batchconnect.lane.reconciler import MOST_SENDS
from batchconnect.ledger.aside import aside
from batchconnect.ledger.entry import UNDO
from batchconnect.ledger.run_state import RunState
from batchconnect.model.errors import UsageError
from batchconnect.model.event import Event
from batchconnect.model.exception_group import first_of_ours, unwrap_exception_group
from batchconnect.model.precaution import OnDoubt
from batchconnect.model.secret import Secret
from batchconnect.options import MergedOptions
from batchconnect.reports.summary import Summary
from batchconnect.run.desk import Desk, Listener, at_work, reported
from batchconnect.run.history.history import summary_of
from batchconnect.run.opening.header import header_of_run
from batchconnect.run.opening.opened_ledger import read_ledger
from batchconnect.run.opening.service import connected
from batchconnect.run.team.held_lanes import orgs_of
from batchconnect.run.undo.choice import run_to_undo
from batchconnect.run.undo.undo_plan import UndoPlan, look, look_until, plan_undo
from batchconnect.run.undo.undo_run import UndoJob, UndoRun
from batchconnect.settings import Settings


async def preview_undo(
    run_id: str,
    *,
    settings: Settings,
    options: MergedOptions,
    hold: Callable[[Secret], None],
    on_event: Callable[[Event], None] = lambda _event: None,
) -> UndoPlan:
    """
    Say what an undo would delete, and what it would leave and why; nothing is changed.

    Args:
        run_id: The run.
        settings: The orgs.
        options: The bounds of the lanes.
        hold: As of `connected`.
        on_event: Told of pauses, and of what is not reached.

    Raises:
        UsageError: There is no such run, or it is not over.
        LedgerError: The ledger cannot be read, or the run is of another host or mode.
        SettingsError: An org of the run is not in the settings.
    """
    with unwrap_exception_group():
        async with connected(settings, options, on_event=on_event, hold=hold) as service:
            with read_ledger(options) as ledger:
                run = run_to_undo(ledger, run_id, host=service.host, simulated=options.simulate)
                plan = plan_undo(ledger, run, service.orgs)
            await look(plan, service.lane_of)
            return plan


async def undo(
    run_id: str,
    agreed: int,
    *,
    settings: Settings,
    options: MergedOptions,
    listener: Listener,
    report: Callable[[Summary], None],
) -> Summary | UndoPlan:
    """
    Delete what a run created.

    Args:
        run_id: The run.
        agreed: How many connections the preview showed; if they are another number now, nothing is sent.
            0: only what an earlier delete came to is found out and written down, and nothing is sent.
        settings: The orgs.
        options: The bounds of the lanes, the settle window.
        listener: Who hears of it, and who may stop it.
        report: Called with the summary while its rows can still be read.

    Returns:
        The summary of the undo; or what was seen, where nothing is to be deleted or settled, or the stop came
        first.

    Raises:
        UsageError: There is no such run, it is not over, or the number is another one.
        LedgerError: The ledger is in use, unusable, or cannot be written, or the run is of another host or
            mode.
        SettingsError: An org of the run is not in the settings.
    """
    async with at_work(settings, options, listener, command=UNDO) as desk:
        ledger, service = desk.ledger, desk.service
        run = run_to_undo(ledger, run_id, host=service.host, simulated=options.simulate)
        await desk.held.hold(None, orgs_of(ledger, run))
        plan = await aside(ledger, lambda: plan_undo(ledger, run, service.orgs))
        if plan.begun is not None:
            await desk.held.hold(plan.begun.opened.run_id)
        if plan.agreed is None:
            await look_until(listener.stop, plan, service.lane_of)
        if plan.cut_off or not plan.has_work:
            return plan
        check_agreed(plan, agreed)
        state = await _carry_out(plan, desk, options=options, listener=listener)
        await desk.held.hand_back()
        return reported(summary_of(ledger, state), report, listener)


def check_agreed(plan: UndoPlan, agreed: int) -> None:
    """
    Refuse a number that is not the one that was shown.

    Raises:
        UsageError: It is another one.
    """
    shown = plan.to_delete if plan.agreed is None else plan.agreed
    if agreed != shown:
        run_id = plan.run.opened.run_id
        begun = "was begun with" if plan.agreed is not None else "would delete"
        raise UsageError(
            f"--yes {agreed}: the undo of run {run_id} {begun} {shown}; nothing was sent",
            hint="The same command without --yes shows what it is now, and why.",
        )


async def _carry_out(
    plan: UndoPlan, desk: Desk, *, options: MergedOptions, listener: Listener
) -> RunState:
    parent, clock = plan.run.opened, desk.clock
    opened = header_of_run(parent, command=UNDO, clock=clock, note=options.note)
    if plan.begun is None:
        await desk.held.hold(opened.run_id)
    undoing = UndoRun(
        UndoJob(
            plan=plan,
            ledger=desk.ledger,
            writer=desk.writer,
            clock=clock,
            opened=opened,
            lane_of=desk.service.lane_of,
            settle_s=desk.service.settle_s,
            most_sends=1 if options.on_doubt is OnDoubt.HOLD else MOST_SENDS,
            on_event=listener.on_event,
            stop=listener.stop,
        )
    )
    with listener.stop.cutting_off() as scope:
        state = await _run(undoing)
    return await undoing.abandon() if scope.cancelled_caught else state


async def _run(undoing: UndoRun) -> RunState:
    try:
        return await undoing.run()
    except Exception as error:
        if first_of_ours(error) is None:
            await undoing.record(error)
        raise
