"""Settle what is in doubt; creates nothing."""

import os
import sys
from dataclasses import replace
from functools import partial

import anyio

from batchconnect.cli.commands.console import Console
from batchconnect.cli.commands.run import Attended
from batchconnect.cli.commands.signals import watch_signals
from batchconnect.cli.commands.start import (
    choices_of,
    options_again,
    say_what_is_idle,
    settings_of,
    warn_of_places,
)
from batchconnect.cli.options import OutputOptions, PartOptions, PlaceOptions, ServiceOptions
from batchconnect.model.errors import ExitCode
from batchconnect.model.exception_group import the_cause
from batchconnect.model.outcome import Status
from batchconnect.reports.lines import closing_lines, next_command
from batchconnect.reports.summary import Summary
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
    say_what_is_idle(part, console)
    warn_of_places(choices, settings, console)
    attended = Attended(choices=choices, output=output, log_json=False, console=console)
    summary = anyio.run(
        partial(_carry_out, run_id, settings, choices, attended),
        backend_options={"use_uvloop": sys.platform != "win32"},
    )
    again = next_command(
        summary, same="the command that began it, once more", options=options_again(places)
    )
    folder = choices.home / summary.opened.run_id
    console.result(attended.document, closing_lines(summary, folder=folder, next_command=again))
    if not summary.counts[Status.IN_DOUBT] and not attended.settled:
        console.say(f"nothing is in doubt in run {summary.opened.run_id}")
    code = summary.exit_code
    # How a run was stopped is no matter of its doubts.
    return code if code in {ExitCode.OK, ExitCode.IN_DOUBT} else ExitCode.UNFINISHED


async def _carry_out(
    run_id: str | None, settings: Settings, choices: Choices, attended: Attended
) -> Summary:
    try:
        with the_cause():
            async with anyio.create_task_group() as beside:
                beside.start_soon(partial(watch_signals, attended.stop, drain_s=0))
                summary = await settle(
                    run_id,
                    settings=settings,
                    choices=choices,
                    listener=attended.listener,
                    report=attended.report,
                )
                beside.cancel_scope.cancel()
        return summary
    finally:
        attended.close()
