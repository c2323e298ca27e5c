"""Settle what is in doubt; creates nothing."""

import os
import sys
from dataclasses import replace
from functools import partial

import anyio

from batchconnect.cli.commands.console import Console
from batchconnect.cli.commands.run import RunObserver
from batchconnect.cli.commands.signals import watch_signals
from batchconnect.cli.commands.start import (
    choices_of,
    place_flags,
    settings_of,
    warn_ignored_flags,
    warn_of_places,
)
from batchconnect.cli.options import OutputOptions, PartOptions, PlaceOptions, ServiceOptions
from batchconnect.model.errors import ExitCode
from batchconnect.model.exception_group import unwrap_exception_group
from batchconnect.model.outcome import Status
from batchconnect.reports.summary import Summary
from batchconnect.reports.terminal_summary import closing_lines, next_command
from batchconnect.run.choices import Choices
from batchconnect.run.engine import settle
from batchconnect.settings import Settings


def run(
    output: OutputOptions,
    places: PlaceOptions,
    part: PartOptions,
    service: ServiceOptions,
    *,
    run_id: str | None,
) -> int:
    """Settle the doubts of a run; by default of the newest that has any."""
    console = Console(output)
    settings = settings_of(places, os.environ, service=service)
    choices = choices_of(settings, places, service=service, part=part)
    if part.sandbox is not None:
        choices = replace(choices, only=(*choices.only, f"sandbox={part.sandbox}"))
    warn_ignored_flags(part, console)
    warn_of_places(choices, settings, console)
    observer = RunObserver(choices=choices, output=output, log_json=False, console=console)
    summary = anyio.run(
        partial(_carry_out, run_id, settings, choices, observer),
        backend_options={"use_uvloop": sys.platform != "win32"},
    )
    again = next_command(
        summary, same="the command that began it, once more", options=place_flags(places)
    )
    folder = choices.home / summary.opened.run_id
    console.result(observer.document, closing_lines(summary, folder=folder, next_command=again))
    if not summary.counts[Status.IN_DOUBT] and not observer.settled:
        console.say(f"nothing is in doubt in run {summary.opened.run_id}")
    code = summary.exit_code
    # How a run was stopped is no matter of its doubts.
    return code if code in {ExitCode.OK, ExitCode.IN_DOUBT} else ExitCode.UNFINISHED


async def _carry_out(
    run_id: str | None, settings: Settings, choices: Choices, observer: RunObserver
) -> Summary:
    try:
        with unwrap_exception_group():
            async with anyio.create_task_group() as beside:
                beside.start_soon(partial(watch_signals, observer.stop, drain_s=0))
                summary = await settle(
                    run_id,
                    settings=settings,
                    choices=choices,
                    listener=observer.listener,
                    report=observer.report,
                )
                beside.cancel_scope.cancel()
        return summary
    finally:
        observer.close()
