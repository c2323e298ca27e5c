"""`reconcile`: settle what a run left in doubt; it asks the service, and creates nothing."""

from collections.abc import Callable, Iterable

import anyio

from batchconnect.lane.reconciler import PROVEN_ABSENT, Doubt, Policy, Reconciler, take_up
from batchconnect.ledger import Ledger
from batchconnect.ledger.entry import RunEnded, Settled
from batchconnect.ledger.row_state import RowState
from batchconnect.ledger.run_state import RunState, fold_run
from batchconnect.ledger.run_writer import Clock, RunWriter
from batchconnect.model.errors import LedgerError, SettingsError
from batchconnect.model.event import Event, RowSettled, Settling
from batchconnect.model.outcome import Outcome
from batchconnect.options import MergedOptions
from batchconnect.run.exit_code import count_statuses, exit_code
from batchconnect.run.rerun import wanted_of
from batchconnect.run.selection import chooser
from batchconnect.run.service import ConnectedService
from batchconnect.run.stop import Stop


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

    Returns:
        The run as it stands now, ended anew.

    Raises:
        SettingsError: An org of the run is no longer in the settings.
        LedgerError: A verdict cannot be written.
    """
    is_chosen = chooser(options, service.orgs)
    open_rows = [row for row in run.rows(ledger.row_lines(run.number)) if row.is_open]
    policy = Policy(
        settle_s=service.settle_s,
        on_doubt=options.on_doubt,
        may_send=False,
        patience_s=options.patience,
    )
    if not open_rows and run.ended is not None:
        return run  # it ended as it ended: nothing was learned
    # What is in doubt is told by all runs together: another one may have sent or settled it since.
    states = ledger.states_of(row.marker for row in open_rows if row.marker is not None)
    reconcilers: dict[tuple[str, str], Reconciler] = {}
    for row in open_rows:
        assert row.planned is not None
        place = (row.planned.org, row.planned.sandbox)
        org = service.orgs.find(place[0])
        if org is None:
            raise SettingsError(
                f"row {row.number} was sent for the org {place[0]}, which is not in the settings",
                hint="Put it back into the settings, then give the same command again.",
            )
        if not is_chosen(org, place[1]):
            continue
        if place not in reconcilers:
            reconcilers[place] = _reconciler(
                place, service=service, writer=writer, clock=clock, policy=policy, on_event=on_event
            )
        assert row.marker is not None
        whole = states.get(row.marker, row)
        if whole.is_open:
            reconcilers[place].add(await _doubt(row, whole, writer=writer, clock=clock))
        else:
            outcome = whole.outcome or PROVEN_ABSENT
            await writer.settle(row.number, row.marker, Settled(outcome=outcome))
            org_key, sandbox = place
            on_event(RowSettled(row=row.number, org=org_key, sandbox=sandbox, outcome=outcome))
    broken: list[LedgerError] = []
    async with anyio.create_task_group() as beside:
        beside.start_soon(_stop_all, stop, reconcilers.values())
        async with anyio.create_task_group() as tasks:
            for reconciler in reconcilers.values():
                tasks.start_soon(_run, reconciler, broken)
        beside.cancel_scope.cancel()
    if broken:
        raise broken[0]
    return await _end_anew(run, ledger=ledger, writer=writer)


async def _stop_all(stop: Stop, reconcilers: Iterable[Reconciler]) -> None:
    await stop.wait()
    for reconciler in reconcilers:
        reconciler.stop()


async def _run(reconciler: Reconciler, broken: list[LedgerError]) -> None:
    """A verdict that cannot be written ends its own sandbox's look-ups; the others go on."""
    try:
        await reconciler.run()
    except LedgerError as error:
        broken.append(error)


async def _doubt(row: RowState, whole: RowState, *, writer: RunWriter, clock: Clock) -> Doubt:
    assert row.marker is not None
    assert row.planned is not None
    doubted = take_up(whole.doubt, clock)
    if doubted != row.doubt:
        await writer.write([writer.line(doubted, row=row.number, marker=row.marker)])
    return Doubt(
        row=row.number,
        wanted=wanted_of(row.marker, row.planned),
        outcome=doubted.outcome,
        moment=doubted.moment,
        sends=row.spent,
    )


def _reconciler(
    place: tuple[str, str],
    *,
    service: ConnectedService,
    writer: RunWriter,
    clock: Clock,
    policy: Policy,
    on_event: Callable[[Event], None],
) -> Reconciler:
    org, sandbox = place
    lane = service.lane_of(org)

    def settled(doubt: Doubt, outcome: Outcome) -> None:
        on_event(RowSettled(row=doubt.row, org=org, sandbox=sandbox, outcome=outcome))

    def looked(waiting: int, left_s: float) -> None:
        on_event(Settling(org=org, sandbox=sandbox, waiting=waiting, left_s=left_s))

    def resend(doubt: Doubt) -> None:  # pragma: no cover - `may_send=False` in the policy
        raise AssertionError(f"row {doubt.row}: reconcile sends nothing")

    return Reconciler(
        look=lambda: lane.list(sandbox),
        ledger=writer,
        clock=clock,
        policy=policy,
        settled=settled,
        resend=resend,
        looked=looked,
    )


async def _end_anew(run: RunState, *, ledger: Ledger, writer: RunWriter) -> RunState:
    code = exit_code(
        count_statuses(run.rows(ledger.row_lines(run.number))),
        reason="",
        every_lane_refused=False,
        swept=run.swept,
    )
    reason = run.ended.reason if run.ended is not None else ""
    await writer.write([writer.line(RunEnded(exit_code=code, closed=run.is_closed, reason=reason))])
    return fold_run(ledger.run_lines(run.number))
