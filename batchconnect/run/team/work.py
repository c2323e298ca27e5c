"""
Works a sheet on a team ledger: under leases, together with whoever else is at work on the same run.

`run` opens or joins, `work` only joins; both then do the same.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import anyio

from batchconnect.ledger.lease import Terms
from batchconnect.ledger.lease_keeper import Arm, LeaseKeeper
from batchconnect.ledger.run_lanes import fold_lanes
from batchconnect.ledger.run_state import RunState
from batchconnect.ledger.team import TeamLedger
from batchconnect.model.errors import UsageError
from batchconnect.model.event import Event, RunAwaited
from batchconnect.model.exception_group import first_of_ours
from batchconnect.model.value import Value, replace
from batchconnect.options import DEFAULTS, MergedOptions
from batchconnect.run.job import Job
from batchconnect.run.opening.service import ConnectedService
from batchconnect.run.selection import chooser
from batchconnect.run.stop import Stop
from batchconnect.run.team.boot_clock import boot_s
from batchconnect.run.team.opening import OpenedRun, opened_run
from batchconnect.run.team.team import Team, interrupted_early
from batchconnect.run.team.team_run import TeamRun

CHOICES: Final = (
    "settle",
    "on_doubt",
    "adopt_by_name",
    "settle_first",
    "recreate",
    "accept_unproven_listing",
    "no_sweep",
    "verify",
    "strict",
)
"""Options that decide what becomes of a row, so that all who work a run must have the same."""

_MOST_NAMED: Final = 5


def choices_of(options: MergedOptions) -> Mapping[str, bool | float | str]:
    """What was chosen of the options that all who work a run must share."""
    chosen = {name: getattr(options, name) for name in CHOICES}
    return {
        name: value if isinstance(value, bool | float) else str(value)
        for name, value in chosen.items()
        if value != getattr(DEFAULTS, name)
    }


class Together(Value):
    """How this process works with others."""

    joins: str | None = None
    """The run to join, by its id; None: the sheet's, and one of its own where nobody works on it."""
    arm: Arm = lambda _seconds: None
    """The kernel's timer; a library has none."""


async def work_together(
    team_ledger: TeamLedger,
    look_back: Callable[[], Awaitable[Job]],
    *,
    service: ConnectedService,
    options: MergedOptions,
    together: Together,
    command: str,
    parent: str | None,
    stop: Stop,
    on_event: Callable[[Event], None],
) -> RunState:
    """
    Open a run or join it, and work until it is closed or the stop is asked for.

    Args:
        team_ledger: The ledger.
        look_back: Makes the job, with the run that it goes on with, from what the ledger has now.
        service: Where lanes come from.
        options: How it is to go.
        together: Whether it joins, and what ends a frozen process.
        command: What is done to the rows.
        parent: Of a rerun.
        stop: A person's, or the system's, wish to end.
        on_event: Told of everything.

    Returns:
        How the run stands.

    Raises:
        InterruptedEarlyError: The stop came before a run was found.
        SheetError: The sheet cannot be read to its end, or is another one than the run's.
        LedgerError: The ledger is away, or the run is not to be joined.
        UsageError: `--only sandbox=`, or an org that is none of the run's, to a run that others are at work on.
    """
    async with LeaseKeeper(
        team_ledger.leases,
        terms=Terms(ttl_s=options.lease),
        boot_s=boot_s,
        arm=together.arm,
    ) as keeper:
        team = Team(
            ledger=team_ledger, keeper=keeper, new_lane=service.new_lane, key_of=service.key_of
        )

        async def job_of_all() -> Job:
            job = await look_back()
            opened = replace(
                job.opened,
                choices=choices_of(options) or None,
                # Who joins does not know which rows were approved.
                alone=options.max_rows is not None
                or options.max_failures is not None
                or job.rules.approved is not None,
            )
            return replace(job, opened=opened)

        work: TeamRun | None = None
        with stop.cutting_off():
            opened = await opened_run(
                team,
                job_of_all,
                command=command,
                parent=parent,
                joins=together.joins,
                stop=stop,
                on_wait=lambda run_id: on_event(RunAwaited(run_id=run_id)),
            )
            if opened is None:
                raise interrupted_early()
            if opened.lease is None and options.only:
                # All rows of the run are its own; what is chosen are the lanes that this process takes.
                job = replace(opened.job, is_selected=lambda _row: True)
                opened = replace(opened, job=job)
                team = replace(team, pinned=await _pins(options, service, opened, team_ledger))
            work = TeamRun(team, opened)
            try:
                return await work.run()
            except Exception as error:
                if first_of_ours(error) is None:
                    work.record(error)
                raise
        if work is None:
            raise interrupted_early()
        return await work.abandoned()


async def _pins(
    options: MergedOptions, service: ConnectedService, opened: OpenedRun, ledger: TeamLedger
) -> Callable[[str], bool]:
    """Which lanes `--only org=` leaves to this worker."""
    if any(not part.startswith("org=") for part in options.only):
        raise UsageError(
            "--only sandbox= cannot be given to join a run: a lane has all sandboxes of its org",
            hint="Leave it out, or choose lanes with --only org=NAME.",
        )
    is_chosen = chooser(options, service.orgs)

    def is_pinned(org: str) -> bool:
        return is_chosen(service.orgs.find(org), None)

    lanes = fold_lanes(await anyio.to_thread.run_sync(ledger.steps, opened.number)).lanes or ()
    if not any(is_pinned(lane.org) for lane in lanes):
        orgs = ", ".join(sorted(lane.org for lane in lanes)[:_MOST_NAMED]) or "none"
        more = ", ..." if len(lanes) > _MOST_NAMED else ""
        raise UsageError(
            f"run {opened.run_id} has no lane that {' '.join(f'--only {one}' for one in options.only)} names: "
            f"its lanes are of {orgs}{more}",
            hint="Rows that a run leaves out are done by a run after its end: give the same command then.",
        )
    return is_pinned
