"""Ask each connection's source whether it works: those of a run, or of a sheet's rows."""

import os
from collections.abc import Sequence
from functools import partial

from batchconnect.cli.commands.run import run as run_sheet
from batchconnect.cli.ending import Ending
from batchconnect.cli.files.ci_files import CiFiles
from batchconnect.cli.observer import RunObserver, attend
from batchconnect.cli.options import Given, OutputOptions
from batchconnect.cli.screen.console import Console
from batchconnect.cli.start import (
    as_part,
    kept_flags,
    options_of,
    place_flags,
    settings_of,
    warn_of_places,
)
from batchconnect.reports.terminal_summary import next_command
from batchconnect.run.opening.places import try_places
from batchconnect.run.task import verification
from batchconnect.run.verify_run import verify
from batchconnect.sheet.kind import is_named_like_a_sheet


def run(output: OutputOptions, given: Given, *, what: Sequence[str]) -> int:
    """Verify a sheet, where *what* is one; else a run, by default the last."""
    if len(what) > 1 or (what and is_named_like_a_sheet(what[0])):
        return run_sheet(
            output,
            given,
            sheets=what,
            task_of=lambda _options: verification(),
            command="verify",
        )
    console = Console(output)
    with Ending(given, console, command="verify") as ending:
        return _verify_run(output, given, console, ending, next(iter(what), None))


def _verify_run(
    output: OutputOptions, given: Given, console: Console, ending: Ending, what: str | None
) -> int:
    files = CiFiles.of(given)
    part = as_part(given, sandbox=given.options.sandbox)
    settings = settings_of(part, os.environ)
    options = options_of(settings, given)
    ending.reach(settings, options)
    warn_of_places(options, settings, console)
    console.warn(try_places(options))
    observer = RunObserver(
        options=options,
        output=output,
        log_json=given.log_json,
        console=console,
        place=place_flags(given),
        files=files,
    )
    work = partial(
        verify,
        what,
        settings=settings,
        options=options,
        listener=observer.listener,
        report=observer.report,
    )
    summary = attend(observer, work, drain_s=given.drain)
    ending.summary = summary
    again = next_command(
        summary,
        same="the same command once more",
        options=place_flags(given),
        kept=partial(kept_flags, part),
    )
    observer.tell_end(summary, again)
    return int(summary.exit_code or 0)
