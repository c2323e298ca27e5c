"""Settle what is in doubt; creates nothing."""

import os
from functools import partial

from batchconnect.cli.ending import Ending
from batchconnect.cli.observer import RunObserver, attend
from batchconnect.cli.options import Given, OutputOptions
from batchconnect.cli.screen.console import Console
from batchconnect.cli.screen.refusals import refusal_lines
from batchconnect.cli.start import (
    as_part,
    kept_flags,
    options_of,
    place_flags,
    settings_of,
    warn_ignored_flags,
    warn_of_places,
)
from batchconnect.model.outcome import Status
from batchconnect.model.value import replace
from batchconnect.reports.terminal_summary import next_command
from batchconnect.run.exit_code import of_doubts
from batchconnect.run.opening.places import try_places
from batchconnect.run.reconcile_run import settle


def run(
    output: OutputOptions,
    given: Given,
    *,
    run_id: str | None,
) -> int:
    """Settle the doubts of a run; by default of the newest that has any."""
    console = Console(output)
    with Ending(given, console, command="reconcile") as ending:
        return _reconcile(output, given, console, ending, run_id=run_id)


def _reconcile(
    output: OutputOptions,
    given: Given,
    console: Console,
    ending: Ending,
    *,
    run_id: str | None,
) -> int:
    part = as_part(given, sandbox=given.options.sandbox)
    settings = settings_of(part, os.environ)
    options = options_of(settings, given)
    ending.reach(settings, options)
    warn_ignored_flags(given, console)
    warn_of_places(options, settings, console)
    console.warn(try_places(options))
    observer = RunObserver(
        options=options,
        output=output,
        log_json=False,
        console=console,
        place=place_flags(given),
    )
    work = partial(
        settle,
        run_id,
        settings=settings,
        options=options,
        listener=observer.listener,
        report=observer.report,
        settle_s=given.options.settle,
    )
    summary = attend(observer, work)
    again = next_command(
        summary,
        same="the command that began it, once more",
        options=place_flags(given),
        kept=partial(kept_flags, part),
    )
    # The run's report tells what became of the run: what keeps this look from succeeding is none of it.
    in_the_way = refusal_lines(observer.unreached.values(), what="org", whats="orgs")
    observer.tell_end(summary, again, before=in_the_way)
    if not summary.counts[Status.IN_DOUBT] and not observer.settled:
        console.say(f"nothing is in doubt in run {summary.opened.run_id}")
    code = of_doubts(summary.exit_code)
    ending.summary = replace(summary, exit_code=code)
    return code
