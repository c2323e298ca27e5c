"""
Finds the run that a command is to work on together with others, or opens it.

One process at a time looks for an open run and begins a new one where there is none: two who give the same
command at the same moment are on one run, and not on two over the same rows.
"""

from collections.abc import Awaitable, Callable
from functools import partial

import anyio

from batchconnect.ledger.entry import Line, RunOpened, RunResumed
from batchconnect.ledger.lease import Lease
from batchconnect.ledger.lease_keeper import leaving
from batchconnect.ledger.run_lanes import RunLanes, fold_lanes
from batchconnect.ledger.run_state import RunState
from batchconnect.ledger.team import OPENING, Holding
from batchconnect.model.errors import LedgerError, LedgerInUseError
from batchconnect.model.value import Value
from batchconnect.run.intake.same_run import open_reruns, open_runs
from batchconnect.run.job import Job
from batchconnect.run.stop import Stop
from batchconnect.run.survey import not_its_sheet
from batchconnect.run.team.team import Team


class OpenedRun(Value):
    """The run to work on."""

    job: Job
    number: int
    lease: Lease | None
    """Of the run as a whole, where this process accounts for its rows; None: another one has."""

    @property
    def run_id(self) -> str:
        """Its id."""
        resumed = self.job.resumed
        return (resumed.opened if resumed else self.job.opened).run_id


async def opened_run(
    team: Team,
    look_back: Callable[[], Awaitable[Job]],
    *,
    command: str,
    parent: str | None,
    joins: str | None,
    stop: Stop,
    on_wait: Callable[[str], None],
) -> OpenedRun | None:
    """
    Join the run that others are at work on, go on with one that nobody works on, or open one.

    Args:
        team: The ledger, and who we are.
        look_back: Makes the job, with the run that it goes on with, from what the ledger has now.
        command: What it does to the rows.
        parent: Of a rerun.
        joins: The run that is to be joined, by its id; None: the sheet's, or a new one.
        stop: Ends the waiting.
        on_wait: Told for whom is waited: a run whose sheet is still being read may be this one.

    Returns:
        None where the stop was asked for first.

    Raises:
        LedgerError: It is in use by a run that one process works alone.
    """
    told = ""
    while (opening := await team.hold(OPENING, stop)) is not None:
        try:
            waits_for = await _being_read(team, command=command, parent=parent)
            if waits_for is None:
                job = await look_back()
                if joins is not None:
                    return await _joined(team, job, joins)
                opened = await _open(team, job)
                if opened is not None:
                    return opened
                waits_for = (job.resumed or job).opened.run_id
        finally:
            with leaving():
                await team.keeper.hand_back(opening)
        if waits_for != told:
            on_wait(waits_for)
            told = waits_for
        await anyio.sleep(team.poll_s / 2)
    return None


async def _being_read(team: Team, *, command: str, parent: str | None) -> str | None:
    """A run whose rows a living process is still accounting for, so that nobody can tell yet which it is."""

    def look() -> list[RunState]:
        runs = (
            open_runs(team.ledger, command) if parent is None else open_reruns(team.ledger, parent)
        )
        return [state for state in runs if state.identified is None]

    for state in await anyio.to_thread.run_sync(look):
        rows = await team.keeper.look(state.opened.run_id)
        if any(row.holding.run_id == state.opened.run_id and team.is_held(row) for row in rows):
            return state.opened.run_id
    return None


async def _open(team: Team, job: Job) -> OpenedRun | None:
    """Open it, or join; None: whoever accounted for its rows is held for living still."""
    if job.resumed is None:
        opened = job.opened
        lease = await team.hold(Holding(run_id=opened.run_id), job.stop)
        if lease is None:
            return None
        number = await _append(team, job, 0, opened)
        return OpenedRun(job=job, number=number, lease=lease)
    run = job.resumed
    lanes = await _lanes(team, run.number)
    if lanes.lanes is not None and await _is_worked(team, run):
        if lanes.is_alone or job.opened.alone:
            raise _alone(run.opened.run_id, its_own=lanes.is_alone)
        _check_choices(run.opened, job.opened)
        return OpenedRun(job=job, number=run.number, lease=None)
    holding = Holding(run_id=run.opened.run_id)
    lease = await team.take(holding, run=run.number)
    if lease is None:
        return None
    resumed = RunResumed(
        operator=job.opened.operator,
        machine=job.opened.machine,
        tool_version=job.opened.tool_version,
        crashed=run.ended is None,
        alone=job.opened.alone,
    )
    await _append(team, job, run.number, resumed)
    return OpenedRun(job=job, number=run.number, lease=lease)


async def _joined(team: Team, job: Job, joins: str) -> OpenedRun:
    """A run that is there, as it is."""
    run = job.resumed
    if run is None or run.opened.run_id != joins:
        raise not_its_sheet(job, joins)
    lanes = await _lanes(team, run.number)
    if lanes.lanes is None:
        raise LedgerError(
            f"run {joins} has not read its sheet to the end, and nobody does",
            hint="Give the command that began it once more.",
        )
    if lanes.is_alone:
        raise _alone(joins, its_own=True)
    return OpenedRun(job=job, number=run.number, lease=None)


async def _lanes(team: Team, number: int) -> RunLanes:
    """The run's lanes as they are now."""
    return fold_lanes(await anyio.to_thread.run_sync(team.ledger.steps, number))


async def _append(team: Team, job: Job, number: int, entry: RunOpened | RunResumed) -> int:
    line = Line(entry=entry, run=number, at_ms=job.clock.now_ms())
    return await anyio.to_thread.run_sync(partial(team.ledger.append, [line]))


async def _is_worked(team: Team, run: RunState) -> bool:
    """Whether anybody else is at work on it, or may be: dead or not is known when the leases are over."""
    lanes, workers = await team.keeper.look_around(run.opened.run_id)
    if any(row.run == run.number and team.is_held(row) for row in lanes):
        return True
    return any(one.run == run.number and one.is_alive and one.name != team.name for one in workers)


def _alone(run_id: str, *, its_own: bool) -> LedgerError:
    if its_own:
        return LedgerInUseError(
            f"run {run_id} is at work elsewhere, alone: it has --plan, --max-rows or --max-failures",
            hint="Wait until it has ended, then give the same command again. `batchconnect lanes` shows where.",
        )
    return LedgerInUseError(
        f"--plan, --max-rows and --max-failures are kept to by one process, and others work on run {run_id}",
        hint="Leave them out to join, or wait until that run has ended.",
    )


def _check_choices(of_run: RunOpened, ours: RunOpened) -> None:
    """Whoever joins must do to a row what the others would."""
    if dict(of_run.choices or {}) != dict(ours.choices or {}):
        raise LedgerError(
            f"run {of_run.run_id} is at work elsewhere with other options "
            f"({_told(of_run)}; here {_told(ours)})",
            hint=f"Give the same options, or `batchconnect work {of_run.run_id}`, which takes them over.",
        )


def _told(opened: RunOpened) -> str:
    return (
        ", ".join(f"{name} {value}" for name, value in sorted((opened.choices or {}).items()))
        or "none"
    )
