"""What every command over a run of the ledger begins with, and who hears of it."""

import platform
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from batchconnect.ledger import Ledger
from batchconnect.ledger.group_commit import GroupCommit
from batchconnect.ledger.run_writer import Clock, RunWriter, system_clock
from batchconnect.model.event import Event, FaultMet
from batchconnect.model.exception_group import first_of_ours, unwrap_exception_group
from batchconnect.model.fault import fault_of
from batchconnect.model.redactor import Redactor
from batchconnect.model.value import Value, field
from batchconnect.options import MergedOptions
from batchconnect.reports.summary import Summary
from batchconnect.run.opening.opened_ledger import as_team, opened_ledger
from batchconnect.run.opening.service import ConnectedService, connected
from batchconnect.run.stop import Stop
from batchconnect.run.team.held_lanes import HeldLanes, held_lanes
from batchconnect.run.team.work import Together
from batchconnect.settings import Settings


class Listener(Value):
    """Who hears of a run, and who may stop it."""

    on_event: Callable[[Event], None] = lambda event: None
    stop: Stop
    redactor: Redactor
    together: Together = field(default_factory=Together)
    """On a team ledger: how it works with others."""


def reported(summary: Summary, report: Callable[[Summary], None], listener: Listener) -> Summary:
    """The summary, once its report is made; a fault of ours in that is told."""
    try:
        report(summary)
    except Exception as error:
        if first_of_ours(error) is None:
            listener.on_event(FaultMet(fault=fault_of(error), where="report"))
        raise
    return summary


class Desk(Value):
    """What a command over a run of the ledger works with."""

    service: ConnectedService
    ledger: Ledger
    clock: Clock
    writer: Callable[[int], RunWriter]
    held: HeldLanes
    """On a team ledger: what this process may write to."""


@asynccontextmanager
async def at_work(
    settings: Settings, options: MergedOptions, listener: Listener, *, command: str
) -> AsyncIterator[Desk]:
    """Connect, take the ledger, and have it written to: what every command over a run begins with."""
    with unwrap_exception_group():
        async with connected(
            settings, options, on_event=listener.on_event, hold=listener.redactor.hold
        ) as service:
            about = {"host": platform.node(), "command": command}
            with opened_ledger(options, service.host, about=about) as ledger:
                clock = system_clock()
                team, arm = as_team(ledger), listener.together.arm
                async with (
                    GroupCommit(ledger) as group,
                    held_lanes(
                        team,
                        service,
                        lease_s=options.lease,
                        arm=arm,
                        stop=listener.stop,
                        on_event=listener.on_event,
                    ) as held,
                ):
                    yield Desk(
                        service=service,
                        ledger=ledger,
                        clock=clock,
                        writer=lambda run: RunWriter(group, run=run, clock=clock),
                        held=held,
                    )
