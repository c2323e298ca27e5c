"""`reconcile`: settle what a run left in doubt; it asks the service, and creates nothing."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

import anyio

from batchconnect.lane.doubts import LaneDoubts
from batchconnect.lane.keys import LaneKeys
from batchconnect.lane.lane import Lane
from batchconnect.lane.orphan import sent_elsewhere
from batchconnect.lane.reconciler import PROVEN_ABSENT, Policy
from batchconnect.ledger import Ledger
from batchconnect.ledger.aside import aside, run_state_of
from batchconnect.ledger.deletions import deletions_in
from batchconnect.ledger.entry import FaultFound, RunEnded, RunOpened, Settled, Updating
from batchconnect.ledger.row_state import RowState, fold_rows
from batchconnect.ledger.run_state import RunState
from batchconnect.ledger.run_writer import Clock, RunWriter
from batchconnect.model.errors import LedgerError
from batchconnect.model.event import (
    Event,
    FaultMet,
    RowInDoubt,
    RowSettled,
    RunFinished,
    RunStarted,
)
from batchconnect.model.org import Org
from batchconnect.model.row_place import Places
from batchconnect.model.value import replace
from batchconnect.options import MergedOptions
from batchconnect.reports.summary import Summary
from batchconnect.run.desk import Listener, at_work, reported
from batchconnect.run.exit_code import INTERRUPTED, count_ends, exit_code
from batchconnect.run.fault_record import FaultRecord
from batchconnect.run.history.history import run_in_doubt, summary_of
from batchconnect.run.keys.lost_keys import LostKeys
from batchconnect.run.lanes.sweep import expected, sweep_until
from batchconnect.run.lanes.sweep_findings import write_findings
from batchconnect.run.opening.service import ConnectedService
from batchconnect.run.rerun.rerun import wanted_of
from batchconnect.run.selection import chooser
from batchconnect.run.stop import Stop
from batchconnect.run.team.held_lanes import orgs_of
from batchconnect.settings import Settings


async def settle(
    run_id: str | None,
    *,
    settings: Settings,
    options: MergedOptions,
    listener: Listener,
    report: Callable[[Summary], None],
    settle_s: float | None = None,
) -> Summary:
    """
    Settle what a run left in doubt, and write its report again; nothing is created.

    Args:
        run_id: The run; None: the newest that has rows in doubt.
        settings: The orgs.
        options: The settle window's policy.
        listener: Who hears of it.
        report: Called with the run's summary while its rows can still be read.
        settle_s: The settle window that was chosen for this command; None: the run's own where that is longer
            than what is configured, for a request of it may be under way as long as it allowed for.

    Raises:
        SettingsError: An org of the run is no longer in the settings.
        LedgerError: The ledger is in use, unusable, or cannot be written.
        UsageError: There is no such run.
    """
    async with at_work(settings, options, listener, command="reconcile") as desk:
        run = run_in_doubt(desk.ledger, run_id)
        await desk.held.hold(run.opened.run_id, orgs_of(desk.ledger, run))
        # Whoever was at work on it may have ended it before it let go.
        run = await run_state_of(desk.ledger, run.number)
        with listener.stop.cutting_off() as scope:
            state = await settle_run(
                run,
                ledger=desk.ledger,
                writer=desk.writer(run.number),
                service=desk.service,
                options=options,
                clock=desk.clock,
                on_event=listener.on_event,
                stop=listener.stop,
                settle_s=settle_s,
            )
        if scope.cancelled_caught:
            # What is in doubt stays so, and the run ended as it had.
            state = await run_state_of(desk.ledger, run.number)
        await desk.held.hand_back()
        return reported(summary_of(desk.ledger, state, compares=True), report, listener)


async def settle_run(
    run: RunState,
    *,
    ledger: Ledger,
    writer: RunWriter,
    service: ConnectedService,
    options: MergedOptions,
    clock: Clock,
    on_event: Callable[[Event], None],
    stop: Stop,
    settle_s: float | None = None,
) -> RunState:
    """
    Settle every row that a run left in doubt.

    Args:
        run: The run.
        ledger: Its ledger, locked.
        writer: The run writer.
        service: Whose sandboxes are read.
        options: The settle window's policy.
        clock: The run's clocks.
        on_event: Told of each verdict.
        stop: When it is asked for, what is in doubt stays so.
        settle_s: As of `settle`.

    Returns:
        The run as it stands now, ended anew.

    Raises:
        SettingsError: An org of the run is no longer in the settings.
        LedgerError: A verdict cannot be written.
    """
    before = run
    rows = await aside(
        ledger,
        lambda: [row for row in before.rows(ledger.row_lines(run.number)) if row.is_open],
    )
    is_swept = run.swept is None or run.swept.is_clean
    if not rows and run.ended is not None and is_swept:
        return run  # it ended as it ended: nothing was learned
    faults: list[FaultMet] = []
    broken: list[LedgerError] = []
    record = FaultRecord(on_event, keep=faults.append, on_raised=lambda: stop.ask(INTERRUPTED))
    opened, began_ms = run.opened, clock.now_ms()
    record.tell(
        RunStarted(
            run_id=opened.run_id, resumed=True, simulated=opened.simulated, places=opened.places
        )
    )
    lanes: dict[str, LaneDoubts] = {}
    policy = _policy(service, options, opened, settle_s)
    keys = LostKeys(
        service=service,
        ledger=writer,
        clock=clock,
        policy=policy,
        on_event=record.tell,
        on_broken=broken.append,
    )
    chosen = _chosen(rows, run.opened.places, service=service, options=options)
    deleted = (await aside(ledger, lambda: deletions_in(ledger))).ids
    # What is in doubt is told by all runs together: another one may have sent or settled it since.
    markers = [row.marker for _, row in chosen if row.marker is not None]
    states = await aside(ledger, lambda: ledger.states_of(markers))
    for org, row in chosen:
        whole = states.get(row.marker or "", row)
        if isinstance(row.change, Updating):
            await keys.add(org.key, row, whole)
            continue
        if org.key not in lanes:
            lane = service.lane_of(org.key)
            lane.deleted = deleted
            lanes[org.key] = LaneDoubts(
                lane=lane,
                ledger=writer.of_lane(lane.key),
                clock=clock,
                policy=policy,
                on_event=record.tell,
                on_broken=broken.append,
                on_refused=service.lane_of(org.key).refuse,
            )
        await _take_in(row, whole, lanes[org.key], writer=writer, on_event=record.tell)
    async with anyio.create_task_group() as beside:
        beside.start_soon(_stop_all, stop, _at_work(lanes, keys.lanes, service))
        async with anyio.create_task_group() as tasks:
            await keys.begin(tasks)
            for doubts in lanes.values():
                doubts.begin(tasks)
        beside.cancel_scope.cancel()
    for error in broken:
        raise error
    await writer.write([writer.line(FaultFound(event=event)) for event in faults])
    if not stop.reason:
        # Only where something was settled; all of it, where the last sweep could not look everywhere, or found
        # what a person may have put right since.
        # What an undo deleted since is not missed.
        all_expected = await aside(
            ledger,
            lambda: expected(
                row for row in fold_rows(ledger.row_lines(run.number)) if not row.is_one_of(deleted)
            ),
        )
        wanted = {
            (org, sandbox): want
            for (org, sandbox), want in all_expected.items()
            if (org in lanes or not is_swept) and service.orgs.find(org) is not None
        }
        reads = {org: service.lane_of(org) for org, _sandbox in wanted}
        # One look: whoever waits for doubts has waited, and the next run looks again.
        findings = await sweep_until(
            stop, reads, wanted, lag_s=0.0, now_ms=clock.now_ms(), on_fault=record.tell
        )
        if findings:
            await write_findings(findings, wanted, writer, on_event=record.tell)
            run = await run_state_of(ledger, run.number)
    state = await _end_anew(run, ledger=ledger, writer=writer)
    assert state.ended is not None
    record.tell(
        RunFinished(
            run_id=opened.run_id,
            exit_code=state.ended.exit_code,
            duration_s=(clock.now_ms() - began_ms) / 1000,
        )
    )
    record.check()
    return state


def _policy(
    service: ConnectedService, options: MergedOptions, opened: RunOpened, settle_s: float | None
) -> Policy:
    if settle_s is None:
        settle_s = max(service.settle_s, opened.settle_s)
    return Policy(
        settle_s=settle_s,
        on_doubt=options.on_doubt,
        may_send=False,
        patience_s=options.patience,
    )


def _chosen(
    rows: Iterable[RowState],
    places: Places,
    *,
    service: ConnectedService,
    options: MergedOptions,
) -> list[tuple[Org, RowState]]:
    """The rows that `--only` leaves, each with its org; all of them have one before any is asked about."""
    is_chosen = chooser(options, service.orgs)
    chosen: list[tuple[Org, RowState]] = []
    for row in rows:
        assert row.planned is not None
        org = service.orgs.find(row.planned.org)
        elsewhere = sent_elsewhere(places.told(row.number), row.planned, org)
        if elsewhere is not None:
            raise elsewhere
        assert org is not None
        if is_chosen(org, row.planned.sandbox):
            chosen.append((org, row))
    return chosen


async def _take_in(
    row: RowState,
    whole: RowState,
    doubts: LaneDoubts,
    *,
    writer: RunWriter,
    on_event: Callable[[Event], None],
) -> None:
    """Have a row settled, or settle it by what another run found out; *whole* is what all runs know."""
    assert row.marker is not None
    assert row.planned is not None
    org, sandbox = row.planned.org, row.planned.sandbox
    if not whole.is_create_open:
        # Without the marker: another run found it out, and more may be known by now.
        outcome = whole.outcome or PROVEN_ABSENT
        await writer.write([writer.line(Settled(outcome=outcome), row=row.number)])
        on_event(RowSettled(row=row.number, org=org, sandbox=sandbox, outcome=outcome))
        return
    # Sends are counted per run.
    mine = replace(
        whole,
        planned=None,
        sends=row.sends,
        cut_short=row.cut_short,
        unsent=row.unsent,
        is_sent=row.is_sent,
    )
    state = row if whole.doubt == row.doubt else mine
    doubt = await doubts.add_again(row.number, sandbox, wanted_of(row.marker, row.planned), state)
    on_event(RowInDoubt(row=row.number, org=org, sandbox=sandbox, code=doubt.outcome.code))


async def _stop_all(stop: Stop, lanes: Iterable[LaneDoubts | LaneKeys]) -> None:
    await stop.wait()
    for one in lanes:
        one.stop()


def _at_work(
    doubts: Mapping[str, LaneDoubts], keys: Mapping[str, LaneKeys], service: ConnectedService
) -> list[LaneDoubts | LaneKeys]:
    """All that looks, each to be stopped as soon as its lane may ask nothing more: it would learn nothing."""
    found: list[LaneDoubts | LaneKeys] = []
    for org in {**doubts, **keys}:
        of_lane = [one for one in (doubts.get(org), keys.get(org)) if one is not None]
        lane = service.lane_of(org)
        lane.on_change = partial(_stop_if_halted, lane, of_lane)
        found += of_lane
    return found


def _stop_if_halted(lane: Lane, at_work: Iterable[LaneDoubts | LaneKeys]) -> None:
    if lane.is_halted:
        for one in at_work:
            one.stop()


async def _end_anew(run: RunState, *, ledger: Ledger, writer: RunWriter) -> RunState:
    counts = await aside(ledger, lambda: count_ends(run, ledger.ends(run.number)))
    code = exit_code(
        counts,
        reason="",
        every_lane_refused=False,
        swept=run.swept,
    )
    reason = run.ended.reason if run.ended is not None else ""
    await writer.write([writer.line(RunEnded(exit_code=code, closed=run.is_closed, reason=reason))])
    return await run_state_of(ledger, run.number)
