"""Only what a run left unfinished, under a run of its own."""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from batchconnect.cli.commands.run import run_told
from batchconnect.cli.ending import Ending
from batchconnect.cli.files.ci_files import CiFiles
from batchconnect.cli.options import Given, OutputOptions
from batchconnect.cli.screen.console import Console
from batchconnect.cli.start import options_of, settings_of
from batchconnect.model.value import replace
from batchconnect.options import merge
from batchconnect.reports.json import summary_document
from batchconnect.run.opening.opened_ledger import ledger_of
from batchconnect.run.opening.sheet_name import check_name
from batchconnect.run.rerun.choice import choose_rerun
from batchconnect.run.task import onboarding
from batchconnect.sheet import STDIN
from batchconnect.sheet.source import open_source


def run(
    output: OutputOptions,
    given: Given,
    *,
    run_id: str | None = None,
    sheets: Sequence[str] = (),
) -> int:
    """Take up the unfinished rows of a run; by default of the last one."""
    console = Console(output)
    with Ending(given, console, command="rerun") as ending:
        return _rerun(output, given, console, ending, run_id=run_id, sheets=sheets)


def _rerun(
    output: OutputOptions,
    given: Given,
    console: Console,
    ending: Ending,
    *,
    run_id: str | None,
    sheets: Sequence[str],
) -> int:
    settings = settings_of(given, os.environ, offline=True)
    options = options_of(settings, given)
    with ledger_of(options) as ledger:
        chosen = choose_rerun(ledger, run_id)
        files = CiFiles.of(given)
        if not chosen.has_work:
            files.write(chosen.summary, console)
    paths = tuple(sheets) or chosen.sheets()
    if not chosen.has_work:
        for sheet in sheets:
            # A name that was mistyped is said, even where its rows would not be asked for.
            if sheet != STDIN:
                check_name(sheet)
                open_source(Path(sheet)).close()
        ending.reach(settings, options)
        ending.summary = chosen.as_it_is
        console.result(summary_document(chosen.summary), [chosen.why_nothing])
        return int(chosen.as_it_is.exit_code or 0)
    rows = f"{chosen.unfinished} of {chosen.summary.total} rows"
    console.say(f"rerun of {chosen.opened.run_id}: {rows} unfinished")
    alike = replace(given, options=merge(given.options, chosen.as_before))
    task_of = partial(onboarding, parent=chosen.opened.run_id, was_tested=chosen.was_tested)
    return run_told(output, alike, console, ending, sheets=paths, task_of=task_of)
